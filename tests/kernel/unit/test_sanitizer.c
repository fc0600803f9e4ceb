/* SPDX-License-Identifier: MIT */
/*
 * Self-tests of the sanitizers themselves (sanitizer.*): each makes one mistake on purpose, takes
 * the report and goes on. Where no report comes, the rest of `make host-check` proves nothing.
 */
#include "mm/mm.h"

#if SHADOW_BUILD

static struct mem_report first; /* the first since listen() */
static char first_what[200];
static unsigned reports;

static void take_note(const struct mem_report *r)
{
	if (!reports++) { /* the sanitizers may both have something to say */
		first = *r;
		snprintf(first_what, sizeof(first_what), "%s", r->what);
	}
}

/* The compiler believes that a look at an access changes no memory. */
static unsigned __attribute__((noipa)) heard(void)
{
	return reports;
}

static void listen(void)
{
	reports = 0;
	first_what[0] = '\0';
	mem_divert(take_note);
}

/* The compiler does not see what is done with it. */
static void *__attribute__((noipa)) hide(void *p)
{
	return p;
}

static int __attribute__((noipa)) hidden(int n)
{
	return n;
}

#define EXPECT_FORBIDDEN(n, text)                                                                  \
	do {                                                                                       \
		mem_divert(NULL);                                                                  \
		EXPECT(reports == (n) && first.fault == MEM_FORBIDDEN && strstr(first_what, text), \
		       "%u reports, the first of kind %d: '%s'", reports, first.fault,             \
		       first_what);                                                                \
	} while (0)

SELFTEST(sanitizer_heap_load, "sanitizer.heap-load",
	 "loads before and behind a heap block are found, with who allocated it")
{
	volatile uint8_t *p = hide(malloc(13));

	EXPECT(p, "no memory");
	listen();
	(void)p[12];
	EXPECT(!heard(), "the last byte is said to be out: %s", first_what);
	(void)p[13];
	(void)p[-1];
	(void)p[31];
	EXPECT_FORBIDDEN(3, "a load of 1 bytes, outside of the block");
	EXPECT(first.allocated.pc[0], "the allocation is not told");
	free((void *)p);
}

SELFTEST(sanitizer_after_free, "sanitizer.use-after-free",
	 "loads from a heap block, a slab object and a frame that were freed are found, with who "
	 "did it")
{
	static struct slab_cache cache = SLAB_CACHE_INIT("sanitizer test", 40);
	volatile uint64_t *p = hide(malloc(64)), *keep = slab_alloc(&cache),
			  *q = slab_alloc(&cache);
	uint64_t phys = frame_alloc_zero();
	volatile uint64_t *frame = hide(phys_to_virt(phys));

	EXPECT(p && keep && q && phys, "no memory");
	free((void *)p);
	slab_free(&cache, (void *)q);
	frame_free(phys, 0);
	listen();
	(void)p[3];
	EXPECT(heard() == 1 && first.freed.pc[0], "heap: %u reports", reports);
	listen();
	(void)q[2];
	EXPECT(heard() == 1 && first.allocated.pc[0] && first.freed.pc[0], "slab: %u reports",
	       reports);
	listen();
	(void)frame[511];
	EXPECT_FORBIDDEN(1, "memory that was freed");
	EXPECT(first.allocated.pc[0] && first.freed.pc[0], "the frame's past is not told");
	slab_free(&cache, (void *)keep);
}

static volatile uint32_t table[5];

SELFTEST(
	sanitizer_variables, "sanitizer.variables",
	"accesses behind a variable of the kernel's, of a stack frame and of a block that was left")
{
	volatile char local[10] = {0}, *at = hide((void *)local), *left;

	listen();
	((volatile uint32_t *)hide((void *)table))[5] = 1;
	EXPECT_FORBIDDEN(1, "beside a variable");
	listen();
	(void)at[10];
	EXPECT_FORBIDDEN(1, "stack frame");
	{
		volatile char inner[8] = {1};

		left = hide((void *)inner);
	}
	listen();
	*left = 2;
	EXPECT_FORBIDDEN(1, "block was left");
}

SELFTEST(sanitizer_library, "sanitizer.library",
	 "what memcpy, memset and memcmp touch is looked at as the caller's own accesses")
{
	char *p = hide(malloc(16)), *q = hide(malloc(16));

	EXPECT(p && q, "no memory");
	memset(p, 0, 16);
	memset(q, 0, 16);
	listen();
	(void)hidden(memcmp(p, q, 17)); /* both */
	(void)hidden((int)(uintptr_t)memcpy(p, q, (size_t)hidden(16)));
	(void)hidden(memcmp(p, q, 16));
	EXPECT(heard() == 2, "memcmp: %u reports", reports);
	(void)hidden(memcmp(q, p + 8, 9));
	EXPECT_FORBIDDEN(3, "a load of 17 bytes");
	free(p);
	free(q);
}

static void overflow(void)
{
	volatile int x = hidden(INT32_MAX);

	x = x + 1;
}

static void shift(void)
{
	volatile int x = hidden(32);

	x = 1 << x;
}

static void index_beyond(void)
{
	static volatile int array[4];
	int i = hidden(4);

	array[hidden(3)] = 1;
	(void)array[i];
}

static void misaligned(void)
{
	uint64_t pair[2] = {0};

	(void)*(volatile uint64_t *)hide((char *)pair + 1);
}

static void truth(void)
{
	static uint8_t two = 2;
	volatile bool *b = hide(&two);

	(void)*b;
}

SELFTEST(sanitizer_undefined, "sanitizer.undefined",
	 "overflow, a shift by too much, a bad index, a crooked pointer, a bool of 2 are found")
{
	static const struct {
		void (*fn)(void);
		const char *says;
	} rows[] = {
		{overflow, "test_sanitizer.c"}, {overflow, "sum overflows"},
		{shift, "a shift by too much"}, {index_beyond, "beyond the array"},
		{misaligned, "not aligned"},	{truth, "a value that its type has not"},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		listen();
		rows[i].fn();
		mem_divert(NULL);
		EXPECT(reports && first.fault == MEM_UNDEFINED && strstr(first_what, rows[i].says),
		       "row %u: %u reports, the first of kind %d: '%s'", i, reports, first.fault,
		       first_what);
	}
}

#endif
