/* SPDX-License-Identifier: MIT */
/*
 * Whether the explorer sees what it says that it sees: calls to other CPUs, page tables and TLBs,
 * stores of several words, calls that copy. Of each there is a program whose outcomes, races or
 * finding are counted by hand (scenarios/engine_*.c).
 */
#include "dax/dax.h"
#include "tests/explore/internal.h"
#include "tests/explore/scenarios/engine.h"

static struct x_result r;

SELFTEST(seen_counted, "explore.places-are-met",
	 "what competes for a place has the outcomes that are counted by hand, by every strategy "
	 "and under both models: a call, an access by way of the page tables, several words at "
	 "once, a lock that is tried, a timer")
{
	static const struct {
		const struct x_scenario *sc;
		unsigned outcomes;
	} known[] = {{&engine_post_window, 3},	   {&engine_call_all, 1},
		     {&engine_mmu_last, 2},	   {&engine_mmu_marked, 2},
		     {&engine_tlb_shot, 3},	   {&engine_tlb_posted, 3},
		     {&engine_wide_set, 3},	   {&engine_wide_late, 3},
		     {&engine_wide_assigned, 3},   {&engine_wide_twice, 2},
		     {&engine_lock_tried, 2},	   {&engine_volatile, 2},
		     {&engine_wide_unseen, 3},	   {&engine_lock_written, 1},
		     {&engine_exchanged, 3},	   {&engine_stack_stores, 1},
		     {&engine_sleep_timed, 1},	   {&engine_sleep_signalled, 1},
		     {&engine_timer_cancelled, 2}, {&engine_fenced_by_slab, 3},
		     {&engine_answer_within, 9},   {&engine_answer_behind, 9},
		     {&engine_pause_over, 4},	   {&engine_readers_write, 4},
		     {&engine_readers_count, 4},   {&engine_last_byte, 4},
		     {&engine_timer_two, 3},	   {&engine_timer_both, 2},
		     {&engine_mmu_dirtied, 2}};

	for (unsigned i = 0; i < ARRAY_SIZE(known); i++)
		for (unsigned n = 0; n < 2u * (X_STATES + 1); n++) {
			struct x_options opt = x_all_orders((enum x_strategy)(n / 2), n % 2);

			if (opt.strategy == X_BRUTE)
				opt.runs = 3000;
			opt.untaught = true;
			EXPECT(!explore_run(known[i].sc, &opt, &r) && !r.failed && !r.broken,
			       "%s: %s", known[i].sc->name, r.text);
			EXPECT(r.outcomes == known[i].outcomes,
			       "%s model=%s strategy=%s: %u outcomes, not %u", known[i].sc->name,
			       opt.tso ? "tso" : "sc", x_strategy_name(opt.strategy), r.outcomes,
			       known[i].outcomes);
		}
}

SELFTEST(seen_freed, "explore.freed-by-any-call",
	 "what was freed is not touched by a copy, from or to, a text, an addition or an atomic "
	 "load either")
{
	for (const struct x_scenario *sc = engine_freed_by; sc->name; sc++)
		for (int tso = 0; tso < 2; tso++) {
			struct x_options opt = x_all_orders(X_DPOR, tso);

			EXPECT(!explore_run(sc, &opt, &r), "%s", refusal());
			EXPECT(r.broken && !strcmp(r.rule, "memory") &&
				       strstr(r.text, " of 24 of the heap is touched"),
			       "%s model=%s: %s", sc->name, tso ? "tso" : "sc",
			       r.broken ? r.text : "nothing is found");
		}
}

SELFTEST(seen_refused, "explore.misuse-is-found",
	 "a lock that is taken twice or given by somebody else, a call with interrupts off, a "
	 "device "
	 "that sleeps, a TLB that allows what is elsewhere or nowhere: each is a finding that says "
	 "so")
{
	static const struct {
		const struct x_scenario *sc;
		const char *rule, *text;
	} known[] = {
		{&engine_lock_twice, "I4", "'spin' is taken twice by takes"},
		{&engine_lock_not_held, "I4", "'mutex' is released by gives, which does not hold"},
		{&engine_call_closed, "I4", "a call to other CPUs with interrupts off"},
		{&engine_device_sleeps, "panic", "sleep"},
		{&engine_panics, "I2", "a page is nobody's"},
		{&engine_asserts, "panic", "two looks are 0 apart"},
		{&engine_warns, "warning", "this is odd"},
		{&engine_tlb_moved, "I1", "the TLB of CPU 1 still allows"},
		{&engine_tlb_hidden, "I1", "the TLB of CPU 1 still allows"},
		{&engine_mmu_table_freed, "memory", "of a frame is touched"},
		{&engine_mmu_frame_freed, "memory", "of a frame is touched"},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(known); i++) {
		struct x_options opt = x_all_orders(X_DPOR, false);

		EXPECT(!explore_run(known[i].sc, &opt, &r), "%s", refusal());
		EXPECT(r.broken && !strcmp(r.rule, known[i].rule) && strstr(r.text, known[i].text),
		       "%s: %s %s", known[i].sc->name, r.rule,
		       r.broken ? r.text : "nothing is found");
	}
}

SELFTEST(seen_full, "explore.full-buffer-waits",
	 "more stores than a buffer has places wait for one, in whichever order they come out")
{
	for (unsigned n = 0; n < 3; n++) {
		struct x_options opt = x_all_orders(n == 0 ? X_DPOR : X_RANDOM, true);

		opt.runs = 20;
		opt.seed = n;
		EXPECT(!explore_run(&engine_many_stores, &opt, &r) && !r.failed && !r.broken, "%s",
		       r.text);
	}
}

SELFTEST(seen_loops, "explore.loops-look-in-any-way",
	 "a loop that compares and exchanges, or looks at what is volatile, makes one event while "
	 "nobody changes that")
{
	struct x_options opt = x_all_orders(X_BRUTE, false);

	EXPECT(!explore_run(&engine_spin_exchange, &opt, &r) && r.complete && !r.broken, "%s",
	       r.text);
	EXPECT(r.depth == 7, "four stores, an exchange, a wait and an exchange are %u events",
	       r.depth);
	EXPECT(!explore_run(&engine_spin_volatile, &opt, &r) && r.complete && !r.broken, "%s",
	       r.text);
	EXPECT(r.depth == 7, "four stores, a look, a wait and a look are %u events", r.depth);
	EXPECT(!explore_run(&engine_spin_six, &opt, &r) && r.broken &&
		       strstr(r.text, "before these 4 places, which the explorer would not"),
	       "six places: %s", r.broken ? r.text : "nothing is found");
}

SELFTEST(seen_relied, "explore.relied-on-in-vain",
	 "states begin again when a sleeper is woken by whom it was relied on not to be, or a "
	 "handler does more than a flush: nothing is lost by what went alone before")
{
	static const struct {
		const struct x_scenario *sc;
		unsigned outcomes;
	} known[] = {{&engine_relied_asleep, 4},  {&engine_relied_flush, 6},
		     {&engine_relied_handler, 5}, {&engine_relied_room, 3},
		     {&engine_lock_left, 5},	  {&engine_lock_shared, 5}};

	for (unsigned n = 0; n < 4 * ARRAY_SIZE(known); n++) {
		struct x_options opt = x_all_orders(X_STATES, n % 2);
		const struct x_scenario *sc = known[n / 4].sc;

		opt.reverse = n / 2 % 2;
		opt.untaught = true;
		EXPECT(!explore_run(sc, &opt, &r) && r.complete && !r.broken, "%s: %s", sc->name,
		       r.text);
		EXPECT(r.outcomes == known[n / 4].outcomes, "%s model=%s%s: %u outcomes, not %u",
		       sc->name, opt.tso ? "tso" : "sc", opt.reverse ? " in reverse" : "",
		       r.outcomes, known[n / 4].outcomes);
	}
}
