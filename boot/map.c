/* SPDX-License-Identifier: MIT */
/*
 * The map of one home, for code that is linked into both (layout.h); compiled once for each.
 */
#include "boot/layout.h"

/* mm/tables/internal.h */
_Static_assert(!(DIRECT_BASE & ((2ull << MAX_PHYS_BITS) - 1)),
	       "a frame's address and the direct map's have no bit in common");

const struct address_map address_map = {
	.user_start = USER_START,
	.user_mmap = USER_MMAP,
	.user_end = USER_END,
	.direct_base = DIRECT_BASE,
	.record_base = RECORD_BASE,
	.compound_base = COMPOUND_BASE,
	.compound_end = COMPOUND_END,
	.kvirt_base = KVIRT_BASE,
	.kernel_base = KERNEL_BASE,
	.max_phys_bits = MAX_PHYS_BITS,
};
