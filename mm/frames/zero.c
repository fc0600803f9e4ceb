/* SPDX-License-Identifier: MIT */
/*
 * The shared zeroes: what a hole of a file looks like through a mapping.
 *
 * There is one page of 4 KiB and one of 2 MiB, for everybody, always mapped read-only and without a
 * record: nobody can hold them, get_user_pages() has a block made instead. Each is allocated when a
 * hole is first read through a page of that size and stays for good; without memory for the large
 * one the small one serves. Nothing counts who shows them, because they never go: what must be
 * known is only which address spaces show a hole that becomes a block, and unmap_mapping_range()
 * finds those by the file.
 */
#include "mm/frames/internal.h"
#include "mm/tables/internal.h"

static uint64_t zeroes[2]; /* physical addresses, 4 KiB and 2 MiB; zero: not needed so far */

uint64_t zero_frames(unsigned level)
{
	const unsigned order = 9 * (level - 1);
	uint64_t *const shared = &zeroes[level - 1];
	uint64_t none = 0, phys = __atomic_load_n(shared, __ATOMIC_ACQUIRE);

	if (phys)
		return phys;
	phys = frame_alloc(order);
	if (!phys)
		return 0;
	memset(phys_to_virt(phys), 0, level_bytes(level));
	/* Zeroes before the address (release), else another CPU shows what was there before. */
	if (__atomic_compare_exchange_n(shared, &none, phys, false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE))
		return phys;
	frame_free(phys, order); /* another CPU was first */
	return none;
}

uint64_t zero_bytes(unsigned level)
{
	return __atomic_load_n(&zeroes[level - 1], __ATOMIC_RELAXED) ? level_bytes(level) : 0;
}
