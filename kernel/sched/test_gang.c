/* SPDX-License-Identifier: MIT */
/* Threads and waits for self-tests; see sched.h. */
#include "kernel/kernel.h"

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

void gang_look(unsigned *looks)
{
	if (++*looks < GANG_SPINS)
		thread_yield();
	else
		thread_sleep_ns(50000); /* woken by: a timer */
}

bool comes_true(const unsigned *word, unsigned want)
{
	return AWAIT(__atomic_load_n(word, __ATOMIC_ACQUIRE) >= want, "a word of the test");
}

bool falls_asleep(const struct thread *t)
{
	return AWAIT(__atomic_load_n(&t->state, __ATOMIC_ACQUIRE) == THREAD_SLEEPING,
		     "a thread to fall asleep");
}

bool gather_on(const void *key, int n)
{
	return AWAIT(waiters_on(key) >= n, "threads to gather on a key");
}
