/* SPDX-License-Identifier: MIT */
/*
 * What an execution changes in the engine itself, and moments of it to go back to (moment.c).
 * Included by internal.h.
 */
#ifndef TESTS_EXPLORE_MOMENT_H
#define TESTS_EXPLORE_MOMENT_H

struct timer;

#define X_ARENAS 3 /* of the heap, and of two slabs */

/* No log has these: a moment keeps all of them. */
struct x_state {
	unsigned depth; /* events so far */
	unsigned last_thread;
	bool irq_on[X_CPUS + X_MAX_DEVICES];
	uint64_t now;		/* the clock that the code under test sees */
	size_t given[X_ARENAS]; /* bytes of each (arena.c) */
	uint64_t frames[16];	/* a bit for each that is taken (alike.c) */
	uint64_t freed_pages;	/* bit n: a byte was freed in a page of 4 KiB, number n modulo 64 */
	unsigned freed, made;	/* freed.c */
	unsigned keys;		/* of wait queues (wrap_sched.c) */
	unsigned calls;		/* to other CPUs (wrap_irq.c) */
	unsigned armed;		/* timers */
	unsigned asked;		/* .step was, behind all that the log has up to here, */
	bool wrote;		/* but not behind this, which no log has (rule.c) */
	bool far;		/* not only the first four actors made events (clocks.h) */
	unsigned alive;		/* threads and devices, a bit each: they have code to run; */
	unsigned waits;		/* and those whose next event is of a kind that may wait */
	unsigned busy;		/* a bit for each CPU that an interrupt waits for, or runs on */
	struct timer *going;	/* the one that is posted or at work; NULL: none */
};

/* From this depth on the next moment is due; X_NEVER: none is. */
#define X_NEVER UINT32_MAX
extern unsigned x_moment_next;
/* A different number behind each moment and each return to one: what was written last under
 * another number is not as it was at the moment (race.c). */
extern uint32_t x_stamp;

bool x_moment_init(void);
/* On the driver's stack, all actors wait for their turn: an execution of the same beginning can go
 * on from here, if there is room to keep it. */
void x_moment_keep(void);
/* All is again as it was at the newest moment that is not behind event `depth`. False: there is
 * none, and all is as before the first execution. */
bool x_moment_return(unsigned depth);
/* All is as before the first execution, and there are no moments any more. */
void x_moment_forget(void);

#endif
