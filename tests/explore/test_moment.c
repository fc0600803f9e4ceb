/* SPDX-License-Identifier: MIT */
/* Explorations whose executions begin in the middle are those whose executions begin at the start.
 */
#include "dax/dax.h"
#include "tests/explore/internal.h"
#include "tests/explore/scenarios/engine.h"

#define RUNS 40

static struct x_result one, other;

/* Every strategy that goes through all orders, forward and in reverse, comes to its turn. */
static struct x_options some_options(unsigned n)
{
	struct x_options opt = x_all_orders(n % 3   ? X_DPOR
					    : n % 2 ? X_SLEEP_SETS
						    : X_BRUTE,
					    n / 2 % 2);

	opt.reverse = n / 4 % 2;
	opt.runs = RUNS;
	return opt;
}

static bool same(void)
{
	return one.executions == other.executions && one.redundant == other.redundant &&
	       one.steps == other.steps && one.depth == other.depth && one.races == other.races &&
	       one.outcome_sum == other.outcome_sum && one.complete == other.complete;
}

SELFTEST(explore_moments, "explore.moments-are-the-start",
	 "executions that begin where they leave the one before tell what they tell from their "
	 "first event on")
{
	const struct x_scenario *sc;
	unsigned n = 0, went = 0;

	for (unsigned i = 0; (sc = x_scenario_nth(i)); i++)
		for (unsigned k = 0; k < 2; k++) {
			struct x_options opt = some_options(n++);

			if (explore_run(sc, &opt, &one))
				continue; /* it is not for this machine */
			opt.afresh = true;
			EXPECT(!explore_run(sc, &opt, &other), "%s: %s", sc->name, refusal());
			EXPECT(!one.failed && !other.failed, "%s: %s%s", sc->name, one.text,
			       other.text);
			EXPECT(same(),
			       "%s model=%s strategy=%s%s: %lu executions of %lu events and %u "
			       "races, from the first event on %lu of %lu and %u",
			       sc->name, opt.tso ? "tso" : "sc", x_strategy_name(opt.strategy),
			       opt.reverse ? " in reverse" : "", (unsigned long)one.executions,
			       (unsigned long)one.steps, one.races, (unsigned long)other.executions,
			       (unsigned long)other.steps, other.races);
			went++;
		}
	EXPECT(went > 300, "only %u explorations were compared", went);
}

SELFTEST(explore_moments_deep, "explore.moments-with-stores",
	 "what left a buffer between two moments is there again behind the later one")
{
	const struct x_scenario *sc = x_scenario_find("rwsem.two-readers");
	struct x_options opt = x_all_orders(X_STATES, true);

	opt.bound = 2;
	EXPECT(!explore_run(sc, &opt, &one) && !one.failed, "%s", one.text);
	opt.afresh = true;
	EXPECT(!explore_run(sc, &opt, &other) && !other.failed, "%s", other.text);
	EXPECT(same(), "%lu executions of %lu events, from the first event on %lu of %lu",
	       (unsigned long)one.executions, (unsigned long)one.steps,
	       (unsigned long)other.executions, (unsigned long)other.steps);
}

SELFTEST(explore_moments_timers, "explore.moments-with-timers",
	 "what a timer that was armed before a moment will do is known behind it")
{
	for (unsigned n = 0; n < 4; n++) {
		struct x_options opt = x_all_orders(n / 2 ? X_SLEEP_SETS : X_DPOR, n % 2);

		EXPECT(!explore_run(&engine_timer_kept, &opt, &one) && one.complete, "%s",
		       one.text);
		EXPECT(one.outcomes == 2, "%u orders of two interrupts", one.outcomes);
		opt.afresh = true;
		EXPECT(!explore_run(&engine_timer_kept, &opt, &other) && other.complete, "%s",
		       other.text);
		EXPECT(same(), "%lu executions of %lu events, from the first event on %lu of %lu",
		       (unsigned long)one.executions, (unsigned long)one.steps,
		       (unsigned long)other.executions, (unsigned long)other.steps);
	}
}

SELFTEST(explore_moments_clock, "explore.moments-with-clocks",
	 "what the clock was at a moment, and which timer was at work, is so again behind it")
{
	const struct x_scenario *const all[] = {&engine_clock_kept, &engine_timer_going};

	for (unsigned n = 0; n < 8; n++) {
		const struct x_scenario *sc = all[n / 4];
		struct x_options opt = x_all_orders(n / 2 % 2 ? X_SLEEP_SETS : X_DPOR, n % 2);

		opt.runs = 500;
		EXPECT(!explore_run(sc, &opt, &one) && !one.failed && !one.broken, "%s: %s",
		       sc->name, one.text);
		opt.afresh = true;
		EXPECT(!explore_run(sc, &opt, &other) && !other.failed, "%s", other.text);
		EXPECT(same(),
		       "%s: %lu executions of %lu events, from the first event on %lu of %lu",
		       sc->name, (unsigned long)one.executions, (unsigned long)one.steps,
		       (unsigned long)other.executions, (unsigned long)other.steps);
	}
}
