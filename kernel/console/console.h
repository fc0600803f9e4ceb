/* SPDX-License-Identifier: MIT */
/*
 * The console: COM1 at 115200, polled output, input by interrupt into a ring.
 * kprintf() formats into the caller's stack and writes the text as one piece, so lines of different
 * CPUs never mix inside one call. It works in every context, interrupts and panic included.
 *
 * Only text leaves the machine here (text.h): whatever a name, a file or a table holds, its bytes
 * neither move the cursor nor end a line.
 */
#ifndef KERNEL_CONSOLE_CONSOLE_H
#define KERNEL_CONSOLE_CONSOLE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

void console_init(void);
/* s[0, n) with its line ends; other control bytes and what is not UTF-8 show escaped. */
void console_write(const char *s, size_t n);
/* Bytes as they are, for the line editor, which moves the cursor on purpose. Never text from
 * outside. */
void console_keys(const char *s, size_t n);
/* Characters written since boot. The same before and after: nothing was printed. */
extern unsigned long console_written;
/* On: every line that does not start with '#' gets "# " in front, so that what a self-test prints
 * is a comment in its KTAP. Off: ends a line that was begun. */
void console_quote(bool on);
/* Line ends are the format's alone: one that an argument brings along shows as \n. */
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
