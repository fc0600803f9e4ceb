/* SPDX-License-Identifier: MIT */
/*
 * The C library's heap, as valgrind is told of it (valgrind.c): between the allocator and all who
 * call it, the C library included.
 *
 * What the allocator itself reads and writes, in blocks that were given back too, is no mistake of
 * anybody's; so nothing is reported while it is at work, and of calls that it makes to itself
 * nothing is told. The linker turns the calls here (HEAP_WRAP in host.mk).
 *
 * The allocator's own lock, which is recursive and keeps interrupts out, is held around each call:
 * a CPU that waits for it, or an interrupt's handler, would be taken for a call of the allocator to
 * itself, and memcheck would not hear of the block that the other one gets.
 */
#include "boot/host/machine.h"

#include <malloc.h>
#include <reent.h>

void *__real__malloc_r(struct _reent *re, size_t n);
void *__real__realloc_r(struct _reent *re, void *p, size_t n);
void *__real__calloc_r(struct _reent *re, size_t n, size_t size);
void *__real__memalign_r(struct _reent *re, size_t align, size_t n);
size_t __real__malloc_usable_size_r(struct _reent *re, void *p);
void __real__free_r(struct _reent *re, void *p);
void *__wrap__malloc_r(struct _reent *re, size_t n);
void *__wrap__realloc_r(struct _reent *re, void *p, size_t n);
void *__wrap__calloc_r(struct _reent *re, size_t n, size_t size);
void *__wrap__memalign_r(struct _reent *re, size_t align, size_t n);
size_t __wrap__malloc_usable_size_r(struct _reent *re, void *p);
void __wrap__free_r(struct _reent *re, void *p);

static unsigned depth; /* of calls; the allocator's lock is held */

static void begin(void)
{
	if (!valgrind_is_here())
		return;
	__malloc_lock(_REENT);
	depth++;
	valgrind_heap_begin();
}

static size_t room(void *p)
{
	return __real__malloc_usable_size_r(_REENT, p);
}

/* `given` was given back, `taken` is so many bytes that somebody gets; NULL: nothing. */
static void *end(const void *given, void *taken, size_t bytes, bool defined)
{
	if (!valgrind_is_here())
		return taken;
	if (depth == 1) {
		valgrind_heap_given(given);
		if (taken)
			valgrind_heap_taken(taken, bytes, room(taken), defined);
	}
	depth--;
	valgrind_heap_end();
	__malloc_unlock(_REENT);
	return taken;
}

void *__wrap__malloc_r(struct _reent *re, size_t n)
{
	begin();
	return end(NULL, __real__malloc_r(re, n), n, false);
}

void *__wrap__calloc_r(struct _reent *re, size_t n, size_t size)
{
	begin();
	return end(NULL, __real__calloc_r(re, n, size), n * size, true);
}

void *__wrap__memalign_r(struct _reent *re, size_t align, size_t n)
{
	begin();
	return end(NULL, __real__memalign_r(re, align, n), n, false);
}

void *__wrap__realloc_r(struct _reent *re, void *p, size_t n)
{
	void *q;

	begin();
	q = __real__realloc_r(re, p, n);
	return end(q || !n ? p : NULL, q, n, true);
}

void __wrap__free_r(struct _reent *re, void *p)
{
	begin();
	__real__free_r(re, p);
	end(p, NULL, 0, false);
}

size_t __wrap__malloc_usable_size_r(struct _reent *re, void *p)
{
	size_t bytes;

	begin();
	bytes = __real__malloc_usable_size_r(re, p);
	end(NULL, NULL, 0, false);
	return bytes;
}
