/* SPDX-License-Identifier: MIT */
/*
 * The C heap of the code under test, and its slabs: memory that is given out from one end of an
 * arena, in the set-up and in executions.
 *
 * What an execution got is all taken back at its end. So an allocation is the same in every
 * execution of one order, costs a few instructions, and is no event. What a thread frees is not
 * given out again before the end (freed.c). What the set-up got is freed by whoever frees it in
 * teardown(), and given out again by the next exploration, which finds the arena empty and zeroed:
 * so a block lies where it lies in every exploration of the scenario, between the same neighbours,
 * and code that is wrong and takes an address for a value, or looks a word too far, does the same
 * whatever ran before. A block that nobody frees stays, and the next exploration begins behind it.
 *
 * The heap has an arena, and each of the first slabs. In one for all a word would be in one order
 * what one kind of object is counted by, and in another a plain word of another kind: an event in
 * both, as a place that is accessed atomically is one everywhere.
 */
#include <malloc.h>

#include "mm/mm.h"
#include "tests/explore/internal.h"

#define HERE ((uintptr_t)__builtin_return_address(0))

#define ARENA_BYTES (1 * MIB)
#define HEAP_BYTES  (640 * KIB)
#define SLAB_BYTES  ((ARENA_BYTES - HEAP_BYTES) / (X_ARENAS - 1))
#define UNIT	    16ul

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void __real_free(void *p);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void __wrap_free(void *p);

static char *memory;
static struct arena {
	const struct slab_cache *cache; /* of a slab, once it has one */
	char *start;
	size_t bytes;
	size_t set_up; /* the set-up's part ends here, and that of an execution begins */
	size_t dirty;  /* above it nothing was given out, and all is zero */
} arenas[X_ARENAS];    /* the first is the heap's */
#define HEAP (&arenas[0])

struct head {
	size_t bytes;
	uint64_t given; /* zero: freed, with no execution that will have it back */
};

bool x_arena_init(void)
{
	if (!memory)
		memory = machine_memory(ARENA_BYTES);
	for (unsigned i = 0; memory && i < X_ARENAS; i++) {
		arenas[i].start = memory + (i ? HEAP_BYTES + (i - 1) * SLAB_BYTES : 0);
		arenas[i].bytes = i ? SLAB_BYTES : HEAP_BYTES;
	}
	return memory != NULL;
}

/* With what lies around it. */
static size_t room(size_t bytes)
{
	return ALIGN_UP(bytes, UNIT) + sizeof(struct head) + UNIT;
}

/* Where what the last set-up left ends. */
static size_t left(const struct arena *a)
{
	size_t end = 0;

	for (size_t at = 0; at < a->set_up;) {
		const struct head *h = (const struct head *)(a->start + at);

		at += room(h->bytes);
		end = h->given ? at : end;
	}
	return end;
}

void x_arena_begin(void)
{
	for (struct arena *a = arenas; a < arenas + X_ARENAS; a++) {
		size_t stays = left(a);

		memset(a->start + stays, 0, a->dirty - stays);
		a->cache = NULL;
		x.state.given[a - arenas] = a->set_up = a->dirty = stays;
	}
}

void x_arena_keep(void)
{
	for (unsigned i = 0; i < X_ARENAS; i++)
		arenas[i].set_up = x.state.given[i];
}

void x_arena_reset(void)
{
	for (unsigned i = 0; i < X_ARENAS; i++)
		x.state.given[i] = arenas[i].set_up;
}

bool x_arena_offset(uintptr_t at, unsigned long *offset)
{
	*offset = at - (uintptr_t)memory;
	return *offset < ARENA_BYTES;
}

/* NULL: there is not so much. */
static void *give(struct arena *a, size_t n, uintptr_t pc)
{
	size_t *given = &x.state.given[a - arenas];
	struct head *h = (struct head *)(a->start + *given);

	if (n > a->bytes || *given + room(n) > a->bytes)
		return NULL;
	*given += room(n);
	a->dirty = MAX(a->dirty, *given);
	*h = (struct head){n, 1};
	memset(h + 1, 0, room(n) - sizeof(*h));
	if (pc)
		x_freed_made((uintptr_t)(h + 1), pc);
	return h + 1;
}

static bool in_arena(const void *p)
{
	return memory && (uintptr_t)p - (uintptr_t)memory < ARENA_BYTES;
}

static void take_back(void *p, uintptr_t pc)
{
	size_t bytes = in_arena(p) ? ((struct head *)p - 1)->bytes : malloc_usable_size(p);

	x_freed_add((uintptr_t)p, MAX(bytes, 1ul), "the heap", pc);
}

/* In an execution; or in a set-up, which may have half of an arena. NULL: it is full, or the caller
 * is neither. */
static void *take(struct arena *a, size_t n, uintptr_t pc)
{
	void *p;

	if (!x_on()) {
		if (!x_sets_up() || n > a->bytes ||
		    x.state.given[a - arenas] + room(n) > a->bytes / 2)
			return NULL;
		return give(a, n, 0);
	}
	x_live = false;
	p = give(a, n, pc);
	x_live = true;
	return p;
}

void *x_arena_object(const struct slab_cache *c, uintptr_t pc)
{
	struct arena *a = HEAP + 1;

	if (!x_on() && !x_sets_up())
		return NULL;
	while (a < arenas + X_ARENAS && a->cache && a->cache != c)
		a++;
	if (a == arenas + X_ARENAS)
		return NULL;
	a->cache = c;
	return take(a, c->size, pc);
}

bool x_arena_give_back(void *p)
{
	if (!in_arena(p))
		return false;
	ASSERT(((struct head *)p - 1)->given, "%p is freed twice", p);
	((struct head *)p - 1)->given = 0;
	return true;
}

void *__wrap_malloc(size_t n)
{
	void *p = take(HEAP, n, HERE);

	if (p || x_on())
		return p;
	x_lasting_begin();
	p = __real_malloc(n);
	x_lasting_end();
	return p;
}

void *__wrap_calloc(size_t n, size_t size)
{
	void *p = take(HEAP, n * size, HERE);

	if (p || x_on())
		return p;
	x_lasting_begin();
	p = __real_calloc(n, size);
	x_lasting_end();
	return p;
}

/* The bytes of a block in the arena, in one of `n` bytes. */
static void *copied(void *q, const void *p, size_t n)
{
	if (q)
		memcpy(q, p, MIN(n, ((const struct head *)p - 1)->bytes));
	return q;
}

/* Outside of executions. */
static void *move(void *p, size_t n)
{
	void *q;

	if (p && !in_arena(p)) {
		x_lasting_begin();
		q = __real_realloc(p, n);
		x_lasting_end();
		return q;
	}
	q = __wrap_malloc(n);
	if (p && copied(q, p, n))
		x_arena_give_back(p);
	return q;
}

void *__wrap_realloc(void *p, size_t n)
{
	void *q;

	if (!x_on())
		return move(p, n);
	x_live = false;
	q = give(HEAP, n, HERE);
	if (p && in_arena(p))
		copied(q, p, n);
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
		if (!x_arena_give_back(p))
			__real_free(p);
		return;
	}
	x_live = false;
	if (p)
		take_back(p, HERE);
	x_live = true;
}
