/* SPDX-License-Identifier: MIT */
/*
 * Second-level page tables, walked as the unit walks them: through memory that holds only what was
 * written back. What is mapped, by small and large pages, by ranges and by names, in any order, is
 * compared with a model of one word a page; allocations fail now and then.
 */
/* LINK: drivers/iommu/slpt.c drivers/iommu/slpt_map.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <errno.h>

#include "drivers/iommu/internal.h"

#define FRAMES 6000u
#define M2     0x200000ull
#define G1     0x40000000ull
#define RW     (SLPT_READ | SLPT_WRITE)

static uint64_t (*cpu)[512];	/* frames as the CPU sees them */
static uint64_t (*memory)[512]; /* and as the unit does */
static bool used[FRAMES];
static bool fresh[FRAMES]; /* an entry may not lead there yet: not written back, or not in order */
static bool pending[FRAMES]; /* written back, and nothing said of the order */
static unsigned nr_used, fail_in, written_back;

static uint64_t alloc(void)
{
	static unsigned next;

	if (fail_in && !--fail_in)
		return 0;
	for (unsigned i = 0; i < FRAMES; i++) {
		unsigned at = 1 + (next + i) % (FRAMES - 1);

		if (used[at])
			continue;
		next = at;
		used[at] = true;
		nr_used++;
		memset(cpu[at], 0, 4096);
		memset(memory[at], 0xff, 4096); /* until it is written back */
		fresh[at] = true;
		return (uint64_t)at << 12;
	}
	fail_msg("too few frames");
	return 0;
}

static void give_back(uint64_t frame)
{
	assert_true(used[frame >> 12]);
	used[frame >> 12] = fresh[frame >> 12] = pending[frame >> 12] = false;
	nr_used--;
}

static uint64_t *at(uint64_t frame)
{
	assert_true(used[frame >> 12]);
	return cpu[frame >> 12];
}

static void written(const void *from, size_t bytes)
{
	size_t offset = (size_t)((const char *)from - (const char *)cpu);

	assert_true(bytes && offset / 4096 == (offset + bytes - 1) / 4096);
	memcpy((char *)memory + offset, from, bytes);
	pending[offset / 4096] |= bytes == 4096;
	written_back++;
}

static void ordered(void)
{
	for (unsigned i = 0; i < FRAMES; i++) {
		fresh[i] &= !pending[i];
		pending[i] = false;
	}
}

static const struct slpt_ground ground = {alloc, give_back, at, written, ordered};
static const struct slpt_ground snooped = {alloc, give_back, at, NULL, NULL};

/* The unit's walk: 0 or the physical address, with the rights in bits 0 and 1. */
static uint64_t unit_finds(const struct slpt *t, uint64_t iova)
{
	uint64_t table = t->root;

	for (unsigned level = t->levels;; level--) {
		unsigned shift = 12 + 9 * (level - 1);
		uint64_t entry = memory[table >> 12][iova >> shift & 511];
		uint64_t within = iova & ((1ull << shift) - 1) & ~4095ull;

		if (!(entry & 3))
			return 0;
		if (level == 1 || entry & 0x80)
			return ((entry & 0xffffffffff000ull) | within) + (entry & 3);
		table = entry & 0xffffffffff000ull;
		assert_true(used[table >> 12] && !fresh[table >> 12]);
	}
}

static int setup(void **state)
{
	(void)state;
	cpu = aligned_alloc(4096, FRAMES * 4096);
	memory = aligned_alloc(4096, FRAMES * 4096);
	memset(used, 0, sizeof(used));
	memset(fresh, 0, sizeof(fresh));
	memset(pending, 0, sizeof(pending));
	nr_used = fail_in = written_back = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	assert_int_equal(nr_used, 0);
	free(cpu);
	free(memory);
	return 0;
}

static void arguments(void **state)
{
	struct page *name = pfn_to_page(7);
	struct slpt t;

	(void)state;
	assert_int_equal(slpt_init(&t, &ground, 2, 3), -EINVAL);
	assert_int_equal(slpt_init(&t, &ground, 6, 3), -EINVAL);
	fail_in = 1;
	assert_int_equal(slpt_init(&t, &ground, 3, 3), -ENOMEM);
	assert_int_equal(slpt_init(&t, &ground, 3, 3), 0);
	assert_int_equal(t.limit, 1ull << 39);
	assert_int_equal(slpt_map(&t, 0, 0, 0, RW), -EINVAL);
	assert_int_equal(slpt_map(&t, 1, 0, 4096, RW), -EINVAL);
	assert_int_equal(slpt_map(&t, 0, 1, 4096, RW), -EINVAL);
	assert_int_equal(slpt_map(&t, 0, 0, 4095, RW), -EINVAL);
	assert_int_equal(slpt_map(&t, 0, 0, 4096, 0), -EINVAL);
	assert_int_equal(slpt_map(&t, 0, 0, 4096, 4), -EINVAL);
	assert_int_equal(slpt_map(&t, 0, 1ull << 52, 4096, RW), -EINVAL);
	assert_int_equal(slpt_map(&t, 1ull << 39, 0, 4096, RW), -EINVAL);
	assert_int_equal(slpt_map(&t, (1ull << 39) - 4096, 0, 8192, RW), -EINVAL);
	assert_int_equal(slpt_unmap(&t, 1ull << 39, 4096), -EINVAL);
	assert_int_equal(slpt_unmap(&t, 0, UINT64_MAX & ~4095ull), -EINVAL);
	assert_int_equal(slpt_map(&t, (1ull << 39) - 4096, 0x5000, 4096, SLPT_READ), 0);
	slpt_sync(&t);
	assert_int_equal(unit_finds(&t, (1ull << 39) - 4096), 0x5001);
	assert_int_equal(slpt_map(&t, (1ull << 39) - 4096, 0x6000, 4096, RW), -EEXIST);
	assert_int_equal(slpt_leaves(&t), 1);
	assert_int_equal(slpt_map_pages(&t, 0, &name, 8, 0, RW), -EINVAL);
	assert_int_equal(slpt_map_pages(&t, 1, &name, 8, 1, RW), -EINVAL);
	assert_int_equal(slpt_map_pages(&t, 0, &name, 8, 1, 0), -EINVAL);
	assert_int_equal(slpt_map_pages(&t, 0, &name, 8, 1, 4), -EINVAL);
	assert_int_equal(slpt_map_pages(&t, (1ull << 39) - 4096, &name, 8, 2, RW), -EINVAL);
	assert_int_equal(slpt_map_pages(&t, 4096, &name, 8, 1ul << 52, RW), -EINVAL);
	assert_int_equal(slpt_map_pages(&t, (1ull << 39) - 4096, &name, 8, 1, RW), -EEXIST);
	assert_int_equal(slpt_leaves(&t), 1);
	slpt_destroy(&t);
	assert_int_equal(slpt_init(&t, &ground, 4, 0), 0);
	assert_int_equal(t.limit, 1ull << 48);
	assert_int_equal(slpt_map(&t, (1ull << 48) - 4096, 0x5000, 4096, RW), 0);
	slpt_destroy(&t);
}

/* Large pages where both addresses and the length let them be, and only of the sizes offered. */
static void large_pages(void **state)
{
	struct slpt t;
	struct slpt_leaf leaf;

	(void)state;
	for (unsigned large = 0; large < 4; large++) {
		uint64_t tables;

		assert_int_equal(slpt_init(&t, &ground, 4, large), 0);
		tables = t.nr_tables;
		assert_int_equal(slpt_map(&t, G1, 2 * G1, G1 + 3 * M2 + 4096, RW), 0);
		slpt_sync(&t);
		assert_true(slpt_lookup(&t, G1 + 0x1234567, &leaf));
		assert_int_equal(leaf.bytes, large & 2 ? G1 : large & 1 ? M2 : 4096);
		assert_true(slpt_lookup(&t, 2 * G1 + M2, &leaf));
		assert_int_equal(leaf.bytes, large & 1 ? M2 : 4096);
		assert_true(slpt_lookup(&t, 2 * G1 + 3 * M2, &leaf));
		assert_int_equal(leaf.bytes, 4096);
		assert_false(slpt_lookup(&t, 2 * G1 + 3 * M2 + 4096, &leaf));
		for (uint64_t o = 0; o < G1 + 3 * M2; o += M2 / 2 + 4096 * 7)
			assert_int_equal(unit_finds(&t, G1 + (o & ~4095ull)),
					 2 * G1 + (o & ~4095ull) + 3);
		if (large == 3)
			assert_int_equal(t.nr_tables - tables, 3);
		if (large & 1) {
			assert_int_equal(slpt_unmap(&t, 2 * G1 + 4096, M2), -EINVAL);
			assert_int_equal(slpt_unmap(&t, 2 * G1, M2 + 4096), -EINVAL);
		}
		assert_int_equal(slpt_unmap(&t, 0, 4 * G1), 0);
		slpt_sync(&t);
		assert_int_equal(slpt_leaves(&t), 0);
		assert_int_equal(unit_finds(&t, G1) + unit_finds(&t, 2 * G1), 0);
		slpt_destroy(&t);
	}
}

/* A large page takes the place of a table that is empty; the table is kept until it is settled. */
static void empty_table_gives_way(void **state)
{
	struct slpt t;
	struct slpt_leaf leaf;
	unsigned before;

	(void)state;
	assert_int_equal(slpt_init(&t, &ground, 3, 1), 0);
	assert_int_equal(slpt_map(&t, M2, 0x1000, 4096, RW), 0);
	assert_int_equal(slpt_map(&t, M2 + 4096, M2, M2, RW), 0); /* not aligned: small */
	assert_int_equal(slpt_map(&t, M2, M2, M2, RW), -EEXIST);
	/* Not the whole 2 MiB by one call: the table stays. */
	assert_int_equal(slpt_unmap(&t, M2, 4096), 0);
	assert_int_equal(slpt_unmap(&t, M2 + 4096, M2), 0);
	assert_int_equal(slpt_leaves(&t), 0);
	assert_int_equal(t.nr_dropped, 0);
	before = nr_used;
	assert_int_equal(slpt_map(&t, M2, 4 * M2, M2, SLPT_WRITE), 0);
	assert_true(slpt_lookup(&t, M2, &leaf));
	assert_int_equal(leaf.bytes, M2);
	assert_int_equal(t.nr_dropped, 1);
	assert_int_equal(nr_used, before);
	slpt_settle(&t);
	assert_int_equal(t.nr_dropped, 0);
	assert_int_equal(t.nr_tables, before); /* one is kept */
	slpt_sync(&t);
	assert_int_equal(unit_finds(&t, M2), 4 * M2 + 2);
	assert_int_equal(slpt_map(&t, M2 + 4096, 0, 4096, RW), -EEXIST);
	slpt_destroy(&t);
	/* The table above gives way to 1 GiB, and is not remembered. */
	assert_int_equal(slpt_init(&t, &ground, 3, 3), 0);
	assert_int_equal(slpt_map(&t, G1, 0, M2, RW), 0);
	assert_int_equal(slpt_unmap(&t, G1, M2), 0);
	assert_int_equal(slpt_map(&t, G1, 2 * G1, G1, RW), 0);
	slpt_sync(&t);
	slpt_settle(&t);
	assert_int_equal(slpt_map(&t, G1 + M2, 0, M2, RW), -EEXIST);
	assert_int_equal(slpt_unmap(&t, G1 + M2, M2), -EINVAL);
	assert_int_equal(unit_finds(&t, G1 + M2), 2 * G1 + M2 + 3);
	slpt_destroy(&t);
}

/* 2 MiB that go as a whole take their table with them, and that waits for the invalidation; one is
 * kept, and what it held is not seen again. */
static void whole_tables_go(void **state)
{
	struct slpt t;
	unsigned before, backs;

	(void)state;
	assert_int_equal(slpt_init(&t, &ground, 3, 0), 0);
	assert_int_equal(slpt_map(&t, 0, 4096, 20 * M2, SLPT_READ), 0);
	slpt_sync(&t);
	before = nr_used;
	backs = written_back;
	assert_int_equal(slpt_unmap(&t, 0, 20 * M2), 0);
	slpt_sync(&t);
	assert_int_equal(written_back, backs + 1); /* the entries above */
	assert_int_equal(nr_used, before);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(unit_finds(&t, i * M2 + 8192), 0);
	slpt_settle(&t);
	assert_int_equal(nr_used, before - 19);
	assert_true(t.spare);
	/* A part of 2 MiB does not take it, a whole does. */
	assert_int_equal(slpt_map(&t, 4096, G1, 4096, RW), 0);
	assert_true(t.spare);
	assert_int_equal(slpt_map(&t, 3 * M2, G1 + 4096, M2, RW), 0);
	assert_int_equal(t.spare, 0);
	slpt_sync(&t);
	for (unsigned i = 0; i < 512; i++) {
		assert_int_equal(unit_finds(&t, i * 4096ull), i == 1 ? G1 + 3 : 0);
		assert_int_equal(unit_finds(&t, 3 * M2 + i * 4096ull), G1 + 4096 + i * 4096ull + 3);
	}
	slpt_destroy(&t);
}

/* Leaves of one table are written back together, and not at all for a unit that looks into caches.
 */
static void written_back_together(void **state)
{
	struct slpt t;
	unsigned before;

	(void)state;
	assert_int_equal(slpt_init(&t, &ground, 3, 1), 0);
	assert_int_equal(slpt_map(&t, 0, 0, 4096, RW), 0);
	slpt_sync(&t);
	before = written_back;
	for (unsigned i = 1; i < 512; i++)
		assert_int_equal(slpt_map(&t, i * 4096, (1024 - i) * 8192ull, 4096, RW), 0);
	assert_int_equal(written_back, before);
	assert_int_equal(unit_finds(&t, 4096), 0); /* not yet */
	slpt_sync(&t);
	assert_int_equal(written_back, before + 1);
	assert_int_equal(unit_finds(&t, 4096), 1023 * 8192 + 3);
	slpt_sync(&t);
	assert_int_equal(written_back, before + 1);
	slpt_destroy(&t);
	before = written_back;
	assert_int_equal(slpt_init(&t, &snooped, 3, 1), 0);
	assert_int_equal(slpt_map(&t, 0, 0, 4 * M2, RW), 0);
	slpt_sync(&t);
	assert_int_equal(written_back, before);
	slpt_destroy(&t);
}

/* ---- at random ----------------------------------------------------------------------------- */

#define PAGES (6u * 512)
static uint64_t model[PAGES]; /* physical address and rights; 0: nothing */

static unsigned pick(unsigned below)
{
	return (unsigned)rand() % below;
}

static void compare(const struct slpt *t)
{
	uint64_t leaves = 0;
	struct slpt_leaf leaf;

	for (unsigned i = 0; i < PAGES; i++)
		if (unit_finds(t, i * 4096ull) != model[i])
			fail_msg("page %u: %lx, not %lx", i, unit_finds(t, i * 4096ull), model[i]);
	for (uint64_t iova = 0; iova < PAGES * 4096ull;) {
		bool there = slpt_lookup(t, iova, &leaf);

		leaves += there;
		iova += there ? leaf.bytes : 4096;
	}
	assert_int_equal(leaves, slpt_leaves(t));
}

/* Names every three words: pages at random, with runs among them. */
static int map_names(struct slpt *t, unsigned first, unsigned n, uint64_t *phys, unsigned rights)
{
	static struct page *names[PAGES][3];

	for (unsigned i = 0; i < n; i++) {
		if (i && pick(2000))
			phys[i] = phys[i - 1] + 4096;
		else
			phys[i] = pick(2) ? pick(64) * M2 : pick(100000) * 4096ull;
		names[i][0] = pfn_to_page(phys[i] >> 12);
	}
	return slpt_map_pages(t, first * 4096ull, names, sizeof(names[0]), n, rights);
}

static void random_map(struct slpt *t)
{
	unsigned first = pick(3) ? pick(6) * 512 : pick(PAGES), rights = 1 + pick(3);
	unsigned n = pick(3) ? 1 + pick(20) : pick(2) ? 512 : 1024;
	uint64_t phys = pick(2) ? pick(64) * M2 : pick(100000) * 4096ull;
	static uint64_t each[PAGES];
	bool taken = false, by_name = pick(2);
	int err;

	n = MIN(n, PAGES - first);
	for (unsigned i = first; i < first + n; i++)
		taken |= model[i] != 0;
	if (!pick(10))
		fail_in = 1 + pick(3);
	for (unsigned i = 0; i < n; i++)
		each[i] = phys + i * 4096ull;
	err = by_name ? map_names(t, first, n, each, rights)
		      : slpt_map(t, first * 4096ull, phys, n * 4096ull, rights);
	assert_true(!err || (err == -EEXIST && taken) || err == -ENOMEM);
	assert_false(!err && taken);
	fail_in = 0;
	for (unsigned i = 0; !err && i < n; i++)
		model[first + i] = each[i] | rights;
}

static void random_unmap(struct slpt *t)
{
	unsigned first = pick(2) ? pick(6) * 512 : pick(PAGES);
	unsigned n = pick(2) ? 512u * (1 + pick(3)) : 1 + pick(40);

	n = MIN(n, PAGES - first);
	if (slpt_unmap(t, first * 4096ull, n * 4096ull) < 0)
		return;
	memset(&model[first], 0, n * sizeof(model[0]));
}

static void random_steps(void **state)
{
	struct slpt t;

	(void)state;
	srand(7);
	memset(model, 0, sizeof(model));
	assert_int_equal(slpt_init(&t, &ground, 4, 1), 0);
	for (unsigned step = 0; step < 6000; step++) {
		if (pick(2))
			random_map(&t);
		else
			random_unmap(&t);
		slpt_sync(&t);
		if (pick(2)) /* after an invalidation */
			slpt_settle(&t);
		if (step % 8 == 0)
			compare(&t);
		assert_int_equal(nr_used, t.nr_tables);
	}
	compare(&t);
	slpt_destroy(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(arguments, setup, teardown),
		cmocka_unit_test_setup_teardown(large_pages, setup, teardown),
		cmocka_unit_test_setup_teardown(empty_table_gives_way, setup, teardown),
		cmocka_unit_test_setup_teardown(whole_tables_go, setup, teardown),
		cmocka_unit_test_setup_teardown(written_back_together, setup, teardown),
		cmocka_unit_test_setup_teardown(random_steps, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
