/* SPDX-License-Identifier: MIT */
/*
 * Time: one clock (TSC scaled to nanoseconds since boot) and one-shot timers.
 * Timer functions run in interrupt context on the CPU that took the timer interrupt.
 */
#ifndef KERNEL_TIME_TIME_H
#define KERNEL_TIME_TIME_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

void time_init(void);	 /* measures TSC and local APIC timer against the PIT; boot CPU */
uint64_t clock_ns(void); /* nanoseconds since boot; same order on all CPUs */
uint64_t tsc_per_ms(void);
uint32_t clock_unix(void);  /* seconds since 1970 (CMOS clock at boot + clock_ns) */
void delay_us(unsigned us); /* spins; any context */
/*
 * Moves the clock on by `ns`, on every CPU, and has timers that are due by then run. For scripts in
 * which nothing can happen before a timer does. The time of day does not move. Thread context,
 * interrupts on.
 */
void clock_skip(uint64_t ns);

struct timer {
	uint64_t deadline_ns;
	void (*fn)(struct timer *t);
	bool armed;   /* zero means: not pending */
	uint32_t cpu; /* whose list it is in: the CPU that armed it */
	TAILQ_ENTRY(timer) link;
};
void timer_arm(struct timer *t, uint64_t deadline_ns, void (*fn)(struct timer *)); /* any context */
/* True: it was pending and will not run. False: it was not, or runs right now on another CPU. */
bool timer_cancel(struct timer *t);
/* As timer_cancel(), and when it returns the function is not running anywhere: the structure may
 * go. Not from the timer's own function, nor with a lock held that the function takes. */
bool timer_cancel_wait(struct timer *t);
uint64_t timer_first(void); /* deadline of the first one armed on any CPU; UINT64_MAX: none */

#endif
