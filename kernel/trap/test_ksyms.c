/* SPDX-License-Identifier: MIT */
/* Self-tests: from addresses to names and lines (trap.symbols*). */
#include "kernel/kernel.h"

static uint64_t __attribute__((noipa)) caller(void)
{
	return (uintptr_t)__builtin_return_address(0);
}

/* A call at the very end of a function: its return address is the next function's. */
void last_call(void) __noreturn;
void __attribute__((noinline)) last_call(void)
{
	panic("nobody calls this");
}

static uint64_t end_of(uint64_t fn)
{
	const char *name = ksym_lookup(fn, NULL);

	while (ksym_lookup(fn, NULL) == name)
		fn++;
	return fn;
}

SELFTEST(trap_symbols_lines, "trap.symbols-have-lines",
	 "a return address is shown with the file and the line of its call")
{
	uint64_t at[3];
	unsigned first = __LINE__ + 1, line = 0;
	at[0] = caller();
	at[1] = caller();

	at[2] = caller();
	for (unsigned i = 0; i < 3; i++) {
		const char *file = ksym_line(at[i] - 1, &line);

		EXPECT(file && !strcmp(file, "kernel/trap/test_ksyms.c"), "call %u: file %s", i,
		       file ? file : "unknown");
		EXPECT(line == first + i + (i == 2), "call %u: line %u, not %u", i, line,
		       first + i + (i == 2));
	}
}

SELFTEST(trap_symbols_last, "trap.symbols-of-a-last-call",
	 "a call that never returns, at its function's end, is not taken for the function behind")
{
	uint64_t end = end_of((uintptr_t)last_call);
	char text[160];

	ksym_describe(end, true, text, sizeof(text));
	EXPECT(!strncmp(text, "last_call+0x", 12), "shown as %s", text);
	ksym_describe(end, false, text, sizeof(text));
	EXPECT(strncmp(text, "last_call+0x", 12), "an instruction there shown as %s", text);
}

SELFTEST(trap_symbols_all, "trap.symbols-everywhere",
	 "every function has a name, and lookups outside the code find nothing")
{
	extern const char __text_start[], __text_end[];
	unsigned functions = 0, with_line = 0, line;
	const char *last = NULL;
	char text[160];

	for (uint64_t at = (uintptr_t)__text_start; at < (uintptr_t)__text_end; at++) {
		const char *name = ksym_lookup(at, NULL);

		if (name == last)
			continue;
		EXPECT(name && *name, "no name at 0x%lx", at);
		functions++;
		with_line += ksym_line(at, &line) != NULL;
		last = name;
	}
	EXPECT(functions > 1000 && with_line > functions / 2, "%u functions, %u with a line",
	       functions, with_line);
	EXPECT(!ksym_lookup((uintptr_t)__text_start - 1, NULL), "something before the code");
	EXPECT(!ksym_line((uintptr_t)__text_end, &line), "something behind the code");
	ksym_describe(0, true, text, sizeof(text));
	EXPECT(!strcmp(text, "?"), "0 shown as %s", text);
}
