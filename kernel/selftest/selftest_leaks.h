/* SPDX-License-Identifier: MIT */
/* What the runner of self-tests asks before and after each test: see selftest_leaks.c. */
#ifndef KERNEL_SELFTEST_SELFTEST_LEAKS_H
#define KERNEL_SELFTEST_SELFTEST_LEAKS_H

#include "kernel/selftest/selftest.h"

#define LEAKS_MAX 24u

struct leaks {
	int64_t count[LEAKS_MAX];
};
/* Sleepable context, both. What more there is afterwards, when
 * nothing goes on any more, fails the test and is put right. */
void leaks_before(struct leaks *l);
void leaks_after(const struct leaks *l, struct selftest_run *t);

#endif
