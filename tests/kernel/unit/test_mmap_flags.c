/* SPDX-License-Identifier: MIT */
/* Self-tests: the types and flags of mmap (mmap.*). */
#include "dax/file/internal.h"
#include "tests/kernel/lib/fixture.h"
#include "tests/kernel/lib/tinyfs.h"

#define STRANGE 0x800000u /* a flag that nobody knows */
/* What Linux lets MAP_SHARED_VALIDATE have without a word: MAP_FIXED, ANONYMOUS, 32BIT, GROWSDOWN,
 * DENYWRITE, EXECUTABLE, LOCKED, NORESERVE, POPULATE, NONBLOCK, STACK, HUGETLB; and the six bits in
 * which that says a size, as far as those of 2 MiB and of 1 GiB have them. */
#define OLD                                                                                        \
	(0x10u | 0x20 | 0x40 | 0x100 | 0x800 | 0x1000 | 0x2000 | 0x4000 | 0x8000 | 0x10000 |       \
	 0x20000 | 0x40000 | 21u << 26 | 30u << 26)

static unsigned leased; /* how many leases the last mapping of try_flags() came with */

/* Maps a page of `f` with these flags and unmaps it; *vm: the flags that the mapping had. */
static int try_flags(struct dax_inode *f, unsigned flags, unsigned *vm)
{
	struct dax_map rq = {.flags = flags, .pages = 1, .write = true};
	struct mm *mm = current_mm();
	uint64_t va = 0;
	int err = dax_map(mm, f, &rq, &va);

	if (err)
		return err;
	down_read(&mm->mmap_lock);
	*vm = mm_find_vma(mm, va)->flags;
	up_read(&mm->mmap_lock);
	leased = lease_count(&f->leases, LEASE_ALL);
	mm_unmap(mm, va, PAGE_SIZE);
	return 0;
}

static const struct {
	unsigned flags;
	int err;
	unsigned vm;	 /* of VM_SHARED, VM_PRIVATE, VM_SYNC */
	unsigned leases; /* while it is mapped */
} ways[] = {
	{MAP_SHARED, 0, VM_SHARED, 0},
	{MAP_PRIVATE, 0, VM_PRIVATE, 0},
	{MAP_SHARED_VALIDATE, 0, VM_SHARED, 0},
	{0, -EINVAL, 0, 0},
	{4, -EINVAL, 0, 0},
	{MAP_TYPE, -EINVAL, 0, 0},
	/* The old types ignore what they do not know, and what they would have to honour. */
	{MAP_SHARED | STRANGE, 0, VM_SHARED, 0},
	{MAP_PRIVATE | STRANGE, 0, VM_PRIVATE, 0},
	{MAP_SHARED | MAP_SYNC | MAP_DIRECT, 0, VM_SHARED, 0},
	{MAP_PRIVATE | MAP_SYNC | MAP_DIRECT, 0, VM_PRIVATE, 0},
	/* The new one does not, and takes the old flags as they come. */
	{MAP_SHARED_VALIDATE | 0x10 | 0x8000, 0, VM_SHARED, 0},
	{MAP_SHARED_VALIDATE | STRANGE, -EOPNOTSUPP, 0, 0},
	{MAP_SHARED_VALIDATE | MAP_SYNC | STRANGE, -EOPNOTSUPP, 0, 0},
	{MAP_SHARED_VALIDATE | MAP_SYNC, 0, VM_SHARED | VM_SYNC, 0},
	{MAP_SHARED_VALIDATE | MAP_DIRECT, 0, VM_SHARED, 1},
	{MAP_SHARED_VALIDATE | MAP_DIRECT | MAP_SYNC, 0, VM_SHARED | VM_SYNC, 1},
};

/* One of the ways; what is wrong with it, in text[], or NULL. */
static const char *wrong_way(struct dax_inode *f, unsigned i, char *text, unsigned n)
{
	const unsigned refs = f->refs, kinds = VM_SHARED | VM_PRIVATE | VM_SYNC;
	const uint32_t vmas = mm_vma_count();
	unsigned vm = 0;
	int err;

	refusal_clear();
	err = try_flags(f, ways[i].flags, &vm);
	snprintf(text, n, "flags 0x%x: %d, VM flags 0x%x, '%s'", ways[i].flags, err, vm, refusal());
	if (err != ways[i].err || (vm & kinds) != ways[i].vm || (err && strlen(refusal()) <= 20) ||
	    (!err && leased != ways[i].leases))
		return text;
	snprintf(text, n, "flags 0x%x left something", ways[i].flags);
	return f->refs != refs || mm_vma_count() != vmas || lease_count(&f->leases, LEASE_ALL)
		       ? text
		       : NULL;
}

SELFTEST(
	mmap_types, "mmap.flags-validated",
	"in every lifetime: unknown flags are ignored by MAP_SHARED and MAP_PRIVATE and refused by "
	"MAP_SHARED_VALIDATE; a fourth type is none")
{
	for (unsigned l = 0; lifetime_nth(l) && !t->failed; l++) {
		FIXTURE(fx, lifetime_nth(l));
		struct dax_inode *f = scratch_file("f", 1, 'a');
		const char *wrong = f ? NULL : refusal();
		char text[200];

		for (unsigned i = 0; !wrong && i < ARRAY_SIZE(ways); i++)
			wrong = wrong_way(f, i, text, sizeof(text));
		if (f)
			dax_put(f);
		fixture_end(&fx);
		EXPECT(!wrong, "%s: %s", lifetime_nth(l)->name, wrong);
	}
}

/* Breaks it: a bit too few or too many in MAP_LEGACY. */
SELFTEST(mmap_each_bit, "mmap.each-flag",
	 "of the 28 bits beside the type MAP_SHARED_VALIDATE takes those that mmap knew before it, "
	 "MAP_SYNC and MAP_DIRECT, and refuses each other one, alone and beside one that it takes; "
	 "MAP_SHARED and MAP_PRIVATE take them all")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = scratch_file("f", 1, 'a');
	unsigned vm = 0;

	EXPECT_OR(out, f, "%s", refusal());
	for (unsigned bit = 4; bit < 32; bit++) {
		const unsigned flag = 1u << bit;
		const int want = flag & (OLD | MAP_SYNC | MAP_DIRECT) ? 0 : -EOPNOTSUPP;

		EXPECT_OR(out, try_flags(f, MAP_SHARED_VALIDATE | flag, &vm) == want,
			  "flag 0x%x: not %d; %s", flag, want, refusal());
		EXPECT_OR(out, try_flags(f, MAP_SHARED_VALIDATE | MAP_SYNC | flag, &vm) == want,
			  "flag 0x%x and MAP_SYNC: not %d; %s", flag, want, refusal());
		EXPECT_OR(out,
			  !try_flags(f, MAP_SHARED | flag, &vm) &&
				  !try_flags(f, MAP_PRIVATE | flag, &vm),
			  "flag 0x%x of an old type: %s", flag, refusal());
	}
out:
	if (f)
		dax_put(f);
	fixture_end(&fx);
}

/* What is wrong with a mapping with MAP_DIRECT. Each row has what it names and all behind it; the
 * first is what is told. */
static const struct {
	const char *what;
	bool strange, shared, plain, stranger, full; /* full: no memory */
	int err;
	const char *says;
} wrongs[] = {
	{"an unknown flag", true, true, true, true, true, -EOPNOTSUPP, "flag"},
	{"shared blocks", false, true, true, true, true, -EPERM, "another file's as well"},
	{"no DAX", false, false, true, true, true, -EPERM, "not on DAX"},
	{"no right to a lease", false, false, false, true, true, -EACCES, "only the owner"},
	{"no memory", false, false, false, false, true, -ENOMEM, "no memory for a lease"},
	{"nothing", false, false, false, false, false, 0, ""},
};

/* One row: the error of the mapping, with its sentence. `g` shares a block with another file. */
static int map_wrongly(struct dax_inode *f, struct dax_inode *g, unsigned row)
{
	struct dax_inode *it = wrongs[row].shared ? g : f;
	const struct dax_map rq = {.flags = MAP_SHARED_VALIDATE | MAP_DIRECT |
					    (wrongs[row].strange ? STRANGE : 0),
				   .pages = 1,
				   .write = true,
				   .stranger = wrongs[row].stranger};
	const unsigned flags = it->mapping.i_flags;
	uint64_t va = 0;
	int err;

	refusal_clear();
	if (wrongs[row].plain)
		it->mapping.i_flags &= ~S_DAX;
	alloc_fail_nth(wrongs[row].full);
	err = dax_map(current_mm(), it, &rq, &va);
	alloc_fail_nth(0);
	it->mapping.i_flags = flags;
	if (!err)
		mm_unmap(current_mm(), va, PAGE_SIZE);
	return err;
}

/* Breaks it: two of the looks in dax_map() and below it, the one for the other. */
SELFTEST(mmap_order, "mmap.direct-refused-in-order",
	 "of what can be wrong with a mapping with MAP_DIRECT the first is told: flags, shared "
	 "blocks, DAX, the right to a lease, memory; and nothing is left")
{
	struct dax_inode *f, *g, *other;
	char text[200] = "all went well";
	struct dax_fs *fs;
	bool right = false;
	const char *why;

	if (!scratch_region(&why))
		SKIP("%s", why);
	EXPECT(!tiny_mount(LIFETIME_DEFAULT, &fs, &why), "%s", why);
	f = tiny_file(fs, "f", 2);
	g = tiny_file(fs, "g", 2);
	other = tiny_file(fs, "h", 2);
	if (f && g && other && dax_write(other, 0, "x", 1) == 1)
		right = !dax_reflink(other, 0, g, 0, PAGE_SIZE);
	for (unsigned i = 0; right && i < ARRAY_SIZE(wrongs); i++) {
		const unsigned refs = f->refs + g->refs;
		int err = map_wrongly(f, g, i);

		right = err == wrongs[i].err && strstr(refusal(), wrongs[i].says) &&
			f->refs + g->refs == refs && !lease_count(&f->leases, LEASE_ALL) &&
			!lease_count(&g->leases, LEASE_ALL);
		if (!right)
			snprintf(text, sizeof(text), "%s: %d, %s", wrongs[i].what, err, refusal());
	}
	for (unsigned i = 0; i < 3; i++)
		if ((struct dax_inode *[]){f, g, other}[i])
			dax_put((struct dax_inode *[]){f, g, other}[i]);
	tiny_umount();
	EXPECT(right, "%s", text);
}

/* Breaks it: map_leased() without inode_check_dax(). */
SELFTEST(mmap_no_dax, "mmap.direct-needs-dax",
	 "of a file that is not on DAX a mapping with MAP_DIRECT is refused with -EPERM, behind "
	 "the look at its flags and before any lease, and a plain one with -EOPNOTSUPP")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = scratch_file("f", 1, 'a');
	int direct = 0, plain = 0, strange = 0;
	bool told = false;
	unsigned vm = 0;

	EXPECT_OR(out, f, "%s", refusal());
	f->mapping.i_flags &= ~S_DAX;
	direct = try_flags(f, MAP_SHARED_VALIDATE | MAP_DIRECT, &vm);
	told = strstr(refusal(), "not on DAX");
	plain = try_flags(f, MAP_SHARED_VALIDATE, &vm);
	strange = try_flags(f, MAP_SHARED_VALIDATE | MAP_DIRECT | STRANGE, &vm);
	f->mapping.i_flags |= S_DAX;
	EXPECT_OR(out, direct == -EPERM && told && plain == -EOPNOTSUPP && strange == -EOPNOTSUPP,
		  "direct %d, plain %d, with a strange flag %d", direct, plain, strange);
	EXPECT_OR(out, !lease_count(&f->leases, LEASE_ALL), "a lease is left");
out:
	if (f)
		dax_put(f);
	fixture_end(&fx);
}

SELFTEST(
	mmap_limited, "mmap.limited-has-no-sync",
	"on a device without page records MAP_SYNC is refused and says why; MAP_DIRECT is not, and "
	"its pages can be stored to and are revoked")
{
	struct fixture fx = {0};
	struct dax_inode *f = NULL;
	unsigned vm = 0;
	int sync, direct;

	if (!scratch_region(&fx.why))
		SKIP("%s", fx.why);
	EXPECT(!fixture_limited_start(&fx), "%s", fx.why);
	f = scratch_file("f", 1, 'a');
	EXPECT_OR(out, f, "%s", refusal());
	sync = try_flags(f, MAP_SHARED_VALIDATE | MAP_SYNC, &vm);
	EXPECT_OR(out, sync == -EOPNOTSUPP && strstr(refusal(), "limited"), "%d: %s", sync,
		  refusal());
	direct = try_flags(f, MAP_SHARED_VALIDATE | MAP_DIRECT, &vm);
	EXPECT_OR(out, !direct, "%d: %s", direct, refusal());
out:
	if (f)
		dax_put(f);
	fixture_limited_end(&fx);
}

/* ---- MAP_SYNC ---------------------------------------------------------------------------------
 */

static struct {
	const struct persist_observer *before;
	const struct thread *who;
	uint64_t lines; /* written back by that thread, and not fenced */
} seen;

static void see_lines(const void *p, size_t n)
{
	if (current_thread() == seen.who)
		seen.lines += (ALIGN_UP((uint64_t)p + n, 64) - ALIGN_DOWN((uint64_t)p, 64)) / 64;
	if (seen.before)
		seen.before->wrote_back(p, n);
}

static void see_fence(void)
{
	if (current_thread() == seen.who)
		seen.lines = 0;
	if (seen.before)
		seen.before->fenced();
}

/* Lines that a power cut would lose behind the fault of a store to a hole; UINT64_MAX: no fault. */
static uint64_t lines_behind(struct dax_inode *f, unsigned flags, uint64_t page, uint64_t pages)
{
	static const struct persist_observer observer = {see_lines, see_fence};
	struct dax_map rq = {.flags = MAP_SHARED_VALIDATE | flags, .pages = pages, .write = true};
	uint64_t va = USER_MMAP + (1ul << 40);
	int err = dax_map(current_mm(), f, &rq, &va);

	if (err)
		return UINT64_MAX;
	seen.before = persist_get_observer();
	seen.who = current_thread();
	seen.lines = 0;
	persist_set_observer(&observer);
	err = store_checked((uint64_t *)(va + page * PAGE_SIZE), 1);
	persist_set_observer(seen.before);
	mm_unmap(current_mm(), va, pages * PAGE_SIZE);
	return err ? UINT64_MAX : seen.lines;
}

SELFTEST(mmap_sync, "mmap.sync-is-durable",
	 "in every lifetime: behind the fault of a store into a hole no line of the block map is "
	 "left "
	 "that a power cut would lose in a mapping with MAP_SYNC; without it there is, in a file "
	 "layer that is lazy")
{
	for (unsigned l = 0; lifetime_nth(l); l++) {
		const char *name = lifetime_nth(l)->name, *why;
		uint64_t plain = 0, sync = UINT64_MAX;
		struct dax_inode *f;
		struct dax_fs *fs;

		if (!scratch_region(&why))
			SKIP("%s", why);
		EXPECT(!tiny_mount(lifetime_nth(l), &fs, &why), "%s", why);
		f = tiny_file(fs, "f", 4);
		if (f) {
			plain = lines_behind(f, 0, 1, 4);
			sync = lines_behind(f, MAP_SYNC, 2, 4);
			dax_put(f);
		}
		tiny_umount();
		EXPECT(plain && plain != UINT64_MAX, "%s: %lu lines without MAP_SYNC", name, plain);
		EXPECT(!sync, "%s: %lu lines with it", name, sync);
	}
}

SELFTEST(
	mmap_sync_ext4, "mmap.sync-writes-times",
	"ext4's block map is durable behind any fault; with MAP_SYNC, by 4 KiB and by 2 MiB, so is "
	"the time of the store")
{
	const uint64_t pages = 3 * FOLIO_PAGES;
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = scratch_file("f", 1, 'a');
	uint64_t lines[3];
	uint32_t told[3] = {0};

	EXPECT_OR(out, f && !dax_truncate(f, pages * PAGE_SIZE), "%s", refusal());
	for (unsigned i = 0; i < 3; i++) {
		lines[i] = lines_behind(f, i ? MAP_SYNC : 0, i == 2 ? FOLIO_PAGES : 10 * i, pages);
		told[i] = f->told_at;
		EXPECT_OR(out, !dax_fsync(f), "%s", refusal());
	}
	EXPECT_OR(out, !lines[0] && !lines[1] && !lines[2], "lines %lu, %lu, %lu", lines[0],
		  lines[1], lines[2]);
	EXPECT_OR(out, !told[0] && told[1] && told[2], "times %u, %u, %u", told[0], told[1],
		  told[2]);
out:
	if (f)
		dax_put(f);
	fixture_end(&fx);
}

static int sync_fails(struct dax_inode *inode)
{
	(void)inode;
	return refuse(-EIO, "the block map cannot be written");
}

SELFTEST(mmap_sync_fails, "mmap.sync-fails",
	 "a store of a mapping with MAP_SYNC whose block map cannot be made durable is refused, "
	 "and nothing is mapped")
{
	const struct dax_map rq = {
		.flags = MAP_SHARED_VALIDATE | MAP_SYNC, .pages = 1, .write = true};
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = scratch_file("f", 1, 'a');
	const struct dax_layer_ops *before = f ? f->ops : NULL;
	struct dax_layer_ops ops;
	uint64_t va = USER_MMAP + (1ul << 40);
	int err, then;

	EXPECT_OR(out, f && !dax_map(current_mm(), f, &rq, &va), "%s", refusal());
	ops = *before;
	ops.sync = sync_fails;
	f->ops = &ops;
	err = store_checked((uint64_t *)va, 1);
	f->ops = before;
	then = store_checked((uint64_t *)va, 1);
	mm_unmap(current_mm(), va, PAGE_SIZE);
	EXPECT_OR(out, err, "the store was made, though a power cut would lose its block");
	EXPECT_OR(out, !then, "and the next one fails: %d", then);
out:
	if (f)
		dax_put(f);
	fixture_end(&fx);
}

static unsigned syncs;
static int (*layer_sync)(struct dax_inode *inode);

static int count_sync(struct dax_inode *inode)
{
	syncs++;
	return layer_sync(inode);
}

SELFTEST(mmap_sync_others, "mmap.sync-settles-others",
	 "a store with MAP_SYNC to a page that a plain mapping got the block for, and stored to, "
	 "makes "
	 "that block durable as well")
{
	struct dax_map rq = {.flags = MAP_SHARED_VALIDATE, .pages = 1, .write = true};
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = scratch_file("f", 0, 0);
	const struct dax_layer_ops *before = f ? f->ops : NULL;
	struct dax_layer_ops ops;
	uint64_t va[2] = {0};
	int err[2];

	EXPECT_OR(out, f && !dax_truncate(f, PAGE_SIZE), "%s", refusal());
	EXPECT_OR(out, !dax_map(current_mm(), f, &rq, &va[0]), "%s", refusal());
	rq.flags |= MAP_SYNC;
	EXPECT_OR(out, !dax_map(current_mm(), f, &rq, &va[1]), "%s", refusal());
	err[0] = store_checked((uint64_t *)va[0], 1);
	ops = *before;
	layer_sync = ops.sync;
	ops.sync = count_sync;
	syncs = 0;
	f->ops = &ops;
	err[1] = store_checked((uint64_t *)va[1], 2);
	f->ops = before;
	EXPECT_OR(out, !err[0] && !err[1], "stores: %d, %d", err[0], err[1]);
	EXPECT_OR(out, syncs, "the block that a plain store got is not made durable");
out:
	for (unsigned i = 0; i < 2; i++)
		mm_unmap(current_mm(), va[i], PAGE_SIZE);
	if (f)
		dax_put(f);
	fixture_end(&fx);
}

static int map_fails(struct dax_inode *inode, uint64_t pgoff, bool create, struct dax_block *b)
{
	(void)inode, (void)pgoff, (void)create, (void)b;
	return refuse(-EDQUOT, "a test's file layer has no block");
}

SELFTEST(mmap_layer_error, "mmap.errors-are-the-layers",
	 "a fault that the file layer has no block for, or cannot make durable, ends with the "
	 "layer's "
	 "own error and sentence")
{
	const struct dax_map rq = {
		.flags = MAP_SHARED_VALIDATE | MAP_SYNC, .pages = 1, .write = true};
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = scratch_file("f", 0, 0);
	const struct dax_layer_ops *before = f ? f->ops : NULL;
	struct dax_layer_ops ops;
	uint64_t va = USER_MMAP + (1ul << 40);
	int no_block, not_durable;
	bool said;

	EXPECT_OR(out, f && !dax_truncate(f, PAGE_SIZE) && !dax_map(current_mm(), f, &rq, &va),
		  "%s", refusal());
	ops = *before;
	ops.map = map_fails;
	f->ops = &ops;
	no_block = mm_fault(current_mm(), va, true);
	said = strstr(refusal(), "no block");
	ops = *before;
	ops.sync = sync_fails;
	not_durable = mm_fault(current_mm(), va, true);
	f->ops = before;
	mm_unmap(current_mm(), va, PAGE_SIZE);
	EXPECT_OR(out, no_block == -EDQUOT && not_durable == -EIO,
		  "the layer says %d and %d, the fault %d and %d", -EDQUOT, -EIO, no_block,
		  not_durable);
	EXPECT_OR(out, said, "the sentence is not the layer's: %s", refusal());
out:
	if (f)
		dax_put(f);
	fixture_end(&fx);
}
