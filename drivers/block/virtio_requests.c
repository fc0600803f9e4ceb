/* SPDX-License-Identifier: MIT */
/*
 * A virtio disk's requests: one queue, many of them in flight.
 *
 * A request is a chain of descriptors: a 16-byte header that the device reads (what, which sector),
 * the data, and one byte of status that the device writes (virtio 1.0, 5.2.6). Headers and status
 * bytes live in slots of one frame. What finds no slot or too few descriptors waits in the driver's
 * queue, in order, and is started by the completion that makes room.
 *
 * A device that says what cannot be (internal.h) gets nothing more, and is reset. What it has is
 * still its own: it was told where to write, and may. Only when the reset was seen to end is a
 * request given back to who waits for it, with -EIO, and every one is. A timer looks.
 */
#include "drivers/block/internal.h"
#include "drivers/drivers.h"

MUSEUM(no_room_fails, "no-room-fails",
       "R9: a request for which the ring has no room just now fails, in place of waiting for it; "
       "shown by selftest virtio.more-than-room");

MUSEUM(give_up_frees, "give-up-frees",
       "R10: a broken queue gives its requests back while the disk may still write into their "
       "pages; shown by selftest virtio.broken-keeps-pages; found by explore disk.lied");
MUSEUM(give_up_silent, "give-up-silent",
       "R10: who waits for the requests of a broken queue is never told; shown by selftest "
       "virtio.broken-wakes-all; found by explore disk.lied");

enum { TYPE_IN = 0, TYPE_OUT = 1, TYPE_FLUSH = 4 };
enum { STATUS_OK = 0, STATUS_IOERR = 1, STATUS_UNSUPP = 2, STATUS_NONE = 0xff };
#define LOOKS_TO_SAY 1000 /* at its reset: then it is worth a word */

static void look_again(struct timer *t);

/* ---- starting requests ---------------------------------------------------------------------- */

/* lock held. The chain of a request into d->bufs; its length. */
static unsigned build(struct vblk *d, const struct vblk_slot *s)
{
	static const uint32_t type[] = {
		[BIO_READ] = TYPE_IN, [BIO_WRITE] = TYPE_OUT, [BIO_FLUSH] = TYPE_FLUSH};
	const struct bio *bio = s->bio;
	unsigned n = 0;

	s->shared->header.type = type[bio->op];
	s->shared->header.sector = bio->op == BIO_FLUSH ? 0 : bio->sector;
	s->shared->status = STATUS_NONE;
	d->bufs[n++] = (struct vring_buf){.bus = s->bus, .len = sizeof(s->shared->header)};
	for (unsigned i = 0; i < bio->nr; i++)
		d->bufs[n++] = (struct vring_buf){.bus = bio_bus(bio, &s->map, i),
						  .len = bio->seg[i].len,
						  .device_writes = bio->op == BIO_READ};
	d->bufs[n++] = (struct vring_buf){.bus = s->bus + offsetof(struct vblk_shared, status),
					  .len = 1,
					  .device_writes = true};
	return n;
}

static struct vblk_slot *free_request(struct vblk *d)
{
	for (unsigned i = 0; i < VIRTIO_BLK_DEPTH; i++)
		if (!d->slots[i].bio)
			return &d->slots[i];
	return NULL;
}

/* lock held. Gives one request to the device. -ENOSPC, -ENOMEM: there is no room for it. */
static int start(struct vblk *d, struct vblk_slot *s, struct bio *bio)
{
	int err = bio->nr ? bio_map(&d->virtio.dma, &s->map, bio) : 0;

	if (err)
		return err;
	s->bio = bio;
	err = vring_add(&d->ring, d->bufs, build(d, s), s);
	if (err) {
		s->bio = NULL;
		if (bio->nr)
			dma_unmap(&s->map);
	}
	return err;
}

/*
 * lock held. As many waiting requests as there is room for, in order, with one notification. Room
 * comes with the end of a request; one for which there is none while the device has no other would
 * wait for ever, and fails: into `failed`.
 */
static void start_waiting(struct vblk *d, struct bio_queue *failed)
{
	bool any = false;
	struct vblk_slot *s;
	struct bio *bio;

	while ((bio = TAILQ_FIRST(&d->waiting)) && (s = free_request(d))) {
		int err = start(d, s, bio);

		if (err && d->stats.running && !museum_on(no_room_fails))
			break;
		TAILQ_REMOVE(&d->waiting, bio, link);
		d->stats.waiting--;
		if (err) {
			bio->err = err;
			d->stats.failed++;
			TAILQ_INSERT_TAIL(failed, bio, link);
			continue;
		}
		d->stats.running++;
		any = true;
	}
	d->stats.most_running = MAX(d->stats.most_running, d->stats.running);
	if (any && vring_wants_notify(&d->ring))
		virtio_notify(&d->virtio);
}

/* Interrupts off, no lock held: their owners hear of it. */
static void complete_all(struct bio_queue *out)
{
	struct bio *bio;

	while ((bio = TAILQ_FIRST(out))) {
		TAILQ_REMOVE(out, bio, link);
		bio_complete(bio, bio->err);
	}
}

static int submit(struct block_device *dev, struct bio *bio)
{
	struct bio_queue failed = TAILQ_HEAD_INITIALIZER(failed);
	struct vblk *d = container_of(dev, struct vblk, dev);
	uint64_t flags = spin_lock_irqsave(&d->lock);
	int err = d->stats.broken ? -EIO : 0;

	if (!err) {
		TAILQ_INSERT_TAIL(&d->waiting, bio, link);
		d->stats.waiting++;
		start_waiting(d, &failed);
	}
	spin_unlock(&d->lock);
	complete_all(&failed);
	irq_restore(flags);
	return err;
}

/* ---- their end ------------------------------------------------------------------------------ */

/* What became of it: the status byte, and for a read whether all bytes came. */
static int verdict(const struct vblk_slot *s, uint32_t written)
{
	uint64_t want = 1 + (s->bio->op == BIO_READ ? bio_bytes(s->bio) : 0);

	if (s->shared->status == STATUS_UNSUPP)
		return -EOPNOTSUPP;
	if (s->shared->status != STATUS_OK)
		return -EIO;
	return written < want ? -EIO : 0;
}

/* lock held. The request leaves its slot; the error goes along in the bio. */
static void leave(struct vblk *d, struct vblk_slot *s, int err, struct bio_queue *out)
{
	if (s->bio->nr)
		dma_unmap(&s->map);
	s->bio->err = err;
	TAILQ_INSERT_TAIL(out, s->bio, link);
	s->bio = NULL;
	d->stats.running--;
	d->stats.done++;
	d->stats.failed += err != 0;
}

/* lock held. All that the device had fails. It is stopped. */
static void end_all(struct vblk *d, struct bio_queue *out)
{
	for (unsigned i = 0; i < VIRTIO_BLK_DEPTH; i++)
		if (d->slots[i].bio)
			leave(d, &d->slots[i], -EIO, out);
}

/* lock held. Has the reset ended? If not, it is looked at once more, later, for as long as it
 * takes: nobody but the device can say that it writes no more. */
static void look(struct vblk *d, struct bio_queue *out)
{
	d->looks++;
	d->stopped = virtio_stopped(&d->virtio);
	if (!d->stopped) {
		if (d->looks == LOOKS_TO_SAY)
			warn("%s does not end its reset; until then it keeps the memory of %u "
			     "request(s), and who waits for them waits",
			     d->dev.name, d->stats.running);
		timer_arm(&d->look, clock_ns() + VBLK_LOOK_NS, look_again);
	} else if (!museum_on(give_up_silent)) {
		end_all(d, out);
	}
}

static void look_again(struct timer *t)
{
	struct bio_queue out = TAILQ_HEAD_INITIALIZER(out);
	struct vblk *d = container_of(t, struct vblk, look);
	uint64_t flags = spin_lock_irqsave(&d->lock);

	look(d, &out);
	spin_unlock(&d->lock);
	complete_all(&out);
	irq_restore(flags);
}

/* lock held. What the device was to get, and never got, fails now. */
static void fail_waiting(struct vblk *d, struct bio_queue *out)
{
	struct bio *bio;

	TAILQ_FOREACH (bio, &d->waiting, link) {
		bio->err = -EIO;
		d->stats.failed++;
	}
	d->stats.waiting = 0;
	TAILQ_CONCAT(out, &d->waiting, link);
}

/* lock held. The device cannot be believed: its reset begins. What it has stays its own until the
 * reset was seen to end, which is later: this is an interrupt, and a reset may take a while. */
static void give_up(struct vblk *d, const char *why, struct bio_queue *out)
{
	d->stats.broken = why;
	virtio_stop_begin(&d->virtio);
	fail_waiting(d, out);
	if (museum_on(give_up_frees))
		end_all(d, out);
	timer_arm(&d->look, clock_ns() + VBLK_LOOK_NS, look_again);
}

void vblk_end_all(struct vblk *d)
{
	struct bio_queue out = TAILQ_HEAD_INITIALIZER(out);
	uint64_t flags = spin_lock_irqsave(&d->lock);

	fail_waiting(d, &out);
	end_all(d, &out);
	spin_unlock(&d->lock);
	complete_all(&out);
	irq_restore(flags);
}

/* Collects what is done under the lock, starts what waited, then tells the owners. */
const char *vblk_collect(struct vblk *d)
{
	struct bio_queue out = TAILQ_HEAD_INITIALIZER(out);
	const char *why = NULL;
	uint32_t written;
	void *slot;
	int got = 0;

	spin_lock(&d->lock);
	while (!d->stats.broken && (got = vring_take(&d->ring, &slot, &written, &why)) > 0)
		leave(d, slot, verdict(slot, written), &out);
	if (got < 0)
		give_up(d, why, &out);
	else if (!d->stats.broken)
		start_waiting(d, &out);
	spin_unlock(&d->lock);
	complete_all(&out);
	return got < 0 ? why : NULL;
}

/* ---- a disk begins ------------------------------------------------------------------------- */

int vblk_init(struct vblk *d)
{
	int err;

	spin_init(&d->lock, "virtio-blk");
	TAILQ_INIT(&d->waiting);
	d->dev.submit = submit;
	d->shared.map.what = "headers of requests";
	err = dma_alloc(&d->virtio.dma, &d->shared, 0, DMA_BOTH);
	_Static_assert(sizeof(struct vblk_shared) * VIRTIO_BLK_DEPTH <= PAGE_SIZE,
		       "slots fit a frame");
	if (err)
		return err;
	for (unsigned i = 0; i < VIRTIO_BLK_DEPTH; i++) {
		d->slots[i].shared = (struct vblk_shared *)d->shared.at + i;
		d->slots[i].bus = dma_bus(&d->shared.map, 0) + i * sizeof(struct vblk_shared);
		d->slots[i].map.what = "a request's memory";
	}
	return 0;
}
