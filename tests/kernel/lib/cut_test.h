/* SPDX-License-Identifier: MIT */
/* A self-test that is one change with cuts; see cut_play.h. */
#ifndef TESTS_KERNEL_LIB_CUT_TEST_H
#define TESTS_KERNEL_LIB_CUT_TEST_H

#include "kernel/kernel.h"
#include "tests/kernel/lib/cut_play.h"

void cut_test(struct selftest_run *t, const struct cut_change *c);

struct cut_fences {
	const char *what;
	struct cut_change c;
	unsigned most;
};

/* Each change has at most so many fences; whether cuts are right is not asked. */
void cut_fences_test(struct selftest_run *t, const struct cut_fences *row, unsigned rows);

#define CUT_TEST(ident, name, statement, ...)                                                      \
	SELFTEST(cut_##ident, name, statement)                                                     \
	{                                                                                          \
		cut_test(t, &(const struct cut_change){__VA_ARGS__});                              \
	}

#endif
