/* SPDX-License-Identifier: MIT */
/*
 * virtio over PCI, modern interface only (virtio 1.0, section 4.1).
 *
 * Where the registers are is told by vendor capabilities (id 9): which BAR, offset, length. The
 * order of a start is the specification's (3.1): reset, acknowledge, features, queues, go. A reset
 * that was seen to end is also the proof that nothing of an earlier life is still under way; only
 * then the function may master the bus.
 */
#ifndef DRIVERS_BLOCK_INTERNAL_H
#define DRIVERS_BLOCK_INTERNAL_H

#include "drivers/block/bio.h"
#include "drivers/iommu/iommu.h"
#include "drivers/pci/pci.h"
#include "mm/mm.h"

/*
 * The split ring of virtio 1.0: how requests and answers pass between a driver and a device that
 * share memory and trust each other with nothing else.
 *
 * Three tables. Descriptors: pieces of memory, chained by `next`. Available ring: the driver puts
 * the first descriptor of each chain there. Used ring: the device puts it there when it is done,
 * with the number of bytes it wrote. Each side writes its own ring's index only, last.
 *
 * What the device says is checked against what the driver remembers in memory of its own: an index
 * that runs ahead, a chain that was never given to it, more bytes than it had room for. A device
 * that says such a thing is not to be believed again.
 *
 * Source: OASIS Virtual I/O Device 1.0, section 2.4.
 */

#define VRING_MAX   256 /* descriptors: 16 bytes each, one frame */
#define VRING_NEXT  1u	/* descriptor flags */
#define VRING_WRITE 2u	/* the device writes it */

struct vring_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags, next;
};
struct vring_avail {
	uint16_t flags, idx, ring[VRING_MAX];
};
struct vring_used {
	uint16_t flags, idx; /* flags bit 0: the device needs no notification now */
	struct {
		uint32_t id, len;
	} ring[VRING_MAX];
};

/* One piece of a chain: what the device reads comes before what it writes. */
struct vring_buf {
	uint64_t bus;
	uint32_t len;
	bool device_writes;
};

struct vring {
	volatile struct vring_desc *desc;
	volatile struct vring_avail *avail;
	volatile struct vring_used *used;
	struct dma_memory mem; /* two frames: descriptors; available ring, used ring */
	uint16_t size;	       /* descriptors; a power of two */
	uint16_t last_used;
	uint16_t free, nr_free; /* chain of free descriptors, by own_next[] */
	uint16_t nr_chains;	/* given to the device and not back; zero: it owns no memory */
	/* What the device cannot change, by first descriptor of a chain. */
	struct {
		void *owner; /* NULL: not the first of a chain that the device has */
		uint16_t nr;
		uint32_t writable; /* bytes it may write */
	} chain[VRING_MAX];
	uint16_t own_next[VRING_MAX];
};

#define VRING_AVAIL_OFFSET PAGE_SIZE
#define VRING_USED_OFFSET  (PAGE_SIZE + 1024)

/* Memory for `size` descriptors (power of two up to VRING_MAX), shared with the device. -EINVAL, or
 * as dma_alloc(). */
int vring_init(struct vring *r, struct dma_device *dev, unsigned size);
void vring_free(struct vring *r); /* the device is off */
/* Gives a chain to the device; `owner` (not NULL) comes back with it. -ENOSPC: not enough free
 * descriptors, nothing was done. The caller's lock protects the ring. */
int vring_add(struct vring *r, const struct vring_buf *buf, unsigned n, void *owner);
/* After vring_add(): does the device want to be told? */
bool vring_wants_notify(const struct vring *r);
/* The next chain that the device is done with: 1, its owner and the bytes the device wrote; 0:
 * none; -EPROTO: the device says what cannot be, *why names it. */
int vring_take(struct vring *r, void **owner, uint32_t *written, const char **why);

/* ---- the transport */

#define VIRTIO_VENDOR		 0x1af4
#define VIRTIO_F_VERSION_1	 (1ull << 32)
#define VIRTIO_F_ACCESS_PLATFORM (1ull << 33) /* addresses pass the platform's translation */

struct virtio_device {
	struct pci_device *pci; /* NULL: a model in memory */
	struct dma_device dma;
	bool attached;		  /* dma is one */
	volatile uint8_t *common; /* 56 bytes of registers */
	volatile uint8_t *notify; /* the notification area */
	uint32_t notify_len, notify_step;
	volatile uint8_t *config; /* the device type's own registers; NULL: none */
	uint32_t config_len;
	uint64_t features; /* what was agreed on */
	uint16_t queue;	   /* its one queue, and where it is told that there is something in it */
	volatile uint16_t *bell;
};

/* Finds and maps the registers, resets the device and waits until it is. The function is claimed.
 * -ENODEV: not a modern device. -EIO: a capability that cannot be; -EBUSY: the reset does not end;
 * -ENOMEM. *why gets a sentence. */
int virtio_attach(struct virtio_device *v, struct pci_device *pci, const char **why);
/* Agrees on VERSION_1, on ACCESS_PLATFORM if the device offers it (it insists on it then), and on
 * those of `wanted` that it offers. Without ACCESS_PLATFORM its accesses pass any IOMMU by.
 * -ENODEV: it does not speak 1.0, or refuses the choice; or as dma_attach(). */
int virtio_negotiate(struct virtio_device *v, const char *name, uint64_t wanted, const char **why);
/* Sets up queue n, the only one, with a ring of at most `most` descriptors, interrupting through
 * entry `msix` of the function's MSI-X table. */
int virtio_queue(struct virtio_device *v, unsigned n, unsigned most, unsigned msix,
		 struct vring *ring, const char **why);
void virtio_go(struct virtio_device *v);     /* DRIVER_OK */
void virtio_notify(struct virtio_device *v); /* its queue has something new */
/* Stops the device: mastering off, reset, and waits until it is. False: it did not within a second.
 * Any context. */
bool virtio_stop(struct virtio_device *v);
/* The same for who cannot wait: begins it once, and asks whether it has ended, as often as wanted.
 * Until it has, the device may still write to memory it was told of. Any context. */
void virtio_stop_begin(struct virtio_device *v);
bool virtio_stopped(const struct virtio_device *v);
/* n bytes (1, 2, 4, 8) of the type's registers; what the device does not have reads as zero. */
uint64_t virtio_config(const struct virtio_device *v, unsigned off, unsigned n);

/* ---- a disk's requests
 *
 * A disk is its ring, its slots, and what waits for them. Whoever attaches one sets up the device
 * and the ring (virtio_blk.c); a self-test in place of that plays the device, in memory, and lies.
 */

/* What the device sees of a request, besides the data. */
struct vblk_shared {
	struct {
		uint32_t type, ioprio;
		uint64_t sector;
	} header;
	volatile uint8_t status;
};
struct vblk_slot {
	struct bio *bio; /* NULL: free */
	struct vblk_shared *shared;
	uint64_t bus; /* of shared */
	struct dma_mapping map;
};

struct vblk {
	struct block_device dev;
	char what[32];
	struct virtio_device virtio;
	int vector;	      /* set by set_up() */
	struct spinlock lock; /* irq-safe: the completion takes it. Protects all below */
	struct vring ring;
	struct vblk_slot slots[VIRTIO_BLK_DEPTH];
	struct dma_memory shared;		 /* of all slots */
	struct vring_buf bufs[BIO_MAX_SEGS + 2]; /* of the chain that is being built */
	struct bio_queue waiting;
	struct virtio_blk_stats stats;
	/* Of a disk that is broken. */
	struct timer look; /* armed until its reset was seen to end */
	unsigned looks;	   /* of the timer; zero: none yet */
	bool stopped;	   /* its reset was seen to end */
};
#define VBLK_LOOK_NS 1000000ull /* from one look at the reset to the next */

/* Slots and an empty queue for a disk whose virtio.dma is known; the rest of *d is zero. 0, or as
 * dma_alloc(). */
int vblk_init(struct vblk *d);
/* The device says that something is done: takes what is, and gives it what waited. NULL, or why it
 * is not used any more: a sentence, told once. Interrupts off. */
const char *vblk_collect(struct vblk *d);
/* For tests: whatever a stopped device had, or was to get, ends with -EIO. */
void vblk_end_all(struct vblk *d);

#endif
