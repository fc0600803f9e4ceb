/* SPDX-License-Identifier: MIT */
/* The run queue and the life of threads, for kernel/ alone. Other floors have sched.h. */
#ifndef KERNEL_SCHED_INTERNAL_H
#define KERNEL_SCHED_INTERNAL_H

#include "kernel/kernel.h"

/* ---- sched.c: the run queue. Functions ending in _locked want run_lock held */
extern struct spinlock run_lock;
LIST_HEAD(thread_list, thread);
extern struct thread_list all_threads; /* protected by run_lock */
void sched_init_cpu(struct cpu *c, struct thread *first);
void sched_start(void); /* threads may sleep and be preempted from now on */
bool sched_running(void);
void sched_make_ready(struct thread *t);    /* a new one */
void sched_wake(struct thread *t);	    /* if it sleeps. Any context */
void sched_wake_irqs_off(struct thread *t); /* the same for callers that have interrupts off */
void sched_sleep(struct waiter *w);	    /* until w is over; see wait.c */
void sched_exit(void) __noreturn;	    /* the current thread is dead */
void sched_preempt_forced(void);	    /* the same, of a thread that did not ask for it */
void sched_slice_tick(uint64_t now);	    /* from the timer interrupt */
void sched_idle_loop(void) __noreturn;
uint64_t sched_switched_at(void); /* clock when this CPU's running thread came. Interrupts off */
uint64_t sched_slice_end(void);	  /* this CPU's; zero means nobody waits for it */

/* ---- thread.c */
struct thread *thread_new(const char *name, void (*fn)(void *), void *arg, uint32_t affinity,
			  void *stack); /* not yet ready; stack NULL: none yet */
void *thread_stack_alloc(void);		/* NULL: no memory, or memory management is not up */
void threads_start(void);		/* idle thread of the boot CPU and the reaper */
/* The switch away from dead `t` is complete. Called by the next thread, no lock held. */
void thread_gone(struct thread *t, bool last_reference);
/* "name" and tid of t if it is still alive, else "a thread that is gone"; any context. */
void thread_describe(const struct thread *t, char *buf, unsigned n);

/* ---- kernel/cpu/switch.asm */
void switch_context(uint64_t *save_rsp, uint64_t next_rsp);
void thread_start(void);
void thread_begin(void) __noreturn;

/* ---- watch.c */
/* The current thread loses its CPU at `now`, if another one is ready. Interrupts off. */
void watch_preempted(uint64_t now);
void watch_tick(uint64_t now, uint64_t due); /* once in WATCH_NS on every CPU. Interrupts off */
uint64_t watch_period(void);

#endif
