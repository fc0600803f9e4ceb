/* SPDX-License-Identifier: MIT */
/*
 * The shortest way to a finding: with the fewest preemptions, and then with the fewest events.
 *
 * The fewest preemptions are found with a bound that grows, by DPOR, which is quick; but a bound
 * takes orders from it, and with them others that it would have come to by these. So where it finds
 * none, each state is run once (states.c), which has what brute force has with as many preemptions.
 *
 * Either runs one of several orders that differ only in independent events, and which of them is
 * the shortest is not its question: where one thread breaks the rule alone, the one that it ran may
 * have had the others do all of theirs before. So brute force looks for shorter ways with that
 * bound, and leaves every one as soon as it is as long as the shortest so far (x_too_long()).
 *
 * Each has so many executions and no more. What ends earlier has ruled a shorter way out.
 */
#include "tests/explore/internal.h"

#define RUNS 20000u /* of each search */

bool x_too_long(void)
{
	const struct x_result *r = x.result;

	return x.opt.strategy == X_BRUTE && r->preempts <= x.opt.bound &&
	       x.state.depth + 1 >= r->plan_len;
}

/* Looks for ways that are shorter than r's. False: it was stopped. */
static bool look(enum x_strategy strategy, unsigned bound, struct x_result *r)
{
	r->executions = r->redundant = 0;
	r->bounded = NULL;
	x.opt.strategy = strategy;
	x.opt.bound = bound;
	x.opt.shards = x.opt.shard = 0;
	x.opt.runs = RUNS;
	x.opt.go_on = true;
	x.result = r;
	x.shortening = true;
	x.noting = strategy == X_STATES;
	x_search();
	x.shortening = x.noting = false;
	return !x.stopped;
}

static bool is_way(const struct x_result *r)
{
	return r->plan_len != UINT32_MAX;
}

/* A way with that many preemptions. False: it was stopped, and there may be one. */
static bool find(unsigned bound, struct x_result *r)
{
	look(X_DPOR, bound, r);
	return is_way(r) || look(X_STATES, bound, r);
}

/* False: none was found with that many preemptions. */
static bool shortest(unsigned bound, struct x_result *r, const char *rule)
{
	bool all;

	memset(r, 0, sizeof(*r));
	r->broken = true;
	strcpy(r->rule, rule);
	r->preempts = r->plan_len = UINT32_MAX;
	all = find(bound, r);
	if (!is_way(r)) {
		r->unsure = !all;
		return false;
	}
	r->unsure = !look(X_BRUTE, bound, r);
	if (!is_way(r)) /* it learnt something, and the way of before is another order now */
		find(bound, r);
	return is_way(r);
}

void x_shorten(void)
{
	struct x_result *found = x.result;
	static struct x_result r;
	struct x_options opt = x.opt;
	bool unsure = false, is_there = false;

	for (unsigned bound = 0; bound <= found->preempts && !is_there; bound++) {
		is_there = shortest(bound, &r, found->rule);
		unsure |= r.unsure;
	}
	x.opt = opt;
	x.result = found;
	found->unsure = unsure;
	if (!is_there)
		return;
	found->plan_len = r.plan_len;
	found->preempts = r.preempts;
	memcpy(found->plan, r.plan, r.plan_len);
	strcpy(found->text, r.text);
	x.stale = false;
}
