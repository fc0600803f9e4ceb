/* SPDX-License-Identifier: MIT */
/*
 * truncate.busy, truncate.idle: ftruncate to 0 of a file with one page, mapped and stored to, whose
 * page a device holds or nobody holds, in the default lifetime (busy-extent). The size, unmapping
 * and its flush, the entry, the extent, the mark, the bitmap are inside; the put that releases the
 * block later is not. The file layer's metadata is written back and fenced, as always.
 */
#include "tests/kernel/bench/bench.h"

#define REPEATS 31

struct busy {
	struct bench_run *b;
	struct bench_file f;
	bool pins;
	struct page *page; /* NULL: not pinned */
};

static void let_go(struct busy *w)
{
	if (w->page)
		unpin_user_pages(&w->page, 1);
	w->page = NULL;
}

/* The page again, stored to, and pinned if it is to be. */
static void refill(void *arg)
{
	struct busy *w = arg;

	let_go(w);
	if (!bench_file_write(&w->f))
		bench_skip(w->b, "the file could not be filled: %s", refusal());
	else if (!w->f.va)
		bench_file_map(&w->f, 0);
	else
		bench_file_dirty(&w->f);
	if (w->pins && !w->b->skipped &&
	    get_user_pages_fast(w->f.va, 1, FOLL_PIN | FOLL_WRITE, &w->page) != 1)
		bench_skip(w->b, "the page could not be pinned");
}

static void truncate(void *arg)
{
	struct busy *w = arg;
	int err = dax_truncate(w->f.inode, 0);

	if (err || w->f.inode->last_break.busy_seen)
		bench_skip(w->b, err ? "error %d" : "it waited (%d)", err);
}

static void measure(struct bench_run *b, bool pins)
{
	struct busy w = {.b = b, .pins = pins};
	const struct bench_case c = {.before = refill, .op = truncate, .arg = &w};

	if (!bench_file_start(b, &w.f, 1))
		return;
	bench_measure(b, BENCH_INSNS, &c, REPEATS, 1);
	let_go(&w);
	bench_file_end(&w.f);
}

static void truncate_busy(struct bench_run *b)
{
	measure(b, true);
}
BENCH(truncate_busy, "truncate.busy", truncate_busy);

static void truncate_idle(struct bench_run *b)
{
	measure(b, false);
}
BENCH(truncate_idle, "truncate.idle", truncate_idle);
