/* SPDX-License-Identifier: MIT */
/*
 * Self-tests: images that give one block to two files (ext4.cross-linked-*).
 *
 * Nothing of this kernel makes such an image, but a mount takes one as it is, and no assertion may
 * depend on it: the fault, or the allocation, that meets the second owner fails with a sentence.
 */
#include "dax/layer/internal.h"
#include "dax/ext4/disk.h"
#include "tests/kernel/lib/huge.h"

/* Where the first extent of the file says that it begins. */
static uint8_t *first_block(struct dax_inode *inode)
{
	struct ext4_extent *e =
		(void *)(ext4_inode_of(inode)->raw->i_block + sizeof(struct ext4_extent_header));

	return (uint8_t *)&e->ee_start_lo;
}

static uint32_t get_block(struct dax_inode *inode)
{
	uint32_t v;

	memcpy(&v, first_block(inode), sizeof(v));
	return v;
}

static void set_block(struct dax_inode *inode, uint32_t v)
{
	memcpy(first_block(inode), &v, sizeof(v));
}

/* A fault on either file while the other one has the block in use; value: what went wrong. */
static const char *second_fault(struct fixture *fx, struct dax_inode *f, struct dax_inode *g)
{
	uint64_t a = fx_map_as_is(fx, f, 1, true), b = fx_map_as_is(fx, g, 1, true);
	const char *wrong = NULL;
	uint64_t v;

	if (!a || !b || store_checked((uint64_t *)a, 1))
		return "the first file cannot be stored to";
	if (load_checked((uint64_t *)b, &v) != -EFAULT)
		wrong = "the second file shows the block, too";
	else if (!strstr(refusal(), "e2fsck"))
		wrong = "the reason names no cure";
	else if (store_checked((uint64_t *)a, 2))
		wrong = "the first file lost its page";
	fx_unmap(fx, a);
	fx_unmap(fx, b);
	return wrong;
}

static void refuses(struct selftest_run *t, const struct lifetime *lt)
{
	FIXTURE(fx, lt);
	struct dax_inode *f = scratch_file("f", 1, 'f'), *g = scratch_file("g", 1, 'g');
	uint32_t old = g ? get_block(g) : 0;
	const char *wrong;

	EXPECT_OR(out, f && g, "%s", refusal());
	set_block(g, get_block(f));
	wrong = second_fault(&fx, f, g);
	set_block(g, old);
	EXPECT_OR(out, !wrong, "%s: %s", lt->name, wrong);
out:
	fixture_end(&fx);
}

SELFTEST(ext4_cross_fault, "ext4.cross-linked-fault",
	 "of two files that an image gives one block the second to be mapped fails, and says that "
	 "the image is damaged; under every lifetime that links pages to files")
{
	const struct lifetime *lt;

	for (unsigned i = 0; (lt = lifetime_nth(i)); i++)
		if (lt->associates && !t->failed && !t->skipped)
			refuses(t, lt);
}

SELFTEST(ext4_cross_large, "ext4.cross-linked-large",
	 "a page inside another file's 2 MiB is refused or counted by itself, and what holds a "
	 "page there gives it back to the record it was taken from")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t a = map_huge(&fx, "f", 1), b;
	struct dax_inode *g = scratch_file("g", 1, 'g');
	uint32_t old = g ? get_block(g) : 0;
	struct page *held = NULL;

	EXPECT_OR(out, a && g && level_at(a) == 2, "no 2 MiB: %s", refusal());
	set_block(g, get_block(fx.inode[0]) + 5);
	fx_unmap(&fx, a);
	b = fx_map_as_is(&fx, g, 1, true);
	store_checked((uint64_t *)b, 1);
	a = map_again(&fx, 0, N, 0);
	if (a && !store_checked((uint64_t *)PAGE(a, 7), 1) &&
	    get_user_pages_fast(PAGE(a, 7), 1, PIN, &held) == 1)
		unpin_user_pages(&held, 1);
	unmap(a, N);
	fx_unmap(&fx, b);
	set_block(g, old);
	EXPECT_OR(out, held && !page_refs(page_to_record(held)), "%u references are left",
		  held ? page_refs(page_to_record(held)) : 0);
out:
	fixture_end(&fx);
}

SELFTEST(ext4_cross_whole, "ext4.cross-linked-whole",
	 "of two files that an image gives the same 2 MiB the second is refused, and the first one "
	 "goes on by 2 MiB")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t a = map_huge(&fx, "f", 1), extents = huge_count(HUGE_EXTENT), b, v;
	struct dax_inode *g = scratch_file("g", N, 'g');
	uint32_t old = g ? get_block(g) : 0;
	int err;

	EXPECT_OR(out, a && g && level_at(a) == 2, "no 2 MiB: %s", refusal());
	unmap_mapping_range(&fx.inode[0]->mapping, 0, N); /* only the entry says whose they are */
	set_block(g, get_block(fx.inode[0]));
	b = fx_map_as_is(&fx, g, N, true);
	err = load_checked((uint64_t *)b, &v);
	fx_unmap(&fx, b);
	set_block(g, old);
	EXPECT_OR(out, err == -EFAULT && strstr(refusal(), "e2fsck"),
		  "the second file shows the blocks, too (error %d)", err);
	EXPECT_OR(out, huge_count(HUGE_EXTENT) == extents + 1, "%lu faults met the other's blocks",
		  huge_count(HUGE_EXTENT) - extents);
	EXPECT_OR(out, !store_checked((uint64_t *)a, 2) && level_at(a) == 2,
		  "the first file is not served by 2 MiB any more");
out:
	fixture_end(&fx);
}

#define USED 64u /* blocks in use that the bitmap calls free: more than are left at the end */

/* Group 0's bitmap: are the file's first blocks, which are side by side, in use? */
static void say_used(const struct fixture *fx, uint32_t first, bool used)
{
	char *base = fx->fs->region->kaddr;
	const struct ext4_group_desc *gd = (void *)(base + PAGE_SIZE);
	uint8_t *map = (uint8_t *)base + gd->bg_block_bitmap_lo * PAGE_SIZE;

	for (uint32_t b = first; b < first + USED; b++)
		if (used)
			map[b / 8] |= (uint8_t)(1u << b % 8);
		else
			map[b / 8] &= (uint8_t) ~(1u << b % 8);
}

SELFTEST(ext4_handed_out, "ext4.block-in-use-is-not-handed-out",
	 "a bitmap that calls blocks free, of which a file has the pages mapped, ends the "
	 "allocation with an error that says so")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = fx_map(&fx, "f", USED, 'f');
	uint32_t block = va ? get_block(fx.inode[0]) : 0;
	unsigned lost = 0;
	int err = 0;

	EXPECT_OR(out, va, "%s", refusal());
	for (unsigned i = 0; i < USED; i++)
		*at(PAGE(va, i)) = 'x';
	say_used(&fx, block, false);
	err = scratch_fill("h");
	say_used(&fx, block, true);
	EXPECT_OR(out, err == -EIO && strstr(refusal(), "in use"), "error %d: %s", err, refusal());
	for (unsigned i = 0; i < USED; i++)
		lost += *at(PAGE(va, i)) != 'x';
	EXPECT_OR(out, !lost, "%u of %u pages show other bytes", lost, USED);
out:
	fixture_end(&fx);
}
