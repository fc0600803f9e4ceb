/* SPDX-License-Identifier: MIT */
/* The fixture of the DAX self-tests; see fixture.h. */
#include "dax/layer/internal.h"
#include "tests/kernel/lib/fixture.h"

/* Who holds a page of the scratch device before the test begins? A test that counts would count it
 * as well, and one that waits would wait for it. No skip: it may be what another test forgot. */
static int nobody_holds(struct fixture *fx)
{
	const struct pmem_region *r = scratch_region(&fx->why);
	static char text[120]; /* one test at a time */
	uint64_t busy, held = r ? pmem_held(r, &busy) : 0;

	if (!held)
		return 0;
	snprintf(text, sizeof(text), "%lu page(s) of %s are held ('pmem %s', 'pin'): let them go",
		 held, r->name, r->name);
	fx->why = text;
	return -EBUSY;
}

int fixture_start(struct fixture *fx, const struct lifetime *lt)
{
	int err;

	*fx = (struct fixture){0};
	err = nobody_holds(fx);
	return err ? err : scratch_mount(SCRATCH_SMALL, lt, &fx->fs, &fx->why);
}

void fixture_end(struct fixture *fx)
{
	while (fx->nr) {
		fx->nr--;
		fx_unmap(fx, fx->va[fx->nr]);
		if (fx->inode[fx->nr])
			dax_put(fx->inode[fx->nr]);
	}
	scratch_umount();
}

static uint64_t remember(struct fixture *fx, struct dax_inode *inode, unsigned pages, uint64_t va)
{
	ASSERT(fx->nr < FX_MAX, "a fixture holds %d mappings", FX_MAX);
	fx->inode[fx->nr] = inode;
	fx->va[fx->nr] = va;
	fx->pages[fx->nr++] = pages;
	return va;
}

uint64_t fx_map_as_is(struct fixture *fx, struct dax_inode *inode, unsigned pages, bool write)
{
	uint64_t va = 0;

	if (dax_mmap(current_mm(), inode, 0, pages, write, &va))
		va = 0;
	return remember(fx, inode, pages, va);
}

uint64_t fx_map_private(struct fixture *fx, struct dax_inode *inode, unsigned pages)
{
	uint64_t va = 0;

	if (dax_mmap_private(current_mm(), inode, 0, pages, true, &va))
		va = 0;
	return remember(fx, inode, pages, va);
}

uint64_t fx_map(struct fixture *fx, const char *name, unsigned pages, char fill)
{
	struct dax_inode *inode = scratch_file(name, pages, fill);

	return inode ? fx_map_as_is(fx, inode, pages, true) : 0;
}

void fx_unmap(struct fixture *fx, uint64_t va)
{
	for (unsigned i = 0; i < FX_MAX; i++)
		if (va && fx->va[i] == va) {
			mm_unmap(current_mm(), va, fx->pages[i] * PAGE_SIZE);
			fx->va[i] = 0;
		}
}

struct page *fx_va_to_page(uint64_t va)
{
	uint64_t *pte = pte_walk(current_mm()->root, va, 1, false, NULL);

	if (!pte || !(*pte & PTE_P) || !(*pte & PTE_DEVMAP))
		return NULL;
	return pfn_to_page(pte_to_pfn(*pte));
}

uint64_t fx_free_blocks(struct fixture *fx)
{
	struct ext4_statfs st;

	mutex_lock(&fx->fs->lock);
	ext4_statfs(ext4_of(fx->fs), &st);
	mutex_unlock(&fx->fs->lock);
	return st.free_blocks;
}

static void op_thread(void *arg)
{
	struct fx_op *op = arg;

	op->err = op->fn(op->inode, op->arg);
	__atomic_store_n(&op->done, true, __ATOMIC_RELEASE);
	wake_up(op);
}

bool fx_start(struct fx_op *op)
{
	op->done = false;
	op->thread = thread_create("operation", op_thread, op, 0);
	return op->thread != NULL;
}

bool fx_done(struct fx_op *op)
{
	return __atomic_load_n(&op->done, __ATOMIC_ACQUIRE);
}

void fx_join(struct fx_op *op)
{
	thread_join(op->thread);
}

bool fx_falls_asleep(struct fx_op *op, const void *key)
{
	return AWAIT(fx_done(op) || (waiters_on(key) &&
				     __atomic_load_n(&op->thread->state, __ATOMIC_ACQUIRE) ==
					     THREAD_SLEEPING),
		     "an operation to sleep") &&
	       !fx_done(op);
}

bool fx_asleep(struct fx_op *op, struct page *page)
{
	return fx_falls_asleep(op, &page->state);
}

bool fx_ends(struct fx_op *op)
{
	return AWAIT_POLLS(fx_done(op), "an operation to end");
}

int fx_truncate(struct dax_inode *inode, uint64_t size)
{
	return dax_truncate(inode, size);
}

int fixture_limited_start(struct fixture *fx)
{
	struct pmem_region *r = scratch_region(&fx->why);
	int err;

	if (!r)
		return -ENODEV;
	pmem_unbind(r);
	err = pmem_bind_limited(r);
	if (err) {
		pmem_bind(r);
		return err;
	}
	err = fixture_start(fx, &lifetime_unaware);
	if (err) {
		pmem_unbind(r);
		pmem_bind(r);
	}
	return err;
}

void fixture_limited_end(struct fixture *fx)
{
	struct pmem_region *r = fx->fs->region;

	fixture_end(fx);
	pmem_unbind(r);
	pmem_bind(r);
}

int fx_map_flags(struct dax_inode *f, unsigned pages, unsigned flags, bool stranger, uint64_t *va)
{
	struct dax_map rq = {.flags = MAP_SHARED_VALIDATE | flags,
			     .pages = pages,
			     .write = true,
			     .stranger = stranger};

	*va = 0;
	return dax_map(current_mm(), f, &rq, va);
}

unsigned fx_take_notices(char *text, unsigned n)
{
	char buf[NOTICE_TEXT];
	unsigned taken = 0;

	for (; notice_take(buf, sizeof(buf)); taken++)
		if (text)
			snprintf(text, n, "%s", buf);
	return taken;
}

struct lease fx_layout_lease(void)
{
	static const struct lease_ops ops = {.what = "a test"};

	return (struct lease){.class = LEASE_LAYOUT, .ops = &ops};
}
