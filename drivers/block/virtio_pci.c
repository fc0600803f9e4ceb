/* SPDX-License-Identifier: MIT */
/* virtio over PCI, modern interface; see internal.h. */
#include "drivers/block/internal.h"

/* Common registers (virtio 1.0, 4.1.4.3). */
enum {
	DEVICE_FEATURE_SELECT = 0,
	DEVICE_FEATURE = 4,
	DRIVER_FEATURE_SELECT = 8,
	DRIVER_FEATURE = 12,
	MSIX_CONFIG = 16,   /* u16 */
	NUM_QUEUES = 18,    /* u16 */
	DEVICE_STATUS = 20, /* u8 */
	GENERATION = 21,    /* u8 */
	QUEUE_SELECT = 22,  /* u16, and those below */
	QUEUE_SIZE = 24,
	QUEUE_MSIX = 26,
	QUEUE_ENABLE = 28,
	QUEUE_NOTIFY_OFF = 30,
	QUEUE_DESC = 32, /* u64, as two halves, and those below */
	QUEUE_DRIVER = 40,
	QUEUE_DEVICE = 48,
	COMMON_LEN = 56,
};
#define STATUS_ACKNOWLEDGE 1u
#define STATUS_DRIVER	   2u
#define STATUS_DRIVER_OK   4u
#define STATUS_FEATURES_OK 8u
#define NO_VECTOR	   0xffffu
#define CAP_STEPS	   48 /* more capabilities do not fit below 256: the list is a loop */

enum cap_type { CAP_COMMON = 1, CAP_NOTIFY = 2, CAP_DEVICE = 4 };

static uint8_t read8(const struct virtio_device *v, unsigned reg)
{
	return v->common[reg];
}

static uint16_t read16(const struct virtio_device *v, unsigned reg)
{
	return *(volatile uint16_t *)(v->common + reg);
}

static uint32_t read32(const struct virtio_device *v, unsigned reg)
{
	return *(volatile uint32_t *)(v->common + reg);
}

static void write16(struct virtio_device *v, unsigned reg, uint16_t x)
{
	*(volatile uint16_t *)(v->common + reg) = x;
}

static void write32(struct virtio_device *v, unsigned reg, uint32_t x)
{
	*(volatile uint32_t *)(v->common + reg) = x;
}

static void write64(struct virtio_device *v, unsigned reg, uint64_t x)
{
	write32(v, reg, (uint32_t)x);
	write32(v, reg + 4, (uint32_t)(x >> 32));
}

static void add_status(struct virtio_device *v, uint8_t bits)
{
	v->common[DEVICE_STATUS] = read8(v, DEVICE_STATUS) | bits;
}

/* ---- where the registers are ---------------------------------------------------------------- */

/* The first vendor capability of that type, or 0. */
static unsigned find_cap(const struct pci_device *pci, enum cap_type type)
{
	unsigned off = pci_find_cap(pci, PCI_CAP_VENDOR);

	for (unsigned step = 0; off >= 0x40 && step < CAP_STEPS; step++) {
		if (pci_read8(pci, off) == PCI_CAP_VENDOR && pci_read8(pci, off + 3) == type)
			return off;
		off = pci_read8(pci, off + 1) & 0xfc;
	}
	return 0;
}

/* Maps what a capability tells of, if it has at least `least` bytes inside a memory BAR. */
static volatile uint8_t *map_cap(struct pci_device *pci, unsigned cap, uint32_t least,
				 uint32_t *len)
{
	unsigned bar = pci_read8(pci, cap + 4);
	uint64_t off = pci_read32(pci, cap + 8);
	char *base;

	*len = pci_read32(pci, cap + 12);
	if (bar > 5 || *len < least || off + *len > pci->bar[bar].size || !IS_ALIGNED(off, 4))
		return NULL;
	base = pci_map_bar(pci, bar);
	return base ? (volatile uint8_t *)base + off : NULL;
}

static int find_registers(struct virtio_device *v, const char **why)
{
	unsigned common = find_cap(v->pci, CAP_COMMON), notify = find_cap(v->pci, CAP_NOTIFY);
	unsigned config = find_cap(v->pci, CAP_DEVICE);
	uint32_t len;

	*why = "it is a legacy device; QEMU's option disable-legacy=on makes it a modern one";
	if (!common || !notify)
		return -ENODEV;
	*why = "a capability names registers that are not inside a memory BAR";
	v->common = map_cap(v->pci, common, COMMON_LEN, &len);
	v->notify = map_cap(v->pci, notify, 2, &v->notify_len);
	v->notify_step = pci_read32(v->pci, notify + 16);
	if (config)
		v->config = map_cap(v->pci, config, 1, &v->config_len);
	return v->common && v->notify && (v->config || !config) ? 0 : -EIO;
}

bool virtio_stopped(const struct virtio_device *v)
{
	return !read8(v, DEVICE_STATUS);
}

/* True: it was reset. Zero is written, and zero is read when nothing of before is left. */
static bool reset(struct virtio_device *v)
{
	v->common[DEVICE_STATUS] = 0;
	for (unsigned ms = 0; !virtio_stopped(v); ms++) {
		if (ms > 1000)
			return false;
		delay_us(1000);
	}
	return true;
}

int virtio_attach(struct virtio_device *v, struct pci_device *pci, const char **why)
{
	int err;

	*v = (struct virtio_device){.pci = pci};
	err = find_registers(v, why);
	if (err)
		return err;
	*why = "its reset does not end: something of an earlier life still runs";
	if (!reset(v))
		return -EBUSY;
	add_status(v, STATUS_ACKNOWLEDGE);
	add_status(v, STATUS_DRIVER);
	return 0;
}

/* ---- starting ------------------------------------------------------------------------------- */

static uint64_t offered(struct virtio_device *v)
{
	uint64_t f = 0;

	for (unsigned half = 0; half < 2; half++) {
		write32(v, DEVICE_FEATURE_SELECT, half);
		f |= (uint64_t)read32(v, DEVICE_FEATURE) << (32 * half);
	}
	return f;
}

int virtio_negotiate(struct virtio_device *v, const char *name, uint64_t wanted, const char **why)
{
	uint64_t f = offered(v);
	int err;

	*why = "it does not offer VERSION_1";
	if (!(f & VIRTIO_F_VERSION_1))
		return -ENODEV;
	/* Some devices do not work for who does not accept the platform's translation. */
	f &= wanted | VIRTIO_F_VERSION_1 | VIRTIO_F_ACCESS_PLATFORM;
	for (unsigned half = 0; half < 2; half++) {
		write32(v, DRIVER_FEATURE_SELECT, half);
		write32(v, DRIVER_FEATURE, (uint32_t)(f >> (32 * half)));
	}
	add_status(v, STATUS_FEATURES_OK);
	*why = "it refuses the features that it offered";
	if (!(read8(v, DEVICE_STATUS) & STATUS_FEATURES_OK))
		return -ENODEV;
	v->features = f;
	refusal_clear();
	err = dma_attach(&v->dma, v->pci, name, f & VIRTIO_F_ACCESS_PLATFORM);
	*why = *refusal() ? refusal() : "no memory for a domain of its IOMMU";
	v->attached = !err;
	return err;
}

/* The largest power of two up to both. */
static unsigned ring_size(unsigned offer, unsigned most)
{
	unsigned size = 1;

	while (size * 2 <= MIN(offer, most))
		size *= 2;
	return offer ? size : 0;
}

static int connect(struct virtio_device *v, unsigned msix, const struct vring *ring,
		   const char **why)
{
	uint64_t bell = (uint64_t)read16(v, QUEUE_NOTIFY_OFF) * v->notify_step;

	*why = "its notification register is outside of its notification area";
	if (bell + 2 > v->notify_len || !IS_ALIGNED(bell, 2))
		return -EIO;
	v->bell = (volatile uint16_t *)(v->notify + bell);
	write16(v, MSIX_CONFIG, NO_VECTOR);
	write16(v, QUEUE_MSIX, (uint16_t)msix);
	*why = "it takes no interrupt vector for its queue";
	if (read16(v, QUEUE_MSIX) != msix)
		return -EIO;
	write16(v, QUEUE_SIZE, ring->size);
	write64(v, QUEUE_DESC, dma_bus(&ring->mem.map, 0));
	write64(v, QUEUE_DRIVER, dma_bus(&ring->mem.map, 1));
	write64(v, QUEUE_DEVICE,
		dma_bus(&ring->mem.map, 1) + VRING_USED_OFFSET - VRING_AVAIL_OFFSET);
	write16(v, QUEUE_ENABLE, 1);
	return 0;
}

int virtio_queue(struct virtio_device *v, unsigned n, unsigned most, unsigned msix,
		 struct vring *ring, const char **why)
{
	unsigned size;
	int err;

	*why = "it has no such queue";
	if (n >= read16(v, NUM_QUEUES))
		return -ENODEV;
	v->queue = (uint16_t)n;
	write16(v, QUEUE_SELECT, v->queue);
	size = ring_size(read16(v, QUEUE_SIZE), most);
	if (!size)
		return -ENODEV;
	*why = "no memory for its ring";
	err = vring_init(ring, &v->dma, size);
	if (err)
		return err;
	err = connect(v, msix, ring, why);
	if (err)
		vring_free(ring);
	return err;
}

void virtio_go(struct virtio_device *v)
{
	add_status(v, STATUS_DRIVER_OK);
}

/* ---- running and stopping ------------------------------------------------------------------- */

void virtio_notify(struct virtio_device *v)
{
	*v->bell = v->queue;
}

void virtio_stop_begin(struct virtio_device *v)
{
	if (v->pci)
		pci_set_bus_master(v->pci, false);
	v->common[DEVICE_STATUS] = 0;
}

bool virtio_stop(struct virtio_device *v)
{
	pci_set_bus_master(v->pci, false);
	return reset(v);
}

/* Each field by its own width, 64 bits as two halves (4.1.3.1). */
static uint64_t read_config(const struct virtio_device *v, unsigned off, unsigned width)
{
	volatile uint8_t *at = v->config + off;

	return width == 1 ? *at : width == 2 ? *(volatile uint16_t *)at : *(volatile uint32_t *)at;
}

uint64_t virtio_config(const struct virtio_device *v, unsigned off, unsigned n)
{
	unsigned width = MIN(n, 4u);
	uint64_t x = 0;
	uint8_t before;

	if (!v->config || off + n > v->config_len)
		return 0;
	/* A value that changes while its bytes are read changes the generation too. */
	for (unsigned tries = 0; tries < 100; tries++) {
		before = read8(v, GENERATION);
		x = 0;
		for (unsigned i = 0; i < n; i += width)
			x |= read_config(v, off + i, width) << (8 * i);
		if (before == read8(v, GENERATION))
			break;
	}
	return x;
}
