/* SPDX-License-Identifier: MIT */
/* Self-tests: clock and timers (time.*). */
#include "kernel/time/internal.h"

static uint64_t last_seen;
static unsigned backwards;

static void read_clock(void *arg __attribute__((unused)))
{
	uint64_t now = clock_ns();

	if (now < last_seen)
		backwards++;
	last_seen = now;
}

SELFTEST(time_order, "time.order", "a later look at the clock is never earlier, on whatever CPU")
{
	backwards = 0;
	last_seen = clock_ns();
	for (unsigned i = 0; i < 200; i++)
		cpu_call(1u << i % nr_cpus, read_clock, NULL);
	EXPECT(backwards == 0, "%u of 200 looks went back", backwards);
}

SELFTEST(time_sleep, "time.sleep", "a sleep lasts at least as long as asked")
{
	static const uint64_t ns[] = {0, 1, 1000, 1000000, 7000000};

	for (unsigned i = 0; i < ARRAY_SIZE(ns); i++) {
		uint64_t start = clock_ns(), took;

		thread_sleep_ns(ns[i]);
		took = clock_ns() - start;
		EXPECT(took >= ns[i], "asked %lu ns, slept %lu", ns[i], took);
	}
}

SELFTEST(time_delay, "time.delay", "a busy delay lasts at least as long as asked")
{
	uint64_t start = clock_ns(), took;

	delay_us(300);
	took = clock_ns() - start;
	EXPECT(took >= 300000, "asked 300000 ns, took %lu", took);
}

#define HOUR_NS 3600000000000ull

static char fired[8];
static unsigned nr_fired;
static struct timer timers[4];

static void note_fired(struct timer *t)
{
	fired[nr_fired] = (char)('a' + (t - timers));
	__atomic_add_fetch(&nr_fired, 1, __ATOMIC_RELEASE);
}

SELFTEST(time_timers_order, "time.timers-order",
	 "timers fire by deadline, not in the order they were armed")
{
	uint64_t now, flags;
	bool all;

	memset(fired, 0, sizeof(fired));
	nr_fired = 0;
	/* One CPU's list, and none fires before all are in it, however long the host stops us. */
	flags = irq_save();
	now = clock_ns();
	timer_arm(&timers[0], now + 3000000, note_fired);
	timer_arm(&timers[1], now + 1000000, note_fired);
	timer_arm(&timers[2], now + 4000000, note_fired);
	timer_arm(&timers[3], now + 2000000, note_fired);
	irq_restore(flags);
	all = comes_true(&nr_fired, 4);
	for (int i = 0; i < 4; i++)
		timer_cancel_wait(&timers[i]);
	EXPECT(all, "%u of 4 timers fired", nr_fired);
	EXPECT(strcmp(fired, "bdac") == 0, "order %s, expected bdac", fired);
}

SELFTEST(time_cancel, "time.cancel", "a cancelled timer does not fire, and is cancelled only once")
{
	bool first, second;

	nr_fired = 0;
	/* An hour: not over before the cancel, however slow the host is; skipped after it. */
	timer_arm(&timers[0], clock_ns() + HOUR_NS, note_fired);
	first = timer_cancel(&timers[0]);
	second = timer_cancel(&timers[0]);
	clock_skip(HOUR_NS);
	quiet_wait();
	EXPECT(first && !second, "first cancel %d, second %d", first, second);
	EXPECT(nr_fired == 0, "it fired");
}

static void rearm(struct timer *t)
{
	if (__atomic_add_fetch(&nr_fired, 1, __ATOMIC_RELEASE) < 5)
		timer_arm(t, t->deadline_ns + 200000, rearm);
}

SELFTEST(time_rearm, "time.rearm", "a timer's function may arm it again")
{
	uint64_t start = clock_ns();
	bool all;

	nr_fired = 0;
	timer_arm(&timers[0], start + 200000, rearm);
	all = comes_true(&nr_fired, 5);
	timer_cancel_wait(&timers[0]);
	EXPECT(all, "%u of 5 times", nr_fired);
	EXPECT(clock_ns() - start >= 1000000, "five steps of 200 us in %lu ns", clock_ns() - start);
}

SELFTEST(time_far_timer, "time.far-timer",
	 "a deadline beyond what the hardware counter holds does not fire early")
{
	bool pending;

	nr_fired = 0;
	timer_arm(&timers[0], clock_ns() + 100ull * 1000000000, note_fired);
	thread_sleep_ns(1000000);
	pending = timer_cancel_wait(&timers[0]);
	EXPECT(pending && nr_fired == 0, "it fired %u times", nr_fired);
	EXPECT(ns_to_timer_ticks(UINT64_MAX) == UINT32_MAX && ns_to_timer_ticks(0) >= 1,
	       "ticks for ever %u, for now %u", ns_to_timer_ticks(UINT64_MAX),
	       ns_to_timer_ticks(0));
}

SELFTEST(time_unix, "time.unix", "the calendar clock lies between 2020 and 2100 and goes forward")
{
	uint32_t a = clock_unix(), b;

	thread_sleep_ns(1000);
	b = clock_unix();
	EXPECT(a > 1577836800u && a < 4102444800u, "%u seconds since 1970", a);
	EXPECT(b >= a && b - a < 3600, "%u, then %u", a, b);
}
