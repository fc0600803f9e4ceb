/* SPDX-License-Identifier: MIT */
/*
 * Block requests: what is to be moved between a disk and memory, and who is told when it was.
 *
 * A bio belongs to its submitter again when end_io() is called, which happens in interrupt context,
 * once for every bio that bio_submit() took. Between the device's completion and end_io() stands
 * bio_complete(), and there a switch (bio_delay.c) may hold completions back: the device is done,
 * and whoever waits does not know it yet.
 *
 * A read with a bounce buffer: the device writes into plain RAM, as it has to when it cannot reach
 * the memory meant, and the bytes are copied to where they belong on completion, just before
 * end_io(). So they arrive late when the completion is late.
 */
#ifndef DRIVERS_BLOCK_BIO_H
#define DRIVERS_BLOCK_BIO_H

#include "drivers/iommu/iommu.h"
#include "mm/mm.h"

#define SECTOR_SIZE  512u
#define BIO_MAX_SEGS 64
#define DISK_MAX     8

enum bio_op { BIO_READ, BIO_WRITE, BIO_FLUSH };

struct block_device;
/* A piece of memory inside one page: where it begins there and bytes, both multiples of 512. */
struct bio_seg {
	struct page *page; /* by name: of persistent memory, or of RAM (virt_to_page()) */
	uint32_t offset, len;
};

struct bio {
	enum bio_op op;
	uint64_t sector;	   /* of 512 bytes */
	const struct bio_seg *seg; /* where; the submitter's until end_io() */
	unsigned nr;		   /* 1 … the disk's max_segs; a flush: 0 */
	/* Pages of RAM, one for each segment, in place of which they are read (BIO_READ only).
	 * NULL: the device writes into the segments itself. */
	struct page *const *bounce;
	void (*end_io)(struct bio *bio, int err); /* interrupt context; may free or reuse bio */
	void *arg;

	struct block_device *dev; /* set by bio_submit() */
	int err;		  /* of a completion that is held back */
	TAILQ_ENTRY(bio) link;	  /* driver's, then bio_delay's */
};
TAILQ_HEAD(bio_queue, bio);

/* A disk, as its driver registers it; never goes away. */
struct block_device {
	char name[8];	  /* "vda" */
	const char *what; /* "virtio-blk at 00:04.0" */
	uint64_t sectors; /* of 512 bytes */
	bool readonly;
	bool flushes;	   /* has a volatile cache, which BIO_FLUSH writes back; else a no-op */
	unsigned max_segs; /* 1 … BIO_MAX_SEGS */
	/* Takes a bio that bio_submit() has looked at; tells its end by bio_complete(). Any
	 * context. 0, or -EIO: the device is broken, and nothing was taken. */
	int (*submit)(struct block_device *dev, struct bio *bio);
	/* The frames behind the disk, for dax_probe_disk() to look at: 0, or a negative errno.
	 * NULL: its bytes are reached by requests only. */
	int (*direct_access)(struct block_device *dev, uint64_t *pfn, uint64_t *nr);
};

/* Adds a disk; -ENOSPC: DISK_MAX are there. Boot or test. */
int block_register(struct block_device *dev);
void block_unregister(struct block_device *dev); /* for tests; nothing of it is in flight */
struct block_device *block_nth(unsigned n);	 /* NULL past the last */
struct block_device *block_find(const char *name);

/*
 * Starts a request. Any context. 0: end_io() will be called. Else nothing was started and *why is a
 * sentence: -EINVAL (a length, address or count), -ENXIO (beyond the end of the disk), -EROFS, -EIO
 * (the disk is broken).
 */
int bio_submit(struct block_device *dev, struct bio *bio, const char **why);
/* The same without looking at it: what a test wants the device itself to refuse. -EIO as above. */
int bio_submit_unchecked(struct block_device *dev, struct bio *bio);
/* For drivers: the device has done with it. Interrupt context, or interrupts off. */
void bio_complete(struct bio *bio, int err);
/* For drivers: lets `dev` reach the memory that segments are moved to or from, which is bounce
 * pages if there are any, and where it finds segment i then. Errors as of dma_map(). Any context.
 */
int bio_map(struct dma_device *dev, struct dma_mapping *m, const struct bio *bio);
uint64_t bio_bus(const struct bio *bio, const struct dma_mapping *m, unsigned i);
/* The same memory, for a driver that is a model. */
void *bio_memory(const struct bio *bio, unsigned i);
uint64_t bio_bytes(const struct bio *bio);

/* Requests that went through bio_submit() and have not ended; zero: every disk is at rest. */
unsigned bio_in_flight(void);

/* ---- bio_delay.c: holding completions back --------------------------------------------------- */

/*
 * From now on, for `ns`, every completion is queued; then a timer releases all of them and the
 * switch is off again (one-shot). -EALREADY: it is armed; nothing is changed. Thread context.
 */
int bio_delay_arm(uint64_t ns);
/* Releases what is held, now, and switches off. Value: how many were held. Thread context. */
unsigned bio_delay_off(void);
bool bio_delay_armed(void);
/* Completions held back now. Zero: none. */
unsigned bio_delay_held(void);
uint64_t bio_delay_left_ns(void); /* until the timer; 0: not armed */
/* For bio.c: true, it was queued, and bio_end() will be called for it later. */
bool bio_delay_take(struct bio *bio, int err);
void bio_end(struct bio *bio, int err); /* the rest of bio_complete() */

/*
 * virtio-blk: QEMU's disk, the other end of direct I/O. Registered as vda, vdb, … (bio.h).
 */

#define VIRTIO_BLK_MAX	 4
#define VIRTIO_BLK_DEPTH 32 /* requests that the device has at once; more wait in the driver */

struct virtio_blk_stats {
	uint64_t done, failed; /* requests since boot; zero: none */
	unsigned running, waiting, most_running;
	const char *broken; /* why the device is not used any more; NULL: it works */
};
/* Of the n-th (from 0) virtio disk; NULL past the last. */
struct block_device *virtio_blk_nth(unsigned n);
/* False: `dev` is no virtio disk. */
bool virtio_blk_stats(const struct block_device *dev, struct virtio_blk_stats *st);

#endif
