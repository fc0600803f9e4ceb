/* SPDX-License-Identifier: MIT */
/*
 * The watchdog. Every CPU takes a timer interrupt once in WATCH_NS, whatever else it does; that
 * tick asks two questions.
 *
 *   this CPU    has its thread run through WATCH_TICKS ticks in a row, ten seconds, without
 *               leaving the CPU by its own doing (a sleep)?
 *   the others  has one of them had no tick while this one had WATCH_TICKS? It has interrupts
 *               off; its call chain is fetched by NMI.
 *
 * Each is said once, as a warning (again and again where a test listens: what it hears first may
 * be about a CPU that the host gave no time). A switch costs nothing for it: the scheduler keeps no
 * count of sleeps. Only a preemption, which is rare, writes down how the turn that it ends began;
 * if the time that the thread ran until its next turn is that turn's and no more, there was no
 * other turn in between, and so no sleep.
 *
 * Ticks are counted, not nanoseconds, and a late tick begins the count anew: a host that has no
 * time for the machine lets the clock run on while nothing runs, and that is no fault in the
 * machine.
 */
#include "kernel/cpu/internal.h"
#include "kernel/sched/internal.h"
#include "kernel/time/internal.h"
#include "kernel/trap/internal.h"

#define WATCH_NS 2500000000ull
#define LATE_NS	 20000000ull

static uint64_t period = WATCH_NS;
static bool silent;
static struct {
	uint32_t ticks;		  /* of this CPU, since it started */
	uint32_t seen[MAX_CPUS];  /* `ticks` of each other CPU at our last tick */
	unsigned still[MAX_CPUS]; /* our ticks since it had one */
} per_cpu[MAX_CPUS];
static struct spinlock said_lock = SPINLOCK_INIT("watchdog's last word");
static struct watch_said said; /* protected by said_lock */

uint64_t watch_period(void)
{
	return __atomic_load_n(&period, __ATOMIC_RELAXED);
}

/* When the current thread last came by its own doing. */
static uint64_t began(const struct thread *t)
{
	const struct thread_watch *w = &t->watch;
	uint64_t came = sched_switched_at();

	if (w->came == came)
		return w->began; /* nobody else wanted the CPU: still the same turn */
	if (w->came && t->ran_ns - w->ran == w->at - w->came)
		return w->began;
	return came;
}

void watch_preempted(uint64_t now)
{
	struct thread *t = current_thread();
	uint64_t from = began(t);

	if (t->watch.came == sched_switched_at())
		t->watch.at = now;
	else
		t->watch = (struct thread_watch){.began = from,
						 .came = sched_switched_at(),
						 .ran = t->ran_ns,
						 .at = now,
						 .counted = t->watch.counted,
						 .ticks = t->watch.ticks};
}

void watch_touch(void)
{
	current_thread()->watch.counted = 0;
}

/* ---- warnings */

/* Both CPUs may have something to say. */
static void note(bool deaf, unsigned tid, const uint64_t *pc, unsigned n)
{
	uint64_t flags = spin_lock_irqsave(&said_lock);

	said.threads += !deaf;
	said.deaf += deaf;
	said.is_deaf = deaf;
	said.tid = tid;
	said.n = MIN(n, (unsigned)ARRAY_SIZE(said.pc));
	memcpy(said.pc, pc, said.n * sizeof(*pc));
	spin_unlock_irqrestore(&said_lock, flags);
}

static void say_thread(const struct thread *t)
{
	uint64_t pc[24];
	unsigned n = backtrace_collect((uintptr_t)__builtin_frame_address(0), pc, ARRAY_SIZE(pc));

	note(false, t->tid, pc, n);
	if (silent)
		return;
	kprintf("watchdog: thread %u '%s' has run on CPU %u for %lu s without a sleep; it is "
		"here:\n",
		t->tid, t->name, cpu_id(), (unsigned long)(WATCH_TICKS * WATCH_NS / 1000000000));
	backtrace_print(pc, n, true);
}

static void say_deaf(unsigned id)
{
	const unsigned long seconds = WATCH_TICKS * WATCH_NS / 1000000000;
	bool quiet = silent; /* as it is now: the answer may take longer than a test */
	struct cpu_snapshot s;

	if (!cpu_capture(id, &s))
		s = (struct cpu_snapshot){.n = 0};
	note(true, s.tid, s.pc, s.n);
	if (quiet)
		return;
	if (!s.n) {
		kprintf("watchdog: CPU %u took no interrupt for %lu s, and does not answer an "
			"NMI\n",
			id, seconds);
		return;
	}
	kprintf("watchdog: CPU %u took no interrupt for %lu s; thread %u '%s' is here:\n", id,
		seconds, s.tid, s.name);
	backtrace_print(s.pc, s.n, false);
}

/* ---- looks */

static void look_at_thread(bool late)
{
	struct thread *t = current_thread();
	uint64_t from = began(t);

	if (t == this_cpu()->idle)
		return;
	if (late || t->watch.counted != from) {
		t->watch.counted = from;
		t->watch.ticks = 0;
	}
	if (++t->watch.ticks == WATCH_TICKS) {
		say_thread(t);
		t->watch.ticks = silent ? 0 : WATCH_TICKS;
	}
}

void watch_look(void)
{
	uint64_t flags = irq_save();

	look_at_thread(false);
	irq_restore(flags);
}

static void look_at_cpu(unsigned id, bool late)
{
	uint32_t now = __atomic_load_n(&per_cpu[id].ticks, __ATOMIC_RELAXED);
	unsigned me = cpu_id();

	if (late || now != per_cpu[me].seen[id])
		per_cpu[me].still[id] = 0;
	per_cpu[me].seen[id] = now;
	if (++per_cpu[me].still[id] == WATCH_TICKS + 1) {
		say_deaf(id);
		per_cpu[me].still[id] = silent ? 0 : WATCH_TICKS + 1;
	}
}

void watch_tick(uint64_t now, uint64_t due)
{
	bool late = now - due > LATE_NS && !silent;
	unsigned me = cpu_id();

	__atomic_store_n(&per_cpu[me].ticks, per_cpu[me].ticks + 1, __ATOMIC_RELAXED);
	if (panicking())
		return;
	look_at_thread(late);
	for (unsigned id = 0; id < nr_cpus; id++)
		if (id != me && cpus[id].online)
			look_at_cpu(id, late);
}

struct watch_said watch_last(void)
{
	uint64_t flags = spin_lock_irqsave(&said_lock);
	struct watch_said s = said;

	spin_unlock_irqrestore(&said_lock, flags);
	return s;
}

static void restart(void *unused)
{
	(void)unused;
	timer_restart();
}

void watch_set_period(uint64_t ns)
{
	__atomic_store_n(&period, ns ? ns : WATCH_NS, __ATOMIC_RELAXED);
	silent = ns != 0;
	cpu_call(cpus_online(), restart, NULL);
}
