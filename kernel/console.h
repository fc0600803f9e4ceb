/* SPDX-License-Identifier: MIT */
/*
 * The console: COM1 at 115200, polled output, input by interrupt into a ring.
 * kprintf() formats into the caller's stack and writes the text as one piece, so lines of different
 * CPUs never mix inside one call. It works in every context, interrupts and panic included.
 */
#ifndef KERNEL_CONSOLE_H
#define KERNEL_CONSOLE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

void console_init(void);
void console_write(const char *s, size_t n);
/* Characters written since boot. The same before and after: nothing was printed. */
extern unsigned long console_written;
/* On: every line that does not start with '#' gets "# " in front, so that what a self-test prints
 * is a comment in its KTAP. Off: ends a line that was begun. */
void console_quote(bool on);
int kprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int kvprintf(const char *fmt, va_list ap);

/* Next input byte; sleeps until one comes (woken by: the serial interrupt). Thread context. */
int console_getc(void);

/* A panic must not wait for a lock its own CPU may hold: from here on output takes none. */
void console_break_lock(void);

/* Times an error or warning line was printed by warn(). Zero: nothing unexpected so far. */
extern unsigned long warn_count;
/* Something that should not happen did, and the system goes on. Prints "warning: " + text. */
void warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
