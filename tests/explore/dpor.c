/* SPDX-License-Identifier: MIT */
/*
 * What happened before what, and which orders are still owed: source-DPOR (Abdulla, Aronsson,
 * Jonsson, Sagonas: "Optimal dynamic partial order reduction", 2014).
 *
 * Each event has a clock: of every actor, how many of its events came before, in the order that
 * dependent events impose. When an event x is made, every earlier event e of another actor that
 * depends on it, and is not before it by way of something in between, could have come after it as
 * well: a race. Then the state before e owes an execution in which x's side goes first. It is owed
 * to a *source set*: some actor that can begin the part of the run that does not come after e.
 *
 * Locks. A release and the next acquisition touch one place, but cannot be turned round: the
 * acquirer waits. What competes with an acquisition is the acquisition before it, and whether that
 * came first anyway is asked of the clock before the lock was had (X_TAKE, X_GIVE). A sleep and its
 * wake, an interrupt and what posted it are the same. With a bound the acquirer is owed its turn
 * before the release all the same: it makes what it does before, comes to the lock, and as it waits
 * there the switch back is free. Behind the release that switch is a preemption.
 *
 * Sleep sets (Godefroid): an actor whose turn at a state was explored need not have it again until
 * something dependent has happened.
 */
#include "tests/explore/owed.h"

bool x_only_waits(const struct x_op *earlier, const struct x_op *later)
{
	for (unsigned i = 0; i < earlier->nr; i++)
		for (unsigned k = 0; k < later->nr; k++) {
			const struct x_place *e = &earlier->place[i], *l = &later->place[k];

			if (x_conflict(e, l) && !((e->how & X_GIVE) && (l->how & X_TAKE)))
				return false;
		}
	return true;
}

/* ---- the events before op that touched one of its places, from the newest on */
struct past {
	const struct x_link *link[X_PLACES + 1]; /* of each place's chain, then of x_wide's; NULL:
						  * at its end */
	unsigned nr;				 /* of them */
	bool whole;				 /* all events, not only those */
};

static unsigned newest(const struct past *p)
{
	const struct x_node *most = NULL;

	for (unsigned i = 0; i < p->nr; i++)
		if (p->link[i])
			most = MAX(most, (const struct x_node *)p->link[i]->node);
	return most ? x_nth(most) : X_DEPTH;
}

static unsigned last_touch(struct past *p, const struct x_op *op, struct x_word *const *word)
{
	p->whole = x.opt.whole;
	for (unsigned i = 0; i < op->nr; i++) {
		p->whole |= x_is_wide(&op->place[i]);
		p->link[i] = x_chain_head(&op->place[i], word[i]);
	}
	p->nr = op->nr;
	if (op->nr && x_wide_newest)
		p->link[p->nr++] = x_wide_newest;
	if (p->whole)
		return x.state.depth ? x.state.depth - 1 : X_DEPTH;
	return newest(p);
}

static unsigned touch_before(struct past *p, const struct x_op *op, unsigned n)
{
	if (p->whole)
		return n ? n - 1 : X_DEPTH;
	for (unsigned i = 0; i < p->nr; i++)
		while (p->link[i] && p->link[i]->node == &x.node[n])
			p->link[i] = x_chain_next(p->link[i], i < op->nr ? &op->place[i] : &x_wide);
	return newest(p);
}

/* What event n overwrote is before it, and so is known already: the chain ends with it. */
static void skip_older(struct past *p, const struct x_op *op, unsigned n)
{
	for (unsigned i = 0; i < op->nr && !p->whole; i++)
		if (p->link[i] && p->link[i]->node == &x.node[n] &&
		    x_covers(&p->link[i]->place, &op->place[i]))
			p->link[i] = NULL;
}

void x_owe_before(unsigned n, unsigned id, const struct x_op *op, const uint16_t *before)
{
	uint16_t at[X_ACTORS];
	struct x_turn t = {n, id, x.actor[id].nth + 1u, op, at};

	x_clock_copy(at, before);
	at[id] = (uint16_t)t.nth;
	x_owe(n, &t);
}

void x_look_back(unsigned id, const struct x_op *op, struct x_word *const *word, uint16_t *clock,
		 bool races)
{
	struct past p;
	uint16_t before[X_ACTORS];

	x_clock_copy(before, clock);
	for (unsigned n = last_touch(&p, op, word); n < X_DEPTH; n = touch_before(&p, op, n)) {
		const struct x_node *e = &x.node[n];

		if (e->actor == id) {
			skip_older(&p, op, n);
			continue;
		}
		if (!x_ops_conflict(&e->op, op))
			continue;
		if (x_only_waits(&e->op, op)) {
			if (races && x.opt.bound != X_UNBOUND && !x_seen(before, e))
				x_owe_before(n, id, op, before);
			x_clock_join(clock, e->clock);
			continue;
		}
		if (races && !x_seen(before, e))
			x_owe_before(n, id, op, before);
		x_clock_join(before, e->clock);
		x_clock_join(clock, e->clock);
		skip_older(&p, op, n);
	}
}

/* An interrupt whose turn was before an event of its CPU's thread may have met it with any event of
 * its own, so it is owed its turn behind that again. */
static uint16_t sleepers(const struct x_node *last)
{
	unsigned others = (unsigned)(last->asleep | last->done) & ~(1u << last->actor), still = 0;

	for (unsigned left = others; left; left &= left - 1) {
		unsigned i = (unsigned)__builtin_ctz(left);

		if (!x_ops_conflict(&x.actor[i].next, &last->op) &&
		    !x_interrupts_it(i, last->actor))
			still |= left & -left;
	}
	return (uint16_t)still;
}

static bool uses_sleep_sets(void)
{
	return (x.opt.strategy == X_SLEEP_SETS || x.opt.strategy == X_DPOR) &&
	       x.opt.bound == X_UNBOUND;
}

uint16_t x_still_asleep(const struct x_node *last)
{
	return likely(x.simple) || uses_sleep_sets() ? sleepers(last) : 0;
}

/* What this actor would do next, and does not, competes with what was done. */
static void owe_unmade(unsigned id)
{
	const struct x_op *op = &x.actor[id].next;
	struct x_word *word[X_PLACES];
	uint16_t clock[X_ACTORS];

	x_chains_cut(x.state.depth);
	for (unsigned k = 0; k < op->nr; k++)
		word[k] = x_chain_word(&op->place[k]);
	x_clock_copy(clock, x.actor[id].clock);
	x_look_back(id, op, word, clock, true);
}

/* The execution hangs: of the threads that wait none makes its next event. */
void x_blocked_races(void)
{
	if (x.opt.strategy != X_DPOR || x.state.depth < x.keep)
		return;
	for (unsigned i = 0; i < x.nr; i++)
		if (x.actor[i].alive)
			owe_unmade(i);
	x_owe_standing();
}

void x_cancelled(unsigned id)
{
	if (x.opt.strategy == X_DPOR && x.state.depth > x.keep)
		owe_unmade(id);
}
