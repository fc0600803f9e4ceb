/* SPDX-License-Identifier: MIT */
/*
 * Names of functions and lines of source, for backtraces.
 *
 * The tables are made at build time from the finished kernel (tests/tools/ksyms.py) and linked in
 * by a second link. Until then, and in the first link, they are empty. They are packed, because
 * they stay in memory for good; only what is looked up often is quick to find, and that is names.
 *
 *   ksyms       a block for KSYM_BLOCK functions in order of address: where the first one begins,
 *               and where its entries in the next two tables begin
 *   ksym_names  for each function: bytes to the next one (16 bits), name, zero
 *   ksym_lines  nibbles. For each function: number of rows; if there are any: file (0: that of the
 *               function before, else 1 + its place in ksym_files) and line of the first row, which
 *               is where the function begins; then for each row bytes and lines from the row before
 *   ksym_files  names, each with a zero behind it
 *
 * Code that the compiler put in line from a header counts to the line before it.
 */
#ifndef KERNEL_TRAP_KSYMS_H
#define KERNEL_TRAP_KSYMS_H

#include <stdbool.h>
#include <stdint.h>

#define KSYM_BLOCK 16

/*
 * The function that `addr` lies in, and how far behind its start; NULL when `addr` is outside the
 * kernel's code or the table is empty. `offset` may be NULL. Any context; takes no lock.
 */
const char *ksym_lookup(uint64_t addr, uint64_t *offset);

/*
 * The source file ("mm/gup/gup.c") and line of the instruction at `addr`; NULL when its function is
 * from elsewhere (the C library) or unknown. Any context; takes no lock.
 */
const char *ksym_line(uint64_t addr, unsigned *line);

/*
 * "function+0x12 mm/gup/gup.c:98" into buf, whatever is known; "?" when nothing is. `is_return`:
 * addr is a return address, so what is meant is the call before it. Value: buf. Any context.
 */
const char *ksym_describe(uint64_t addr, bool is_return, char *buf, unsigned n);

#endif
