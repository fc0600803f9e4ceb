/* SPDX-License-Identifier: MIT */
/*
 * What the explorer is asked about itself, of interrupts (see engine.c): calls to other CPUs, what
 * is ordered with a handler, timers that are cancelled, locks that are misused.
 */
#include "kernel/kernel.h"
#include "tests/explore/scenarios/engine.h"

static uint32_t told, order, sum;
static uint64_t plain;

static void start(void)
{
	told = order = sum = 0;
	plain = 0;
}

static void rests(void)
{
	x_point("nothing");
}

static void note(uint32_t who)
{
	STORE(order, LOAD(order) * 4 + who);
}

static void is_called(void *unused)
{
	(void)unused;
	note(1);
}

static void is_posted(void *unused)
{
	(void)unused;
	note(2);
}

static void tells_and_calls(void)
{
	STORE(told, 1);
	cpu_call(1u << 2, is_called, NULL);
}

static void posts_if_told(void)
{
	if (LOAD(told))
		x_interrupt(2, is_posted, NULL);
}

static void see_order(void)
{
	x_observe(order);
}

/* The second one is not told; or posts behind the call; or between the word and the call. */
const struct x_scenario engine_post_window = {
	.name = "engine.post-window",
	.start = start,
	.thread = {{"tells", tells_and_calls}, {"posts", posts_if_told}, {"rests", rests}},
	.end = see_order,
	.interrupts = true};

static void adds(void *unused)
{
	(void)unused;
	__atomic_fetch_add(&sum, 1, __ATOMIC_SEQ_CST);
}

static void calls_all(void)
{
	cpu_call(7, adds, NULL);
	X_EXPECT("calls", LOAD(sum) == 3, "of three CPUs %u were called", LOAD(sum));
}

const struct x_scenario engine_call_all = {
	.name = "engine.call-all",
	.start = start,
	.thread = {{"calls", calls_all}, {"rests", rests}, {"too", rests}},
	.interrupts = true};

static void calls_closed(void)
{
	irq_disable();
	cpu_call(2, adds, NULL);
	irq_enable();
}

const struct x_scenario engine_call_closed = {.name = "engine.call-closed",
					      .start = start,
					      .thread = {{"calls", calls_closed}, {"rests", rests}},
					      .interrupts = true};

/* ---- what a handler does plainly is in an order with who waits for it, and with its CPU's thread
 * where that keeps interrupts out */

static void adds_plainly(void *unused)
{
	(void)unused;
	plain++;
}

static void stores_and_calls(void)
{
	plain = 1;
	cpu_call(2, adds_plainly, NULL);
	x_observe(plain);
}

const struct x_scenario engine_race_answer = {
	.name = "engine.race-answer",
	.start = start,
	.thread = {{"calls", stores_and_calls}, {"rests", rests}},
	.interrupts = true};

static void stores_twice(void)
{
	plain = 1;
	STORE(told, 1);
	plain = 2;
}

static void looks_and_adds(void *unused)
{
	x_observe(LOAD(told)); /* so that it comes before the second store, too */
	adds_plainly(unused);
}

static void posts_looking(void)
{
	x_interrupt(0, looks_and_adds, NULL);
}

/* The handler comes behind the first store and before the second, where its load and its store
 * race with both, or behind the second, and they race with that. */
const struct x_scenario engine_race_interrupted = {
	.name = "engine.race-interrupted",
	.start = start,
	.thread = {{"stores", stores_twice}, {"posts", posts_looking}},
	.interrupts = true};

static void stores_closed(void)
{
	uint64_t flags = irq_save();

	plain = 1;
	irq_restore(flags);
	flags = irq_save();
	x_observe(plain);
	irq_restore(flags);
}

static void posts_adding(void)
{
	x_interrupt(0, adds_plainly, NULL);
}

const struct x_scenario engine_race_closed = {
	.name = "engine.race-closed",
	.start = start,
	.thread = {{"stores", stores_closed}, {"posts", posts_adding}},
	.interrupts = true};

static void posts_and_stores(void)
{
	x_interrupt(0, adds_plainly, NULL);
	plain = 3;
}

/* Who only posts does not wait: what it does behind that races with the handler. */
const struct x_scenario engine_race_posted = {
	.name = "engine.race-posted",
	.start = start,
	.thread = {{"rests", rests}, {"posts", posts_and_stores}},
	.interrupts = true};

/* ---- a timer that is cancelled goes off before that, or never */

static struct timer timer;
static bool pending;

static void goes_off(struct timer *t)
{
	X_EXPECT("clock", clock_ns() >= t->deadline_ns, "it is not as late as that");
	STORE(told, 1);
}

static void arms_and_cancels(void)
{
	timer_arm(&timer, clock_ns() + 100, goes_off);
	x_point("between");
	pending = timer_cancel_wait(&timer);
	X_EXPECT("timer", pending != LOAD(told), "%s", pending ? "both" : "neither");
	x_observe(pending);
}

static void went_or_not(void)
{
	X_EXPECT("timer", pending != told, "it goes off behind its cancelling");
}

const struct x_scenario engine_timer_cancelled = {
	.name = "engine.timer-cancelled",
	.start = start,
	.thread = {{"cancels", arms_and_cancels}, {"rests", rests}},
	.end = went_or_not,
	.interrupts = true};

static void says_so(struct timer *t)
{
	(void)t;
	STORE(told, 1);
}

static void goes_by(void *unused)
{
	(void)unused;
}

static void arms_and_cancels_too(void)
{
	x_interrupt(0, goes_by, NULL); /* its end comes while the timer is posted */
	timer_arm(&timer, clock_ns() + 100, says_so);
	x_observe(timer_cancel_wait(&timer));
}

static void cancels_too(void)
{
	x_observe(timer_cancel_wait(&timer));
}

/* One of the two cancels it, or it goes off: then neither wakes the other while it is at work. */
const struct x_scenario engine_timer_two = {
	.name = "engine.timer-two",
	.start = start,
	.thread = {{"arms", arms_and_cancels_too}, {"cancels", cancels_too}},
	.interrupts = true};

/* ---- a second timer goes off no sooner than the first one's function is over, and is not it */

static struct timer second;

static void says_nothing(struct timer *t)
{
	(void)t;
}

static void takes_two_steps(struct timer *t)
{
	(void)t;
	STORE(told, 1);
	STORE(told, 2);
}

static void start_both(void)
{
	start();
	timer_arm(&timer, clock_ns() + 100, takes_two_steps);
	timer_arm(&second, clock_ns() + 200, says_nothing);
}

static void cancels_first(void)
{
	x_observe(timer_cancel_wait(&timer));
	X_EXPECT("timer", LOAD(told) != 1, "its function still runs");
}

const struct x_scenario engine_timer_both = {
	.name = "engine.timer-both",
	.start = start_both,
	.thread = {{"rests", rests}, {"cancels", cancels_first}},
	.interrupts = true};

/* ---- locks */

static struct spinlock spin = SPINLOCK_INIT("spin");
static struct mutex mutex = MUTEX_INIT("mutex");

static void takes_twice(void)
{
	spin_lock(&spin);
	spin_lock(&spin);
}

static void gives_anyway(void)
{
	mutex_unlock(&mutex);
}

static void tries(void)
{
	x_observe(mutex_trylock(&mutex));
}

const struct x_scenario engine_lock_twice = {.name = "engine.lock-twice",
					     .thread = {{"takes", takes_twice}, {"rests", rests}}};
const struct x_scenario engine_lock_not_held = {
	.name = "engine.lock-not-held", .thread = {{"gives", gives_anyway}, {"rests", rests}}};
static struct rwsem shelf = RWSEM_INIT("shelf");

static void writes(void)
{
	uint32_t before = shelf.writes;

	down_write(&shelf);
	up_write(&shelf);
	X_EXPECT("writes", shelf.writes == before + 1, "the writing is not counted");
}

const struct x_scenario engine_lock_written = {.name = "engine.lock-written",
					       .thread = {{"writes", writes}, {"rests", rests}}};

/* A device has no thread that could sleep. */
static void sleeps(void)
{
	mutex_lock(&mutex);
}

const struct x_scenario engine_device_sleeps = {.name = "engine.device-sleeps",
						.thread = {{"rests", rests}, {"too", rests}},
						.device = {{"sleeps", sleeps}}};
/* Either of two has it. */
const struct x_scenario engine_lock_tried = {.name = "engine.lock-tried",
					     .thread = {{"tries", tries}, {"tries too", tries}}};
