/* SPDX-License-Identifier: MIT */
/*
 * Benchmarks: what one operation costs, in guest instructions.
 *
 * Under `-icount shift=0` one tick of the time-stamp counter is one instruction; `bench` proves
 * that first, with a loop of known length (row "calibrate"), and otherwise reports nanoseconds. A
 * row is a function that registers itself; `bench [glob]` runs those that match and prints one JSON
 * object a line. A row that cannot run says why.
 *
 *     BENCH(gup_get_4k_b1, "gup.get.4k.b1", gup_get_one)
 *
 * Most rows hand a struct bench_case to bench_measure(): `op` is the timed section, everything else
 * lies outside it. Each row's comment states the scope: what is inside, what was there before.
 */
#ifndef TESTS_KERNEL_BENCH_BENCH_H
#define TESTS_KERNEL_BENCH_BENCH_H

#include "tests/kernel/lib/scratch.h"

/* Are the clock and the CPU's special instructions a model's? Then no instruction of theirs counts.
 */
#ifdef HOST_HOME
#define CPU_IS_MODELLED true
#else
#define CPU_IS_MODELLED false
#endif

enum bench_unit {
	BENCH_INSNS,
	BENCH_INSNS_PAGE,
	BENCH_INSNS_RECORD,
	BENCH_BYTES,
	BENCH_WAKEUPS,
	BENCH_WAITS
};

/* What one operation did, counted while it was single-stepped; in hundredths. */
struct bench_counts {
	uint64_t atomics; /* locked read-modify-writes and XCHG with memory */
	uint64_t clwb;	  /* lines written back: CLWB, CLFLUSHOPT, CLFLUSH */
	uint64_t tlb;	  /* INVLPG and loads of CR3, on the CPU that did the operation */
	uint64_t ipi;	  /* interrupts sent to other CPUs by cpu_call() */
	uint64_t fences;  /* MFENCE, SFENCE, LFENCE */
	uint64_t cr3;	  /* loads of CR3; each is in tlb as well */
};

struct bench_run {
	const char *name;
	bool skipped;
	char why[160]; /* of a skip */
	bool insns;    /* a tick is an instruction; else times are in nanoseconds */
	enum bench_unit unit;
	uint64_t value; /* hundredths of the unit */
	uint64_t n;	/* operations that the value comes from */
	bool counted;	/* counts are known */
	struct bench_counts counts;
};
struct bench {
	const char *name;
	void (*run)(struct bench_run *b);
};
#define BENCH(ident, dotted, fn)                                                                   \
	static const struct bench bench_##ident                                                    \
		__attribute__((used, section("hf_benches"), aligned(8))) = {dotted, fn}

/* The row cannot run; the first reason stays. */
void bench_skip(struct bench_run *b, const char *fmt, ...) __printf(2, 3);

/* before, after: outside the timed section, may be NULL. `stepped` is what the counts are taken
 * from, NULL: op itself (a page fault's handler cannot be single-stepped, a call of it can). */
struct bench_case {
	void (*before)(void *arg), (*op)(void *arg), (*after)(void *arg), (*stepped)(void *arg);
	void *arg;
};
#define BENCH_MAX_REPEATS 1024
/*
 * Runs the case `repeats` times (1 … BENCH_MAX_REPEATS) and once more single-stepped. The row's
 * value is the median of the timed sections, less what an empty one costs, divided by `per`, the
 * operations in one section. `per` 0: nothing to divide by was done; the row is skipped by whoever
 * noticed.
 */
void bench_measure(struct bench_run *b, enum bench_unit unit, const struct bench_case *c,
		   unsigned repeats, uint64_t per);
/* For rows that time themselves: the same from `nr` samples of TSC ticks (sorted here). */
void bench_samples(struct bench_run *b, enum bench_unit unit, uint64_t *ticks, unsigned nr,
		   uint64_t per);
void bench_bytes(struct bench_run *b, uint64_t bytes, uint64_t n);   /* a row that weighs memory */
void bench_rate(struct bench_run *b, uint64_t wakeups, uint64_t ns); /* so many in this time */
void bench_waits(struct bench_run *b, uint64_t waits, uint64_t n);   /* so many in n operations */
/* Runs fn(arg) single-stepped and fills the counts, divided by `per`. fn must not sleep. */
void bench_count(struct bench_run *b, void (*fn)(void *), void *arg, uint64_t per);

/*
 * Runs fn(arg) single-stepped and stores the addresses of the 64-byte lines that its locked
 * operations write, each once, up to `max` of them. How many there are. bench_lock held; fn must
 * not sleep.
 */
unsigned bench_locked_lines(void (*fn)(void *), void *arg, uint64_t *addr, unsigned max);

/* One row as JSON into buf, without a newline; as snprintf(). */
int bench_format(char *buf, size_t n, const struct bench_run *b);

/* ---- bench_fixture.c: an empty address space, a fresh file system, one file ---- */

struct bench_file {
	struct dax_fs *fs;
	struct mm *old; /* the caller's address space */
	struct dax_inode *inode;
	uint64_t va, pages; /* va 0: not mapped */
};
/* An empty address space and a fresh file system, no file: f->inode is NULL. No page record of its
 * device exists. False: skipped, nothing to undo. */
bool bench_fs_start(struct bench_run *b, struct bench_file *f, enum scratch_size size);
/* The same, and the file system that is on the scratch device already. */
bool bench_fs_again(struct bench_run *b, struct bench_file *f);
/* A file of `pages` written pages, not mapped, no entries, on 1 GiB. False as above. */
bool bench_file_start(struct bench_run *b, struct bench_file *f, uint64_t pages);
/* The same under a lifetime that is not the default one. */
bool bench_file_start_as(struct bench_run *b, struct bench_file *f, uint64_t pages,
			 const struct lifetime *lt);
void bench_file_end(struct bench_file *f);   /* unmaps, unmounts */
bool bench_file_write(struct bench_file *f); /* all pages get blocks and bytes (again) */
/* One page off modulo 2 MiB: nothing mapped there is served by 2 MiB. */
#define BENCH_4K (USER_MMAP + PAGE_SIZE)
/* Maps all of it writable at `at` (0: BENCH_4K) and stores to every page: present and dirty. */
void bench_file_map(struct bench_file *f, uint64_t at);
void bench_file_dirty(struct bench_file *f); /* stores to every page */
void bench_file_unmap(struct bench_file *f);

/* ---- bench_step.asm, bench_count.c ---- */

/* TSC ticks of a loop of exactly 2 * rounds instructions. */
uint64_t bench_loop(uint64_t rounds);
/* Runs fn(arg) with a debug exception after each instruction: trap_set_single_step() says who hears
 * of it. bench_lock held; fn must not sleep. */
void bench_step(void (*fn)(void *), void *arg);
/* Does an instruction raise that exception? Not where valgrind runs the process (boot/host).
 * bench_lock not held. */
bool bench_can_step(void);
#define BENCH_NO_STEPS "no exception after each instruction, as under valgrind"
extern bool bench_by_function;	/* bench_count() prints how many instructions each function took */
extern struct mutex bench_lock; /* one benchmark at a time: times, samples and counts are shared */

/*
 * What the rows lifetime.LT.* share: one page of a file under one of the designs, somebody who
 * holds it, and somebody who takes its block away in a thread of his own, and may fall asleep.
 */

/* A file of one page. Zeroed but for `b` and `holds` before lived_start(). */
struct lived {
	struct bench_run *b;
	struct bench_file f;
	bool holds;	   /* lived_refill() pins the page */
	struct page *page; /* pinned; NULL: nobody holds it */
};
/* Mounts with `lt` and makes the file. False: skipped, nothing to undo. */
bool lived_start(struct lived *l, const struct lifetime *lt);
void lived_end(struct lived *l); /* lets go, too */
/* A struct lived: nobody holds a page; then block, mapping, store, and the pin if it `holds`. */
void lived_refill(void *arg);
void lived_let_go(struct lived *l);
/* Operations on a struct lived; an error skips the row. */
void lived_truncate(void *arg); /* to nothing */
void lived_punch(void *arg);	/* its only page */

/* An operation in a thread of its own. */
struct sleeper {
	void (*op)(void *arg); /* NULL: nothing */
	struct lived *l;       /* its argument */
	struct thread *thread;
	bool begun, returned; /* the operation */
	uint64_t ran_ns;      /* after the join: time on a CPU, asleep not counted */
};
/* Starts s->op (the caller filled op and l) and waits until it sleeps for the page, for a lease of
 * the file or for space: true. It returned, or there is no thread (row skipped): false. */
bool sleeper_sleeps(struct sleeper *s);
void sleeper_join(struct sleeper *s);

/* One row for each design: lifetime.NAME.WHAT runs fn(b, design). */
#define LIFETIME_ROW(lt, name, what, ident, fn)                                                    \
	static void lt##_##ident(struct bench_run *b)                                              \
	{                                                                                          \
		fn(b, &lifetime_##lt);                                                             \
	}                                                                                          \
	BENCH(lifetime_##lt##_##ident, "lifetime." name "." what, lt##_##ident)
#define LIFETIME_ROWS(what, ident, fn)                                                             \
	LIFETIME_ROW(unaware, "unaware", what, ident, fn);                                         \
	LIFETIME_ROW(lease_poll, "lease-poll", what, ident, fn);                                   \
	LIFETIME_ROW(idle_at_one, "idle-at-one", what, ident, fn);                                 \
	LIFETIME_ROW(zap_to_zero, "zap-to-zero", what, ident, fn);                                 \
	LIFETIME_ROW(counted_map, "counted-map", what, ident, fn);                                 \
	LIFETIME_ROW(refuse_busy, "refuse-busy", what, ident, fn);                                 \
	LIFETIME_ROW(busy_extent, "busy-extent", what, ident, fn)

#endif
