/* SPDX-License-Identifier: MIT */
/*
 * A panic is a lesson: what was expected, what was found, which rule, and how it came about
 * (registers, symbolised backtrace), then the machine stops with the status the runner knows.
 */
#ifndef KERNEL_TRAP_PANIC_H
#define KERNEL_TRAP_PANIC_H

#include <stdint.h>

struct trap_frame;

void panic(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
void panic_frame(const struct trap_frame *tf, const char *fmt, ...)
	__attribute__((noreturn, format(printf, 2, 3)));
/* Prints the call chain that starts at frame pointer `rbp` (0: the caller's own). */
void backtrace(uint64_t rbp);
/* The return addresses of that chain, the innermost first; value: how many. Any context. */
unsigned backtrace_collect(uint64_t rbp, uint64_t *pc, unsigned room);

/*
 * ASSERT(cond, "sentence", ...): the sentence says what must hold and why, and may print what was
 * found. Always compiled in: a rule that is only checked sometimes is no rule.
 */
#define ASSERT(cond, ...)                                                                          \
	do {                                                                                       \
		if (__builtin_expect(!(cond), 0))                                                  \
			assert_failed(__FILE__, __LINE__, #cond, __VA_ARGS__);                     \
	} while (0)
void assert_failed(const char *file, int line, const char *cond, const char *fmt, ...)
	__attribute__((noreturn, format(printf, 4, 5)));
/* For tests of assertions: the next one that fails in the calling thread leaves its sentence in
 * text[n] and ends this thread (thread_exit()) instead of the machine. It holds no lock and no
 * address space there. NULL: none is expected any more. One thread at a time. */
void assert_expect(char *text, unsigned n);

/* Stops every other CPU where it is, for ever, and this CPU's interrupts; output takes no lock from
 * then on. For what must be the last thing that happens: a panic, a power cut. */
void machine_freeze(void);
/* Ends QEMU through isa-debug-exit (port 0xf4); rc of QEMU = value << 1 | 1. Halts if it is absent.
 */
enum exit_code { EXIT_OK = 0x10, EXIT_FAILED = 0x11, EXIT_PANIC = 0x12 };
void machine_exit(enum exit_code code) __attribute__((noreturn));

#endif
