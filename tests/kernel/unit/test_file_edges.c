/* SPDX-License-Identifier: MIT */
/* Self-tests: what the operations on files refuse, what they say then, and how they lock. */
#include "dax/layer/internal.h"
#include "dax/dax.h"
#include "tests/kernel/lib/huge.h"

SELFTEST(
	file_read_only, "dax.read-only-region",
	"on a region that may not be written a file is neither cut nor given a hole, and keeps all")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = fx_map(&fx, "f", 2, 'r'), before = fx_free_blocks(&fx);
	struct pmem_region *r = fx.fs->region;
	int cut, hole;

	EXPECT_OR(out, va && *at(va) == 'r', "no file");
	r->ro_reason = "a test says so";
	r->readonly = true;
	cut = dax_truncate(fx.inode[0], 0);
	hole = dax_punch(fx.inode[0], 0, PAGE_SIZE);
	r->readonly = false;
	EXPECT_OR(out, cut == -EROFS && hole == -EROFS, "truncate %d, punch %d", cut, hole);
	EXPECT_OR(out, fx_free_blocks(&fx) == before && *at(va) == 'r' && *at(PAGE(va, 1)) == 'r',
		  "something was changed");
out:
	fixture_end(&fx);
}

/* What a write in a thread of its own says, when it has failed. */
static char said[200];

static int write_and_listen(struct dax_inode *inode, uint64_t off)
{
	int64_t n = dax_write(inode, off, "x", 1);

	snprintf(said, sizeof(said), "%s", n < 0 ? refusal() : "");
	return n < 0 ? (int)n : 0;
}

SELFTEST(file_write_interrupted, "lease.write-interrupted",
	 "a write that a signal ends while it waits for a lease says so, and writes nothing")
{
	static const struct lease_ops ops = {.what = "a test's"};
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = fx_map(&fx, "f", 1, 'l');
	struct lease l = {.class = LEASE_LAYOUT, .ops = &ops};
	struct fx_op op = {.inode = fx.inode[0], .fn = write_and_listen};
	unsigned looks = 0;

	said[0] = '\0';
	EXPECT_OR(out, va && !lease_set(&fx.inode[0]->leases, &l, true), "no lease");
	EXPECT_OR(out_lease, fx_start(&op), "no thread");
	while (!l.pending && looks++ < 10000)
		thread_sleep_ns(100000);
	thread_signal(op.thread);
	fx_join(&op);
	EXPECT_OR(out_lease, op.err == -EINTR && strstr(said, "waiting for a lease"), "%d, '%s'",
		  op.err, said);
	EXPECT_OR(out_lease, *at(va) == 'l', "it wrote all the same");
out_lease:
	lease_unlock(&l);
out:
	fixture_end(&fx);
}

static bool takes_io_lock(struct dax_inode *inode)
{
	if (!down_read_trylock(&inode->io_lock))
		return false;
	up_read(&inode->io_lock);
	return true;
}

SELFTEST(file_lock_order, "dax.lock-order",
	 "a change of the layout that waits for a fault has locked reads and writes out already")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = fx_map(&fx, "f", 1, 'o');
	struct fx_op op = {.inode = fx.inode[0], .fn = fx_truncate};
	bool slept = false, open = true;

	EXPECT_OR(out, va, "no file");
	down_read(&fx.inode[0]->fault_lock); /* as a fault does */
	if (fx_start(&op)) {
		for (unsigned i = 0; i < 10000 && !slept; i++) {
			thread_sleep_ns(100000);
			slept = op.thread->waiting != NULL;
		}
		open = takes_io_lock(fx.inode[0]);
	}
	up_read(&fx.inode[0]->fault_lock);
	fx_join(&op);
	EXPECT_OR(out, slept && !open && !op.err, "slept %d, io_lock open %d, error %d", slept,
		  open, op.err);
out:
	fixture_end(&fx);
}

SELFTEST(file_one_too_many, "dax.fallocate-one-too-many",
	 "a fallocate of one block more than there are is refused before it takes any")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = sparse("f", 1);
	uint64_t free, after;
	struct ext4_statfs st;
	int err;

	EXPECT_OR(out, f, "no file");
	mutex_lock(&fx.fs->lock);
	ext4_statfs(ext4_of(fx.fs), &st);
	mutex_unlock(&fx.fs->lock);
	free = st.free_blocks - st.reserved_blocks;
	/* An offset inside a page: the last block is one that a rounded length would forget. */
	err = dax_fallocate(f, PAGE_SIZE - 1, free * PAGE_SIZE, false);
	after = fx_free_blocks(&fx);
	EXPECT_OR(close, err == -ENOSPC && strstr(refusal(), "nothing was taken"), "%d, '%s'", err,
		  refusal());
	EXPECT_OR(close, after == st.free_blocks, "%lu blocks were free, %lu are", st.free_blocks,
		  after);
close:
	dax_put(f);
out:
	fixture_end(&fx);
}

SELFTEST(file_hole_from_middle, "huge.punch-from-the-middle",
	 "a hole from the middle of a stored-to 2 MiB to behind its end leaves its first part")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = map_huge(&fx, "f", 2);
	unsigned wrong;

	EXPECT_OR(out, va, "not mapped");
	number_pages(va);
	EXPECT_OR(out, !dax_punch(fx.inode[0], 100 * PAGE_SIZE, (2 * N - 100) * PAGE_SIZE), "%s",
		  refusal());
	wrong = wrong_numbers(va, 0, 100);
	EXPECT_OR(out, !wrong && !*at(PAGE(va, 100)) && !*at(PAGE(va, N)),
		  "%u pages are wrong, and the hole shows %d and %d", wrong, *at(PAGE(va, 100)),
		  *at(PAGE(va, N)));
out:
	fixture_end(&fx);
}

SELFTEST(file_no_such_hole, "dax.no-such-hole",
	 "a hole without a byte, or one that ends beyond what a file can have, is refused in words")
{
	static const struct {
		uint64_t off, len;
	} bad[] = {{0, 0}, {PAGE_SIZE, UINT64_MAX}, {PAGE_SIZE, UINT64_MAX - PAGE_SIZE}};
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = fx_map(&fx, "f", 2, 'n'), before = fx_free_blocks(&fx);
	unsigned taken = 0;

	EXPECT_OR(out, va, "no file");
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
		taken += dax_punch(fx.inode[0], bad[i].off, bad[i].len) != -EINVAL;
	EXPECT_OR(out, !taken && strstr(refusal(), "at least one byte"), "%u taken, '%s'", taken,
		  refusal());
	EXPECT_OR(out, fx_free_blocks(&fx) == before && *at(PAGE(va, 1)) == 'n',
		  "something was changed");
out:
	fixture_end(&fx);
}

SELFTEST(file_read_end, "dax.read-at-end",
	 "a read at the end of a file gives nothing and says nothing")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = fx_map(&fx, "f", 1, 'e');
	int64_t n;
	char c;

	EXPECT_OR(out, va, "no file");
	refuse(-EINVAL, "a sentence of before");
	n = dax_read(fx.inode[0], PAGE_SIZE, &c, 1);
	EXPECT_OR(out, !n && !strcmp(refusal(), "a sentence of before"), "%ld, '%s'", (long)n,
		  refusal());
out:
	fixture_end(&fx);
}

SELFTEST(file_nothing_to_flush, "tlb.nothing-to-flush",
	 "a range without a page flushes nothing, on no CPU; one with a page flushes once")
{
	unsigned long before = __atomic_load_n(&tlb_flushes, __ATOMIC_RELAXED), none, one;

	tlb_flush_range(current_mm(), USER_MMAP, USER_MMAP);
	none = __atomic_load_n(&tlb_flushes, __ATOMIC_RELAXED) - before;
	tlb_flush_range(current_mm(), USER_MMAP, USER_MMAP + PAGE_SIZE);
	one = __atomic_load_n(&tlb_flushes, __ATOMIC_RELAXED) - before - none;
	EXPECT(!none && one == 1, "without a page %lu flushes, with a page %lu", none, one);
}
