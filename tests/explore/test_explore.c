/* SPDX-License-Identifier: MIT */
/*
 * The explorer checks itself: strategies that must agree do, what is known to break is found, and
 * what was found is found again from its token.
 */
#include "dax/dax.h"
#include "tests/explore/internal.h"

MUSEUM(half_backtrack, "half-backtrack",
       "DPOR forgets every second of the orders that it owes; shown by selftest "
       "explore.brute-equals-dpor");

#define UNION_MAX  64  /* outcomes that are kept */
#define SMALL_RUNS 500 /* a scenario that brute force needs more executions for is not small */

static struct x_result one, other;
static unsigned compared;

struct x_options x_all_orders(enum x_strategy strategy, bool tso)
{
	return (struct x_options){.lifetime = LIFETIME_DEFAULT,
				  .lifetime_name = LIFETIME_DEFAULT->name,
				  .strategy = strategy,
				  .tso = tso,
				  .bound = X_UNBOUND,
				  .go_on = true,
				  .quick = true,
				  .seed = 1};
}

static bool is_small(const struct x_scenario *sc)
{
	return !sc->large && !sc->lifetimes;
}

/* The same outcomes and the same findings? A sentence if not. */
static const char *differ(const struct x_scenario *sc, struct x_options a, struct x_options b)
{
	static char text[200];

	a.runs = a.runs ? a.runs : SMALL_RUNS;
	b.runs = SMALL_RUNS;
	if (explore_run(sc, &a, &one)) {
		snprintf(text, sizeof(text), "%s does not run: %s", sc->name, refusal());
		return text;
	}
	if ((one.bounded && !one.failed && a.bound == X_UNBOUND))
		return NULL; /* not small */
	compared++;
	if (!one.failed && explore_run(sc, &b, &other))
		return refusal();
	if (one.failed || other.failed) {
		snprintf(text, sizeof(text), "%s: %s", sc->name,
			 one.failed ? one.text : other.text);
		return text;
	}
	if (one.executions >= SMALL_RUNS || other.executions >= SMALL_RUNS)
		return NULL;
	if (one.outcome_sum == other.outcome_sum && one.outcomes == other.outcomes &&
	    one.broken == other.broken)
		return NULL;
	snprintf(text, sizeof(text),
		 "%s model=%s: %u outcomes of %lu executions, and %u outcomes of %lu", sc->name,
		 a.tso ? "tso" : "sc", one.outcomes, (unsigned long)one.executions, other.outcomes,
		 (unsigned long)other.executions);
	return text;
}

SELFTEST(explore_brute_dpor, "explore.brute-equals-dpor",
	 "brute force and DPOR find the same outcomes of every small scenario, under both models")
{
	const struct x_scenario *sc;
	const char *why;

	compared = 0;
	for (unsigned i = 0; (sc = x_scenario_nth(i)); i++)
		for (int tso = 0; tso < 2 && is_small(sc); tso++) {
			struct x_options brute = x_all_orders(X_BRUTE, tso),
					 dpor = x_all_orders(X_DPOR, tso);

			brute.runs = SMALL_RUNS;
			dpor.half = museum_on(half_backtrack);
			why = differ(sc, brute, dpor);
			EXPECT(!why, "%s", why);
			EXPECT(one.bounded || one.failed || other.executions <= one.executions,
			       "%s: DPOR takes %lu executions, brute force %lu", sc->name,
			       (unsigned long)other.executions, (unsigned long)one.executions);
		}
	EXPECT(compared >= 16, "only %u explorations were small enough", compared);
}

SELFTEST(explore_chains, "explore.chains-are-all",
	 "of the events before it DPOR needs those alone that touched one of its places")
{
	const struct x_scenario *sc;

	for (unsigned i = 0; (sc = x_scenario_nth(i)); i++)
		for (int tso = 0; tso < 2 && is_small(sc); tso++) {
			struct x_options chains = x_all_orders(X_DPOR, tso), all = chains;

			chains.runs = all.runs = SMALL_RUNS;
			all.whole = true;
			EXPECT(!explore_run(sc, &chains, &one) && !explore_run(sc, &all, &other),
			       "%s: %s", sc->name, refusal());
			EXPECT(one.executions == other.executions && one.steps == other.steps &&
				       one.outcome_sum == other.outcome_sum,
			       "%s: %lu executions by chains, %lu by all events", sc->name,
			       (unsigned long)one.executions, (unsigned long)other.executions);
		}
}

/* Is every outcome of the last exploration in seen[]? */
static bool all_in(const uint64_t *seen, unsigned n)
{
	uint64_t o;

	for (unsigned i = 0; (o = x_outcome_nth(i)); i++) {
		unsigned k = 0;

		while (k < n && seen[k] != o)
			k++;
		if (k == n)
			return false;
	}
	return true;
}

SELFTEST(explore_models, "explore.tso-includes-sc",
	 "what comes out where stores are seen at once comes out with store buffers as well")
{
	static uint64_t seen[UNION_MAX];
	const struct x_scenario *sc;
	unsigned n, together = 0;
	uint64_t o;

	for (unsigned i = 0; (sc = x_scenario_nth(i)); i++) {
		struct x_options tso = x_all_orders(X_DPOR, true),
				 plain = x_all_orders(X_DPOR, false);

		if (!is_small(sc))
			continue;
		tso.runs = plain.runs = SMALL_RUNS;
		EXPECT(!explore_run(sc, &tso, &one), "%s: %s", sc->name, refusal());
		for (n = 0; n < UNION_MAX && (o = x_outcome_nth(n)); n++)
			seen[n] = o;
		EXPECT(!explore_run(sc, &plain, &other), "%s: %s", sc->name, refusal());
		if (!one.complete || !other.complete || n == UNION_MAX)
			continue;
		together++;
		EXPECT(all_in(seen, n),
		       "%s: %u outcomes under sc, of which tso, with %u, lacks some", sc->name,
		       other.outcomes, one.outcomes);
	}
	EXPECT(together >= 16, "only %u scenarios were small enough", together);
}

SELFTEST(explore_sleep, "explore.sleep-sets-equal-dpor",
	 "sleep sets and DPOR find the same outcomes")
{
	const struct x_scenario *sc;
	const char *why;

	for (unsigned i = 0; (sc = x_scenario_nth(i)); i++)
		if (is_small(sc)) {
			struct x_options sleep = x_all_orders(X_SLEEP_SETS, false);

			sleep.runs = SMALL_RUNS;
			why = differ(sc, sleep, x_all_orders(X_DPOR, false));
			EXPECT(!why, "%s", why);
		}
}

SELFTEST(explore_orders, "explore.orders-agree",
	 "DPOR finds the same outcomes whichever actor it tries first")
{
	const struct x_scenario *sc;
	const char *why;
	unsigned other_ways = 0;

	compared = 0;
	for (unsigned i = 0; (sc = x_scenario_nth(i)); i++)
		for (int tso = 0; tso < 2 && is_small(sc); tso++) {
			struct x_options forward = x_all_orders(X_DPOR, tso), reverse = forward;

			reverse.reverse = true;
			why = differ(sc, forward, reverse);
			EXPECT(!why, "%s", why);
			other_ways += one.steps != other.steps;
		}
	EXPECT(compared >= 80 && other_ways >= 10,
	       "%u were small enough, of which %u ran other ways in reverse", compared, other_ways);
}

SELFTEST(explore_bounds, "explore.bounds-agree",
	 "with the same preemption bound brute force and DPOR find the same outcomes")
{
	const struct x_scenario *sc;
	const char *why;

	for (unsigned i = 0; (sc = x_scenario_nth(i)); i++)
		for (unsigned bound = 0; bound < 2 && is_small(sc); bound++) {
			struct x_options brute = x_all_orders(X_BRUTE, false);
			struct x_options dpor = x_all_orders(X_DPOR, false);

			brute.runs = SMALL_RUNS;
			brute.bound = dpor.bound = bound;
			why = differ(sc, brute, dpor);
			EXPECT(!why, "bound %u: %s", bound, why);
		}
}

SELFTEST(explore_states, "explore.states-equal-brute",
	 "brute force finds what is found when each state is explored once, with and without a "
	 "bound, under both models")
{
	static const uint32_t bounds[] = {0, 1, 2, X_UNBOUND};
	const struct x_scenario *sc;
	const char *why;

	compared = 0;
	for (unsigned i = 0; (sc = x_scenario_nth(i)); i++)
		for (unsigned n = 0; n < 2 * ARRAY_SIZE(bounds) && is_small(sc); n++) {
			struct x_options brute = x_all_orders(X_BRUTE, n % 2);
			struct x_options states = x_all_orders(X_STATES, n % 2);

			brute.bound = states.bound = bounds[n / 2];
			why = differ(sc, brute, states);
			EXPECT(!why, "bound %d: %s", (int)bounds[n / 2], why);
		}
	EXPECT(compared >= 128, "only %u explorations were small enough", compared);
}

SELFTEST(explore_bound_counts, "explore.bound-counts",
	 "a finding that takes a preemption is found with a bound of one, and with none it is not")
{
	const struct x_scenario *sc = x_scenario_find("wait.woken-too-early");

	for (enum x_strategy s = X_BRUTE; s <= X_DPOR; s++)
		for (unsigned bound = 0; bound < 2; bound++) {
			struct x_options opt = x_all_orders(s, false);

			opt.bound = bound;
			EXPECT(!explore_run(sc, &opt, &one), "%s", refusal());
			EXPECT(one.broken == (bound == 1), "%s bound=%u: %s", x_strategy_name(s),
			       bound, one.broken ? one.text : "nothing is found");
			EXPECT(!one.broken || one.preempts == 1, "%u preemptions", one.preempts);
		}
}

SELFTEST(explore_findings, "explore.known-findings",
	 "what is known to break is found, everything else is safe, and memory is put back")
{
	const struct x_scenario *sc;

	for (unsigned i = 0; (sc = x_scenario_nth(i)); i++)
		for (int tso = 0; tso < 2 && is_small(sc); tso++) {
			struct x_options opt = x_all_orders(X_DPOR, tso);
			bool known = sc->breaks || (sc->breaks_tso && tso);

			opt.go_on = false;
			opt.check = 64;
			opt.runs = SMALL_RUNS;
			EXPECT(!explore_run(sc, &opt, &one), "%s: %s", sc->name, refusal());
			EXPECT(!one.failed, "%s: %s", sc->name, one.text);
			EXPECT(one.broken == known, "%s model=%s is %s%s%s", sc->name,
			       tso ? "tso" : "sc", one.broken ? "broken: " : "safe", one.rule,
			       one.text);
		}
}

SELFTEST(explore_replay, "explore.token-replays",
	 "the token of a finding leads to the same finding, and is the shortest way to it")
{
	static char token[X_DEPTH * 3];
	static uint8_t plan[X_DEPTH];
	struct x_options opt = x_all_orders(X_DPOR, false);
	const struct x_scenario *sc = x_scenario_find("wait.woken-too-early"), *named;
	unsigned len;

	opt.go_on = opt.quick = false;
	EXPECT(!explore_run(sc, &opt, &one) && one.broken, "the finding is not there: %s",
	       one.text);
	EXPECT(one.preempts <= 1, "one preemption is enough, not %u", one.preempts);
	x_token(sc, &one, token, sizeof(token));
	EXPECT(!x_token_parse(token, &named, &opt, plan, &len), "%s: %s", token, refusal());
	EXPECT(named == sc && len == one.plan_len, "%s is read as %s with %u events", token,
	       named->name, len);
	EXPECT(!explore_replay(sc, &opt, true, plan, len, &other), "%s", refusal());
	EXPECT(other.broken && !strcmp(one.rule, other.rule) && !strcmp(one.text, other.text),
	       "%s says: %s", token, other.text);
}

SELFTEST(explore_bad_tokens, "explore.bad-tokens", "a word that is no token is refused")
{
	static const char *const bad[] = {"",
					  "litmus.message",
					  "litmus.message:-:sc",
					  "no.such:-:sc:a",
					  "litmus.message:none:sc:a",
					  "litmus.message:busy-extent:sc:a",
					  "page.put-truncate:-:sc:a",
					  "page.put-truncate:none:sc:a",
					  "litmus.message:-:pso:a",
					  "litmus.message:-:sc:A",
					  "litmus.message:-:sc:a0",
					  "litmus.message:-:sc:a99999",
					  "litmus.message:-:sc:a4294967297",
					  "litmus.message:-:sc:q",
					  "litmus.message:-:sc:3a",
					  "litmus.message:-:sc:a b",
					  ":::",
					  "litmus.message:-:sc:a:a"};
	static uint8_t plan[X_DEPTH];
	static char long_one[1000];
	const struct x_scenario *sc;
	struct x_options opt;
	unsigned len;

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT(x_token_parse(bad[i], &sc, &opt, plan, &len) == -EINVAL, "'%s' passes",
		       bad[i]);
	EXPECT(x_token_parse("litmus.message:-:sc:a99999", &sc, &opt, plan, &len) &&
		       strstr(refusal(), "more events than"),
	       "%s", refusal());
	memset(long_one, 'x', sizeof(long_one) - 1);
	EXPECT(x_token_parse(long_one, &sc, &opt, plan, &len) &&
		       strstr(refusal(), "colons between"),
	       "%s", refusal());
	opt = x_all_orders(X_DPOR, false);
	memset(plan, 7, sizeof(plan));
	sc = x_scenario_find("litmus.message");
	EXPECT(!explore_replay(sc, &opt, true, plan, 5, &one) && one.failed,
	       "an order of actors that are not there is run");
}

SELFTEST(explore_races, "explore.races-listed",
	 "two plain additions are listed as a race, and nothing else of the litmus tests is")
{
	struct x_options opt = x_all_orders(X_DPOR, false);

	EXPECT(!explore_run(x_scenario_find("litmus.race"), &opt, &one), "%s", refusal());
	EXPECT(one.races && !one.broken, "%u races", one.races);
	EXPECT(!explore_run(x_scenario_find("litmus.race-read"), &opt, &one), "%s", refusal());
	EXPECT(one.races == 1 && !one.broken, "%u races of a load with a store", one.races);
	EXPECT(!explore_run(x_scenario_find("litmus.race-intended"), &opt, &one), "%s", refusal());
	EXPECT(!one.races, "%u races that are marked as meant", one.races);
	EXPECT(!explore_run(x_scenario_find("litmus.locks-ordered"), &opt, &one), "%s", refusal());
	EXPECT(!one.races, "%u races under a lock", one.races);
	EXPECT(!explore_run(x_scenario_find("litmus.message"), &opt, &one), "%s", refusal());
	EXPECT(!one.races, "%u races of a message that was waited for", one.races);
	opt.shards = 1;
	EXPECT(!explore_run(x_scenario_find("litmus.race-read"), &opt, &one), "%s", refusal());
	EXPECT(one.races == 1, "%u races where something is learnt before", one.races);
}

SELFTEST(explore_random, "explore.random-repeats",
	 "random strategies repeat with their seed, and find a lost wake")
{
	const struct x_scenario *sc = x_scenario_find("wait.woken-too-early");

	for (enum x_strategy s = X_PCT; s <= X_RANDOM; s++) {
		struct x_options opt = x_all_orders(s, false);

		opt.runs = 500;
		opt.bound = 3;
		EXPECT(!explore_run(sc, &opt, &one) && !explore_run(sc, &opt, &other), "%s",
		       refusal());
		EXPECT(one.broken, "%s misses it", x_strategy_name(s));
		EXPECT(one.steps == other.steps && one.outcome_sum == other.outcome_sum,
		       "%s: %lu events, then %lu", x_strategy_name(s), (unsigned long)one.steps,
		       (unsigned long)other.steps);
	}
}

/* Without the exhibit both are safe: explore.known-findings. */
SELFTEST(explore_fences, "explore.barrier-needed",
	 "with its barrier taken away a wake is lost under tso, and under sc it is not")
{
	struct museum *m = museum_find("wake-unfenced");
	const struct x_scenario *sc = x_scenario_find("wait.message");
	struct x_options sc_options = x_all_orders(X_DPOR, false),
			 tso_options = x_all_orders(X_DPOR, true);
	int err;

	EXPECT(m && sc, "the exhibit is gone");
	m->on = true;
	err = explore_run(sc, &sc_options, &one);
	err = err ? err : explore_run(sc, &tso_options, &other);
	m->on = false;
	EXPECT(!err, "%s", refusal());
	EXPECT(one.complete && !one.broken, "under sc: %s", one.text);
	EXPECT(other.broken && !strcmp(other.rule, "I4"), "under tso: %s", other.text);
}

/* Adds the outcomes of the last exploration to seen[]; value: how many there are now. */
static unsigned unite(uint64_t *seen, unsigned n)
{
	uint64_t o;

	for (unsigned i = 0; (o = x_outcome_nth(i)); i++) {
		unsigned k = 0;

		while (k < n && seen[k] != o)
			k++;
		if (k == n && n < UNION_MAX)
			seen[n++] = o;
	}
	return n;
}

/* n parts of it: the executions of all, and how many outcomes they have together. 0, or not. */
static int run_parts(const struct x_scenario *sc, unsigned n, uint64_t *executions,
		     unsigned *outcomes)
{
	static uint64_t seen[UNION_MAX];
	struct x_options opt = x_all_orders(X_DPOR, false);

	*executions = *outcomes = 0;
	opt.shards = n;
	for (opt.shard = 0; opt.shard < n; opt.shard++) {
		if (explore_run(sc, &opt, &other) || !other.complete)
			return -EIO;
		*executions += other.executions;
		*outcomes = unite(seen, *outcomes);
	}
	return 0;
}

SELFTEST(explore_shards, "explore.shards-are-the-whole",
	 "however many parts an exploration has, together they make the same executions, and find "
	 "the outcomes of the whole")
{
	/* The second one is over before a beginning is. */
	static const char *const names[] = {"lock.mutex", "litmus.message", "peer.wait-two"};

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		const struct x_scenario *sc = x_scenario_find(names[i]);
		struct x_options opt = x_all_orders(X_DPOR, false);
		uint64_t whole, sum;
		unsigned outcomes;

		EXPECT(!explore_run(sc, &opt, &one) && one.complete, "%s", one.text);
		EXPECT(!run_parts(sc, 1, &whole, &outcomes), "%s: %s", names[i], other.text);
		for (unsigned n = 2; n <= 5; n++) {
			EXPECT(!run_parts(sc, n, &sum, &outcomes), "%s: %s", names[i], other.text);
			EXPECT(sum == whole && outcomes == one.outcomes,
			       "%s in %u parts: %lu executions and %u outcomes; in one: %lu and %u",
			       names[i], n, (unsigned long)sum, outcomes, (unsigned long)whole,
			       one.outcomes);
		}
	}
}
