/* SPDX-License-Identifier: MIT */
/*
 * What the explorer is asked about itself, of stores and looks (see engine.c): volatile ones,
 * exchanges, stores to a stack, more stores than a buffer has places; loops that look in another
 * way; sleeps that end in another way.
 */
#include "kernel/kernel.h"
#include "kernel/sched/internal.h"
#include "tests/explore/scenarios/engine.h"

static uint32_t a, b;
static volatile uint32_t flag;
static struct waiter waiter;

static void start(void)
{
	a = b = 0;
	flag = 0;
	waiter = (struct waiter){.thread = current_thread(), .what = "it", .waker = "wakes()"};
}

static void raise(void)
{
	flag = 1;
}

static void look_at_flag(void)
{
	x_observe(flag);
}

/* A volatile access is an event, before which others come in. */
const struct x_scenario engine_volatile = {.name = "engine.volatile",
					   .start = start,
					   .thread = {{"raises", raise}, {"looks", look_at_flag}}};

static void store_and_exchange(void)
{
	STORE(a, 1);
	__atomic_store_n(&b, 1, __ATOMIC_SEQ_CST);
}

static void see_both(void)
{
	uint32_t later = LOAD(b), earlier = LOAD(a);

	x_observe(later * 2 + earlier);
}

/* Neither, the first one, both: what waits in the buffer goes before the exchange. */
const struct x_scenario engine_exchanged = {
	.name = "engine.exchanged",
	.start = start,
	.thread = {{"stores", store_and_exchange}, {"looks", see_both}}};

#define MORE_THAN_PLACES 80u

static void store_often(void)
{
	for (uint32_t i = 1; i <= MORE_THAN_PLACES; i++)
		STORE(a, i);
}

static void look_last(void)
{
	x_observe(LOAD(b));
}

/* A store for which there is no place waits. */
const struct x_scenario engine_many_stores = {
	.name = "engine.many-stores",
	.start = start,
	.thread = {{"stores", store_often}, {"looks", look_last}}};

static uint32_t *theirs;

static void store_to_stack(void)
{
	uint32_t mine = 0;

	theirs = &mine; /* so that gcc keeps it in memory */
	STORE(mine, 1);
	mine = 2;
	x_point("goes on");
	X_EXPECT("stack", mine == 2, "an older store came out behind a newer one: %u", mine);
}

const struct x_scenario engine_stack_stores = {
	.name = "engine.stack-stores",
	.start = start,
	.thread = {{"stores", store_to_stack}, {"looks", look_last}}};

/* ---- loops: three stores, a look, a wait and a look */

static void stores_others(void)
{
	STORE(b, 1);
	STORE(b, 2);
	STORE(a, 1);
	flag = 1;
}

static void spins_by_exchange(void)
{
	uint32_t one = 1;

	while (!__atomic_compare_exchange_n(&a, &one, 3, false, __ATOMIC_SEQ_CST,
					    __ATOMIC_SEQ_CST)) {
		one = 1;
		cpu_pause();
	}
}

static void spins_by_volatile(void)
{
	while (!flag)
		cpu_pause();
}

const struct x_scenario engine_spin_exchange = {
	.name = "engine.spin-exchange",
	.start = start,
	.thread = {{"spins", spins_by_exchange}, {"stores", stores_others}}};
const struct x_scenario engine_spin_volatile = {
	.name = "engine.spin-volatile",
	.start = start,
	.thread = {{"spins", spins_by_volatile}, {"stores", stores_others}}};

/* ---- a sleep ends by a time, or by a signal */

static void sleeps(void)
{
	sched_sleep(&waiter);
	X_EXPECT("sleep", waiter.timed_out || waiter.thread->signalled, "nothing happened");
}

static void times_out(void)
{
	STORE(waiter.timed_out, true);
	sched_wake(waiter.thread);
}

static void start_interruptible(void)
{
	start();
	waiter.interruptible = true;
}

static void signals(void)
{
	STORE(waiter.thread->signalled, true);
	sched_wake(waiter.thread);
}

const struct x_scenario engine_sleep_timed = {
	.name = "engine.sleep-timed",
	.start = start,
	.thread = {{"sleeps", sleeps}, {"is late", times_out}}};
const struct x_scenario engine_sleep_signalled = {
	.name = "engine.sleep-signalled",
	.start = start_interruptible,
	.thread = {{"sleeps", sleeps}, {"signals", signals}}};

static uint32_t six[6];

static void start_six(void)
{
	memset(six, 0, sizeof(six));
}

static void spins_by_six(void)
{
	for (;;) {
		bool any = false;

		for (unsigned i = 0; i < 6; i++)
			any |= LOAD(six[i]) != 0;
		if (any)
			return;
		cpu_pause();
	}
}

static void sets_first(void)
{
	STORE(six[0], 1);
}

/* What it looked at first is not remembered: that it waits for ever says so. */
const struct x_scenario engine_spin_six = {
	.name = "engine.spin-six",
	.start = start_six,
	.thread = {{"spins", spins_by_six}, {"sets", sets_first}}};

/* ---- a word's last byte */

static uint8_t last_bytes[8] __aligned(8);
static uint32_t came;

static void adds_to_last_byte(void)
{
	x_observe(__atomic_fetch_add(&came, 1, __ATOMIC_SEQ_CST));
	x_observe(__atomic_fetch_add(&last_bytes[7], 1, __ATOMIC_SEQ_CST));
}

/* Who came first is the first there, or not. */
const struct x_scenario engine_last_byte = {
	.name = "engine.last-byte",
	.thread = {{"one", adds_to_last_byte}, {"two", adds_to_last_byte}}};
