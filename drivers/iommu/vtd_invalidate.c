/* SPDX-License-Identifier: MIT */
/*
 * Making the unit forget.
 *
 * The unit remembers the entries that it has walked to. One that was changed in memory goes on
 * being used until the unit is told, so nothing may be given to somebody else before it was told
 * and has said that it is done: that includes writes that it had let through and that are on their
 * way.
 *
 * Two ways. By registers: write what is to be forgotten, wait for a bit to go. By a queue in
 * memory: descriptors of 128 bits, the last of which makes the unit write a number to a word that
 * we look at. A unit with the queue on takes no notice of the registers, so it is one or the other;
 * the queue is used where there is one.
 *
 * Source: Intel VT-d, 6.5 (invalidation), 11.4.8 and 11.4.9 (registers).
 */
#include "drivers/drivers.h"
#include "drivers/iommu/internal.h"

#define SECOND_NS 1000000000ull

/* Descriptors, low halves. */
#define INV_CONTEXT	  0x1ull
#define INV_CONTEXT_ALL	  (INV_CONTEXT | 1ull << 4)
#define INV_IOTLB	  0x2ull
#define INV_IOTLB_ALL	  (INV_IOTLB | 1ull << 4)
#define INV_IOTLB_DOMAIN  (INV_IOTLB | 2ull << 4)
#define INV_IOTLB_PAGES	  (INV_IOTLB | 3ull << 4)
#define INV_IOTLB_DRAIN	  (3ull << 6)	       /* writes and reads under way */
#define INV_WAIT	  (0x5ull | 1ull << 5) /* and write the status word */
#define INV_DOMAIN(id)	  ((uint64_t)(id) << 16)
#define INV_WAIT_VALUE(v) ((uint64_t)(v) << 32)
/* Registers. */
#define CCMD_GO		    (1ull << 63 | 1ull << 61) /* all of it */
#define IOTLB_GO	    (1ull << 63)
#define IOTLB_ALL	    (1ull << 60)
#define IOTLB_DOMAIN	    (2ull << 60)
#define IOTLB_PAGES	    (3ull << 60)
#define IOTLB_DRAIN	    (3ull << 48)
#define IOTLB_DOMAIN_ID(id) ((uint64_t)(id) << 32)

static unsigned iotlb_at(const struct vtd *u)
{
	return (unsigned)(u->ecap >> 8 & 0x3ff) * 16;
}

/* ---- registers ------------------------------------------------------------------------------ */

/* True: it is done; false: not within a second. */
static bool register_wait(const struct vtd *u, unsigned off, uint64_t command)
{
	uint64_t end = clock_ns() + SECOND_NS;

	vtd_write64(u, off, command);
	while (vtd_read64(u, off) >> 63)
		if (clock_ns() > end)
			return false;
	return true;
}

/* lock held. */
static bool by_registers(struct vtd *u, bool contexts, uint64_t iotlb, uint64_t address)
{
	if (contexts && !register_wait(u, VTD_CCMD, CCMD_GO))
		return false;
	if ((iotlb & IOTLB_PAGES) == IOTLB_PAGES)
		vtd_write64(u, iotlb_at(u), address);
	return register_wait(u, iotlb_at(u) + 8, iotlb | IOTLB_GO | (u->drains ? IOTLB_DRAIN : 0));
}

/* ---- the queue ------------------------------------------------------------------------------- */

static volatile uint32_t *status_word(const struct vtd *u)
{
	return (volatile uint32_t *)((char *)u->queue + PAGE_SIZE);
}

/* lock held. The n-th descriptor behind the tail; not written back. */
static void put(struct vtd *u, unsigned n, uint64_t low, uint64_t high)
{
	uint64_t *descriptor = u->queue[(u->tail + n) % VTD_QUEUE];

	descriptor[0] = low;
	descriptor[1] = high;
}

/* lock held. Tells the unit of one descriptor behind the tail, adds the wait for it, and waits:
 * true, or false after a second. The queue is empty before and after, so it never runs over; two
 * descriptors a time, so the two are one line's. */
static inline bool queue_wait(struct vtd *u)
{
	uint32_t number = ++u->waits;
	uint64_t end;

	put(u, 1, INV_WAIT | INV_WAIT_VALUE(number), u->status);
	vtd_written(u, u->queue[u->tail], 2 * sizeof(u->queue[0]));
	u->tail = (u->tail + 2) % VTD_QUEUE;
	/* Descriptors before the tail, else the unit runs those of a lap ago. */
	store_fence();
	vtd_write64(u, VTD_IQT, (uint64_t)u->tail << 4);
	if (*status_word(u) == number)
		return true;
	end = clock_ns() + SECOND_NS;
	while (*status_word(u) != number)
		if (clock_ns() > end)
			return false;
	return true;
}

static inline bool by_queue(struct vtd *u, bool contexts, uint64_t iotlb, uint64_t address)
{
	bool done = true;

	if (contexts) {
		put(u, 0, INV_CONTEXT_ALL, 0);
		done = queue_wait(u);
	}
	put(u, 0, iotlb | (u->drains ? INV_IOTLB_DRAIN : 0), address);
	return done && queue_wait(u);
}

/* Turned on, it does what stands in it. */
static bool queue_runs(struct vtd *u)
{
	u->state |= VTD_QIE;
	vtd_write32(u, VTD_GCMD, u->state);
	if (!vtd_wait_status(u, VTD_QIE, VTD_QIE))
		return false;
	put(u, 0, INV_CONTEXT_ALL, 0);
	return queue_wait(u);
}

bool vtd_queue_start(struct vtd *u)
{
	uint64_t frame = frame_alloc(1);

	if (!frame)
		return false;
	u->queue = phys_to_virt(frame);
	u->status = frame + PAGE_SIZE;
	memset(u->queue, 0, 2 * PAGE_SIZE);
	vtd_written(u, u->queue, 2 * PAGE_SIZE);
	/* The tail first: a queue that was used and turned off has kept it, and its head is 0. */
	vtd_write64(u, VTD_IQT, 0);
	vtd_write64(u, VTD_IQA, frame);
	/* Not read back: a unit may show it only when the queue is on (QEMU's). One that reads from
	 * somewhere else does not answer. */
	if (queue_runs(u))
		return true;
	u->state &= ~VTD_QIE;
	vtd_write32(u, VTD_GCMD, u->state);
	if (vtd_wait_status(u, VTD_QIE, 0)) /* else it may read them for ever */
		frame_free(frame, 1);
	u->queue = NULL;
	u->tail = 0;
	return false;
}

/* ---- what is asked for --------------------------------------------------------------------- */

/* Some chipsets hold writes of tables back until they are told. lock held. False: it still does. */
static bool flush_writes(const struct vtd *u)
{
	vtd_write32(u, VTD_GCMD, u->state | VTD_WBF);
	return vtd_wait_status(u, VTD_WBF, 0);
}

/* It may still use what it was to forget, and for how long nobody knows: no device behind it
 * reaches memory from now on, so that memory can be given to somebody else. lock held. */
static void __attribute__((noinline)) give_up(struct vtd *u)
{
	u->odd = true;
	u->dead = "it did not forget old translations within a second";
	vtd_stop_devices(u);
	shell_wake();
}

/* Interrupts are off. */
static inline void forget(struct vtd *u, bool contexts, uint64_t queued, uint64_t by_register,
			  uint64_t address)
{
	bool done = true;

	spin_lock(&u->lock);
	store_fence(); /* tables before the command, else what is walked to next is old again */
	if (unlikely(u->odd))
		done = u->dead || flush_writes(u);
	if (likely(!u->odd) || (done && !u->dead)) {
		done = u->queued ? by_queue(u, contexts, queued, address)
				 : by_registers(u, contexts, by_register, address);
		u->invalidations++;
	}
	if (unlikely(!done))
		give_up(u);
	spin_unlock(&u->lock);
}

void vtd_forget_all(struct vtd *u)
{
	uint64_t flags = irq_save();

	forget(u, true, INV_IOTLB_ALL, IOTLB_ALL, 0);
	irq_restore(flags);
}

/* The smallest naturally aligned block of 2^n pages that holds it all; -1: the unit takes none so
 * large, or no blocks at all. */
static int block_order(const struct vtd *u, uint64_t iova, uint64_t bytes)
{
	/* LAB 10 block: what the unit is told to forget */
	uint64_t differ = (iova ^ (iova + bytes - 1)) >> PAGE_SHIFT;
	int order = differ ? 64 - __builtin_clzll(differ) : 0;

	return order <= u->most_order ? order : -1;
	/* END */
}

void vtd_forget(struct vtd *u, uint16_t id, uint64_t iova, uint64_t bytes)
{
	int order = block_order(u, iova, bytes);

	if (order < 0)
		forget(u, false, INV_IOTLB_DOMAIN | INV_DOMAIN(id),
		       IOTLB_DOMAIN | IOTLB_DOMAIN_ID(id), 0);
	else
		forget(u, false, INV_IOTLB_PAGES | INV_DOMAIN(id),
		       IOTLB_PAGES | IOTLB_DOMAIN_ID(id),
		       (iova & ~((PAGE_SIZE << order) - 1)) | (unsigned)order);
}
