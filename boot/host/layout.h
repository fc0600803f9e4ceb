/* SPDX-License-Identifier: MIT */
/*
 * The map of virtual memory of Holdfast as a Linux process; boot/layout.h says what it must keep.
 *
 * A process has the addresses below 2^47, and all of them below USER_END are the kernel's to map:
 * nothing of the program's own lies there. Libraries and the stack that Linux gave us are at the
 * upper end, the shadow of `make host-check` between (boot/host/check/shadow.h).
 */
#ifndef BOOT_HOST_LAYOUT_H
#define BOOT_HOST_LAYOUT_H

#define USER_START 0x000000010000ull
#define USER_MMAP  0x010000000000ull
#define USER_END   0x200000000000ull

#define DIRECT_BASE   0x200000000000ull
#define MAX_PHYS_BITS 44

#define RECORD_BASE   0x300000000000ull
#define COMPOUND_BASE 0x308000000000ull
#define COMPOUND_END  0x310000000000ull

#define KVIRT_BASE 0x380000000000ull

/* The program is linked at KERNEL_BASE + 1 MiB, by the Makefile. */
#define KERNEL_BASE 0x400000000000ull

#define IN_KERNEL_HALF(va) ((uint64_t)(va) >= USER_END)

#endif
