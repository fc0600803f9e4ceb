/* SPDX-License-Identifier: MIT */
/* Whether anything goes on by itself, and waits that end when nothing does; see sched.h. */
#include "kernel/cpu/internal.h"

#define LOOK_NS 200000ull

static bool (*devices_at_work)(void); /* NULL: none is known */

void quiet_asks(bool (*at_work)(void))
{
	devices_at_work = at_work;
}

struct census {
	const struct thread *me;
	bool (*except)(const struct thread *t, void *arg);
	void *arg;
	bool runs;
};

static void count(struct thread *t, void *arg)
{
	struct census *c = arg;

	if (t == c->me || t == cpu_by_id(t->cpu)->idle || t->state == THREAD_SLEEPING ||
	    t->state == THREAD_DEAD || (c->except && c->except(t, c->arg)))
		return;
	c->runs = true;
}

bool quiet_somebody_runs(bool (*except)(const struct thread *t, void *arg), void *arg)
{
	struct census c = {.me = current_thread(), .except = except, .arg = arg};

	thread_for_each(count, &c);
	return c.runs;
}

/* Devices and timers before threads, else what they wake in between is missed. */
static enum quiet look(bool (*except)(const struct thread *t, void *arg), void *arg)
{
	bool devices = devices_at_work && devices_at_work();
	bool timer = timer_first() != UINT64_MAX;

	if (devices || quiet_somebody_runs(except, arg))
		return QUIET_NOT;
	return timer ? QUIET_TIMER : QUIET_DEAD;
}

static void nothing(void *unused)
{
	(void)unused;
}

/*
 * A CPU may be in the midst of an interrupt whose device or timer is at rest already, and whose
 * thread is still to be woken; the host may keep it there for long. So before anything is decided
 * each CPU is asked for an answer, which it gives behind that interrupt, and all is looked at
 * again.
 */
static enum quiet look_behind_interrupts(bool (*except)(const struct thread *t, void *arg),
					 void *arg)
{
	cpu_call(cpus_online(), nothing, NULL);
	return look(except, arg);
}

enum quiet quiet_look(bool (*except)(const struct thread *t, void *arg), void *arg)
{
	enum quiet q = look(except, arg);

	/* A timer more is no decision, and polls have thousands of them. */
	return q == QUIET_DEAD ? look_behind_interrupts(except, arg) : q;
}

static bool all_quiet(void)
{
	return look(NULL, NULL) != QUIET_NOT;
}

static bool threads_quiet(void)
{
	return !quiet_somebody_runs(NULL, NULL);
}

static bool wait_for(bool (*is_quiet)(void))
{
	unsigned quiet = 0, looks = 0;

	while (!signal_pending()) {
		quiet = is_quiet() ? quiet + 1 : 0;
		if (quiet >= QUIET_SURE) {
			cpu_call(cpus_online(), nothing, NULL); /* behind its interrupt, as above */
			if (is_quiet())
				return true;
		}
		looks = quiet ? 0 : looks + 1;
		thread_sleep_ns(look_ns(LOOK_NS, looks));
	}
	return false;
}

bool quiet_wait(void)
{
	return wait_for(all_quiet);
}

bool quiet_wait_threads(void)
{
	return wait_for(threads_quiet);
}

/* ---- patience ------------------------------------------------------------------------------- */

/* On to the first timer. False: that would be more than a minute in all. */
static bool skip(struct patience *p)
{
	uint64_t next = timer_first(), now = clock_ns(), ns;

	if (next == UINT64_MAX || next <= now)
		return true;
	ns = next - now;
	if (ns > PATIENCE_SKIP_NS - p->skipped_ns)
		return false;
	p->skipped_ns += ns;
	clock_skip(ns);
	return true;
}

static bool give_up(const struct patience *p, const char *why)
{
	kprintf("  waited for %s: %s\n", p->what, why);
	return false;
}

bool patience_left(struct patience *p)
{
	enum quiet q = quiet_look(NULL, NULL);
	bool fast;

	p->dead = q == QUIET_DEAD ? p->dead + 1 : 0;
	if (p->dead == QUIET_SURE)
		return give_up(p, "nothing runs, no device works and no timer is armed");
	fast = p->dead || (p->polls && q == QUIET_TIMER);
	if (!fast && ++p->looks == PATIENCE_LOOKS)
		return give_up(p, "it did not come within two minutes, and something still runs");
	if (p->polls && q == QUIET_TIMER && !skip(p))
		return give_up(p, "a minute of the clock went by, and nothing runs but timers");
	thread_sleep_ns(look_ns(PATIENCE_LOOK_NS, fast ? 0 : p->looks));
	return true;
}
