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
