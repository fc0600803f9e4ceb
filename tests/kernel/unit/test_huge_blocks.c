/* SPDX-License-Identifier: MIT */
/*
 * Self-tests: what blocks a first fault in 2 MiB meets, and what it does to them. Only those that
 * an entry of 2 MiB can show, now or when they were written, are written or allocated as a whole.
 */
#include "dax/file/internal.h"
#include "dax/layer/internal.h"
#include "tests/kernel/lib/huge.h"

static bool lies(const struct dax_inode *f, uint32_t page, unsigned state, struct ext4_map *m)
{
	return !ext4_map_blocks(ext4_inode_of(f), page, N, 0, m) && m->state == state;
}

/* A file whose second 2 MiB are 512 blocks side by side that begin elsewhere than at a multiple of
 * 2 MiB: page 0 is one block too many before them. */
static struct dax_inode *unaligned(bool written)
{
	struct dax_inode *f = scratch_file("f", written ? 2 * N + 1 : 1, 'u');
	struct ext4_map m;

	if (!f)
		return NULL;
	if ((written || !dax_fallocate(f, PAGE_SIZE, 2 * PMD_SIZE, false)) &&
	    lies(f, N, written ? EXT4_WRITTEN : EXT4_UNWRITTEN, &m) && m.count == N && m.pblk % N)
		return f;
	dax_put(f);
	return NULL;
}

SELFTEST(huge_unaligned_store, "huge.unaligned-store",
	 "a store to 512 written blocks that do not begin at a multiple of 2 MiB: single pages")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = unaligned(true);

	EXPECT_OR(out, f, "no such blocks");
	fx_map_as_is(&fx, f, 2 * N, true);
	*at(PAGE(fx.va[0], N + 3)) = 's';
	EXPECT_OR(out, level_at(PAGE(fx.va[0], N + 3)) == 1 && *at(PAGE(fx.va[0], N + 4)) == 'u',
		  "a store to unaligned blocks: level %u", level_at(PAGE(fx.va[0], N + 3)));
out:
	fixture_end(&fx);
}

/* Breaks it: unwritten blocks that are not aligned are converted as a whole, or show no zeroes. */
SELFTEST(huge_unaligned_unwritten, "huge.unaligned-unwritten",
	 "512 unwritten blocks that do not begin at a multiple of 2 MiB are shown as zeroes by 2 "
	 "MiB; "
	 "a store writes the one page, and the others stay unwritten")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = unaligned(false);
	unsigned zeroes, stored;
	struct ext4_map m;
	bool others;

	EXPECT_OR(out, f, "no such blocks");
	fx_map_as_is(&fx, f, 2 * N, true);
	zeroes = *at(PAGE(fx.va[0], N + 3)) ? 0 : level_at(PAGE(fx.va[0], N + 3));
	*at(PAGE(fx.va[0], N + 3)) = 's';
	stored = level_at(PAGE(fx.va[0], N + 3));
	others = lies(f, N + 4, EXT4_UNWRITTEN, &m) && lies(f, N + 2, EXT4_UNWRITTEN, &m);
	EXPECT_OR(out, zeroes == 2, "unwritten blocks are loaded at level %u, not 2", zeroes);
	EXPECT_OR(out, stored == 1 && others, "a store at level %u; the pages beside it are %s",
		  stored, others ? "unwritten" : "written, too");
out:
	fixture_end(&fx);
}

/* Breaks it: that a run is short is asked only of one that was written. */
SELFTEST(huge_part_allocates, "huge.part-allocates-one",
	 "a store to a hole beside which one page of the 2 MiB was written takes one block")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = sparse("f", N);
	uint64_t before, taken;

	EXPECT_OR(out, f && dax_write(f, 300 * PAGE_SIZE, "x", 1) == 1, "no file");
	fx_map_as_is(&fx, f, N, true);
	before = fx_free_blocks(&fx);
	*at(PAGE(fx.va[0], 3)) = 's';
	taken = before - fx_free_blocks(&fx);
	EXPECT_OR(out, taken == 1, "a store to a short hole takes %lu blocks", taken);
out:
	fixture_end(&fx);
}

SELFTEST(huge_load_clean, "huge.load-is-clean",
	 "2 MiB that were only loaded have an entry that is clean: fsync has nothing to write back")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = scratch_file("f", 0, 0);
	uint64_t from = 0, entry;
	int64_t done = f ? dax_fallocate(f, 0, PMD_SIZE, false) ?: 1 : 0;

	for (unsigned i = 0; i < N && done == 1; i++)
		done = dax_write(f, i * PAGE_SIZE, "w", 1);
	EXPECT_OR(out, done == 1, "%s", refusal());
	fx_map_as_is(&fx, f, N, true);
	EXPECT_OR(out, *at(PAGE(fx.va[0], 7)) == 'w' && level_at(fx.va[0]) == 2, "level %u",
		  level_at(fx.va[0]));
	entry = entry_next(f, &from, N);
	EXPECT_OR(out, (entry & ENTRY_PMD) && !(entry & ENTRY_DIRTY),
		  "loaded, and not stored to: entry 0x%lx", entry);
out:
	fixture_end(&fx);
}
