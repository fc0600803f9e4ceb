/* SPDX-License-Identifier: MIT */
/*
 * Timers under the explorer: one that is armed goes off at any time afterwards, the one with the
 * first deadline first, as an interrupt on the CPU that armed it. The clock stands still but for
 * that: it is then as late as the timer's deadline.
 */
#include "tests/explore/internal.h"

#define ARMED 8u
#define BEGIN 1000000000ull

void __real_timer_arm(struct timer *t, uint64_t deadline_ns, void (*fn)(struct timer *));
bool __real_timer_cancel(struct timer *t), __real_timer_cancel_wait(struct timer *t);
uint64_t __real_clock_ns(void), __wrap_clock_ns(void);
void __wrap_timer_arm(struct timer *t, uint64_t deadline_ns, void (*fn)(struct timer *));
bool __wrap_timer_cancel(struct timer *t), __wrap_timer_cancel_wait(struct timer *t);

static struct timer *armed[ARMED];

void x_timers_reset(void)
{
	x.state.armed = 0;
	x.state.going = NULL;
	x.state.now = BEGIN;
}

uint64_t __wrap_clock_ns(void)
{
	return x_on() ? x.state.now : __real_clock_ns();
}

bool x_timers_armed(void)
{
	return x.state.armed && !x.state.going;
}

static unsigned first(void)
{
	unsigned best = 0;

	for (unsigned i = 1; i < x.state.armed; i++)
		if (armed[i]->deadline_ns < armed[best]->deadline_ns)
			best = i;
	return best;
}

static void remove_at(unsigned i)
{
	x_log(&armed[i], sizeof(armed[i]));
	armed[i] = armed[--x.state.armed];
}

static void go_off(void *arg)
{
	struct timer *t = arg;

	t->fn(t);
}

/* The interrupt's end waits until what its handler stored is out of the buffer (x_locked()). */
void x_timers_ended(void (*fn)(void *))
{
	if (fn == go_off)
		x.state.going = NULL;
}

/* The next one to go off posts to the CPU that armed it. */
void x_timers_say(void)
{
	struct x_op *op = &x.actor[x.timers].next;

	*op = (struct x_op){.kind = X_TIMER};
	x.ran |= 1u << x.timers;
	x_add(op, x_how(X_PLACE_TIMERS, X_WRITE));
	if (!x.state.armed)
		return;
	op->pc = (uintptr_t)armed[first()]->fn + 1; /* as if it had called */
	x_irq_say(op, armed[first()]->cpu);
}

void x_timers_fire(void)
{
	unsigned i = first();
	struct timer *t = armed[i];

	remove_at(i);
	x_log(&t->armed, sizeof(t->armed));
	t->armed = false;
	if (t->deadline_ns > x.state.now)
		x.state.now = t->deadline_ns;
	x.state.going = t;
	x_irq_post(t->cpu, go_off, t, NULL, 0);
	x_timers_say();
}

/* `end_on`: the CPU whose interrupt's end it will wait for, if that is on; X_CPUS: none. To come
 * before that end makes a difference only with a bound: who waits is left for nothing. */
static void touch(const char *what, unsigned end_on, const void *pc)
{
	struct x_op *op = x_op(X_TIMER, pc);

	x_add(op, x_how(X_PLACE_TIMERS, X_WRITE));
	if (end_on < X_CPUS && x.opt.strategy == X_DPOR && x.opt.bound != X_UNBOUND)
		x_add(op, x_how(X_PLACE_IRQ(end_on), X_TAKE));
	op->what = what;
	x_locked(op, x.me->cpu);
	x_wait_turn();
}

void __wrap_timer_arm(struct timer *t, uint64_t deadline_ns, void (*fn)(struct timer *))
{
	if (!x_on()) {
		__real_timer_arm(t, deadline_ns, fn);
		return;
	}
	touch("armed", X_CPUS, __builtin_return_address(0));
	if (!x.interrupts)
		x_need_interrupts();
	if (x.state.armed == ARMED)
		x_fail("more than %u timers are armed at a time", ARMED);
	x_log(t, sizeof(*t));
	t->deadline_ns = deadline_ns;
	t->fn = fn;
	t->cpu = x.me->cpu;
	t->armed = true;
	x_log(&armed[x.state.armed], sizeof(t));
	armed[x.state.armed++] = t;
	x_timers_say();
	x_live = true;
}

static bool cancel(struct timer *t)
{
	for (unsigned i = 0; i < x.state.armed; i++) {
		if (armed[i] != t)
			continue;
		x_cancelled(x.timers);
		remove_at(i);
		x_log(&t->armed, sizeof(t->armed));
		t->armed = false;
		x_timers_say();
		return true;
	}
	return false;
}

bool __wrap_timer_cancel(struct timer *t)
{
	bool pending;

	if (!x_on())
		return __real_timer_cancel(t);
	touch("cancelled", X_CPUS, __builtin_return_address(0));
	pending = cancel(t);
	x_live = true;
	return pending;
}

/* Waits for the interrupt to be over, by the CPU that it is on. */
bool __wrap_timer_cancel_wait(struct timer *t)
{
	bool pending;

	if (!x_on())
		return __real_timer_cancel_wait(t);
	touch("cancelled", t->cpu, __builtin_return_address(0));
	pending = cancel(t);
	while (x.state.going == t) {
		struct x_op *op = x_op(X_PAUSE, __builtin_return_address(0));

		x_add(op,
		      x_how(X_PLACE_IRQ(t->cpu), X_TAKE)); /* no change: others wait there, too */
		op->what = "a timer's end";
		x.me->nr_looked = 1;
		x.me->looked[0] = x_how(X_PLACE_IRQ(t->cpu), X_READ);
		x.me->looked_from = (uint16_t)x.state.depth;
		x_wait_turn();
		x.me->nr_looked = 0;
	}
	x_live = true;
	return pending;
}
