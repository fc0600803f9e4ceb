/* SPDX-License-Identifier: MIT */
/* Block requests: the list of disks, the check at the door, and the way back. See bio.h. */
#include "drivers/drivers.h"

static struct block_device *disks[DISK_MAX];
static unsigned nr_disks;
static struct spinlock lock = SPINLOCK_INIT("disks");
static unsigned in_flight; /* atomic; zero: every disk is at rest */

int block_register(struct block_device *dev)
{
	uint64_t flags = spin_lock_irqsave(&lock);
	int err = nr_disks < DISK_MAX ? 0 : -ENOSPC;

	ASSERT(dev->max_segs && dev->max_segs <= BIO_MAX_SEGS, "%s takes %u segments, not 1 to %u",
	       dev->name, dev->max_segs, BIO_MAX_SEGS);
	if (!err)
		disks[nr_disks++] = dev;
	spin_unlock_irqrestore(&lock, flags);
	return err;
}

void block_unregister(struct block_device *dev)
{
	uint64_t flags = spin_lock_irqsave(&lock);
	unsigned kept = 0;

	for (unsigned i = 0; i < nr_disks; i++)
		if (disks[i] != dev)
			disks[kept++] = disks[i];
	nr_disks = kept;
	spin_unlock_irqrestore(&lock, flags);
}

struct block_device *block_nth(unsigned n)
{
	uint64_t flags = spin_lock_irqsave(&lock);
	struct block_device *dev = n < nr_disks ? disks[n] : NULL;

	spin_unlock_irqrestore(&lock, flags);
	return dev;
}

struct block_device *block_find(const char *name)
{
	struct block_device *dev;

	for (unsigned n = 0; (dev = block_nth(n)); n++)
		if (!strcmp(dev->name, name))
			return dev;
	return NULL;
}

int bio_map(struct dma_device *dev, struct dma_mapping *m, const struct bio *bio)
{
	enum dma_direction dir = bio->op == BIO_READ ? DMA_FROM_DEVICE : DMA_TO_DEVICE;

	if (bio->bounce)
		return dma_map(dev, m, bio->bounce, bio->nr, dir);
	return dma_map_strided(dev, m, &bio->seg[0].page, sizeof(bio->seg[0]), bio->nr, dir);
}

uint64_t bio_bus(const struct bio *bio, const struct dma_mapping *m, unsigned i)
{
	return dma_bus(m, i) + (bio->bounce ? 0 : bio->seg[i].offset);
}

static void *segment_memory(const struct bio_seg *s)
{
	return (char *)page_to_virt(s->page) + s->offset;
}

void *bio_memory(const struct bio *bio, unsigned i)
{
	return bio->bounce ? page_to_virt(bio->bounce[i]) : segment_memory(&bio->seg[i]);
}

uint64_t bio_bytes(const struct bio *bio)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < bio->nr; i++)
		sum += bio->seg[i].len;
	return sum;
}

static const char *wrong_segments(const struct block_device *dev, const struct bio *bio)
{
	if (bio->op == BIO_FLUSH)
		return bio->nr ? "a flush moves no bytes" : NULL;
	if (!bio->nr)
		return "no memory was given";
	if (bio->nr > dev->max_segs)
		return "more pieces of memory than the disk takes in one request";
	if (bio->bounce && bio->op != BIO_READ)
		return "only a read may have a bounce buffer";
	for (unsigned i = 0; i < bio->nr; i++) {
		const struct bio_seg *s = &bio->seg[i];

		if (!s->page)
			return "a piece of memory is none";
		if (!s->len || !IS_ALIGNED(s->offset | s->len, SECTOR_SIZE))
			return "a piece of memory is not made of whole 512-byte sectors";
		if ((uint64_t)s->offset + s->len > PAGE_SIZE)
			return "a piece of memory reaches over the end of its page";
		if (bio->bounce && !bio->bounce[i])
			return "a bounce buffer is no page";
	}
	return NULL;
}

static int check(const struct block_device *dev, const struct bio *bio, const char **why)
{
	uint64_t sectors;

	*why = !bio->end_io ? "nobody is to be told of its end" : wrong_segments(dev, bio);
	if (*why)
		return -EINVAL;
	sectors = bio_bytes(bio) / SECTOR_SIZE;
	if (bio->op != BIO_FLUSH &&
	    (bio->sector >= dev->sectors || sectors > dev->sectors - bio->sector)) {
		*why = "it reaches beyond the end of the disk";
		return -ENXIO;
	}
	if (bio->op == BIO_WRITE && dev->readonly) {
		*why = "the disk is read-only";
		return -EROFS;
	}
	return 0;
}

int bio_submit_unchecked(struct block_device *dev, struct bio *bio)
{
	int err;

	bio->dev = dev;
	__atomic_add_fetch(&in_flight, 1, __ATOMIC_RELAXED);
	err = dev->submit(dev, bio);
	if (err)
		__atomic_sub_fetch(&in_flight, 1, __ATOMIC_RELAXED);
	return err;
}

int bio_submit(struct block_device *dev, struct bio *bio, const char **why)
{
	int err = check(dev, bio, why);

	if (err)
		return err;
	err = bio_submit_unchecked(dev, bio);
	if (err)
		*why = "the disk is broken ('disk' says how) and takes no more requests";
	return err;
}

unsigned bio_in_flight(void)
{
	return __atomic_load_n(&in_flight, __ATOMIC_ACQUIRE);
}

/* The bytes of a bounced read go where they belong, as durable as a device's own would be. */
static void copy_bounced(const struct bio *bio)
{
	for (unsigned i = 0; i < bio->nr; i++) {
		void *to = segment_memory(&bio->seg[i]);

		memcpy(to, page_to_virt(bio->bounce[i]), bio->seg[i].len);
		cache_writeback(to, bio->seg[i].len);
	}
	store_fence();
}

void bio_end(struct bio *bio, int err)
{
	if (bio->bounce && !err)
		copy_bounced(bio);
	/* Before end_io(), else who hears of the end may find its own request in flight. */
	__atomic_sub_fetch(&in_flight, 1, __ATOMIC_RELEASE);
	bio->end_io(bio, err);
}

void bio_complete(struct bio *bio, int err)
{
	if (bio->op == BIO_READ && !bio->bounce)
		for (unsigned i = 0; i < bio->nr; i++)
			pmem_shadow_device_wrote(bio->seg[i].page, bio->seg[i].offset,
						 bio->seg[i].len);
	if (!bio_delay_take(bio, err))
		bio_end(bio, err);
}
