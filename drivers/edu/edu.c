/* SPDX-License-Identifier: MIT */
/*
 * The edu driver: a queue in front of a device that can do one transfer at a time.
 *
 * Registers (QEMU docs/specs/edu): 0x80 source, 0x88 destination, 0x90 count, 0x98 command: bit 0
 * start and busy, bit 1 direction (set: device to memory), bit 2 interrupt when done. While busy it
 * ignores everything, a second start included, so the queue starts the next transfer only from the
 * completion interrupt of the last.
 */
#include "drivers/drivers.h"

enum {
	REG_ID = 0x00,
	REG_IRQ_STATUS = 0x24,
	REG_IRQ_ACK = 0x64,
	REG_DMA_SRC = 0x80,
	REG_DMA_DST = 0x88,
	REG_DMA_COUNT = 0x90,
	REG_DMA_CMD = 0x98,
};
#define CMD_START     1u
#define CMD_TO_MEMORY 2u
#define CMD_IRQ	      4u
#define STATUS_DMA    0x100u
#define BUFFER	      0x40000u
#define ID_EDU	      0x00edu /* low 16 bits of the id register */
#define DMA_BITS      40      /* what dma_mask=0xffffffffff lets through */

TAILQ_HEAD(request_queue, edu_request);

struct edu {
	char name[8];
	volatile uint8_t *regs;
	struct pci_device *pci;
	struct dma_device dma;
	struct spinlock lock;	      /* irq-safe: the completion takes it */
	struct request_queue waiting; /* lock */
	struct edu_request *running;  /* lock; NULL: the device is idle */
	unsigned pending;	      /* lock; waiting + running */
	uint64_t transfers;	      /* lock */
};

static struct edu edus[EDU_MAX];
static unsigned nr_edus;

static uint32_t read_reg(const struct edu *e, unsigned reg)
{
	return *(volatile uint32_t *)(e->regs + reg);
}

static void write_reg(struct edu *e, unsigned reg, uint32_t v)
{
	*(volatile uint32_t *)(e->regs + reg) = v;
}

static void write_reg64(struct edu *e, unsigned reg, uint64_t v)
{
	*(volatile uint64_t *)(e->regs + reg) = v;
}

/* lock held; nothing runs. */
static void start_next(struct edu *e)
{
	struct edu_request *rq = TAILQ_FIRST(&e->waiting);

	e->running = rq;
	if (!rq)
		return;
	TAILQ_REMOVE(&e->waiting, rq, link);
	bool to_memory = rq->dir == EDU_TO_MEMORY;
	uint64_t buffer = BUFFER + rq->offset;

	write_reg64(e, REG_DMA_SRC, to_memory ? buffer : rq->bus);
	write_reg64(e, REG_DMA_DST, to_memory ? rq->bus : buffer);
	write_reg64(e, REG_DMA_COUNT, rq->len);
	write_reg64(e, REG_DMA_CMD, CMD_START | CMD_IRQ | (to_memory ? CMD_TO_MEMORY : 0));
}

/* The transfer is over: the next one starts first, then the owner hears of his. */
static void interrupt(void *arg)
{
	struct edu *e = arg;
	struct edu_request *rq;
	uint32_t status;

	spin_lock(&e->lock);
	status = read_reg(e, REG_IRQ_STATUS);
	write_reg(e, REG_IRQ_ACK, status);
	rq = (status & STATUS_DMA) ? e->running : NULL;
	if (rq) {
		e->pending--;
		e->transfers++;
		if (rq->dir == EDU_TO_MEMORY)
			pmem_shadow_device_wrote(rq->touched, rq->at, rq->len);
		start_next(e);
	}
	spin_unlock(&e->lock);
	if (rq)
		rq->done(rq);
}

/* Its bus address is found now: the mapping may be gone when its turn comes. */
static bool acceptable(struct edu_request *rq)
{
	if (!rq->done || !rq->map || rq->page >= rq->map->nr || !rq->len || rq->len > EDU_CHUNK ||
	    rq->offset + rq->len > 4095 || rq->at + rq->len > PAGE_SIZE)
		return false;
	rq->bus = dma_bus(rq->map, rq->page) + rq->at;
	rq->touched = dma_page(rq->map, rq->page);
	return (rq->bus + rq->len) >> DMA_BITS == 0;
}

int edu_submit(struct edu *e, struct edu_request *rq, unsigned n)
{
	uint64_t flags;

	for (unsigned i = 0; i < n; i++)
		if (!acceptable(&rq[i]))
			return -EINVAL;
	flags = spin_lock_irqsave(&e->lock);
	for (unsigned i = 0; i < n; i++)
		TAILQ_INSERT_TAIL(&e->waiting, &rq[i], link);
	e->pending += n;
	if (!e->running)
		start_next(e);
	spin_unlock_irqrestore(&e->lock, flags);
	return 0;
}

unsigned edu_count(void)
{
	return nr_edus;
}

struct edu *edu_nth(unsigned n)
{
	return n < nr_edus ? &edus[n] : NULL;
}

const char *edu_name(const struct edu *e)
{
	return e->name;
}

struct dma_device *edu_dma(struct edu *e)
{
	return &e->dma;
}

unsigned edu_pending(const struct edu *e)
{
	return __atomic_load_n(&e->pending, __ATOMIC_ACQUIRE);
}

/* Maps the registers and makes sure that it is an edu and that nothing of an earlier life runs. */
static int attach_registers(struct edu *e)
{
	e->regs = pci_map_bar(e->pci, 0);
	if (!e->regs)
		return -ENOMEM;
	if ((read_reg(e, REG_ID) & 0xffff) != ID_EDU)
		return -ENODEV;
	/* Mastering is off, so a transfer that still runs cannot reach memory; wait it out. */
	for (unsigned ms = 0; read_reg(e, REG_DMA_CMD) & CMD_START; ms++) {
		if (ms > 1000)
			return -EBUSY;
		delay_us(1000);
	}
	write_reg(e, REG_IRQ_ACK, read_reg(e, REG_IRQ_STATUS));
	return 0;
}

static int attach(struct pci_device *pci)
{
	struct edu *e = &edus[nr_edus];
	int vector, err;

	*e = (struct edu){.pci = pci, .lock = SPINLOCK_INIT("edu")};
	TAILQ_INIT(&e->waiting);
	snprintf(e->name, sizeof(e->name), "edu%u", nr_edus);
	err = pci_claim(pci, e->name);
	if (!err)
		err = attach_registers(e);
	if (!err)
		err = dma_attach(&e->dma, pci, e->name, true);
	if (err)
		return err;
	vector = irq_alloc_vector(interrupt, e, e->name);
	if (vector < 0) {
		dma_detach(&e->dma);
		return vector;
	}
	err = pci_msi_enable(pci, cpu_by_id(0)->apic_id, vector);
	if (!err)
		err = pci_set_bus_master(pci, true);
	if (err) {
		irq_free_vector(vector);
		dma_detach(&e->dma);
	} else {
		nr_edus++;
	}
	return err;
}

static int edu_init(const struct boot_info *bi)
{
	struct pci_device *pci;

	(void)bi;
	for (unsigned n = 0; nr_edus < EDU_MAX && (pci = pci_find(0x1234, 0x11e8, n)); n++) {
		int err;

		refusal_clear();
		err = attach(pci);
		if (err)
			kprintf("edu at %02x:%02x.%u does not start (error %d)%s%s\n", pci->bus,
				pci->dev, pci->fn, err, *refusal() ? ": " : "", refusal());
	}
	kprintf("edu: %u DMA device(s)\n", nr_edus);
	return 0;
}
INITCALL(INIT_DEVICES, edu, "edu DMA devices", edu_init);
