/* SPDX-License-Identifier: MIT */
/*
 * The states of a region: the table that pmem.h teaches, and the two functions that move one.
 *
 * A step is one exchange of the word. From a settled state it may come too late, and says so
 * (pmem_try_step()); from the others it cannot, as nobody else makes one (pmem_step()).
 */
#include "drivers/drivers.h"

#define TO(state) (1u << PMEM_##state)

static const struct {
	const char *name, *text;
	unsigned next; /* a bit for each state that it may go on to */
} states[PMEM_STATES] = {
	[PMEM_GONE] = {"gone", "not bound", TO(COMING)},
	[PMEM_COMING] = {"coming", "being bound", TO(PRESENT) | TO(KILLED) | TO(GONE)},
	[PMEM_PRESENT] = {"present", "bound", TO(KILLED) | TO(LEAVING)},
	[PMEM_KILLED] = {"killed", "bound, and killed", TO(PRESENT) | TO(LEAVING)},
	[PMEM_LEAVING] = {"leaving", "being unbound: nobody may come to it any more",
			  TO(PRESENT) | TO(KILLED) | TO(UNMAPPED)},
	[PMEM_UNMAPPED] = {"unmapped", "being unbound: its last references are waited for",
			   TO(PINS_GONE)},
	[PMEM_PINS_GONE] = {"pins gone", "being unbound: nobody holds it, and its records go",
			    TO(GONE) | TO(COMING)},
};

uint64_t pmem_moves_seen;

bool pmem_may_step(enum pmem_state from, enum pmem_state to)
{
	return from < PMEM_STATES && to < PMEM_STATES && (states[from].next & 1u << to);
}

const char *pmem_state_name(enum pmem_state state)
{
	return states[state].name;
}

const char *pmem_state_text(enum pmem_state state)
{
	return states[state].text;
}

/* False: it is in another state by now, which is in *from. */
static bool step_from(struct pmem_region *r, enum pmem_state *from, enum pmem_state to)
{
	const unsigned move = *from * PMEM_STATES + to;

	/* Sequentially consistent: what was done in the old state is seen by whoever sees the new
	 * one, and a fault that asks behind the step finds it. */
	if (!__atomic_compare_exchange_n(&r->state, from, to, false, __ATOMIC_SEQ_CST,
					 __ATOMIC_ACQUIRE))
		return false;
	__atomic_fetch_or(&pmem_moves_seen, 1ull << move, __ATOMIC_RELAXED);
	return true;
}

static bool settled(enum pmem_state state)
{
	return state == PMEM_GONE || state == PMEM_PRESENT || state == PMEM_KILLED;
}

bool pmem_try_step(struct pmem_region *r, enum pmem_state to, enum pmem_state *seen)
{
	*seen = pmem_state(r);
	while (settled(*seen) && pmem_may_step(*seen, to))
		if (step_from(r, seen, to))
			return true;
	return false;
}

void pmem_step(struct pmem_region *r, enum pmem_state to)
{
	enum pmem_state from = pmem_state(r);

	ASSERT(pmem_may_step(from, to), "%s goes from %s to %s, which the table of states forbids",
	       r->name, states[from].name, states[to].name);
	ASSERT(step_from(r, &from, to), "%s is moved on by two threads at once", r->name);
}
