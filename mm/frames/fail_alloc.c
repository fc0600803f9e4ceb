/* SPDX-License-Identifier: MIT */
/*
 * Making the n-th allocation fail, to walk every error path of an operation.
 *
 * A test runs an operation again and again, with n = 1, 2, 3 …, until it went through without a
 * failure: then each of its allocations has failed once, and each time nothing may have been lost.
 * One thread at a time asks for it, and only that thread's allocations count, and those of a second
 * one that does a part of the work for it.
 *
 * Three sources of memory ask here: frame_alloc(), slab_alloc() and the C heap. newlib's own
 * malloc() is a thin cover of the function with an underscore that is called below; since these
 * four names are defined here, the linker does not take newlib's. What the C library allocates for
 * itself (it does not, for what this kernel calls) would not be seen.
 */
#include <malloc.h>

#include "mm/frames/internal.h"

struct thread *alloc_fail_thread;

static struct thread *also;	  /* NULL: no second thread's count */
static uint64_t fail_at, counted; /* of both; fail_at zero means count only */

void alloc_fail_nth(uint64_t nth)
{
	fail_at = nth;
	counted = 0;
	also = NULL;
	/* What is counted before who counts, else a late failure hits the next user. */
	__atomic_store_n(&alloc_fail_thread, nth ? current_thread() : NULL, __ATOMIC_RELEASE);
}

void alloc_fail_also(struct thread *t)
{
	__atomic_store_n(&also, t, __ATOMIC_RELEASE);
}

uint64_t alloc_fail_count(bool *failed)
{
	*failed = fail_at && counted >= fail_at;
	return counted;
}

bool alloc_fails_now(void)
{
	if (in_interrupt() || (current_thread() != alloc_fail_thread &&
			       current_thread() != __atomic_load_n(&also, __ATOMIC_ACQUIRE)))
		return false;
	return __atomic_add_fetch(&counted, 1, __ATOMIC_RELAXED) == fail_at;
}

/* ---- the C heap: contracts as in the C standard; any context --------------------------------- */

static struct thread *heap_watcher; /* NULL: nobody counts */
static int64_t heap_bytes;	    /* of that thread */

void heap_watch(void)
{
	heap_bytes = 0;
	__atomic_store_n(&heap_watcher, current_thread(), __ATOMIC_RELEASE);
}

int64_t heap_unwatch(void)
{
	__atomic_store_n(&heap_watcher, NULL, __ATOMIC_RELEASE);
	return heap_bytes;
}

static void count_bytes(void *p, int64_t sign)
{
	if (likely(!__atomic_load_n(&heap_watcher, __ATOMIC_RELAXED)) || !p || in_interrupt() ||
	    current_thread() != heap_watcher)
		return;
	heap_bytes += sign * (int64_t)_malloc_usable_size_r(_REENT, p);
}

void *malloc(size_t n)
{
	void *p = alloc_fails() ? NULL : _malloc_r(_REENT, n);

	count_bytes(p, 1);
	return p;
}

void *calloc(size_t n, size_t size)
{
	void *p = alloc_fails() ? NULL : _calloc_r(_REENT, n, size);

	count_bytes(p, 1);
	return p;
}

void *realloc(void *p, size_t n)
{
	void *q;

	if (alloc_fails())
		return NULL;
	count_bytes(p, -1);
	q = _realloc_r(_REENT, p, n);
	count_bytes(q ? q : p, 1);
	return q;
}

void free(void *p)
{
	count_bytes(p, -1);
	_free_r(_REENT, p);
}
