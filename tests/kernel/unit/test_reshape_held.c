/* SPDX-License-Identifier: MIT */
/* Self-tests: reshaping a file whose pages are held, and under every lifetime (reshape.*). */
#include "tests/kernel/lib/reshape.h"

/* ---- held pages -------------------------------------------------------------------------- */

static int do_collapse(struct dax_inode *inode, uint64_t arg)
{
	return dax_collapse(inode, 0, arg);
}

SELFTEST(reshape_collapse_waits, "reshape.collapse-waits",
	 "idle-at-one: collapse waits for the holder of a page that would only move")
{
	FIXTURE(fx, &lifetime_idle_at_one);
	uint64_t va = map_numbered(&fx, "f", 4, 100);
	struct page *p = NULL;
	struct fx_op op = {.inode = fx.inode[0], .fn = do_collapse, .arg = PAGE_SIZE};
	bool asleep;

	EXPECT_OR(out, va && get_user_pages_fast(PAGE(va, 3), 1, PIN, &p) == 1, "no pin");
	EXPECT_OR(unpin, fx_start(&op), "no thread");
	asleep = fx_asleep(&op, p);
	*(uint64_t *)page_to_virt(p) = 77; /* the device */
	unpin_user_pages(&p, 1);
	fx_join(&op);
	EXPECT_OR(out, asleep && !op.err, "asleep %d, error %d", asleep, op.err);
	EXPECT_OR(out, *word(va, 2) == 77 && !wrong(va, 0, 2, 101), "contents");
	EXPECT_OR(out, !held(&fx, 0) && !check_all(), "an invariant is violated");
	goto out;
unpin:
	unpin_user_pages(&p, 1);
out:
	fixture_end(&fx);
}

static struct dax_inode *other; /* the second file of do_exchange() */

static int do_exchange(struct dax_inode *inode, uint64_t arg)
{
	return dax_exchange(inode, 0, other, 0, arg);
}

/* Exchange while page 1 of file `i` is held: it sleeps, and goes on after the put. */
static const char *exchange_waits(struct fixture *fx, unsigned i)
{
	struct fx_op op = {.inode = fx->inode[0], .fn = do_exchange, .arg = 2 * PAGE_SIZE};
	struct page *p = NULL;
	bool asleep, fault;

	other = fx->inode[1];
	if (get_user_pages_fast(PAGE(fx->va[i], 1), 1, PIN, &p) != 1)
		return "no pin";
	if (!fx_start(&op)) {
		unpin_user_pages(&p, 1);
		return "no thread";
	}
	asleep = fx_asleep(&op, p);
	/* While it sleeps, faults of both files go on: this would hang otherwise. */
	fault = *word(fx->va[!i], 3) && *word(fx->va[i], 3);
	unpin_user_pages(&p, 1);
	fx_join(&op);
	if (!asleep || !fault)
		return "it did not sleep";
	return op.err ? "it failed" : NULL;
}

SELFTEST(reshape_exchange_waits, "reshape.exchange-waits",
	 "idle-at-one: exchange waits for a held page of either file, with no lock a fault needs")
{
	FIXTURE(fx, &lifetime_idle_at_one);
	uint64_t a = map_numbered(&fx, "a", 4, 100), b = map_numbered(&fx, "b", 4, 200);
	const char *why;

	EXPECT_OR(out, a && b, "not mapped");
	why = exchange_waits(&fx, 0);
	EXPECT_OR(out, !why, "first file: %s", why);
	EXPECT_OR(out, !wrong(a, 0, 2, 200) && !wrong(b, 0, 2, 100), "contents");
	why = exchange_waits(&fx, 1);
	EXPECT_OR(out, !why, "second file: %s", why);
	EXPECT_OR(out, !wrong(a, 0, 4, 100) && !wrong(b, 0, 4, 200), "contents");
	EXPECT_OR(out, !held(&fx, 0) && !held(&fx, 1) && !check_all(), "an invariant is violated");
out:
	fixture_end(&fx);
}

SELFTEST(reshape_exchange_signal, "reshape.exchange-signal",
	 "a signal ends the wait of an exchange with -EINTR, and both files are as before")
{
	FIXTURE(fx, &lifetime_idle_at_one);
	uint64_t a = map_numbered(&fx, "a", 4, 100), b = map_numbered(&fx, "b", 4, 200);
	struct fx_op op = {.inode = fx.inode[0], .fn = do_exchange, .arg = 2 * PAGE_SIZE};
	struct page *p = NULL;
	bool asleep;

	other = fx.inode[1];
	EXPECT_OR(out, a && b && get_user_pages_fast(b, 1, PIN, &p) == 1, "no pin");
	EXPECT_OR(unpin, fx_start(&op), "no thread");
	asleep = fx_asleep(&op, p);
	thread_signal(op.thread);
	fx_join(&op);
	EXPECT_OR(unpin, asleep && op.err == -EINTR, "asleep %d, %d", asleep, op.err);
	EXPECT_OR(unpin, !wrong(a, 0, 4, 100) && !wrong(b, 0, 4, 200), "contents");
unpin:
	unpin_user_pages(&p, 1);
	EXPECT_OR(out, !check_all(), "an invariant is violated");
out:
	fixture_end(&fx);
}

/* ---- every lifetime, and the one that never waits ------------------------------------------ */

SELFTEST(reshape_held_moves, "reshape.held-moves",
	 "busy-extent: a held page moves at once, and a late write lands at its new offset; one "
	 "that was taken out is out of reach until the put")
{
	FIXTURE(fx, &lifetime_busy_extent);
	uint64_t va = map_numbered(&fx, "f", 4, 100), free;
	struct page *gone = NULL, *moved = NULL;

	EXPECT_OR(out, va && get_user_pages_fast(va, 1, PIN, &gone) == 1, "no pin");
	EXPECT_OR(put, get_user_pages_fast(PAGE(va, 3), 1, PIN, &moved) == 1, "no second pin");
	free = fx_free_blocks(&fx);
	EXPECT_OR(put, !dax_collapse(fx.inode[0], 0, PAGE_SIZE), "%s", refusal());
	EXPECT_OR(put, !fx.inode[0]->last_break.waited_ns, "it waited");
	EXPECT_OR(put, !moved->mapping && !gone->mapping, "a held page still names a file");
	*(uint64_t *)page_to_virt(moved) = 77; /* the devices */
	*(uint64_t *)page_to_virt(gone) = 78;
	EXPECT_OR(put, *word(va, 2) == 77 && !wrong(va, 0, 2, 101), "contents");
	EXPECT_OR(put, page_state(gone) & PAGE_BUSY && !(page_state(moved) & PAGE_BUSY),
		  "busy is not what left the file");
	EXPECT_OR(put, fx_free_blocks(&fx) == free + 1 && !check_all(), "an invariant");
put:
	unpin_user_pages(&gone, 1);
	if (moved)
		unpin_user_pages(&moved, 1);
	EXPECT_OR(out, !(page_state(gone) & PAGE_BUSY) && !check_all(), "busy after the put");
out:
	fixture_end(&fx);
}

SELFTEST(reshape_held_stays, "reshape.held-is-not-exchanged",
	 "busy-extent: exchange of a held page of either file is refused at once, its holder named")
{
	FIXTURE(fx, &lifetime_busy_extent);
	uint64_t a = map_numbered(&fx, "a", 4, 100), b = map_numbered(&fx, "b", 4, 200);
	struct page *p = NULL;

	EXPECT_OR(out, a && b, "not mapped");
	for (unsigned i = 0; i < 2; i++) {
		int err;

		EXPECT_OR(out, get_user_pages_fast(PAGE(i ? b : a, 1), 1, PIN, &p) == 1, "no pin");
		err = dax_exchange(fx.inode[0], 0, fx.inode[1], 0, 2 * PAGE_SIZE);
		unpin_user_pages(&p, 1);
		EXPECT_OR(out, err == -EBUSY && strstr(refusal(), "is held"), "%d: %s", err,
			  refusal());
		EXPECT_OR(out, !wrong(a, 0, 4, 100) && !wrong(b, 0, 4, 200), "contents");
	}
	/* pages 2 and 3 never were held; nobody holds the others any more */
	EXPECT_OR(out, !dax_exchange(fx.inode[0], 0, fx.inode[1], 0, 4 * PAGE_SIZE), "%s",
		  refusal());
	EXPECT_OR(out, !wrong(a, 0, 4, 200) && !wrong(b, 0, 4, 100) && !check_all(), "contents");
out:
	fixture_end(&fx);
}

SELFTEST(reshape_held_tail, "reshape.held-tail-is-not-exchanged",
	 "busy-extent: a held page of 2 MiB, which its first record counts, is not exchanged "
	 "either, though the range leaves that one out")
{
	FIXTURE(fx, &lifetime_busy_extent);
	uint64_t a = map_huge(&fx, "a", 1), b = map_huge(&fx, "b", 1), off = 4 * PAGE_SIZE;
	struct page *p = NULL;
	int err;

	EXPECT_OR(out, a && b && level_at(a) == 2 && level_at(b) == 2, "not mapped by 2 MiB");
	for (unsigned i = 0; i < 2; i++) {
		EXPECT_OR(out, get_user_pages_fast(PAGE(i ? b : a, 5), 1, PIN, &p) == 1, "no pin");
		err = dax_exchange(fx.inode[0], off, fx.inode[1], off, 4 * PAGE_SIZE);
		unpin_user_pages(&p, 1);
		EXPECT_OR(out, err == -EBUSY && strstr(refusal(), "is held"), "%d: %s", err,
			  refusal());
	}
	EXPECT_OR(out, !dax_exchange(fx.inode[0], off, fx.inode[1], off, 4 * PAGE_SIZE), "%s",
		  refusal());
	EXPECT_OR(out, !check_all(), "an invariant is violated");
out:
	fixture_end(&fx);
}

/* Every operation once, on two files of four pages. A sentence if something is wrong. */
static const char *all_operations(struct fixture *fx)
{
	uint64_t a = map_numbered(fx, "a", 4, 100), b = map_numbered(fx, "b", 4, 200);

	if (!a || !b)
		return "not mapped";
	if (dax_exchange(fx->inode[1], 0, fx->inode[0], PAGE_SIZE, 2 * PAGE_SIZE) ||
	    wrong(a, 1, 3, 200) || wrong(b, 0, 2, 101))
		return "exchange";
	if (dax_collapse(fx->inode[0], 0, PAGE_SIZE) || wrong(a, 0, 2, 200))
		return "collapse";
	if (dax_insert(fx->inode[0], PAGE_SIZE, PAGE_SIZE) || *word(a, 0) != 200 ||
	    *word(a, 1) != 0 || *word(a, 2) != 201)
		return "insert";
	if (dax_zero_range(fx->inode[1], PAGE_SIZE, PAGE_SIZE, true) || *word(b, 1) != 0 ||
	    *word(b, 0) != 101 || wrong(b, 2, 4, 202))
		return "zero range";
	return check_all() ? "an invariant is violated" : NULL;
}

static int count_used(struct page *p, void *arg)
{
	*(unsigned *)arg += page_refs(p) != p->pgmap->rest || page_maps(p) || p->mapping;
	return 0;
}

SELFTEST(reshape_every_lifetime, "reshape.every-lifetime",
	 "all four operations under each lifetime; afterwards every count is back at rest")
{
	const struct lifetime *lt;

	for (unsigned n = 0; (lt = lifetime_nth(n)); n++) {
		struct pmem_region *r;
		const char *failed;
		unsigned used = 0;

		FIXTURE(fx, lt);
		r = fx.fs->region;
		failed = all_operations(&fx);
		fixture_end(&fx);
		EXPECT(!failed, "%s: %s (%s)", lt->name, failed, refusal());
		page_records_for_each(r->start >> PAGE_SHIFT, 4096, count_used, &used);
		EXPECT(!used, "%s: %u record(s) not at rest", lt->name, used);
	}
}
