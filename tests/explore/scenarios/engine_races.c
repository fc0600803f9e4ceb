/* SPDX-License-Identifier: MIT */
/*
 * Races that show only if a store synchronises as it does: it hands over what its maker did before,
 * and what was handed over there already, and takes up nothing (sync.c); an addition takes that up.
 *
 * Who overwrites `given` knows by a plain word that it was given before, so that no order of events
 * is left in which the race would show by another way. That word races itself, in either order.
 */
#include "kernel/kernel.h"
#include "tests/explore/scenarios/engine.h"

static uint32_t given, passed;
static uint64_t data, told;

static void gives_and_tells(void)
{
	data = 5;
	STORE(given, 1);
	told = 1;
}

static void overwrites_and_looks(void)
{
	STORE(given, 2);
	if (told)
		x_observe(data);
}

/* The store of the second takes nothing up: its load of data races. */
const struct x_scenario engine_race_overwritten = {
	.name = "engine.race-overwritten",
	.thread = {{"gives", gives_and_tells}, {"overwrites", overwrites_and_looks}}};

static uint32_t pair[2] __aligned(8);

static void gives_one(void)
{
	data = 5;
	STORE(pair[0], 1);
	told = 1;
}

static void takes_other(void)
{
	LOAD(pair[1]);
	if (told)
		x_observe(data);
}

/* What was given beside it, in the same word, is not taken up. There is one order. */
const struct x_scenario engine_race_beside = {
	.name = "engine.race-beside", .thread = {{"gives", gives_one}, {"takes", takes_other}}};

static void looks_and_tells(void)
{
	data = 5;
	LOAD(pair[0]);
	told = 1;
}

static void looks_too(void)
{
	LOAD(pair[0]);
	if (told)
		x_observe(data);
}

/* Nor what another one had who only looked there. */
const struct x_scenario engine_race_looked = {
	.name = "engine.race-looked",
	.thread = {{"looks", looks_and_tells}, {"looks too", looks_too}}};

static void overwrites_and_passes(void)
{
	STORE(given, 2);
	if (told)
		STORE(passed, 1);
}

static void takes_and_stores(void)
{
	if (!LOAD(passed))
		return;
	x_observe(LOAD(given));
	data = 6;
}

/* The third finds what the second stored there, and has with it what the first one did before. */
const struct x_scenario engine_race_passed = {.name = "engine.race-passed",
					      .thread = {{"gives", gives_and_tells},
							 {"overwrites", overwrites_and_passes},
							 {"takes", takes_and_stores}}};

static void comes_and_passes(void)
{
	x_point("behind"); /* else it looks before the first one's stores are out */
	overwrites_and_passes();
}

static void stores_if_passed(void)
{
	if (LOAD(passed))
		data = 6;
}

/* A store that leaves a buffer takes nothing up either, which the next one would hand on. */
const struct x_scenario engine_race_drained = {.name = "engine.race-drained",
					       .thread = {{"gives", gives_and_tells},
							  {"overwrites", comes_and_passes},
							  {"stores", stores_if_passed}}};

/* ---- the same of additions */

static void stores_and_adds(void)
{
	data = 5;
	__atomic_fetch_add(&given, 1, __ATOMIC_SEQ_CST);
}

static void adds(void)
{
	__atomic_fetch_add(&given, 1, __ATOMIC_SEQ_CST);
}

static void stores_behind_both(void)
{
	if (LOAD(given) == 2)
		data = 6;
}

/* The third is behind both, whichever of them was the last. */
const struct x_scenario engine_race_added = {
	.name = "engine.race-added",
	.thread = {{"stores", stores_and_adds}, {"adds", adds}, {"takes", stores_behind_both}}};

/* ---- the same of stores of several words at once, which others access one by one */

static struct {
	uint64_t first, second, third;
} three;
static volatile size_t three_bytes = sizeof(three); /* so that it is a call */

static void gives_in_three(void)
{
	data = 5;
	STORE(three.first, 1);
	told = 1;
}

static void overwrites_three(void)
{
	memset(&three, 2, three_bytes);
	if (told)
		x_observe(data);
}

const struct x_scenario engine_race_wide_overwritten = {
	.name = "engine.race-wide-overwritten",
	.thread = {{"gives", gives_in_three}, {"overwrites", overwrites_three}}};

static void overwrites_three_and_passes(void)
{
	memset(&three, 2, three_bytes);
	if (told)
		STORE(passed, 1);
}

static void takes_first_and_stores(void)
{
	if (!LOAD(passed))
		return;
	x_observe(LOAD(three.first));
	data = 6;
}

const struct x_scenario engine_race_wide_passed = {
	.name = "engine.race-wide-passed",
	.thread = {{"gives", gives_in_three},
		   {"overwrites", overwrites_three_and_passes},
		   {"takes", takes_first_and_stores}}};

/* ---- a fifth actor, of which clocks begin to say something when it comes (commit.c, go_far()) */

static uint32_t fifth;
static uint64_t stored; /* plainly: an order of events is left in which it was */

static void looks_and_gives(void)
{
	LOAD(fifth);
	STORE(given, 1);
	stored = 1;
}

static void comes_late(void)
{
	data = 5;
	STORE(fifth, 1);
	if (stored)
		told = 1;
}

static void takes_if_told(void)
{
	if (LOAD(given) && told)
		data = 6;
}

static void does_nothing(void)
{
}

/* The first one has looked for the fifth in vain, so what it gives orders nothing that the fifth
 * did, whatever the same event gave in an order in which that had come. In the other two words they
 * race in either order. */
const struct x_scenario engine_race_fifth = {.name = "engine.race-fifth",
					     .thread = {{"looks", looks_and_gives},
							{"nothing", does_nothing},
							{"takes", takes_if_told},
							{"nothing too", does_nothing}},
					     .device = {{"comes late", comes_late}}};
