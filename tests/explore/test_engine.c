/* SPDX-License-Identifier: MIT */
/*
 * The explorer against what can be counted by hand: programs of a few events (scenarios/engine.c).
 *
 * test_explore.c lets strategies agree with each other, which sees no fault that they share. Here a
 * number of outcomes, a race, a rule is known beforehand.
 */
#include "dax/dax.h"
#include "tests/explore/internal.h"
#include "tests/explore/scenarios/engine.h"

static struct x_result r;

SELFTEST(engine_outcomes, "explore.outcomes-counted",
	 "a program of a few events has the outcomes that are counted by hand, by every strategy "
	 "that goes through all orders, under both models")
{
	static const struct {
		const struct x_scenario *sc;
		unsigned sc_outcomes, tso_outcomes;
		const char *rule; /* of a finding that is one of them; NULL: there is none */
	} known[] = {
		{&engine_lock_kept, 2, 2, "I4"},    {&engine_readers_seen, 3, 3, NULL},
		{&engine_readers_meet, 3, 3, NULL}, {&engine_last_store, 2, 2, NULL},
		{&engine_half, 2, 2, NULL},	    {&engine_drain_order, 3, 3, NULL},
		{&engine_address, 1, 1, NULL},	    {&engine_timers, 1, 1, NULL},
		{&engine_only_early, 4, 4, NULL},   {&engine_held_open, 2, 2, "I4"},
		{&engine_held_closed, 1, 1, NULL},  {&engine_held_across, 2, 2, "I4"},
		{&engine_held_loop, 2, 2, "I4"},    {&engine_half_known, 2, 2, NULL},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(known); i++)
		for (unsigned n = 0; n < 2u * (X_STATES + 1); n++) {
			const struct x_scenario *sc = known[i].sc;
			bool tso = n % 2;
			struct x_options opt = x_all_orders((enum x_strategy)(n / 2), tso);
			unsigned want = tso ? known[i].tso_outcomes : known[i].sc_outcomes;

			opt.untaught = true; /* and it learns late */
			EXPECT(!explore_run(sc, &opt, &r) && r.complete, "%s: %s", sc->name,
			       r.text);
			EXPECT(r.outcomes == want, "%s model=%s strategy=%s: %u outcomes, not %u",
			       sc->name, tso ? "tso" : "sc", x_strategy_name(opt.strategy),
			       r.outcomes, want);
			EXPECT(r.broken == (known[i].rule != NULL) &&
				       (!r.broken || !strcmp(r.rule, known[i].rule)),
			       "%s: %s %s", sc->name, r.rule, r.text);
		}
}

SELFTEST(engine_waits, "explore.wait-is-one-event",
	 "a loop that spins makes one event while nobody changes what it looks at")
{
	struct x_options opt = x_all_orders(X_BRUTE, false);

	EXPECT(!explore_run(&engine_spin, &opt, &r) && r.complete && !r.broken, "%s", r.text);
	EXPECT(r.depth == 6, "three stores, a look, a wait and a look are %u events", r.depth);
	EXPECT(!explore_run(&engine_spin_own, &opt, &r) && r.complete && !r.broken, "%s", r.text);
	EXPECT(r.depth == 5, "a look, two stores, a wait and a look are %u events", r.depth);
}

SELFTEST(engine_sleep, "explore.sleep-is-an-event",
	 "others come between a thread's last look and its sleep")
{
	struct x_options opt = x_all_orders(X_BRUTE, false);

	EXPECT(!explore_run(&engine_sleep_window, &opt, &r) && r.complete && !r.broken, "%s",
	       r.text);
	EXPECT(r.outcomes == 4, "%u outcomes, not 4", r.outcomes);
}

SELFTEST(engine_turns, "explore.turns-are-all",
	 "others come between a mark and its wake; a sleep with interrupts off is interrupted")
{
	struct x_options opt = x_all_orders(X_BRUTE, false);

	EXPECT(!explore_run(&engine_wake_window, &opt, &r) && r.complete && !r.broken, "%s",
	       r.text);
	EXPECT(r.outcomes == 4, "%u outcomes, not 4", r.outcomes);
	for (unsigned n = 0; n < 2u * (X_STATES + 1); n++) {
		opt = x_all_orders((enum x_strategy)(n / 2), n % 2);
		EXPECT(!explore_run(&engine_sleep_closed, &opt, &r) && r.complete && !r.broken,
		       "strategy=%s: %s", x_strategy_name(opt.strategy), r.text);
	}
}

SELFTEST(engine_first, "explore.reverse-is-the-mirror",
	 "brute force begins with the first of three threads, and then with the next; in reverse "
	 "with the last, and then with the one before")
{
	for (uint32_t n = 0; n < 6; n++) {
		struct x_options opt = x_all_orders(X_BRUTE, false);
		unsigned others = n % 3; /* each of these is first in two orders */

		opt.reverse = n / 3;
		opt.go_on = false;
		engine_not_first = opt.reverse ? 2 - others : others;
		EXPECT(!explore_run(&engine_first, &opt, &r) && r.broken, "nothing is found");
		EXPECT(r.executions == 1 + 2 * others, "thread %u is first in execution %lu",
		       engine_not_first, (unsigned long)r.executions);
	}
}

SELFTEST(engine_known_orders, "explore.orders-are-new",
	 "of two threads that share nothing DPOR begins one order, with store buffers too")
{
	for (int tso = 0; tso < 2; tso++) {
		struct x_options opt = x_all_orders(X_DPOR, tso);

		EXPECT(!explore_run(&engine_apart, &opt, &r) && r.complete, "%s", r.text);
		EXPECT(r.executions == 1 && !r.redundant,
		       "model=%s: %lu executions, and %lu more were begun", tso ? "tso" : "sc",
		       (unsigned long)r.executions, (unsigned long)r.redundant);
	}
}

SELFTEST(engine_copies, "explore.copies-are-put-back",
	 "after each execution memory is as it was, also where a copy wrote many words")
{
	struct x_options opt = x_all_orders(X_BRUTE, false);

	opt.check = 1;
	EXPECT(!explore_run(&engine_copies, &opt, &r) && r.complete && !r.failed, "%s", r.text);
	EXPECT(r.executions > 1 && x.opt.check, "it was not compared");
}

SELFTEST(engine_mmu, "explore.mmu-is-modelled",
	 "a TLB keeps what it has until it is flushed, which is a finding in the end; a load marks "
	 "an "
	 "entry accessed, a store dirty")
{
	static const struct {
		const struct x_scenario *sc;
		const char *text; /* of the finding; NULL: there is none */
	} known[] = {{&engine_tlb_kept, "the TLB of CPU 0 still allows stores"},
		     {&engine_tlb_flushed, NULL},
		     {&engine_tlb_all, NULL},
		     {&engine_marks, NULL},
		     {&engine_marks_again, NULL}};

	for (unsigned i = 0; i < ARRAY_SIZE(known); i++) {
		struct x_options opt = x_all_orders(X_DPOR, false);

		EXPECT(!explore_run(known[i].sc, &opt, &r) && r.complete, "%s: %s",
		       known[i].sc->name, r.text);
		EXPECT(r.broken == (known[i].text != NULL) &&
			       (!r.broken || strstr(r.text, known[i].text)),
		       "%s: %s", known[i].sc->name, r.broken ? r.text : "nothing is found");
	}
}

SELFTEST(engine_step, "explore.step-is-asked",
	 "a rule that is broken between two events only is found, and a store does not overtake")
{
	static const struct x_scenario *const broken[] = {
		&engine_step,	    &engine_step_plain, &engine_rule_copied, &engine_rule_copies,
		&engine_rule_stack, &engine_rule_sleep, &engine_rule_wide};
	struct x_options opt = x_all_orders(X_DPOR, false);

	for (unsigned i = 0; i < ARRAY_SIZE(broken); i++)
		EXPECT(!explore_run(broken[i], &opt, &r) && r.broken && !strcmp(r.rule, "step"),
		       "%s: nothing is found", broken[i]->name);
	for (int tso = 0; tso < 2; tso++) {
		opt = x_all_orders(X_BRUTE, tso);
		EXPECT(!explore_run(&engine_plain_behind, &opt, &r) && r.complete && !r.broken,
		       "model=%s: %s", tso ? "tso" : "sc", r.text);
	}
}

SELFTEST(engine_freed_late, "explore.freed-and-stored-late",
	 "a store that comes out of a buffer behind a free is a finding, but for the freeing CPU's")
{
	for (unsigned tso = 0; tso < 2; tso++) {
		struct x_options opt = x_all_orders(X_DPOR, tso);

		EXPECT(!explore_run(&engine_free_told, &opt, &r), "%s", refusal());
		EXPECT(r.broken && strstr(r.text, "byte 8 of 24 of the heap is touched"),
		       "told first, model=%s: %s", tso ? "tso" : "sc",
		       r.broken ? r.text : "nothing is found");
		EXPECT(!explore_run(&engine_free_behind, &opt, &r), "%s", refusal());
		EXPECT(r.complete && !r.broken, "told last: %s", r.text);
		EXPECT(!explore_run(&engine_free_own, &opt, &r), "%s", refusal());
		EXPECT(r.complete && !r.broken, "its own store: %s", r.text);
	}
}

SELFTEST(
	engine_freed, "explore.freed-to-the-last-byte",
	"what was freed may not be touched, from its first page to its last byte, nor freed again, "
	"by a rule neither; what lies beside it may")
{
	static const struct {
		const struct x_scenario *sc;
		const char *text; /* NULL: nothing is found */
	} known[] = {
		{&engine_free_last,
		 "byte 23 of 24 of the heap is touched; frees freed it in frees+"},
		{&engine_free_step,
		 "byte 0 of 24 of the heap is touched; frees freed it in frees+"},
		{&engine_free_end, "byte 8 of 24 of the heap is touched; frees freed it in frees+"},
		{&engine_free_far, "; the set-up got it in make_large+"},
		{&engine_free_frame, "byte 4095 of 4096 of a frame is touched; first freed it in "
				     "takes_frame+"},
		{&engine_free_frame, "; first got it in takes_frame+"},
		{&engine_free_slab, "of engine is touched; first freed it in takes_slab+"},
		{&engine_free_slab, "; first got it in takes_slab+"},
		{&engine_free_twice, "byte 0 of 24 of the heap is freed once more"},
		{&engine_free_middle, "byte 4096 of 8192 of the heap is touched"},
		{&engine_free_beside, NULL},
		{&engine_frames, NULL},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(known); i++) {
		struct x_options opt = x_all_orders(X_DPOR, false);

		EXPECT(!explore_run(known[i].sc, &opt, &r), "%s", refusal());
		EXPECT(r.broken == (known[i].text != NULL) &&
			       (!r.broken ||
				(!strcmp(r.rule, "memory") && strstr(r.text, known[i].text))),
		       "%s: %s", known[i].sc->name, r.broken ? r.text : "nothing is found");
	}
}

/* The strategy with this bound finds the lost addition, which takes one switch that nobody asked
 * for. */
static bool finds(enum x_strategy strategy, unsigned bound)
{
	struct x_options opt = x_all_orders(strategy, false);

	opt.bound = bound;
	opt.runs = strategy == X_PCT ? 500 : 0;
	return !explore_run(x_scenario_find("litmus.add-apart"), &opt, &r) && r.broken;
}

SELFTEST(engine_bounds, "explore.depth-counts",
	 "what takes one switch is found with a depth of two or one delay, and not with less")
{
	EXPECT(!finds(X_PCT, 1), "pct finds it with no change of priorities: %s", r.text);
	EXPECT(finds(X_PCT, 2), "pct does not find it with one");
	EXPECT(!finds(X_DELAY, 0), "without a delay it is found: %s", r.text);
	EXPECT(r.executions == 1, "without a delay there are %lu orders",
	       (unsigned long)r.executions);
	EXPECT(finds(X_DELAY, 1), "one delay does not find it");
}

SELFTEST(engine_dice, "explore.dice-are-fair",
	 "of two that can go, random lets each go first in a third of the executions at least")
{
	struct x_options opt = x_all_orders(X_RANDOM, false);
	unsigned first = 0;

	opt.runs = 1;
	for (opt.seed = 1; opt.seed <= 300; opt.seed++) {
		EXPECT(!explore_run(&engine_last_store, &opt, &r), "%s", refusal());
		first += x.node[0].actor == 0;
	}
	EXPECT(first > 100 && first < 200, "the first one %u times of 300", first);
}

/* One exploration in slices of so many executions, each going on where the one before was stopped.
 */
static uint64_t in_slices(const struct x_scenario *sc, uint64_t runs)
{
	struct x_options opt = x_all_orders(X_DPOR, false);
	uint64_t sum = 0;

	opt.shards = 1;
	for (opt.runs = runs; opt.runs < 100000; opt.runs += runs) {
		if (explore_run(sc, &opt, &r) || r.failed)
			return 0;
		if (r.complete)
			return sum + r.executions;
		if (x.beginning == opt.from)
			continue; /* not one beginning was ended: a longer slice */
		sum += x.executions_before;
		opt.from = x.beginning;
		opt.runs = 0;
	}
	return 0;
}

SELFTEST(engine_slices, "explore.slices-are-the-whole",
	 "an exploration that is stopped and goes on from its last beginning runs each execution "
	 "once")
{
	const struct x_scenario *sc = x_scenario_find("peer.wait-two");
	struct x_options opt = x_all_orders(X_DPOR, false);
	uint64_t whole, slices;

	opt.shards = 1;
	EXPECT(!explore_run(sc, &opt, &r) && r.complete, "%s", r.text);
	whole = r.executions;
	for (uint64_t runs = 20; runs <= 80; runs *= 2) {
		slices = in_slices(sc, runs);
		EXPECT(slices == whole, "%lu executions in slices of %lu, %lu at once",
		       (unsigned long)slices, (unsigned long)runs, (unsigned long)whole);
	}
}

SELFTEST(engine_no_event, "explore.nothing-is-said",
	 "of threads without an event it is said that nothing was asked of them, and of no others")
{
	struct x_options opt = x_all_orders(X_DPOR, false);

	EXPECT(!explore_run(&engine_no_event, &opt, &r) && r.complete, "%s", r.text);
	EXPECT(x_saw_nothing(&r), "nothing is said, with %u events", r.depth);
	EXPECT(!explore_run(&engine_spin, &opt, &r) && r.complete, "%s", r.text);
	EXPECT(!x_saw_nothing(&r), "it is said, with %u events", r.depth);
}

SELFTEST(engine_tokens, "explore.token-is-its-order",
	 "the order that a token names is the one that it was made of, whatever repeats in it")
{
	static const uint8_t orders[][8] = {
		{0, 1, 2, 3}, {0, 0, 1, 1, 1, 2}, {3, 3, 3, 3, 3, 3, 3}, {0},
		{1, 1},	      {2, 0, 0, 2, 2, 2}};
	static const unsigned lengths[] = {4, 6, 7, 1, 2, 6};
	static char token[100];
	static uint8_t plan[X_DEPTH];
	const struct x_scenario *sc = x_scenario_find("litmus.message"), *named;
	struct x_options opt = x_all_orders(X_DPOR, false);
	unsigned len;

	for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++) {
		memcpy(r.plan, orders[i], lengths[i]);
		r.plan_len = lengths[i];
		x_token(sc, &r, token, sizeof(token));
		EXPECT(!x_token_parse(token, &named, &opt, plan, &len) && named == sc, "%s: %s",
		       token, refusal());
		EXPECT(len == lengths[i] && !memcmp(plan, orders[i], len), "%s is another order",
		       token);
	}
}
