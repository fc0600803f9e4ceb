/* SPDX-License-Identifier: MIT */
/*
 * Making the n-th allocation fail, to walk every error path of an operation.
 *
 * A test runs an operation again and again, with n = 1, 2, 3 …, until it went through without a
 * failure: then each of its allocations has failed once, and each time nothing may have been lost.
 * One thread at a time asks for it, and only that thread's allocations count.
 */
#include "mm/internal.h"

struct thread *alloc_fail_thread;

static uint64_t fail_at, counted; /* of that thread; fail_at zero means count only */

void alloc_fail_nth(uint64_t nth)
{
	fail_at = nth;
	counted = 0;
	/* What is counted before who counts, else a late failure hits the next user. */
	__atomic_store_n(&alloc_fail_thread, nth ? current_thread() : NULL, __ATOMIC_RELEASE);
}

uint64_t alloc_fail_count(bool *failed)
{
	*failed = fail_at && counted >= fail_at;
	return counted;
}

bool alloc_fails_now(void)
{
	if (in_interrupt() || current_thread() != alloc_fail_thread)
		return false;
	return ++counted == fail_at;
}
