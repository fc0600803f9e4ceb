/* SPDX-License-Identifier: MIT */
/*
 * The power-cut model: what would be left if the power failed now.
 *
 * QEMU's memory survives everything, so forgetting to flush a line has no consequence there. A
 * shadowed region has one. Every write-back notes the lines and copies what they hold at that
 * moment into `pending`; the next fence of the same thread moves them on into `durable`. (Of the
 * thread, not of the CPU: one that is moved to another CPU in between has passed locked
 * instructions, which order CLWB like a fence.) A power cut is then: the region's contents become
 * `durable`. This is the strict half of the truth: on hardware a line may also be evicted by itself
 * and survive; what is lost here is what nobody made durable. Bytes that a device writes by DMA do
 * not pass a CPU cache: pmem_shadow_device_wrote() moves them at once.
 *
 * The power may also fail in the middle of an operation, between two of its fences: from a chosen
 * fence on nothing moves into `durable` any more. The machine does not notice and goes on, and the
 * cut that comes later shows what was left at that fence. Fences are counted if they made a line
 * durable; the others change nothing that a cut could show.
 */
#include "drivers/drivers.h"

#define SHADOW_MAX (64 * MIB)
#define LINE	   64ull
#define NOTES	   (SHADOW_MAX / PAGE_SIZE + 4096) /* write-backs that are not fenced yet */

struct note {
	struct pmem_shadow *shadow;
	uint64_t off, len;
	unsigned tid; /* whose fence makes it durable */
};
struct pmem_shadow {
	struct pmem_shadow *next;
	struct pmem_region *region;
	char *durable, *pending;
};

static struct {
	struct spinlock lock; /* with interrupts off: protects all below, and the copies */
	struct note *note;    /* NOTES of them */
	unsigned nr;	      /* zero: everything written back is fenced */
} notes = {.lock = SPINLOCK_INIT("power-cut model")};
static struct {		   /* notes.lock */
	uint64_t fences;   /* that made a line durable; zero: none since the first shadow */
	uint64_t fails_at; /* the count at which the power fails */
} power = {.fails_at = UINT64_MAX};
static struct pmem_shadow *shadows; /* a list that only grows, at boot; NULL: none */

/* notes.lock held. */
static bool power_is_on(void)
{
	return power.fences < power.fails_at;
}

/* lock held. Joined with the thread's note before it if the two touch: a file's pages often do. */
static void add_note(struct pmem_shadow *s, uint64_t off, uint64_t len, unsigned tid)
{
	struct note *last = notes.nr ? &notes.note[notes.nr - 1] : NULL;

	if (last && last->shadow == s && last->tid == tid && last->off + last->len == off) {
		last->len += len;
		return;
	}
	ASSERT(notes.nr < NOTES,
	       "the power-cut model holds %lu write-backs without a fence; fence earlier", NOTES);
	notes.note[notes.nr++] = (struct note){s, off, len, tid};
}

static void wrote_back(const void *p, size_t n)
{
	uint64_t flags = spin_lock_irqsave(&notes.lock);

	for (struct pmem_shadow *s = shadows; s; s = s->next) {
		uint64_t off = (uint64_t)p - (uint64_t)s->region->kaddr;
		uint64_t first = ALIGN_DOWN(off, LINE), end = ALIGN_UP(off + n, LINE);

		if (off >= s->region->len)
			continue;
		memcpy(s->pending + first, (char *)s->region->kaddr + first, end - first);
		add_note(s, first, end - first, current_thread()->tid);
	}
	spin_unlock_irqrestore(&notes.lock, flags);
}

static void fenced(void)
{
	uint64_t flags = spin_lock_irqsave(&notes.lock);
	unsigned tid = current_thread()->tid, kept = 0;

	for (unsigned i = 0; i < notes.nr; i++) {
		const struct note *n = &notes.note[i];

		if (n->tid != tid)
			notes.note[kept++] = *n;
		else if (power_is_on())
			memcpy(n->shadow->durable + n->off, n->shadow->pending + n->off, n->len);
	}
	power.fences += kept < notes.nr;
	notes.nr = kept;
	spin_unlock_irqrestore(&notes.lock, flags);
}

static int alloc_notes(void)
{
	if (!notes.note)
		notes.note = calloc(NOTES, sizeof(*notes.note));
	return notes.note ? 0 : -ENOMEM;
}

int pmem_shadow_start(struct pmem_region *r)
{
	static const struct persist_observer observer = {wrote_back, fenced};
	struct pmem_shadow *s;

	if (r->len > SHADOW_MAX)
		return refuse(-EFBIG, "the power-cut model keeps whole copies: at most 64 MiB "
				      "(size=64M)");
	s = calloc(1, sizeof(*s));
	if (s) {
		s->durable = malloc(r->len);
		s->pending = malloc(r->len);
	}
	if (!s || !s->durable || !s->pending || alloc_notes()) {
		if (s) {
			free(s->pending);
			free(s->durable);
		}
		free(s);
		return refuse(-ENOMEM, "no memory for the second copy; give the machine more "
				       "(MEM=1G)");
	}
	s->region = r;
	memcpy(s->durable, r->kaddr, r->len);
	s->next = shadows;
	shadows = s;
	r->shadow = s;
	persist_set_observer(&observer);
	return 0;
}

/* Lines whose contents differ from the copy: what a power cut right now would lose. */
static uint64_t pmem_shadow_dirty_lines(const struct pmem_region *r)
{
	uint64_t lines = 0;

	if (!r->shadow)
		return 0;
	for (uint64_t off = 0; off < r->len; off += LINE)
		lines += memcmp((char *)r->kaddr + off, r->shadow->durable + off, LINE) != 0;
	return lines;
}

void pmem_shadow_device_wrote(const struct page *page, uint32_t at, uint32_t len)
{
	uint64_t phys = page_to_phys(page) + at;
	uint64_t flags = spin_lock_irqsave(&notes.lock);

	for (struct pmem_shadow *s = shadows; s; s = s->next) {
		uint64_t off = phys - s->region->start;

		if (off >= s->region->len)
			continue;
		/* Pending too, else a fence behind this puts the older bytes of a noted line back.
		 */
		memcpy(s->pending + off, (char *)s->region->kaddr + off,
		       MIN(len, s->region->len - off));
		if (power_is_on())
			memcpy(s->durable + off, (char *)s->region->kaddr + off,
			       MIN(len, s->region->len - off));
	}
	spin_unlock_irqrestore(&notes.lock, flags);
}

uint64_t pmem_shadow_fences(uint64_t *fails_at)
{
	uint64_t flags = spin_lock_irqsave(&notes.lock), fences = power.fences;

	*fails_at = power.fails_at;
	spin_unlock_irqrestore(&notes.lock, flags);
	return fences;
}

int pmem_shadow_fail_after(uint64_t fences)
{
	uint64_t flags = spin_lock_irqsave(&notes.lock);
	int err = power_is_on() ? 0 : -EBUSY;

	if (!err)
		power.fails_at = power.fences + MIN(fences, UINT64_MAX / 2);
	spin_unlock_irqrestore(&notes.lock, flags);
	return err;
}

uint64_t pmem_shadow_restore(void)
{
	uint64_t lost = 0;

	persist_set_observer(NULL);
	for (const struct pmem_shadow *s = shadows; s; s = s->next) {
		struct pmem_region *r = s->region;

		lost += pmem_shadow_dirty_lines(r);
		memcpy(r->kaddr, s->durable, r->len);
	}
	return lost;
}

static int cmd_shadow(int argc, char **argv)
{
	uint64_t fails_at, fences = pmem_shadow_fences(&fails_at);
	bool any = false;

	(void)argv;
	if (argc > 1)
		return shell_usage();
	for (unsigned i = 0; i < pmem_count(); i++) {
		const struct pmem_region *r = pmem_nth(i);

		if (!r->shadow)
			continue;
		any = true;
		kprintf("%s: a power cut now would lose %lu line(s) of 64 bytes\n", r->name,
			pmem_shadow_dirty_lines(r));
	}
	if (any)
		kprintf("%lu fence(s) made lines durable so far%s\n", MIN(fences, fails_at),
			fences >= fails_at
				? "; then the power failed: 'powercut' shows what is left"
				: "");
	else
		kprintf("no region has a second copy; give a DIMM the option shadow: "
			"PMEM=\"file,size=64M,shadow\"\n");
	return 0;
}
SHELL_COMMAND(shadow, cmd_shadow, "shadow", "what a power cut right now would lose");
