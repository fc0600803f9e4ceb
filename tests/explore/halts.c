/* SPDX-License-Identifier: MIT */
/*
 * Where a thread stands still matters, if the handler that interrupted it waits.
 *
 *     CPU 0                       its interrupt               CPU 1
 *     lock A
 *                                 begins                      lock B
 *                                 waits for B                 waits for A
 *     unlock A: never
 *
 * As a rule it does not: a handler that never waits is over before anybody notices, and dpor.c asks
 * only which events of the two met. One that waits keeps back all that its thread has not done yet,
 * whether the two touch one place or not. So there each event of the thread that others can wait
 * for, a release before all, competes with the handler's wait (X_PLACE_HALT), and a release is a
 * choice. Spinlocks are what a handler waits for, and loops.
 *
 * A handler waits for ever only if who holds the lock does not move on: he was interrupted there,
 * as he holds it with interrupts on, or waits himself. Of a lock with which neither happens the
 * wait ends by itself, wherever the thread stands. Such are nearly all, and they cost nothing. What
 * locks are is learnt: when the first one turns out to be one of the others, the exploration begins
 * again (shared.c).
 */
#include "tests/explore/internal.h"

#define LOCKS 64u

enum { BY_HANDLER = 1, HELD_ON = 2 }; /* HELD_ON: its holder may not move on */

/* What others can wait for. */
#define KINDS                                                                                      \
	(1u << X_STORE | 1u << X_RMW | 1u << X_UNLOCK | 1u << X_WAKE | 1u << X_IPI | 1u << X_FLUSH)

bool x_halts;
static bool loops; /* handlers do */
static struct {
	const void *lock;
	unsigned is;
} locks[LOCKS];
static unsigned nr;

void x_halts_reset(void)
{
	x_halts = loops = false;
	nr = 0;
}

static void some_halts(void)
{
	if (!x_halts)
		x_halts = x.learnt = true;
}

/* Index of what is known of this lock; LOCKS: there is no room, and all is taken to matter. */
static unsigned find(const void *lock)
{
	unsigned i = 0;

	while (i < nr && locks[i].lock != lock)
		i++;
	if (i == LOCKS) {
		some_halts();
	} else if (i == nr) {
		locks[nr].lock = lock;
		locks[nr++].is = 0;
	}
	return i;
}

static void note(const void *lock, unsigned is)
{
	unsigned i = find(lock);

	if (i == LOCKS)
		return;
	locks[i].is |= is;
	if (locks[i].is == (BY_HANDLER | HELD_ON))
		some_halts();
}

static bool may_be_waited_for_ever(const void *lock)
{
	unsigned i = find(lock);

	return i == LOCKS || locks[i].is == (BY_HANDLER | HELD_ON);
}

static void keep_waiting(void)
{
	for (unsigned i = 0; i < x.me->nr_spins; i++)
		note(x.me->spins[i], HELD_ON);
}

void x_halts_wait(void)
{
	keep_waiting();
	if (x.me->role != X_IRQ || loops)
		return;
	loops = x.learnt = true;
	some_halts();
}

void x_halts_take(const void *lock, bool spins)
{
	if (!x.interrupts)
		return;
	keep_waiting();
	if (!spins)
		return;
	if (x.me->role == X_IRQ)
		note(lock, BY_HANDLER);
	else if (x.state.irq_on[x.me->cpu])
		note(lock, HELD_ON);
}

/* One that is held beyond the last place may be any: the handler's waits all matter. */
void x_halts_has(const void *lock, bool taken)
{
	struct x_actor *a = x.me;
	unsigned i = 0;

	if (taken && a->nr_spins < X_SPINS)
		a->spins[a->nr_spins++] = lock;
	else if (taken)
		some_halts();
	while (!taken && i < a->nr_spins && a->spins[i] != lock)
		i++;
	if (!taken && i < a->nr_spins)
		a->spins[i] = a->spins[--a->nr_spins];
}

bool x_halts_here(const struct x_actor *a)
{
	return x_halts && a->role == X_THREAD && x.state.irq_on[a->cpu];
}

/* What it waits for in a loop it looks at before; it goes on when that has come. */
static bool may_wait_for_ever(const struct x_op *op)
{
	if (op->kind == X_LOCK)
		return op->mode == X_SPIN && may_be_waited_for_ever(op->arg);
	return loops && (op->kind == X_LOAD || op->kind == X_RMW);
}

void x_halts_say(const struct x_actor *a, struct x_op *op)
{
	struct x_place place = X_PLACE_HALT(a->cpu);

	if (a->role == X_IRQ && may_wait_for_ever(op))
		x_add(op, x_how(place, X_WRITE));
	else if (x_halts_here(a) && (KINDS >> op->kind & 1))
		x_add(op, x_how(place, X_READ));
}
