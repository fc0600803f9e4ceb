/* SPDX-License-Identifier: MIT */
/*
 * QEMU's direct entry (-kernel): the PVH hand-over, struct hvm_start_info of Xen's public headers
 * (start_info.h, version 1). Version 0 has no memory map and is refused.
 *
 * QEMU passes -append as the command line, without a file name in front.
 */
#include "boot/internal.h"

#define PVH_MAGIC      0x336ec578u
#define PVH_MAX_MEMMAP 4096

struct hvm_start_info {
	uint32_t magic, version, flags, nr_modules;
	uint64_t modlist, cmdline, rsdp, memmap;
	uint32_t memmap_entries, reserved;
};

struct hvm_memmap_entry {
	uint64_t base, len;
	uint32_t type, reserved; /* type: e820 number, the same as enum boot_range_type */
};

/* The string at physical `addr`, as much of it as fits and as is mapped. */
static void copy_cmdline(struct boot_info *bi, uint64_t addr)
{
	const char *from = boot_phys(addr, 1);
	unsigned i = 0;

	while (from && i < BOOT_CMDLINE - 1 && boot_phys(addr, i + 1) && from[i]) {
		bi->cmdline[i] = from[i];
		i++;
	}
	bi->cmdline[i] = '\0';
	if (i == BOOT_CMDLINE - 1)
		boot_puts("boot: the command line fills all 1023 bytes and may have been cut\n");
}

/* Entries are copied out one by one: the protocol promises no alignment. */
static const char *parse_memmap(const struct hvm_start_info *info, struct boot_info *bi)
{
	uint64_t n = info->memmap_entries;
	struct hvm_memmap_entry entry;
	const char *at;

	if (!n || n > PVH_MAX_MEMMAP)
		return "the PVH memory map has no entry or more than 4096";
	at = boot_phys(info->memmap, n * sizeof(entry));
	if (!at)
		return "the PVH memory map lies outside the low 4 GiB";
	for (; n--; at += sizeof(entry)) {
		__builtin_memcpy(&entry, at, sizeof(entry));
		boot_add_range(bi, entry.base, entry.len, entry.type);
	}
	return NULL;
}

const char *boot_parse_pvh(uint64_t addr, struct boot_info *bi)
{
	const void *from = boot_phys(addr, sizeof(struct hvm_start_info));
	struct hvm_start_info info;

	if (!from)
		return "the PVH start information lies outside the low 4 GiB";
	__builtin_memcpy(&info, from, sizeof(info));
	if (info.magic != PVH_MAGIC)
		return "the PVH start information does not begin with its magic number";
	if (info.version < 1)
		return "the PVH start information is of version 0, without a memory map; 1 would "
		       "do";
	__builtin_memcpy(bi->path, "direct", sizeof("direct"));
	if (info.cmdline)
		copy_cmdline(bi, info.cmdline);
	bi->rsdp = info.rsdp;
	return parse_memmap(&info, bi);
}
