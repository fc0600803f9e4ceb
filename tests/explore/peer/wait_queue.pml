/* SPDX-License-Identifier: MIT */
/*
 * kernel/sync/wait.c and the two functions of kernel/sched/sched.c behind it, for one bucket.
 *
 * A model defines, before it includes this, WAITERS (their numbers are 0 …), CONDITION (what is
 * waited for, an expression of what this CPU sees), and the words BUCKET (the bucket's lock), RUN
 * (run_lock), COUNT (wait_counts[]), and, one a waiter, LISTED(i) (0, or 1 and its key), WOKEN(i)
 * and STATE(i).
 *
 * Faults: NO_WAITER_BARRIER and NO_WAKER_BARRIER leave out the fence of that side; NO_RECHECK tests
 * the condition before the waiter enlists, in place of after it.
 */
#define RUNNING	 0
#define SLEEPING 1
#define READY	 2

inline wait_prepare(i, key)
{
	store(WOKEN(i), 0);
	spin_lock(BUCKET);
	store(LISTED(i), 1 + key);
	load(COUNT, x);
	store(COUNT, x + 1);
	x = 0;
	spin_unlock(BUCKET);
#ifndef NO_WAITER_BARRIER
	fence()
#else
	skip
#endif
}

inline wait_finish(i)
{
	spin_lock(BUCKET);
	store(LISTED(i), 0);
	load(COUNT, x);
	store(COUNT, x - 1);
	x = 0;
	spin_unlock(BUCKET)
}

/* The thread leaves its CPU with run_lock held, and whoever comes next there lets go of it. */
inline sched_sleep(i)
{
	spin_lock(RUN);
	do
	:: SEEN(WOKEN(i)) -> break
	:: else ->
		store(STATE(i), SLEEPING);
		spin_unlock(RUN);
		SEEN(STATE(i)) == READY;
		spin_lock(RUN);
		store(STATE(i), RUNNING)
	od;
	spin_unlock(RUN)
}

inline wait_event(i, key)
{
	do
	::
#ifdef NO_RECHECK
		if
		:: CONDITION -> break
		:: else
		fi;
		wait_prepare(i, key);
#else
		wait_prepare(i, key);
		if
		:: CONDITION -> wait_finish(i); break
		:: else
		fi;
#endif
		sched_sleep(i);
		wait_finish(i);
		if
		:: CONDITION -> break
		:: else
		fi
	od
}

inline wake_waiters(key)
{
	spin_lock(BUCKET);
	w = 0;
	do
	:: w < WAITERS ->
		if
		:: SEEN(LISTED(w)) == 1 + key && !SEEN(WOKEN(w)) ->
			store(WOKEN(w), 1);
			spin_lock(RUN);
			if
			:: SEEN(STATE(w)) == SLEEPING -> store(STATE(w), READY)
			:: else
			fi;
			spin_unlock(RUN)
		:: else
		fi;
		w++
	:: else -> break
	od;
	w = 0;
	spin_unlock(BUCKET)
}

/* For who has just changed the condition by a locked instruction. */
inline wake_up_if_any(key)
{
	if
	:: SEEN(COUNT) -> wake_waiters(key)
	:: else
	fi
}

inline wake_up(key)
{
#ifndef NO_WAKER_BARRIER
	fence();
#endif
	wake_up_if_any(key)
}
