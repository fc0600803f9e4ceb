/* SPDX-License-Identifier: MIT */
/* Self-tests: the lifetime busy-extent (lifetime.busy-extent.*): nobody waits, and nothing is
 * handed out.
 */
#include "dax/device/internal.h"
#include "dax/layer/internal.h"
#include "tests/kernel/lib/huge.h"

static struct pmem_region *region(void)
{
	return scratch_device();
}

static uint64_t busy(void)
{
	return __atomic_load_n(&region()->dax->busy, __ATOMIC_ACQUIRE);
}

/* Maps "f" with one page, touches and pins it. NULL: a step failed. */
static struct page *pinned_page(struct fixture *fx)
{
	uint64_t va = fx_map(fx, "f", 1, 'a');
	struct page *p = NULL;

	if (!va || get_user_pages_fast(va, 1, PIN, &p) != 1)
		return NULL;
	return p;
}

static int truncate_all(struct dax_inode *inode)
{
	return dax_truncate(inode, 0);
}

static int punch_first(struct dax_inode *inode)
{
	return dax_punch(inode, 0, PAGE_SIZE);
}

static void goes_on(struct selftest_run *t, int (*op)(struct dax_inode *))
{
	FIXTURE(fx, &lifetime_busy_extent);
	struct page *p = pinned_page(&fx);
	uint64_t before = fx_free_blocks(&fx), released = region()->dax->released;

	EXPECT_OR(out, p, "no pinned page");
	EXPECT_OR(put, !op(fx.inode[0]), "%s", refusal());
	EXPECT_OR(put, !fx.inode[0]->last_break.busy_seen, "it waited");
	EXPECT_OR(put, fx_free_blocks(&fx) == before + 1, "%ld blocks freed",
		  (long)(fx_free_blocks(&fx) - before));
	EXPECT_OR(put, page_is_busy(p) && !p->mapping && busy() == 1,
		  "busy %d, mapping %p, %lu busy in the device", page_is_busy(p),
		  (void *)p->mapping, busy());
	EXPECT_OR(put, !check_i5_idle() && !check_i6_association(), "invariants");
put:
	unpin_user_pages(&p, 1);
	EXPECT_OR(out, !page_state(p) && !busy() && region()->dax->released == released + 1,
		  "after the put: state 0x%lx, %lu busy, %lu released", page_state(p), busy(),
		  region()->dax->released - released);
out:
	fixture_end(&fx);
}

SELFTEST(busy_truncate, "lifetime.busy-extent.truncate-goes-on",
	 "truncate of a held page returns at once; the block is busy until the last put, which "
	 "releases it once")
{
	goes_on(t, truncate_all);
}

SELFTEST(busy_punch, "lifetime.busy-extent.punch-goes-on",
	 "a hole over a held page is made at once, and the page is out of reach until it is put")
{
	goes_on(t, punch_first);
}

SELFTEST(busy_evict, "lifetime.busy-extent.evict-goes-on",
	 "the last close of an unlinked file does not wait for who holds its page")
{
	FIXTURE(fx, &lifetime_busy_extent);
	struct page *p = pinned_page(&fx);

	EXPECT_OR(out, p, "no pinned page");
	EXPECT_OR(put, !dax_unlink(SCRATCH_PATH "/f"), "%s", refusal());
	fx_unmap(&fx, fx.va[0]);
	dax_put(fx.inode[0]);
	fx.inode[0] = NULL;
	EXPECT_OR(put, page_is_busy(p) && busy() == 1, "the page is not busy");
put:
	unpin_user_pages(&p, 1);
	EXPECT_OR(out, !page_state(p) && !busy(), "state 0x%lx", page_state(p));
out:
	fixture_end(&fx);
}

/* Gives every free block to "fill"; then a file needs one more. Its error, 0: it got one. */
static int need_a_block(void)
{
	struct dax_inode *g;
	char byte = 'g';
	int64_t n;
	int err = dax_open(SCRATCH_PATH "/g", true, &g);

	if (err)
		return err;
	n = dax_write(g, 0, &byte, 1);
	dax_put(g);
	return n < 0 ? (int)n : 0;
}

SELFTEST(busy_out_of_reach, "lifetime.busy-extent.out-of-reach",
	 "the only free block is busy: -ENOSPC, and the sentence says that a put would help; after "
	 "it the block is given")
{
	FIXTURE(fx, &lifetime_busy_extent);
	struct page *p = pinned_page(&fx);
	int full, then;
	bool says;

	EXPECT_OR(out, p && !scratch_fill("fill"),
		  "no pinned page, or the device cannot be filled");
	dax_truncate(fx.inode[0], 0);
	full = need_a_block();
	says = strstr(refusal(), "put") != NULL;
	unpin_user_pages(&p, 1);
	then = need_a_block();
	EXPECT_OR(out, full == -ENOSPC && says, "error %d: %s", full, refusal());
	EXPECT_OR(out, !then, "after the put: %d: %s", then, refusal());
out:
	fixture_end(&fx);
}

SELFTEST(busy_inherited, "lifetime.busy-extent.inherited",
	 "unmount and mount with a holder: the next mount's allocator refuses the busy block (F-7)")
{
	FIXTURE(fx, &lifetime_busy_extent);
	struct page *p = pinned_page(&fx);
	int full, err;

	EXPECT_OR(out, p && !scratch_fill("fill"),
		  "no pinned page, or the device cannot be filled");
	dax_truncate(fx.inode[0], 0);
	fx_unmap(&fx, fx.va[0]);
	dax_put(fx.inode[0]);
	fx.inode[0] = NULL;
	err = dax_umount(SCRATCH_PATH);
	EXPECT_OR(put, !err, "%s", refusal());
	err = dax_mount(region(), SCRATCH_PATH, &lifetime_busy_extent, &fx.fs);
	full = need_a_block();
	EXPECT_OR(put, !err && busy() == 1 && full == -ENOSPC, "mount %d, %lu busy, then %d", err,
		  busy(), full);
put:
	unpin_user_pages(&p, 1);
	EXPECT_OR(out, !busy() && !need_a_block(), "after the put: %s", refusal());
out:
	fixture_end(&fx);
}

/* "f" of 1000 blocks that lie in two runs; page `held` alone is touched, and stays pinned. */
static void held_in_a_run(struct selftest_run *t, unsigned held)
{
	FIXTURE(fx, &lifetime_busy_extent);
	struct dax_inode *f = NULL;
	struct page *p = NULL;
	uint64_t va;
	int err;

	EXPECT_OR(out, !dax_open(SCRATCH_PATH "/f", true, &f), "%s", refusal());
	err = dax_fallocate(f, 0, 1000 * PAGE_SIZE, false);
	err = err ? err : dax_punch(f, 500 * PAGE_SIZE, PAGE_SIZE);
	va = fx_map_as_is(&fx, f, 1000, true);
	EXPECT_OR(out, !err, "%s", refusal());
	EXPECT_OR(out, va && get_user_pages_fast(va + held * PAGE_SIZE, 1, PIN, &p) == 1,
		  "page %u is not pinned", held);
	EXPECT_OR(put, !dax_truncate(f, 0), "%s", refusal());
	EXPECT_OR(put, page_is_busy(p) && busy() == 1, "page %u: state 0x%lx, %lu busy", held,
		  page_state(p), busy());
put:
	unpin_user_pages(&p, 1);
	EXPECT_OR(out, !busy(), "%lu busy", busy());
out:
	fixture_end(&fx);
}

SELFTEST(busy_runs, "lifetime.busy-extent.any-run",
	 "a file of two runs goes as one: a held page of either is marked, though nobody ever "
	 "touched the other")
{
	held_in_a_run(t, 250);
	held_in_a_run(t, 750);
}

SELFTEST(busy_by_extents, "lifetime.busy-extent.by-extents",
	 "a page pinned before the mount has no entry in it; its truncate marks it all the same "
	 "(F-16)")
{
	FIXTURE(fx, &lifetime_busy_extent);
	struct page *p = pinned_page(&fx);
	struct dax_inode *f = NULL;

	EXPECT_OR(out, p, "no pinned page");
	fx_unmap(&fx, fx.va[0]);
	dax_put(fx.inode[0]);
	fx.inode[0] = NULL;
	EXPECT_OR(put, !dax_umount(SCRATCH_PATH), "%s", refusal());
	EXPECT_OR(put, !dax_mount(region(), SCRATCH_PATH, &lifetime_busy_extent, &fx.fs), "%s",
		  refusal());
	EXPECT_OR(put, !page_is_busy(p), "busy, and its file still has it");
	EXPECT_OR(put, !dax_open(SCRATCH_PATH "/f", false, &f) && !dax_truncate(f, 0), "%s",
		  refusal());
	EXPECT_OR(put, page_is_busy(p) && busy() == 1, "state 0x%lx", page_state(p));
put:
	unpin_user_pages(&p, 1);
	if (f)
		dax_put(f);
	EXPECT_OR(out, !busy(), "%lu busy", busy());
out:
	fixture_end(&fx);
}

SELFTEST(
	busy_interrupt, "lifetime.busy-extent.release-in-interrupt",
	"a device's completion interrupt is a last put like any other: it releases the block (F-5)")
{
	struct dma_job *job;
	struct page *p;
	int err;

	if (scratch_choose_edus(1))
		SKIP("%s", refusal());
	FIXTURE(fx, &lifetime_busy_extent);
	p = pinned_page(&fx);
	EXPECT_OR(out, p, "no pinned page");
	job = dma_start(scratch_edu(0), &p, 1, DMA_IN, "dma ", 1, &err);
	EXPECT_OR(out, job, "error %d", err);
	err = dax_truncate(fx.inode[0], 0);
	dma_wait(job);
	dma_free(job);
	EXPECT_OR(out, !err && !busy() && !page_state(p), "error %d, %lu busy, state 0x%lx", err,
		  busy(), page_state(p));
out:
	fixture_end(&fx);
}

static int fallocate_page(struct dax_inode *inode, uint64_t unused)
{
	(void)unused;
	return dax_fallocate_wait(inode, 0, PAGE_SIZE, false);
}

/* Holds the file layer's lock while the caller puts, as some other CPU may. */
struct lock_holder {
	struct dax_fs *fs;
	bool has, enough;
};

static void hold_lock(void *arg)
{
	struct lock_holder *h = arg;

	mutex_lock(&h->fs->lock);
	__atomic_store_n(&h->has, true, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&h->enough, __ATOMIC_ACQUIRE))
		thread_yield();
	mutex_unlock(&h->fs->lock);
}

static void put_while_locked(struct fixture *fx, struct page *p)
{
	struct lock_holder h = {.fs = fx->fs};
	struct thread *t = thread_create("lock holder", hold_lock, &h, 0);

	while (!__atomic_load_n(&h.has, __ATOMIC_ACQUIRE))
		thread_yield();
	unpin_user_pages(&p, 1);
	__atomic_store_n(&h.enough, true, __ATOMIC_RELEASE);
	thread_join(t);
}

SELFTEST(busy_space_waiter, "lifetime.busy-extent.space-waiter",
	 "who asks to wait for space sleeps while only busy blocks are left, and the put wakes him")
{
	FIXTURE(fx, &lifetime_busy_extent);
	struct page *p = pinned_page(&fx);
	struct dax_inode *g = scratch_file("g", 0, 0);
	struct fx_op op = {.inode = g, .fn = fallocate_page};
	bool slept = false, in_time;

	EXPECT_OR(out, p && g && !scratch_fill("fill"), "no pinned page, or it cannot be filled");
	dax_truncate(fx.inode[0], 0);
	EXPECT_OR(put, fx_start(&op), "no thread");
	slept = fx_falls_asleep(&op, &region()->dax->busy);
	put_while_locked(&fx, p);
	p = NULL;
	in_time = fx_ends(&op);
	if (!in_time)
		thread_signal(op.thread);
	fx_join(&op);
	EXPECT_OR(put, slept && in_time && !op.err, "slept %d, woken %d, error %d", slept, in_time,
		  op.err);
put:
	if (p)
		unpin_user_pages(&p, 1);
out:
	if (g)
		dax_put(g);
	fixture_end(&fx);
}

SELFTEST(busy_folio, "lifetime.busy-extent.folio-partly-freed",
	 "a page of a held 2 MiB is punched: it is busy with the whole, the rest stays mapped and "
	 "may be read; the last put releases it, and each page counts for itself again (F-9)")
{
	FIXTURE(fx, &lifetime_busy_extent);
	uint64_t va = map_huge(&fx, "f", 1);
	struct page *p = NULL, *head;
	unsigned wrong;

	EXPECT_OR(out, va && level_at(va) == 2, "not mapped by 2 MiB");
	number_pages(va);
	head = va_to_head(va);
	EXPECT_OR(out, get_user_pages_fast(PAGE(va, 7), 1, PIN, &p) == 1, "no page");
	EXPECT_OR(put, !dax_punch(fx.inode[0], PAGE_SIZE, PAGE_SIZE), "%s", refusal());
	wrong = wrong_numbers(va, 2, N);
	EXPECT_OR(put, page_is_busy(head) && busy() == 1 && !wrong,
		  "state 0x%lx, %lu busy, %u pages wrong", page_state(head), busy(), wrong);
	EXPECT_OR(put, !dax_punch(fx.inode[0], 2 * PAGE_SIZE, PAGE_SIZE) && busy() == 1,
		  "a second part: %lu busy", busy());
put:
	unpin_user_pages(&p, 1);
	EXPECT_OR(out, !busy() && !page_refs(head) && !(page_state(head) & PAGE_BUSY),
		  "%lu busy, state 0x%lx", busy(), page_state(head));
	fx_unmap(&fx, va);
	EXPECT_OR(out, !dax_truncate(fx.inode[0], 0) && !busy(), "%lu busy at the end", busy());
out:
	fixture_end(&fx);
}

SELFTEST(busy_tree_first, "lifetime.busy-extent.tree-before-bitmap",
	 "blocks leave their file's tree before the bitmap shows them free (F-11)")
{
	FIXTURE(fx, &lifetime_busy_extent);
	struct dax_inode *f = scratch_file("f", 8, 'a');

	EXPECT_OR(out, f, "no file");
	EXPECT_OR(out, !dax_punch(f, 2 * PAGE_SIZE, PAGE_SIZE) && !dax_truncate(f, 0), "%s",
		  refusal());
	EXPECT_OR(out, !fx.fs->freed_early, "%lu run(s) were free too early", fx.fs->freed_early);
out:
	if (f)
		dax_put(f);
	fixture_end(&fx);
}

SELFTEST(
	busy_frees_when_full, "lifetime.busy-extent.frees-when-full",
	"a hole that splits an extent needs a block for the tree: on a full device the reserve has "
	"it (F-10)")
{
	FIXTURE(fx, &lifetime_busy_extent);
	struct dax_inode *f = scratch_file("f", 0, 0), *g = NULL;
	struct ext4_map m = {.state = EXT4_WRITTEN};
	int err = 0;

	EXPECT_OR(out, f, "no file");
	for (unsigned i = 0; i < 3 && !err; i++) /* the root of the tree has room for four */
		err = dax_write(f, 2 * i * PAGE_SIZE, "x", 1) != 1;
	EXPECT_OR(out, !err && !dax_fallocate(f, 6 * PAGE_SIZE, 10 * PAGE_SIZE, false), "%s",
		  refusal());
	EXPECT_OR(out, !scratch_fill("fill"), "the device cannot be filled");
	g = scratch_file("g", 0, 0);
	for (unsigned i = 0; g && i < 4; i++) /* what its last extent left over */
		dax_write(g, i * PAGE_SIZE, "x", 1);
	EXPECT_OR(out, !dax_punch(f, 10 * PAGE_SIZE, PAGE_SIZE), "%s", refusal());
	mutex_lock(&fx.fs->lock);
	err = ext4_map_blocks(ext4_inode_of(f), 10, 1, 0, &m);
	mutex_unlock(&fx.fs->lock);
	EXPECT_OR(out, !err && m.state == EXT4_HOLE, "error %d, state %d", err, m.state);
out:
	if (g)
		dax_put(g);
	if (f)
		dax_put(f);
	fixture_end(&fx);
}

/* A long-term pin of a fresh page of the mounted file system: what it returns. */
static long pin_for_long(struct fixture *fx)
{
	uint64_t va = fx_map(fx, "f", 1, 'a');
	struct page *p = NULL;
	long n = -EFAULT;

	if (va) {
		at(va)[0] = 'b';
		n = get_user_pages_fast(va, 1, PIN | FOLL_LONGTERM, &p);
	}
	if (n == 1)
		unpin_user_pages(&p, 1);
	return n;
}

SELFTEST(busy_longterm, "lifetime.busy-extent.longterm",
	 "longterm=allow: a pin without an end is taken; refuse is the default; other lifetimes do "
	 "not have the option")
{
	const struct mount_options allow = {.longterm = true};
	long refused, allowed;
	int other;

	FIXTURE(fx, &lifetime_busy_extent);
	refused = pin_for_long(&fx);
	fixture_end(&fx);
	other = dax_mount_with(region(), SCRATCH_PATH, &lifetime_idle_at_one, &allow, NULL);
	fx = (struct fixture){0};
	EXPECT(!dax_mount_with(region(), SCRATCH_PATH, &lifetime_busy_extent, &allow, &fx.fs), "%s",
	       refusal());
	allowed = pin_for_long(&fx);
	fixture_end(&fx);
	EXPECT(refused == -EOPNOTSUPP && allowed == 1 && other == -EINVAL,
	       "refused %ld, allowed %ld, another lifetime %d", refused, allowed, other);
}

SELFTEST(busy_unbind, "lifetime.busy-extent.unbind",
	 "unbinding a region with a held page is refused and names the holder; after the put it "
	 "goes, and comes back")
{
	int mounted, held, then, again;
	bool named;
	struct page *p;

	FIXTURE(fx, &lifetime_busy_extent);
	p = pinned_page(&fx);
	mounted = dax_unbind(region(), false);
	fixture_end(&fx);
	EXPECT(p, "no pinned page");
	held = dax_unbind(region(), false);
	named = strstr(refusal(), "nobody on record") != NULL; /* gup without a holder's name */
	unpin_user_pages(&p, 1);
	then = dax_unbind(region(), false);
	again = then ? 0 : pmem_bind(region());
	EXPECT(mounted == -EBUSY && held == -EBUSY && named, "mounted %d, held %d: %s", mounted,
	       held, refusal());
	EXPECT(!then && !again && pmem_is_present(region()), "then %d, bound again %d", then,
	       again);
}

static int unbind_waiting(struct dax_inode *unused, uint64_t arg)
{
	(void)unused, (void)arg;
	return dax_unbind(region(), true);
}

SELFTEST(busy_unbind_waits, "lifetime.busy-extent.unbind-waits",
	 "told to wait, unbinding sleeps until the last put of a busy page, and then goes (F-14)")
{
	struct fx_op op = {.fn = unbind_waiting};
	struct page *p;
	bool slept;

	FIXTURE(fx, &lifetime_busy_extent);
	p = pinned_page(&fx);
	if (p)
		dax_truncate(fx.inode[0], 0);
	fixture_end(&fx);
	EXPECT(p, "no pinned page");
	fx_start(&op);
	slept = fx_asleep(&op, p);
	unpin_user_pages(&p, 1);
	fx_join(&op);
	if (!pmem_is_present(region()))
		pmem_bind(region());
	EXPECT(slept && !op.err && pmem_is_present(region()), "slept %d, error %d", slept, op.err);
}
