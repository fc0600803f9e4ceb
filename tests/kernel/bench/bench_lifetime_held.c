/* SPDX-License-Identifier: MIT */
/*
 * Rows that put the designs side by side: the RAM that a held page costs, and what waiting
 * costs where nobody is told.
 *
 *   held.bytes     RAM of a page that a device holds: its record, and what a call that took it
 *                  leaves behind until the put (in lease-poll a lease with a list of pages). Taken
 *                  by one call each. Where truncate does not wait, the file has lost the blocks
 *                  before RAM is weighed again: a list of busy blocks would be in the figure. What
 *                  the file has of a page (index entry, page table) is not: it is there unheld.
 *   poll.wakeups   (lease-poll) how often a CPU is woken in a second of waiting for one lease: by
 *                  the poll that looks at its pages, and by the sleeper, who looks at the lease
 *                  anew every tick, as a broken lease without a deadline makes him
 *   poll.looks     (lease-poll) the poll's part of it
 */
#include "tests/kernel/bench/bench.h"

#define PAGES	1024u
#define HOLD_NS 1500000000ull

/* ---- RAM ---- */

struct held {
	struct bench_run *b;
	struct bench_file f;
	struct page *page[PAGES];
	unsigned nr;
};
static struct held held; /* under bench_lock */

static void let_all_go(struct held *h)
{
	if (h->nr)
		unpin_user_pages(h->page, h->nr);
	h->nr = 0;
}

/* One call a page. What the calls took from the heap and did not give back. */
static int64_t hold_all(struct held *h)
{
	heap_watch();
	for (h->nr = 0; h->nr < PAGES; h->nr++)
		if (get_user_pages_fast(h->f.va + h->nr * PAGE_SIZE, 1, FOLL_PIN | FOLL_WRITE,
					&h->page[h->nr]) != 1)
			break;
	if (h->nr < PAGES)
		bench_skip(h->b, "page %u could not be pinned", h->nr);
	return heap_unwatch();
}

/* The first call of all makes what later ones share, such as a thread that polls. */
static void first_call(struct held *h)
{
	struct page *page;

	if (get_user_pages_fast(h->f.va, 1, FOLL_PIN | FOLL_WRITE, &page) == 1)
		unpin_user_pages(&page, 1);
}

/* Maps PAGES pages from the first one of a 2 MiB range on, and stores to each: so frames of records
 * hold theirs alone, and none is there only for the head of a range. False: skipped. */
static bool map_whole_frames(struct held *h)
{
	struct dax_inode *inode = h->f.inode;
	struct dax_run run = {0};
	uint64_t va = BENCH_4K, first;
	int err;

	down_read(&inode->fault_lock);
	err = inode->ops->map_run(inode, 0, (uint32_t)h->f.pages, false, &run);
	up_read(&inode->fault_lock);
	first = ALIGN_UP(run.pfn, FOLIO_PAGES) - run.pfn;
	h->f.pages = PAGES;
	if (err || run.count < first + PAGES ||
	    dax_mmap(current_mm(), inode, first, PAGES, true, &va)) {
		bench_skip(h->b, "%u pages side by side could not be mapped: %s", PAGES, refusal());
		return false;
	}
	h->f.va = va;
	bench_file_dirty(&h->f);
	return true;
}

/* Holds all, lets the file go where that does not wait. Bytes of RAM that came. */
static uint64_t weigh(struct held *h, const struct lifetime *lt, uint64_t record_frames_before)
{
	uint64_t before, bytes = (uint64_t)hold_all(h);

	before = heap_frames();
	if (lt->idle_run && !h->b->skipped && dax_truncate(h->f.inode, 0))
		bench_skip(h->b, "truncate: %s", refusal());
	bytes += (heap_frames() - before) * PAGE_SIZE;
	return bytes + (record_frames - record_frames_before) * PAGE_SIZE;
}

static void held_bytes(struct bench_run *b, const struct lifetime *lt)
{
	struct held *h = &held;
	uint64_t frames, bytes = 0;

	held = (struct held){.b = b};
	if (scratch_forget_records()) {
		bench_skip(b, "the scratch device could not be bound anew: %s", refusal());
		return;
	}
	frames = record_frames;
	if (!bench_file_start_as(b, &h->f, PAGES + FOLIO_PAGES, lt))
		return;
	if (map_whole_frames(h)) {
		first_call(h);
		bytes = weigh(h, lt, frames);
	}
	bench_bytes(b, 0, PAGES);
	b->value = bytes * 100 / PAGES;
	let_all_go(h);
	bench_file_end(&h->f);
}
LIFETIME_ROWS("held.bytes", held_bytes, held_bytes);

/* ---- waiting by looking ---- */

extern unsigned long lease_polls;

/* One punch waits from its break until the first look after the put. */
static void wait_polling(struct lived *l, bool sleeper_too)
{
	struct sleeper s = {.op = lived_punch, .l = l};
	unsigned long polls = lease_polls, wakes = lease_wakes, n;

	if (!sleeper_sleeps(&s)) {
		bench_skip(l->b, "punch did not wait for the lease");
	} else {
		thread_sleep_ns(HOLD_NS);
		lived_let_go(l);
	}
	sleeper_join(&s);
	n = lease_polls - polls + (sleeper_too ? lease_wakes - wakes : 0);
	if (!l->b->skipped)
		bench_rate(l->b, n, l->f.inode->last_break.waited_ns);
}

static void poll(struct bench_run *b, bool sleeper_too)
{
	struct lived l = {.b = b, .holds = true};

	if (!lived_start(&l, &lifetime_lease_poll))
		return;
	lived_refill(&l);
	if (!b->skipped)
		wait_polling(&l, sleeper_too);
	lived_end(&l);
}

static void poll_wakeups(struct bench_run *b)
{
	poll(b, true);
}
BENCH(lifetime_poll_wakeups, "lifetime.lease-poll.poll.wakeups", poll_wakeups);

static void poll_looks(struct bench_run *b)
{
	poll(b, false);
}
BENCH(lifetime_poll_looks, "lifetime.lease-poll.poll.looks", poll_looks);
