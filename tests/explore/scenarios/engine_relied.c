/* SPDX-License-Identifier: MIT */
/*
 * What strategy=states relies on and then sees broken (noted.c): a sleeper is woken by one who woke
 * nobody before, a handler does more than a flush. What went alone meanwhile has left orders out,
 * so the exploration begins again. In each of these the first order that shows it is the only way
 * to one outcome, and leaves it out.
 */
#include "kernel/kernel.h"
#include "kernel/sched/internal.h"
#include "tests/explore/scenarios/engine.h"

static uint32_t sum, flag, posted, order;
static struct waiter waiter;
static struct spinlock kept = SPINLOCK_INIT("kept");

static void add(void)
{
	x_observe(__atomic_fetch_add(&sum, 1, __ATOMIC_SEQ_CST));
}

/* ---- a sleeper, which one wakes who waits for the adder's lock, and another if that came */

/* On the adder's CPU: it holds the lock. */
static void start_sleep(void)
{
	waiter = (struct waiter){.thread = cpu_by_id(2)->current, .what = "it", .waker = "wakes()"};
	spin_lock(&kept);
}

/* Its first event sets .interruptible, for wakes_if_came(), and reads .woken, which the sleep asks
 * for: so what it finds there is in an order with both. */
static void looks_and_adds(void)
{
	__atomic_fetch_or((uint16_t *)(void *)&waiter.woken, 0x100, __ATOMIC_SEQ_CST);
	x_observe(waiter.thread->state == THREAD_SLEEPING);
	add();
	spin_unlock(&kept);
}

static void wakes_if_came(void)
{
	if (!LOAD(waiter.interruptible))
		return;
	STORE(waiter.woken, true);
	sched_wake(waiter.thread);
}

static void sleeps_and_adds(void)
{
	sched_sleep(&waiter);
	add();
}

static void wakes_behind(void)
{
	spin_lock(&kept);
	STORE(waiter.timed_out, true);
	sched_wake(waiter.thread);
	spin_unlock(&kept);
}

/* The adder finds the sleeper awake, or asleep; and adds before it, or behind it. In reverse the
 * sleeper is first, and then who wakes it in time comes in vain, until the adder has been there. */
const struct x_scenario engine_relied_asleep = {.name = "engine.relied-asleep",
						.start = start_sleep,
						.thread = {{"adds", looks_and_adds},
							   {"wakes", wakes_if_came},
							   {"sleeps", sleeps_and_adds},
							   {"wakes too", wakes_behind}}};

/* ---- a handler, which posts an interrupt itself if it finds a flag */

static void start_posts(void)
{
	flag = posted = order = 0;
}

static void is_first(void *unused)
{
	(void)unused;
	STORE(order, LOAD(order) * 4 + 1);
}

static void is_second(void *unused)
{
	(void)unused;
	STORE(order, LOAD(order) * 4 + 2);
}

static void posts_on(void *unused)
{
	(void)unused;
	x_interrupt(1, is_second, NULL);
}

static void does_nothing(void *unused)
{
	(void)unused;
}

static void posts_and_tells(void)
{
	x_interrupt(2, LOAD(flag) ? posts_on : does_nothing, NULL);
	STORE(posted, 1);
}

static void sets_flag(void)
{
	STORE(flag, 1);
}

static void is_told_and_posts(void)
{
	x_observe(LOAD(posted));
	x_interrupt(1, is_first, NULL);
}

static void see_order(void)
{
	x_observe(order);
}

/* It is told or not, and its own interrupt comes alone, first or second. */
const struct x_scenario engine_relied_flush = {.name = "engine.relied-flush",
					       .start = start_posts,
					       .thread = {{"posts", posts_and_tells},
							  {"sets", sets_flag},
							  {"posts too", is_told_and_posts}},
					       .end = see_order,
					       .interrupts = true};

/* ---- a handler, which adds if it came before who adds alone */

static uint32_t came;

static void start_came(void)
{
	sum = came = 0;
}

static void come_and_add(void *unused)
{
	(void)unused;
	if (__atomic_fetch_or(&came, 1, __ATOMIC_SEQ_CST))
		return;
	x_observe(LOAD(came));
	add();
}

static void posts_once(void)
{
	x_interrupt(2, come_and_add, NULL);
}

static void comes_and_adds(void)
{
	__atomic_fetch_or(&came, 2, __ATOMIC_SEQ_CST);
	add();
}

static void nothing(void)
{
}

/* The handler is too late; or it looks before the other comes, or behind that, and adds first or
 * second. */
const struct x_scenario engine_relied_handler = {
	.name = "engine.relied-handler",
	.start = start_came,
	.thread = {{"comes", comes_and_adds}, {"posts", posts_once}, {"nothing", nothing}},
	.interrupts = true};

/* ---- more stores of several words than there is room to note */

#define MORE_THAN_ROOM 130u

static struct three {
	uint64_t first, second, third;
} many[MORE_THAN_ROOM];

static volatile size_t three_bytes = sizeof(*many); /* so that it is a call */

static void start_many(void)
{
	for (unsigned i = 0; i < MORE_THAN_ROOM; i++)
		STORE(many[i].second, 0);
}

static void sets_many(void)
{
	for (unsigned i = 0; i < MORE_THAN_ROOM; i++)
		memset(&many[i], 1, three_bytes);
}

static void looks_at_last(void)
{
	uint64_t third = LOAD(many[MORE_THAN_ROOM - 1].third);

	x_observe(!!third * 2u + !!LOAD(many[MORE_THAN_ROOM - 1].first));
}

/* The last one comes before both looks, between them, or behind them: then nothing goes alone. */
const struct x_scenario engine_relied_room = {
	.name = "engine.relied-room",
	.start = start_many,
	.thread = {{"looks", looks_at_last}, {"sets", sets_many}}};
