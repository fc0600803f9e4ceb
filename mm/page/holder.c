/* SPDX-License-Identifier: MIT */
/*
 * Who holds which pages, and for which device. A count says how many hold a page, never who; these
 * lists do.
 *
 * One holder per gup or pin call, in memory of the caller, on the list of the CPU that took it, so
 * adding one touches no line that other CPUs write. The lists are walked only to explain a wait.
 */
#include "mm/mm.h"

TAILQ_HEAD(holder_head, holder);
static struct {
	struct spinlock lock;
	struct holder_head head;
	bool ready;
} lists[MAX_CPUS];

/* Interrupts off. */
static struct holder_head *list_of(unsigned cpu)
{
	if (!lists[cpu].ready) {
		TAILQ_INIT(&lists[cpu].head);
		lists[cpu].lock.name = "holders";
		lists[cpu].ready = true;
	}
	return &lists[cpu].head;
}

void holder_add(struct holder *h)
{
	uint64_t flags = irq_save();

	h->cpu = cpu_id();
	h->tid = current_thread()->tid;
	h->caller = __builtin_return_address(0);
	h->since_ns = clock_ns();
	spin_lock(&lists[h->cpu].lock);
	TAILQ_INSERT_TAIL(list_of(h->cpu), h, link);
	spin_unlock(&lists[h->cpu].lock);
	irq_restore(flags);
}

void holder_remove(struct holder *h)
{
	uint64_t flags = spin_lock_irqsave(&lists[h->cpu].lock);

	TAILQ_REMOVE(list_of(h->cpu), h, link);
	spin_unlock_irqrestore(&lists[h->cpu].lock, flags);
}

/* Interrupts off. A holder that a design forgot (C-8) is still listed when its records are gone: it
 * is passed over, for page_to_record() would read one. p: a record. Of a folio or compound it
 * cannot be told which of its pages is meant. */
static bool holds(const struct holder *h, const struct page *p)
{
	for (unsigned i = 0; i < h->nr; i++)
		if (page_records_stay(page_to_pfn(h->pages[i])) && page_to_record(h->pages[i]) == p)
			return true;
	return false;
}

/* " on edu0", or nothing: there is none, or the text begins with its name. */
static void describe_device(const struct holder *h, char *buf, unsigned n)
{
	buf[0] = '\0';
	if (h->device && strncmp(h->what, h->device, strlen(h->device)) != 0)
		snprintf(buf, n, " on %s", h->device);
}

/* ", taken in FUNCTION", or nothing. */
static void describe_caller(const struct holder *h, char *buf, unsigned n)
{
	uint64_t offset;
	const char *name = ksym_lookup((uint64_t)h->caller, &offset);

	if (name)
		snprintf(buf, n, ", taken in %s+0x%lx", name, offset);
}

static unsigned describe(const struct page *p, char *buf, unsigned n, bool where)
{
	unsigned found = 0, at = 0;

	snprintf(buf, n, "nobody on record");
	for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++) {
		uint64_t flags = spin_lock_irqsave(&lists[cpu].lock);
		const struct holder *h;

		TAILQ_FOREACH (h, list_of(cpu), link) {
			char caller[80] = "", device[24];

			if (!holds(h, p) || at >= n)
				continue;
			describe_device(h, device, sizeof(device));
			if (where)
				describe_caller(h, caller, sizeof(caller));
			at += snprintf(buf + at, n - at, "%s%s%s (thread %u, for %lu ms%s)",
				       found ? ", " : "", h->what, device, h->tid,
				       (clock_ns() - h->since_ns) / 1000000, caller);
			found++;
		}
		spin_unlock_irqrestore(&lists[cpu].lock, flags);
	}
	return found;
}

unsigned holders_describe(const struct page *p, char *buf, unsigned n)
{
	return describe(p, buf, n, false);
}

unsigned holders_describe_where(const struct page *p, char *buf, unsigned n)
{
	return describe(p, buf, n, true);
}
