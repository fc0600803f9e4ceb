/* SPDX-License-Identifier: MIT */
/*
 * The C heap of the code under test: memory that is given out from one end of an arena, and all of
 * it taken back at the end of an execution.
 *
 * So an allocation is the same in every execution of one order, costs a few instructions, and is no
 * event. What a thread frees is not given out again before the end: a later access is a use after
 * free, and is found. That holds for what was allocated in setup() as well; it is really freed by
 * whoever frees it in teardown().
 */
#include "tests/explore/internal.h"

#define ARENA_BYTES (512 * KIB)
#define UNIT	    16ul
#define FREED	    32u

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void __real_free(void *p);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void __wrap_free(void *p);

static char *arena;
static size_t given;
static uint8_t *freed_units; /* of the arena: 1, no longer the program's */
static struct {
	uintptr_t at;
	size_t bytes;
} freed[FREED]; /* elsewhere */
static unsigned nr_freed;

struct head {
	size_t bytes, unused;
};

bool x_arena_init(void)
{
	if (!arena)
		arena = machine_memory(ARENA_BYTES);
	if (!freed_units)
		freed_units = machine_memory(ARENA_BYTES / UNIT);
	return arena && freed_units;
}

void x_arena_reset(void)
{
	memset(freed_units, 0, given / UNIT + 1);
	given = 0;
	nr_freed = 0;
}

void x_arena_access(uintptr_t at, size_t bytes)
{
	if (at - (uintptr_t)arena < ARENA_BYTES && freed_units[(at - (uintptr_t)arena) / UNIT])
		x_stop("memory", "%lu bytes at %p are touched after they were freed",
		       (unsigned long)bytes, (void *)at);
	for (unsigned i = 0; i < nr_freed; i++)
		if (at - freed[i].at < freed[i].bytes)
			x_stop("memory", "%lu bytes at %p are touched after they were freed",
			       (unsigned long)bytes, (void *)at);
}

bool x_arena_offset(uintptr_t at, unsigned long *offset)
{
	*offset = at - (uintptr_t)arena;
	return *offset < ARENA_BYTES;
}

static void *give(size_t n)
{
	struct head *h = (struct head *)(arena + given);
	size_t bytes = ALIGN_UP(n, UNIT) + sizeof(*h) + UNIT;

	if (given + bytes > ARENA_BYTES)
		return NULL;
	given += bytes;
	h->bytes = n;
	memset(h + 1, 0, n);
	return h + 1;
}

static bool in_arena(const void *p)
{
	return (uintptr_t)p - (uintptr_t)arena < ARENA_BYTES;
}

static void take_back(void *p)
{
	const struct head *h = (struct head *)p - 1;

	if (!in_arena(p)) {
		for (unsigned i = 0; i < nr_freed; i++)
			if (freed[i].at == (uintptr_t)p)
				x_stop("memory", "what was allocated at %p is freed twice", p);
		if (nr_freed < FREED) /* its size is its allocator's secret: the first words */
			freed[nr_freed++] = (__typeof__(freed[0])){(uintptr_t)p, 8};
		return;
	}
	if (freed_units[((char *)p - arena) / (long)UNIT])
		x_stop("memory", "what was allocated at %p is freed twice", p);
	memset(freed_units + ((char *)p - arena) / (long)UNIT, 1, ALIGN_UP(h->bytes, UNIT) / UNIT);
}

void *__wrap_malloc(size_t n)
{
	void *p;

	if (!x_on())
		return __real_malloc(n);
	x_live = false;
	p = give(n);
	x_live = true;
	return p;
}

void *__wrap_calloc(size_t n, size_t size)
{
	return x_on() ? __wrap_malloc(n * size) : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
	void *q;

	if (!x_on())
		return __real_realloc(p, n);
	x_live = false;
	q = give(n);
	if (p && in_arena(p) && q)
		memcpy(q, p, MIN(n, ((struct head *)p - 1)->bytes));
	if (p && !in_arena(p))
		x_fail("realloc() of what was allocated in setup() is not modelled");
	if (p)
		take_back(p);
	x_live = true;
	return q;
}

void __wrap_free(void *p)
{
	if (!x_on()) {
		__real_free(p);
		return;
	}
	x_live = false;
	if (p)
		take_back(p);
	x_live = true;
}
