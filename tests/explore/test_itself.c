/* SPDX-License-Identifier: MIT */
/*
 * What the explorer's own checks and figures are worth: whether the comparison of memory finds a
 * difference, whether the same order that comes to other events is refused, what is said of how far
 * it is, and whether the events that it takes for no choice are none.
 */
#include "dax/dax.h"
#include "tests/explore/internal.h"
#include "tests/explore/scenarios/engine.h"

#define UNION_MAX 256
#define RUNS	  3000u

static struct x_result one, other;

SELFTEST(itself_compared, "explore.unseen-is-found",
	 "memory that is written behind the hooks' back is found by the comparison with a copy, by "
	 "its name; without the comparison nothing says so")
{
	struct x_options opt = x_all_orders(X_BRUTE, false);

	EXPECT(!explore_run(&engine_unseen, &opt, &one) && one.complete && !one.failed, "%s",
	       one.text);
	opt.check = 1;
	EXPECT(!explore_run(&engine_unseen, &opt, &one), "%s", refusal());
	EXPECT(one.failed && strstr(one.text, "unseen") && strstr(one.text, "is not as it was"),
	       "%s", one.failed ? one.text : "nothing is found");
}

SELFTEST(itself_other, "explore.other-events-are-refused",
	 "an order that comes to other events than before, as something is not put back, ends the "
	 "exploration by a sentence")
{
	struct x_options opt = x_all_orders(X_BRUTE, false);

	opt.afresh = true;
	EXPECT(!explore_run(&engine_by_turns, &opt, &one), "%s", refusal());
	EXPECT(one.failed && strstr(one.text, "differs from the same event"), "%s",
	       one.failed ? one.text : "nothing is found");
}

/* What is said of how far the exploration is, behind so many executions. */
static unsigned part_behind(enum x_strategy strategy, uint64_t runs, bool all)
{
	struct x_options opt = x_all_orders(strategy, false);

	opt.go_on = true;
	opt.runs = runs;
	if (explore_run(&engine_first, &opt, &one) || one.executions != runs)
		return UINT32_MAX;
	if (all)
		x.opt.runs = 2 * runs;
	return x_done_part();
}

SELFTEST(itself_estimate, "explore.estimate-grows",
	 "of six orders that are alike a sixth more is done behind each; of executions by dice as "
	 "many are done as there were, of those that were asked for")
{
	for (unsigned runs = 1; runs <= 6; runs++) {
		unsigned part = part_behind(X_BRUTE, runs, false), want = (runs - 1) * 1000 / 6;

		EXPECT(part <= want && part + 2 >= want,
		       "behind %u of 6 orders, the last one not counted: %u per mille, not %u",
		       runs, part, want);
	}
	for (enum x_strategy s = X_PCT; s <= X_RANDOM; s++) {
		EXPECT(part_behind(s, 100, false) == 1000, "%s: all of 100 are %u per mille",
		       x_strategy_name(s), x_done_part());
		EXPECT(part_behind(s, 100, true) == 500, "%s: 100 of 200 are %u per mille",
		       x_strategy_name(s), x_done_part());
	}
}

SELFTEST(itself_time, "explore.time-is-a-bound",
	 "when the time is over the exploration ends behind the execution that it is at, and says "
	 "so")
{
	for (enum x_strategy s = X_BRUTE; s < X_STRATEGIES; s++) {
		struct x_options opt = x_all_orders(s, false);

		opt.time_ns = 1;
		opt.runs = 100;
		EXPECT(!explore_run(&engine_first, &opt, &one), "%s", refusal());
		EXPECT(one.executions == 1 && !one.complete && !strcmp(one.bounded, "time"),
		       "strategy=%s: %lu executions, bounded by %s", x_strategy_name(s),
		       (unsigned long)one.executions, one.bounded ? one.bounded : "nothing");
	}
}

/* Which of two threads is first, with this seed, in this part of two. */
static unsigned first_by(enum x_strategy strategy, uint64_t seed, unsigned shard)
{
	struct x_options opt = x_all_orders(strategy, false);

	opt.runs = opt.bound = 1;
	opt.seed = seed;
	opt.shards = 2;
	opt.shard = shard;
	return explore_run(&engine_last_store, &opt, &one) ? 2 : x.node[0].actor;
}

SELFTEST(itself_dice, "explore.dice-differ",
	 "of two threads pct and random let each be first by a third of the seeds at least, and in "
	 "two parts of one exploration they throw other dice")
{
	for (enum x_strategy s = X_PCT; s <= X_RANDOM; s++) {
		unsigned first = 0, other_dice = 0;

		for (uint64_t seed = 1; seed <= 300; seed++) {
			unsigned here = first_by(s, seed, 0), there = first_by(s, seed, 1);

			first += here == 0;
			other_dice += here != there;
		}
		EXPECT(first > 100 && first < 200, "%s: the first one %u times of 300",
		       x_strategy_name(s), first);
		EXPECT(other_dice > 100 && other_dice < 200, "%s: otherwise %u times of 300",
		       x_strategy_name(s), other_dice);
	}
}

/* Is every outcome of seen[] among those of the last exploration? */
static bool all_there(const uint64_t *seen, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		uint64_t o;
		unsigned k = 0;

		while ((o = x_outcome_nth(k)) && o != seen[i])
			k++;
		if (!o)
			return false;
	}
	return true;
}

/* The scenario as it is, and with more choice points. Nothing may be lost; where only turns are
 * more, nothing may be new either. A sentence if not; NULL. */
static const char *with_more(const struct x_scenario *sc, bool tso, enum x_more more,
			     unsigned *compared, unsigned *longer)
{
	static uint64_t seen[UNION_MAX];
	static char text[160];
	struct x_options opt = x_all_orders(X_DPOR, tso);
	unsigned n = 0;
	bool lost;

	opt.runs = RUNS;
	if (explore_run(sc, &opt, &one))
		return refusal();
	for (uint64_t o; n < UNION_MAX && (o = x_outcome_nth(n)); n++)
		seen[n] = o;
	opt.more = (uint8_t)more;
	if (explore_run(sc, &opt, &other))
		return refusal();
	if (!one.complete || !other.complete || n == UNION_MAX)
		return NULL;
	++*compared;
	*longer += other.depth > one.depth;
	lost = !all_there(seen, n) || other.broken < one.broken;
	if (!lost && (more == X_MORE_ACCESSES ||
		      (one.outcomes == other.outcomes && one.broken == other.broken)))
		return NULL;
	snprintf(text, sizeof(text), "%s model=%s: %u outcomes%s, with more choice points %u%s%s",
		 sc->name, tso ? "tso" : "sc", one.outcomes, one.broken ? ", broken" : "",
		 other.outcomes, other.broken ? ", broken" : "",
		 lost ? ", and of the first some are not among them" : "");
	return text;
}

SELFTEST(itself_more, "explore.more-points-lose-nothing",
	 "with a choice at each event that else follows at once, and interrupts off and on, the "
	 "outcomes and findings are the same; with each plain access an event, none is lost")
{
	const struct x_scenario *sc;
	const char *why;
	unsigned turns = 0, accesses = 0, longer[2] = {0, 0};

	for (unsigned i = 0; (sc = x_scenario_nth(i)); i++)
		for (unsigned n = 0; n < 4 && !sc->large && !sc->lifetimes; n++) {
			enum x_more more = n / 2 ? X_MORE_ACCESSES : X_MORE_TURNS;

			why = with_more(sc, n % 2, more, n / 2 ? &accesses : &turns,
					&longer[n / 2]);
			EXPECT(!why, "%s", why);
		}
	EXPECT(turns >= 80 && accesses >= 60 && longer[0] >= 20 && longer[1] >= 40,
	       "with more turns %u explorations ended, %u of them deeper; with more accesses %u "
	       "and %u",
	       turns, longer[0], accesses, longer[1]);
}

SELFTEST(itself_device, "explore.devices-preempt",
	 "a device that comes between two stores of a thread takes one preemption")
{
	for (unsigned n = 0; n < 6; n++) {
		struct x_options opt = x_all_orders(n / 2 == 0	 ? X_BRUTE
						    : n / 2 == 1 ? X_DPOR
								 : X_STATES,
						    false);

		opt.bound = n % 2;
		EXPECT(!explore_run(&engine_device_between, &opt, &one), "%s", refusal());
		EXPECT(one.broken == (n % 2), "strategy=%s bound=%u: %s",
		       x_strategy_name(opt.strategy), opt.bound,
		       one.broken ? one.text : "nothing is found");
	}
}

SELFTEST(itself_alike, "explore.begins-with-zeroes",
	 "an exploration finds zeroes in the heap, in a frame and on a stack where the one before "
	 "has written")
{
	struct x_options opt = x_all_orders(X_RANDOM, false);

	opt.runs = 1;
	for (unsigned n = 0; n < 3; n++) {
		EXPECT(!explore_run(&engine_alike, &opt, &one) && !one.failed && !one.broken, "%s",
		       one.text);
		EXPECT(!engine_left[0] && !engine_left[1],
		       "exploration %u finds 0x%lx in the heap, 0x%lx in a frame", n,
		       engine_left[0], engine_left[1]);
	}
}

/* Executions, with those that were begun again, and events of it, by states, which learn meanwhile;
 * zero: it does not run. */
static uint64_t steps_of(const struct x_scenario *sc)
{
	struct x_options opt = x_all_orders(X_STATES, false);

	opt.untaught = true;
	return explore_run(sc, &opt, &one) || one.failed ? 0 : one.runs << 32 | one.steps;
}

SELFTEST(
	itself_again, "explore.begins-knowing-nothing",
	"an exploration runs as many executions and events as it ran before another scenario's, of "
	"which something was learnt")
{
	static const struct x_scenario *const all[] = {&engine_tlb_shot,    &engine_relied_flush,
						       &engine_half,	    &engine_held_open,
						       &engine_held_closed, &engine_race_stored};

	for (unsigned i = 0; i < ARRAY_SIZE(all); i++)
		for (unsigned k = 0; k < ARRAY_SIZE(all); k++) {
			uint64_t before = steps_of(all[i]), then;

			EXPECT(steps_of(all[k]), "%s: %s", all[k]->name, one.text);
			then = steps_of(all[i]);
			EXPECT(before && then == before,
			       "%s: 0x%lx executions and events, behind %s 0x%lx", all[i]->name,
			       before, all[k]->name, then);
		}
}
