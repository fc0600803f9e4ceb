/* SPDX-License-Identifier: MIT */
/*
 * The life of a thread: created ready, runs fn(arg), exits, is joined or detached, is freed.
 *
 * The structure has one reference for the creator and one for the running thread itself. A thread
 * cannot free the stack it stands on, so the running reference is dropped by whoever runs next on
 * that CPU (sched.c, after_switch). If it was the last one, the reaper thread frees the rest,
 * because giving a stack back may sleep; if not, the joiner does it, and has it all done when
 * thread_join() returns.
 */
#include "kernel/cpu/internal.h"
#include "kernel/sched/internal.h"
#include "kernel/time/internal.h"

static const struct stack_ops *stacks; /* NULL means memory management is not up yet */
static unsigned last_tid;	       /* zero means none was given out */
static struct thread main_thread;

/* Threads whose last reference went while they left their CPU; protected by run_lock. */
static struct thread_list dead = LIST_HEAD_INITIALIZER(dead);

void thread_set_stack_ops(const struct stack_ops *ops)
{
	stacks = ops;
}

void *thread_stack_alloc(void)
{
	return stacks ? stacks->alloc() : NULL;
}

const char *thread_state_name(const struct thread *t)
{
	static const char *const names[] = {"ready", "running", "sleeping", "dead"};

	return names[t->state];
}

static void enter(struct thread *t, const char *name, uint32_t affinity)
{
	uint64_t flags;

	strncpy(t->name, name, sizeof(t->name) - 1);
	t->affinity = affinity ? affinity : UINT32_MAX;
	_REENT_INIT_PTR(&t->reent);
	flags = spin_lock_irqsave(&run_lock);
	t->tid = ++last_tid;
	LIST_INSERT_HEAD(&all_threads, t, all);
	spin_unlock_irqrestore(&run_lock, flags);
}

/* a flow that already runs */
static void thread_adopt(struct thread *t, const char *name)
{
	t->refs = 2; /* itself, and nobody ever joins it */
	enter(t, name, 0);
}

void threads_init(void)
{
	timers_init();
	wait_init();
	thread_adopt(&main_thread, "main");
	sched_init_cpu(&cpus[0], &main_thread);
}

/* The initial stack: what switch_context() pops, then thread_start to "return" to. The two words
 * above are zero, so that a backtrace ends; thread_start finds the alignment of a function entry.
 */
static void prepare_stack(struct thread *t)
{
	uint64_t *sp = (uint64_t *)((char *)t->stack + THREAD_STACK_SIZE);

	*--sp = 0;
	*--sp = 0;
	*--sp = (uintptr_t)thread_start;
	for (int i = 0; i < 6; i++)
		*--sp = 0;
	t->rsp = (uintptr_t)sp;
}

struct thread *thread_new(const char *name, void (*fn)(void *), void *arg, uint32_t affinity,
			  void *stack)
{
	struct thread *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->fn = fn;
	t->arg = arg;
	t->refs = 2;
	t->stack = stack;
	enter(t, name, affinity);
	return t;
}

struct thread *thread_create(const char *name, void (*fn)(void *), void *arg, uint32_t affinity)
{
	struct thread *t;
	void *stack;

	might_sleep();
	ASSERT(fn && stacks, "a thread needs a function, and stacks to come from");
	ASSERT(!affinity || affinity & cpus_online(),
	       "thread '%s' may run on CPUs 0x%x only, but 0x%x are online", name, affinity,
	       cpus_online());
	stack = stacks->alloc();
	if (!stack)
		return NULL;
	t = thread_new(name, fn, arg, affinity, stack);
	if (!t) {
		stacks->free(stack);
		return NULL;
	}
	prepare_stack(t);
	sched_make_ready(t);
	return t;
}

static void free_thread(struct thread *t)
{
	stacks->free(t->stack);
	free(t);
}

/* Drops one reference; the last one frees. Sleepable context. */
static void put(struct thread *t)
{
	uint64_t flags = spin_lock_irqsave(&run_lock);
	bool last;

	ASSERT(t->refs > 0, "thread '%s' has no reference left to drop", t->name);
	last = --t->refs == 0;
	if (last)
		LIST_REMOVE(t, all);
	spin_unlock_irqrestore(&run_lock, flags);
	if (last)
		free_thread(t);
}

void thread_gone(struct thread *t, bool last_reference)
{
	if (last_reference) {
		spin_lock(&run_lock);
		LIST_INSERT_HEAD(&dead, t, all);
		spin_unlock(&run_lock);
		wake_up(&dead);
	} else {
		wake_up(&t->done); /* only the address is used: the joiner may be done already */
	}
}

static struct thread *take_dead(void)
{
	uint64_t flags = spin_lock_irqsave(&run_lock);
	struct thread *t = LIST_FIRST(&dead);

	if (t)
		LIST_REMOVE(t, all);
	spin_unlock_irqrestore(&run_lock, flags);
	return t;
}

static void reap(void *arg __attribute__((unused)))
{
	struct thread *t = NULL;

	for (;;) {
		wait_event(&dead, (t = take_dead()) != NULL, "a dead thread to bury",
			   "the exit of a detached thread");
		free_thread(t);
	}
}

static void idle(void *arg __attribute__((unused)))
{
	sched_idle_loop();
}

void threads_start(void)
{
	struct thread *t = NULL;
	void *stack = thread_stack_alloc();

	if (stack)
		t = thread_new("idle/0", idle, NULL, 1, stack);
	if (!t)
		panic("expected memory for the idle thread of CPU 0, found none");
	prepare_stack(t);
	cpus[0].idle = t; /* in no queue: it runs when nothing else can */
	t = thread_create("reaper", reap, NULL, 0);
	if (!t)
		panic("expected memory for the reaper thread, found none");
	thread_detach(t);
}

int thread_join(struct thread *t)
{
	uint64_t flags;
	int status;
	char who[64];

	ASSERT(t != current_thread(), "a thread cannot wait for its own exit");
	if (!__atomic_load_n(&t->done, __ATOMIC_ACQUIRE)) {
		snprintf(who, sizeof(who), "exit of thread %u '%s'", t->tid, t->name);
		wait_event(&t->done, __atomic_load_n(&t->done, __ATOMIC_ACQUIRE), who, who);
	}
	/* `done` was set inside run_lock: with the lock once taken, that section is over. */
	flags = spin_lock_irqsave(&run_lock);
	status = t->exit_status;
	spin_unlock_irqrestore(&run_lock, flags);
	put(t);
	return status;
}

void thread_detach(struct thread *t)
{
	put(t);
}

void thread_exit(int status)
{
	struct thread *t = current_thread();

	might_sleep();
	ASSERT(t->nr_held == 0, "thread '%s' exits while it holds %u lock(s)", t->name, t->nr_held);
	ASSERT(!t->mm, "thread '%s' exits inside an address space; it must give it back", t->name);
	t->exit_status = status;
	sched_exit();
}

void thread_sleep_ns(uint64_t ns)
{
	uint64_t end = clock_ns() + ns;

	wait_event_until(&end, false, end, "the end of its sleep", "a timer");
}

void thread_signal(struct thread *t)
{
	if (__atomic_load_n(&t->batch, __ATOMIC_ACQUIRE) && t != current_thread()) {
		__atomic_store_n(&t->stop_asked, true, __ATOMIC_RELEASE);
		return;
	}
	__atomic_store_n(&t->signalled, true, __ATOMIC_RELEASE);
	/* At worst a spurious wake: an uninterruptible sleeper looks and sleeps on. */
	sched_wake(t);
}

bool signal_pending(void)
{
	return __atomic_load_n(&current_thread()->signalled, __ATOMIC_ACQUIRE);
}

void signal_clear(void)
{
	__atomic_store_n(&current_thread()->signalled, false, __ATOMIC_RELEASE);
}

bool batch_begin(void)
{
	struct thread *t = current_thread();

	if (t->batch)
		return false;
	/* A signal that came before the batch was meant for it. */
	__atomic_store_n(&t->stop_asked, signal_pending(), __ATOMIC_RELEASE);
	__atomic_store_n(&t->batch, true, __ATOMIC_RELEASE);
	return true;
}

bool batch_stopped(void)
{
	return __atomic_load_n(&current_thread()->stop_asked, __ATOMIC_ACQUIRE);
}

int batch_end(void)
{
	struct thread *t = current_thread();
	bool stopped = batch_stopped();

	__atomic_store_n(&t->batch, false, __ATOMIC_RELEASE);
	__atomic_store_n(&t->stop_asked, false, __ATOMIC_RELEASE);
	return stopped ? -EINTR : 0;
}

void thread_for_each(void (*fn)(struct thread *t, void *arg), void *arg)
{
	uint64_t flags = spin_lock_irqsave(&run_lock);
	struct thread *t;

	LIST_FOREACH (t, &all_threads, all)
		fn(t, arg);
	spin_unlock_irqrestore(&run_lock, flags);
}

struct thread *thread_find(unsigned tid)
{
	uint64_t flags = spin_lock_irqsave(&run_lock);
	struct thread *t;

	LIST_FOREACH (t, &all_threads, all) {
		if (t->tid == tid && !t->done) {
			t->refs++;
			break;
		}
	}
	spin_unlock_irqrestore(&run_lock, flags);
	return t;
}

void thread_describe(const struct thread *wanted, char *buf, unsigned n)
{
	uint64_t flags = spin_lock_irqsave(&run_lock);
	struct thread *t;

	LIST_FOREACH (t, &all_threads, all) {
		if (t == wanted)
			break;
	}
	if (t)
		snprintf(buf, n, "thread %u '%s'", t->tid, t->name);
	else
		snprintf(buf, n, "%s", wanted ? "a thread that is gone" : "whoever is next");
	spin_unlock_irqrestore(&run_lock, flags);
}
