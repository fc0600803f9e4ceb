/* SPDX-License-Identifier: MIT */
/* Self-tests: whoever hands a block out asks at that moment (lifetime.busy-extent.reserve-asks, …).
 */
#include "dax/device/internal.h"
#include "dax/layer/internal.h"
#include "tests/kernel/lib/huge.h"

/* Four extents, all that an inode has room for; the first one, of three pages, can be split. */
static struct dax_inode *splittable(const char *name)
{
	static const uint64_t at[] = {0, 1, 2, 4, 6, 8};
	struct dax_inode *f = scratch_file(name, 0, 0);

	for (unsigned i = 0; f && i < ARRAY_SIZE(at); i++)
		if (dax_write(f, at[i] * PAGE_SIZE, "x", 1) != 1)
			return NULL;
	return f;
}

/* F: three single pages, and from page N on 2 MiB, one folio, all mapped. */
static uint64_t map_f(struct fixture *fx)
{
	uint64_t va = fx_map_as_is(fx, sparse("f", 2 * N), 2 * N, true);

	for (unsigned i = 0; va && i < 6; i += 2)
		dax_write(fx->inode[0], i * PAGE_SIZE, "x", 1);
	if (va)
		*at(PAGE(va, N)) = 'a';
	return va && level_at(PAGE(va, N)) == 2 ? va : 0;
}

static struct page *pin(uint64_t va)
{
	struct page *p = NULL;

	return get_user_pages_fast(va, 1, PIN, &p) == 1 ? p : NULL;
}

/* On a full device: a page of the folio becomes free and at rest, and the reserve's; then its last
 * page is freed under a holder of another one, and with that all that is free of the folio is busy.
 * The holder's page. */
static struct page *busy_again(struct fixture *fx, uint64_t va)
{
	struct dax_inode *f = fx->inode[0];
	struct page *p = pin(PAGE(va, N + 8));

	if (!p)
		return NULL;
	dax_punch(f, (N + 7) * PAGE_SIZE, PAGE_SIZE); /* F's fifth extent: a node is taken */
	*at(PAGE(va, N + 9)) = 'x';		      /* by the single page: the 2 MiB is cut */
	unpin_user_pages(&p, 1);
	p = pin(PAGE(va, N + 9));
	if (p)
		dax_truncate(f, (2 * N - 1) * PAGE_SIZE); /* needs no node */
	return p;
}

SELFTEST(busy_reserve, "lifetime.busy-extent.reserve-asks",
	 "a block that the reserve chose at rest is busy again, with its folio, when a node is "
	 "needed: another one is given")
{
	FIXTURE(fx, &lifetime_busy_extent);
	uint64_t va = map_f(&fx);
	struct dax_inode *h = splittable("h");
	struct ext4_map m = {.state = EXT4_WRITTEN};
	struct page *p = NULL;
	int err;

	EXPECT_OR(out, va && h, "no files, or not mapped by 2 MiB");
	EXPECT_OR(out, !scratch_fill("fill") && !scratch_fill("rest"), "it cannot be filled");
	p = busy_again(&fx, va);
	EXPECT_OR(out, p && page_is_busy(p), "no pin, or the folio is not busy");
	err = dax_punch(h, PAGE_SIZE, PAGE_SIZE);
	mutex_lock(&fx.fs->lock);
	ext4_map_blocks(ext4_inode_of(h), 1, 1, 0, &m);
	mutex_unlock(&fx.fs->lock);
	unpin_user_pages(&p, 1);
	EXPECT_OR(out, !err && m.state == EXT4_HOLE, "error %d, state %d", err, m.state);
	EXPECT_OR(out, !fx.fs->region->dax->busy && !check_all(), "%lu busy",
		  fx.fs->region->dax->busy);
out:
	if (h)
		dax_put(h);
	fixture_end(&fx);
}
