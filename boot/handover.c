/* SPDX-License-Identifier: MIT */
/*
 * Our own EFI loader's hand-over (boot/efi/): it fills a struct boot_info itself, from the firmware
 * it is part of until ExitBootServices. The kernel copies it into its image and checks what the
 * rest of the house relies on; loader and kernel come from one build, but not always from one day.
 */
#include "boot/internal.h"

const char *boot_parse_efi(uint64_t addr, struct boot_info *bi)
{
	const struct boot_info *from = boot_phys(addr, sizeof(*from));

	if (!from || addr % 8)
		return "the EFI loader's boot information is not 8-aligned in the low 4 GiB";
	if (from->magic != BOOT_MAGIC)
		return "the EFI loader's boot information has a wrong magic number; rebuild both";
	if (from->nr_ranges > BOOT_MAX_RANGES)
		return "the EFI loader's memory map counts more ranges than fit";
	__builtin_memcpy(bi, from, sizeof(*bi));
	bi->nr_ranges = 0;
	for (uint32_t i = 0; i < from->nr_ranges; i++)
		boot_add_range(bi, from->ranges[i].base, from->ranges[i].len, from->ranges[i].type);
	bi->path[sizeof(bi->path) - 1] = '\0';
	bi->cmdline[sizeof(bi->cmdline) - 1] = '\0';
	return NULL;
}
