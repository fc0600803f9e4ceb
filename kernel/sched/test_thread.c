/* SPDX-License-Identifier: MIT */
/* Self-tests: threads and the scheduler (thread.*). */
#include "kernel/kernel.h"

static unsigned word, other_ran;

static void exit_with(void *arg)
{
	thread_exit((int)(uintptr_t)arg);
}

SELFTEST(thread_join_status, "thread.join-status",
	 "joining gives the status the thread exited with")
{
	struct thread *th = thread_create("test", exit_with, (void *)4711, 0);
	int status;

	EXPECT(th, "no memory for a thread");
	status = thread_join(th);
	EXPECT(status == 4711, "status %d", status);
}

static void add_arg(void *arg)
{
	__atomic_add_fetch(&word, (unsigned)(uintptr_t)arg, __ATOMIC_RELAXED);
}

SELFTEST(thread_argument, "thread.argument", "sixteen threads run, each with its own argument")
{
	struct thread *th[16];
	unsigned n = 0;

	word = 0;
	for (; n < 16; n++) {
		th[n] = thread_create("test", add_arg, (void *)(uintptr_t)(1u << n), 0);
		if (!th[n])
			break;
	}
	for (unsigned i = 0; i < n; i++)
		thread_join(th[i]);
	EXPECT(n == 16, "memory for %u of 16 threads", n);
	EXPECT(word == 0xffff, "the arguments add up to 0x%x", word);
}

void *sbrk(ptrdiff_t n);

/* A checked heap keeps what was freed for a while, so it grows first: until that store is full. */
SELFTEST(thread_no_leak, "thread.no-leak",
	 "a hundred threads one after the other take no more memory")
{
	char *end = sbrk(0);
	unsigned made = 0;

	for (unsigned same = 0; same < 100; made++) {
		struct thread *th = thread_create("test", add_arg, NULL, 0);

		EXPECT(th, "no memory for thread %u", made);
		thread_join(th);
		same = sbrk(0) == (void *)end ? same + 1 : 0;
		end = sbrk(0);
		EXPECT(made < 2000, "the heap still grows at thread %u", made);
	}
}

SELFTEST(thread_detached, "thread.detached",
	 "a detached thread is buried by itself when it is done")
{
	struct thread *th = thread_create("test", add_arg, NULL, 0);
	unsigned tid, looks = 0;

	EXPECT(th, "no memory for a thread");
	tid = th->tid;
	thread_detach(th);
	for (; looks < 4000; looks++) {
		th = thread_find(tid);
		if (!th)
			break;
		thread_detach(th);
		thread_sleep_ns(50000);
	}
	EXPECT(looks < 4000, "thread %u is still there", tid);
}

static void exit_when_told(void *arg)
{
	wait_event(&word, __atomic_load_n(&word, __ATOMIC_ACQUIRE), "the test", "the test");
	thread_exit((int)(uintptr_t)arg);
}

SELFTEST(thread_find_holds, "thread.find-holds",
	 "a thread that was looked up stays until it is given back")
{
	struct thread *th, *found;
	int status, refs;

	word = 0;
	th = thread_create("test", exit_when_told, (void *)7, 0);
	EXPECT(th, "no memory for a thread");
	found = thread_find(th->tid);
	__atomic_store_n(&word, 1, __ATOMIC_RELEASE);
	wake_up(&word);
	thread_join(th);
	EXPECT(found == th, "a living thread was not found");
	status = found->exit_status;
	refs = found->refs;
	thread_detach(found);
	EXPECT(refs == 1 && status == 7, "refs %d, status %d", refs, status);
}

static void note_cpu(void *arg)
{
	*(unsigned *)arg = cpu_id();
}

SELFTEST(thread_affinity, "thread.affinity", "a thread runs only on the CPUs it may run on")
{
	for (unsigned id = 0; id < nr_cpus; id++) {
		unsigned ran = MAX_CPUS;
		struct thread *th = thread_create("test", note_cpu, &ran, 1u << id);

		EXPECT(th, "no memory for a thread");
		thread_join(th);
		EXPECT(ran == id, "meant for CPU %u, ran on %u", id, ran);
	}
}

static void set_other(void *arg __attribute__((unused)))
{
	__atomic_store_n(&other_ran, 1, __ATOMIC_RELEASE);
}

/* Never sleeps, never yields: only the end of its slice lets the other one in. */
static void spin_for_other(void *arg)
{
	struct thread *t = thread_create("test", set_other, NULL, 1);
	unsigned i = 0;

	while (t && !__atomic_load_n(&other_ran, __ATOMIC_ACQUIRE) && i < 1000000000)
		i++;
	*(bool *)arg = other_ran;
	if (t)
		thread_join(t);
}

SELFTEST(thread_preempted, "thread.preempted",
	 "a thread that never gives up the CPU loses it when another one is ready")
{
	bool seen = false;
	struct thread *th;

	other_ran = 0;
	th = thread_create("test", spin_for_other, &seen, 1);
	EXPECT(th, "no memory for a thread");
	thread_join(th);
	EXPECT(seen, "the other thread did not run in a thousand million turns");
}

/* With preemption off for three slices, then on. */
static void hold_the_cpu(void *arg)
{
	struct thread *t;
	uint64_t end;

	t = thread_create("test", set_other, NULL, 1);
	preempt_disable();
	end = clock_ns() + 3 * THREAD_SLICE_NS;
	other_ran = 0;
	while (clock_ns() < end)
		cpu_pause();
	*(unsigned *)arg = other_ran;
	preempt_enable();
	if (t)
		thread_join(t);
}

SELFTEST(
	thread_unpreempted, "thread.unpreempted",
	"with preemption off a thread keeps the CPU beyond its slice, and loses it with the enable")
{
	unsigned during = 7;
	struct thread *th = thread_create("test", hold_the_cpu, &during, 1);

	EXPECT(th, "no memory for a thread");
	thread_join(th);
	EXPECT(during == 0, "another thread ran on the CPU meanwhile");
}

#define TURNS 500
/* Two threads of one CPU that are always ready: neither sleeps until both are through. */
struct turns {
	struct thread *thread[2];
	unsigned rounds, go, through; /* go: set when both are there */
	unsigned kept[2];	      /* yields of each that gave the CPU to nobody */
};
static struct turns turns;

/*
 * The other one is ready, so when thread_yield() returns it has had the CPU: what it ran was
 * billed at the switch. When it was preempted before it did anything, that was a turn as well: how
 * long one lasts is the host's business.
 */
static void take_turns(void *arg)
{
	unsigned me = *(const unsigned *)arg;

	while (!__atomic_load_n(&turns.go, __ATOMIC_ACQUIRE))
		thread_yield();
	for (unsigned i = 0; i < turns.rounds; i++) {
		const uint64_t *ran = &turns.thread[!me]->ran_ns;
		uint64_t before = __atomic_load_n(ran, __ATOMIC_RELAXED);

		thread_yield();
		turns.kept[me] += __atomic_load_n(ran, __ATOMIC_RELAXED) == before;
	}
	/* Until nobody looks at either any more. */
	__atomic_add_fetch(&turns.through, 1, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(&turns.through, __ATOMIC_ACQUIRE) < 2)
		thread_yield();
}

SELFTEST(thread_yield_fair, "thread.yield-fair",
	 "of two ready threads of one CPU, each yield gives it to the other one")
{
	static const unsigned number[2] = {0, 1};
	bool all;

	turns = (struct turns){0};
	for (unsigned i = 0; i < 2; i++)
		turns.thread[i] = thread_create("test", take_turns, (void *)&number[i], 1);
	all = turns.thread[0] && turns.thread[1];
	turns.rounds = all ? TURNS : 0;
	turns.through = all ? 0 : 1;
	__atomic_store_n(&turns.go, 1, __ATOMIC_RELEASE);
	for (unsigned i = 0; i < 2; i++)
		if (turns.thread[i])
			thread_join(turns.thread[i]);
	EXPECT(all, "no memory for threads");
	EXPECT(turns.kept[0] + turns.kept[1] == 0, "of %d yields each, %u and %u gave it to nobody",
	       TURNS, turns.kept[0], turns.kept[1]);
}

static void feel_guard(void *arg)
{
	const char *stack = current_thread()->stack;
	uint64_t v;

	*(int *)arg = load_checked((const uint64_t *)(stack - 8), &v);
	*(int *)arg += load_checked((const uint64_t *)stack, &v) ? 1000 : 0;
}

SELFTEST(thread_guard, "thread.guard", "the page below a thread's stack cannot be touched")
{
	int err = 0;
	struct thread *th = thread_create("test", feel_guard, &err, 0);

	EXPECT(th, "no memory for a thread");
	thread_join(th);
	EXPECT(err == -EFAULT, "reading just below the stack gave %d", err);
}

static void guard_of(struct thread *t, void *arg)
{
	uintptr_t *lows = arg;

	if (lows[0] < 63)
		lows[++lows[0]] = (uintptr_t)t->stack;
}

SELFTEST(thread_guard_all, "thread.guard-all",
	 "every thread there is, idle ones included, has a guard page")
{
	static uintptr_t lows[64];
	uint64_t v;

	lows[0] = 0;
	thread_for_each(guard_of, lows);
	for (uintptr_t i = 1; i <= lows[0]; i++)
		EXPECT(lows[i] && load_checked((uint64_t *)(lows[i] - 8), &v) == -EFAULT,
		       "no guard below the stack at 0x%lx", lows[i]);
}

static void burn(void *arg)
{
	uint64_t end;

	preempt_disable(); /* in one piece: time spent waiting for the CPU is not billed */
	end = clock_ns() + 1000000;
	while (clock_ns() < end)
		cpu_pause();
	preempt_enable();
	/* Billing is done at a switch. A yield to nobody is none, and on a slow host nor is a sleep
	 * whose time was over before it began; what was billed so far may be from a switch before
	 * the millisecond. */
	for (int i = 0; i < 10 && current_thread()->ran_ns < 1000000; i++)
		thread_sleep_ns(1000000);
	*(uint64_t *)arg = current_thread()->ran_ns;
}

SELFTEST(thread_accounted, "thread.accounted", "a thread that ran a millisecond was billed for it")
{
	uint64_t billed = 0;
	struct thread *th = thread_create("test", burn, &billed, 1);
	struct thread *u = thread_create("test", burn, &(uint64_t){0}, 1);

	if (th)
		thread_join(th);
	if (u)
		thread_join(u);
	EXPECT(th && u, "no memory for threads");
	EXPECT(billed >= 1000000, "billed for %lu ns", billed);
}

#define CROWD 12
static void come_and_go(void *arg __attribute__((unused)))
{
	for (int i = 0; i < 40; i++) {
		if (i % 3)
			thread_yield();
		else
			thread_sleep_ns(20000);
		__atomic_add_fetch(&word, 1, __ATOMIC_RELAXED);
	}
}

SELFTEST(thread_crowd, "thread.crowd", "more threads than CPUs, yielding and sleeping, all finish")
{
	struct gang g;

	word = 0;
	EXPECT(gang_start(&g, CROWD, come_and_go, NULL, false), "no memory for threads");
	gang_join(&g);
	EXPECT(word == CROWD * 40, "%u steps of %u", word, CROWD * 40);
}
