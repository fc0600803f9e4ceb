/* SPDX-License-Identifier: MIT */
/*
 * The words of KTAP, version 1 (Linux, Documentation/dev-tools/ktap.rst): a version line, a plan,
 * one result line per test; lines that begin with '#' are for people. Pure code.
 */
#ifndef KERNEL_SELFTEST_INTERNAL_H
#define KERNEL_SELFTEST_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Also read on the host: what the kernel has is only named here. */
struct selftest_run;
struct trap_frame;

enum ktap_result { KTAP_OK, KTAP_NOT_OK, KTAP_SKIP };

/* "KTAP version 1\n1..N\n" */
void ktap_plan(char *buf, size_t n, unsigned tests);
/* One result line. `reason` is used for KTAP_SKIP only; line ends in it become blanks. */
void ktap_line(char *buf, size_t n, unsigned number, const char *name, enum ktap_result r,
	       const char *reason);
/* `text` with "# " before each of its lines and a line end behind the last; cut to fit. */
void ktap_comment(char *buf, size_t n, const char *text);

/* What the runner of self-tests asks before and after each test: see selftest_leaks.c. */

#define LEAKS_MAX 24u

struct leaks {
	int64_t count[LEAKS_MAX];
};
/* Sleepable context, both. What more there is afterwards, when
 * nothing goes on any more, fails the test and is put right. */
void leaks_before(struct leaks *l);
void leaks_after(const struct leaks *l, struct selftest_run *t);

/* step.c, for traps.c: was this debug exception an armed step point? The frame is made to pass it.
 */
bool step_hit(struct trap_frame *tf);

#endif
