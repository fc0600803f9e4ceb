/* SPDX-License-Identifier: MIT */
/*
 * What no scenario may do, so that the explorer has to say that it cannot go on (see engine.c):
 * something changes behind the compiler's hooks, and something that is not put back decides.
 */
#include "kernel/kernel.h"
#include "tests/explore/scenarios/engine.h"

static uint32_t unseen, a, b;

static void count_unseen(void)
{
	__asm__ volatile("incl %0" : "+m"(unseen));
}

static void goes_on(void)
{
	for (uint32_t i = 0; i < 4; i++)
		STORE(b, i);
}

/* ---- a device between two stores */

static void store_twice(void)
{
	STORE(a, 1);
	STORE(a, 2);
}

static void rest(void)
{
	x_point("nothing");
}

static void is_not_one(void)
{
	X_EXPECT("one", LOAD(a) != 1, "it was seen");
}

const struct x_scenario engine_device_between = {
	.name = "engine.device-between",
	.thread = {{"stores", store_twice}, {"rests", rest}},
	.device = {{"looks", is_not_one}}};

/* ---- what the code says of itself: an invariant that its sentence names, or none */

static void panics(void)
{
	panic("a page is nobody's (I2)");
}

static void asserts(void)
{
	ASSERT(!LOAD(a) && LOAD(a), "two looks are %u apart", 0u);
}

static void warns(void)
{
	warn("this is odd");
}

const struct x_scenario engine_panics = {.name = "engine.panics",
					 .thread = {{"panics", panics}, {"goes on", goes_on}}};
const struct x_scenario engine_asserts = {.name = "engine.asserts",
					  .thread = {{"asserts", asserts}, {"goes on", goes_on}}};
const struct x_scenario engine_warns = {.name = "engine.warns",
					.thread = {{"warns", warns}, {"goes on", goes_on}}};

static void writes_unseen(void)
{
	count_unseen();
	STORE(a, 1);
}

const struct x_scenario engine_unseen = {
	.name = "engine.unseen", .thread = {{"writes", writes_unseen}, {"goes on", goes_on}}};

static void stores_by_turns(void)
{
	uint32_t n;

	count_unseen();
	__asm__ volatile("movl %1, %0" : "=r"(n) : "m"(unseen));
	if (n % 2)
		STORE(a, 1);
	else
		STORE(b, 1);
	goes_on(); /* so that an execution behind this one keeps that store */
}

const struct x_scenario engine_by_turns = {
	.name = "engine.by-turns", .thread = {{"stores", stores_by_turns}, {"goes on", goes_on}}};
