/* SPDX-License-Identifier: MIT */
/*
 * What an execution that goes on from a moment may not bring along from the order that was left,
 * and what is known of a word from earlier orders may not hide.
 */
#include "kernel/kernel.h"
#include "tests/explore/scenarios/engine.h"

static uint32_t flag, told;
static uint64_t plain; /* a word of its own */

static void start(void)
{
	flag = told = 0;
	plain = 0;
}

static void tell(void)
{
	plain = 1;
	STORE(flag, 1);
}

static void look(void)
{
	x_observe(LOAD(flag));
	x_observe(plain);
}

/* Ordered if the flag was seen, which is the first order that is run. */
const struct x_scenario engine_race_unseen = {
	.name = "engine.race-unseen", .start = start, .thread = {{"tell", tell}, {"look", look}}};

static void load_then_store(void)
{
	x_observe(plain);
	STORE(flag, 1);
	plain = 2;
	STORE(flag, 2);
}

static void load_late(void)
{
	STORE(told, 1);
	if (LOAD(flag) == 1)
		x_observe(plain);
}

/* Its owner loads the word for some orders before another actor does; and stores to it. */
const struct x_scenario engine_race_stored = {
	.name = "engine.race-stored",
	.start = start,
	.thread = {{"store", load_then_store}, {"load", load_late}}};

static void on_and_off(void)
{
	x_point("begins");
	plain = 0; /* from here on it is known whose word it is */
	x_point("on");
	plain = 1;
	x_point("off");
	plain = 0;
}

static void is_off(void)
{
	X_EXPECT("step", !plain, "it is on");
}

static void look_at_flag(void)
{
	x_observe(LOAD(flag));
}

/* True before and afterwards; the events themselves write nothing, and nobody else looks. */
const struct x_scenario engine_step_plain = {.name = "engine.step-plain",
					     .start = start,
					     .thread = {{"one", on_and_off}, {"two", look_at_flag}},
					     .step = is_off};

static struct timer timer;
static uint32_t order; /* of two interrupts */

static void start_order(void)
{
	start();
	order = 0;
}

static void goes_off(struct timer *t)
{
	(void)t;
	STORE(order, LOAD(order) * 2 + 1);
}

static void is_called(void *unused)
{
	(void)unused;
	STORE(order, LOAD(order) * 2 + 2);
}

static void arms_early(void)
{
	timer_arm(&timer, clock_ns() + 100, goes_off);
	for (unsigned i = 0; i < 12; i++)
		x_point("goes on");
}

static void calls_late(void)
{
	for (unsigned i = 0; i < 12; i++)
		x_point("goes on");
	x_interrupt(0, is_called, NULL);
}

static void see_order(void)
{
	x_observe(order);
}

/* A moment lies behind the arming, and what the timer will do competes with the call. */
const struct x_scenario engine_timer_kept = {
	.name = "engine.timer-kept",
	.start = start_order,
	.thread = {{"arms", arms_early}, {"calls", calls_late}},
	.end = see_order,
	.interrupts = true};

static void start_clock(void)
{
	start();
	timer.armed = false;
}

static void looks_at_clock(void)
{
	for (unsigned i = 0; i < 12; i++)
		x_point("goes on");
	X_EXPECT("clock", !timer.armed || clock_ns() < timer.deadline_ns,
		 "it is later than the timer that is armed");
}

/* An order in which the timer went off leaves its clock to none in which it did not. */
const struct x_scenario engine_clock_kept = {
	.name = "engine.clock-kept",
	.start = start_clock,
	.thread = {{"arms", arms_early}, {"looks", looks_at_clock}},
	.interrupts = true};

static struct timer later;

static void takes_long(struct timer *t)
{
	(void)t;
	for (unsigned i = 0; i < 12; i++)
		x_point("goes on");
}

static void arms_both(void)
{
	timer_arm(&timer, clock_ns() + 100, takes_long);
	timer_arm(&later, clock_ns() + 200, goes_off);
}

static void looks_on(void)
{
	x_observe(LOAD(order));
}

/* A moment lies in the first handler, and the second timer waits until that is over. */
const struct x_scenario engine_timer_going = {.name = "engine.timer-going",
					      .start = start_order,
					      .thread = {{"arms", arms_both}, {"looks", looks_on}},
					      .end = see_order,
					      .interrupts = true};
