/* SPDX-License-Identifier: MIT */
/*
 * The words of KTAP, version 1 (Linux, Documentation/dev-tools/ktap.rst): a version line, a plan,
 * one result line per test; lines that begin with '#' are for people. Pure code.
 */
#ifndef KERNEL_SELFTEST_KTAP_H
#define KERNEL_SELFTEST_KTAP_H

#include <stddef.h>

enum ktap_result { KTAP_OK, KTAP_NOT_OK, KTAP_SKIP };

/* "KTAP version 1\n1..N\n" */
void ktap_plan(char *buf, size_t n, unsigned tests);
/* One result line. `reason` is used for KTAP_SKIP only; line ends in it become blanks. */
void ktap_line(char *buf, size_t n, unsigned number, const char *name, enum ktap_result r,
	       const char *reason);
/* `text` with "# " before each of its lines and a line end behind the last; cut to fit. */
void ktap_comment(char *buf, size_t n, const char *text);

#endif
