#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The verifier that Spin makes ends with status 0 whatever it found: a violated assertion, and a
# search that was cut off before it came to one.
#
# So `./pan && echo verified` in a script or a CI job verifies nothing. And of a search that was cut
# off (default: 10000 steps deep) the summary says "errors: 0", as of a complete one: the only trace
# is a line "error: max search depth too small" far above it. A script has to read the output, for
# "errors: 0" and for the absence of that line.
#
# Seen with spin 6.5.2+dfsg-1 (Debian 12), whose verifier is compiled with the system's gcc.
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
packages spin=6.5.2+dfsg-1

# `verify MODEL`: translates, compiles and runs it; what it printed is in `out`, its status in $status.
verify()
{
	echo "$1" >model.pml
	unpacked spin -a model.pml
	gcc -w -DSAFETY -o pan pan.c
	status=0
	./pan >out 2>&1 || status=$?
}
errors() { sed -n 's/.*\(errors: [0-9]*\).*/\1/p' out; }

verify 'init { assert(false) }'
expect "an assertion that never holds: the summary, and the status" "$(errors), $status" "errors: 1, 0"

verify 'int n; init { do :: n < 20000 -> n++ :: else -> break od; assert(false) }'
expect "the same after 40000 steps: the summary, and the status" "$(errors), $status" "errors: 0, 0"
expect "and above it stands" "$(grep -c 'max search depth too small' out)" 1

./pan -m100000 >out 2>&1
expect "searched deeper (-m100000)" "$(errors)" "errors: 1"
