/* SPDX-License-Identifier: MIT */
/*
 * Self-tests of the debug build: the heap (memdebug.heap-*). Each uses memory wrongly on purpose,
 * takes the report and mends what it broke.
 */
#include "kernel/kernel.h"
#include <malloc.h>

#if DEBUG_BUILD

static struct mem_report last;
static unsigned reports;

static void take_note(const struct mem_report *r)
{
	last = *r;
	reports++;
}

static void listen(void)
{
	reports = 0;
	mem_divert(take_note);
}

/* Is the chain one of this file's? */
static bool ours(const struct mem_site *s)
{
	unsigned line;
	const char *file;

	for (unsigned i = 0; i < MEM_FRAMES && s->pc[i]; i++) {
		file = ksym_line(KERNEL_BASE + s->pc[i] - 1, &line);
		if (file && !strcmp(file, "kernel/lib/test_memdebug.c"))
			return true;
	}
	return false;
}

/* So that the compiler does not see what is done to it. */
static uint8_t *__attribute__((noipa)) hide(void *p)
{
	return p;
}

SELFTEST(memdebug_overflow, "memdebug.heap-overflow",
	 "a store of 48 bytes behind a heap block is found, with the place of the allocation")
{
	uint8_t *p = hide(malloc(100));

	EXPECT(p, "no memory");
	listen();
	memset(p + 100, 0, 48);
	mem_check();
	mem_divert(NULL);
	memset(p + 100, MEM_RED, 48);
	EXPECT(reports == 1 && last.fault == MEM_OVERFLOW, "%u reports, the last of kind %d",
	       reports, last.fault);
	EXPECT(last.addr == (uintptr_t)p && last.at == last.addr + 100 && last.size == 100,
	       "it is about 0x%lx, byte 0x%lx", last.addr, last.at);
	EXPECT(ours(&last.allocated), "the allocation is not told to be here");
	listen();
	hide(p)[-1] = 0;
	free(p);
	mem_divert(NULL);
	EXPECT(reports == 1 && last.fault == MEM_UNDERFLOW, "by free: %u reports, kind %d", reports,
	       last.fault);
}

SELFTEST(memdebug_after_free, "memdebug.heap-use-after-free",
	 "a store into a freed heap block is found, with the places of allocation and free")
{
	uint8_t *p = hide(malloc(200));

	EXPECT(p, "no memory");
	free(p);
	EXPECT(p[7] == MEM_POISON, "a load sees 0x%x", p[7]);
	listen();
	hide(p)[7] = 1;
	mem_check();
	mem_divert(NULL);
	hide(p)[7] = MEM_POISON;
	EXPECT(reports == 1 && last.fault == MEM_AFTER_FREE, "%u reports, kind %d", reports,
	       last.fault);
	EXPECT(last.at == (uintptr_t)p + 7, "byte 0x%lx", last.at);
	EXPECT(ours(&last.allocated) && ours(&last.freed), "the places are not told to be here");
}

SELFTEST(memdebug_twice, "memdebug.heap-freed-twice",
	 "a second free of a heap block is found, and does no harm")
{
	void *p = hide(malloc(64));

	EXPECT(p, "no memory");
	free(p);
	listen();
	free(hide(p));
	mem_divert(NULL);
	EXPECT(reports == 1 && last.fault == MEM_FREED_TWICE, "%u reports, kind %d", reports,
	       last.fault);
	EXPECT(ours(&last.freed), "the first free is not told to be here");
	mem_check();
}

SELFTEST(memdebug_sizes, "memdebug.heap-whole",
	 "blocks of every size and alignment, grown and shrunk, keep their bytes and their zones")
{
	listen();
	for (size_t n = 0; n < 300; n += 7) {
		uint8_t *p = malloc(n), *q, *z = calloc(n, 3), *a = memalign(64, n);

		memset(p, 0x5a, n);
		q = realloc(p, n + 50);
		EXPECT(!mem_other_than(q, 0x5a, n), "realloc from %lu lost bytes", n);
		EXPECT(!mem_other_than(z, 0, 3 * n), "calloc of 3 * %lu is not zero", n);
		EXPECT(IS_ALIGNED((uintptr_t)a, 64) && IS_ALIGNED((uintptr_t)q, 16), "alignment");
		mem_check();
		q = realloc(q, n / 2 + 1);
		free(q);
		free(z);
		free(a);
	}
	mem_check();
	mem_divert(NULL);
	EXPECT(!reports, "%u reports, kind %d", reports, last.fault);
}

#endif
