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
 * round at the handler's first event.
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

static inline void join(uint16_t *to, const uint16_t *from)
{
	for (unsigned i = 0; i < x.nr; i++)
		if (from[i] > to[i])
			to[i] = from[i];
}

/* Is node e at or before what `clock` has seen? */
static inline bool seen(const uint16_t *clock, const struct x_node *e)
{
	return clock[e->actor] >= e->nth;
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

/* The actors that can begin notdep(e, E).x: the events behind e that are not after it, then x. */
static uint16_t initials(unsigned e, unsigned actor, unsigned nth, const uint16_t *clock)
{
	struct later v = {.initials = 0};

	for (unsigned n = e + 1; n < x.depth; n++) {
		const struct x_node *f = &x.node[n];

		if (!seen(f->clock, &x.node[e]))
			add_later(&v, f->actor, f->nth, f->clock);
	}
	add_later(&v, actor, nth, clock);
	return v.initials;
}

/* With a bound, also where the block of events that e is in began: there the switch is free. */
static void owe_at_block(unsigned e, unsigned actor)
{
	unsigned n = e;

	while (n && x.node[n - 1].actor == x.node[e].actor)
		n--;
	x.node[n].todo |= x.node[n].enabled & (uint16_t)(1u << actor);
	if (!(x.node[n].enabled >> actor & 1))
		x.node[n].todo |= x.node[n].enabled;
}

static void owe(unsigned e, unsigned actor, unsigned nth, const uint16_t *clock)
{
	struct x_node *at = &x.node[e];
	uint16_t begin;

	if (x.opt.bound != X_UNBOUND)
		owe_at_block(e, actor);
	begin = initials(e, actor, nth, clock);
	if (begin & at->todo)
		return;
	if (x.opt.half && x.half_count++ % 2)
		return;
	begin &= at->enabled;
	if (begin >> actor & 1)
		at->todo |= (uint16_t)(1u << actor);
	else if (begin)
		at->todo |= begin & (uint16_t)-begin;
	else
		at->todo |= at->enabled;
}

/* The event at which the two are turned round: of a handler and its own CPU's thread, the first. */
static unsigned turning_point(unsigned e, const struct x_actor *a)
{
	const struct x_actor *other = &x.actor[x.node[e].actor];

	if (other->role == X_IRQ && a->role == X_THREAD && other->cpu == a->cpu)
		return x.node[e].block;
	return e;
}

/*
 * The clock of op, the next event of actor `id`, from the events before it; and, with `races`, what
 * is owed for it.
 */
static void look_back(unsigned id, const struct x_op *op, uint16_t *clock, bool races)
{
	const struct x_actor *a = &x.actor[id];
	uint16_t before[X_ACTORS];

	memcpy(before, clock, sizeof(before));
	for (unsigned n = x.depth; n-- > 0;) {
		const struct x_node *e = &x.node[n];

		if (e->actor == id || !e->op.nr || !ops_conflict(&e->op, op))
			continue;
		if (only_waits(&e->op, op)) {
			join(clock, e->clock);
			continue;
		}
		if (races && !seen(before, e)) {
			uint16_t at[X_ACTORS];

			memcpy(at, before, sizeof(at));
			at[id] = (uint16_t)(a->nth + 1);
			owe(turning_point(n, a), id, a->nth + 1u, at);
		}
		join(before, e->clock);
		join(clock, e->clock);
	}
}

static uint16_t sleepers(const struct x_node *last)
{
	uint16_t asleep = last->asleep | last->done, still = 0;

	for (unsigned i = 0; i < x.nr; i++)
		if ((asleep >> i & 1) && i != last->actor &&
		    x_independent(&x.actor[i].next, i, &last->op, last->actor))
			still |= (uint16_t)(1u << i);
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

static void fill(struct x_node *n, unsigned id)
{
	struct x_actor *a = &x.actor[id];

	n->op = a->next;
	n->actor = (uint8_t)id;
	n->nth = (uint16_t)(a->nth + 1);
	n->value = 0;
	n->last_thread = (uint8_t)x.last_thread;
	n->preempts = x_preempts(id, n->enabled);
	n->cost = (uint16_t)((x.depth ? n[-1].cost : 0) + x_cost(n->enabled, id));
	if (n->op.kind == X_BEGIN)
		a->began = (uint16_t)x.depth;
	n->block = a->role == X_IRQ ? a->began : (uint16_t)x.depth;
	memcpy(n->clock, a->clock, sizeof(n->clock));
	if (a->role == X_BUFFER)
		join(n->clock, x_tso_clock(a->cpu, false));
	look_back(id, &n->op, n->clock, x.opt.strategy == X_DPOR && x.depth >= x.plan_len);
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
	memcpy(a->clock, n->clock, sizeof(a->clock));
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
	return x.depth && uses_sleep_sets() ? sleepers(&x.node[x.depth - 1]) : 0;
}

/* The execution hangs: what the waiting threads would do next competes with what was done. */
void x_blocked_races(void)
{
	uint16_t clock[X_ACTORS];

	if (x.opt.strategy != X_DPOR || x.depth < x.keep)
		return;
	for (unsigned i = 0; i < x.nr; i++) {
		if (!x.actor[i].alive)
			continue;
		memcpy(clock, x.actor[i].clock, sizeof(clock));
		look_back(i, &x.actor[i].next, clock, true);
	}
}
