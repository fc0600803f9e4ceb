/* SPDX-License-Identifier: MIT */
/*
 * What the explorer is asked about itself, of rules: each of these is broken between two events
 * only, in whatever way what it looks at came to change.
 */
#include "kernel/kernel.h"
#include "kernel/sched/internal.h"
#include "tests/explore/scenarios/engine.h"

#define MANY 32u /* words: too many for gcc to copy them one by one */

static uint64_t words[MANY], off[MANY], on[MANY] = {[1] = 1, [MANY - 1] = 1};
static union {
	uint64_t half[2];
	unsigned __int128 whole;
} pair;
static uint64_t *of_stack;
static struct thread *sleeper;

static void start(void)
{
	memset(words, 0, sizeof(words));
	pair.whole = 0;
	of_stack = NULL;
	sleeper = NULL;
}

static void goes_by(void)
{
	x_point("goes by");
}

static void on_and_off(void)
{
	x_point("begins"); /* behind it the rule is asked for the first time */
	x_point("goes on");
	memcpy(words, on, sizeof(words));
	x_point("on");
	memcpy(words, off, sizeof(words));
	x_point("off");
}

static void half_on_and_off(void)
{
	x_point("begins"); /* behind it the rule is asked for the first time */
	x_point("goes on");
	pair.half[1] = 1;
	x_point("on");
	pair.half[1] = 0;
	x_point("off");
}

/* One load of both words. */
static void pair_is_off(void)
{
	X_EXPECT("step", !pair.whole, "it is on");
}

static void last_is_off(void)
{
	X_EXPECT("step", !words[MANY - 1], "it is on");
}

/* It stores as well, and looks behind that. */
static void copies_and_looks(void)
{
	uint64_t copy[MANY];

	memcpy(copy, off, sizeof(copy));
	X_EXPECT("step", words[1] == copy[1], "it is on");
}

static void on_and_off_its_stack(void)
{
	volatile uint64_t own = 0;

	of_stack = (uint64_t *)&own;
	*of_stack = 0;	   /* from here on it is known whose word it is */
	x_point("begins"); /* behind it the rule is asked for the first time */
	x_point("goes on");
	*of_stack = 1;
	x_point("on");
	*of_stack = 0;
	x_point("off");
	of_stack = NULL;
}

static void stack_is_off(void)
{
	X_EXPECT("step", !of_stack || !*of_stack, "it is on");
}

static void sleeps(void)
{
	struct waiter w = {.thread = current_thread(), .what = "to be told", .waker = "tells()"};

	sleeper = w.thread;
	x_point("begins"); /* behind it the rule is asked for the first time */
	x_point("goes on");
	sched_sleep(&w);
}

static void nobody_sleeps(void)
{
	X_EXPECT("step", !sleeper || sleeper->state != THREAD_SLEEPING, "somebody sleeps");
}

const struct x_scenario engine_rule_copied = {.name = "engine.rule-copied",
					      .start = start,
					      .thread = {{"one", on_and_off}, {"two", goes_by}},
					      .step = last_is_off};
const struct x_scenario engine_rule_copies = {.name = "engine.rule-copies",
					      .start = start,
					      .thread = {{"one", on_and_off}, {"two", goes_by}},
					      .step = copies_and_looks};
const struct x_scenario engine_rule_wide = {.name = "engine.rule-wide",
					    .start = start,
					    .thread = {{"one", half_on_and_off}, {"two", goes_by}},
					    .step = pair_is_off};
const struct x_scenario engine_rule_stack = {
	.name = "engine.rule-stack",
	.start = start,
	.thread = {{"one", on_and_off_its_stack}, {"two", goes_by}},
	.step = stack_is_off};
const struct x_scenario engine_rule_sleep = {.name = "engine.rule-sleep",
					     .start = start,
					     .thread = {{"one", sleeps}, {"two", goes_by}},
					     .step = nobody_sleeps};
