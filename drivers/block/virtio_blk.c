/* SPDX-License-Identifier: MIT */
/*
 * The virtio-blk driver: one queue, many requests in flight.
 *
 * A request is a chain of descriptors: a 16-byte header that the device reads (what, which sector),
 * the data, and one byte of status that the device writes (virtio 1.0, 5.2.6). Headers and status
 * bytes live in slots of one frame. What finds no slot or too few descriptors waits in the driver's
 * queue, in order, and is started by the completion that makes room.
 *
 * A device that says what cannot be (internal.h) is stopped by a reset, and only then everything
 * it had is failed: before that it might still write.
 */
#include "drivers/drivers.h"
#include "drivers/block/internal.h"

MUSEUM(no_room_fails, "no-room-fails",
       "R9: a request for which the ring has no room just now fails, in place of waiting for it; "
       "shown by selftest virtio.more-than-room");

enum { TYPE_IN = 0, TYPE_OUT = 1, TYPE_FLUSH = 4 };
enum { STATUS_OK = 0, STATUS_IOERR = 1, STATUS_UNSUPP = 2, STATUS_NONE = 0xff };
#define F_SIZE_MAX (1ull << 1)
#define F_SEG_MAX  (1ull << 2)
#define F_RO	   (1ull << 5)
#define F_FLUSH	   (1ull << 9)
/* Device registers (5.2.4). */
#define CONFIG_CAPACITY 0u /* u64, sectors */
#define CONFIG_SIZE_MAX 8u
#define CONFIG_SEG_MAX	12u

/* What the device sees of a request, besides the data. */
struct shared {
	struct {
		uint32_t type, ioprio;
		uint64_t sector;
	} header;
	volatile uint8_t status;
};
struct slot {
	struct bio *bio; /* NULL: free */
	struct shared *shared;
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
	struct slot slots[VIRTIO_BLK_DEPTH];
	struct dma_memory shared;		 /* of all slots */
	struct vring_buf bufs[BIO_MAX_SEGS + 2]; /* of the chain that is being built */
	struct bio_queue waiting;
	struct virtio_blk_stats stats;
};

static struct vblk *disks[VIRTIO_BLK_MAX];
static unsigned nr_disks;

/* ---- starting requests ---------------------------------------------------------------------- */

/* lock held. The chain of a request into d->bufs; its length. */
static unsigned build(struct vblk *d, const struct slot *s)
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
	d->bufs[n++] = (struct vring_buf){
		.bus = s->bus + offsetof(struct shared, status), .len = 1, .device_writes = true};
	return n;
}

static struct slot *free_request(struct vblk *d)
{
	for (unsigned i = 0; i < VIRTIO_BLK_DEPTH; i++)
		if (!d->slots[i].bio)
			return &d->slots[i];
	return NULL;
}

/* lock held. Gives one request to the device. -ENOSPC, -ENOMEM: there is no room for it. */
static int start(struct vblk *d, struct slot *s, struct bio *bio)
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
	struct slot *s;
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
static int verdict(const struct slot *s, uint32_t written)
{
	uint64_t want = 1 + (s->bio->op == BIO_READ ? bio_bytes(s->bio) : 0);

	if (s->shared->status == STATUS_UNSUPP)
		return -EOPNOTSUPP;
	if (s->shared->status != STATUS_OK)
		return -EIO;
	return written < want ? -EIO : 0;
}

/* lock held. The request leaves its slot; the error goes along in the bio. */
static void leave(struct vblk *d, struct slot *s, int err, struct bio_queue *out)
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

/* lock held. The device cannot be believed: stop it, then fail all that it had or was to get. */
static void give_up(struct vblk *d, const char *why, struct bio_queue *out)
{
	struct bio *bio;

	d->stats.broken = why;
	if (!virtio_stop(&d->virtio))
		warn("%s does not end its reset; it may still write to memory", d->dev.name);
	for (unsigned i = 0; i < VIRTIO_BLK_DEPTH; i++)
		if (d->slots[i].bio)
			leave(d, &d->slots[i], -EIO, out);
	TAILQ_FOREACH (bio, &d->waiting, link) {
		bio->err = -EIO;
		d->stats.failed++;
	}
	d->stats.waiting = 0;
	TAILQ_CONCAT(out, &d->waiting, link);
	warn("%s is not used any more: %s", d->dev.name, why);
}

/* Collects what is done under the lock, starts what waited, then tells the owners. */
static void interrupt(void *arg)
{
	struct bio_queue out = TAILQ_HEAD_INITIALIZER(out);
	struct vblk *d = arg;
	const char *why;
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
}

/* ---- attaching ------------------------------------------------------------------------------ */

static int read_shape(struct vblk *d, const char **why)
{
	const struct virtio_device *v = &d->virtio;
	uint64_t segs = v->features & F_SEG_MAX ? virtio_config(v, CONFIG_SEG_MAX, 4) : 1;

	d->dev.sectors = virtio_config(v, CONFIG_CAPACITY, 8);
	d->dev.readonly = v->features & F_RO;
	d->dev.flushes = v->features & F_FLUSH;
	d->dev.max_segs = (unsigned)MIN(segs, (uint64_t)BIO_MAX_SEGS);
	*why = "its capacity, or the pieces it takes in one request, are none or too many";
	if (!d->dev.sectors || d->dev.sectors >> 54 || !d->dev.max_segs)
		return -EIO;
	*why = "it takes no piece of 4 KiB";
	if (v->features & F_SIZE_MAX && virtio_config(v, CONFIG_SIZE_MAX, 4) < PAGE_SIZE)
		return -EIO;
	return 0;
}

static int make_slots(struct vblk *d)
{
	int err;

	d->shared.map.what = "headers of requests";
	err = dma_alloc(&d->virtio.dma, &d->shared, 0, DMA_BOTH);
	_Static_assert(sizeof(struct shared) * VIRTIO_BLK_DEPTH <= PAGE_SIZE, "slots fit a frame");
	if (err)
		return err;
	for (unsigned i = 0; i < VIRTIO_BLK_DEPTH; i++) {
		d->slots[i].shared = (struct shared *)d->shared.at + i;
		d->slots[i].bus = dma_bus(&d->shared.map, 0) + i * sizeof(struct shared);
		d->slots[i].map.what = "a request's memory";
	}
	return 0;
}

/* The device is reset and masters nothing yet. */
static int set_up(struct vblk *d, struct pci_device *pci, const char **why)
{
	int vector, err;

	err = virtio_negotiate(&d->virtio, d->dev.name, F_SIZE_MAX | F_SEG_MAX | F_RO | F_FLUSH,
			       why);
	if (!err)
		err = read_shape(d, why);
	if (err)
		return err;
	*why = "no memory, or no interrupt vector, is left";
	err = make_slots(d);
	vector = err ? err : irq_alloc_vector(interrupt, d, d->dev.name);
	if (vector < 0)
		return vector;
	d->vector = vector;
	*why = "it has no MSI-X, which this driver needs";
	err = pci_msix_enable(pci, 0, cpu_by_id(0)->apic_id, vector);
	if (!err)
		err = virtio_queue(&d->virtio, 0, VRING_MAX, 0, &d->ring, why);
	/* A chain needs room for its header and its status besides the data. */
	if (!err && d->ring.size < 3)
		err = -EIO;
	if (!err) {
		d->dev.max_segs = MIN(d->dev.max_segs, d->ring.size - 2u);
		return pci_set_bus_master(pci, true);
	}
	pci_msix_disable(pci);
	irq_free_vector(vector);
	return err;
}

/* Takes back what set_up() gave, the queue apart: detach() stops the device first. */
static void tear_down(struct vblk *d, struct pci_device *pci)
{
	virtio_stop(&d->virtio);
	pci_set_bus_master(pci, false);
	pci_msix_disable(pci);
	irq_free_vector(d->vector);
}

/* After a failed attach(): the device is at rest again, and nobody's. Without interrupts, since its
 * vector, if it had one, is given back. */
static void detach(struct vblk *d, struct pci_device *pci)
{
	if (d->virtio.common)
		virtio_stop(&d->virtio);
	vring_free(&d->ring);
	dma_free_memory(&d->shared);
	if (d->virtio.attached)
		dma_detach(&d->virtio.dma);
	if (pci->driver == d->dev.name)
		__atomic_store_n(&pci->driver, NULL, __ATOMIC_RELEASE);
	free(d);
}

static int attach(struct pci_device *pci, const char **why)
{
	struct vblk *d = calloc(1, sizeof(*d));
	int err;

	*why = "no memory";
	if (!d)
		return -ENOMEM;
	spin_init(&d->lock, "virtio-blk");
	TAILQ_INIT(&d->waiting);
	snprintf(d->dev.name, sizeof(d->dev.name), "vd%c", 'a' + (int)nr_disks);
	snprintf(d->what, sizeof(d->what), "virtio-blk at %s", pci->name);
	d->dev.what = d->what;
	d->dev.submit = submit;
	*why = "another driver has it";
	err = pci_claim(pci, d->dev.name);
	if (!err)
		err = virtio_attach(&d->virtio, pci, why);
	if (!err)
		err = set_up(d, pci, why);
	if (!err) {
		*why = "the table of disks is full";
		err = block_register(&d->dev);
		if (err)
			tear_down(d, pci);
	}
	if (err) {
		detach(d, pci);
		return err;
	}
	virtio_go(&d->virtio);
	disks[nr_disks++] = d;
	return 0;
}

static void attach_or_say(struct pci_device *pci)
{
	const char *why;
	int err = attach(pci, &why);

	if (err)
		kprintf("virtio-blk at %s is not used: %s (%s)\n", pci->name, why, errno_name(err));
	else
		kprintf("%s: virtio-blk at %s, %s%s%s\n", disks[nr_disks - 1]->dev.name, pci->name,
			SIZE_TEXT(disks[nr_disks - 1]->dev.sectors * SECTOR_SIZE),
			disks[nr_disks - 1]->dev.readonly ? ", read-only" : "",
			disks[nr_disks - 1]->dev.flushes ? ", with a volatile cache" : "");
}

static int virtio_blk_init(const struct boot_info *bi)
{
	static const uint16_t ids[] = {0x1042, 0x1001}; /* modern; transitional */
	struct pci_device *pci;

	(void)bi;
	for (unsigned i = 0; i < ARRAY_SIZE(ids); i++)
		for (unsigned n = 0;
		     nr_disks < VIRTIO_BLK_MAX && (pci = pci_find(VIRTIO_VENDOR, ids[i], n)); n++)
			attach_or_say(pci);
	if (!nr_disks)
		kprintf("virtio-blk: no disk\n");
	return 0;
}
INITCALL(INIT_DEVICES, virtio_blk, "virtio disks", virtio_blk_init);

struct block_device *virtio_blk_nth(unsigned n)
{
	return n < nr_disks ? &disks[n]->dev : NULL;
}

bool virtio_blk_stats(const struct block_device *dev, struct virtio_blk_stats *st)
{
	for (unsigned i = 0; i < nr_disks; i++) {
		if (&disks[i]->dev != dev)
			continue;
		uint64_t flags = spin_lock_irqsave(&disks[i]->lock);

		*st = disks[i]->stats;
		spin_unlock_irqrestore(&disks[i]->lock, flags);
		return true;
	}
	return false;
}
