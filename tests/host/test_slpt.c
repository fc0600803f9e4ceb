/* SPDX-License-Identifier: MIT */
/*
 * Second-level page tables, walked as the unit walks them: through memory that holds only what was
 * written back. What is mapped, by small and large pages, in any order, is compared with a model
 * of one word a page; allocations fail now and then.
 */
/* LINK: drivers/iommu/slpt.c */
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
		return (uint64_t)at << 12;
	}
	fail_msg("too few frames");
	return 0;
}

static void give_back(uint64_t frame)
{
	assert_true(used[frame >> 12]);
	used[frame >> 12] = false;
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
	written_back++;
}

static const struct slpt_ground ground = {alloc, give_back, at, written};
static const struct slpt_ground snooped = {alloc, give_back, at, NULL};

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
		assert_true(used[table >> 12]);
	}
}

static int setup(void **state)
{
	(void)state;
	cpu = aligned_alloc(4096, FRAMES * 4096);
	memory = aligned_alloc(4096, FRAMES * 4096);
	memset(used, 0, sizeof(used));
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
	struct slpt t;

	(void)state;
	assert_int_equal(slpt_init(&t, &ground, 2, 3), -EINVAL);
	assert_int_equal(slpt_init(&t, &ground, 6, 3), -EINVAL);
	fail_in = 1;
	assert_int_equal(slpt_init(&t, &ground, 3, 3), -ENOMEM);
	assert_int_equal(slpt_init(&t, &ground, 3, 3), 0);
	assert_int_equal(slpt_limit(&t), 1ull << 39);
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
	assert_int_equal(t.nr_leaves, 1);
	slpt_destroy(&t);
	assert_int_equal(slpt_init(&t, &ground, 4, 0), 0);
	assert_int_equal(slpt_limit(&t), 1ull << 48);
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
		assert_true(slpt_unmap(&t, 0, 4 * G1) > 0);
		slpt_sync(&t);
		assert_int_equal(t.nr_leaves, 0);
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
	assert_int_equal(slpt_unmap(&t, M2, 2 * M2), 513);
	before = nr_used;
	assert_int_equal(slpt_map(&t, M2, 4 * M2, M2, SLPT_WRITE), 0);
	assert_true(slpt_lookup(&t, M2, &leaf));
	assert_int_equal(leaf.bytes, M2);
	assert_int_equal(t.nr_dropped, 1);
	assert_int_equal(nr_used, before);
	slpt_settle(&t);
	assert_int_equal(nr_used, before - 1);
	slpt_sync(&t);
	assert_int_equal(unit_finds(&t, M2), 4 * M2 + 2);
	assert_int_equal(slpt_map(&t, M2 + 4096, 0, 4096, RW), -EEXIST);
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
	assert_int_equal(leaves, t->nr_leaves);
}

static void random_map(struct slpt *t)
{
	unsigned first = pick(3) ? pick(6) * 512 : pick(PAGES), rights = 1 + pick(3);
	unsigned n = pick(3) ? 1 + pick(20) : pick(2) ? 512 : 1024;
	uint64_t phys = pick(2) ? pick(64) * M2 : pick(100000) * 4096ull;
	bool taken = false;
	int err;

	n = MIN(n, PAGES - first);
	for (unsigned i = first; i < first + n; i++)
		taken |= model[i] != 0;
	if (!pick(10))
		fail_in = 1 + pick(3);
	err = slpt_map(t, first * 4096ull, phys, n * 4096ull, rights);
	assert_true(!err || (err == -EEXIST && taken) || err == -ENOMEM);
	assert_false(!err && taken);
	fail_in = 0;
	for (unsigned i = 0; !err && i < n; i++)
		model[first + i] = (phys + i * 4096ull) | rights;
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
		cmocka_unit_test_setup_teardown(written_back_together, setup, teardown),
		cmocka_unit_test_setup_teardown(random_steps, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
