/* SPDX-License-Identifier: MIT */
/*
 * Mutexes: a lock that is waited for asleep.
 *
 * The word is the owner. Free to owned by compare-exchange; owned to free by a store and a wake of
 * whoever waits at the mutex's own address. All waiters are woken and race: one wins, the rest
 * sleep again. That is unfair in theory and short in text; critical sections here are rare.
 */
#include "kernel/sched/internal.h"

MUSEUM(mutex_trusts, "mutex-woken-trusts",
       "who was woken for a mutex takes it without looking whether it is free; found by explore "
       "mutex.three strategy=random");
MUSEUM_EXPLORED(mutex_plain, "mutex-unlock-plain",
		"a mutex is let go by a plain store, and the look for waiters comes while it is "
		"still in the store buffer; found by explore mutex.two model=tso");

void mutex_init(struct mutex *m, const char *name)
{
	m->owner = NULL;
	m->name = name;
	m->global = false;
}

bool mutex_held(const struct mutex *m)
{
	return __atomic_load_n(&m->owner, __ATOMIC_RELAXED) == current_thread();
}

static bool take(struct mutex *m)
{
	struct thread *nobody = NULL;

	return __atomic_compare_exchange_n(&m->owner, &nobody, current_thread(), false,
					   __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

bool mutex_trylock(struct mutex *m)
{
	if (!take(m))
		return false;
	lock_order_take(m, m->name, LOCK_SLEEP, true);
	held_add(m, HELD_MUTEX);
	return true;
}

/* Off the fast path: the texts for `ps` cost more than the lock. */
static void __attribute__((noinline)) lock_slowly(struct mutex *m)
{
	struct waiter w = {0};
	char what[64], holder[64], waker[96];

	if (mutex_held(m))
		panic("mutex '%s' taken twice by thread %u '%s'", m->name, current_thread()->tid,
		      current_thread()->name);
	snprintf(what, sizeof(what), "mutex '%s'", m->name);
	for (;;) {
		thread_describe(__atomic_load_n(&m->owner, __ATOMIC_RELAXED), holder,
				sizeof(holder));
		snprintf(waker, sizeof(waker), "mutex_unlock() by %s", holder);
		wait_prepare(&w, m, what, waker);
		if (take(m))
			break;
		wait_sleep(&w);
		if (museum_on(mutex_trusts)) {
			__atomic_store_n(&m->owner, current_thread(), __ATOMIC_RELAXED);
			break;
		}
	}
	wait_finish(&w);
}

void mutex_lock(struct mutex *m)
{
	might_sleep();
	lock_order_take(m, m->name, LOCK_SLEEP, false);
	if (!take(m))
		lock_slowly(m);
	held_add(m, HELD_MUTEX);
}

void mutex_unlock(struct mutex *m)
{
	char holder[64];

	if (unlikely(!mutex_held(m))) {
		thread_describe(m->owner, holder, sizeof(holder));
		panic("mutex '%s' released by thread %u '%s', but %s %s", m->name,
		      current_thread()->tid, current_thread()->name,
		      m->owner ? "its holder is" : "it is free; the next holder would be", holder);
	}
	held_remove(m, HELD_MUTEX);
	lock_order_drop(m, LOCK_SLEEP);
	/* A locked exchange, not a plain store: see wait_maybe(). */
	if (museum_explored(mutex_plain))
		__atomic_store_n(&m->owner, NULL, __ATOMIC_RELEASE);
	else
		(void)__atomic_exchange_n(&m->owner, NULL, __ATOMIC_SEQ_CST);
	if (wait_maybe(m))
		wake_up(m);
}
