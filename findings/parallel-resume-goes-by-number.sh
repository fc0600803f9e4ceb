#!/bin/sh
# SPDX-License-Identifier: MIT
#
# `parallel --joblog LOG --resume` does not look which jobs the log has, only which numbers: put a name in
# front of the list, and that job is never run, and the last one is run a second time. Status 0.
#
# The log has each job's command, but what is compared is "Seq", the place in the input. The manual asks that
# the input remain unchanged. A class whose list is sorted and grew by a late student is such an
# input: the newcomer has no result, nobody is told, and the log has a line for the second run of
# somebody else. --resume-failed goes by number too.
#
# Seen with parallel 20221122+ds-2 (Debian 12).
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
packages parallel=20221122+ds-2
export HOME=$work

# What is run, and the status of parallel.
run()
{
	status=0
	"$root/usr/bin/parallel" --will-cite --joblog log "$@" >out || status=$?
	tr '\n' ' ' <out
	echo "($status)"
}
commands() { cut -f 1,9 log | sed 1d | tr '\t\n' ' ,'; }
expect "b c d" "$(run 'echo {}' ::: b c d)" "b c d (0)"
expect "a b c d, --resume" "$(run --resume 'echo {}' ::: a b c d)" "d (0)"
expect "the log" "$(commands)" "1 echo b,2 echo c,3 echo d,4 echo d,"
expect "a b c d, --resume-failed" "$(run --resume-failed 'echo {}' ::: a b c d)" "(0)"
