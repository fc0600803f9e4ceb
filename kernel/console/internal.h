/* SPDX-License-Identifier: MIT */
/* The console as kernel/ alone deals with it. Other floors have console.h. */
#ifndef KERNEL_CONSOLE_INTERNAL_H
#define KERNEL_CONSOLE_INTERNAL_H

#include "kernel/kernel.h"

/* ---- console.c */
bool console_break_pending(void); /* a break waits in the UART; it is taken out. No lock */
void console_use_interrupt(unsigned gsi_base,
			   unsigned pins); /* an I/O APIC with these pins is here */

#endif
