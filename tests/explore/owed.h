/* SPDX-License-Identifier: MIT */
/* Between dpor.c, which finds races, and owed.c, which turns them round. */
#ifndef TESTS_EXPLORE_OWED_H
#define TESTS_EXPLORE_OWED_H

#include "tests/explore/internal.h"

static inline bool x_ops_conflict(const struct x_op *a, const struct x_op *b)
{
	if (likely(a->nr == 1 && b->nr == 1))
		return x_conflict(&a->place[0], &b->place[0]);
	for (unsigned i = 0; i < a->nr; i++)
		for (unsigned k = 0; k < b->nr; k++)
			if (x_conflict(&a->place[i], &b->place[k]))
				return true;
	return false;
}

/* What `mine` is of is overwritten at `its`. */
static inline bool x_covers(const struct x_place *its, const struct x_place *mine)
{
	return (its->how & X_WRITE) && its->at <= mine->at &&
	       its->at + its->bytes >= mine->at + mine->bytes;
}

/* Is node e at or before what `clock` has seen? */
static inline bool x_seen(const uint16_t *clock, const struct x_node *e)
{
	return clock[e->actor] >= e->nth;
}

static inline bool x_interrupts_it(unsigned irq, unsigned thread)
{
	const struct x_actor *i = &x.actor[irq], *t = &x.actor[thread];

	return i->role == X_IRQ && t->role == X_THREAD && i->cpu == t->cpu;
}

/* Who is owed a turn before event `from`, and what it does then; its clock is from the events
 * behind that one. */
struct x_turn {
	unsigned from, actor, nth;
	const struct x_op *op;
	const uint16_t *clock;
};

/* Event e, before t->from or itself that one, and the turn depend on each other, and either could
 * have come first: the orders in which the turn does are owed. */
void x_owe(unsigned e, const struct x_turn *t);

#endif
