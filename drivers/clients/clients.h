/* SPDX-License-Identifier: MIT */
/*
 * The clients floor's public face: those who hold DAX pages while a device works on them.
 */
#ifndef DRIVERS_CLIENTS_CLIENTS_H
#define DRIVERS_CLIENTS_CLIENTS_H

#include "dax/dax.h"
#include "drivers/block/bio.h"

#define DMA_MAX_PAGES 64
#define DMA_TEXT      64 /* bytes of the pattern, terminator included */

struct dma_job;

/*
 * Starts a DMA between referenced pages and an edu device. DMA_IN: the device writes `text`, over
 * and over, into every page, `times` times. DMA_OUT: the device reads the pages; what it got of the
 * first half page can be read by dma_received(). The job takes the references over and gives them
 * back from the completion interrupt. `who` names the holder in reports. Sleepable. NULL: *err is
 * -EINVAL (no pages, too many, no text), -ENODEV (no device), -ENOMEM; the references stay the
 * caller's.
 */
enum dma_dir { DMA_IN, DMA_OUT };
struct dma_job *dma_start(struct edu *e, struct page **pages, unsigned nr, enum dma_dir dir,
			  const char *text, unsigned times, int *err);
/* The same, but the references stay the caller's, who keeps them until dma_done(). */
struct dma_job *dma_start_borrowed(struct edu *e, struct page **pages, unsigned nr,
				   enum dma_dir dir, const char *text, unsigned times, int *err);
/*
 * The same by bus addresses that are registered with this device: all pages of `map`, which the job
 * neither maps nor unmaps. The mapping stays registered until dma_done(); it may be cut meanwhile:
 * what the device does then are faults, and the job ends as if all had been well, for the device
 * does not learn of them.
 */
struct dma_job *dma_start_registered(struct edu *e, const struct dma_mapping *map, enum dma_dir dir,
				     const char *text, unsigned times, int *err);
bool dma_done(const struct dma_job *job);
/* Sleeps until the device has finished; woken by: the completion interrupt. */
void dma_wait(struct dma_job *job);
/* The beginning of the first page as the device saw it (DMA_OUT, after dma_done()). */
const char *dma_received(const struct dma_job *job);
void dma_free(struct dma_job *job); /* after dma_done() */

/* ---- those who hold pages for as long as their user likes (region.c, grabber.c) ----------- */

/* Pages pinned and registered with a device, until their user lets them go (longterm.c). */
struct longterm {
	struct page *pages[DMA_MAX_PAGES];
	unsigned nr; /* zero: nothing is held */
	struct dma_mapping map;
	struct holder holder;
};

/*
 * A memory region, as an RDMA device has it registered: its pages are pinned (FOLL_LONGTERM) from
 * registration to deregistration, whatever their file does. "IB/core: disable memory registration
 * of filesystem-dax vmas" (2017).
 */
struct region;
enum region_kind {
	REGION_PINNED,	 /* pages are held all the time */
	REGION_ON_DEMAND /* fault-driven: no page is held; without an IOMMU while a transfer runs */
};
/*
 * Registers [addr, addr + nr pages) of the current address space with a device, whose bus addresses
 * for them stay until deregistration. `name` is copied, for reports; NULL: it has none. Refused
 * with a sentence: -ENODEV (no device), -EINVAL (no page, more than DMA_MAX_PAGES, not page
 * aligned), -EFAULT, -ENOSPC, -ENOMEM; REGION_PINNED: -EOPNOTSUPP (a DAX file that is not mapped
 * with MAP_DIRECT, or is, and the device has no domain), the errors of direct_lease_take(). A
 * refusal holds nothing. Less than the whole range is a refusal. Sleepable.
 *
 * A pinned region on a MAP_DIRECT mapping is told, and then revoked, when its file is to change:
 * its thread gets a notice, and region_state() changes.
 */
int region_register(struct edu *e, uint64_t addr, unsigned nr, enum region_kind kind,
		    const char *name, struct region **out);
enum region_state {
	REGION_LIVE,
	REGION_TOLD,   /* its file wants the pages back: deregister it within the break time */
	REGION_REVOKED /* they were taken: the device reaches nothing, its addresses are registered
			*/
};
enum region_state region_state(const struct region *r);
const struct dma_mapping *region_bus(const struct region *r); /* where the device was sent */
/* Lets the device write `text` over the whole region and waits for it. Of the address space that
 * registered. 0, -ENOMEM, -ENXIO (it was revoked); on demand: -EFAULT (the range is gone, with a
 * sentence), -EAGAIN (its pages were taken away during each of several transfers). Sleepable. */
int region_receive(struct region *r, const char *text);
/* The device writes `text` `times` times over by the bus addresses that it was told, and nobody
 * looks whether they lead anywhere: as a device does. A region of registered bus addresses (not one
 * on demand without a domain); it stays registered until dma_done(). NULL and *err: -ENOMEM,
 * -EINVAL. */
struct dma_job *region_start(struct region *r, const char *text, unsigned times, int *err);
void region_deregister(struct region *r); /* gives the pages back */

/*
 * A frame grabber with buffers of the user's own ("[media] v4l2: disable filesystem-dax mapping
 * support", 2017): queueing a buffer pins it, dequeueing waits for the frame and lets it go;
 * between the two the user decides how long that takes.
 */
#define GRABBER_BUFFERS 4
struct grabber {
	struct {
		struct longterm held; /* nr zero: the slot is free */
		struct edu *camera;
	} buffer[GRABBER_BUFFERS];
};
/* Slot number, or as region_register(); -EBUSY: all slots are queued. */
int grabber_queue(struct grabber *g, struct edu *e, uint64_t addr, unsigned nr);
/* Writes a frame of `text` into the buffer, waits for it, unpins. -EINVAL: nothing is queued there;
 * -ENOMEM: still queued. */
int grabber_dequeue(struct grabber *g, unsigned slot, const char *text);
void grabber_stop(struct grabber *g); /* all buffers back, without a frame */

/*
 * A vfio container: pages of an address space at bus addresses that the user chooses. NULL: *err is
 * -ENODEV, -EOPNOTSUPP (the device has no domain), -ENOMEM, with a sentence.
 */
struct container;
struct container *container_open(struct edu *e, int *err);
/* Pins [addr, + nr pages) of `mm`, the caller's own or another one, at bus address `bus`. As
 * region_register(); also -EINVAL (zero, no page's address, or beyond what the device can name),
 * -EEXIST (in use). Sleepable. */
int container_map(struct container *c, struct mm *mm, uint64_t addr, unsigned nr, uint64_t bus);
/* Everything that was mapped in [bus, bus + bytes) goes: how many pages that were. -EINVAL: an end
 * lies inside of a range; nothing was unmapped. Sleepable. */
int64_t container_unmap(struct container *c, uint64_t bus, uint64_t bytes);
/* The guest's device writes `text` over the range that begins at `bus`. 0, -EINVAL, -ENOMEM. */
int container_receive(struct container *c, uint64_t bus, const char *text);
/* Calls fn for every range, under the container's lock: fn calls nothing of it. */
void container_for_each(struct container *c, void (*fn)(const struct dma_mapping *m, void *arg),
			void *arg);
void container_close(struct container *c); /* with all that is mapped */

/* ---- a buffer that is exported, and may be taken back (dmabuf.c) ---------------------------- */

struct dmabuf_importer;
/* The exporter's; zero but for what is set by it, and the list (LIST_INIT) and mutexes. */
struct dmabuf {
	const char *name;
	struct page *const *pages;
	unsigned nr;
	struct mutex lock; /* importers; taken before map_lock */
	LIST_HEAD(, dmabuf_importer) importers;
	struct mutex map_lock; /* the rest, and the importers' mappings */
	bool revoked;
	unsigned mapped; /* mappings; read without a lock. Zero: the pages are the exporter's alone
			  */
};
struct dmabuf_importer {
	const char *name;
	struct dma_device *dev;
	/* The buffer is being taken back: begin nothing new, dmabuf_unmap() soon, perhaps from
	 * here. Called once, with buf->lock held; may sleep. NULL: it is not attached. */
	void (*invalidate)(struct dmabuf_importer *imp);
	struct dmabuf *buf;
	struct dma_mapping map;
	LIST_ENTRY(dmabuf_importer) link;
};
void dmabuf_export(struct dmabuf *buf, const char *name, struct page *const *pages, unsigned nr);
/* 0, -EOPNOTSUPP (no invalidate method), -ENODEV (revoked), with a sentence. Sleepable, as all. */
int dmabuf_attach(struct dmabuf *buf, struct dmabuf_importer *imp);
void dmabuf_detach(struct dmabuf_importer *imp); /* nothing of it is mapped */
int dmabuf_map(struct dmabuf_importer *imp);	 /* 0, -ENODEV (revoked), -EBUSY, or as dma_map() */
void dmabuf_unmap(struct dmabuf_importer *imp);	 /* nothing, if it is not mapped */
/*
 * Takes the buffer back: tells every importer, and waits until none has it mapped. 0: none has.
 * With refusal() naming who is late: -ETIMEDOUT, some had not unmapped within the bound and were
 * cut off, so the pages are the exporter's all the same; -EBUSY, and a device without a domain
 * reaches them still: they have to stay, ask again. Sleeps; woken by: dmabuf_unmap().
 */
int dmabuf_revoke(struct dmabuf *buf, uint64_t bound_ns);

/* An importer that has an edu device write into the buffer; deaf: it does not do as it is told. */
struct edu_importer {
	struct dmabuf_importer imp;
	struct edu *e;
	struct mutex lock; /* the rest; taken after buf->lock */
	bool deaf, stopped;
	unsigned running; /* transfers */
};
/* Attaches and maps; zero but for `deaf`. As dmabuf_attach() and dmabuf_map(). */
int edu_importer_open(struct edu_importer *i, struct edu *e, struct dmabuf *buf);
/* 0, -ENODEV: it was told to stop; -ENOMEM. Sleeps; woken by: the completion interrupt. */
int edu_importer_receive(struct edu_importer *i, const char *text);
void edu_importer_close(struct edu_importer *i);

/*
 * Direct I/O: a disk and a mapping of a file exchange bytes, and no copy lies between.
 *
 * The pages of the mapping are pinned (get_user_pages), the disk is told where they are, and its
 * completion gives them back, in an interrupt. Meanwhile the file may be truncated by somebody
 * else: that is what a lifetime has to answer for.
 */

#define DIO_MAX_PAGES BIO_MAX_SEGS
#define NO_DISK	      "no disk (QEMU: -device virtio-blk-pci,disable-legacy=on,drive=...)"

enum dio_dir {
	DIO_READ, /* the disk's bytes go into the mapping: its pages must be writable */
	DIO_WRITE /* the mapping's bytes go to the disk */
};
struct dio_request {
	struct block_device *disk;
	enum dio_dir dir;
	uint64_t sector;
	uint64_t addr;	   /* user address in the current mm, a multiple of 512 */
	uint64_t len;	   /* bytes, a multiple of 512; at most DIO_MAX_PAGES pages are touched */
	bool bounce;	   /* DIO_READ: by way of a buffer, copied on completion (bio.h) */
	const char *place; /* what reports call the memory, "m1+4096"; NULL: its address */
};
struct dio;

/*
 * Pins and starts. The pages are faulted in as needed and held until the completion; a holder named
 * "vda reading into PLACE" stands for them in reports. Sleepable. NULL: nothing is held, *err and
 * refusal() say what was wrong: -ENODEV (no disk), -EINVAL, -ENXIO (end of the disk), -EROFS,
 * -EFAULT (no such memory), -ENOMEM, -EIO (broken disk).
 */
struct dio *dio_start(const struct dio_request *rq, int *err);
bool dio_done(const struct dio *d);
/* Sleeps until it is over; woken by: the disk's completion. 0, or the disk's error. */
int dio_wait(struct dio *d);
void dio_free(struct dio *d); /* after dio_done() */
/* All three: 0 or a negative errno with a sentence. */
int dio_run(const struct dio_request *rq);

#endif
