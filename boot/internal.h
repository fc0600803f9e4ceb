/* SPDX-License-Identifier: MIT */
/*
 * Inside boot/: how the three hand-overs become one struct boot_info.
 *
 * Each parser reads what a loader left in memory and is written as if the loader were hostile:
 * every pointer goes through boot_phys(), every length is compared with what is left before it is
 * used. A parser returns 0, or a sentence that says what is wrong with the hand-over.
 */
#ifndef BOOT_INTERNAL_H
#define BOOT_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "boot/boot.h"

/* One byte to the serial line (boot/serial.asm). */
void boot_putc(char c);
/* Ends the run: QEMU leaves with the status of a panic, any other machine halts for ever. */
void boot_stop(void) __attribute__((noreturn));
/* `value` in decimal, or in hexadecimal with a leading 0x. */
void boot_put_dec(uint64_t value);
void boot_put_hex(uint64_t value);

/*
 * Physical memory [addr, addr + len) as a pointer, or NULL when it is not wholly inside
 * [1, 4 GiB), the part boot/entry.asm has mapped one to one. (Host tests supply their own.)
 */
const void *boot_phys(uint64_t addr, uint64_t len);

/*
 * Appends [base, base + len) to bi->ranges; what lies past 2^64 is cut off, empty ones ignored.
 * Joins it with the last one when that ends where it begins and has its type. A range too many is
 * counted in ranges_dropped: RAM is left out, anything else takes the room of the list's last RAM
 * range.
 */
void boot_add_range(struct boot_info *bi, uint64_t base, uint64_t len, uint32_t type);
/* Sorts the ranges and resolves overlaps: of two types the more restrictive one wins. */
void boot_normalise_ranges(struct boot_info *bi);
/* Number of RAM bytes in the ranges. */
uint64_t boot_ram_bytes(const struct boot_info *bi);

/* Is this a whole RSDP (signature, length, both checksums)? `room` bytes may be read. */
bool boot_rsdp_valid(const void *rsdp, uint64_t room);
/* Where the firmware of a BIOS machine keeps its RSDP (ACPI 6.4, 5.2.5.1), or 0. */
uint64_t boot_scan_rsdp(void);

/* The hand-overs. `addr`: what the loader passed in ebx. NULL when all is well. */
const char *boot_parse_pvh(uint64_t addr, struct boot_info *bi);
const char *boot_parse_multiboot2(uint64_t addr, struct boot_info *bi);
const char *boot_parse_efi(uint64_t addr, struct boot_info *bi);

#endif
