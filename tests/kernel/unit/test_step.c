/* SPDX-License-Identifier: MIT */
/* Self-tests: stopping a thread at a step point (step.*). */
#include "kernel/kernel.h"

STEP_POINT_DECLARE(test_step_here);

enum manner { MANNER_PLAIN, MANNER_SPINLOCK, MANNER_DEAF };

static struct walk {
	enum manner manner;
	unsigned rounds, passed; /* rounds done; zero: none yet */
	unsigned pinged;	 /* by cpu_call() on the walker's CPU */
	int err;
	struct step_stop stop;
	struct spinlock lock;
} w; /* outlives a test that fails */

static void one_round(void)
{
	uint64_t flags = 0;

	if (w.manner == MANNER_SPINLOCK)
		spin_lock(&w.lock);
	if (w.manner == MANNER_DEAF)
		flags = irq_save();
	STEP_POINT(test_step_here);
	__atomic_fetch_add(&w.passed, 1, __ATOMIC_RELEASE);
	if (w.manner == MANNER_DEAF)
		irq_restore(flags);
	if (w.manner == MANNER_SPINLOCK)
		spin_unlock(&w.lock);
}

static void walk(void *unused)
{
	(void)unused;
	w.err = step_stop(&w.stop);
	for (unsigned i = 0; i < w.rounds; i++)
		one_round();
	step_unstop(&w.stop);
}

static bool comes_to_stop(unsigned times)
{
	return comes_true(&w.stop.stops, times) && step_stopped(&w.stop);
}

/* Starts the walker on the last CPU. */
static struct thread *start(enum manner manner, unsigned rounds, unsigned pass, bool again)
{
	w = (struct walk){.manner = manner, .rounds = rounds};
	w.stop = (struct step_stop){.name = "test_step_here", .pass = pass, .again = again};
	w.stop.deadline = PATIENCE_END();
	spin_init(&w.lock, "step test");
	return thread_create("walker", walk, NULL, 1u << (nr_cpus - 1));
}

static void ping(void *unused)
{
	(void)unused;
	w.pinged++;
}

/* What a director saw. */
static struct seen {
	unsigned stops, passed;
	enum step_state state;
	bool lock_was_held;
} seen;

/* A director runs on CPU 0: its timers must go on while the walker's CPU is deaf. */
static void direct(void (*fn)(void *))
{
	struct thread *t;

	seen = (struct seen){0};
	t = thread_create("director", fn, NULL, 1);
	if (t)
		thread_join(t);
}

static void direct_sleep(void *unused)
{
	struct thread *t = start(MANNER_PLAIN, 3, 1, false);

	(void)unused;
	if (!t)
		return;
	seen.stops = comes_to_stop(1);
	seen.state = w.stop.state;
	seen.passed = w.passed;
	step_go(&w.stop);
	thread_join(t);
}

SELFTEST(step_sleeps, "step.stop-sleeps",
	 "a thread stopped in code that may sleep sleeps there until it is let go; others run")
{
	direct(direct_sleep);
	EXPECT(!w.err && seen.stops == 1 && seen.state == STEP_SLEEPS, "error %d, stops %u, %d",
	       w.err, seen.stops, seen.state);
	EXPECT(seen.passed == 1 && w.passed == 3, "%u passed before, %u in all", seen.passed,
	       w.passed);
	EXPECT(w.stop.stops == 1 && !w.stop.timed_out, "stopped %u times", w.stop.stops);
}

static void direct_again(void *unused)
{
	struct thread *t = start(MANNER_PLAIN, 3, 0, true);

	(void)unused;
	if (!t)
		return;
	while (seen.stops < 3 && comes_to_stop(seen.stops + 1)) {
		seen.stops++;
		step_go(&w.stop);
	}
	thread_join(t);
}

SELFTEST(step_again, "step.stop-again", "a stop that stays armed stops its thread every time")
{
	direct(direct_again);
	EXPECT(seen.stops == 3 && w.passed == 3, "stopped %u times, passed %u times", seen.stops,
	       w.passed);
}

static void direct_spin(void *unused)
{
	struct thread *t = start(MANNER_SPINLOCK, 1, 0, false);

	(void)unused;
	if (!t)
		return;
	seen.stops = comes_to_stop(1);
	seen.state = w.stop.state;
	seen.lock_was_held = !spin_trylock(&w.lock);
	if (!seen.lock_was_held)
		spin_unlock(&w.lock);
	cpu_call(1u << (nr_cpus - 1), ping, NULL);
	seen.passed = w.passed;
	step_go(&w.stop);
	thread_join(t);
}

SELFTEST(step_spins, "step.stop-spins",
	 "a thread stopped under a spinlock spins, holds its lock and answers other CPUs")
{
	if (nr_cpus < 2)
		SKIP("needs two CPUs (SMP=2)");
	direct(direct_spin);
	EXPECT(seen.stops == 1 && seen.state == STEP_SPINS && seen.lock_was_held,
	       "stops %u, state %d, lock held %d", seen.stops, seen.state, seen.lock_was_held);
	EXPECT(w.pinged == 1 && seen.passed == 0 && w.passed == 1,
	       "pinged %u times, passed %u times, then %u", w.pinged, seen.passed, w.passed);
}

static bool asker_is_an_actor(struct step_stop *st)
{
	(void)st;
	return true;
}

static void direct_deaf(void *wanted)
{
	struct thread *t = start(MANNER_DEAF, 1, 0, false);

	if (!t)
		return;
	seen.stops = comes_to_stop(1);
	seen.state = w.stop.state;
	w.stop.wanted = wanted ? asker_is_an_actor : NULL;
	cpu_call(1u << (nr_cpus - 1), ping, NULL);
	seen.passed = __atomic_load_n(&w.passed, __ATOMIC_ACQUIRE);
	step_go(&w.stop);
	thread_join(t);
}

static void direct_deaf_to_strangers(void *unused)
{
	(void)unused;
	direct_deaf(NULL);
}

static void direct_deaf_to_actors(void *unused)
{
	(void)unused;
	direct_deaf(&w);
}

SELFTEST(step_deaf, "step.stop-deaf",
	 "with interrupts off it spins; strangers get their answer and it stays; where an actor "
	 "waits for its answer it goes on first")
{
	if (nr_cpus < 2)
		SKIP("needs two CPUs (SMP=2)");
	direct(direct_deaf_to_strangers);
	EXPECT(seen.stops == 1 && seen.state == STEP_SPINS_DEAF, "state %d", seen.state);
	EXPECT(w.pinged == 1 && seen.passed == 0 && !w.stop.acknowledges,
	       "a stranger: pinged %u times, passed %u times", w.pinged, seen.passed);
	direct(direct_deaf_to_actors);
	EXPECT(seen.stops == 1 && w.pinged == 1 && seen.passed == 1 && w.stop.acknowledges,
	       "an actor: pinged %u times, passed %u times", w.pinged, seen.passed);
}

static void direct_refusals(void *unused)
{
	(void)unused;
	w = (struct walk){.stop = {.name = "no_such_point"}};
	w.err = step_stop(&w.stop);
}

SELFTEST(step_unknown, "step.unknown-point", "a point that was not linked in is refused")
{
	direct(direct_refusals);
	EXPECT(w.err == -ENOENT, "error %d", w.err);
	EXPECT(step_exists("test_step_here") && !step_exists("no_such_point"), "wrong names");
}

static unsigned rang;

static void ring(struct timer *t)
{
	(void)t;
	__atomic_store_n(&rang, 1, __ATOMIC_RELEASE);
}

SELFTEST(clock_skips, "clock.skip",
	 "the clock can be moved on, and a timer that is due by then runs, before its time has "
	 "really come")
{
	const uint64_t far = 3600000000000; /* does not come by itself before the skip */
	uint64_t before = clock_ns(), after;
	static struct timer t1;
	bool early;

	rang = 0;
	timer_arm(&t1, before + far, ring);
	early = __atomic_load_n(&rang, __ATOMIC_ACQUIRE) != 0;
	clock_skip(far);
	after = clock_ns();
	comes_true(&rang, 1);
	timer_cancel_wait(&t1);
	EXPECT(after - before >= far, "moved by %lu ns", after - before);
	EXPECT(rang == 1 && !early, "the timer ran %u times, early %d", rang, early);
}
