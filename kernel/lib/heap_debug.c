/* SPDX-License-Identifier: MIT */
/*
 * malloc() of the debug build: every block with a header, red zones and a past.
 *
 *     | header | red zone | the caller's bytes | red zone |
 *
 * The linker puts these functions in front of newlib's (--wrap in the Makefile), so that whatever
 * allocates comes through here, libc's own insides included. The C library's realloc and calloc
 * know how its blocks look inside, so they are made anew from malloc and free.
 *
 * A freed block is poisoned and waits at the end of a queue; what leaves the queue at its front is
 * looked at a last time and goes back to newlib.
 */
#include "kernel/kernel.h"

#if DEBUG_BUILD

#define LIVE	  0x4c495645424c4f43ull
#define FREED	  0x4652454544424c4bull
#define FRONT	  32u
#define MAX_BYTES (1 * MIB) /* in quarantine */
#define MAX_COUNT 2048u

struct block {
	uint64_t state; /* LIVE or FREED; anything else: no block */
	size_t size;
	void *real; /* what newlib gave */
	struct mem_site allocated, freed;
	TAILQ_ENTRY(block) link; /* `live` or `waiting` */
	uint64_t pad;
	uint8_t red[FRONT];
};
_Static_assert(sizeof(struct block) % 16 == 0, "the caller's bytes are aligned to 16");
TAILQ_HEAD(block_list, block);

static struct spinlock lock = SPINLOCK_INIT("heap debug");
/* Protected by lock. */
static struct block_list live = TAILQ_HEAD_INITIALIZER(live);
static struct block_list waiting = TAILQ_HEAD_INITIALIZER(waiting); /* the oldest first */
static size_t waiting_bytes;
static unsigned waiting_count;

void *__real__malloc_r(struct _reent *re, size_t n);
void __real__free_r(struct _reent *re, void *p);
void *__wrap__malloc_r(struct _reent *re, size_t n);
void __wrap__free_r(struct _reent *re, void *p);
void *__wrap__calloc_r(struct _reent *re, size_t n, size_t each);
void *__wrap__realloc_r(struct _reent *re, void *p, size_t n);
void *__wrap__memalign_r(struct _reent *re, size_t align, size_t n);
size_t __wrap__malloc_usable_size_r(struct _reent *re, void *p);

static uint8_t *bytes_of(struct block *b)
{
	return (uint8_t *)(b + 1);
}

static size_t tail_of(size_t size)
{
	return ALIGN_UP(size, 16) - size + MEM_RED_LEN;
}

/* True: something is wrong, and *r says what. */
static bool wrong(struct block *b, struct mem_report *r)
{
	const uint8_t *at;

	*r = (struct mem_report){.what = "heap block",
				 .addr = (uintptr_t)bytes_of(b),
				 .size = b->size,
				 .allocated = b->allocated,
				 .freed = b->freed};
	if ((at = mem_other_than(b->red, MEM_RED, FRONT)))
		r->fault = MEM_UNDERFLOW;
	else if ((at = mem_other_than(bytes_of(b) + b->size, MEM_RED, tail_of(b->size))))
		r->fault = MEM_OVERFLOW;
	else if (b->state == FREED && (at = mem_other_than(bytes_of(b), MEM_POISON, b->size)))
		r->fault = MEM_AFTER_FREE;
	r->at = (uintptr_t)at;
	return at != NULL;
}

/* The oldest of the queue leaves it; NULL: it is short enough. */
static struct block *take_oldest(void)
{
	uint64_t flags = spin_lock_irqsave(&lock);
	struct block *b = TAILQ_FIRST(&waiting);

	if (b && waiting_bytes <= MAX_BYTES && waiting_count <= MAX_COUNT)
		b = NULL;
	if (b) {
		TAILQ_REMOVE(&waiting, b, link);
		waiting_bytes -= b->size;
		waiting_count--;
	}
	spin_unlock_irqrestore(&lock, flags);
	return b;
}

static void free_waiting(struct _reent *re)
{
	struct mem_report r;
	struct block *b;

	while ((b = take_oldest())) {
		if (wrong(b, &r))
			mem_fault(&r);
		b->state = 0;
		__real__free_r(re, b->real);
	}
}

static void *make(struct _reent *re, size_t align, size_t n, uint64_t rbp)
{
	size_t total = sizeof(struct block) + align + n + tail_of(n);
	uint64_t flags;
	struct block *b;
	char *real;

	if (total < n)
		return NULL;
	/* No second try after emptying the queue: a test that lets an allocation fail wants to see
	 * that. */
	real = __real__malloc_r(re, total);
	if (!real)
		return NULL;
	b = (struct block *)ALIGN_UP((uintptr_t)real + sizeof(*b), align) - 1;
	*b = (struct block){.state = LIVE, .size = n, .real = real};
	mem_note(&b->allocated, rbp);
	memset(b->red, MEM_RED, FRONT);
	memset(bytes_of(b) + n, MEM_RED, tail_of(n));
	mem_close(b, sizeof(*b), MEM_RED);
	mem_open(bytes_of(b), n);
	mem_close(bytes_of(b) + n, tail_of(n), MEM_RED);
	flags = spin_lock_irqsave(&lock);
	TAILQ_INSERT_TAIL(&live, b, link);
	spin_unlock_irqrestore(&lock, flags);
	return bytes_of(b);
}

/* What is wrong with a free of this block? False: nothing. */
static bool bad_free(struct block *b, uint64_t rbp, struct mem_report *r)
{
	if (b->state == LIVE)
		return wrong(b, r);
	*r = (struct mem_report){.what = "heap block", .addr = (uintptr_t)bytes_of(b)};
	mem_note(&r->freed, rbp);
	r->fault = b->state == FREED ? MEM_FREED_TWICE : MEM_NEVER_GIVEN;
	if (b->state == FREED) {
		r->size = b->size;
		r->allocated = b->allocated;
		r->freed = b->freed;
	}
	return true;
}

static void drop(struct _reent *re, void *p, uint64_t rbp)
{
	struct block *b = (struct block *)p - 1;
	struct mem_report r;
	uint64_t flags;

	if (bad_free(b, rbp, &r)) {
		mem_fault(&r);
		if (b->state != LIVE)
			return;
		memset(b->red, MEM_RED, FRONT); /* said once */
		memset(bytes_of(b) + b->size, MEM_RED, tail_of(b->size));
	}
	mem_note(&b->freed, rbp);
	memset(p, MEM_POISON, b->size);
	mem_close(p, ALIGN_UP(b->size, 8), MEM_POISON);
	flags = spin_lock_irqsave(&lock);
	b->state = FREED;
	TAILQ_REMOVE(&live, b, link);
	TAILQ_INSERT_TAIL(&waiting, b, link);
	waiting_bytes += b->size;
	waiting_count++;
	spin_unlock_irqrestore(&lock, flags);
	free_waiting(re);
}

void *__wrap__malloc_r(struct _reent *re, size_t n)
{
	void *p = make(re, 16, n, (uintptr_t)__builtin_frame_address(0));

	if (p)
		memset(p, MEM_RED - 1, n); /* nobody may count on zeroes */
	return p;
}

void *__wrap__memalign_r(struct _reent *re, size_t align, size_t n)
{
	return make(re, MAX(align, (size_t)16), n, (uintptr_t)__builtin_frame_address(0));
}

void *__wrap__calloc_r(struct _reent *re, size_t n, size_t each)
{
	size_t total;
	void *p;

	if (__builtin_mul_overflow(n, each, &total))
		return NULL;
	p = make(re, 16, total, (uintptr_t)__builtin_frame_address(0));
	if (p)
		memset(p, 0, total);
	return p;
}

void __wrap__free_r(struct _reent *re, void *p)
{
	if (p)
		drop(re, p, (uintptr_t)__builtin_frame_address(0));
}

void *__wrap__realloc_r(struct _reent *re, void *p, size_t n)
{
	uint64_t rbp = (uintptr_t)__builtin_frame_address(0);
	void *new;

	if (p && !n) {
		drop(re, p, rbp);
		return NULL;
	}
	new = make(re, 16, n, rbp);
	if (new &&p) {
		memcpy(new, p, MIN(n, ((struct block *)p - 1)->size));
		drop(re, p, rbp);
	}
	return new;
}

size_t __wrap__malloc_usable_size_r(struct _reent *re, void *p)
{
	(void)re;
	return p ? ((struct block *)p - 1)->size : 0;
}

void mem_check(void)
{
	struct mem_report r;
	uint64_t flags = spin_lock_irqsave(&lock);
	bool found = false;
	struct block *b;

	TAILQ_FOREACH (b, &live, link)
		if ((found = wrong(b, &r)))
			break;
	if (!found)
		TAILQ_FOREACH (b, &waiting, link)
			if ((found = wrong(b, &r)))
				break;
	spin_unlock_irqrestore(&lock, flags);
	if (found)
		mem_fault(&r);
}

#if SHADOW_BUILD
static bool find_in(struct block_list *list, struct mem_report *r)
{
	struct block *b;

	TAILQ_FOREACH (b, list, link) {
		if (r->at - (uintptr_t)b >= sizeof(*b) + b->size + tail_of(b->size))
			continue;
		r->allocated = b->allocated;
		r->freed = b->freed;
		return true;
	}
	return false;
}

void (*mem_find_above)(struct mem_report *r);

void mem_find(struct mem_report *r)
{
	uint64_t flags = spin_lock_irqsave(&lock);
	bool found = find_in(&live, r) || find_in(&waiting, r);

	spin_unlock_irqrestore(&lock, flags);
	if (!found && mem_find_above)
		mem_find_above(r);
}
#endif

#endif
