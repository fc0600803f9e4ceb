/* SPDX-License-Identifier: MIT */
/*
 * The virtio-blk driver: which disks there are, and how each is set up and let go. Its requests are
 * virtio_requests.c's.
 */
#include "drivers/block/internal.h"
#include "drivers/drivers.h"

#define F_SIZE_MAX (1ull << 1)
#define F_SEG_MAX  (1ull << 2)
#define F_RO	   (1ull << 5)
#define F_FLUSH	   (1ull << 9)
/* Device registers (5.2.4). */
#define CONFIG_CAPACITY 0u /* u64, sectors */
#define CONFIG_SIZE_MAX 8u
#define CONFIG_SEG_MAX	12u

static struct vblk *disks[VIRTIO_BLK_MAX];
static unsigned nr_disks;

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

static void interrupt(void *arg)
{
	struct vblk *d = arg;
	const char *why = vblk_collect(d);

	if (why)
		warn("%s is not used any more: %s", d->dev.name, why);
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
	err = vblk_init(d);
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
	snprintf(d->dev.name, sizeof(d->dev.name), "vd%c", 'a' + (int)nr_disks);
	snprintf(d->what, sizeof(d->what), "virtio-blk at %s", pci->name);
	d->dev.what = d->what;
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
