#!/bin/sh
# SPDX-License-Identifier: MIT
#
# cmocka's assert_in_range() and assert_not_in_range() compare numbers without a sign, whatever is given
# to them: 0 is not between -5 and 5, and the assertion that it is not passes. A range within the
# negative numbers works, so the fault need not show where the macro is tried. assert_true() makes an
# integer of its argument first, and 0.5 is false.
#
# An assertion that an error code, or a difference of two counts, is *not* in a range around zero cannot
# fail. Two comparisons by assert_true() can.
#
# Seen with libcmocka0 1.1.5-2.1 (Debian 12), compiled by the system's gcc.
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
packages libcmocka-dev=1.1.5-2.1 libcmocka0=1.1.5-2.1

# outcome STATEMENT: passed or failed, in a test of its own.
outcome()
{
	cat >suite.c <<C
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
static void test(void **state)
{
	(void)state;
	$1;
}
int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
C
	gcc -w -I"$root/usr/include" -o suite suite.c -L"$root/usr/lib/x86_64-linux-gnu" -lcmocka
	unpacked ./suite >said 2>&1 && echo passed || echo failed
}
expect "0 in 0 to 5" "$(outcome 'assert_in_range(0, 0, 5)')" passed
expect "-3 in -5 to -1" "$(outcome 'assert_in_range(-3, -5, -1)')" passed
expect "0 in -5 to 5" "$(outcome 'assert_in_range(0, -5, 5)')" failed
expect "0 not in -5 to 5" "$(outcome 'assert_not_in_range(0, -5, 5)')" passed
expect "0.5 is true" "$(outcome 'assert_true(0.5)')" failed
