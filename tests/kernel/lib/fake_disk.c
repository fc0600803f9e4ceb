/* SPDX-License-Identifier: MIT */
/* Disks for tests; see fake_disk.h. */
#include "tests/kernel/lib/fake_disk.h"

/* ---- RAM and a disk -------------------------------------------------------------------------- */

struct move {
	struct bio bio;
	struct bio_seg seg[BIO_MAX_SEGS];
	int err;
	bool done;
};

static void move_done(struct bio *bio, int err)
{
	struct move *m = bio->arg;

	m->err = err;
	__atomic_store_n(&m->done, true, __ATOMIC_RELEASE);
	wake_up(bio->arg);
}

static int run_move(struct block_device *dev, struct move *m)
{
	const char *why;
	int err;

	m->bio.seg = m->seg;
	m->bio.end_io = move_done;
	m->bio.arg = m;
	err = bio_submit(dev, &m->bio, &why);
	if (err)
		return err;
	wait_event(m, __atomic_load_n(&m->done, __ATOMIC_ACQUIRE), "a disk",
		   "the disk's completion");
	return m->err;
}

/* `step`: bytes from one segment's memory to the next one's; 0: all of them are the same page. */
static int move_pages(struct block_device *dev, enum bio_op op, uint64_t sector, void *buf,
		      unsigned pages, uint64_t step)
{
	struct move *m = pages <= BIO_MAX_SEGS ? calloc(1, sizeof(*m)) : NULL;
	int err = -ENOMEM;

	if (!m)
		return err;
	m->bio = (struct bio){.op = op, .sector = sector, .nr = pages};
	for (unsigned i = 0; i < pages; i++)
		m->seg[i] = (struct bio_seg){virt_to_page((char *)buf + i * step), 0, PAGE_SIZE};
	err = run_move(dev, m);
	free(m);
	return err;
}

int disk_move(struct block_device *dev, enum bio_op op, uint64_t sector, void *buf, unsigned pages)
{
	return move_pages(dev, op, sector, buf, pages, PAGE_SIZE);
}

int disk_fill(struct block_device *dev, uint64_t sector, const char *text, unsigned pages)
{
	uint64_t frame = frame_alloc(0);
	char *buf = phys_to_virt(frame);
	int err;

	if (!frame)
		return -ENOMEM;
	for (unsigned i = 0; i < PAGE_SIZE; i++)
		buf[i] = text[i % strlen(text)];
	err = move_pages(dev, BIO_WRITE, sector, buf, pages, 0);
	frame_free(frame, 0);
	return err;
}

void disk_moment(void)
{
	delay_us(200);
	thread_sleep_ns(20000);
}

/* ---- a disk of RAM --------------------------------------------------------------------------- */

static void carry_out(struct fake_disk *fd, struct bio *bio)
{
	char *at = fd->data + bio->sector * SECTOR_SIZE;

	for (unsigned i = 0; i < bio->nr && !fd->next_err; i++) {
		void *mem = bio_memory(bio, i);

		if (bio->op == BIO_READ)
			memcpy(mem, at, bio->seg[i].len);
		else
			memcpy(at, mem, bio->seg[i].len);
		at += bio->seg[i].len;
	}
	bio_complete(bio, fd->next_err);
}

unsigned fake_finish(struct fake_disk *fd)
{
	unsigned n = 0;
	uint64_t flags = spin_lock_irqsave(&fd->lock);
	struct bio *bio;

	while ((bio = TAILQ_FIRST(&fd->queue))) {
		TAILQ_REMOVE(&fd->queue, bio, link);
		spin_unlock(&fd->lock);
		carry_out(fd, bio); /* interrupts off, as for a real one */
		n++;
		spin_lock(&fd->lock);
	}
	spin_unlock_irqrestore(&fd->lock, flags);
	return n;
}

static int fake_submit(struct block_device *dev, struct bio *bio)
{
	struct fake_disk *fd = container_of(dev, struct fake_disk, dev);
	uint64_t flags = spin_lock_irqsave(&fd->lock);

	TAILQ_INSERT_TAIL(&fd->queue, bio, link);
	spin_unlock_irqrestore(&fd->lock, flags);
	if (!fd->manual)
		fake_finish(fd);
	return 0;
}

int fake_disk_init(struct fake_disk *fd)
{
	uint64_t phys = frame_alloc(FAKE_ORDER);

	*fd = (struct fake_disk){.dev = {.name = "fake",
					 .what = "RAM of a self-test",
					 .sectors = FAKE_SECTORS,
					 .max_segs = BIO_MAX_SEGS,
					 .submit = fake_submit},
				 .lock = SPINLOCK_INIT("fake disk")};
	TAILQ_INIT(&fd->queue);
	if (!phys)
		return -ENOMEM;
	fd->data = phys_to_virt(phys);
	memset(fd->data, 0, PAGE_SIZE << FAKE_ORDER);
	return 0;
}

void fake_disk_free(struct fake_disk *fd)
{
	ASSERT(TAILQ_EMPTY(&fd->queue), "a fake disk is freed with requests in its queue");
	frame_free(virt_to_phys(fd->data), FAKE_ORDER);
}
