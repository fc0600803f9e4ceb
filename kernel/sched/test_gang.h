/* SPDX-License-Identifier: MIT */
/*
 * For self-tests of the machine: several threads that run one function, and waits that give up.
 *
 * A test's state is static or outlives gang_join(): EXPECT returns at once, so a test joins all its
 * threads first and looks afterwards. Nothing here counts seconds: a wait ends when nothing
 * goes on any more (quiet.h).
 */
#ifndef KERNEL_SCHED_TEST_GANG_H
#define KERNEL_SCHED_TEST_GANG_H

#include "kernel/kernel.h"

#define GANG_MAX 16

struct gang {
	unsigned n;
	struct thread *thread[GANG_MAX];
};

/* Starts n threads running fn(arg); `pinned`: thread i on CPU i % nr_cpus. False: not all could be
 * created, none is left. */
bool gang_start(struct gang *g, unsigned n, void (*fn)(void *), void *arg, bool pinned);
void gang_join(struct gang *g);

/* Until *word is at least `want`; false: nothing that runs will make it so. */
bool comes_true(const unsigned *word, unsigned want);
/* The same for `t` going to sleep, or for n threads waiting on `key`. */
bool falls_asleep(const struct thread *t);
bool gather_on(const void *key, int n);

#endif
