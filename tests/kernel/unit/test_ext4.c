/* SPDX-License-Identifier: MIT */
/* Self-tests: the file layer on real persistent memory: what is flushed, what is freed (ext4.*). */
#include "dax/layer/internal.h"
#include "dax/ext4/disk.h"
#include "tests/kernel/lib/fixture.h"

/* Lines of the scratch region that were stored to and not yet written back: the observer's view. */
static struct {
	char *copy, *base; /* contents as of the last write-back, and the region */
	uint64_t len;
	unsigned fences;
} seen;

static void note_writeback(const void *p, size_t n)
{
	uint64_t off = ALIGN_DOWN((uint64_t)p, 64ul) - (uint64_t)seen.base;
	uint64_t end = ALIGN_UP((uint64_t)p + n, 64ul) - (uint64_t)seen.base;

	if (off < seen.len && end <= seen.len)
		memcpy(seen.copy + off, seen.base + off, end - off);
}

static void note_fence(void)
{
	seen.fences++;
}

static bool watch_start(struct fixture *fx)
{
	static const struct persist_observer observer = {note_writeback, note_fence};

	if (fx->fs->region->shadow)
		return false; /* somebody watches already */
	seen.len = 16 * MIB;
	seen.base = fx->fs->region->kaddr;
	seen.copy = malloc(seen.len);
	if (!seen.copy)
		return false;
	seen.fences = 0;
	memcpy(seen.copy, seen.base, seen.len);
	persist_set_observer(&observer);
	return true;
}

/* Lines whose last store was never written back. */
static unsigned watch_end(void)
{
	unsigned lines = 0;

	persist_set_observer(NULL);
	for (uint64_t off = 0; off < seen.len; off += 64)
		lines += memcmp(seen.copy + off, seen.base + off, 64) != 0;
	free(seen.copy);
	return lines;
}

SELFTEST(ext4_metadata, "ext4.metadata-is-written-back",
	 "after create, write, mkdir, truncate and unlink no stored line is left in the cache")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f;
	unsigned lines;
	int err;

	EXPECT_OR(out, watch_start(&fx), "the region is watched already, or no memory");
	f = scratch_file("f", 5, 'a');
	err = f ? dax_mkdir(SCRATCH_PATH "/d") : -EIO;
	if (f) {
		err = err ? err : dax_truncate(f, 4097);
		err = err ? err : dax_fallocate(f, 0, 64 * KIB, false);
		err = err ? err : dax_punch(f, 0, 8192);
		dax_put(f);
	}
	err = err ? err : dax_unlink(SCRATCH_PATH "/f");
	lines = watch_end();
	EXPECT_OR(out, !err, "%d: %s", err, refusal());
	EXPECT_OR(out, !lines && seen.fences,
		  "%u lines were stored and not written back; %u fences", lines, seen.fences);
out:
	fixture_end(&fx);
}

SELFTEST(
	dax_fsync, "dax.fsync-writes-back-dirty-pages",
	"fsync writes back every line that a mapping stored to, once; a later store is dirty again")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = fx_map(&fx, "f", 4, 'a');
	unsigned first, second = 0;

	EXPECT_OR(out, va && watch_start(&fx), "not mapped");
	at(va)[64] = at(va)[3 * PAGE_SIZE + 200] = 'b';
	dax_fsync(fx.inode[0]);
	first = watch_end();
	if (watch_start(&fx)) {
		at(va)[65] = 'c'; /* the entry must fault again to be seen as dirty */
		dax_fsync(fx.inode[0]);
		second = watch_end();
	}
	EXPECT_OR(out, !first, "%u lines were not written back", first);
	EXPECT_OR(out, !second, "%u lines stored after the first fsync were not", second);
out:
	fixture_end(&fx);
}

SELFTEST(ext4_freed_once, "ext4.freed-once",
	 "a block that was freed and has a new owner is not freed again by the next truncate (I1)")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *a = scratch_file("a", 1, 'a'), *b = scratch_file("b", 1, 'b'), *g = NULL;
	unsigned bad = 1;

	EXPECT_OR(out, a && b && !scratch_fill("fill"), "%s", refusal());
	EXPECT_OR(close, !dax_truncate(a, 0), "%s", refusal());
	g = scratch_file("g", 1, 'g'); /* there is no block but a's */
	EXPECT_OR(close, g, "%s", refusal());
	EXPECT_OR(close, !dax_truncate(b, 0), "%s", refusal());
	bad = check_i1_blocks();
	EXPECT_OR(close, !bad, "%u violation(s) of I1", bad);
close:
	if (g)
		dax_put(g);
	dax_put(a);
	dax_put(b);
out:
	fixture_end(&fx);
}

SELFTEST(ext4_enospc, "ext4.enospc-explains",
	 "with no block left a store into a hole fails with a sentence, and a freed block helps")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *a = scratch_file("a", 1, 'a'), *f = scratch_file("f", 0, 0);
	char reason[120] = "";
	uint64_t va;
	int full, then;

	EXPECT_OR(out, a && f && !dax_truncate(f, PAGE_SIZE) && !scratch_fill("fill"), "%s",
		  refusal());
	va = fx_map_as_is(&fx, f, 1, true);
	full = store_checked((uint64_t *)va, 1);
	snprintf(reason, sizeof(reason), "%s", refusal());
	dax_truncate(a, 0);
	then = store_checked((uint64_t *)va, 1);
	dax_put(a);
	EXPECT_OR(out, full == -EFAULT && strstr(reason, "no free block"), "%d: '%s'", full,
		  reason);
	EXPECT_OR(out, !then, "%d after a block was freed", then);
out:
	fixture_end(&fx);
}

SELFTEST(ext4_reused_clean, "ext4.reused-block-is-zeroed",
	 "a block that comes from another file through a fault shows none of its bytes")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *a = scratch_file("a", 1, 'S'), *f = scratch_file("f", 0, 0);
	unsigned old = 0;
	uint64_t va;

	EXPECT_OR(out, a && f && !dax_truncate(f, PAGE_SIZE) && !scratch_fill("fill"), "%s",
		  refusal());
	dax_truncate(a, 0);
	dax_put(a);
	va = fx_map_as_is(&fx, f, 1, true);
	EXPECT_OR(out, !store_checked((uint64_t *)va, 0), "%s", refusal());
	for (unsigned i = 0; i < PAGE_SIZE; i++)
		old += at(va)[i] == 'S';
	EXPECT_OR(out, !old, "%u bytes of the secret are readable", old);
out:
	fixture_end(&fx);
}

SELFTEST(ext4_fallocate_room, "ext4.fallocate-takes-all-or-nothing",
	 "fallocate of more than there is takes not one block")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = scratch_file("f", 1, 'a');
	uint64_t before = fx_free_blocks(&fx);
	int err;

	EXPECT_OR(out, f, "no file");
	err = dax_fallocate(f, 0, (before + 2) * PAGE_SIZE, false);
	EXPECT_OR(close, err == -ENOSPC && fx_free_blocks(&fx) == before && f->size == PAGE_SIZE,
		  "error %d, %ld blocks taken, size %lu", err, (long)(before - fx_free_blocks(&fx)),
		  f->size);
close:
	dax_put(f);
out:
	fixture_end(&fx);
}

/* A thread that fails under the file system's lock, and asks why once it is told to. */
static struct {
	struct dax_fs *fs;
	bool failed, ask;
	char why[120];
} failing;

static int walk_nowhere(struct dax_inode *unused, uint64_t arg)
{
	struct ext4_inode *ip;
	int err;

	(void)unused, (void)arg;
	mutex_lock(&failing.fs->lock);
	err = ext4_walk(ext4_of(failing.fs), "/nowhere", &ip);
	__atomic_store_n(&failing.failed, true, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&failing.ask, __ATOMIC_ACQUIRE))
		thread_yield();
	snprintf(failing.why, sizeof(failing.why), "%s", ext4_why(ext4_of(failing.fs)));
	mutex_unlock(&failing.fs->lock);
	return err;
}

SELFTEST(ext4_own_reason, "ext4.reason-is-the-callers",
	 "a fault on a damaged file fails while another thread's call on the file system has just "
	 "failed: each is told its own reason")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = scratch_file("f", 1, 'a');
	struct fx_op op = {.fn = walk_nowhere};
	uint8_t *magic; /* the first byte of the extent tree's */
	uint64_t va;
	int err;

	EXPECT_OR(out, f, "%s", refusal());
	va = fx_map_as_is(&fx, f, 1, true);
	failing.fs = fx.fs;
	failing.failed = failing.ask = false;
	EXPECT_OR(out, va && fx_start(&op), "not mapped, or no thread");
	while (!__atomic_load_n(&failing.failed, __ATOMIC_ACQUIRE))
		thread_yield();
	magic = ext4_inode_of(f)->raw->i_block;
	*magic ^= 1;
	err = store_checked((uint64_t *)va, 1);
	*magic ^= 1;
	__atomic_store_n(&failing.ask, true, __ATOMIC_RELEASE);
	fx_join(&op);
	EXPECT_OR(out, err == -EFAULT && op.err == -ENOENT, "fault %d, walk %d", err, op.err);
	EXPECT_OR(out, strstr(failing.why, "nowhere"), "the walk is told: %s", failing.why);
	EXPECT_OR(out, strstr(refusal(), "inode"), "the fault is told: %s", refusal());
out:
	fixture_end(&fx);
}

/* Every change of the file through the commands is refused with -EPERM; *n: how many were tried. */
static bool all_refused(struct dax_inode *f, struct dax_inode *other, unsigned *n)
{
	uint64_t va;
	const int err[] = {
		dax_truncate(f, 0),
		dax_punch(f, 0, PAGE_SIZE),
		dax_zero_range(f, 0, PAGE_SIZE, true),
		dax_collapse(f, 0, PAGE_SIZE),
		dax_insert(f, 0, PAGE_SIZE),
		dax_exchange(f, 0, other, 0, PAGE_SIZE),
		dax_exchange(other, 0, f, 0, PAGE_SIZE),
		(int)dax_write(f, 5, "x", 1),
		dax_mmap(current_mm(), f, 0, 1, true, &va),
		dax_unlink(SCRATCH_PATH "/f"),
	};

	for (*n = 0; *n < ARRAY_SIZE(err); (*n)++)
		if (err[*n] != -EPERM)
			return false;
	return true;
}

SELFTEST(ext4_flags, "ext4.flags-hold",
	 "an immutable or append-only file keeps its bytes: every change and every writable "
	 "mapping is refused")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = scratch_file("f", 2, 'a'), *other = scratch_file("o", 2, 'o');
	static const uint32_t flags[] = {EXT4_IMMUTABLE_FL, EXT4_APPEND_FL};
	uint64_t va = 0;

	EXPECT_OR(out, f && other, "%s", refusal());
	for (unsigned i = 0; i < ARRAY_SIZE(flags); i++) {
		int64_t end, want = flags[i] == EXT4_APPEND_FL ? 1 : -EPERM;
		unsigned n;
		int ro, protect;

		ext4_inode_of(f)->flags = (uint16_t)flags[i];
		EXPECT_OR(close, all_refused(f, other, &n), "flags 0x%x: change %u", flags[i], n);
		ro = dax_mmap(current_mm(), f, 0, 1, false, &va);
		EXPECT_OR(close, !ro && at(va)[0] == 'a', "flags 0x%x: %s", flags[i], refusal());
		protect = mm_protect(current_mm(), va, PAGE_SIZE, VM_READ | VM_WRITE);
		mm_unmap(current_mm(), va, PAGE_SIZE);
		EXPECT_OR(close, protect == -EACCES, "mprotect: %d", protect);
		end = dax_write(f, f->size, "x", 1);
		EXPECT_OR(close, end == want, "flags 0x%x: appending: %ld", flags[i], end);
	}
close:
	ext4_inode_of(f)->flags &= (uint16_t) ~(EXT4_IMMUTABLE_FL | EXT4_APPEND_FL);
	dax_put(f);
	dax_put(other);
out:
	fixture_end(&fx);
}
