/* SPDX-License-Identifier: MIT */
/*
 * The watchdog: warns of a thread that keeps a CPU, and of a CPU that takes no interrupt. See
 * watch.c. What it says is a warning on the console and nothing else: no test fails of it.
 */
#ifndef KERNEL_SCHED_WATCH_H
#define KERNEL_SCHED_WATCH_H

#include <stdbool.h>
#include <stdint.h>

/* The current thread begins something new (a self-test, a row, a race): what it ran before does not
 * count. Thread context. */
void watch_touch(void);

/* What the watchdog said last; for tests. */
struct watch_said {
	unsigned threads, deaf; /* warnings of each kind since boot; zero: none */
	bool is_deaf;		/* the kind of the last one */
	unsigned tid;		/* of the thread in it; zero: its CPU did not answer */
	uint64_t pc[16];	/* its call chain */
	unsigned n;
};
struct watch_said watch_last(void);
#define WATCH_TICKS 5u /* looks in a row that find a thread at it: then it is named */
/* A look at the current thread, as the tick on its CPU makes it; for tests. Thread context. */
void watch_look(void);
/* Looks every `ns` on every CPU, and silently; 0: as ever. For tests; sleepable context. */
void watch_set_period(uint64_t ns);

#endif
