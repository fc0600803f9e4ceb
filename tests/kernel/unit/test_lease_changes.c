/* SPDX-License-Identifier: MIT */
/*
 * Self-tests: every operation that changes a layout breaks the leases of every file that it changes
 * (lease.every-change, lease.fault-*). A new operation gets a line in the table.
 */
#include "tests/kernel/lib/fixture.h"
#include "tests/kernel/lib/tinyfs.h"

#define FILE_PAGES 4u

/* ---- operations on one file of four pages, and on it and a second one --------------------- */

static struct dax_inode *second;

static int do_write(struct dax_inode *f, uint64_t unused)
{
	int64_t n = dax_write(f, 0, "x", 1);

	(void)unused;
	return n < 0 ? n : 0;
}

static int do_grow(struct dax_inode *f, uint64_t unused)
{
	(void)unused;
	return dax_truncate(f, (FILE_PAGES + 1) * PAGE_SIZE);
}

static int do_same_size(struct dax_inode *f, uint64_t unused)
{
	(void)unused;
	return dax_truncate(f, FILE_PAGES * PAGE_SIZE);
}

static int do_punch(struct dax_inode *f, uint64_t unused)
{
	(void)unused;
	return dax_punch(f, 0, PAGE_SIZE);
}

static int do_fallocate(struct dax_inode *f, uint64_t unused)
{
	(void)unused;
	return dax_fallocate(f, FILE_PAGES * PAGE_SIZE, PAGE_SIZE, true);
}

static int do_zero(struct dax_inode *f, uint64_t unused)
{
	(void)unused;
	return dax_zero_range(f, 0, PAGE_SIZE, true);
}

static int do_collapse(struct dax_inode *f, uint64_t unused)
{
	(void)unused;
	return dax_collapse(f, 0, PAGE_SIZE);
}

static int do_insert(struct dax_inode *f, uint64_t unused)
{
	(void)unused;
	return dax_insert(f, 0, PAGE_SIZE);
}

static int do_exchange(struct dax_inode *f, uint64_t unused)
{
	(void)unused;
	return dax_exchange(f, 0, second, 0, PAGE_SIZE);
}

static int do_exchange_back(struct dax_inode *f, uint64_t unused)
{
	(void)unused;
	return dax_exchange(second, 0, f, 0, PAGE_SIZE);
}

static int do_reflink(struct dax_inode *f, uint64_t unused)
{
	(void)unused;
	return dax_reflink(f, 0, second, 0, PAGE_SIZE);
}

static int do_reflink_back(struct dax_inode *f, uint64_t unused)
{
	(void)unused;
	return dax_reflink(second, 0, f, 0, PAGE_SIZE);
}

static const struct operation {
	const char *name;
	int (*fn)(struct dax_inode *f, uint64_t unused);
	bool other; /* it works on `second` as well, whose leases count as much */
} operations[] = {
	{"write", do_write, false},
	{"truncate", fx_truncate, false},
	{"truncate to more", do_grow, false},
	{"truncate to the same size", do_same_size, false},
	{"punch", do_punch, false},
	{"fallocate", do_fallocate, false},
	{"zero", do_zero, false},
	{"collapse", do_collapse, false},
	{"insert", do_insert, false},
	{"exchange", do_exchange, true},
	{"exchange, the other first", do_exchange_back, true},
};
static const struct operation reflinks[] = {
	{"reflink", do_reflink, true},
	{"reflink, the other first", do_reflink_back, true},
};

/* Does `op` wait for a lease of file `leased`, and go on after the unlock? */
static void waits_for_lease(struct selftest_run *t, const struct operation *op, struct dax_inode *f,
			    struct dax_inode *leased, const char *what)
{
	struct lease l = fx_layout_lease();
	struct fx_op run = {.inode = f, .fn = op->fn};
	bool slept = false;

	EXPECT(!lease_set(&leased->leases, &l, true), "%s: no lease", op->name);
	EXPECT(fx_start(&run), "no thread");
	while (!fx_done(&run) && !slept) {
		slept = waiters_on(&leased->leases);
		thread_sleep_ns(100000);
	}
	lease_unlock(&l);
	fx_join(&run);
	EXPECT(slept, "%s did not wait for the lease of %s", op->name, what);
	EXPECT(!run.err, "%s: error %d", op->name, run.err);
}

static void each_file(struct selftest_run *t, const struct operation *op, struct dax_inode *f)
{
	waits_for_lease(t, op, f, f, "the first file");
	if (op->other && !t->failed)
		waits_for_lease(t, op, f, second, "the second file");
}

SELFTEST(lease_every_change, "lease.every-change",
	 "in every lifetime each operation that changes the blocks of a file, or of two, waits for "
	 "a layout lease of each file that it changes")
{
	const unsigned n = ARRAY_SIZE(operations);

	for (unsigned i = 0; i < n && !t->failed; i++)
		for (unsigned l = 0; lifetime_nth(l) && !t->failed; l++) {
			struct dax_inode *f;

			FIXTURE(fx, lifetime_nth(l));
			f = scratch_file("f", FILE_PAGES, 'a');
			second = scratch_file("g", FILE_PAGES, 'b');
			if (f && second)
				each_file(t, &operations[i], f);
			if (f)
				dax_put(f);
			if (second)
				dax_put(second);
			fixture_end(&fx);
			EXPECT(f && second, "no files: %s", refusal());
		}
}

/* ---- the tiny file layer: shared blocks --------------------------------------------------- */

static bool start(struct fixture *fx, const struct lifetime *lt)
{
	*fx = (struct fixture){0};
	return !tiny_mount(lt, &fx->fs, &fx->why);
}

static void end(struct fixture *fx)
{
	while (fx->nr) {
		fx->nr--;
		fx_unmap(fx, fx->va[fx->nr]);
		dax_put(fx->inode[fx->nr]);
	}
	tiny_umount();
}

#define TINY(fx, lt)                                                                               \
	struct fixture fx;                                                                         \
	if (!scratch_region(&fx.why))                                                              \
		SKIP("%s", fx.why);                                                                \
	EXPECT(start(&fx, lt), "mounting the tiny file system: %s", fx.why)

/* Two files of holes, mapped. */
static bool two_files(struct fixture *fx)
{
	struct dax_inode *f = tiny_file(fx->fs, "f", FILE_PAGES);
	struct dax_inode *g = tiny_file(fx->fs, "g", FILE_PAGES);

	second = g;
	return f && g && fx_map_as_is(fx, f, FILE_PAGES, true) &&
	       fx_map_as_is(fx, g, FILE_PAGES, true);
}

SELFTEST(lease_reflink, "lease.reflink-breaks-both",
	 "reflink waits for a layout lease of either file, whichever has the lower number")
{
	for (unsigned i = 0; i < ARRAY_SIZE(reflinks) && !t->failed; i++) {
		TINY(fx, LIFETIME_DEFAULT);
		if (two_files(&fx))
			each_file(t, &reflinks[i], fx.inode[0]);
		else
			selftest_fail(t, __FILE__, __LINE__, "two_files()", "%s", refusal());
		end(&fx);
	}
}

/* ---- faults: they cannot wait -------------------------------------------------------------- */

/* A store to `va` while `f` is leased: refused, and the lease is being broken; then it is done. */
static void store_is_refused(struct selftest_run *t, struct dax_inode *f, uint64_t va,
			     const char *what)
{
	struct lease l = fx_layout_lease();
	int err, then;
	bool pending, says;

	EXPECT(!lease_set(&f->leases, &l, true), "%s: no lease", what);
	err = store_checked((uint64_t *)va, 1);
	pending = l.pending;
	says = strstr(refusal(), "lease") != NULL;
	lease_unlock(&l);
	then = store_checked((uint64_t *)va, 1);
	EXPECT(err == -EFAULT && pending && says, "%s: error %d, lease pending %d, reason: %s",
	       what, err, pending, refusal());
	EXPECT(!then, "%s: error %d after the unlock", what, then);
}

SELFTEST(
	lease_fault, "lease.fault-that-allocates",
	"a store into a hole, or to blocks that were never written, by 4 KiB or 2 MiB, cannot "
	"wait: it starts the break of the file's lease and fails; a store to a block that is there "
	"breaks nothing")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = scratch_file("f", 1, 'a');
	struct lease l = fx_layout_lease();
	uint64_t va = USER_MMAP + (1ul << 40);
	int err = -1;

	EXPECT_OR(out, f && !dax_truncate(f, 4 * PMD_SIZE), "%s", refusal());
	EXPECT_OR(close, !dax_fallocate(f, 2 * PMD_SIZE, 2 * PMD_SIZE, true), "%s", refusal());
	EXPECT_OR(close, !dax_mmap(current_mm(), f, 0, 2048, true, &va), "not mapped");
	store_is_refused(t, f, va + PAGE_SIZE, "a hole, by 4 KiB");
	if (!t->failed)
		store_is_refused(t, f, va + PMD_SIZE, "a hole, by 2 MiB");
	if (!t->failed)
		store_is_refused(t, f, va + 2 * PMD_SIZE, "never written");
	if (!t->failed)
		store_is_refused(t, f, va + 3 * PMD_SIZE, "never written, the next 2 MiB");
	if (!t->failed && !lease_set(&f->leases, &l, true))
		err = store_checked((uint64_t *)va, 1);
	EXPECT_OR(unmap, t->failed || (!err && !l.pending), "written: error %d, pending %d", err,
		  l.pending);
unmap:
	lease_unlock(&l);
	mm_unmap(current_mm(), va, 4 * PMD_SIZE);
close:
	dax_put(f);
out:
	fixture_end(&fx);
}

SELFTEST(lease_cow, "lease.copy-on-write",
	 "a store to a page that two files have takes it from one of them: refused while that one "
	 "is leased, and the page stays shared")
{
	TINY(fx, LIFETIME_DEFAULT);
	volatile uint64_t *word;

	EXPECT_OR(out, two_files(&fx), "%s", refusal());
	word = (volatile uint64_t *)fx.va[0];
	*word = 7;
	EXPECT_OR(out, !dax_reflink(fx.inode[0], 0, second, 0, PAGE_SIZE), "%s", refusal());
	store_is_refused(t, second, fx.va[1], "never mapped before");
	EXPECT_OR(out, *word == 7 && !check_all(), "the first file has %lu", *word);
	EXPECT_OR(out, !dax_punch(second, 0, PAGE_SIZE), "%s", refusal());
	EXPECT_OR(out, !dax_reflink(fx.inode[0], 0, second, 0, PAGE_SIZE), "%s", refusal());
	EXPECT_OR(out, *(volatile uint64_t *)fx.va[1] == 7, "not shared");
	if (!t->failed)
		store_is_refused(t, second, fx.va[1], "mapped for reading");
	EXPECT_OR(out, *word == 7 && !check_all(), "the first file has %lu", *word);
out:
	end(&fx);
}
