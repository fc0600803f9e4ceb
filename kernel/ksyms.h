/* SPDX-License-Identifier: MIT */
/*
 * Names of functions, for backtraces.
 *
 * The table is made at build time from the finished kernel (tests/tools/ksyms.sh) and linked in by
 * a second link, sorted by address. Until then, and in the first link, it is empty.
 */
#ifndef KERNEL_KSYMS_H
#define KERNEL_KSYMS_H

#include <stdint.h>

struct ksym {
	uint64_t addr; /* of the function's first byte */
	const char *name;
};

/*
 * The function that `addr` lies in, and how far behind its start; NULL when `addr` is outside the
 * kernel's code or the table is empty. `offset` may be NULL. Any context; takes no lock.
 */
const char *ksym_lookup(uint64_t addr, uint64_t *offset);

#endif
