#!/bin/sh
# SPDX-License-Identifier: MIT
#
# In the job log of GNU parallel a job that was killed has "Exitval" 0; that it was killed stands in the
# next column, "Signal".
#
# A shell would say 137, and a job that ran into --timeout has -1. So whoever counts the rows with an
# Exitval other than 0 takes just those jobs for done that the kernel killed for want of memory. Parallel
# itself knows better: its own status counts them, and --resume-failed runs them again.
#
# Seen with parallel 20221122+ds-2 (Debian 12).
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
packages parallel=20221122+ds-2
export HOME=$work

run() { "$root/usr/bin/parallel" --will-cite --joblog log "$@"; }
row() { cut -f 7,8 log | tail -n 1 | tr '\t' ' '; }
status=0
run 'kill -KILL $$; echo {}' ::: 1 2>/dev/null || status=$?
expect "killed: Exitval, Signal" "$(row)" "0 9"
expect "killed: parallel's own status" "$status" "1"
expect "--resume-failed" "$(run --resume-failed 'echo again {}' ::: 1)" "again 1"
rm log
run 'exit 3' ::: 1 2>/dev/null || :
expect "exit 3: Exitval, Signal" "$(row)" "3 0"
rm log
run --timeout 1 'sleep 20' ::: 1 2>/dev/null || :
expect "--timeout: Exitval, Signal" "$(row)" "-1 15"
