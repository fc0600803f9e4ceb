/* SPDX-License-Identifier: MIT */
/*
 * The console: COM1 at 115200, polled output, input by interrupt into a ring.
 * kprintf() formats into the caller's stack and writes the text as one piece, so lines of different
 * CPUs never mix inside one call. It works in every context, interrupts and panic included.
 *
 * Only text leaves the machine here (below): whatever a name, a file or a table holds, its bytes
 * neither move the cursor nor end a line.
 */
#ifndef KERNEL_CONSOLE_CONSOLE_H
#define KERNEL_CONSOLE_CONSOLE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
/* What is printed from now on, by any thread, goes into buf[0, n), terminated and cut to fit, and
 * not to the line, but for a panic's report. NULL: to the line again, by the same thread. -EBUSY:
 * another thread has that already. */
int console_capture(char *buf, size_t n);

/* Next input byte; sleeps until one comes (woken by: the serial interrupt). Thread context. */
int console_getc(void);

/* A panic must not wait for a lock its own CPU may hold: from here on output takes none. */
void console_break_lock(void);

/* Times an error or warning line was printed by warn(). Zero: nothing unexpected so far. */
extern unsigned long warn_count;
/* Something that should not happen did, and the system goes on. Prints "warning: " + text. */
void warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * Text from outside: names in images, bytes of files, strings of firmware tables, typed words. The
 * bytes of such a text decide nothing but themselves: on the console they must neither move a
 * cursor nor end a line, since outside scripts read the machine's own lines there.
 *
 * The rule has two halves, and the console keeps both (console.c):
 * - Only text is printed: ASCII, well-formed UTF-8 and line ends. Any other byte shows as C writes
 *   it: \n, \t, \r, \x1b (always two digits).
 * - A line end is real only if the *format* has it. What an argument of kprintf() brings along
 * shows as \n, so a name can add no line. What is left is a text in column 1, which only file
 * contents and table signatures reach: its printer asks text_forges() and escapes the first byte.
 * Pure code, tested on the host.
 */

#define TEXT_UNIT	5  /* bytes that text_unit() writes at most, its NUL included */
#define TEXT_FORGE_SPAN 16 /* text_forges() looks at no more than so many bytes */

/* Bytes of the printable unit that s[0, len) begins with: 1 for ASCII, 2 to 4 for a code point of
 * well-formed UTF-8 that is no control. 0: the byte must be escaped, or len is 0. */
size_t text_plain(const char *s, size_t len);

/* Where the line ends of a formatted text are real: in its first `lead` and its last `trail` bytes,
 * and between them only if `inner`. */
struct text_lines {
	size_t lead, trail;
	bool inner;
};
/*
 * Which line ends of out[0, len), formatted by `fmt`, are the format's own? Those at both ends are
 * known; those between are if the arguments brought none along. `cut`: out lacks its end, so that
 * counting proves nothing.
 */
struct text_lines text_own_lines(const char *fmt, const char *out, size_t len, bool cut);

/* Hands s[0, len) to put() byte by byte, escaped where `lines` and the rule above want it. */
void text_render(const char *s, size_t len, const struct text_lines *lines,
		 void (*put)(void *arg, char c), void *arg);

/* `s` escaped into buf[0, size), its backslashes too, so that what is shown names one text only;
 * cut to fit. Returns buf. */
const char *text_escape(char *buf, size_t size, const char *s);

/*
 * Would s[0, len), printed in column 1, pass for a line of the machine's own? The words that
 * outside scripts look for there: "> ", "[status", "[job", "ok ", "not ok ", "1..", "KTAP", "# ",
 * "race ",
 * "{", "TIMEOUT", "PANIC", "warning:", "power-off:", "holdfast>".
 */
bool text_forges(const char *s, size_t len);

/* "4 TiB", "509 MiB", "4 KiB", "100 B": a number of bytes with the largest unit that divides it.
 * The one way in which sizes are printed. Returns buf, which needs TEXT_SIZE bytes. */
#define TEXT_SIZE 28
const char *text_size(uint64_t bytes, char buf[TEXT_SIZE]);
/* The same with the buffer in the caller's block, for an argument of kprintf(). */
#define SIZE_TEXT(bytes) text_size(bytes, (char[TEXT_SIZE]){0})

#endif
