/* SPDX-License-Identifier: MIT */
/*
 * An event is made: its node, with what came before it.
 *
 * This is done for every event that is not as before, so what all of them need stands here in a
 * row. Nearly all have one place, which lies in one word: then one walk along that word's chain
 * (chains.c) finds all that the event competes with (dpor.c) and whoever stored there last
 * (sync.c), with clocks in registers, of four actors or eight.
 */
#include "tests/explore/owed.h"

/* ---- clocks by value, of up to eight actors: so many in `fours` */

struct clock {
	uint64_t four[2];
};

static inline struct clock load(const uint16_t *from, unsigned fours)
{
	struct clock c = {{0}};

	for (unsigned i = 0; i < fours; i++)
		c.four[i] = ((const x_four *)from)[i];
	return c;
}

static inline void store(uint16_t *to, const struct clock *c, unsigned fours)
{
	for (unsigned i = 0; i < fours; i++)
		((x_four *)to)[i] = c->four[i];
}

static inline void join(struct clock *c, const uint16_t *from, unsigned fours)
{
	for (unsigned i = 0; i < fours; i++)
		c->four[i] = x_larger(c->four[i], ((const x_four *)from)[i]);
}

static inline unsigned of_actor(const struct clock *c, unsigned id, unsigned fours)
{
	return (uint16_t)(c->four[fours > 1 ? id / 4 : 0] >> id % 4 * 16);
}

static inline void tick(struct clock *c, const struct x_actor *a, unsigned fours)
{
	c->four[fours > 1 ? a->id / 4 : 0] += a->tick;
}

/* ---- one place, in one word */

/* Does the strategy want to know what comes before what? */
static inline bool looks_back(void)
{
	return x.opt.strategy == X_DPOR || x.opt.strategy == X_STATES;
}

static inline bool same_bytes(const struct x_place *a, const struct x_place *b)
{
	return a->at == b->at && a->bytes == b->bytes;
}

/* What was there is overwritten: who did that is behind all that came before. */
static inline bool ends_chain(const struct x_place *its, const struct x_place *mine)
{
	return (its->how & X_WRITE) && (same_bytes(its, mine) || x_covers(its, mine));
}

static inline bool competes(const struct x_place *its, const struct x_place *mine)
{
	if (same_bytes(its, mine))
		return ((its->how | mine->how) & X_WRITE) || ((its->how ^ mine->how) & X_SHARED);
	return x_conflict(its, mine);
}

static inline bool waits_for(const struct x_node *e, const struct x_place *its,
			     const struct x_node *n)
{
	return (its->how & X_GIVE) && (n->op.place[0].how & X_TAKE) &&
	       (e->op.nr == 1 || x_only_waits(&e->op, &n->op));
}

/* What it waits for cannot be turned round; with a bound it can come there sooner (dpor.c). */
static inline bool is_owed(bool waits)
{
	return !waits || x.opt.bound != X_UNBOUND;
}

static __attribute__((noinline)) void owe(const struct x_node *e, const struct x_node *n,
					  struct clock before)
{
	x_owe_before(x_nth(e), n->actor, &n->op, (const uint16_t *)before.four);
}

/* Event n's clock from those of its place, from the newest on; with `races`, what is owed too. What
 * was seen of an event's actor up to it has in it what that had seen. */
static inline struct clock look_back(const struct x_node *n, struct clock clock,
				     const struct x_link *its, bool races, unsigned fours)
{
	const struct x_place *mine = &n->op.place[0];
	struct clock before = clock; /* without what it waits for */

	for (; its; its = x_chain_next(its, mine)) {
		const struct x_node *e = its->node;
		bool waits = false;

		if (e->actor != n->actor && competes(&its->place, mine)) {
			waits = waits_for(e, &its->place, n);
			if (of_actor(&before, e->actor, fours) < e->nth) {
				if (races && is_owed(waits))
					owe(e, n, before);
				if (!waits)
					join(&before, e->clock, fours);
				join(&clock, e->clock, fours);
			}
		}
		if (!waits && ends_chain(&its->place, mine))
			break;
	}
	return clock;
}

/* x_sync() of one place. */
static inline struct clock sync(struct x_node *n, struct clock vc, const struct x_link *giver,
				unsigned fours)
{
	bool takes = n->op.kind != X_STORE || !(n->op.place[0].how & X_WRITE || n->op.buffered);
	struct clock left;

	if (giver && takes)
		join(&vc, giver->gave, fours);
	left = vc;
	if (giver && !takes)
		join(&left, giver->gave, fours);
	store(n->link[0].gave, &left, fours);
	return vc;
}

/* No buffer's: a store that leaves one has that for a place, too. */
static inline __attribute__((always_inline)) void link_one(struct x_node *n, struct x_actor *a,
							   bool looks, bool races, unsigned fours)
{
	const struct x_place *p = &n->op.place[0];
	struct x_word *w = x_chain_word(p);
	struct clock clock = load(a->clock, fours), vc = load(a->vc, fours);

	if (looks)
		clock = look_back(n, clock, x_chain_head(p, w), races, fours);
	vc = sync(n, vc, x_same_place(w->changed, p->at), fours);
	tick(&clock, a, fours);
	tick(&vc, a, fours);
	store(n->clock, &clock, fours);
	store(n->vc, &vc, fours);
	store(a->clock, &clock, fours);
	store(a->vc, &vc, fours);
	x_chain_add(&n->link[0], p, w);
}

/* ---- any others */

static void link_all(struct x_node *n, const struct x_actor *a, bool races)
{
	struct x_word *word[X_PLACES];

	x_clock_copy(n->clock, a->clock);
	x_clock_copy(n->vc, a->vc);
	if (a->role == X_BUFFER) {
		x_clock_join(n->clock, x_tso_clock(a->cpu, false));
		x_clock_join(n->vc, x_tso_clock(a->cpu, true));
	}
	for (unsigned i = 0; i < n->op.nr; i++)
		word[i] = x_chain_word(&n->op.place[i]);
	if (looks_back())
		x_look_back(n->actor, &n->op, word, n->clock, races);
	n->clock[n->actor] = n->nth;
	x_sync(n, word);
	for (unsigned i = 0; i < n->op.nr; i++)
		x_chain_add(&n->link[i], &n->op.place[i], word[i]);
}

/* One of the places in several words that were touched is this one, too. */
static bool meets_wide(const struct x_place *mine)
{
	for (const struct x_link *its = x_wide_newest; its; its = its->older)
		if (x_conflict(&its->place, mine))
			return true;
	return false;
}

static inline bool is_one(const struct x_op *op)
{
	return op->nr == 1 && !x_is_wide(&op->place[0]) &&
	       (likely(!x_wide_newest) || !meets_wide(&op->place[0]));
}

/* The newest node finds those before it, and its place among them. */
static __attribute__((noinline)) void link(struct x_node *n, struct x_actor *a)
{
	bool races = x.opt.strategy == X_DPOR && x.state.depth >= x.plan_len;
	bool one = !x.opt.whole && is_one(&n->op);

	if (one && !x.state.far)
		link_one(n, a, looks_back(), races, 1);
	else if (one && x.nr <= 8)
		link_one(n, a, looks_back(), races, 2);
	else
		link_all(n, a, races);
}

/* ---- the node */

static bool preempts(const struct x_node *n, unsigned last, unsigned id)
{
	return last < X_ACTORS && last != id && x.actor[id].role <= X_DEVICE && n->could_go;
}

bool x_preempts(unsigned id)
{
	return preempts(&x.node[x.state.depth], x.state.last_thread, id);
}

bool x_preempted(const struct x_node *n)
{
	return preempts(n, n->last_thread, n->actor);
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
	to->place[0] = from->place[0]; /* nearly always there is one */
	for (unsigned i = 1; i < from->nr; i++)
		to->place[i] = from->place[i];
}

/* What is asked of a node that is not of a simple search. */
static __attribute__((noinline)) void fill_more(struct x_node *n, struct x_actor *a)
{
	unsigned id = x_id(a);

	if (n->op.kind == X_IPI || n->op.kind == X_TIMER)
		x_irq_number(&n->op);
	n->value = 0;
	n->cost = (uint16_t)(n[-1].cost + x_cost(n->enabled, id));
	if (n->op.kind == X_BEGIN)
		a->began = (uint16_t)x.state.depth;
	n->block = block_of(a);
	link(n, a);
	if (x.opt.strategy == X_STATES)
		x_trace_add(n);
	if (x.noting)
		x_alone_note(n);
}

/* Of two places or more are those that are numbered (x_irq_number()). */
static inline void fill(struct x_node *n, struct x_actor *a)
{
	unsigned depth = x.state.depth;

	if (x_linked > depth) /* while they are what they were */
		x_chains_cut(depth);
	x_linked = depth + 1;
	copy_op(&n->op, &a->next);
	n->actor = a->id;
	n->nth = (uint16_t)(a->nth + 1);
	n->last_thread = (uint8_t)x.state.last_thread;
	if (likely(x.simple && !x.opt.tso && !x.state.busy && !x.state.far && is_one(&n->op))) {
		n->block = (uint16_t)depth;
		link_one(n, a, true, true, 1);
	} else {
		fill_more(n, a);
		x_clocks_copy(a->clock, n->clock, a->vc, n->vc);
	}
}

/* It is as it was. */
static inline void take_up(const struct x_node *n, struct x_actor *a)
{
	if (n->op.kind == X_BEGIN)
		a->began = (uint16_t)x.state.depth;
	x_clocks_copy(a->clock, n->clock, a->vc, n->vc);
}

/* The first event that is not of the first four actors: the clocks so far say nothing of others. A
 * node's vc[] is its actor's from this execution's turn at it on, which was before, so what it says
 * of others is never read. */
static __attribute__((noinline)) void go_far(void)
{
	x.state.far = true;
	for (struct x_node *n = x.node; n < x.node + x.state.depth; n++)
		for (unsigned i = 4; i < x.nr; i++) {
			n->clock[i] = 0;
			for (unsigned k = 0; k < n->op.nr; k++)
				n->link[k].gave[i] = 0;
		}
}

void x_commit(struct x_actor *a)
{
	struct x_node *n = &x.node[x.state.depth];

	X_STAYS(n);
	if (unlikely(a->id >= 4) && !x.state.far)
		go_far();
	if (x.state.depth >= x.keep)
		fill(n, a);
	else
		take_up(n, a);
	a->nth++;
	x.ran |= a->bit;
	if (a->role <= X_DEVICE)
		x.state.last_thread = a->id;
	else if (a->role != X_TIMERS) /* of that thread's CPU: what it notes of itself may change */
		x.ran |= 1u << a->cpu;
	x.state.depth++;
}
