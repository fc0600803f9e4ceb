/* SPDX-License-Identifier: MIT */
/*
 * Which orders are owed (dpor.c says why): a race was found, between event e and a turn behind it,
 * and the state before e owes an execution in which the turn's side goes first. It is owed to a
 * *source set*: some actor that can begin the part of the run that does not come after e.
 *
 * Interrupts. While a handler runs, its CPU's thread stands still. So a race of the two is turned
 * round at the handler's first event; and what a handler did behind its thread's event is behind
 * all of that thread's, whichever of them it met.
 */
#include "tests/explore/owed.h"

/*
 * Is event e of the interrupted thread before something that the interrupt did which began at node
 * n? Then all of the interrupt is behind e, since the thread stands still to its end. What one that
 * still runs will do is not known, and `running` says what to take it for.
 */
static bool is_behind(unsigned n, unsigned e, bool running)
{
	const struct x_actor *irq = &x.actor[x.node[n].actor];

	if (!x_interrupts_it(x.node[n].actor, x.node[e].actor))
		return false;
	if (running && irq->alive && irq->began == n)
		return true;
	for (unsigned k = n + 1; k < x.state.depth; k++)
		if (x.node[k].block == n && x_seen(x.node[k].clock, &x.node[e]))
			return true;
	return false;
}

struct later {
	uint16_t first[X_ACTORS]; /* number of each actor's first event in it; 0: none */
	uint16_t initials;
};

/* Adds one event to the part of the run that does not come after e: can its actor begin it? */
static void add_later(struct later *v, unsigned actor, unsigned nth, const uint16_t *clock)
{
	if (v->first[actor])
		return;
	v->first[actor] = (uint16_t)nth;
	for (unsigned i = 0; i < x.nr; i++)
		if (i != actor && v->first[i] && clock[i] >= v->first[i])
			return;
	v->initials |= (uint16_t)(1u << actor);
}

/*
 * Did the interrupt that began at node n do something behind an event of its CPU's thread in v?
 * Then it cannot begin before that, though its beginning itself is behind nothing there. `actor`
 * and `clock`: of the event that is owed, perhaps its own.
 */
static bool is_behind_its_thread(const struct later *v, unsigned n, unsigned actor,
				 const uint16_t *clock, bool running)
{
	const struct x_actor *irq = &x.actor[x.node[n].actor];
	uint16_t first = v->first[irq->cpu];

	for (unsigned k = n + 1; k < x.state.depth && first; k++)
		if (x.node[k].block == n && x.node[k].clock[irq->cpu] >= first)
			return true;
	if (!first || !irq->alive || irq->began != n)
		return false;
	return running || (x.node[n].actor == actor && clock[irq->cpu] >= first);
}

/* The actors that can begin notdep(e, E).x: the events behind e that are not after it, then x. */
static uint16_t initials(unsigned e, unsigned actor, unsigned nth, const uint16_t *clock,
			 bool running)
{
	struct later v = {.initials = 0};
	uint16_t behind[X_ACTORS] = {0}; /* the first interrupt of each CPU behind e; 0: none */
	uint16_t irqs = 0;		 /* those that have one */

	for (unsigned n = e + 1; n < x.state.depth; n++) {
		const struct x_node *f = &x.node[n];
		bool after = x_seen(f->clock, &x.node[e]);

		if (!after && f->op.kind == X_BEGIN && f->actor != actor &&
		    is_behind(n, e, running)) {
			irqs |= (uint16_t)(1u << f->actor);
			if (!behind[f->actor])
				behind[f->actor] = f->nth;
		}
		for (uint16_t left = irqs; left && !after; left &= (uint16_t)(left - 1)) {
			unsigned i = (unsigned)__builtin_ctz(left);

			after = f->clock[i] >= behind[i];
		}
		if (!after && f->op.kind == X_BEGIN && !v.first[f->actor] &&
		    is_behind_its_thread(&v, n, actor, clock, running))
			v.first[f->actor] = f->nth;
		else if (!after)
			add_later(&v, f->actor, f->nth, f->clock);
	}
	add_later(&v, actor, nth, clock);
	return v.initials;
}

static void owe_turn(unsigned n, unsigned actor)
{
	const struct x_node *at = &x.node[n];

	x_owe_turns(n, at->enabled >> actor & 1 ? 1u << actor : at->enabled);
}

/* The event with which the thread that ran at event e began to run: a switch there costs nothing
 * more than the one that was made. */
static unsigned switched_at(unsigned e)
{
	const struct x_node *n = &x.node[e];
	unsigned thread = x.actor[n->actor].role <= X_DEVICE ? n->actor : n->last_thread;

	while (e && !(x.node[e].actor == thread && x.node[e].last_thread != thread))
		e--;
	return e;
}

/*
 * With a bound. A turn that is owed may cost more than is left, and another one that begins the
 * same part of the run less; and what cannot be afforded at e may be free where the switch before
 * it was made. So the actor itself is owed its turn, at both (Coons, Musuvathi, McKinley: "Bounded
 * partial-order reduction", 2013). Where the thread that runs had to wait, for an answer or a wake
 * that came by an interrupt, a switch was free as well, though none was made.
 */
static void owe_in_block(unsigned e, unsigned actor)
{
	unsigned from = switched_at(e);

	owe_turn(e, actor);
	owe_turn(from, actor);
	for (unsigned n = from + 1; n < e; n++)
		if (!x.node[n].could_go)
			owe_turn(n, actor);
}

static void owe_bounded(unsigned e, unsigned actor)
{
	owe_in_block(e, actor);
	owe_in_block(x.node[e].block, actor);
}

/* The clock of a turn at event e, before `from`: what it waits for or competes with from there on
 * comes first, too, if it does not come after e. */
static void clock_at(unsigned e, const struct x_turn *t, uint16_t *clock)
{
	x_clock_copy(clock, t->clock);
	for (unsigned n = e + 1; n < t->from; n++)
		if (x.node[n].actor != t->actor && !x_seen(x.node[n].clock, &x.node[e]) &&
		    x_ops_conflict(&x.node[n].op, t->op))
			x_clock_join(clock, x.node[n].clock);
}

static void owe_before_interrupts(unsigned e, uint16_t begin, const struct x_turn *t, bool running);
static void owe_one(unsigned e, const struct x_turn *t, bool running)
{
	const struct x_node *at = &x.node[e];
	uint16_t clock[X_ACTORS], begin, begin_all;

	clock_at(e, t, clock);
	begin = initials(e, t->actor, t->nth, clock, running);
	if (begin & at->todo)
		return;
	if (x.opt.half && x.half_count++ % 2)
		return;
	begin_all = begin;
	begin &= at->enabled;
	if (begin >> t->actor & 1) {
		x_owe_turns(e, 1u << t->actor);
	} else if (begin) {
		x_owe_turns(e, begin & -(unsigned)begin);
	} else {
		x_owe_turns(e, at->enabled);
		owe_before_interrupts(e, begin_all, t, running);
	}
}

/* Something behind e that is not after it was done by the thread that stands still at e, for an
 * interrupt: it cannot come before e unless that interrupt comes later. */
static bool thread_goes_on(unsigned e)
{
	unsigned cpu = x.actor[x.node[e].actor].cpu;

	for (unsigned n = e + 1; n < x.state.depth && x.node[e].block != e; n++)
		if (x.node[n].actor == cpu && !x_seen(x.node[n].clock, &x.node[e]))
			return true;
	return false;
}

/* An interrupt that began behind e still runs. */
static bool interrupt_runs(unsigned e)
{
	for (unsigned i = 0; i < x.nr_threads && x.interrupts; i++)
		if (x.actor[x.irq_of[i]].alive && x.actor[x.irq_of[i]].began > e)
			return true;
	return false;
}

/* What an interrupt that still runs will do may be behind its CPU's thread, or not: owed for both.
 */
static void owe_at(unsigned e, const struct x_turn *t)
{
	if (x.opt.bound != X_UNBOUND) {
		owe_bounded(e, t->actor);
		return;
	}
	owe_one(e, t, true);
	if (interrupt_runs(e))
		owe_one(e, t, false);
	if (thread_goes_on(e))
		owe_at(x.node[e].block, t);
}

/* The event with which the interrupt began that runs on this CPU at event e; e: none does. */
static unsigned interrupted_at(unsigned e, unsigned cpu)
{
	for (unsigned n = e; n-- > 0;) {
		const struct x_node *node = &x.node[n];

		if (node->actor == x.irq_of[cpu] && node->op.kind == X_END)
			return e;
		if (node->actor == x.irq_of[cpu] && node->op.kind == X_BEGIN)
			return n;
	}
	return e;
}

/* Those that could begin cannot go at e: threads stand still there, for an interrupt. */
static void owe_before_interrupts(unsigned e, uint16_t begin, const struct x_turn *t, bool running)
{
	for (unsigned i = 0; i < x.nr_threads && x.interrupts; i++) {
		unsigned at = begin >> i & 1 ? interrupted_at(e, i) : e;

		if (at != e)
			owe_one(at, t, running);
	}
	if (x.node[e].block != e)
		owe_one(x.node[e].block, t, running);
}

/* The event at which the two are turned round: of a handler, or a store of its that comes out, and
 * its own CPU's thread, the handler's first. */
static unsigned turning_point(unsigned e, const struct x_actor *a)
{
	const struct x_actor *other = &x.actor[x.node[e].actor];

	if (a->role == X_THREAD && other->cpu == a->cpu)
		return x.node[e].block;
	return e;
}

/*
 * An order ends as known, or hangs: who could go did so before, elsewhere, or nobody can. A handler
 * that waits meanwhile keeps its thread from what it would do next, which then competes with
 * nothing. So the thread is owed a turn before the handler began.
 */
void x_owe_standing(void)
{
	for (unsigned i = 0; i < x.nr_threads && x.interrupts && x.opt.strategy == X_DPOR; i++) {
		const struct x_actor *irq = &x.actor[x.irq_of[i]];

		if (irq->alive && x.actor[i].alive && irq->began >= x.plan_len)
			owe_turn(irq->began, i);
	}
}

void x_owe(unsigned e, const struct x_turn *t)
{
	owe_at(turning_point(e, &x.actor[t->actor]), t);
}
