/* SPDX-License-Identifier: MIT */
/*
 * Step points: hardware breakpoints on labels that cost nothing. The protocol is in selftest.h.
 *
 * A debug exception for an instruction breakpoint comes before the instruction, so the handler runs
 * exactly at the label. It returns with the resume flag set in the saved flags (SDM vol. 3,
 * 17.3.1.1): the instruction is then executed as if there were no breakpoint, which so may stay
 * armed for a thread that is yet to come.
 *
 * The slots belong to their CPU: they are written by it alone, with interrupts off, and read by it
 * in the exception. Only step_go() comes from elsewhere; it writes one word.
 */
#include "kernel/kernel.h"
#include "kernel/cpu/internal.h"
#include "kernel/selftest/internal.h"
#include "kernel/trap/internal.h"

#define RFLAGS_RF (1ull << 16)
#define SLOTS	  4

extern const struct step_point __start_hf_steps[], __stop_hf_steps[];

/* One debug register. */
struct slot {
	uint64_t at;		/* zero means: free */
	struct step_stop *stop; /* NULL: a function is called */
};
static struct cpu_steps {
	struct slot slot[SLOTS];
	void (*fn)(void *); /* NULL means: no function is armed */
	void *arg;
	unsigned fired;
} per_cpu[MAX_CPUS];

bool step_exists(const char *name)
{
	for (const struct step_point *p = __start_hf_steps; p < __stop_hf_steps; p++)
		if (!strcmp(p->name, name))
			return true;
	return false;
}

/* The slots into the registers. Interrupts or preemption off. */
static void load(const struct cpu_steps *cs)
{
	uint64_t at[SLOTS];
	unsigned n = 0;

	for (unsigned i = 0; i < SLOTS; i++)
		if (cs->slot[i].at)
			at[n++] = cs->slot[i].at;
	write_debug_registers(at, n);
}

/* Frees the slots of `stop`; NULL: those of the function. */
static void free_registers(struct cpu_steps *cs, const struct step_stop *stop)
{
	for (unsigned i = 0; i < SLOTS; i++)
		if (cs->slot[i].stop == stop)
			cs->slot[i] = (struct slot){0};
	load(cs);
}

static struct slot *free_slot(struct cpu_steps *cs)
{
	for (unsigned i = 0; i < SLOTS; i++)
		if (!cs->slot[i].at)
			return &cs->slot[i];
	return NULL;
}

/* All copies of the point, or nothing. */
static int occupy(struct cpu_steps *cs, const char *name, struct step_stop *stop)
{
	struct slot *s;

	for (const struct step_point *p = __start_hf_steps; p < __stop_hf_steps; p++) {
		if (strcmp(p->name, name))
			continue;
		s = free_slot(cs);
		if (!s) {
			free_registers(cs, stop);
			return -EBUSY;
		}
		*s = (struct slot){p->addr, stop};
	}
	load(cs);
	return 0;
}

int step_arm(const char *name, void (*fn)(void *), void *arg)
{
	struct cpu_steps *cs = &per_cpu[cpu_id()];
	int err;

	ASSERT(this_cpu()->preempt, "a step point is armed for a CPU: preemption must be off");
	if (!step_exists(name))
		return -ENOENT;
	if (cs->fn)
		return -EBUSY;
	cs->fired = 0;
	cs->arg = arg;
	cs->fn = fn;
	err = occupy(cs, name, NULL);
	if (err)
		cs->fn = NULL;
	return err;
}

unsigned step_disarm(void)
{
	struct cpu_steps *cs = &per_cpu[cpu_id()];

	cs->fn = NULL;
	free_registers(cs, NULL);
	return cs->fired;
}

/* ---- stopping a thread ---------------------------------------------------------------------- */

int step_stop(struct step_stop *st)
{
	struct thread *t = current_thread();
	uint64_t flags;
	int err;

	might_sleep();
	ASSERT(t->affinity && !(t->affinity & (t->affinity - 1)),
	       "thread '%s' can be stopped at '%s' only while it is tied to one CPU", t->name,
	       st->name);
	if (!step_exists(st->name))
		return -ENOENT;
	st->thread = t;
	flags = irq_save();
	err = occupy(&per_cpu[cpu_id()], st->name, st);
	irq_restore(flags);
	return err;
}

void step_unstop(struct step_stop *st)
{
	uint64_t flags = irq_save();

	ASSERT(st->thread == current_thread(), "only the thread that armed '%s' disarms it",
	       st->name);
	free_registers(&per_cpu[cpu_id()], st);
	irq_restore(flags);
}

bool step_stopped(const struct step_stop *st)
{
	enum step_state s = __atomic_load_n(&st->state, __ATOMIC_ACQUIRE);

	return s == STEP_SLEEPS || s == STEP_SPINS || s == STEP_SPINS_DEAF;
}

void step_go(struct step_stop *st)
{
	__atomic_store_n(&st->go, true, __ATOMIC_RELEASE);
	wake_up(st);
}

/* May the thread go on? If nobody said so, only when time is up. */
static bool may_go(struct step_stop *st)
{
	if (__atomic_load_n(&st->go, __ATOMIC_ACQUIRE))
		return true;
	if (clock_ns() < st->deadline)
		return false;
	st->timed_out = true;
	return true;
}

static void enter(struct step_stop *st, enum step_state s)
{
	st->stops += s != STEP_ARMED && s != STEP_GONE;
	__atomic_store_n(&st->state, s, __ATOMIC_RELEASE);
}

static void spin_deaf(struct step_stop *st)
{
	enter(st, STEP_SPINS_DEAF);
	while (!may_go(st)) {
		if (cpu_call_waits()) {
			st->acknowledges = st->wanted && st->wanted(st);
			if (st->acknowledges)
				return;
			call_interrupt(); /* its IPI stays pending, and will find nothing */
		}
		cpu_pause();
	}
}

static void spin(struct step_stop *st)
{
	enter(st, STEP_SPINS);
	irq_enable();
	while (!may_go(st))
		cpu_pause();
	irq_disable();
}

static void sleep(struct step_stop *st)
{
	enter(st, STEP_SLEEPS);
	irq_enable();
	if (!wait_event_until(st, __atomic_load_n(&st->go, __ATOMIC_ACQUIRE), st->deadline,
			      "its turn, at a step point", "the script"))
		st->timed_out = true;
	irq_disable();
}

/* In the debug exception: interrupts are off, those of the path are in its saved flags. */
static void stop_here(struct step_stop *st, const struct trap_frame *tf)
{
	bool deaf = !(tf->rflags & RFLAGS_IF);

	if (deaf)
		spin_deaf(st);
	else if (this_cpu()->preempt || this_cpu()->irq_depth)
		spin(st);
	else
		sleep(st);
	if (st->again)
		__atomic_store_n(&st->go, false, __ATOMIC_RELEASE);
	enter(st, st->again ? STEP_ARMED : STEP_GONE);
}

/* Does this passing of the point concern the stop? */
static bool stops(struct step_stop *st)
{
	if (st->thread != current_thread() || st->state != STEP_ARMED || in_interrupt())
		return false;
	if (__atomic_load_n(&st->go, __ATOMIC_ACQUIRE))
		return false;
	return st->pass == 0 || st->pass-- == 0;
}

bool step_hit(struct trap_frame *tf)
{
	struct cpu_steps *cs = &per_cpu[cpu_id()];
	bool ours = false;

	for (unsigned i = 0; i < SLOTS; i++) {
		struct step_stop *st = cs->slot[i].stop;
		void (*fn)(void *) = cs->fn;

		if (cs->slot[i].at != tf->rip)
			continue;
		ours = true;
		if (st) {
			if (stops(st))
				stop_here(st,
					  tf); /* on the same CPU afterwards: it is tied to it */
		} else if (fn) {
			cs->fn = NULL;
			free_registers(cs, NULL);
			cs->fired++;
			fn(cs->arg);
		}
	}
	if (ours)
		tf->rflags |= RFLAGS_RF;
	return ours;
}
