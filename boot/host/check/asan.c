/* SPDX-License-Identifier: MIT */
/*
 * What code compiled with -fsanitize=kernel-address calls: before each access, and at the start for
 * its variables.
 *
 * The compiler's own library is not used: its allocator is not the kernel's, it takes one stack a
 * thread for granted, and it knows no page faults. What is left is little. Stack frames are closed
 * and opened by code of the compiler's; heap, slabs and frames tell by mem_close() and mem_open()
 * (kernel/lib/lib.h); stacks as a whole when threads end. An access to what is closed is a report
 * as the debug build makes them, and the end.
 *
 * The shadow is mapped when the first variables are announced, which is before main().
 */
#include "boot/host/check/shadow.h"
#include "boot/host/host.h"
#include "kernel/kernel.h"

#define SHADOW_LEN (SHADOW_LIMIT / 8)

/* As the compiler lays it out. */
struct global {
	uintptr_t addr;
	size_t size, with_red_zone;
	const char *name, *file;
	size_t dynamic;
	const void *where;
	uintptr_t alias;
};

/* mmap(): 16 TiB of zeroes, of which nothing exists before it is written. */
static void map_shadow(void)
{
	static bool mapped;
	register long flags __asm__("r10") = 0x4032; /* private, fixed, anonymous, no reserve */
	register long fd __asm__("r8") = -1;
	register long offset __asm__("r9") = 0;
	long ret;

	if (mapped)
		return;
	mapped = true;
	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "0"(9), "D"(SHADOW_OFFSET), "S"(SHADOW_LEN), "d"(3), "r"(flags), "r"(fd),
			   "r"(offset)
			 : "rcx", "r11", "memory");
	if (ret != (long)SHADOW_OFFSET)
		__builtin_trap();
}

void __asan_register_globals(const struct global *g, size_t n);
void __asan_register_globals(const struct global *g, size_t n)
{
	map_shadow();
	for (; n-- > 0; g++)
		shadow_close(g->addr + g->size, g->with_red_zone - g->size, SHADOW_GLOBAL);
}

void __asan_unregister_globals(const struct global *g, size_t n);
void __asan_unregister_globals(const struct global *g, size_t n)
{
	(void)g, (void)n; /* the program ends */
}

/* Nothing: a stack is opened as a whole when it is given to a thread again. */
void __asan_handle_no_return(void);
void __asan_handle_no_return(void)
{
}

void mem_close(const void *p, size_t n, uint8_t why)
{
	shadow_close((uintptr_t)p, n, why == MEM_RED ? SHADOW_RED : SHADOW_FREED);
}

void mem_open(const void *p, size_t n)
{
	shadow_open((uintptr_t)p, n);
}

/* ---- accesses */

static void __attribute__((noinline)) forbidden(uintptr_t addr, size_t n, bool store)
{
	static bool telling; /* one CPU runs at a time */
	char what[160];
	struct mem_report r = {.fault = MEM_FORBIDDEN, .what = what, .addr = addr, .size = n};

	if (telling)
		return;
	telling = true;
	r.at = shadow_bad(addr, n);
	snprintf(what, sizeof(what), "%s of %lu bytes, %s", store ? "a store" : "a load", n,
		 shadow_text(shadow_why(r.at)));
	mem_find(&r);
	mem_fault(&r);
	telling = false;
}

static inline void check(uintptr_t addr, size_t n, bool store)
{
	if (unlikely(n && shadow_bad(addr, n)))
		forbidden(addr, n, store);
}

#define ACCESS(n)                                                                                  \
	void __asan_load##n##_noabort(uintptr_t addr);                                             \
	void __asan_load##n##_noabort(uintptr_t addr)                                              \
	{                                                                                          \
		check(addr, n, false);                                                             \
	}                                                                                          \
	void __asan_store##n##_noabort(uintptr_t addr);                                            \
	void __asan_store##n##_noabort(uintptr_t addr)                                             \
	{                                                                                          \
		check(addr, n, true);                                                              \
	}
ACCESS(1)
ACCESS(2)
ACCESS(4)
ACCESS(8)
ACCESS(16)

void __asan_loadN_noabort(uintptr_t addr, size_t n);
void __asan_loadN_noabort(uintptr_t addr, size_t n)
{
	check(addr, n, false);
}

void __asan_storeN_noabort(uintptr_t addr, size_t n);
void __asan_storeN_noabort(uintptr_t addr, size_t n)
{
	check(addr, n, true);
}

/* Blocks of a function, as control enters and leaves them. */
void __asan_poison_stack_memory(uintptr_t addr, size_t n);
void __asan_poison_stack_memory(uintptr_t addr, size_t n)
{
	shadow_close(addr, n, SHADOW_SCOPE);
}

void __asan_unpoison_stack_memory(uintptr_t addr, size_t n);
void __asan_unpoison_stack_memory(uintptr_t addr, size_t n)
{
	shadow_open(addr, n);
}

/* ---- functions of the C library, which is not instrumented: the Makefile has the callers call
 * these */

void *checked_memcpy(void *to, const void *from, size_t n);
void *checked_memcpy(void *to, const void *from, size_t n)
{
	check((uintptr_t)from, n, false);
	check((uintptr_t)to, n, true);
	return memcpy(to, from, n);
}

void *checked_memmove(void *to, const void *from, size_t n);
void *checked_memmove(void *to, const void *from, size_t n)
{
	check((uintptr_t)from, n, false);
	check((uintptr_t)to, n, true);
	return memmove(to, from, n);
}

void *checked_memset(void *to, int c, size_t n);
void *checked_memset(void *to, int c, size_t n)
{
	check((uintptr_t)to, n, true);
	return memset(to, c, n);
}

int checked_memcmp(const void *a, const void *b, size_t n);
int checked_memcmp(const void *a, const void *b, size_t n)
{
	check((uintptr_t)a, n, false);
	check((uintptr_t)b, n, false);
	return memcmp(a, b, n);
}

size_t checked_strlen(const char *s);
size_t checked_strlen(const char *s)
{
	size_t n = strlen(s);

	check((uintptr_t)s, n + 1, false);
	return n;
}

int checked_strcmp(const char *a, const char *b);
int checked_strcmp(const char *a, const char *b)
{
	size_t n = 0;

	while (a[n] && a[n] == b[n])
		n++;
	check((uintptr_t)a, n + 1, false);
	check((uintptr_t)b, n + 1, false);
	return (unsigned char)a[n] - (unsigned char)b[n];
}

char *checked_strcpy(char *to, const char *from);
char *checked_strcpy(char *to, const char *from)
{
	return checked_memcpy(to, from, checked_strlen(from) + 1);
}

char *checked_strncpy(char *to, const char *from, size_t n);
char *checked_strncpy(char *to, const char *from, size_t n)
{
	size_t len = strnlen(from, n);

	check((uintptr_t)from, len < n ? len + 1 : n, false);
	check((uintptr_t)to, n, true);
	return strncpy(to, from, n);
}
