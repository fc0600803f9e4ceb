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
bool dma_done(const struct dma_job *job);
/* Sleeps until the device has finished; woken by: the completion interrupt. */
void dma_wait(struct dma_job *job);
/* The beginning of the first page as the device saw it (DMA_OUT, after dma_done()). */
const char *dma_received(const struct dma_job *job);
void dma_free(struct dma_job *job); /* after dma_done() */

/* ---- those who hold pages for as long as their user likes (region.c, grabber.c) ----------- */

/*
 * A memory region, as an RDMA device has it registered: its pages are pinned (FOLL_LONGTERM) from
 * registration to deregistration, whatever their file does. "IB/core: disable memory registration
 * of filesystem-dax vmas" (2017).
 */
struct region;
enum region_kind {
	REGION_PINNED,	 /* pages are held all the time */
	REGION_ON_DEMAND /* fault-driven: they are held only while a transfer runs */
};
/*
 * Registers [addr, addr + nr pages) of the current address space. -EINVAL (no page, more than
 * DMA_MAX_PAGES, not page aligned), -EOPNOTSUPP (a page of file-system DAX, REGION_PINNED),
 * -EFAULT, -ENOMEM; a refusal holds nothing. Less than the whole range is a refusal: -EFAULT.
 * Sleepable.
 */
int region_register(uint64_t addr, unsigned nr, enum region_kind kind, struct region **out);
/* Lets the device write `text` over the whole region and waits for it. Of the address space that
 * registered. 0, -ENODEV (no device), -EFAULT (on demand: the range is gone), -ENOMEM. Sleepable.
 */
int region_receive(struct region *r, struct edu *e, const char *text);
void region_deregister(struct region *r); /* gives the pages back */

/*
 * A frame grabber with buffers of the user's own ("[media] v4l2: disable filesystem-dax mapping
 * support", 2017): queueing a buffer pins it, dequeueing waits for the frame and lets it go;
 * between the two the user decides how long that takes.
 */
#define GRABBER_BUFFERS 4
struct grabber {
	struct {
		struct page *pages[DMA_MAX_PAGES];
		unsigned nr; /* zero: the slot is free */
		struct holder holder;
	} buffer[GRABBER_BUFFERS];
};
/* Slot number, or as region_register(); -EBUSY: all slots are queued. */
int grabber_queue(struct grabber *g, uint64_t addr, unsigned nr);
/* Writes a frame of `text` into the buffer, waits for it, unpins. -EINVAL: nothing is queued there;
 * -ENODEV, -ENOMEM: still queued. */
int grabber_dequeue(struct grabber *g, struct edu *e, unsigned slot, const char *text);
void grabber_stop(struct grabber *g); /* all buffers back, without a frame */

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
