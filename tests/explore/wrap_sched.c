/* SPDX-License-Identifier: MIT */
/*
 * The scheduler under the explorer: each thread has a CPU of its own, and a sleep is two events.
 *
 * The first tests, as the kernel does under the run queue's lock, whether the wait is over already;
 * if not, the thread sleeps, and its next event is enabled by a wake. Everything around it, the
 * wait queues with their barriers and marks, is the kernel's own code (kernel/sync/wait.c), so a
 * lost wake is lost here as well: the thread sleeps for ever, and that is found.
 */
#include "tests/explore/internal.h"
#include "kernel/sched/internal.h"

#define HERE __builtin_return_address(0)

void __real_sched_sleep(struct waiter *w), __wrap_sched_sleep(struct waiter *w);
void __real_sched_wake(struct thread *t), __wrap_sched_wake(struct thread *t);
void __real_sched_wake_irqs_off(struct thread *t), __wrap_sched_wake_irqs_off(struct thread *t);
void __real_thread_yield(void), __wrap_thread_yield(void);
struct thread *__real_thread_create(const char *name, void (*fn)(void *), void *arg, uint32_t cpus);
struct thread *__wrap_thread_create(const char *name, void (*fn)(void *), void *arg, uint32_t cpus);
int __real_thread_join(struct thread *t), __wrap_thread_join(struct thread *t);
void __real_thread_exit(int status) __noreturn;
void __wrap_thread_exit(int status) __noreturn;
void __real_thread_describe(const struct thread *t, char *buf, unsigned n);
void __wrap_thread_describe(const struct thread *t, char *buf, unsigned n);

unsigned x_thread_index(const struct thread *t)
{
	for (unsigned i = 0; i < x.nr_threads + x.nr_devices; i++)
		if (x.actor[i].thread == t)
			return i;
	return X_ACTORS;
}

/*
 * The keys that were waited for or woken in this execution get buckets in the order in which they
 * turned up. By their addresses two of them would meet in one home and not in the other, or one of
 * them a waiter of the machine outside, and an order would have other events.
 */
static const void *keys[EXPLORE_BUCKETS];

unsigned explore_bucket(const void *key, unsigned by_address)
{
	unsigned i = 0;

	if (!x_on())
		return by_address;
	while (i < x.state.keys && keys[i] != key)
		i++;
	if (i == EXPLORE_BUCKETS)
		return (1u << WAIT_BUCKET_BITS) + EXPLORE_BUCKETS - 1;
	if (i == x.state.keys) {
		x_log(&keys[i], sizeof(keys[i]));
		keys[x.state.keys++] = key;
	}
	return (1u << WAIT_BUCKET_BITS) + i;
}

void x_sched_reset(void)
{
	x.state.keys = 0;
}

bool x_asleep(const struct thread *t)
{
	return t->state == THREAD_SLEEPING;
}

static bool wait_is_over(const struct waiter *w)
{
	return w->woken || w->timed_out || (w->interruptible && w->thread->signalled);
}

static void sleep_once(struct thread *t, unsigned id, const void *pc)
{
	struct x_op *op;

	t->state = THREAD_SLEEPING;
	x_rule_meets((uintptr_t)&t->state);
	op = x_op(X_WOKEN, pc);
	x_add(op, x_how(X_PLACE_THREAD(id), X_WRITE | X_TAKE));
	op->arg = t;
	op->what = t->waiting->what;
	x_wait_turn();
	t->state = THREAD_RUNNING;
}

void __wrap_sched_sleep(struct waiter *w)
{
	struct thread *t = w->thread;
	unsigned id;
	struct x_op *op;

	if (!x_on()) {
		__real_sched_sleep(w);
		return;
	}
	if (x.me->quiet)
		x_fail("'%s' is waited for inside of what must not be interrupted", w->what);
	id = x_thread_index(t);
	op = x_op(X_SLEEP, HERE);
	x_add(op, x_how(X_PLACE_THREAD(id), X_WRITE));
	x_add(op, x_place(&w->woken, 1, X_READ));
	x_add(op, x_place(&w->timed_out, 1, X_READ));
	op->what = w->what;
	x_locked(op, x.me->cpu);
	x_wait_turn();
	t->waiting = w;
	while (!wait_is_over(w))
		sleep_once(t, id, HERE);
	t->waiting = NULL;
	x_live = true;
}

/*
 * The sleeper was made ready, and nothing says yet that its wait is over: it may run before the
 * waker's next step and sleep again. That step can be a plain store on the sleeper's stack, which
 * is no event, so this is one.
 */
static void ready_too_early(unsigned id, const void *pc)
{
	struct x_op *op = x_op(X_WAKE, pc);

	x_add(op, x_how(X_PLACE_THREAD(id), X_WRITE));
	op->what = "somebody whose wait is not over yet";
	x_locked(op, x.me->cpu);
	x_wait_turn();
}

static void wake(struct thread *t, const void *pc)
{
	unsigned id = x_thread_index(t);
	struct x_op *op;

	if (id == X_ACTORS) /* a thread of the machine outside: it keeps sleeping */
		return;
	op = x_op(X_WAKE, pc);
	x_add(op, x_how(X_PLACE_THREAD(id), X_WRITE | X_GIVE));
	op->what = x.actor[id].name;
	x_locked(op, x.me->cpu);
	x_wait_turn();
	x.ran |= 1u << id;
	x_rule_meets((uintptr_t)&t->state);
	if (t->state == THREAD_SLEEPING) {
		t->state = THREAD_READY;
		if (!wait_is_over(t->waiting))
			ready_too_early(id, pc);
	}
	x_live = true;
}

void __wrap_sched_wake(struct thread *t)
{
	if (x_on())
		wake(t, HERE);
	else
		__real_sched_wake(t);
}

void __wrap_sched_wake_irqs_off(struct thread *t)
{
	if (x_on())
		wake(t, HERE);
	else
		__real_sched_wake_irqs_off(t);
}

void __wrap_thread_yield(void)
{
	if (!x_on())
		__real_thread_yield();
}

struct thread *__wrap_thread_create(const char *name, void (*fn)(void *), void *arg, uint32_t cpus)
{
	if (x_on())
		x_fail("a thread is made ('%s'): the threads of a scenario are those that it names",
		       name);
	return __real_thread_create(name, fn, arg, cpus);
}

int __wrap_thread_join(struct thread *t)
{
	if (x_on())
		x_fail("a thread is joined: a scenario's threads end by themselves");
	return __real_thread_join(t);
}

void __wrap_thread_exit(int status)
{
	if (x_on())
		x_fail("a thread exits: a scenario's threads return");
	__real_thread_exit(status);
}

/* On the stack of who asks, and by no call: whoever waits for a lock does so. */
static void describe(char *buf, unsigned n, const char *words)
{
	while (n-- > 1 && *words)
		*buf++ = *words++;
	*buf = 0;
}

void __wrap_thread_describe(const struct thread *t, char *buf, unsigned n)
{
	unsigned id;

	if (!x_on()) {
		__real_thread_describe(t, buf, n);
		return;
	}
	id = x_thread_index(t);
	describe(buf, n, id < X_ACTORS ? x.actor[id].name : t ? "a thread" : "whoever is next");
}
