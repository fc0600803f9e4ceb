/* SPDX-License-Identifier: MIT */
/*
 * Self-test: a deaf holder's mapping, and an exchange. Who exchanges blocks sleeps for the lease
 * with the I/O locks of both files, while a truncate or a punch gives its own up: a revoke that
 * wanted them would wait for whoever waits for it.
 */
#include "tests/kernel/lib/fixture.h"

#define SOON 20000000ull /* ns: how long a deaf holder has its lease */

static struct dax_inode *other;

static int exchange(struct dax_inode *f, uint64_t at)
{
	return dax_exchange(f, at, other, at, PAGE_SIZE);
}

SELFTEST(direct_exchange, "direct.deaf-in-exchange",
	 "an exchange of blocks goes on when the mapping of a deaf holder was revoked")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	const uint64_t before = lease_break_time_ns;
	struct dax_inode *f = scratch_file("f", 1, 'f');
	struct fx_op op = {.inode = f, .fn = exchange};
	bool ended = false;
	uint64_t va = 0;

	other = scratch_file("g", 1, 'g');
	EXPECT_OR(out, f && other && !fx_map_flags(f, 1, MAP_DIRECT, false, &va), "%s", refusal());
	lease_break_time_ns = SOON;
	if (fx_start(&op)) {
		ended = fx_ends(&op);
		thread_signal(op.thread); /* it would sleep for ever */
		fx_join(&op);
	}
	EXPECT_OR(out, ended && !op.err, "the exchange ended by itself %d, error %d", ended,
		  op.err);
	EXPECT_OR(out, store_checked((uint64_t *)va, 1) == -EFAULT, "the mapping is not revoked");
out:
	lease_break_time_ns = before;
	if (va)
		mm_unmap(current_mm(), va, PAGE_SIZE);
	if (other)
		dax_put(other);
	if (f)
		dax_put(f);
	fixture_end(&fx);
	fx_take_notices(NULL, 0); /* that of the lease */
}
