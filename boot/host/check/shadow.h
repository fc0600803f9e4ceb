/* SPDX-License-Identifier: MIT */
/*
 * One byte of shadow for eight bytes of memory: what the address sanitizer's code looks at.
 *
 * The shadow of address a is the byte at SHADOW_OFFSET + a / 8. Zero: all eight may be touched; 1
 * to 7: the first so many; with the top bit: none, and the value says why. The compiler writes the
 * values of stack frames itself (0xf1 to 0xf8), so those are fixed, and the others are its
 * library's.
 */
#ifndef BOOT_HOST_CHECK_SHADOW_H
#define BOOT_HOST_CHECK_SHADOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	SHADOW_STACK_LEFT = 0xf1,
	SHADOW_STACK_MIDDLE = 0xf2,
	SHADOW_STACK_RIGHT = 0xf3,
	SHADOW_SCOPE = 0xf8,
	SHADOW_GLOBAL = 0xf9,
	SHADOW_RED = 0xfa,
	SHADOW_FREED = 0xfd,
};

/* Addresses from here on have no shadow, and no memory either. */
#define SHADOW_LIMIT (1ull << 47)

#ifdef HOST_TEST
extern uintptr_t shadow_offset;
#define SHADOW_OFFSET shadow_offset
#else
#define SHADOW_OFFSET 0x500000000000ull /* host.mk tells the compiler */
#endif

/* None of [addr, addr + n) may be touched. Where that begins within a granule, the bytes before it
 * in there stay open; the end is rounded up to whole granules. */
void shadow_close(uintptr_t addr, size_t n, uint8_t why);
/* All of it may. addr is aligned to 8; what lies behind the end in the last granule gets closed. */
void shadow_open(uintptr_t addr, size_t n);
/* The first byte of [addr, addr + n) that may not be touched, n not zero; 0: all may. */
uintptr_t shadow_bad(uintptr_t addr, size_t n);
/* Why the byte at addr, which may not be touched, may not: one of the values above, or another. */
uint8_t shadow_why(uintptr_t addr);
const char *shadow_text(uint8_t why);

#endif
