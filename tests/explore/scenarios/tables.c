/* SPDX-License-Identifier: MIT */
/*
 * Page tables that two make at once: no lock is between them, so one exchange decides whose table
 * stands there, and the other one's frame goes back.
 */
#include "mm/frames/internal.h"
#include "mm/tables/internal.h"
#include "tests/explore/explore.h"
#include "tests/kernel/lib/huge.h"

#define VA    0x123456789000ull /* an entry in the middle of each level */
#define FOUND (1ull << 9)	/* of a bit that is software's: nobody maps anything here */

#define USED_FRAMES 6u	 /* as many as two makers of three tables may take */
#define LEFT	    0xc8 /* bytes of which no word is present */

static uint64_t root, tables; /* the root's frame; how many tables there were before */

/* What the makers are given is full of its last user's bytes: a table that is shown before it is
 * zeroed has an entry in it that nobody made. */
static void leave_bytes(void)
{
	uint64_t frame[USED_FRAMES];

	for (unsigned i = 0; i < USED_FRAMES; i++) {
		frame[i] = frame_alloc(0);
		if (frame[i])
			memset(phys_to_virt(frame[i]), LEFT, PAGE_SIZE);
	}
	for (unsigned i = 0; i < USED_FRAMES; i++)
		if (frame[i])
			frame_free(frame[i], 0);
}

static int make_root(void)
{
	root = frame_alloc_zero();
	tables = page_table_frames();
	leave_bytes();
	return root ? 0 : refuse(-ENOMEM, "no frame for a root");
}

static void free_root(void)
{
	frame_free(root, 0);
}

/* Each fills an entry of its own, side by side in one table. */
static void make(void)
{
	uint64_t *pte = pte_walk(root, VA + cpu_id() * PAGE_SIZE, 1, true, NULL);

	X_EXPECT("I4", pte, "no table was made, though there is memory");
	__atomic_store_n(pte, FOUND, __ATOMIC_RELEASE);
}

static void both_in_one(void)
{
	const uint64_t *pte = pte_walk(root, VA, 1, false, NULL);
	uint64_t made = page_table_frames() - tables;

	X_EXPECT("I3", pte && pte[0] == FOUND && pte[1] == FOUND,
		 made == 3 && x_frames_taken() == 3
			 ? "an entry is lost: its table was zeroed when others could see it"
			 : "an entry is lost: its table was replaced by another one");
	X_EXPECT("books", x_frames_taken() == 3, "3 tables lead there, and %ld frames are gone",
		 x_frames_taken());
	X_EXPECT("books", made == 3, "3 tables lead there, and %lu are counted", made);
}

EXPLORE_SCENARIO(two_makers, "tables.two-makers",
		 "of two that make the same page tables both go on in one, and no frame is lost",
		 .setup = make_root, .teardown = free_root, .end = both_in_one,
		 .thread = {{"first", make}, {"second", make}});

/* ---- two faults of one space ------------------------------------------------------------------
 */

#define FAR (PMD_SIZE + PAGE_SIZE) /* in the next table, and there one further on */

static struct fixture fx;
static struct mm *mm;
static uint64_t va;

/* A hole, one page off modulo 2 MiB: each fault shows one page of zeroes. */
static int map_hole(void)
{
	struct dax_inode *f;

	fx = (struct fixture){0};
	mm = current_mm();
	va = 16 * GIB + PAGE_SIZE;
	if (fixture_start(&fx, LIFETIME_DEFAULT))
		return refuse(-ENODEV, "%s", fx.why);
	f = sparse("F", FAR / PAGE_SIZE + 1);
	if (!f || dax_mmap(mm, f, 0, FAR / PAGE_SIZE + 1, true, &va)) {
		fixture_end(&fx);
		return refuse(-ENOSPC, "F is not mapped");
	}
	fx.inode[fx.nr] = f;
	fx.pages[fx.nr] = FAR / PAGE_SIZE + 1;
	fx.va[fx.nr++] = va;
	return 0;
}

static void unmap_hole(void)
{
	fixture_end(&fx);
}

static struct mm *of_hole(void)
{
	return mm;
}

static void load_near(void)
{
	X_EXPECT("I1", !x_load(va), "a hole shows bytes");
}

static void load_far(void)
{
	X_EXPECT("I1", !x_load(va + FAR), "a hole shows bytes");
}

/* The atomic looks make every access to what the space remembers of its last table an event. */
static void each_in_its_table(void)
{
	(void)__atomic_load_n(&mm->walked, __ATOMIC_RELAXED);
	(void)__atomic_load_n(&mm->walked_for, __ATOMIC_RELAXED);
	X_EXPECT("I3", level_at(va) == 1 && level_at(va + FAR) == 1,
		 "a fault is over, and its page is not there");
	X_EXPECT("I3", !level_at(va + PAGE_SIZE) && !level_at(va + PMD_SIZE),
		 "a page is mapped where nobody was, at its place in the other one's table");
}

EXPLORE_SCENARIO(two_faults, "tables.two-faults",
		 "two faults of one space each fill a page table of their own", .setup = map_hole,
		 .teardown = unmap_hole, .mm = of_hole, .end = each_in_its_table,
		 .thread = {{"near", load_near}, {"far", load_far}}, .interrupts = true,
		 .large = true);
