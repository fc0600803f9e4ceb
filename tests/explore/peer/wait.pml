/* SPDX-License-Identifier: MIT */
/*
 * A condition, who waits for it and who makes it true: kernel/sync/wait.c by itself.
 *
 * The waker stores (no locked instruction), then calls wake_up(). With WAITERS=2 two threads wait
 * for it, on two CPUs. Claims: the condition is true when wait_event() returns; nobody sleeps for
 * ever (Spin's invalid end state); the bucket is empty at the end.
 */
#ifndef WAITERS
#define WAITERS 1
#endif
#define CPUS	(WAITERS + 1)
#define COND	0
#define BUCKET	1
#define RUN	2
#define COUNT	3
#define LISTED(i) (4 + 3 * (i))
#define WOKEN(i)  (5 + 3 * (i))
#define STATE(i)  (6 + 3 * (i))
#define WORDS	(4 + 3 * WAITERS)
#define KEY	0
#define CONDITION SEEN(COND)

#include "machine.pml"
#include "wait_queue.pml"

byte over;

proctype waiter(byte me)
{
	short x;

	wait_event(me, KEY);
	assert(SEEN(COND));
	fence();
	over++
}

proctype waker(byte me)
{
	byte w;

	store(COND, 1);
	wake_up(KEY);
	fence();
	over++
}

init
{
	byte i;

	atomic {
		do
		:: i < CPUS -> DRAIN(i); i++
		:: else -> break
		od;
		i = 0;
		do
		:: i < WAITERS -> run waiter(i); i++
		:: else -> break
		od;
		run waker(WAITERS)
	};
	over == CPUS;
	assert(mem[COUNT] == 0 && mem[BUCKET] == 0 && mem[RUN] == 0)
}
