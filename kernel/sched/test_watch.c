/* SPDX-License-Identifier: MIT */
/*
 * Self-tests: the watchdog (watch.*), and two endless loops for whoever wants to see what a machine
 * that hangs says of itself.
 */
#include "kernel/kernel.h"

MUSEUM(endless_loop, "endless-loop",
       "a self-test never ends; TIMEOUT= and a break on the serial line show its function and line "
       "(selftest watch.endless-loop)");
MUSEUM(deaf_loop, "deaf-loop",
       "a self-test never ends and has interrupts off; TIMEOUT= shows its function and line "
       "(selftest watch.endless-loop)");

#define FAST_NS 2000000ull

static uint32_t go_on; /* zero means: loop */

static void __attribute__((noipa)) loop_for_ever(void)
{
	while (!__atomic_load_n(&go_on, __ATOMIC_ACQUIRE))
		cpu_pause();
}

SELFTEST(watch_endless, "watch.endless-loop",
	 "loops for ever if the museum says so, and else ends at once")
{
	(void)t;
	__atomic_store_n(&go_on, 0, __ATOMIC_RELEASE);
	if (museum_deaf_loop.on)
		irq_disable();
	if (museum_deaf_loop.on || museum_endless_loop.on)
		loop_for_ever();
}

static void spinner(void *arg)
{
	uint64_t flags = arg ? irq_save() : 0;

	loop_for_ever();
	if (arg)
		irq_restore(flags);
}

static bool names_loop(const struct watch_said *s)
{
	const char *name;

	for (unsigned i = 0; i < s->n; i++)
		if ((name = ksym_lookup(s->pc[i], NULL)) && !strcmp(name, "loop_for_ever"))
			return true;
	return false;
}

/* Threads in loops: `n` of them on the last CPU, which they share; deaf: with interrupts off. */
struct loops {
	unsigned n;
	bool deaf;
	unsigned before; /* warnings of this kind */
	struct watch_said after;
	unsigned tid[2];
};

static unsigned said_of(const struct watch_said *s, bool deaf)
{
	return deaf ? s->deaf : s->threads;
}

/* About these loops? At this pace the watchdog also says of a CPU that the host gave no time that
 * it takes no interrupt, and may catch a thread on its way to the loop; it says all of it again. */
static bool about(const struct loops *l, const struct watch_said *s)
{
	return said_of(s, l->deaf) != l->before && s->is_deaf == l->deaf &&
	       (s->tid == l->tid[0] || s->tid == l->tid[1]) && names_loop(s);
}

/* Until the watchdog said it; asleep, and for as long as the host needs. */
static struct watch_said wait_until_said(const struct loops *l)
{
	struct watch_said s = watch_last();

	for (unsigned i = 0; i < 20000 && !about(l, &s); i++, s = watch_last())
		thread_sleep_ns(FAST_NS);
	return s;
}

/* On CPU 0, so that the timers of its sleeps are not those of the deaf one. */
static void make_loops(void *arg)
{
	struct loops *l = arg;
	struct thread *thread[2] = {NULL, NULL};
	struct watch_said s = watch_last();

	l->before = said_of(&s, l->deaf);
	__atomic_store_n(&go_on, 0, __ATOMIC_RELEASE);
	watch_set_period(FAST_NS);
	for (unsigned i = 0; i < l->n; i++) {
		thread[i] =
			thread_create("spinner", spinner, l->deaf ? l : NULL, 1u << (nr_cpus - 1));
		l->tid[i] = thread[i] ? thread[i]->tid : 0;
	}
	l->after = wait_until_said(l);
	__atomic_store_n(&go_on, 1, __ATOMIC_RELEASE);
	for (unsigned i = 0; i < l->n; i++)
		if (thread[i])
			thread_join(thread[i]);
	watch_set_period(0);
}

static void check_loop(struct selftest_run *t, unsigned n, bool deaf)
{
	struct loops l = {.n = n, .deaf = deaf};
	struct thread *maker = thread_create("maker of loops", make_loops, &l, 1);
	const struct watch_said *s = &l.after;

	EXPECT(maker, "no memory for a thread");
	thread_join(maker);
	EXPECT(said_of(s, deaf) != l.before, "nothing was said");
	EXPECT(s->tid == l.tid[0] || s->tid == l.tid[1], "it named thread %u, not %u or %u", s->tid,
	       l.tid[0], l.tid[1]);
	EXPECT(names_loop(s), "the chain of %u addresses does not name the loop", s->n);
}

SELFTEST(watch_thread, "watch.running-thread",
	 "a thread that keeps its CPU is named, with the function it is in")
{
	if (nr_cpus < 2)
		SKIP("needs two CPUs");
	check_loop(t, 1, false);
}

SELFTEST(watch_preempted_thread, "watch.preempted-thread",
	 "two threads that share a CPU and never sleep are named, however often they are switched")
{
	if (nr_cpus < 2)
		SKIP("needs two CPUs");
	check_loop(t, 2, false);
}

SELFTEST(watch_deaf, "watch.deaf-cpu",
	 "a CPU that takes no interrupt is named, with the function it is in")
{
	if (nr_cpus < 2)
		SKIP("needs two CPUs");
	check_loop(t, 1, true);
}

/* Two threads that take turns: each is looked at as often as one may be in a turn, hands over, and
 * sleeps until it is called. */
/* Two threads take turns. One begins its turn when it sees that the other one sleeps: what is woken
 * before it got to sleep, because the host let a time slice end there, would have had two in one.
 */
struct turns {
	uint32_t whose, handed_over;
	struct thread *thread[2];
};

#define TURNS	   200u
#define AN_HOUR_NS 3600000000000ull /* between the watchdog's own looks: none comes in the test */

static void take_turns(struct turns *turns, uint32_t me)
{
	while (__atomic_load_n(&turns->handed_over, __ATOMIC_ACQUIRE) < TURNS) {
		wait_event(turns,
			   __atomic_load_n(&turns->whose, __ATOMIC_ACQUIRE) == me ||
				   __atomic_load_n(&turns->handed_over, __ATOMIC_ACQUIRE) >= TURNS,
			   "its turn", "the other thread of the test");
		while (__atomic_load_n(&turns->handed_over, __ATOMIC_ACQUIRE) < TURNS &&
		       __atomic_load_n(&turns->thread[!me]->state, __ATOMIC_ACQUIRE) !=
			       THREAD_SLEEPING)
			thread_yield();
		for (unsigned i = 1; i < WATCH_TICKS; i++)
			watch_look();
		__atomic_add_fetch(&turns->handed_over, 1, __ATOMIC_RELAXED);
		__atomic_store_n(&turns->whose, !me, __ATOMIC_RELEASE);
		wake_up(turns);
	}
}

static void turn_zero(void *arg)
{
	take_turns(arg, 0);
}

static void turn_one(void *arg)
{
	take_turns(arg, 1);
}

SELFTEST(watch_sleeps, "watch.sleeper-is-left-alone",
	 "threads that sleep now and then are not named, though they share a CPU and fill it; one "
	 "look more in a turn, and one is")
{
	struct watch_said before = watch_last(), slept, kept;
	struct turns turns = {.whose = 2};
	struct thread *a, *b;

	watch_set_period(AN_HOUR_NS);
	a = thread_create("turn 0", turn_zero, &turns, 1u << (nr_cpus - 1));
	b = thread_create("turn 1", turn_one, &turns, 1u << (nr_cpus - 1));
	turns.thread[0] = a;
	turns.thread[1] = b;
	if (!a || !b)
		__atomic_store_n(&turns.handed_over, TURNS, __ATOMIC_RELEASE);
	__atomic_store_n(&turns.whose, 0, __ATOMIC_RELEASE);
	wake_up(&turns);
	if (a)
		thread_join(a);
	if (b)
		thread_join(b);
	slept = watch_last();
	watch_touch();
	for (unsigned i = 0; i < WATCH_TICKS; i++)
		watch_look();
	kept = watch_last();
	watch_set_period(0);
	EXPECT(a && b, "no memory for two threads");
	EXPECT(slept.threads == before.threads, "%u of them were named",
	       slept.threads - before.threads);
	EXPECT(kept.threads == slept.threads + 1 && kept.tid == current_thread()->tid,
	       "%u warnings of one that does not sleep", kept.threads - slept.threads);
}
