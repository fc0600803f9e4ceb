/* SPDX-License-Identifier: MIT */
/*
 * Self-test: a mapping count and the TLB of another CPU, on every path that takes a translation
 * away.
 *
 * The other CPU has the translation in its TLB and interrupts off, so that it cannot acknowledge a
 * flush. It watches the count: while it can still use the translation, the count must not fall
 * (docs/weaknesses.md F-15).
 */
#include "tests/kernel/lib/fixture.h"

struct watch {
	struct mm *mm;
	uint64_t va;
	struct page *page;
	bool loaded, fell;
};

static void watch_count(void *arg)
{
	uint64_t end = PATIENCE_END();
	struct watch *w = arg;

	mm_use(w->mm);
	irq_disable();
	(void)*(volatile char *)w->va;
	__atomic_store_n(&w->loaded, true, __ATOMIC_RELEASE);
	/* Until this CPU is asked to flush; by the clock, if nobody ever asks. */
	while (!cpu_call_waits() && clock_ns() < end)
		cpu_pause();
	w->fell = page_maps(w->page) == 0;
	irq_enable();
	mm_use(NULL);
}

static int by_unmap(struct dax_inode *inode, uint64_t va)
{
	(void)inode;
	return mm_unmap(current_mm(), va, PAGE_SIZE);
}

static int by_advice(struct dax_inode *inode, uint64_t va)
{
	(void)inode;
	return mm_advise(current_mm(), va, PAGE_SIZE, MM_DONT_NEED);
}

static int by_remap(struct dax_inode *inode, uint64_t va)
{
	uint64_t to = 0;
	int err = mm_remap(current_mm(), va, PAGE_SIZE, &to);

	(void)inode;
	return err ? err : mm_unmap(current_mm(), to, PAGE_SIZE);
}

static int by_truncate(struct dax_inode *inode, uint64_t va)
{
	(void)va;
	return dax_truncate(inode, 0);
}

/* Of a private mapping: the file's page gives way to a copy. */
static int by_store(struct dax_inode *inode, uint64_t va)
{
	(void)inode;
	at(va)[0] = 'c';
	return 0;
}

static const struct way {
	const char *name;
	bool private;
	int (*fn)(struct dax_inode *inode, uint64_t va);
} ways[] = {
	{"munmap", false, by_unmap},
	{"madvise(DONTNEED)", false, by_advice},
	{"mremap", false, by_remap},
	{"truncate", false, by_truncate},
	{"the copy of a private page", true, by_store},
};

/* The operation here, the watcher on `other`. NULL: all is well; else what is not. */
static const char *watch_way(const struct way *way, struct fixture *fx, unsigned other)
{
	struct dax_inode *inode = scratch_file("f", 1, 'a');
	struct watch w = {.mm = current_mm()};
	struct thread *th;
	int err;

	if (inode)
		w.va = way->private ? fx_map_private(fx, inode, 1)
				    : fx_map_as_is(fx, inode, 1, true);
	if (!w.va)
		return "not mapped";
	(void)at(w.va)[0];
	w.page = fx_va_to_page(w.va);
	th = w.page ? thread_create("watcher", watch_count, &w, 1u << other) : NULL;
	if (!th)
		return "no record, or no memory for a thread";
	while (!__atomic_load_n(&w.loaded, __ATOMIC_ACQUIRE))
		thread_yield();
	err = way->fn(inode, w.va);
	thread_join(th);
	if (w.fell)
		return "the count fell while another CPU could still use its TLB";
	return err || page_maps(w.page) ? "it failed, or the count never fell" : NULL;
}

SELFTEST(tlb_count_last_everywhere, "tlb.count-last-everywhere",
	 "no path drops a mapping count before every CPU has acknowledged the flush (F-15)")
{
	const char *wrong = NULL;
	unsigned other, i;

	if (nr_cpus < 2)
		SKIP("needs two CPUs (SMP=2)");
	preempt_disable();
	other = cpu_id() == 0 ? 1 : 0;
	preempt_enable();
	for (i = 0; i < ARRAY_SIZE(ways) && !wrong; i++) {
		FIXTURE(fx, LIFETIME_DEFAULT);
		wrong = watch_way(&ways[i], &fx, other);
		fixture_end(&fx);
	}
	EXPECT(!wrong, "%s: %s", ways[i - 1].name, wrong);
}

/* ---- unmapping ------------------------------------------------------------------------------- */

struct stale {
	struct mm *mm;
	uint64_t va;
	struct page *page;
	bool loaded, count_gone, stop;
};

/*
 * On another CPU, with interrupts off so that it cannot acknowledge a flush: loads a translation
 * and watches the mapping count. It must not reach zero while this CPU can still use the
 * translation.
 */
static void keep_translation(void *arg)
{
	uint64_t end = PATIENCE_END();
	struct stale *s = arg;

	mm_use(s->mm);
	irq_disable();
	*(volatile char *)s->va = 'x';
	__atomic_store_n(&s->loaded, true, __ATOMIC_RELEASE);
	/* Until this CPU is asked to flush, and a while longer: it has not answered yet. */
	for (unsigned asked = 0; asked < 1000 && !s->count_gone && clock_ns() < end;) {
		cpu_pause();
		asked += cpu_call_waits();
		s->count_gone = page_maps(s->page) == 0;
	}
	irq_enable();
	mm_use(NULL);
}

SELFTEST(tlb_count_after_flush, "tlb.count-after-flush",
	 "a mapping count is dropped only after every CPU has acknowledged the flush (F-15)")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct stale s = {.mm = current_mm()};
	struct thread *th;
	unsigned other;

	if (nr_cpus < 2) {
		fixture_end(&fx);
		SKIP("needs two CPUs (SMP=2)");
	}
	s.va = fx_map(&fx, "f", 1, 'a');
	EXPECT_OR(out, s.va, "not mapped");
	at(s.va)[0] = 'b';
	s.page = fx_va_to_page(s.va);
	preempt_disable();
	other = cpu_id() == 0 ? 1 : 0;
	preempt_enable();
	th = thread_create("stale TLB", keep_translation, &s, 1u << other);
	EXPECT_OR(out, th, "no memory");
	while (!__atomic_load_n(&s.loaded, __ATOMIC_ACQUIRE))
		thread_yield();
	fx_unmap(&fx, s.va);
	thread_join(th);
	EXPECT_OR(out, !s.count_gone,
		  "the count was zero while another CPU could still write through its TLB");
	EXPECT_OR(out, page_maps(s.page) == 0, "%u mapping(s) left", page_maps(s.page));
out:
	fixture_end(&fx);
}

SELFTEST(tlb_unmapped_faults, "tlb.unmapped-faults",
	 "after unmap returns, no CPU reaches the page through the old address")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = fx_map(&fx, "f", 80, 'a'), v; /* more than are flushed one by one */
	unsigned reached = 0;

	EXPECT_OR(out, va, "not mapped");
	for (unsigned i = 0; i < 80; i++)
		at(va)[i * PAGE_SIZE] = 'b';
	fx_unmap(&fx, va);
	for (unsigned i = 0; i < 80; i++)
		reached += !load_checked((uint64_t *)(va + i * PAGE_SIZE), &v);
	EXPECT_OR(out, !reached, "%u of 80 pages still reached", reached);
out:
	fixture_end(&fx);
}

SELFTEST(tlb_only_where_it_runs, "tlb.only-where-it-runs",
	 "unmapping interrupts no CPU that does not run the address space")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = fx_map(&fx, "f", 8, 'a');
	unsigned long before;

	EXPECT_OR(out, va, "not mapped");
	for (unsigned i = 0; i < 8; i++)
		at(va)[i * PAGE_SIZE] = 'b';
	before = ipi_sent;
	fx_unmap(&fx, va);
	EXPECT_OR(out, ipi_sent == before, "%lu IPIs", ipi_sent - before);
out:
	fixture_end(&fx);
}
