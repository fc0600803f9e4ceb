/* SPDX-License-Identifier: MIT */
/*
 * From an address to the name of the function around it, by binary search in the table that the
 * second link brings (see ksyms.h). linker.ld marks where the table starts and stops.
 */
#include <stddef.h>

#include "kernel/ksyms.h"

extern const char __text_start[], __text_end[];
extern const struct ksym __start_ksyms[], __stop_ksyms[];

const char *ksym_lookup(uint64_t addr, uint64_t *offset)
{
	const struct ksym *ksyms = __start_ksyms;
	uint64_t low = 0, high = (uint64_t)(__stop_ksyms - __start_ksyms);

	if (addr < (uintptr_t)__text_start || addr >= (uintptr_t)__text_end)
		return NULL;
	while (low < high) { /* all before `low` start at or below addr, all from `high` above */
		uint64_t mid = low + (high - low) / 2;

		if (ksyms[mid].addr <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	if (!low)
		return NULL;
	if (offset)
		*offset = addr - ksyms[low - 1].addr;
	return ksyms[low - 1].name;
}
