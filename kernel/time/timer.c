/* SPDX-License-Identifier: MIT */
/*
 * One-shot timers without a tick.
 *
 * Each CPU keeps the timers armed on it in a list sorted by deadline, and programs its local APIC
 * for the first of {earliest timer, end of the running thread's slice, the watchdog's next look}.
 * The last one is seconds away and in no list: an idle machine is as good as silent. The interrupt
 * may come early (the hardware counter holds four seconds, a cancelled timer is not un-programmed);
 * it then finds nothing due and programs again, so only coming late would be wrong.
 *
 * clock_skip() moves the clock and not the hardware. So it is the time without skips that says when
 * the programmed interrupt comes, and timers that a skip made due are run by an interrupt of its
 * own: thousands of skips, as a poll of a minute takes, program the hardware no more often than
 * real time goes by.
 */
#include "kernel/cpu/internal.h"
#include "kernel/sched/internal.h"
#include "kernel/time/internal.h"
#include "kernel/trap/internal.h"

#define NEVER	UINT64_MAX
#define NO_APIC INT64_MIN /* the local APIC is not up yet: no wish is earlier */

TAILQ_HEAD(timer_list, timer);

struct cpu_timers {
	struct spinlock lock;
	struct timer_list list; /* by deadline; protected by lock */
	struct timer *running;	/* function being called now; NULL means none */
	/* When the interrupt comes, without skips; INT64_MAX: it does not; NO_APIC: nor can it */
	int64_t programmed;
	uint64_t watch_due; /* when the watchdog looks next. Its CPU only, as the next one */
	uint64_t skipped;   /* of the clock, when watch_due was set */
};
static struct cpu_timers per_cpu[MAX_CPUS];

void timers_init(void)
{
	for (unsigned i = 0; i < MAX_CPUS; i++) {
		spin_init(&per_cpu[i].lock, "timers of a CPU");
		TAILQ_INIT(&per_cpu[i].list);
		per_cpu[i].programmed = NO_APIC;
	}
}

void timer_want(uint64_t deadline_ns, uint64_t now)
{
	struct cpu_timers *ct = &per_cpu[cpu_id()];
	int64_t real = (int64_t)(deadline_ns - clock_skipped()); /* below zero: long due */

	if (real >= ct->programmed)
		return;
	ct->programmed = real;
	apic_timer_start(ns_to_timer_ticks(deadline_ns > now ? deadline_ns - now : 0));
}

/* Programs the interrupt for whatever is due first here. Interrupts off. */
static void program_next(struct cpu_timers *ct)
{
	const struct timer *first;
	uint64_t slice = sched_slice_end(), now = clock_ns();

	spin_lock(&ct->lock);
	first = TAILQ_FIRST(&ct->list);
	if (first)
		timer_want(first->deadline_ns, now);
	spin_unlock(&ct->lock);
	if (slice)
		timer_want(slice, now);
	timer_want(ct->watch_due, now);
}

static void watch_later(struct cpu_timers *ct)
{
	ct->skipped = clock_skipped();
	ct->watch_due = clock_ns() + watch_period();
}

void timer_restart(void)
{
	struct cpu_timers *ct = &per_cpu[cpu_id()];

	watch_later(ct);
	ct->programmed = INT64_MAX;
	program_next(ct);
}

/* The first timer that is due, taken off the list; NULL: none. */
static struct timer *take_due(struct cpu_timers *ct, uint64_t now)
{
	struct timer *t;

	spin_lock(&ct->lock);
	t = TAILQ_FIRST(&ct->list);
	if (t && t->deadline_ns > now)
		t = NULL;
	if (t) {
		TAILQ_REMOVE(&ct->list, t, link);
		t->armed = false;
	}
	/* With the lock held, else timer_cancel_wait() sees neither "armed" nor "running". */
	__atomic_store_n(&ct->running, t, __ATOMIC_RELEASE);
	spin_unlock(&ct->lock);
	return t;
}

static void run_due(struct cpu_timers *ct)
{
	struct timer *t;

	while ((t = take_due(ct, clock_ns())) != NULL)
		t->fn(t);
	sched_slice_tick(clock_ns());
	if (ct->skipped != clock_skipped()) {
		watch_later(ct); /* what was skipped was nobody's turn */
	} else if (clock_ns() >= ct->watch_due) {
		watch_tick(clock_ns(), ct->watch_due);
		watch_later(ct);
	}
	program_next(ct);
}

void timer_interrupt(void)
{
	struct cpu_timers *ct = &per_cpu[cpu_id()];

	ct->programmed = INT64_MAX;
	run_due(ct);
}

void skip_interrupt(void)
{
	run_due(&per_cpu[cpu_id()]);
}

/* A timer that is armed later than this look is armed by the clock as it is now. */
void timers_skipped(void)
{
	for (unsigned i = 0; i < nr_cpus; i++) {
		uint64_t flags = spin_lock_irqsave(&per_cpu[i].lock);
		bool some = !TAILQ_EMPTY(&per_cpu[i].list);

		spin_unlock_irqrestore(&per_cpu[i].lock, flags);
		if (some)
			apic_send_ipi(cpus[i].apic_id, VEC_SKIP);
	}
}

void timer_arm(struct timer *t, uint64_t deadline_ns, void (*fn)(struct timer *))
{
	uint64_t flags = irq_save();
	struct cpu_timers *ct = &per_cpu[cpu_id()];
	struct timer *other;

	spin_lock(&ct->lock);
	ASSERT(!t->armed, "a timer is armed once: cancel it before arming it again");
	t->deadline_ns = deadline_ns;
	t->fn = fn;
	t->cpu = cpu_id();
	t->armed = true;
	TAILQ_FOREACH_REVERSE(other, &ct->list, timer_list, link)
	{
		if (other->deadline_ns <= deadline_ns)
			break;
	}
	if (other)
		TAILQ_INSERT_AFTER(&ct->list, other, t, link);
	else
		TAILQ_INSERT_HEAD(&ct->list, t, link);
	timer_want(deadline_ns, clock_ns());
	spin_unlock(&ct->lock);
	irq_restore(flags);
}

bool timer_cancel(struct timer *t)
{
	struct cpu_timers *ct = &per_cpu[t->cpu];
	uint64_t flags = spin_lock_irqsave(&ct->lock);
	bool pending = t->armed;

	if (pending) {
		TAILQ_REMOVE(&ct->list, t, link);
		t->armed = false;
	}
	spin_unlock_irqrestore(&ct->lock, flags);
	return pending;
}

bool timer_cancel_wait(struct timer *t)
{
	struct cpu_timers *ct = &per_cpu[t->cpu];
	bool pending = timer_cancel(t);

	while (__atomic_load_n(&ct->running, __ATOMIC_ACQUIRE) == t)
		cpu_pause();
	return pending;
}

uint64_t timer_first(void)
{
	uint64_t first = NEVER;

	for (unsigned i = 0; i < MAX_CPUS; i++) {
		uint64_t flags = spin_lock_irqsave(&per_cpu[i].lock);
		const struct timer *t = TAILQ_FIRST(&per_cpu[i].list);

		if (t)
			first = MIN(first, t->deadline_ns);
		spin_unlock_irqrestore(&per_cpu[i].lock, flags);
	}
	return first;
}
