/* SPDX-License-Identifier: MIT */
/*
 * Turns that no strategy may leave out: between a mark and its wake, in a sleep with interrupts
 * off; and one that none may make up: behind a store that has not been made yet.
 */
#include "kernel/kernel.h"
#include "kernel/sched/internal.h"
#include "tests/explore/scenarios/engine.h"

static uint32_t a, b;
static struct waiter waiter;

/* Of the first thread, on whose CPU the start runs. */
static void start(void)
{
	waiter = (struct waiter){.thread = current_thread(), .what = "it", .waker = "wakes()"};
}

static void sleeps(void)
{
	sched_sleep(&waiter);
}

static void wakes(void)
{
	STORE(waiter.woken, true);
	sched_wake(waiter.thread);
}

static void looks(void)
{
	x_point("looks");
	x_observe(waiter.woken * 2u + (waiter.thread->state == THREAD_SLEEPING));
}

/* Marked or not, asleep or not: each of the four, since a mark comes before its wake. */
const struct x_scenario engine_wake_window = {
	.name = "engine.wake-window",
	.start = start,
	.thread = {{"sleeps", sleeps}, {"wakes", wakes}, {"looks", looks}}};

static void rings(void *unused)
{
	(void)unused;
	wakes();
}

static void sleeps_closed(void)
{
	irq_disable();
	sleeps();
	irq_enable();
}

static void posts(void)
{
	x_interrupt(0, rings, NULL);
}

/* Its CPU is idle while it sleeps, and takes interrupts whatever the sleeper's flag says. */
const struct x_scenario engine_sleep_closed = {
	.name = "engine.sleep-closed",
	.start = start,
	.thread = {{"sleeps", sleeps_closed}, {"posts", posts}},
	.interrupts = true};

static void add_store(void)
{
	__atomic_fetch_add(&a, 1, __ATOMIC_SEQ_CST);
	STORE(a, 1);
}

static void load_store(void)
{
	x_observe(LOAD(b));
	STORE(b, 1);
}

/* They share nothing, and a store comes out behind what its maker did before: one order is all. */
const struct x_scenario engine_apart = {.name = "engine.apart",
					.thread = {{"one", add_store}, {"two", load_store}}};

static void store_and_say(void)
{
	STORE(a, 1);
	STORE(a, 2);
	STORE(b, 1);
}

static void look_early(void)
{
	if (!LOAD(b))
		x_observe(1 + LOAD(a));
}

/* The second one looks at a only if it is early: then it finds it as it was, or after either store.
 */
const struct x_scenario engine_only_early = {
	.name = "engine.only-early",
	.start = start,
	.thread = {{"stores", store_and_say}, {"looks", look_early}}};

/* ---- who is first */

uint32_t engine_not_first; /* which thread is not to be; the tests say */
static uint32_t came, first;

static void come(uint32_t thread)
{
	if (!__atomic_fetch_add(&came, 1, __ATOMIC_SEQ_CST))
		first = thread;
}

static void come_0(void)
{
	come(0);
}

static void come_1(void)
{
	come(1);
}

static void come_2(void)
{
	come(2);
}

static void start_first(void)
{
	came = 0;
}

static void is_not_first(void)
{
	X_EXPECT("first", first != engine_not_first, "it is the first");
}

const struct x_scenario engine_first = {
	.name = "engine.first",
	.start = start_first,
	.thread = {{"zero", come_0}, {"one", come_1}, {"two", come_2}},
	.end = is_not_first};

/* ---- a rule that one thread breaks, and others have much to do that is nothing to it ---- */

static uint32_t theirs, own, got;

static void much(void)
{
	for (unsigned i = 0; i < 5; i++)
		STORE(theirs, LOAD(theirs) + 1);
}

static void breaks(void)
{
	STORE(own, 1);
	X_EXPECT("own", !LOAD(own), "it is one");
}

static void little(void)
{
	STORE(theirs, 1);
}

/* The second thread's turn has to come between the first one's two stores. */
static void gives(void)
{
	STORE(got, 1);
	STORE(got, 2);
	much();
}

static void breaks_on_one(void)
{
	X_EXPECT("one", LOAD(got) != 1, "it was seen");
}

const struct x_scenario engine_breaks_alone = {.name = "engine.breaks-alone",
					       .thread = {{"much", much}, {"breaks", breaks}}};
const struct x_scenario engine_breaks_soon = {.name = "engine.breaks-soon",
					      .thread = {{"little", little}, {"breaks", breaks}}};
const struct x_scenario engine_breaks_between = {
	.name = "engine.breaks-between",
	.thread = {{"much", much}, {"gives", gives}, {"breaks", breaks_on_one}}};

/* ---- threads whose code the explorer does not see ---- */

static void does_nothing(void)
{
}

const struct x_scenario engine_no_event = {
	.name = "engine.no-event", .thread = {{"one", does_nothing}, {"two", does_nothing}}};
