/* SPDX-License-Identifier: MIT */
/* Threads and patience for self-tests; see test_gang.h. */
#include "kernel/test_gang.h"

#define LOOKS 4000

bool gang_start(struct gang *g, unsigned n, void (*fn)(void *), void *arg, bool pinned)
{
	ASSERT(n <= GANG_MAX, "a gang has at most %d threads", GANG_MAX);
	for (g->n = 0; g->n < n; g->n++) {
		struct thread *t =
			thread_create("test", fn, arg, pinned ? 1u << g->n % nr_cpus : 0);

		if (!t) {
			gang_join(g);
			return false;
		}
		g->thread[g->n] = t;
	}
	return true;
}

void gang_join(struct gang *g)
{
	for (unsigned i = 0; i < g->n; i++)
		thread_join(g->thread[i]);
	g->n = 0;
}

bool comes_true(const unsigned *word, unsigned want)
{
	for (int i = 0; i < LOOKS; i++) {
		if (__atomic_load_n(word, __ATOMIC_ACQUIRE) >= want)
			return true;
		thread_sleep_ns(50000);
	}
	return false;
}

bool falls_asleep(const struct thread *t)
{
	for (int i = 0; i < LOOKS; i++) {
		if (__atomic_load_n(&t->state, __ATOMIC_ACQUIRE) == THREAD_SLEEPING)
			return true;
		thread_sleep_ns(50000);
	}
	return false;
}

bool gather_on(const void *key, int n)
{
	for (int i = 0; i < LOOKS; i++) {
		if (waiters_on(key) >= n)
			return true;
		thread_sleep_ns(50000);
	}
	return false;
}
