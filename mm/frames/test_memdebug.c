/* SPDX-License-Identifier: MIT */
/* Self-tests of the debug build: slabs and frames used wrongly on purpose (memdebug.*). */
#include "mm/frames/internal.h"

#if DEBUG_BUILD

static struct mem_report last;
static unsigned reports;
static struct slab_cache cache = SLAB_CACHE_INIT("memdebug test", 100);

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

static uint8_t *__attribute__((noipa)) hide(void *p)
{
	return p;
}

SELFTEST(memdebug_slab_overflow, "memdebug.slab-overflow",
	 "a store of 48 bytes behind a slab object is found when it is freed")
{
	uint8_t *p = slab_alloc(&cache);

	EXPECT(p, "no memory");
	listen();
	memset(hide(p) + 100, 0, 48);
	slab_free(&cache, p);
	mem_divert(NULL);
	EXPECT(reports == 1 && last.fault == MEM_OVERFLOW && last.at == (uintptr_t)p + 100,
	       "%u reports, kind %d, byte 0x%lx", reports, last.fault, last.at);
	EXPECT(last.allocated.pc[0], "the allocation is not told");
}

SELFTEST(memdebug_slab_after_free, "memdebug.slab-use-after-free",
	 "a store into a freed slab object is found before it is used again")
{
	uint8_t *keep = slab_alloc(&cache), *p = slab_alloc(&cache), *again;
	void *got[64];
	unsigned n = 0;

	EXPECT(keep && p, "no memory");
	slab_free(&cache, p);
	listen();
	hide(p)[50] = 1;
	do
		again = got[n++] = slab_alloc(&cache);
	while (again && again != p && n < 64);
	mem_divert(NULL);
	while (n--)
		if (got[n])
			slab_free(&cache, got[n]);
	slab_free(&cache, keep);
	EXPECT(again == p, "it never came back");
	EXPECT(reports == 1 && last.fault == MEM_AFTER_FREE && last.at == (uintptr_t)p + 50,
	       "%u reports, kind %d, byte 0x%lx", reports, last.fault, last.at);
	EXPECT(last.freed.pc[0], "the free is not told");
}

SELFTEST(memdebug_slab_twice, "memdebug.slab-freed-twice",
	 "a second free of a slab object is found, and does no harm")
{
	void *keep = slab_alloc(&cache), *p = slab_alloc(&cache);

	EXPECT(keep && p, "no memory");
	slab_free(&cache, p);
	listen();
	slab_free(&cache, p);
	mem_divert(NULL);
	slab_free(&cache, keep);
	EXPECT(reports == 1 && last.fault == MEM_FREED_TWICE, "%u reports, kind %d", reports,
	       last.fault);
	EXPECT(!cache.in_use, "%u objects are still out", cache.in_use);
}

SELFTEST(memdebug_frame_after_free, "memdebug.frame-use-after-free",
	 "a store into a freed frame is found when its rest is over")
{
	uint64_t phys = frame_alloc(0);
	uint8_t *p = phys_to_virt(phys);

	EXPECT(phys, "no memory");
	frame_free(phys, 0);
	EXPECT(p[9] == MEM_POISON, "a load sees 0x%x", p[9]);
	listen();
	hide(p)[9] = 1;
	frames_end_rest();
	mem_divert(NULL);
	EXPECT(reports == 1 && last.fault == MEM_AFTER_FREE && last.at == (uintptr_t)p + 9,
	       "%u reports, kind %d, byte 0x%lx", reports, last.fault, last.at);
	EXPECT(last.allocated.pc[0] && last.freed.pc[0], "the places are not told");
}

SELFTEST(memdebug_frame_twice, "memdebug.frame-freed-twice",
	 "a second free of a frame is found, and does no harm")
{
	uint64_t phys = frame_alloc(0), before;

	EXPECT(phys, "no memory");
	frame_free(phys, 0);
	before = frame_stats().free;
	listen();
	frame_free(phys, 0);
	mem_divert(NULL);
	EXPECT(reports == 1 && last.fault == MEM_FREED_TWICE, "%u reports, kind %d", reports,
	       last.fault);
	EXPECT(frame_stats().free == before, "%lu frames more are free",
	       frame_stats().free - before);
}

#endif
