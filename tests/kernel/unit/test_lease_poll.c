/* SPDX-License-Identifier: MIT */
/* Self-tests: the lifetime lease-poll (lifetime.lease-poll.*). A poll comes once a second. */
#include "dax/lifetime/internal.h"
#include "tests/kernel/lib/huge.h"
#include "tests/kernel/race/race.h"

static struct page *pinned_page(struct fixture *fx)
{
	uint64_t va = fx_map(fx, "f", 1, 'a');
	struct page *p = NULL;

	return va && get_user_pages_fast(va, 1, PIN, &p) == 1 ? p : NULL;
}

static int punch_first(struct dax_inode *inode, uint64_t unused)
{
	(void)unused;
	return dax_punch(inode, 0, PAGE_SIZE);
}

/* Until the punch sleeps for a lease. False: it did not. */
static bool sleeps_for_lease(struct fx_op *op)
{
	return fx_falls_asleep(op, &op->inode->leases);
}

SELFTEST(
	poll_fast, "lifetime.lease-poll.fast-gup-refused",
	"fast gup takes nothing of a file's mapping, by 4K or by 2M; the slow path takes a lease a "
	"call")
{
	FIXTURE(fx, &lifetime_lease_poll);
	uint64_t va = fx_map(&fx, "f", 2, 'a'), huge = map_huge(&fx, "h", 1);
	struct page *p[2], *q = NULL;
	long fast, fast2, slow;
	unsigned leases;

	EXPECT_OR(out, va && huge, "not mapped");
	*at(va) = *at(PAGE(va, 1)) = 'b';
	fast = get_user_pages_fast(va, 1, PIN | FOLL_FAST_ONLY, p);
	fast2 = get_user_pages_fast(huge, 1, PIN | FOLL_FAST_ONLY, &q);
	slow = get_user_pages_fast(va, 2, PIN, p);
	leases = lease_count(&fx.inode[0]->leases, LEASE_ALLOCATED);
	if (slow > 0)
		unpin_user_pages(p, slow);
	EXPECT_OR(out, !fast && !fast2 && level_at(huge) == 2, "fast %ld, by 2M %ld", fast, fast2);
	EXPECT_OR(out, slow == 2 && leases == 1, "slow %ld, %u lease(s)", slow, leases);
out:
	fixture_end(&fx);
}

SELFTEST(poll_punch, "lifetime.lease-poll.punch-waits",
	 "punch sleeps for the call's lease; the first poll after the put ends it, none before")
{
	FIXTURE(fx, &lifetime_lease_poll);
	struct page *p = pinned_page(&fx);
	struct fx_op op = {.inode = fx.inode[0], .fn = punch_first};
	bool slept, still;
	unsigned long polls;

	EXPECT_OR(out, p && fx_start(&op), "no pinned page");
	slept = sleeps_for_lease(&op);
	polls = lease_polls;
	AWAIT_POLLS(lease_polls > polls, "a poll that finds the page held");
	quiet_wait();
	still = !fx_done(&op);
	polls = lease_polls;
	unpin_user_pages(&p, 1);
	AWAIT_POLLS(fx_done(&op), "the punch to end");
	polls = lease_polls - polls;
	fx_join(&op);
	EXPECT_OR(out, slept && still && !op.err, "slept %d, after a poll still %d, error %d",
		  slept, still, op.err);
	EXPECT_OR(out, polls == 1, "it took %lu polls after the put", polls);
	EXPECT_OR(out, !lease_count(&fx.inode[0]->leases, LEASE_ALL), "a lease is left");
out:
	fixture_end(&fx);
}

SELFTEST(poll_truncate, "lifetime.lease-poll.truncate-goes-on",
	 "truncate breaks no lease of this class: it frees the held page's block (B-7)")
{
	FIXTURE(fx, &lifetime_lease_poll);
	struct page *p = pinned_page(&fx);
	int err;

	EXPECT_OR(out, p, "no pinned page");
	err = dax_truncate(fx.inode[0], 0);
	unpin_user_pages(&p, 1);
	EXPECT_OR(out, !err && fx.inode[0]->collisions == 1, "error %d, %u collision(s)", err,
		  fx.inode[0]->collisions);
out:
	fixture_end(&fx);
}

SELFTEST(poll_second_vma, "lifetime.lease-poll.second-vma",
	 "of a call over two files only the first has a lease (B-1)")
{
	FIXTURE(fx, &lifetime_lease_poll);
	uint64_t a = fx_map(&fx, "a", 1, 'a'), next = PAGE(a, 1);
	struct dax_inode *b = scratch_file("b", 1, 'b');
	struct page *p[2];
	long n = 0;
	unsigned first, second;
	bool mapped;

	mapped = a && b && !dax_mmap(current_mm(), b, 0, 1, true, &next);
	EXPECT_OR(out, mapped && next == PAGE(a, 1), "no neighbours");
	n = get_user_pages_fast(a, 2, PIN, p);
	first = lease_count(&fx.inode[0]->leases, LEASE_ALLOCATED);
	second = lease_count(&b->leases, LEASE_ALLOCATED);
	if (n > 0)
		unpin_user_pages(p, n);
	EXPECT_OR(out, n == 2 && first == 1 && !second, "%ld pages, %u and %u leases", n, first,
		  second);
out:
	if (mapped)
		unmap(next, 1);
	if (b)
		dax_put(b);
	fixture_end(&fx);
}

SELFTEST(poll_signal, "lifetime.lease-poll.signal",
	 "a signal ends the wait for a lease with -EINTR, and the punch does not happen (B-5)")
{
	FIXTURE(fx, &lifetime_lease_poll);
	struct page *p = pinned_page(&fx);
	struct fx_op op = {.inode = fx.inode[0], .fn = punch_first};
	uint64_t before = fx_free_blocks(&fx);

	EXPECT_OR(out, p && fx_start(&op), "no pinned page");
	sleeps_for_lease(&op);
	thread_signal(op.thread);
	fx_join(&op);
	unpin_user_pages(&p, 1);
	EXPECT_OR(out, op.err == -EINTR && fx_free_blocks(&fx) == before, "error %d, %ld freed",
		  op.err, (long)(fx_free_blocks(&fx) - before));
out:
	fixture_end(&fx);
}

SELFTEST(poll_nothing_got, "lifetime.lease-poll.nothing-got",
	 "a call that gets no page keeps no lease")
{
	FIXTURE(fx, &lifetime_lease_poll);
	uint64_t va = fx_map(&fx, "f", 1, 'a');
	struct page *p;
	long n;

	EXPECT_OR(out, va, "not mapped");
	n = get_user_pages_fast(va, 1, PIN | FOLL_LONGTERM, &p);
	EXPECT_OR(out, n == -EOPNOTSUPP && !lease_count(&fx.inode[0]->leases, LEASE_ALL),
		  "%ld, %u lease(s)", n, lease_count(&fx.inode[0]->leases, LEASE_ALL));
out:
	fixture_end(&fx);
}

SELFTEST(poll_reaps, "lifetime.lease-poll.reaps",
	 "a lease that nobody breaks is broken by the poll, and goes with it")
{
	FIXTURE(fx, &lifetime_lease_poll);
	struct page *p = pinned_page(&fx);
	unsigned long polls = lease_polls;
	unsigned before, after;

	EXPECT_OR(out, p, "no pinned page");
	before = lease_count(&fx.inode[0]->leases, LEASE_ALLOCATED);
	unpin_user_pages(&p, 1);
	AWAIT_POLLS(!lease_count(&fx.inode[0]->leases, LEASE_ALLOCATED), "the lease to go");
	after = lease_count(&fx.inode[0]->leases, LEASE_ALLOCATED);
	EXPECT_OR(out, before == 1 && !after, "%u, then %u lease(s)", before, after);
	EXPECT_OR(out, lease_polls - polls <= 3, "it took %lu polls", lease_polls - polls);
out:
	fixture_end(&fx);
}

static struct dax_inode *exchanged;

static int exchange_first(struct dax_inode *inode, uint64_t unused)
{
	(void)unused;
	return dax_exchange(inode, 0, exchanged, 0, PAGE_SIZE);
}

SELFTEST(poll_exchange, "lifetime.lease-poll.exchange-waits",
	 "exchange sleeps for the lease of a call on either file: a held page stays with its file")
{
	FIXTURE(fx, &lifetime_lease_poll);
	uint64_t a = fx_map(&fx, "a", 1, 'a'), b = fx_map(&fx, "b", 1, 'b');

	EXPECT_OR(out, a && b, "not mapped");
	exchanged = fx.inode[1];
	for (unsigned i = 0; i < 2; i++) {
		struct fx_op op = {.inode = fx.inode[0], .fn = exchange_first};
		struct page *p = NULL;
		bool slept = false, stays;

		EXPECT_OR(out, get_user_pages_fast(fx.va[i], 1, PIN, &p) == 1, "no pin");
		slept = fx_start(&op) && fx_falls_asleep(&op, &fx.inode[i]->leases);
		stays = p->mapping == &fx.inode[i]->mapping;
		unpin_user_pages(&p, 1);
		fx_join(&op);
		EXPECT_OR(out, slept && stays && !op.err,
			  "file %u: slept %d, the page stayed %d, error %d", i, slept, stays,
			  op.err);
	}
out:
	fixture_end(&fx);
}

SELFTEST(poll_slow_host, "lifetime.lease-poll.slow-host",
	 "race C-6 does not call it safe that the host stood still while the page was idle")
{
	struct race_result r;

	c6_stalls = 2;
	r = race_run(race_find("C-6"), &lifetime_lease_poll, NULL);
	if (r.absent)
		SKIP("%s", r.text);
	EXPECT(r.verdict == RACE_HUNG, "verdict %d: %s", r.verdict, r.text);
	EXPECT(!c6_stalls, "%u of 2 moments were not played", c6_stalls);
}
