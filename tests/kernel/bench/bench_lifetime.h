/* SPDX-License-Identifier: MIT */
/*
 * What the rows lifetime.LT.* share: one page of a file under one of the designs, somebody who
 * holds it, and somebody who takes its block away in a thread of his own, and may fall asleep.
 */
#ifndef TESTS_KERNEL_BENCH_BENCH_LIFETIME_H
#define TESTS_KERNEL_BENCH_BENCH_LIFETIME_H

#include "tests/kernel/bench/bench.h"

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
	LIFETIME_ROW(busy_extent, "busy-extent", what, ident, fn)

#endif
