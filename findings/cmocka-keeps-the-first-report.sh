#!/bin/sh
# SPDX-License-Identifier: MIT
#
# CMOCKA_XML_FILE names the file for the report of a test program of cmocka. If the file is there already
# it is left as it is: the report of the second run goes to the error output.
#
# So what a CI job collects from a folder that is not made anew is the report of the first run, a green
# one as a rule, while the tests fail. The file has to be removed before each run.
#
# Seen with libcmocka0 1.1.5-2.1 (Debian 12), compiled by the system's gcc; 1.1.7 and 2.0.2 do the same.
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
packages libcmocka-dev=1.1.5-2.1 libcmocka0=1.1.5-2.1

cat >suite.c <<'C'
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
static void answer(void **state)
{
	assert_int_equal(atoi(getenv("ANSWER")), 42);
}
int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(answer)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
C
gcc -I"$root/usr/include" -o suite suite.c -L"$root/usr/lib/x86_64-linux-gnu" -lcmocka
failures() { grep -o 'failures="[0-9]*"' "$1"; }
run()
{
	status=0
	ANSWER=$1 CMOCKA_MESSAGE_OUTPUT=XML CMOCKA_XML_FILE=report.xml unpacked ./suite 2>errors || status=$?
}
run 42
expect "it passes: status, report" "$status, $(failures report.xml)" '0, failures="0"'
run 41
expect "it fails: status, report" "$status, $(failures report.xml)" '1, failures="0"'
expect "it fails: error output" "$(failures errors)" 'failures="1"'
rm report.xml
run 41
expect "it fails, without the old report: status, report" "$status, $(failures report.xml)" \
	'1, failures="1"'
