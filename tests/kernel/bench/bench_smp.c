/* SPDX-License-Identifier: MIT */
/*
 * Rows about growth by CPUs: smp.fault.N and smp.gup.N, N CPUs at work at the same time, each on a
 * file of its own in an address space of its own.
 *
 *   fault  4K write faults as in fault.4k.write.new: no entry yet, blocks written, records there
 *   gup    get_user_pages_fast() for one present page and its put
 *
 * After each operation a CPU pauses, so that the next one has its turn: with the loop this is seven
 * instructions, and they are in the figure.
 *
 * The cost of an operation is the ticks of the section divided by the operations of all CPUs. Under
 * -icount all CPUs share one clock, which counts the instructions of whoever runs; so what one CPU
 * does more because another one is there (spins, retries, sleeps and wakes) is in the figure, and
 * what no CPU does is not. None halts: who is ready early or late spins with PAUSE. Without -icount
 * the ticks of CPUs that really run side by side are no sum of work, and the rows are skipped.
 *
 * Cache lines that travel do not show in a count of instructions. Therefore the self-tests here:
 * a line that one CPU writes by a locked operation for its fault or gup must not be one that
 * another CPU writes so for its own, on another file. What is allocated once for many faults (a
 * page table, an index node) is outside: the allocators are shared by all CPUs.
 */
#include "tests/kernel/bench/bench.h"

#define MAX_WORKERS 8u
#define PAGES	    256u /* of each file; each is faulted once */
#define GUPS	    512u /* of each worker */
#define MAX_LINES   64u

struct worker {
	struct dax_inode *f;
	struct mm *mm;
	uint64_t va;
	unsigned cpu, wrong; /* operations that failed; zero: none */
	bool gup;	     /* what it does */
	uint64_t start, end; /* TSC */
	struct thread *thread;
};
static struct {
	struct worker worker[MAX_WORKERS];
	unsigned n, ready, done; /* ready, done: workers; n of them: the others may go on */
} smp;				 /* under bench_lock */

/* ---- the operations -------------------------------------------------------------------------- */

static void fault_one(void *arg)
{
	struct worker *w = arg;

	w->wrong += mm_fault(current_mm(), w->va, true) != 0;
}

static void gup_one(void *arg)
{
	struct worker *w = arg;
	struct page *page;

	if (get_user_pages_fast(w->va, 1, FOLL_GET | FOLL_WRITE, &page) == 1)
		put_user_page(page);
	else
		w->wrong++;
}

/* PAUSE lets the next CPU run under TCG, so the CPUs take turns after every operation. */
static void operate(struct worker *w)
{
	for (unsigned i = 0; i < (w->gup ? GUPS : PAGES); i++) {
		if (w->gup)
			gup_one(w);
		else
			w->wrong += store_checked((uint64_t *)(w->va + i * PAGE_SIZE), i) != 0;
		cpu_pause();
	}
}

/* ---- the workers ----------------------------------------------------------------------------- */

static void meet(unsigned *count)
{
	__atomic_fetch_add(count, 1, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(count, __ATOMIC_ACQUIRE) < smp.n)
		cpu_pause();
}

static void work(void *arg)
{
	struct worker *w = arg;

	mm_use(w->mm);
	meet(&smp.ready);
	w->start = rdtsc();
	operate(w);
	w->end = rdtsc();
	meet(&smp.done); /* stays awake until all have done theirs */
	mm_use(NULL);
}

/* The file's blocks and their records exist. */
static bool populated(struct dax_inode *f)
{
	struct dax_run run = {0};
	bool ok = true;

	down_read(&f->fault_lock);
	for (uint64_t i = 0; ok && i < PAGES; i += run.count)
		ok = !f->ops->map_run(f, i, (uint32_t)(PAGES - i), false, &run) &&
		     !page_records_populate(run.pfn, run.count);
	up_read(&f->fault_lock);
	return ok;
}

/* A file mapped in a space of its own, its first page present for gup. False: failed. */
static bool prepare(struct worker *w, unsigned cpu, bool gup)
{
	char name[8];

	snprintf(name, sizeof(name), "f%u", cpu);
	*w = (struct worker){.cpu = cpu, .gup = gup, .va = BENCH_4K};
	w->f = scratch_file(name, PAGES, 's');
	w->mm = mm_create("smp");
	return w->f && w->mm && !dax_mmap(w->mm, w->f, 0, PAGES, true, &w->va) && populated(w->f) &&
	       !(gup && mm_fault(w->mm, w->va, true));
}

static void drop(struct worker *w)
{
	if (w->mm)
		mm_put(w->mm);
	if (w->f)
		dax_put(w->f);
}

/* False: skipped, and nothing is left. */
static bool start(struct bench_run *b, unsigned n, bool gup)
{
	const char *why = "";
	struct dax_fs *fs;

	if (nr_cpus < n) {
		bench_skip(b, "needs %u CPUs (SMP=%u)", n, n);
		return false;
	}
	if (scratch_mount(SCRATCH_LARGE, LIFETIME_DEFAULT, &fs, &why)) {
		bench_skip(b, "%s", why);
		return false;
	}
	memset(&smp, 0, sizeof(smp));
	smp.n = n;
	for (unsigned i = 0; i < n; i++)
		if (!prepare(&smp.worker[i], i, gup))
			bench_skip(b, "file %u could not be prepared: %s", i, refusal());
	return true;
}

static void finish(void)
{
	for (unsigned i = 0; i < smp.n; i++)
		drop(&smp.worker[i]);
	scratch_umount();
}

/* All workers run, pinned, one on each CPU. Ticks from the first start to the last end. */
static uint64_t run_workers(struct bench_run *b)
{
	uint64_t first = UINT64_MAX, last = 0;
	unsigned missing = 0;

	for (unsigned i = 0; i < smp.n; i++) {
		struct worker *w = &smp.worker[i];

		w->thread = thread_create("smp", work, w, 1u << w->cpu);
		missing += !w->thread;
	}
	if (missing) { /* nobody would come to meet the others: they go on without */
		__atomic_fetch_add(&smp.ready, missing, __ATOMIC_ACQ_REL);
		__atomic_fetch_add(&smp.done, missing, __ATOMIC_ACQ_REL);
		bench_skip(b, "no memory for %u threads", missing);
	}
	for (unsigned i = 0; i < smp.n; i++) {
		struct worker *w = &smp.worker[i];

		if (!w->thread)
			continue;
		thread_join(w->thread);
		first = MIN(first, w->start);
		last = MAX(last, w->end);
		if (w->wrong)
			bench_skip(b, "%u operations of CPU %u failed", w->wrong, i);
	}
	return last - first;
}

static void measure(struct bench_run *b, unsigned n, bool gup)
{
	uint64_t ticks;

	if (!start(b, n, gup))
		return;
	if (!b->skipped)
		ticks = run_workers(b);
	if (!b->skipped)
		bench_samples(b, BENCH_INSNS, &ticks, 1, (uint64_t)n * (gup ? GUPS : PAGES));
	if (!b->skipped && !b->insns)
		bench_skip(b, "needs ICOUNT=1: ticks of CPUs side by side are no sum of work");
	finish();
}

#define SMP_ROW(work, n)                                                                           \
	static void work##_##n(struct bench_run *b)                                                \
	{                                                                                          \
		measure(b, n, work);                                                               \
	}                                                                                          \
	BENCH(smp_##work##_##n, "smp." #work "." #n, work##_##n)

enum { fault, gup };
SMP_ROW(fault, 1);
SMP_ROW(fault, 2);
SMP_ROW(fault, 4);
SMP_ROW(fault, 8);
SMP_ROW(gup, 1);
SMP_ROW(gup, 2);
SMP_ROW(gup, 4);
SMP_ROW(gup, 8);

/* ---- lines that locked operations write ------------------------------------------------------ */

struct stepped {
	struct worker *w;
	uint64_t line[MAX_LINES];
	unsigned n;
};

/* The first operation makes what is made once for many; the second one is looked at. */
static void step_second(void *arg)
{
	struct stepped *s = arg;
	struct worker *w = s->w;
	void (*op)(void *) = w->gup ? gup_one : fault_one;

	mm_use(w->mm);
	op(w);
	if (!w->gup)
		w->va += PAGE_SIZE;
	s->n = bench_locked_lines(op, w, s->line, MAX_LINES);
	mm_use(NULL);
}

/* The first line that both write, or 0; the row is skipped if it could not be found out. */
static uint64_t shared_line(struct bench_run *b, bool gup, struct stepped s[2])
{
	uint64_t shared = 0;

	if (!start(b, 2, gup))
		return 0;
	for (unsigned i = 0; i < 2 && !b->skipped; i++) { /* one after the other */
		struct thread *th;

		s[i].w = &smp.worker[i];
		th = thread_create("stepped", step_second, &s[i], 1u << i);
		if (th)
			thread_join(th);
		if (!th || s[i].w->wrong || s[i].n > MAX_LINES)
			bench_skip(b, "CPU %u could not be stepped: %u failures, %u lines", i,
				   s[i].w->wrong, s[i].n);
	}
	for (unsigned i = 0; i < s[0].n && !b->skipped; i++)
		for (unsigned k = 0; k < s[1].n && !shared; k++)
			if (s[0].line[i] == s[1].line[k])
				shared = s[0].line[i];
	finish();
	return shared;
}

static void no_shared_line(struct selftest_run *t, bool gup)
{
	static struct stepped s[2];
	struct bench_run b = {.name = "lines"};
	uint64_t line, offset = 0;
	const char *what, *why;

	if (!scratch_region(&why))
		SKIP("%s", why);
	if (nr_cpus < 2)
		SKIP("needs two CPUs (SMP=2)");
	if (!bench_can_step())
		SKIP(BENCH_NO_STEPS);
	memset(s, 0, sizeof(s));
	mutex_lock(&bench_lock);
	line = shared_line(&b, gup, s);
	mutex_unlock(&bench_lock);
	if (b.skipped && strstr(b.why, "too small"))
		SKIP("%s", b.why);
	EXPECT(!b.skipped, "%s", b.why);
	what = line ? ksym_lookup(line, &offset) : NULL;
	EXPECT(!line, "both CPUs write the line at 0x%lx (%s+0x%lx) by locked operations", line,
	       what ? what : "no symbol", offset);
	EXPECT(s[0].n && s[1].n, "no locked operation was seen: %u and %u", s[0].n, s[1].n);
}

SELFTEST(smp_no_shared_fault, "smp.no-shared-locked-line-fault",
	 "faults of two CPUs on two files write no common cache line by a locked operation")
{
	no_shared_line(t, false);
}

SELFTEST(smp_no_shared_gup, "smp.no-shared-locked-line-gup",
	 "get_user_pages and puts of two CPUs on two files write no common cache line by a locked "
	 "operation")
{
	no_shared_line(t, true);
}

/* ---- the instrument -------------------------------------------------------------------------- */

static uint64_t words[8 * 8] __attribute__((aligned(64)));

static void lock_lines(void *arg)
{
	uint64_t *p = arg;
	volatile uint64_t n = 4;

	__atomic_fetch_add(p, 1, __ATOMIC_SEQ_CST);		/* line 0, base alone */
	__atomic_fetch_or(p + 9, 1, __ATOMIC_SEQ_CST);		/* line 1, displacement */
	__atomic_exchange_n(p + 8 * 2, 5, __ATOMIC_SEQ_CST);	/* line 2, XCHG */
	__atomic_fetch_add(p + 8 * n, 1, __ATOMIC_SEQ_CST);	/* line 4, index or sum */
	__atomic_fetch_add(&words[8 * 6], 1, __ATOMIC_SEQ_CST); /* line 6, by symbol */
	*(volatile uint64_t *)(p + 8 * 7) = 1;			/* line 7: a plain store */
}

SELFTEST(bench_locked, "bench.locked-lines",
	 "single-stepping finds the lines that locked operations write, and no others")
{
	uint64_t got[16], want = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 4 | 1 << 6, seen = 0;
	unsigned n;

	if (!bench_can_step())
		SKIP(BENCH_NO_STEPS);
	mutex_lock(&bench_lock);
	n = bench_locked_lines(lock_lines, words, got, ARRAY_SIZE(got));
	mutex_unlock(&bench_lock);
	for (unsigned i = 0; i < n && i < ARRAY_SIZE(got); i++)
		if (got[i] - (uintptr_t)words < sizeof(words))
			seen |= 1ull << (got[i] - (uintptr_t)words) / 64;
	EXPECT(seen == want && n == 5, "%u lines, of the array 0x%lx, not 0x%lx", n, seen, want);
}
