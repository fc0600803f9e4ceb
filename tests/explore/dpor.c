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
 * wake, an interrupt and what posted it are the same.
 *
 * Interrupts. While a handler runs, its CPU's thread stands still. So a race of the two is turned
 * round at the handler's first event, and the thread's events wake the interrupt from a sleep set.
 *
 * Sleep sets (Godefroid): an actor whose turn at a state was explored need not have it again until
 * something dependent has happened.
 */
#include "tests/explore/internal.h"

static inline bool ops_conflict(const struct x_op *a, const struct x_op *b)
{
	for (unsigned i = 0; i < a->nr; i++)
		for (unsigned k = 0; k < b->nr; k++)
			if (x_conflict(&a->place[i], &b->place[k]))
				return true;
	return false;
}

bool x_independent(const struct x_op *a, unsigned ia, const struct x_op *b, unsigned ib)
{
	return ia != ib && !ops_conflict(a, b);
}

/* The later one waits for the earlier, at every place that they share. */
static bool only_waits(const struct x_op *earlier, const struct x_op *later)
{
	for (unsigned i = 0; i < earlier->nr; i++)
		for (unsigned k = 0; k < later->nr; k++) {
			const struct x_place *e = &earlier->place[i], *l = &later->place[k];

			if (x_conflict(e, l) && !((e->how & X_GIVE) && (l->how & X_TAKE)))
				return false;
		}
	return true;
}

/* Is node e at or before what `clock` has seen? */
static inline bool seen(const uint16_t *clock, const struct x_node *e)
{
	return clock[e->actor] >= e->nth;
}

static bool interrupts_it(unsigned irq, unsigned thread)
{
	const struct x_actor *i = &x.actor[irq], *t = &x.actor[thread];

	return i->role == X_IRQ && t->role == X_THREAD && i->cpu == t->cpu;
}

/*
 * Is event e of the interrupted thread before something that the interrupt did which began at node
 * n? Then all of the interrupt is behind e, since the thread stands still to its end. What one that
 * still runs will do is not known, and `running` says what to take it for.
 */
static bool is_behind(unsigned n, unsigned e, bool running)
{
	const struct x_actor *irq = &x.actor[x.node[n].actor];

	if (!interrupts_it(x.node[n].actor, x.node[e].actor))
		return false;
	if (running && irq->alive && irq->began == n)
		return true;
	for (unsigned k = n + 1; k < x.depth; k++)
		if (x.node[k].block == n && seen(x.node[k].clock, &x.node[e]))
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

	for (unsigned k = n + 1; k < x.depth && first; k++)
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

	for (unsigned n = e + 1; n < x.depth; n++) {
		const struct x_node *f = &x.node[n];
		bool after = seen(f->clock, &x.node[e]);

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
	struct x_node *at = &x.node[n];

	at->todo |= at->enabled >> actor & 1 ? (uint16_t)(1u << actor) : at->enabled;
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
 * partial-order reduction", 2013).
 */
static void owe_bounded(unsigned e, unsigned actor)
{
	owe_turn(e, actor);
	owe_turn(switched_at(e), actor);
	owe_turn(x.node[e].block, actor);
	owe_turn(switched_at(x.node[e].block), actor);
}

/* Who is owed a turn before event `from`, and what it does then; its clock is from the events
 * behind that one. */
struct turn {
	unsigned from, actor, nth;
	const struct x_op *op;
	const uint16_t *clock;
};

/* The clock of a turn at event e, before `from`: what it waits for or competes with from there on
 * comes first, too, if it does not come after e. */
static void clock_at(unsigned e, const struct turn *t, uint16_t *clock)
{
	x_clock_copy(clock, t->clock);
	for (unsigned n = e + 1; n < t->from; n++)
		if (x.node[n].actor != t->actor && !seen(x.node[n].clock, &x.node[e]) &&
		    ops_conflict(&x.node[n].op, t->op))
			x_clock_join(clock, x.node[n].clock);
}

static void owe_before_interrupts(unsigned e, uint16_t begin, const struct turn *t, bool running);
static void owe_one(unsigned e, const struct turn *t, bool running)
{
	struct x_node *at = &x.node[e];
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
		at->todo |= (uint16_t)(1u << t->actor);
	} else if (begin) {
		at->todo |= begin & (uint16_t)-begin;
	} else {
		at->todo |= at->enabled;
		owe_before_interrupts(e, begin_all, t, running);
	}
}

/* Something behind e that is not after it was done by the thread that stands still at e, for an
 * interrupt: it cannot come before e unless that interrupt comes later. */
static bool thread_goes_on(unsigned e)
{
	unsigned cpu = x.actor[x.node[e].actor].cpu;

	for (unsigned n = e + 1; n < x.depth && x.node[e].block != e; n++)
		if (x.node[n].actor == cpu && !seen(x.node[n].clock, &x.node[e]))
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
static void owe(unsigned e, const struct turn *t)
{
	if (x.opt.bound != X_UNBOUND) {
		owe_bounded(e, t->actor);
		return;
	}
	owe_one(e, t, true);
	if (interrupt_runs(e))
		owe_one(e, t, false);
	if (thread_goes_on(e))
		owe(x.node[e].block, t);
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
static void owe_before_interrupts(unsigned e, uint16_t begin, const struct turn *t, bool running)
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

/* ---- the events before op that touched one of its places, from the newest on */
struct past {
	unsigned link[X_PLACES + 1]; /* where each place's chain is, then x_wide's; 0: at its end */
	unsigned nr;		     /* of them */
	bool whole;		     /* all events, not only those */
};

static unsigned newest(const struct past *p)
{
	unsigned most = p->link[0];

	for (unsigned i = 1; i < p->nr; i++)
		most = MAX(most, p->link[i]);
	return most ? X_LINK_NODE(most) : X_DEPTH;
}

static unsigned last_touch(struct past *p, const struct x_op *op, const uint16_t *word)
{
	p->whole = x.opt.whole;
	for (unsigned i = 0; i < op->nr; i++) {
		p->whole |= x_is_wide(&op->place[i]);
		p->link[i] = x_chain_head(&op->place[i], word[i]);
	}
	p->nr = op->nr;
	if (!op->nr || x_wide_head)
		p->link[p->nr++] = op->nr ? x_wide_head : 0;
	if (p->whole)
		return x.depth ? x.depth - 1 : X_DEPTH;
	return newest(p);
}

static unsigned touch_before(struct past *p, const struct x_op *op, unsigned n)
{
	if (p->whole)
		return n ? n - 1 : X_DEPTH;
	for (unsigned i = 0; i < p->nr; i++)
		while (p->link[i] && X_LINK_NODE(p->link[i]) == n)
			p->link[i] = x_chain_next(p->link[i], i < op->nr ? &op->place[i] : &x_wide);
	return newest(p);
}

/* What event n overwrote is before it, and so is known already: the chain ends with it. */
static void skip_older(struct past *p, const struct x_op *op, unsigned n)
{
	for (unsigned i = 0; i < op->nr && !p->whole; i++) {
		const struct x_place *mine = &op->place[i], *its;

		if (!p->link[i] || X_LINK_NODE(p->link[i]) != n)
			continue;
		its = &x.node[n].op.place[X_LINK_PLACE(p->link[i])];
		if ((its->how & X_WRITE) && its->at <= mine->at &&
		    its->at + its->bytes >= mine->at + mine->bytes)
			p->link[i] = 0;
	}
}

/*
 * The clock of op, the next event of actor `id`, from the events before it; and, with `races`, what
 * is owed for it.
 */
static void look_back(unsigned id, const struct x_op *op, const uint16_t *word, uint16_t *clock,
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
		if (!ops_conflict(&e->op, op))
			continue;
		if (only_waits(&e->op, op)) {
			x_clock_join(clock, e->clock);
			continue;
		}
		if (races && !seen(before, e)) {
			uint16_t at[X_ACTORS];
			struct turn t = {n, id, x.actor[id].nth + 1u, op, at};

			x_clock_copy(at, before);
			at[id] = (uint16_t)t.nth;
			owe(turning_point(n, &x.actor[id]), &t);
		}
		x_clock_join(before, e->clock);
		x_clock_join(clock, e->clock);
		skip_older(&p, op, n);
	}
}

/* An interrupt whose turn was before an event of its CPU's thread may have met it with any event of
 * its own, so it is owed its turn behind that again. */
static uint16_t sleepers(const struct x_node *last)
{
	uint16_t asleep = last->asleep | last->done, still = 0;

	for (uint16_t left = asleep; left; left &= (uint16_t)(left - 1)) {
		unsigned i = (unsigned)__builtin_ctz(left);

		if (i != last->actor && !interrupts_it(i, last->actor) &&
		    x_independent(&x.actor[i].next, i, &last->op, last->actor))
			still |= (uint16_t)(1u << i);
	}
	return still;
}

static bool uses_sleep_sets(void)
{
	return (x.opt.strategy == X_SLEEP_SETS || x.opt.strategy == X_DPOR) &&
	       x.opt.bound == X_UNBOUND;
}

bool x_preempts(unsigned id, uint16_t enabled)
{
	unsigned last = x.last_thread;

	return last < X_ACTORS && last != id && x.actor[id].role <= X_DEVICE &&
	       (enabled >> last & 1);
}

/* A buffer is empty when an interrupt begins: what comes out before its end is the handler's. */
static uint16_t block_of(const struct x_actor *a)
{
	unsigned irq = a->role <= X_DEVICE || a->role == X_TIMERS ? X_ACTORS : x.irq_of[a->cpu];

	return irq < X_ACTORS && x.actor[irq].alive ? x.actor[irq].began : (uint16_t)x.depth;
}

static inline void copy_op(struct x_op *to, const struct x_op *from)
{
	__builtin_memcpy(to, from, offsetof(struct x_op, place));
	for (unsigned i = 0; i < from->nr; i++)
		to->place[i] = from->place[i];
}

static void fill(struct x_node *n, unsigned id)
{
	struct x_actor *a = &x.actor[id];

	x_chains_cut(x.depth); /* while they are what they were */
	copy_op(&n->op, &a->next);
	if (n->op.kind == X_IPI || n->op.kind == X_TIMER)
		x_irq_number(&n->op);
	n->actor = (uint8_t)id;
	n->nth = (uint16_t)(a->nth + 1);
	n->value = 0;
	n->last_thread = (uint8_t)x.last_thread;
	n->preempts = x_preempts(id, n->enabled);
	n->cost = (uint16_t)((x.depth ? n[-1].cost : 0) +
			     (x.opt.strategy == X_DELAY ? x_cost(n->enabled, id) : n->preempts));
	if (n->op.kind == X_BEGIN)
		a->began = (uint16_t)x.depth;
	n->block = block_of(a);
	x_clock_copy(n->clock, a->clock);
	if (a->role == X_BUFFER)
		x_clock_join(n->clock, x_tso_clock(a->cpu, false));
	if (x.opt.strategy == X_DPOR) {
		uint16_t word[X_PLACES];

		for (unsigned i = 0; i < n->op.nr; i++)
			n->link[i].word = word[i] = x_chain_word(&n->op.place[i]);
		look_back(id, &n->op, word, n->clock, x.depth >= x.plan_len);
		x_chains_add(x.depth);
	}
	n->clock[id] = n->nth;
}

void x_commit(unsigned id)
{
	struct x_actor *a = &x.actor[id];
	struct x_node *n = &x.node[x.depth];

	if (x.depth >= x.keep)
		fill(n, id);
	else if (n->op.kind == X_BEGIN)
		a->began = (uint16_t)x.depth;
	x_clock_copy(a->clock, n->clock);
	a->nth++;
	if (a->role == X_BUFFER)
		x_race_join(a, x_tso_clock(a->cpu, true));
	x_race_sync(a, &n->op);
	if (a->role <= X_DEVICE)
		x.last_thread = id;
	x.depth++;
}

uint16_t x_asleep_here(void)
{
	const struct x_node *last = &x.node[x.depth - 1];

	if (!x.depth || !(last->asleep | last->done))
		return 0;
	return uses_sleep_sets() ? sleepers(last) : 0;
}

/* The execution hangs: what the waiting threads would do next competes with what was done. */
void x_blocked_races(void)
{
	uint16_t clock[X_ACTORS], word[X_PLACES];

	if (x.opt.strategy != X_DPOR || x.depth < x.keep)
		return;
	x_chains_cut(x.depth);
	for (unsigned i = 0; i < x.nr; i++) {
		const struct x_op *op = &x.actor[i].next;

		if (!x.actor[i].alive)
			continue;
		for (unsigned k = 0; k < op->nr; k++)
			word[k] = x_chain_word(&op->place[k]);
		x_clock_copy(clock, x.actor[i].clock);
		look_back(i, op, word, clock, true);
	}
}
