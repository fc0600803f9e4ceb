/* SPDX-License-Identifier: MIT */
/*
 * Which races the explorer lists: of each program below so many as are counted by hand
 * (scenarios/engine_races.c and others), neither more nor fewer.
 */
#include "tests/explore/internal.h"
#include "tests/explore/scenarios/engine.h"

static struct x_result r;

struct counted {
	const struct x_scenario *sc;
	unsigned races;
};

/* The races of this program, by all orders under one model; with `mixed` those of plain accesses
 * and atomic ones too. */
static void races_are(struct selftest_run *t, const struct counted *c, bool tso, bool mixed,
		      unsigned races)
{
	struct x_options opt = x_all_orders(X_DPOR, tso);

	opt.mixed = mixed;
	EXPECT(!explore_run(c->sc, &opt, &r) && r.complete && !r.broken, "%s: %s", c->sc->name,
	       r.text);
	EXPECT(r.races == races, "%s model=%s mixed=%d: %u races, not %u", c->sc->name,
	       tso ? "tso" : "sc", mixed, r.races, races);
}

SELFTEST(engine_races, "explore.races-by-byte",
	 "two accesses race if they share a byte, also of a word that one of them only begins in; "
	 "what is behind a hand-over races, when its store has waited in a buffer as well")
{
	static const struct counted known[] = {
		{&engine_race_overlap, 1}, {&engine_race_apart, 0},  {&engine_race_crossing, 1},
		{&engine_race_load, 1},	   {&engine_race_behind, 1}, {&engine_race_unseen, 1},
		{&engine_race_stored, 1},  {&engine_race_read, 0},
	};

	for (unsigned i = 0; i < 2 * ARRAY_SIZE(known); i++)
		races_are(t, &known[i / 2], i % 2, false, known[i / 2].races);
}

SELFTEST(engine_mixed, "explore.races-mixed",
	 "a plain access of a word that others access atomically is in an order with theirs, or is "
	 "listed with mixed=1; without, it is an event and no race")
{
	static const struct counted known[] = {
		{&engine_mixed_store, 1},
		{&engine_mixed_load, 1},
		{&engine_mixed_ordered, 0},
		{&engine_mixed_atomic, 0},
	};

	for (unsigned i = 0; i < 2 * ARRAY_SIZE(known); i++)
		races_are(t, &known[i / 2], false, i % 2, i % 2 ? known[i / 2].races : 0);
}

SELFTEST(seen_races, "explore.races-by-interrupts",
	 "what a handler does plainly is in an order with who waits for its answer, with its CPU's "
	 "thread where that keeps interrupts out, and with nobody else; a free is a store; a "
	 "hand-over covers what is before it")
{
	static const struct counted known[] = {
		{&engine_race_answer, 0}, {&engine_race_interrupted, 6}, {&engine_race_closed, 0},
		{&engine_race_posted, 2}, {&engine_race_handed, 0},	 {&engine_race_earlier, 1},
		{&engine_race_bytes, 1},  {&engine_free_raced, 1}};

	for (unsigned i = 0; i < 2 * ARRAY_SIZE(known); i++)
		races_are(t, &known[i / 2], i % 2, false, known[i / 2].races);
}

/* Under tso nobody waits between a store into his buffer and a plain look, so that none sees the
 * other's word. */
SELFTEST(seen_stores, "explore.races-by-store",
	 "a store, of one word or several, takes nothing up, so what its maker does behind it "
	 "races, "
	 "and leaves what another one gave there before it; an addition takes that up")
{
	static const struct counted known[] = {
		{&engine_race_overwritten, 3}, {&engine_race_passed, 2},
		{&engine_race_added, 0},       {&engine_race_beside, 2},
		{&engine_race_looked, 2},      {&engine_race_wide_overwritten, 3},
		{&engine_race_wide_passed, 2}};

	for (unsigned i = 0; i < ARRAY_SIZE(known); i++)
		races_are(t, &known[i], false, false, known[i].races);
}

/* One race is of the word by which it is known that the first store is out. */
SELFTEST(seen_drained, "explore.races-by-drain",
	 "a store that leaves a buffer takes nothing up that a later one of that buffer would hand "
	 "on")
{
	struct x_options opt = x_all_orders(X_BRUTE, true);

	EXPECT(!explore_run(&engine_race_drained, &opt, &r) && r.complete && !r.broken, "%s",
	       r.text);
	EXPECT(r.races == 2, "%u races, not 2", r.races);
}

/* By brute force in reverse, where the fifth one is first in the orders before. */
SELFTEST(seen_fifth, "explore.races-of-a-fifth",
	 "what a clock says of the fifth actor is of this order, and of none before")
{
	struct x_options opt = x_all_orders(X_BRUTE, false);

	opt.reverse = true;
	EXPECT(!explore_run(&engine_race_fifth, &opt, &r) && r.complete && !r.broken, "%s", r.text);
	EXPECT(r.races == 5, "%u races, not 5", r.races);
}
