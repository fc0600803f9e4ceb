/* SPDX-License-Identifier: MIT */
/* Self-tests: designs and file operations while they wait, and what they leave alone. */
#include "tests/kernel/lib/huge.h"
#include "tests/kernel/lib/tinyfs.h"

/* What an operation in a thread of its own said at its end. */
static char said[200];

static int truncate_and_listen(struct dax_inode *inode, uint64_t size)
{
	int err = dax_truncate(inode, size);

	snprintf(said, sizeof(said), "%s", err ? refusal() : "");
	return err;
}

SELFTEST(design_by_name, "lifetime.by-name",
	 "each design is found by its name, and the command refuses a name that none has")
{
	unsigned wrong = 0;

	for (unsigned n = 0; lifetime_nth(n); n++)
		wrong += lifetime_find(lifetime_nth(n)->name) != lifetime_nth(n);
	EXPECT(!wrong && !lifetime_find("no-such-design"), "%u are not found", wrong);
	EXPECT(shell_run_line("lifetime no-such-design"), "the command took it");
}

SELFTEST(design_unmaps, "lifetime.idle-at-one.unmaps-before-it-sleeps",
	 "idle-at-one: a truncate that sleeps has unmapped the file, the same size asked or not")
{
	FIXTURE(fx, &lifetime_idle_at_one);
	uint64_t va = fx_map(&fx, "f", 2, 'u');
	struct fx_op op = {.fn = truncate_and_listen, .arg = 2 * PAGE_SIZE};
	struct page *p = NULL;
	bool slept = false;
	unsigned level = 0;

	EXPECT_OR(out, va && get_user_pages_fast(va, 1, PIN, &p) == 1, "no pin");
	op.inode = fx.inode[0];
	if (fx_start(&op)) {
		slept = fx_asleep(&op, p);
		level = fx_va_to_page(va) ? 1 : 0;
		if (slept)
			thread_signal(op.thread);
	}
	if (!slept)
		unpin_user_pages(&p, 1);
	fx_join(&op);
	if (slept)
		unpin_user_pages(&p, 1);
	EXPECT_OR(out, slept && !level, "slept %d, mapped %u", slept, level);
	EXPECT_OR(out, op.err == -EINTR && strstr(said, "interrupted while waiting"), "%d, '%s'",
		  op.err, said);
out:
	fixture_end(&fx);
}

static int punch_first(struct dax_inode *inode, uint64_t unused)
{
	(void)unused;
	return dax_punch(inode, 0, PAGE_SIZE);
}

SELFTEST(design_poll_gives, "lifetime.lease-poll.reads-while-it-waits",
	 "a punch that waits for a call's lease holds up no read of the file")
{
	FIXTURE(fx, &lifetime_lease_poll);
	uint64_t va = fx_map(&fx, "f", 1, 'p');
	struct fx_op op = {.fn = punch_first};
	bool slept = false, open = false;
	struct page *p = NULL;

	EXPECT_OR(out, va && get_user_pages_fast(va, 1, PIN, &p) == 1, "no pin");
	op.inode = fx.inode[0];
	if (fx_start(&op)) {
		slept = fx_falls_asleep(&op, &op.inode->leases);
		open = down_read_trylock(&op.inode->io_lock);
		if (open)
			up_read(&op.inode->io_lock);
	}
	unpin_user_pages(&p, 1);
	fx_join(&op);
	EXPECT_OR(out, slept && open && !op.err, "slept %d, io_lock open %d, error %d", slept, open,
		  op.err);
out:
	fixture_end(&fx);
}

SELFTEST(design_no_such_size, "tinyfs.refused-size",
	 "a size that the file layer refuses is told in its words, and is not the file's")
{
	const char *why;
	struct dax_fs *fs;
	struct dax_inode *f;
	uint64_t size = 0;
	bool says = false;
	int err = 0;

	if (!scratch_region(&why))
		SKIP("%s", why);
	EXPECT(!tiny_mount(LIFETIME_DEFAULT, &fs, &why), "%s", why);
	f = tiny_file(fs, "f", 2);
	if (f) {
		err = dax_truncate(f, 100);
		says = strstr(refusal(), "a size is a multiple");
		size = f->size;
		dax_put(f);
	}
	tiny_umount();
	EXPECT(err == -EINVAL && says && size == 2 * PAGE_SIZE, "%d, size %lu, '%s'", err, size,
	       refusal());
}

SELFTEST(design_write_nothing, "dax.write-of-nothing",
	 "a write of no byte unmaps nothing, at the beginning of a hole or inside it")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = sparse("f", 2);
	uint64_t va = f ? fx_map_as_is(&fx, f, 2, true) : 0;
	int64_t n[2];

	EXPECT_OR(out, va && !*at(va) && level_at(va) == 1, "no hole is mapped");
	n[0] = dax_write(f, 0, "x", 0);
	n[1] = dax_write(f, 1, "x", 0);
	EXPECT_OR(out, !n[0] && !n[1] && level_at(va) == 1, "%ld, %ld, level %u", (long)n[0],
		  (long)n[1], level_at(va));
out:
	fixture_end(&fx);
}

static char into[8];

static int read_into(struct dax_inode *inode, uint64_t unused)
{
	int64_t n = dax_read(inode, 0, into, sizeof(into));

	(void)unused;
	return n == sizeof(into) ? 0 : -EIO;
}

static int write_one(struct dax_inode *inode, uint64_t unused)
{
	(void)unused;
	return dax_write(inode, 0, "w", 1) == 1 ? 0 : -EIO;
}

static bool sleeps(struct fx_op *op)
{
	for (unsigned i = 0; i < 10000 && !fx_done(op); i++) {
		if (__atomic_load_n(&op->thread->waiting, __ATOMIC_ACQUIRE))
			return true;
		thread_sleep_ns(100000);
	}
	return false;
}

SELFTEST(design_read_locks, "dax.read-waits-for-layer",
	 "a read touches nothing before the file layer's lock is its own")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = fx_map(&fx, "f", 1, 'r');
	struct fx_op op = {.fn = read_into};
	bool slept = false;
	char early = 0;

	EXPECT_OR(out, va, "no file");
	op.inode = fx.inode[0];
	memset(into, 0, sizeof(into));
	mutex_lock(&fx.fs->lock);
	if (fx_start(&op)) {
		slept = sleeps(&op);
		early = into[0];
	}
	mutex_unlock(&fx.fs->lock);
	fx_join(&op);
	EXPECT_OR(out, slept && !early && !op.err && into[0] == 'r', "slept %d, early %d, %d",
		  slept, early, op.err);
out:
	fixture_end(&fx);
}

SELFTEST(design_write_order, "dax.write-lock-order",
	 "a write that waits for a fault has locked reads out already")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = fx_map(&fx, "f", 1, 'o');
	struct fx_op op = {.fn = write_one};
	bool slept = false, open = true;

	EXPECT_OR(out, va, "no file");
	op.inode = fx.inode[0];
	down_read(&op.inode->fault_lock); /* as a fault does */
	if (fx_start(&op)) {
		slept = sleeps(&op);
		open = down_read_trylock(&op.inode->io_lock);
		if (open)
			up_read(&op.inode->io_lock);
	}
	up_read(&op.inode->fault_lock);
	fx_join(&op);
	EXPECT_OR(out, slept && !open && !op.err, "slept %d, io_lock open %d, error %d", slept,
		  open, op.err);
out:
	fixture_end(&fx);
}
