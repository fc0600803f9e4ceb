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
 * Sleep sets (Godefroid): an actor whose turn at a state was explored need not have it again until
 * something dependent has happened.
 */
#include "tests/explore/owed.h"

bool x_independent(const struct x_op *a, unsigned ia, const struct x_op *b, unsigned ib)
{
	return ia != ib && !x_ops_conflict(a, b);
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
		return x.state.depth ? x.state.depth - 1 : X_DEPTH;
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

static bool covers(const struct x_place *its, const struct x_place *mine)
{
	return (its->how & X_WRITE) && its->at <= mine->at &&
	       its->at + its->bytes >= mine->at + mine->bytes;
}

/* What event n overwrote is before it, and so is known already: the chain ends with it. */
static void skip_older(struct past *p, const struct x_op *op, unsigned n)
{
	for (unsigned i = 0; i < op->nr && !p->whole; i++) {
		const struct x_place *mine = &op->place[i];

		if (!p->link[i] || X_LINK_NODE(p->link[i]) != n)
			continue;
		if (covers(&x.node[n].op.place[X_LINK_PLACE(p->link[i])], mine))
			p->link[i] = 0;
	}
}

/* Event n and op, the next event of actor `id`, whose clock is `before`. */
static void owe(unsigned n, unsigned id, const struct x_op *op, const uint16_t *before)
{
	uint16_t at[X_ACTORS];
	struct x_turn t = {n, id, x.actor[id].nth + 1u, op, at};

	x_clock_copy(at, before);
	at[id] = (uint16_t)t.nth;
	x_owe(n, &t);
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
		if (!x_ops_conflict(&e->op, op))
			continue;
		if (only_waits(&e->op, op)) {
			x_clock_join(clock, e->clock);
			continue;
		}
		if (races && !x_seen(before, e))
			owe(n, id, op, before);
		x_clock_join(before, e->clock);
		x_clock_join(clock, e->clock);
		skip_older(&p, op, n);
	}
}

/* One of the places in several words that were touched is this one, too. */
static bool meets_wide(const struct x_place *mine)
{
	for (unsigned link = x_wide_head; link; link = x_chain_next(link, &x_wide))
		if (x_conflict(&x.node[X_LINK_NODE(link)].op.place[X_LINK_PLACE(link)], mine))
			return true;
	return false;
}

/* The same of an op with one place, in one word, that meets no place in several: its chain, and
 * nothing else. */
static __attribute__((noinline)) void look_back_one(unsigned id, const struct x_op *op,
						    unsigned link, uint16_t *clock, bool races)
{
	const struct x_place *mine = &op->place[0];
	uint16_t before[X_ACTORS];

	x_clock_copy(before, clock);
	for (; link; link = x_chain_next(link, mine)) {
		unsigned n = X_LINK_NODE(link);
		const struct x_node *e = &x.node[n];

		const struct x_place *its = &e->op.place[X_LINK_PLACE(link)];

		if (e->actor != id) {
			if (!x_conflict(its, mine))
				continue;
			if ((its->how & X_GIVE) && (mine->how & X_TAKE) &&
			    (e->op.nr == 1 || only_waits(&e->op, op))) {
				x_clock_join(clock, e->clock);
				continue;
			}
			if (races && !x_seen(before, e))
				owe(n, id, op, before);
			x_clock_join(before, e->clock);
			x_clock_join(clock, e->clock);
		}
		if (covers(its, mine))
			break;
	}
}

/* An interrupt whose turn was before an event of its CPU's thread may have met it with any event of
 * its own, so it is owed its turn behind that again. */
static uint16_t sleepers(const struct x_node *last)
{
	uint16_t asleep = last->asleep | last->done, still = 0;

	for (uint16_t left = asleep; left; left &= (uint16_t)(left - 1)) {
		unsigned i = (unsigned)__builtin_ctz(left);

		if (i != last->actor && !x_interrupts_it(i, last->actor) &&
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

bool x_preempts(unsigned id)
{
	unsigned last = x.state.last_thread;

	return last < X_ACTORS && last != id && x.actor[id].role <= X_DEVICE &&
	       x.node[x.state.depth].could_go;
}

/* A buffer is empty when an interrupt begins: what comes out before its end is the handler's. */
static uint16_t block_of(const struct x_actor *a)
{
	unsigned irq = a->role <= X_DEVICE || a->role == X_TIMERS ? X_ACTORS : x.irq_of[a->cpu];

	return irq < X_ACTORS && x.actor[irq].alive ? x.actor[irq].began : (uint16_t)x.state.depth;
}

static inline void copy_op(struct x_op *to, const struct x_op *from)
{
	__builtin_memcpy(to, from, offsetof(struct x_op, place));
	for (unsigned i = 0; i < from->nr; i++)
		to->place[i] = from->place[i];
}

/* The newest node finds those before it, and its place among them. */
static inline void link(struct x_node *n, unsigned id)
{
	bool races = x.opt.strategy == X_DPOR && x.state.depth >= x.plan_len;
	uint16_t word[X_PLACES];
	unsigned head;

	if (likely(n->op.nr == 1 && !x.opt.whole && !x_is_wide(&n->op.place[0])) &&
	    (likely(!x_wide_head) || !meets_wide(&n->op.place[0]))) {
		n->link[0].word = word[0] = x_chain_word(&n->op.place[0]);
		head = x_chain_head(&n->op.place[0], word[0]);
		if (head)
			look_back_one(id, &n->op, head, n->clock, races);
	} else {
		for (unsigned i = 0; i < n->op.nr; i++)
			n->link[i].word = word[i] = x_chain_word(&n->op.place[i]);
		look_back(id, &n->op, word, n->clock, races);
	}
	x_chains_add(x.state.depth);
}

static void fill(struct x_node *n, struct x_actor *a)
{
	unsigned id = x_id(a);

	if (x_linked > x.state.depth) /* while they are what they were */
		x_chains_cut(x.state.depth);
	copy_op(&n->op, &a->next);
	if (n->op.kind == X_IPI || n->op.kind == X_TIMER)
		x_irq_number(&n->op);
	n->actor = (uint8_t)id;
	n->nth = (uint16_t)(a->nth + 1);
	n->value = 0;
	n->last_thread = (uint8_t)x.state.last_thread;
	n->preempts = x_preempts(id);
	n->cost = (uint16_t)(n[-1].cost +
			     (x.opt.strategy == X_DELAY ? x_cost(n->enabled, id) : n->preempts));
	if (n->op.kind == X_BEGIN)
		a->began = (uint16_t)x.state.depth;
	n->block = block_of(a);
	x_clock_copy(n->clock, a->clock);
	if (a->role == X_BUFFER)
		x_clock_join(n->clock, x_tso_clock(a->cpu, false));
	if (x.opt.strategy == X_DPOR || x.opt.strategy == X_STATES)
		link(n, id);
	n->clock[id] = n->nth;
	if (x.opt.strategy == X_STATES)
		x_trace_add(n);
	if (x.noting)
		x_alone_note(n);
}

void x_commit(unsigned id)
{
	struct x_actor *a = &x.actor[id];
	struct x_node *n = &x.node[x.state.depth];

	X_STAYS(a);
	X_STAYS(n);
	if (x.state.depth >= x.keep)
		fill(n, a);
	else if (n->op.kind == X_BEGIN)
		a->began = (uint16_t)x.state.depth;
	x_clock_copy(a->clock, n->clock);
	a->nth++;
	if (a->role == X_BUFFER)
		x_race_join(a, x_tso_clock(a->cpu, true));
	x_race_sync(a, &n->op);
	x.ran |= 1u << id;
	if (a->role <= X_DEVICE)
		x.state.last_thread = id;
	else if (a->role != X_TIMERS) /* of that thread's CPU: what it notes of itself may change */
		x.ran |= 1u << a->cpu;
	x.state.depth++;
}

uint16_t x_still_asleep(const struct x_node *last)
{
	return uses_sleep_sets() ? sleepers(last) : 0;
}

/* What this actor would do next, and does not, competes with what was done. */
static void owe_unmade(unsigned id)
{
	const struct x_op *op = &x.actor[id].next;
	uint16_t clock[X_ACTORS], word[X_PLACES];

	x_chains_cut(x.state.depth);
	for (unsigned k = 0; k < op->nr; k++)
		word[k] = x_chain_word(&op->place[k]);
	x_clock_copy(clock, x.actor[id].clock);
	look_back(id, op, word, clock, true);
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
