/* SPDX-License-Identifier: MIT */
/*
 * What synchronises, for the search for races (race.c).
 *
 * Each actor has a vector clock for this, which only synchronisation moves: a store of an atomic or
 * a release of a lock leaves the clock of its maker at that place, a load or an acquisition takes
 * it up. (The clocks of dpor.c order more: there two stores of one atomic are ordered as well,
 * which synchronises nothing.)
 *
 * An interrupt's handler has seen what its CPU's thread did before that let interrupts in; and the
 * thread sees what the handler did when it keeps them out again. In between the handler can come
 * before or behind any plain access of the thread, though one CPU makes both: there they race. That
 * a buffer is empty before a handler begins, and a store goes into it before or behind a handler,
 * hands nothing over: it only says where the handler came in.
 *
 * What lies at a place is kept in the event that stored there last, and the chains (chains.c) lead
 * to it. So nothing of it is to be put back when an execution begins at a moment, and an event that
 * is as before has its clock from before.
 */
#include "tests/explore/internal.h"

/* These take nothing up at a place that they store to. */
#define STORES (1u << X_STORE | 1u << X_DRAIN)

/* Its clock behind event n, which is made and not in a chain yet: it was the actor's before. */
void x_sync(struct x_node *n, struct x_word *const *word)
{
	for (unsigned i = 0; i < n->op.nr; i++) {
		const struct x_place *p = &n->op.place[i];
		bool takes = !(STORES >> n->op.kind & 1) || !((p->how & X_WRITE) || n->op.buffered);
		const struct x_link *giver = x_chain_giver(p, word[i]);

		if (giver && takes && !x_is_buffer_itself(p))
			x_clock_join(n->vc, giver->gave);
		if (!x_changes(p))
			continue;
		x_clock_copy(n->link[i].gave, n->vc);
		if (giver && !takes)
			x_clock_join(n->link[i].gave, giver->gave);
	}
	n->vc[n->actor]++;
}
