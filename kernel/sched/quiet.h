/* SPDX-License-Identifier: MIT */
/*
 * Quiet: when nothing goes on by itself any more. And patience: how tests wait for what must come.
 *
 * A thread is woken by another thread, by a device or by a timer. So when no thread can run and no
 * device is at work, only a timer can change anything; and when none is armed, nothing ever will.
 * Both are said without a look at any clock, so the same on a host that gives this machine a tenth
 * of a CPU.
 */
#ifndef KERNEL_SCHED_QUIET_H
#define KERNEL_SCHED_QUIET_H

#include <stdbool.h>
#include <stdint.h>

struct thread;

enum quiet {
	QUIET_NOT,   /* somebody runs, or a device is at work */
	QUIET_TIMER, /* nothing but a timer can change anything */
	QUIET_DEAD   /* nothing runnable and no event pending */
};
/* Looks in a row that say the same: what was just about to be woken is by then. */
#define QUIET_SURE 3

/* Thread context, interrupts on. A snapshot. The caller, the idle threads, and those that `except`
 * says true of do not count; except NULL: all others do. It is called under the lock of
 * thread_for_each(). */
enum quiet quiet_look(bool (*except)(const struct thread *t, void *arg), void *arg);
bool quiet_somebody_runs(bool (*except)(const struct thread *t, void *arg), void *arg);
/* Until nothing but a timer can change anything; false: a signal came. Thread context. */
bool quiet_wait(void);
/* The same, but for what devices do: no thread can run, and a device may be at work still. */
bool quiet_wait_threads(void);
/* Which devices are at work is known on floors above; set once at boot. */
void quiet_asks(bool (*devices_at_work)(void));

/*
 * The wait of a test. It ends when `cond` is true, or when it is certain that it never will be:
 * nothing runs, no device works, no timer is armed. With AWAIT_POLLS the clock is moved on to the
 * next timer where only that can help, by a minute in all: for what is polled for once a second.
 *
 * A machine that is busy and never gets there is broken, and is the only one that the bound is for:
 * PATIENCE_LOOKS of 100 us each are two minutes at least, and more where looks take longer. It ends
 * a hang; no healthy machine, however slow, is judged by it. What did not come is said in a line.
 */
#define PATIENCE_LOOKS	 1200000u
#define PATIENCE_LOOK_NS 100000ull
#define PATIENCE_SKIP_NS (60ull * 1000 * 1000 * 1000)
/* The same bound where a thread spins with interrupts off, or is stopped (struct step_stop), and
 * nobody looks: a time of clock_ns(). */
#define PATIENCE_END() (clock_ns() + 2 * PATIENCE_SKIP_NS)

struct patience {
	const char *what; /* that is waited for: "the punch to end" */
	bool polls;
	/* Zero at the beginning. */
	unsigned looks, dead;
	uint64_t skipped_ns;
};
/* Sleeps until the next look. False: there is no use in another one, and a line has said so. */
bool patience_left(struct patience *p);

#define AWAIT__(cond, text, skips)                                                                 \
	({                                                                                         \
		struct patience p__ = {.what = (text), .polls = (skips)};                          \
		bool came__;                                                                       \
		while (!(came__ = (cond)) && patience_left(&p__))                                  \
			;                                                                          \
		came__ || (cond);                                                                  \
	})
#define AWAIT(cond, what)	AWAIT__(cond, what, false)
#define AWAIT_POLLS(cond, what) AWAIT__(cond, what, true)

#endif
