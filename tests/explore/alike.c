/* SPDX-License-Identifier: MIT */
/*
 * Explorations begin alike: what ran before makes no difference to what one tells.
 *
 * Three things that earlier runs leave behind would. Page records, which are made when a page is
 * first touched: the scratch device is bound anew, so none of it has one, and the way to the first
 * one is part of what is explored. What is made once and stays, as tables and the shared zeroes:
 * that of the kernel is there, and an address space begins empty. And which frame is given out
 * next, as pages that lie side by side are dealt with in one go: frames come from a block of the
 * explorer's own, the lowest free one first, from the set-up on. Those of the C heap and of slabs
 * do not, as they stay.
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

bool x_alike_begin(void)
{
	struct mm *mm = mm_create("explored");

	if (!mm)
		return false;
	before = current_mm();
	if (before)
		mm_get(before);
	mm_use(mm);
	mm_put(mm);		  /* the thread has it now */
	scratch_forget_records(); /* unless it is in use: then the set-up says so */
	owner = current_thread();
	return true;
}

void x_alike_end(void)
{
	mm_use(before);
	if (before)
		mm_put(before);
	owner = NULL;
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
	if (!x_on() && (lasting || !owner || current_thread() != owner))
		return 0;
	for (unsigned i = 0; i < FRAMES / 64; i++)
		if (~x.state.frames[i]) {
			unsigned bit = (unsigned)__builtin_ctzl(~x.state.frames[i]);

			x.state.frames[i] |= 1ull << bit;
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
