/* SPDX-License-Identifier: MIT */
/*
 * mm/device/percpu_ref.c: users come and go while the owner kills the reference and waits.
 *
 * User i gets its reference on CPU i, and puts it there, or with MOVES on the next user's CPU, as a
 * thread that was moved; the last CPU is the killer's, who waits there until the last user is gone
 * and frees what is counted. An interrupt is possible on a CPU while nobody has interrupts off
 * there. `gone` and `zeros` are the claims' own: no use after the drain has ended; the counter comes
 * to zero once, for ever; and the drain does end.
 *
 * Faults: NO_CALL folds without having sent every CPU through an interrupt; NO_BIAS begins with the
 * owner's one in the shared counter and nothing else, so that a put which comes before the fold
 * finds zero. Those of wait_queue.pml are here too.
 */
#ifndef USERS
#define USERS 1
#endif
#define CPUS	(USERS + 1)
#define WAITERS	1
#define N(i)	(i)
#define SHARED	CPUS
#define PHASE	(CPUS + 1)
#define PENDING	(CPUS + 2)
#define BUCKET	(CPUS + 3)
#define RUN	(CPUS + 4)
#define COUNT	(CPUS + 5)
#define LISTED(i) (CPUS + 6)
#define WOKEN(i)  (CPUS + 7)
#define STATE(i)  (CPUS + 8)
#define WORDS	(CPUS + 9)
#define KEY	0
#define CONDITION (SEEN(SHARED) == 0)
#ifdef NO_BIAS
#define BIAS	0
#else
#define BIAS	100
#endif
#define LIVE	1
#define DYING	2
#define FOLDED	3

#include "machine.pml"
#include "wait_queue.pml"

bool irqs_off[CPUS];	/* by whoever runs there: a CPU does one thing at a time */
bool called[CPUS];	/* the interrupt is on its way */
bool gone;
byte zeros, over;

inline irq_save() { atomic { !irqs_off[me] -> irqs_off[me] = true } }
inline irq_restore() { irqs_off[me] = false }

inline shared_put(n)
{
	fetch_add(SHARED, 0 - (n), x);
	if
	:: x == (n) -> x = 0; zeros++; assert(zeros == 1); wake_up(KEY)
	:: else -> x = 0
	fi
}

proctype user(byte me)
{
	short x;
	byte w;

	/* percpu_ref_tryget_live() */
	irq_save();
	if
	:: SEEN(PHASE) == LIVE -> fetch_add(N(me), 1, x); x = 0; irq_restore()
	:: else -> irq_restore(); goto out
	fi;
	assert(!gone);
#ifdef MOVES
	atomic { FENCED -> me = (me + 1) % USERS };
#endif
	/* percpu_ref_put() */
	irq_save();
	assert(!gone);
	if
	:: SEEN(PHASE) == LIVE -> fetch_add(N(me), 0 - 1, x); x = 0
	:: else -> shared_put(1)
	fi;
	irq_restore();
out:
	atomic { FENCED -> over++ }
}

/* pass_through() on CPU me. Coming and going it finds the buffer empty: its own count is locked. */
proctype interrupt(byte me)
{
end_no_call:
	do
	:: atomic {
		called[me] && !irqs_off[me] && FENCED ->
		called[me] = false;
		mem[PENDING] = mem[PENDING] - 1
	}
	od
}

inline cpu_call()
{
	store(PENDING, USERS);
	/* The list's lock, taken to post the call, is a locked instruction. */
	i = 0;
	do
	:: i < USERS -> atomic { FENCED -> called[i] = true; i++ }
	:: else -> break
	od;
	i = 0;
	irq_save();
	irq_restore();
	SEEN(PENDING) == 0
}

proctype killer(byte me)
{
	short x, sum;
	byte w, i;

	/* percpu_ref_kill() */
	store(PHASE, DYING);
#ifndef NO_CALL
	cpu_call();
#endif
	do
	:: i < CPUS -> atomic { FENCED -> sum = sum + mem[N(i)]; mem[N(i)] = 0; i++ }
	:: else -> break
	od;
	i = 0;
	store(PHASE, FOLDED);
	fetch_add(SHARED, sum, x);
	x = 0;
	sum = 0;
	shared_put(BIAS + 1);
	/* percpu_ref_drain(), and what the caller then does */
	wait_event(0, KEY);
	gone = true;
	fence();
	over++
}

init
{
	byte i;

	atomic {
		mem[SHARED] = BIAS + 1;
		mem[PHASE] = LIVE;
		do
		:: i < CPUS -> DRAIN(i); i++
		:: else -> break
		od;
		i = 0;
		do
		:: i < USERS -> run user(i); run interrupt(i); i++
		:: else -> break
		od;
		i = 0;
		run killer(USERS)
	};
	over == CPUS;
	assert(mem[SHARED] == 0 && mem[COUNT] == 0);
	do
	:: i < CPUS -> assert(mem[N(i)] == 0); i++
	:: else -> break
	od
}
