/* SPDX-License-Identifier: MIT */
/*
 * Strategies: which of the actors that can go on does, and what is tried afterwards.
 *
 *   brute   every actor at every state. The measure of the others; ends on small scenarios only.
 *   sleep   the same with sleep sets: no two executions that differ only in the order of
 *           independent events, but many that are begun and found to be known.
 *   dpor    only the orders that a race of two dependent events owes (dpor.c).
 *   states  the same as brute, but each state once, whichever order leads to it (states.c); and no
 *           choice where one event is all that matters (alone.c). The one for a bound.
 *   delay   the threads take turns in a fixed order; an execution may skip `bound` turns (Emmi,
 *           Qadeer, Rakamaric: "Delay-bounded scheduling", 2011).
 *   pct     each execution gives random priorities, and lowers the running thread's at bound - 1
 *           random events (Burckhardt et al.: "A randomized scheduler with probabilistic
 *           guarantees", 2010).
 *   random  a die at every event.
 *
 * The first four take a preemption bound (Musuvathi, Qadeer: "Iterative context bounding", 2007):
 * executions with more switches away from a thread that could go on are left out. Who waits only
 * for stores to leave their buffers, or for his CPU's interrupt, could go on; and who had to wait
 * when he came to his next event may be left for nothing from then on, whatever has let him go on
 * since (point.c, could_go()). To let a lock go is a choice then: who has it still keeps others
 * from going on, from whom a switch is free. A bound makes sleep sets unsound, so they are off
 * then, and DPOR owes more (owed.c, owe_bounded()): it has the outcomes of brute force again.
 */
#include "tests/explore/internal.h"

#define PCT_EVENTS 64 /* among so many events the priorities change */

static const char *const names[X_STRATEGIES] = {"brute", "sleep", "dpor",  "states",
						"delay", "pct",	  "random"};

const char *x_strategy_name(enum x_strategy s)
{
	return names[s];
}

/* xorshift64*: Marsaglia, "Xorshift RNGs", 2003. */
static uint64_t dice(void)
{
	x.rng ^= x.rng >> 12;
	x.rng ^= x.rng << 25;
	x.rng ^= x.rng >> 27;
	return x.rng * 0x2545f4914f6cdd1dull;
}

/* A shard of a random strategy throws dice of its own. */
void x_strategy_start(void)
{
	x.last_owed = X_DEPTH;
	x.usual = x.opt.strategy == X_DPOR && x.opt.bound == X_UNBOUND && !x.opt.reverse &&
		  !x.opt.shards;
	x.simple =
		x.usual && !x.plan_len && !x.replaying && !x.noting && !x.opt.whole && !x.opt.more;
	x.rng = (x.opt.seed + 1000003ull * x.opt.shard) * 0x9e3779b97f4a7c15ull + 1;
}

static bool is_random(void)
{
	return x.opt.strategy == X_PCT || x.opt.strategy == X_RANDOM;
}

/* ---- delays: in which order the enabled actors come, from the running one on */

static unsigned delays_to(uint16_t mask, unsigned id)
{
	unsigned at = x.state.last_thread < X_ACTORS ? x.state.last_thread : 0, cost = 0;

	for (; at != id; at = (at + 1) % x.nr)
		cost += mask >> at & 1;
	return cost;
}

unsigned x_cost(uint16_t mask, unsigned id)
{
	return x.opt.strategy == X_DELAY ? delays_to(mask, id) : x_preempts(id);
}

/* Those of `mask` that the bound allows after the events so far. */
static uint16_t affordable(uint16_t mask)
{
	unsigned spent = x.state.depth ? x.node[x.state.depth - 1].cost : 0;
	uint16_t out = 0;

	if (x.opt.bound == X_UNBOUND || is_random())
		return mask;
	for (unsigned i = 0; i < x.nr; i++)
		if ((mask >> i & 1) && spent + x_cost(mask, i) <= x.opt.bound)
			out |= (uint16_t)(1u << i);
	if (out != mask)
		x.result->bounded = x.opt.strategy == X_DELAY ? "delays" : "preemptions";
	return out;
}

/* ---- one of several */

static unsigned lowest(uint16_t mask)
{
	return mask ? (unsigned)__builtin_ctz(mask) : X_ACTORS;
}

static unsigned pick_in_order(uint16_t mask)
{
	if (x.opt.reverse)
		return mask ? 31u - (unsigned)__builtin_clz(mask) : X_ACTORS;
	if (x.state.last_thread < X_ACTORS && (mask >> x.state.last_thread & 1))
		return x.state.last_thread;
	return lowest(mask);
}

static unsigned pick_random(uint16_t mask)
{
	unsigned n = (unsigned)(dice() % (unsigned)__builtin_popcount(mask));

	while (n--)
		mask &= (uint16_t)(mask - 1);
	return lowest(mask);
}

static void pct_begin(void)
{
	for (unsigned i = 0; i < x.nr; i++)
		x.priority[i] = (uint8_t)(128 + i);
	for (unsigned i = x.nr; i-- > 1;) {
		unsigned k = (unsigned)(dice() % (i + 1));
		uint8_t p = x.priority[i];

		x.priority[i] = x.priority[k];
		x.priority[k] = p;
	}
	for (unsigned i = 0; i < X_PCT_DEPTH; i++)
		x.change_at[i] = (unsigned)(dice() % PCT_EVENTS);
}

static unsigned pick_pct(uint16_t mask)
{
	unsigned best = X_ACTORS;

	if (!x.state.depth)
		pct_begin();
	for (unsigned i = 0; i < x.nr; i++)
		if ((mask >> i & 1) && (best == X_ACTORS || x.priority[i] > x.priority[best]))
			best = i;
	for (unsigned i = 0; i + 1 < x.opt.bound && i < X_PCT_DEPTH; i++)
		if (x.change_at[i] == x.state.depth)
			x.priority[best] = (uint8_t)(64 - i);
	return best;
}

/*
 * Shards. All ways through the first events are tried, in the same order by each shard, and each
 * goes on from every n-th, or from those that no other machine has taken. So there everything is a
 * choice, even what else follows at once: what is owed there would be known only to the shard whose
 * part shows it. An execution that ends before the last of them is a beginning of its own.
 */
static bool is_sharded(void)
{
	return x.opt.shards && !is_random();
}

bool x_in_beginning(void)
{
	return is_sharded() && x.state.depth < X_BEGINNING;
}

void x_first_beginning(void)
{
	x.beginnings = x.executions_before = 0;
	x.beginning = x.opt.from;
	x.has_beginning = false;
}

/* The next beginning, of an execution before which there were so many. */
static bool next_is_ours(uint64_t executions)
{
	uint64_t n = x.beginnings++;

	if (n < x.opt.from || n % x.opt.shards != x.opt.shard || !machine_takes(n))
		return false;
	x.has_beginning = true;
	x.beginning = n;
	x.executions_before = executions;
	return true;
}

bool x_beginning_is_ours(void)
{
	return !is_sharded() || x.state.depth != X_BEGINNING || next_is_ours(x.result->executions);
}

bool x_end_is_ours(void)
{
	if (!is_sharded() || x.state.depth > X_BEGINNING ||
	    (x.ended != X_OVER && x.ended != X_BROKEN))
		return true;
	return next_is_ours(x.result->executions - 1);
}

static uint16_t todo_at_first(uint16_t mask, unsigned id)
{
	if (x_in_beginning())
		return mask;
	switch (x.opt.strategy) {
	case X_BRUTE:
	case X_SLEEP_SETS:
	case X_STATES:
	case X_DELAY: return mask;
	default: return (uint16_t)(1u << id);
	}
}

unsigned x_choose(uint16_t mask, struct x_node *n)
{
	uint16_t can;
	unsigned id;

	n->done = 0;
	n->asleep = x_asleep_at(n);
	if (unlikely(x.shortening) && x_too_long())
		return X_ACTORS;
	if (x.opt.strategy == X_STATES && !x_in_beginning() &&
	    (id = x_goes_alone(mask)) < X_ACTORS) {
		n->affordable = mask;
		n->todo = (uint16_t)(1u << id);
		return id;
	}
	n->affordable = affordable(mask);
	if (x.opt.strategy == X_STATES &&
	    x_state_is_known(mask, (n->affordable & (n->affordable - 1)) != 0))
		return X_ACTORS;
	can = n->affordable & (uint16_t)~n->asleep;
	if (!can)
		return X_ACTORS;
	if (x.opt.strategy == X_PCT)
		id = pick_pct(can);
	else if (x.opt.strategy == X_RANDOM)
		id = pick_random(can);
	else
		id = pick_in_order(can);
	n->todo = 0;
	x_owe_turns(x.state.depth, todo_at_first(can, id));
	return id;
}

bool x_backtrack(void)
{
	unsigned n = MIN(x.state.depth, x.last_owed + 1);

	if (is_random()) {
		x.keep = 0;
		x.result->bounded = "runs";
		return x.result->executions < x.opt.runs;
	}
	while (n-- > x.plan_len) {
		struct x_node *node = &x.node[n];
		uint16_t left;

		node->done |= (uint16_t)(1u << node->actor);
		left = node->todo & node->affordable & (uint16_t) ~(node->done | node->asleep);
		if (!left)
			continue;
		node->actor = (uint8_t)(x.opt.reverse ? 31u - (unsigned)__builtin_clz(left)
						      : lowest(left));
		x.keep = x.last_owed = n;
		x.branching = true;
		return true;
	}
	return false;
}

/* Per mille of the whole that is done, as if every way at a state led to as much as any other. What
 * will be owed later is not known yet, so it is too much at the beginning. */
unsigned x_done_part(void)
{
	uint64_t part = 0, share = 1u << 30;

	if (is_random()) /* so many were asked for */
		return (unsigned)(x.result->executions * 1000 / MAX(x.opt.runs, 1ul));
	for (unsigned n = x.plan_len; n < x.state.depth && share; n++) {
		const struct x_node *node = &x.node[n];
		unsigned ways = (unsigned)__builtin_popcount(node->todo | node->done);

		if (!ways)
			ways = 1;
		part += share / ways * (unsigned)__builtin_popcount(node->done);
		share /= ways;
	}
	return (unsigned)(part * 1000 >> 30);
}
