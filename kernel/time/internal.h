/* SPDX-License-Identifier: MIT */
/* The timer interrupt, for kernel/ alone. Other floors have time.h. */
#ifndef KERNEL_TIME_INTERNAL_H
#define KERNEL_TIME_INTERNAL_H

#include "kernel/kernel.h"

/* ---- time.c, timer.c */
uint32_t ns_to_timer_ticks(uint64_t ns); /* rounded up, at least 1, at most 2^32 - 1 */
void timers_init(void);
/* Makes this CPU's timer interrupt come no later than `deadline`. Interrupts off. */
void timer_want(uint64_t deadline_ns, uint64_t now);
void timer_restart(void);   /* this CPU's interrupt timer works from now on. Interrupts off */
void timer_interrupt(void); /* VEC_TIMER arrived */
void skip_interrupt(void);  /* VEC_SKIP arrived */
/* The clock was moved on: each CPU that has timers runs those that are due by now. */
void timers_skipped(void);
extern uint64_t clock_skipped_ns;
/* How far clock_skip() has moved the clock on, in all. In line: every wake of a thread looks. */
static inline uint64_t clock_skipped(void)
{
	return __atomic_load_n(&clock_skipped_ns, __ATOMIC_RELAXED);
}

#endif
