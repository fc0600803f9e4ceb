/* SPDX-License-Identifier: MIT */
/*
 * Who runs. One queue of ready threads for all CPUs, in order of arrival, under run_lock.
 *
 * The lock is held across a switch: taken by the thread that leaves, released by the one that
 * comes. So nobody can pick a thread whose registers are not yet saved.
 *
 *     leaving:  lock, state, schedule_locked() ─ switch_context ─► coming: after_switch(), unlock
 *
 * A ready thread is brought to an idle CPU at once (by IPI if it is another one); if all are busy,
 * this CPU's running thread gets an end of slice. While nobody is ready there are no slices and no
 * ticks. Every CPU has an idle thread, which is in no queue and runs when nothing else can.
 */
#include "kernel/cpu/internal.h"
#include "kernel/sched/internal.h"
#include "kernel/time/internal.h"
#include "kernel/trap/internal.h"

TAILQ_HEAD(run_queue, thread);

struct spinlock run_lock = SPINLOCK_INIT("run queue");
struct thread_list all_threads = LIST_HEAD_INITIALIZER(all_threads);

/* Protected by run_lock. */
static struct run_queue ready = TAILQ_HEAD_INITIALIZER(ready);
static uint32_t idle_mask; /* CPUs in their idle thread and not yet called out of it; zero: none */
static bool running;	   /* zero means boot: nobody sleeps, nobody is preempted */

static void (*mm_switch_fn)(void *next_mm); /* NULL means there is only the kernel's own memory */

/* Its own CPU's only, interrupts off. */
static struct cpu_sched {
	uint64_t slice_end;   /* zero means no other thread is waiting for this CPU */
	uint64_t switched_at; /* clock when the running thread came */
	struct thread *left;  /* who was switched away from */
} per_cpu[MAX_CPUS];

void thread_set_mm_switch(void (*fn)(void *next_mm))
{
	mm_switch_fn = fn;
}

bool sched_running(void)
{
	return running;
}

uint64_t sched_switched_at(void)
{
	return per_cpu[cpu_id()].switched_at;
}

uint64_t sched_slice_end(void)
{
	return per_cpu[cpu_id()].slice_end;
}

void sched_init_cpu(struct cpu *c, struct thread *first)
{
	uint64_t flags = spin_lock_irqsave(&run_lock);

	c->current = first;
	first->cpu = c->id;
	first->state = THREAD_RUNNING;
	per_cpu[c->id].switched_at = clock_ns();
	if (first == c->idle)
		idle_mask |= 1u << c->id;
	spin_unlock_irqrestore(&run_lock, flags);
}

/* First ready thread that may run on CPU `id`, NULL: none. */
static struct thread *first_ready(unsigned id)
{
	struct thread *t;

	TAILQ_FOREACH (t, &ready, runq) {
		if (t->affinity >> id & 1)
			return t;
	}
	return NULL;
}

static void start_slice(uint64_t now)
{
	struct cpu_sched *cs = &per_cpu[cpu_id()];

	if (cs->slice_end == 0) {
		cs->slice_end = now + THREAD_SLICE_NS;
		timer_want(cs->slice_end, now);
	}
}

/* The part of a switch done by the thread that comes. run_lock held, as it was at the switch. */
static void after_switch(void)
{
	struct cpu *c = this_cpu();
	struct thread *left = per_cpu[c->id].left;
	bool last;

	if (left->state != THREAD_DEAD)
		return;
	/* Its stack is no longer in use by anybody. Both under run_lock: who sees `done` and then
	 * takes the lock knows that the reference is gone too. */
	last = --left->refs == 0;
	__atomic_store_n(&left->done, true, __ATOMIC_RELEASE);
	if (last)
		LIST_REMOVE(left, all);
	spin_unlock(&run_lock);
	thread_gone(left, last);
	spin_lock(&run_lock);
}

static void switch_to(struct cpu *c, struct thread *prev, struct thread *next, uint64_t now)
{
	struct cpu_sched *cs = &per_cpu[c->id];

	prev->ran_ns += now - cs->switched_at;
	cs->switched_at = now;
	cs->left = prev;
	next->cpu = c->id;
	c->current = next;
	if (mm_switch_fn && next->mm != c->mm)
		mm_switch_fn(next->mm);
	switch_context(&prev->rsp, next->rsp);
	after_switch();
}

/* Gives the CPU to the next ready thread; returns when the caller's turn comes again. run_lock
 * held, interrupts off, the current thread's state says why it leaves (RUNNING: it is ready to go
 * on). */
static inline __attribute__((always_inline)) void schedule_at(uint64_t now)
{
	struct cpu *c = this_cpu();
	struct thread *prev = c->current, *next;

	c->need_resched = false;
	per_cpu[c->id].slice_end = 0;
	if (prev->state == THREAD_RUNNING) {
		prev->state = THREAD_READY;
		if (prev != c->idle)
			TAILQ_INSERT_TAIL(&ready, prev, runq);
	}
	next = first_ready(c->id);
	if (next) {
		TAILQ_REMOVE(&ready, next, runq);
		idle_mask &= ~(1u << c->id);
		if (first_ready(c->id))
			start_slice(now);
	} else {
		next = c->idle;
		idle_mask |= 1u << c->id;
	}
	next->state = THREAD_RUNNING;
	if (next != prev)
		switch_to(c, prev, next, now);
}

static void __attribute__((noinline)) schedule_locked(void)
{
	schedule_at(clock_ns());
}

/* makes that CPU look at need_resched */
static void cpu_kick(unsigned id)
{
	cpus[id].need_resched = true;
	if (id != cpu_id())
		apic_send_ipi(cpus[id].apic_id, VEC_RESCHED);
}

/* Finds a CPU for `t`, which just became ready. run_lock held. */
static inline void place(struct thread *t)
{
	uint32_t idle = idle_mask & t->affinity;
	unsigned me = cpu_id(), to;

	t->state = THREAD_READY;
	TAILQ_INSERT_TAIL(&ready, t, runq);
	if (!running)
		return;
	if (idle) {
		to = idle >> t->cpu & 1 ? t->cpu : (unsigned)__builtin_ctz(idle);
		idle_mask &= ~(1u << to);
		cpu_kick(to);
	} else if (t->affinity >> me & 1) {
		start_slice(clock_ns());
	} else {
		cpu_kick((unsigned)__builtin_ctz(t->affinity & cpus_online()));
	}
}

void sched_make_ready(struct thread *t)
{
	uint64_t flags = spin_lock_irqsave(&run_lock);

	place(t);
	spin_unlock_irqrestore(&run_lock, flags);
}

void sched_wake_irqs_off(struct thread *t)
{
	spin_lock(&run_lock);
	if (t->state == THREAD_SLEEPING)
		place(t);
	spin_unlock(&run_lock);
}

void sched_wake(struct thread *t)
{
	uint64_t flags = irq_save();

	sched_wake_irqs_off(t);
	irq_restore(flags);
}

/* A waker sets the flag first and takes run_lock after, a sleeper tests it with run_lock held: one
 * of the two sees the other. */
static bool wait_over(const struct waiter *w)
{
	return __atomic_load_n(&w->woken, __ATOMIC_ACQUIRE) ||
	       __atomic_load_n(&w->timed_out, __ATOMIC_ACQUIRE) ||
	       (w->interruptible && __atomic_load_n(&w->thread->signalled, __ATOMIC_ACQUIRE));
}

void sched_sleep(struct waiter *w)
{
	uint64_t flags = spin_lock_irqsave(&run_lock);
	struct thread *t = current_thread();

	ASSERT(running, "nobody can sleep before the scheduler runs, but '%s' wants to", w->what);
	t->waiting = w;
	while (!wait_over(w)) {
		t->state = THREAD_SLEEPING;
		schedule_locked();
	}
	t->waiting = NULL;
	spin_unlock_irqrestore(&run_lock, flags);
}

/* interrupts off; switches if another one is ready */
static void sched_preempt(void)
{
	uint64_t flags = spin_lock_irqsave(&run_lock);

	if (running)
		schedule_locked();
	spin_unlock_irqrestore(&run_lock, flags);
}

/* In line once more, so that who leaves by a sleep pays nothing for the watchdog's books. */
void sched_preempt_forced(void)
{
	uint64_t flags = spin_lock_irqsave(&run_lock), now = clock_ns();

	if (running) {
		watch_preempted(now);
		schedule_at(now);
	}
	spin_unlock_irqrestore(&run_lock, flags);
}

void thread_yield(void)
{
	might_sleep();
	sched_preempt();
	cpu_pause(); /* whoever yields in a loop leaves the core to others */
}

void sched_exit(void)
{
	spin_lock_irqsave(&run_lock);
	current_thread()->state = THREAD_DEAD;
	schedule_locked();
	panic("a thread that exited was given the CPU again");
}

void sched_slice_tick(uint64_t now)
{
	struct cpu_sched *cs = &per_cpu[cpu_id()];

	if (cs->slice_end && now >= cs->slice_end) {
		cs->slice_end = 0;
		this_cpu()->need_resched = true;
	}
}

/* The first thing a new thread does: what schedule_locked() and its caller would do on return. */
void thread_begin(void)
{
	struct thread *t = current_thread();

	after_switch();
	spin_unlock(&run_lock);
	irq_enable();
	t->fn(t->arg);
	thread_exit(0);
}

void sched_start(void)
{
	uint64_t flags = spin_lock_irqsave(&run_lock);

	running = true;
	if (!TAILQ_EMPTY(&ready))
		start_slice(clock_ns());
	spin_unlock_irqrestore(&run_lock, flags);
}

void sched_idle_loop(void)
{
	for (;;) {
		irq_disable();
		if (this_cpu()->need_resched)
			sched_preempt();
		else
			cpu_halt_enabled();
		irq_enable();
	}
}
