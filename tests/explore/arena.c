/* SPDX-License-Identifier: MIT */
/*
 * The C heap of the code under test: memory that is given out from one end of an arena, and all of
 * it taken back at the end of an execution.
 *
 * So an allocation is the same in every execution of one order, costs a few instructions, and is no
 * event. What a thread frees is not given out again before the end (freed.c), and what was
 * allocated in setup() is really freed by whoever frees it in teardown().
 */
#include <malloc.h>

#include "tests/explore/internal.h"

#define HERE ((uintptr_t)__builtin_return_address(0))

#define ARENA_BYTES (512 * KIB)
#define UNIT	    16ul

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void __real_free(void *p);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void __wrap_free(void *p);

static char *arena;

struct head {
	size_t bytes, unused;
};

bool x_arena_init(void)
{
	if (!arena)
		arena = machine_memory(ARENA_BYTES);
	return arena != NULL;
}

void x_arena_reset(void)
{
	x.state.heap = 0;
}

bool x_arena_offset(uintptr_t at, unsigned long *offset)
{
	*offset = at - (uintptr_t)arena;
	return *offset < ARENA_BYTES;
}

static void *give(size_t n, uintptr_t pc)
{
	struct head *h = (struct head *)(arena + x.state.heap);
	size_t bytes = ALIGN_UP(n, UNIT) + sizeof(*h) + UNIT;

	if (x.state.heap + bytes > ARENA_BYTES)
		return NULL;
	x.state.heap += bytes;
	h->bytes = n;
	memset(h + 1, 0, n);
	x_freed_made((uintptr_t)(h + 1), pc);
	return h + 1;
}

static bool in_arena(const void *p)
{
	return (uintptr_t)p - (uintptr_t)arena < ARENA_BYTES;
}

static void take_back(void *p, uintptr_t pc)
{
	size_t bytes = in_arena(p) ? ((struct head *)p - 1)->bytes : malloc_usable_size(p);

	x_freed_add((uintptr_t)p, MAX(bytes, 1ul), "the heap", pc);
}

static void *give_quietly(size_t n, uintptr_t pc)
{
	void *p;

	x_live = false;
	p = give(n, pc);
	x_live = true;
	return p;
}

void *__wrap_malloc(size_t n)
{
	void *p;

	if (x_on())
		return give_quietly(n, HERE);
	x_lasting_begin();
	p = __real_malloc(n);
	x_lasting_end();
	return p;
}

void *__wrap_calloc(size_t n, size_t size)
{
	void *p;

	if (x_on())
		return give_quietly(n * size, HERE);
	x_lasting_begin();
	p = __real_calloc(n, size);
	x_lasting_end();
	return p;
}

void *__wrap_realloc(void *p, size_t n)
{
	void *q;

	if (!x_on()) {
		x_lasting_begin();
		q = __real_realloc(p, n);
		x_lasting_end();
		return q;
	}
	x_live = false;
	q = give(n, HERE);
	if (p && in_arena(p) && q)
		memcpy(q, p, MIN(n, ((struct head *)p - 1)->bytes));
	if (p && !in_arena(p))
		x_fail("realloc() of what was allocated in setup() is not modelled");
	if (p)
		take_back(p, HERE);
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
		take_back(p, HERE);
	x_live = true;
}
