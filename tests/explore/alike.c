/* SPDX-License-Identifier: MIT */
/*
 * Explorations begin alike: what ran before makes no difference to what one tells.
 *
 * Three things that earlier runs leave behind would. Page records, which are made when a page is
 * first touched: the scratch device is bound anew, so none of it has one, and the way to the first
 * one is part of what is explored. What is made once and stays, as tables and the shared zeroes:
 * that of the kernel is there, and an address space begins empty. And where things lie, as
 * pages side by side are dealt with in one go, and as code that is wrong may take an address for a
 * value: frames come from a block of the explorer's own, the lowest free one first, and what the C
 * heap and slabs give out from its arena (arena.c), from the set-up on. What nobody wrote there,
 * nor on the threads' stacks, is zero, and not what an earlier exploration left.
 *
 * Frames of the block have their records from the start. What an execution took is given back
 * behind it, like all else that it did.
 */
#include "mm/device/internal.h"
#include "mm/frames/internal.h"
#include "tests/explore/internal.h"
#include "tests/kernel/lib/scratch.h"

#define FRAMES (1ul << FRAME_MAX_ORDER)

static uint64_t first; /* address of the block; 0: none so far */
static uint64_t taken_by_setup[FRAMES / 64];
_Static_assert(sizeof(x.state.frames) == sizeof(taken_by_setup), "a bit for each frame");
static struct thread *owner; /* whose frames come from there, beside the scenario's threads */
static struct mm *before;    /* the owner's address space outside of explorations; NULL: none */
static unsigned lasting;     /* zero: what the owner allocates goes with the exploration */
static bool is_set_up;
static unsigned used; /* frames of the block, from the first on, that were ever taken */

/* The tables that lead to the records of a device that is none: their upper levels stay. */
static int make_tables(void)
{
	static struct pgmap none;
	int err;

	none = fake_pgmap(0, 2);
	err = memremap_pages(&none);
	if (err)
		return err;
	err = page_records_populate(none.range[0].start, 1);
	memunmap_pages(&none);
	return err;
}

bool x_alike_init(void)
{
	void *block = first ? NULL : machine_memory(FRAMES * PAGE_SIZE);

	if (first)
		return true;
	if (!block || !zero_frames(1) || !zero_frames(2) || make_tables())
		return false;
	for (uint64_t i = 0; i < FRAMES; i++)
		if (record_populate_ram(&ram_pgmap, (virt_to_phys(block) >> PAGE_SHIFT) + i))
			return false;
	first = virt_to_phys(block);
	return true;
}

/* No frame that can be taken shows what it was used for before. */
static void clear_frames(void)
{
	for (unsigned i = 0; i < used; i++)
		if (!(x.state.frames[i / 64] & 1ull << i % 64))
			memset(phys_to_virt(first + i * PAGE_SIZE), 0, PAGE_SIZE);
	used = 0;
}

bool x_alike_begin(void)
{
	struct mm *mm;

	x_arena_begin();
	x_actors_forget();
	is_set_up = false;
	owner = current_thread();
	mm = mm_create("explored");
	if (!mm) {
		owner = NULL;
		return false;
	}
	before = current_mm();
	if (before)
		mm_get(before);
	mm_use(mm);
	mm_put(mm); /* the thread has it now */
	x_lasting_begin();
	scratch_forget_records(); /* unless it is in use: then the set-up says so */
	x_lasting_end();
	clear_frames();
	return true;
}

void x_alike_end(void)
{
	mm_use(before);
	if (before)
		mm_put(before);
	owner = NULL;
}

/* Is it the exploration's own? */
static bool comes_and_goes(void)
{
	return !lasting && owner && current_thread() == owner;
}

bool x_sets_up(void)
{
	return !is_set_up && comes_and_goes();
}

void x_lasting_begin(void)
{
	lasting += current_thread() == owner;
}

void x_lasting_end(void)
{
	lasting -= current_thread() == owner;
}

void x_frames_keep(void)
{
	memcpy(taken_by_setup, x.state.frames, sizeof(taken_by_setup));
	is_set_up = true;
}

void x_frames_undo(void)
{
	memcpy(x.state.frames, taken_by_setup, sizeof(taken_by_setup));
}

long x_frames_taken(void)
{
	long n = 0;

	for (unsigned i = 0; i < FRAMES / 64; i++)
		n += __builtin_popcountl(x.state.frames[i] & ~taken_by_setup[i]);
	return n - x_freed_frames();
}

uint64_t x_frame_take(void)
{
	if (!x_on() && !comes_and_goes())
		return 0;
	for (unsigned i = 0; i < FRAMES / 64; i++)
		if (~x.state.frames[i]) {
			unsigned bit = (unsigned)__builtin_ctzl(~x.state.frames[i]);

			x.state.frames[i] |= 1ull << bit;
			used = MAX(used, i * 64 + bit + 1);
			return first + (i * 64 + bit) * PAGE_SIZE;
		}
	return 0;
}

bool x_frame_give_back(uint64_t phys)
{
	uint64_t n = (phys - first) / PAGE_SIZE;

	if (!first || phys < first || n >= FRAMES)
		return false;
	ASSERT(x.state.frames[n / 64] & 1ull << n % 64, "a frame that nobody has is freed: 0x%lx",
	       phys);
	x.state.frames[n / 64] &= ~(1ull << n % 64);
	return true;
}
