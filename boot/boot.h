/* SPDX-License-Identifier: MIT */
/*
 * What every way in hands over, and to whom.
 *
 * QEMU's direct entry (PVH), GRUB (multiboot2, under BIOS and UEFI) and our own EFI loader all
 * end in the same state: 64-bit mode, interrupts off, the low 4 GiB mapped one to one, the first
 * GiB of physical memory mapped again at KERNEL_BASE, and one struct boot_info filled in. Nothing
 * that runs after kernel_main() may ask which one it was; `path` is for printing only.
 */
#ifndef BOOT_BOOT_H
#define BOOT_BOOT_H

#include <stdint.h>

#include "boot/layout.h"

#define BOOT_MAGIC                                                                                 \
	0x54534146444c4f48ull /* "HOLDFAST" in memory order; the EFI loader's hand-over check */
#define BOOT_MAX_RANGES 256
#define BOOT_CMDLINE	1024

/* Kinds of physical range, the numbers of the ACPI e820 table (ACPI 6.4, table 15.4). */
enum boot_range_type {
	BOOT_RAM = 1,
	BOOT_RESERVED = 2,
	BOOT_ACPI = 3, /* tables; free once they were read, we never free them */
	BOOT_NVS = 4,
	BOOT_BAD = 5,
	BOOT_PMEM = 7,
};

/* One physical range, [base, base + len) in bytes. Sorted by base, not overlapping, len > 0. */
struct boot_range {
	uint64_t base, len;
	uint32_t type; /* enum boot_range_type */
	uint32_t pad;
};

/* A linear framebuffer; phys == 0 means there is none. Pixels are 32 bit, 0x00RRGGBB. */
struct boot_framebuffer {
	uint64_t phys;
	uint32_t width, height, pitch, bpp;
};

struct boot_info {
	uint64_t magic;		    /* BOOT_MAGIC */
	char path[16];		    /* "direct", "grub", "grub-uefi", "efi": for printing only */
	char cmdline[BOOT_CMDLINE]; /* always terminated, without the kernel's file name */
	uint64_t rsdp;		    /* physical address, 0: none was handed over, scan for it */
	struct boot_framebuffer fb;
	uint32_t nr_ranges, ranges_dropped; /* dropped: what did not fit (zero means all fitted) */
	struct boot_range ranges[BOOT_MAX_RANGES];
	uint64_t entry_tsc; /* time-stamp counter when the image was entered; written by boot_main()
			     */
};

/* Serial line usable from the first instruction in C on: polled, COM1, for boot stages only. */
void boot_puts(const char *s);

/* RAM below this address is given to nobody: firmware keeps its own data there (the BIOS), and a
 * woken CPU begins there (kernel/cpu/smp.c). */
#define BOOT_LOW_KEPT 0x10000ull

/* First physical byte of the kernel image and the first one after it (bss included). */
uint64_t boot_image_start(void), boot_image_end(void);

/*
 * Where boot ends. Defined by the kernel floor, entered once on the boot CPU with interrupts off
 * on the boot stack; never returns. `bi` stays valid and unchanged for ever.
 */
void kernel_main(const struct boot_info *bi) __attribute__((noreturn));

#endif
