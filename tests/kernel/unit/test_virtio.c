/* SPDX-License-Identifier: MIT */
/* Self-tests: the virtio ring against a device that lies, and the virtio disk (virtio.*). */
#include "drivers/block/internal.h"
#include "tests/kernel/lib/fake_disk.h"
#include "tests/kernel/lib/fixture.h"

#define DISK(d)                                                                                    \
	struct block_device *d = virtio_blk_nth(0);                                                \
	if (!d)                                                                                    \
	SKIP("%s", NO_DISK)
#define AREA 65536u /* the first sector that self-tests write to */

static struct dma_device model = DMA_DIRECT("model");

/* The device's side of a ring: say that chain `id` is done. */
static void device_says(struct vring *r, uint32_t id, uint32_t len)
{
	uint16_t at = r->used->idx;

	r->used->ring[at & (r->size - 1)].id = id;
	r->used->ring[at & (r->size - 1)].len = len;
	r->used->idx = (uint16_t)(at + 1);
}

SELFTEST(virtio_ring_carries, "virtio.ring-carries",
	 "chains go out and come back in any order, thousands of times, and no descriptor is lost")
{
	const struct vring_buf buf[3] = {
		{0x1000, 16, false}, {0x2000, 512, true}, {0x3000, 1, true}};
	struct vring r;
	uint32_t written;
	unsigned full, bad = 0;
	char owner[3];
	const char *why;
	void *got;

	EXPECT(vring_init(&r, &model, 3) == -EINVAL && vring_init(&r, &model, 512) == -EINVAL,
	       "odd sizes");
	EXPECT(!vring_init(&r, &model, 8), "no memory");
	for (unsigned i = 0; i < 70000 && !bad; i++) { /* the 16-bit indices go around */
		uint16_t head[2];

		for (unsigned k = 0; k < 2; k++) {
			head[k] = r.free;
			bad += vring_add(&r, buf, 3, &owner[k]) != 0;
		}
		bad += r.avail->ring[(r.avail->idx - 1) & 7] != head[1];
		device_says(&r, head[1], 513);
		bad += vring_take(&r, &got, &written, &why) != 1 || got != &owner[1] ||
		       written != 513;
		bad += vring_take(&r, &got, &written, &why) != 0;
		device_says(&r, head[0], 0);
		bad += vring_take(&r, &got, &written, &why) != 1 || got != &owner[0];
	}
	full = vring_add(&r, buf, 3, owner) || vring_add(&r, buf, 3, owner + 1);
	bad += vring_add(&r, buf, 3, owner + 2) != -ENOSPC;
	vring_free(&r);
	EXPECT(!bad && !full, "%u step(s) went wrong; full too early: %u", bad, full);
}

/* A fresh ring with one chain of 513 writable bytes out; what vring_take() makes of a lie. */
static int lie(uint32_t id, uint32_t len, uint16_t ahead, const char **why)
{
	const struct vring_buf buf[2] = {{0x1000, 512, true}, {0x2000, 1, true}};
	uint32_t written;
	struct vring r;
	void *owner;
	int err;

	*why = "";
	err = vring_init(&r, &model, 8) ?: vring_add(&r, buf, 2, &r);
	if (err)
		return err;
	device_says(&r, id, len);
	r.used->idx = (uint16_t)(r.used->idx + ahead);
	err = vring_take(&r, &owner, &written, why);
	if (err == 1 && ahead == 0 && r.nr_chains) /* it came, and the ring still counts it */
		err = -EBADF;
	vring_free(&r);
	return err;
}

SELFTEST(
	virtio_ring_lies, "virtio.ring-believes-no-lie",
	"an index that runs ahead, a chain never given out, and more bytes than there was room for "
	"are found out")
{
	const char *ahead, *unknown, *inside, *huge, *more, *truth;
	int a = lie(0, 513, 1, &ahead), b = lie(3, 0, 0, &unknown), c = lie(1, 0, 0, &inside),
	    d = lie(0xffffffff, 0, 0, &huge), e = lie(0, 514, 0, &more), f = lie(0, 513, 0, &truth);

	EXPECT(a == -EPROTO && strstr(ahead, "more requests"), "ahead: %d, %s", a, ahead);
	EXPECT(b == -EPROTO && strstr(unknown, "not given"), "unknown: %d, %s", b, unknown);
	EXPECT(c == -EPROTO && strstr(inside, "not given"), "inside a chain: %d, %s", c, inside);
	EXPECT(d == -EPROTO && strstr(huge, "not given"), "out of the table: %d, %s", d, huge);
	EXPECT(e == -EPROTO && strstr(more, "more bytes"), "more bytes: %d, %s", e, more);
	EXPECT(f == 1, "the truth: %d, %s", f, truth);
}

SELFTEST(virtio_disk, "virtio.disk-attached",
	 "the virtio disk has a size and masters the bus, and is there under its name")
{
	struct virtio_blk_stats st;
	DISK(d);
	struct pci_device *pci = NULL;

	for (unsigned i = 0; i < pci_count() && !pci; i++)
		if (pci_at(i)->driver && !strcmp(pci_at(i)->driver, d->name))
			pci = pci_at(i);
	EXPECT(pci && pci_is_bus_master(pci), "its function masters the bus");
	EXPECT(pci_find_cap(pci, PCI_CAP_MSIX), "it has MSI-X");
	EXPECT(block_find(d->name) == d && d->sectors && d->max_segs, "%s, %lu sectors", d->name,
	       d->sectors);
	EXPECT(virtio_blk_stats(d, &st) && !st.broken, "it works: %s", st.broken);
}

SELFTEST(virtio_round_trip, "virtio.round-trip",
	 "what is written to the disk, in one request of many pages, is read back from it")
{
	uint64_t out, in;
	unsigned differ = 0;
	int err;

	DISK(d);
	out = frame_alloc(2);
	in = frame_alloc(2);
	EXPECT(out && in, "no memory");
	for (unsigned i = 0; i < 4 * PAGE_SIZE / 8; i++) {
		((uint64_t *)phys_to_virt(out))[i] = i * 0x9e3779b97f4a7c15ull;
		((uint64_t *)phys_to_virt(in))[i] = 0;
	}
	err = disk_move(d, BIO_WRITE, AREA, phys_to_virt(out), 4)
		      ?: disk_move(d, BIO_READ, AREA, phys_to_virt(in), 4);
	differ = memcmp(phys_to_virt(out), phys_to_virt(in), 4 * PAGE_SIZE) != 0;
	frame_free(out, 2);
	frame_free(in, 2);
	EXPECT(!err && !differ, "error %d, contents differ: %u", err, differ);
}

/* Requests in parallel. */
#define MANY 6
struct many {
	struct bio bio[MANY];
	struct bio_seg seg[MANY];
	unsigned left, errors, outside; /* outside of interrupts; zero: none was */
};

static void one_of_many(struct bio *bio, int err)
{
	struct many *m = bio->arg;

	m->errors += err != 0;
	m->outside += irqs_enabled() || !in_interrupt();
	if (!__atomic_sub_fetch(&m->left, 1, __ATOMIC_ACQ_REL))
		wake_up(m);
}

SELFTEST(virtio_in_flight, "virtio.many-in-flight",
	 "several requests are with the disk at once, and each ends once, in interrupt context")
{
	static struct many m; /* should it time out, its requests still come */
	struct virtio_blk_stats before, st;
	uint64_t frame;
	const char *why;
	unsigned bytes = 0;
	int err = 0;

	DISK(d);
	frame = frame_alloc_zero();
	EXPECT(frame && !disk_fill(d, AREA, "many ", 1), "filling the disk");
	virtio_blk_stats(d, &before);
	m = (struct many){.left = MANY};
	for (unsigned i = 0; i < MANY; i++) {
		m.seg[i] = (struct bio_seg){virt_to_page(phys_to_virt(frame)), i * SECTOR_SIZE,
					    SECTOR_SIZE};
		m.bio[i] = (struct bio){.op = BIO_READ,
					.sector = AREA + i,
					.seg = &m.seg[i],
					.nr = 1,
					.end_io = one_of_many,
					.arg = &m};
		err = err ?: bio_submit(d, &m.bio[i], &why);
	}
	EXPECT(!err, "submitting: %d, %s", err, why);
	wait_event(&m, !__atomic_load_n(&m.left, __ATOMIC_ACQUIRE), "a disk",
		   "the disk's last completion");
	virtio_blk_stats(d, &st);
	for (unsigned i = 0; i < MANY * SECTOR_SIZE; i++)
		bytes += ((char *)phys_to_virt(frame))[i] == "many "[i % 5];
	frame_free(frame, 0);
	EXPECT(!m.errors && !m.outside, "%u errors, %u outside of interrupts", m.errors, m.outside);
	EXPECT(st.done - before.done == MANY && !st.running && !st.waiting,
	       "%lu done, %u running, %u waiting", st.done - before.done, st.running, st.waiting);
	EXPECT(bytes == MANY * SECTOR_SIZE, "%u bytes are right", bytes);
	EXPECT(st.most_running >= 2, "at most %u at once", st.most_running);
}

SELFTEST(virtio_flush, "virtio.flush", "a flush ends without an error")
{
	DISK(d);
	int err = disk_move(d, BIO_FLUSH, 0, NULL, 0);

	EXPECT(!err, "error %d", err);
}

SELFTEST(virtio_error, "virtio.error-is-told",
	 "a request that the disk refuses ends with -EIO, and the disk goes on working")
{
	static struct many m;
	struct virtio_blk_stats before, st;
	uint64_t frame;
	int err;

	DISK(d);
	frame = frame_alloc_zero();
	EXPECT(frame, "no memory");
	virtio_blk_stats(d, &before);
	/* Past bio_submit(), which would not let it through: the device itself has to say no. */
	m = (struct many){.left = 1};
	m.seg[0] = (struct bio_seg){virt_to_page(phys_to_virt(frame)), 0, PAGE_SIZE};
	m.bio[0] = (struct bio){.op = BIO_READ,
				.sector = d->sectors - 1,
				.seg = &m.seg[0],
				.nr = 1,
				.end_io = one_of_many,
				.arg = &m};
	err = bio_submit_unchecked(d, &m.bio[0]);
	if (!err)
		wait_event(&m, !__atomic_load_n(&m.left, __ATOMIC_ACQUIRE), "a disk",
			   "the disk's completion");
	virtio_blk_stats(d, &st);
	err = err ?: disk_move(d, BIO_READ, AREA, phys_to_virt(frame), 1);
	frame_free(frame, 0);
	EXPECT(m.errors == 1 && st.failed == before.failed + 1, "%u errors, %lu failed", m.errors,
	       st.failed - before.failed);
	EXPECT(!err, "the next request: error %d", err);
}

#define ROOM ((unsigned)MANY) /* requests, each of as many pieces as the disk takes */

/* Each reads the same sectors into the same memory. 0, or the first error. */
static int submit_large(struct block_device *d, struct many *m, struct bio_seg *seg, uint64_t phys)
{
	const char *why;
	int err = 0;

	for (unsigned i = 0; i < d->max_segs; i++)
		seg[i] = (struct bio_seg){virt_to_page(phys_to_virt(phys + i * SECTOR_SIZE)),
					  i % 8 * SECTOR_SIZE, SECTOR_SIZE};
	*m = (struct many){.left = ROOM};
	for (unsigned i = 0; i < ROOM && !err; i++) {
		m->bio[i] = (struct bio){.op = BIO_READ,
					 .sector = AREA,
					 .seg = seg,
					 .nr = d->max_segs,
					 .end_io = one_of_many,
					 .arg = m};
		err = bio_submit(d, &m->bio[i], &why);
	}
	return err;
}

SELFTEST(virtio_more_than_room, "virtio.more-than-room",
	 "requests that need more descriptors than the ring has wait for those before them, and "
	 "none fails (R9)")
{
	static struct bio_seg seg[BIO_MAX_SEGS];
	static struct many m; /* should it time out, its requests still come */
	struct virtio_blk_stats before, st;
	const unsigned order = 3;
	uint64_t phys;
	int err;

	DISK(d);
	if (ROOM * (d->max_segs + 2) <= VRING_MAX)
		SKIP("%s takes %u pieces in a request, which fills no ring", d->name, d->max_segs);
	phys = frame_alloc(order);
	EXPECT(phys, "no memory");
	virtio_blk_stats(d, &before);
	err = submit_large(d, &m, seg, phys);
	if (!err)
		wait_event(&m, !__atomic_load_n(&m.left, __ATOMIC_ACQUIRE), "a disk",
			   "the disk's last completion");
	virtio_blk_stats(d, &st);
	frame_free(phys, order);
	EXPECT(!err && !m.errors, "error %d, %u failed", err, m.errors);
	EXPECT(st.done - before.done == ROOM && !st.waiting, "%lu done, %u waiting",
	       st.done - before.done, st.waiting);
}
