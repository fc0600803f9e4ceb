/* SPDX-License-Identifier: MIT */
/*
 * Preemptive threads. A thread runs in ring 0 on its own guarded stack; its `mm`, if it has one, is
 * the address space that the low half of memory shows while it runs.
 *
 * One run queue serves all CPUs (at most eight; simplicity over scale), protected by one spinlock.
 * A thread runs until it sleeps, or until its slice ends while another one is ready.
 */
#ifndef KERNEL_SCHED_THREAD_H
#define KERNEL_SCHED_THREAD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <reent.h>

#include "kernel/sync/lock_order.h"

#define THREAD_STACK_SIZE (16 * 1024)
#define THREAD_SLICE_NS	  5000000ull /* a tick of preemption, only while another thread is ready */

enum thread_state { THREAD_READY, THREAD_RUNNING, THREAD_SLEEPING, THREAD_DEAD };

#define THREAD_MAX_HELD 12

struct waiter;

/* For watch.c: may the time since the last preemption be added to that before it? */
struct thread_watch {
	uint64_t began; /* clock when the thread last came by its own doing */
	uint64_t
		came; /* at the last preemption: clock when that turn began; zero: there was none */
	uint64_t ran, at; /* and: ran_ns before that turn; the clock */
	uint64_t counted; /* `began` that the ticks below belong to */
	unsigned ticks;	  /* of the watchdog, in a row, that found the thread running */
};

struct thread {
	/* Constant after thread_create(). */
	char name[32];
	unsigned tid;
	void (*fn)(void *);
	void *arg;
	void *stack; /* lowest usable byte; an unmapped guard page lies below */

	/* Protected by the run-queue lock. */
	enum thread_state state;
	uint32_t cpu;	   /* where it runs or ran last */
	uint32_t affinity; /* bit n: may run on CPU n */
	uint64_t rsp;	   /* saved stack pointer while it does not run */
	TAILQ_ENTRY(thread) runq;
	LIST_ENTRY(thread) all;

	/* Only the thread itself writes these; others may read them for reports. */
	struct waiter *waiting; /* NULL means it waits for nothing; stable while it sleeps */
	uintptr_t held[1 + THREAD_MAX_HELD]; /* sleeping locks it holds: address | enum held_kind;
						the first one is held[1], see held_has_of() */
	uint32_t nr_held; /* zero means none; more than THREAD_MAX_HELD: the rest is not known */
	void *mm;	  /* address space of the mm floor, NULL: the kernel's only */
	void *walks;	  /* of page records, by the mm floor; NULL: none */
	const char *fault_why; /* the mm floor: sentence about its last failed fault, or NULL */
	char layer_why[320];   /* the file layer: sentence of its last call that failed */
	char refusal[320];     /* the dax floor: sentence of its last call that was refused */
	uint64_t ran_ns;
	int exit_status;
	bool signalled;		/* set by thread_signal(), cleared by signal_clear() */
	bool batch, stop_asked; /* see batch_begin(); zero means: signals are signals */
	bool done;
	int refs; /* creator + running thread; zero means the structure may be freed */
	struct _reent reent;
	struct thread_watch watch;
#if DEBUG_BUILD
	struct lock_holding holding; /* lock_order.c */
	bool nest_next;		     /* zero means: a second lock of one class is a mistake */
#endif
};

/* Creates a ready thread that runs fn(arg). `affinity` 0: any CPU. Sleepable context. NULL: no
 * memory. The caller owns one reference: thread_join() or thread_detach() gives it back. */
struct thread *thread_create(const char *name, void (*fn)(void *), void *arg, uint32_t affinity);
int thread_join(
	struct thread *t); /* sleeps; woken by: the thread's exit. Returns its exit status */
void thread_detach(struct thread *t);
void thread_exit(int status) __attribute__((noreturn));
void thread_yield(void);
void thread_sleep_ns(uint64_t ns); /* woken by: a timer */
/* Interrupts an interruptible wait of `t` (-EINTR). Any context. */
void thread_signal(struct thread *t);
void signal_clear(void);
/*
 * A batch is a command made of pieces that must each run undisturbed: the cells of `race all`, the
 * rows of `bench`, tests. Between begin and end a signal of another thread for the current one ends
 * no wait of a piece; it is kept, and the batch asks between its pieces (the safe points, where
 * nothing is held) whether it shall stop. value of batch_end(): 0, or -EINTR when it was to stop.
 * Batches do not nest: the inner one is part of the outer.
 */
bool batch_begin(void); /* false: an outer one is under way; then no batch_end() */
bool batch_stopped(void);
int batch_end(void);

/* The mm floor's part of a switch: called on the CPU, interrupts off, before `next` runs. */
void thread_set_mm_switch(void (*fn)(void *next_mm));
/* Where stacks come from. Set once by the mm floor, before the first thread_create(). */
struct stack_ops {
	void *(*alloc)(
		void); /* THREAD_STACK_SIZE usable bytes above an unmapped guard page, or NULL */
	void (*free)(void *stack);
};
void thread_set_stack_ops(const struct stack_ops *ops);

/* Calls fn for every thread under a lock that keeps threads from vanishing; fn must not sleep. */
void thread_for_each(void (*fn)(struct thread *t, void *arg), void *arg);
const char *thread_state_name(const struct thread *t);
void threads_init(void); /* turns the boot flow of this CPU into thread "main" */
struct thread *
thread_find(unsigned tid); /* NULL: none. Takes a reference: thread_detach() drops it */

#endif
