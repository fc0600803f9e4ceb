/* SPDX-License-Identifier: MIT */
/*
 * What is everybody doing? Asked from outside, of a machine that may hang.
 *
 * A break on the serial line (Ctrl-A B at the terminal; run.py sends one when TIMEOUT is over) asks
 * for it: each CPU's thread with its call chain, then each thread that sleeps, with what it waits
 * for and since when. The serial interrupt prints it and the machine goes on.
 *
 * Where CPU 0 takes no interrupt any more, the break stays in the UART. Then an NMI, which run.py
 * sends next, finds it there: the machine is frozen, the same report is printed without a lock, and
 * the machine ends. An NMI without a break is nobody's request, and a panic (traps.c).
 *
 * A CPU shows what it does from its own NMI handler, which copies the chain and prints nothing: it
 * may have interrupted the holder of any lock.
 */
#include "kernel/console/internal.h"
#include "kernel/cpu/internal.h"
#include "kernel/sched/internal.h"
#include "kernel/trap/internal.h"

#define DEPTH	 24
#define WAIT_NS	 500000000ull	/* for a CPU to answer an NMI */
#define ASKED_NS 10000000000ull /* for the NMI that follows a break */

static struct capture {
	uint64_t pc[DEPTH]; /* the first one is the interrupted instruction */
	struct cpu_snapshot s;
} captures[MAX_CPUS];
static uint32_t wanted;	  /* bit n: CPU n is to capture and go on; zero: nobody asks */
static uint64_t asked_at; /* clock when a break was seen; zero: none was */
static uint32_t reading;  /* one NMI handler reads the UART at a time; zero: none does */

/* The thread of this CPU. Only here is it sure to be there: another CPU that reads `current` holds
 * no reference, and the thread may exit and be freed before it is looked at. */
static void note_thread(struct cpu_snapshot *s)
{
	const struct thread *t = current_thread();

	if (!t)
		return;
	s->tid = t->tid;
	s->idle = t == this_cpu()->idle;
	memcpy(s->name, t->name, sizeof(s->name)); /* no printf: the NMI may be inside of one */
}

static void capture(const struct trap_frame *tf)
{
	struct capture *c = &captures[cpu_id()];

	note_thread(&c->s);
	c->s.pc = c->pc;
	c->s.n = backtrace_collect_frame(tf, c->pc, DEPTH);
	c->s.irqs_on = tf->rflags & RFLAGS_IF;
}

bool cpu_capture(unsigned id, struct cpu_snapshot *s)
{
	uint32_t bit = 1u << id;
	uint64_t end = clock_ns() + WAIT_NS;

	/* Still set: the last one was given up, and its NMI is on its way. */
	if (!(__atomic_fetch_or(&wanted, bit, __ATOMIC_SEQ_CST) & bit))
		apic_send_nmi(cpus[id].apic_id);
	while (__atomic_load_n(&wanted, __ATOMIC_ACQUIRE) & bit) {
		if (clock_ns() > end)
			return false;
		cpu_pause();
	}
	*s = captures[id].s;
	return true;
}

/* ---- printing */

static void print_cpu(unsigned id, bool answered, const struct cpu_snapshot *s)
{
	if (!answered) {
		kprintf("report: CPU %u does not answer an NMI\n", id);
		return;
	}
	kprintf("report: CPU %u runs thread %u '%s', interrupts %s%s\n", id, s->tid, s->name,
		s->irqs_on ? "on" : "off", s->idle ? ", idle" : "");
	if (!s->idle)
		backtrace_print(s->pc, s->n, false);
}

struct sleeper {
	unsigned skip; /* sleepers before the one wanted */
	bool found;
	unsigned tid;
	char name[32], what[100], waker[100];
	uint64_t since_ns, pc[DEPTH];
	unsigned n;
};

/* What switch_context() pushed, lowest first: r15, r14, r13, r12, rbx, rbp, return address. */
static void copy_sleeper(struct thread *t, void *arg)
{
	struct sleeper *s = arg;
	const uint64_t *saved = (const uint64_t *)t->rsp;

	if (t->state != THREAD_SLEEPING || !t->waiting || s->found || s->skip-- > 0)
		return;
	s->found = true;
	s->tid = t->tid;
	snprintf(s->name, sizeof(s->name), "%s", t->name);
	snprintf(s->what, sizeof(s->what), "%s", t->waiting->what);
	snprintf(s->waker, sizeof(s->waker), "%s", t->waiting->waker);
	s->since_ns = t->waiting->since_ns;
	s->pc[0] = saved[6];
	s->n = 1 + backtrace_collect(saved[5], s->pc + 1, DEPTH - 1);
}

/* One at a time, since printing is slow and the list's lock stops every switch. */
static void print_sleepers(bool frozen)
{
	static struct sleeper s; /* one report at a time */
	struct thread *t;

	for (unsigned i = 0; i < 1000; i++) {
		s = (struct sleeper){.skip = i};
		if (frozen)
			LIST_FOREACH (t, &all_threads, all)
				copy_sleeper(t, &s);
		else
			thread_for_each(copy_sleeper, &s);
		if (!s.found)
			break;
		kprintf("report: thread %u '%s' sleeps for %lu ms: waits for %s; woken by %s\n",
			s.tid, s.name, (clock_ns() - s.since_ns) / 1000000, s.what, s.waker);
		backtrace_print(s.pc, s.n, true);
	}
}

static void print_all(bool frozen)
{
	unsigned me = cpu_id();

	kprintf("\nreport: what every CPU and thread does, %lu ms after boot\n",
		clock_ns() / 1000000);
	for (unsigned id = 0; id < nr_cpus; id++) {
		struct cpu_snapshot s = captures[id].s;
		bool answered = frozen ? s.n > 0 : id == me || cpu_capture(id, &s);

		if (id == me && !frozen) {
			note_thread(&s);
			s.pc = captures[id].pc;
			s.n = backtrace_collect((uintptr_t)__builtin_frame_address(0),
						captures[id].pc, DEPTH);
			s.irqs_on = true; /* it took the serial interrupt */
		}
		print_cpu(id, answered, &s);
	}
	print_sleepers(frozen);
	kprintf("report: end\n");
}

void report_live(void)
{
	static uint32_t busy;

	__atomic_store_n(&asked_at, clock_ns(), __ATOMIC_RELEASE);
	if (__atomic_exchange_n(&busy, 1, __ATOMIC_ACQUIRE))
		return;
	print_all(false);
	__atomic_store_n(&asked_at, clock_ns(), __ATOMIC_RELEASE);
	__atomic_store_n(&busy, 0, __ATOMIC_RELEASE);
}

static void __noreturn report_last(void)
{
	uint64_t end = clock_ns() + WAIT_NS;

	machine_freeze();
	while (clock_ns() < end) /* the others come to their own NMI */
		cpu_pause();
	print_all(true);
	machine_exit(EXIT_FAILED);
}

/* The NMI reaches every CPU: the first one to look takes the break out of the UART. */
static bool was_asked(void)
{
	uint64_t at;

	while (__atomic_exchange_n(&reading, 1, __ATOMIC_ACQUIRE))
		cpu_pause();
	if (console_break_pending())
		__atomic_store_n(&asked_at, clock_ns(), __ATOMIC_RELEASE);
	at = __atomic_load_n(&asked_at, __ATOMIC_ACQUIRE);
	__atomic_store_n(&reading, 0, __ATOMIC_RELEASE);
	return at && clock_ns() - at < ASKED_NS;
}

bool report_nmi(const struct trap_frame *tf)
{
	uint32_t bit = 1u << cpu_id();

	capture(tf);
	if (panicking()) {
		panic_nmi();
		return true;
	}
	if (__atomic_load_n(&wanted, __ATOMIC_ACQUIRE) & bit) {
		__atomic_and_fetch(&wanted, ~bit, __ATOMIC_RELEASE);
		return true;
	}
	if (was_asked())
		report_last();
	return false;
}
