/* SPDX-License-Identifier: MIT */
/*
 * strategy=states: each state within the bound once, whichever way leads to it (Musuvathi, Qadeer:
 * "Partial-order reduction for context-bounded state exploration", 2007).
 *
 * What a state is. Two beginnings that have the same events, each behind the same others, differ
 * only in the order of events that are independent: they lead to the same state. An event's clock
 * (dpor.c) says what is before it, so the sum of a hash of all events' clocks is the same for both,
 * and is made event by event. With it goes which actors can go on. The running thread and the
 * preemptions so far are kept beside it, as they decide what the bound allows from there on.
 *
 * Why that leaves nothing out. At a state every actor that the bound allows is tried, and not those
 * alone that a race owes a turn, as DPOR does: what DPOR owes before a state is known only when
 * what is behind it was run, so it would have to be run again behind each way. Here nothing is
 * owed. A state that was seen is done, or none of its ways is: an execution has no circles. It is
 * left if it was seen
 *
 *   with the same thread running, or one that is left for nothing, and as many preemptions or
 * fewer; with another thread running, and one preemption or more fewer: a switch makes it this one.
 *
 * Where one event is all that can be worth trying, alone.c says so, and the state is not kept. What
 * that leaves of a scenario's stores and shootdowns is where two really compete.
 *
 * A state is 100 bits of hash and costs. That two different ones of n states are taken for one has
 * a probability of n * n / 2^101: for 100 million, one in 250 million million. The table
 * doubles while memory is there. When it is full, nothing more is kept: then states are run again,
 * and none is left out.
 */
#include "mm/mm.h"
#include "tests/explore/internal.h"

#define CHUNKS	  256u
#define PER_CHUNK (1u << 18)
#define LASTS	  (X_CPUS + X_MAX_DEVICES + 1u) /* threads, devices, and none that could go on */
#define COST_BITS 4u
#define COSTS	  ((1ull << LASTS * COST_BITS) - 1)
#define NEVER	  (X_STATES_BOUND + 1) /* a cost that no bound comes to */
#define SELDOM	  7ull /* of states without a choice one in so many and one is kept */

/* A state; costs zero: free. By who ran last, the cost plus one. */
struct slot {
	uint64_t hash, rest; /* rest: more of the hash, the costs below */
};
static struct slot *chunk[CHUNKS], *spare;
static unsigned nr, owned; /* chunks in use, and those that there are */
static uint64_t used;

static struct slot *make_chunk(void)
{
	return machine_memory(PER_CHUNK * sizeof(struct slot));
}

bool x_states_init(void)
{
	if (!owned && (chunk[0] = make_chunk()))
		nr = owned = 1;
	if (!spare)
		spare = make_chunk();
	return owned && spare;
}

void x_states_reset(void)
{
	for (unsigned i = 0; i < nr && used; i++)
		memset(chunk[i], 0, PER_CHUNK * sizeof(struct slot));
	nr = 1;
	used = 0;
}

uint64_t x_states_kept(void)
{
	return used;
}

/* Its slot, or the one where it would be. */
static struct slot *find(uint64_t hash, uint64_t rest)
{
	struct slot *c = chunk[hash % nr];
	unsigned i = (unsigned)(hash >> 32) % PER_CHUNK;

	while (c[i].rest & COSTS && (c[i].hash != hash || (c[i].rest ^ rest) & ~COSTS))
		i = (i + 1) % PER_CHUNK;
	return &c[i];
}

/* The machine keeps as much memory as these chunks take. */
static bool leaves_as_much(unsigned chunks)
{
	return frame_stats().free * PAGE_SIZE / 2 >= chunks * PER_CHUNK * sizeof(struct slot);
}

/* Twice as many chunks: each one's states go to it and to a new one. */
static bool grow(void)
{
	unsigned n = nr;

	if (2 * n > CHUNKS || (owned < 2 * n && !leaves_as_much(n)))
		return false;
	for (; owned < 2 * n; owned++)
		if (!(chunk[owned] = make_chunk()))
			return false;
	for (unsigned i = n; i < 2 * n; i++)
		memset(chunk[i], 0, PER_CHUNK * sizeof(struct slot));
	nr = 2 * n;
	for (unsigned i = 0; i < n; i++) {
		memcpy(spare, chunk[i], PER_CHUNK * sizeof(struct slot));
		memset(chunk[i], 0, PER_CHUNK * sizeof(struct slot));
		for (unsigned k = 0; k < PER_CHUNK; k++)
			if (spare[k].rest & COSTS)
				*find(spare[k].hash, spare[k].rest) = spare[k];
	}
	return true;
}

static bool has_room(void)
{
	if (used < nr * (PER_CHUNK / 4 * 3ull) || grow())
		return true;
	x.result->forgot = true;
	return false;
}

/* The mixer at the end of MurmurHash3. */
static uint64_t mix(uint64_t h)
{
	h = (h ^ h >> 33) * 0xff51afd7ed558ccdull;
	h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53ull;
	return h ^ h >> 33;
}

void x_trace_add(struct x_node *n)
{
	uint64_t a = mix(n->actor + 1u), b = mix(~a);

	for (unsigned i = 0; i < x.nr; i++) {
		a = mix(a + n->clock[i]);
		b = mix(b ^ n->clock[i] * 0x9e3779b97f4a7c15ull);
	}
	n->trace[0] = a + (x.state.depth ? n[-1].trace[0] : 0);
	n->trace[1] = b + (x.state.depth ? n[-1].trace[1] : 0);
}

static unsigned cost_of(const struct slot *s, unsigned last)
{
	unsigned kept = (unsigned)(s->rest >> last * COST_BITS) & NEVER;

	return kept ? kept - 1 : NEVER;
}

/* It was seen at a cost from which all can be done that can from this one. */
static bool is_known(const struct slot *s, unsigned last, unsigned cost)
{
	for (unsigned i = 0; i < LASTS; i++)
		if (cost_of(s, i) + (i != last && i != LASTS - 1) <= cost)
			return true;
	return false;
}

bool x_state_is_known(uint16_t enabled, bool choice)
{
	const struct x_node *before = &x.node[x.state.depth - 1];
	unsigned last = x.state.last_thread;
	bool bounded = x.opt.bound != X_UNBOUND;
	uint64_t hash, rest;
	struct slot *s;

	if (!x.state.depth)
		return false;
	if (!bounded || last >= X_ACTORS || !x.node[x.state.depth].could_go)
		last = LASTS - 1;
	hash = mix(before->trace[0] + enabled);
	rest = mix(before->trace[1] ^ enabled) & ~COSTS;
	if (!choice && rest >> 60 & SELDOM)
		return false;
	s = find(hash, rest);
	if (is_known(s, last, bounded ? before->cost : 0))
		return true;
	if (!(s->rest & COSTS) && !has_room())
		return false;
	s = find(hash, rest);
	used += !(s->rest & COSTS);
	s->hash = hash;
	s->rest = rest | (s->rest & COSTS & ~((uint64_t)NEVER << last * COST_BITS)) |
		  ((bounded ? before->cost : 0) + 1ull) << last * COST_BITS;
	return false;
}
