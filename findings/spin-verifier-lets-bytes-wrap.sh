#!/bin/sh
# SPDX-License-Identifier: MIT
#
# In Spin's verifier a number that does not fit its variable is cut, and nothing is said: a byte that
# counts from 255 goes on at 0, in a search that ends with "errors: 0". The simulation of the same
# model (`spin`) calls each such assignment an error, so who tried it there believes that the verifier
# would. Compiled with -DVAR_RANGES it prints the values that occurred, which have been cut as well.
#
# A count of references that is modelled as a byte, the usual way to keep states few, needs an assertion
# of its own in front of each increment.
#
# Seen with spin 6.5.2+dfsg-1 (Debian 12), whose verifier is compiled with the system's gcc.
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
packages spin=6.5.2+dfsg-1

cat >model.pml <<'E2'
byte count = 254;
bool lost;
init { count++; count++; if :: count == 0 -> lost = true :: else fi }
END
unpacked spin model.pml >said 2>&1 || true
expect "the simulation" "$(sed -n 's/.*Error: //p' said)" "value (256->0 (8)) truncated in assignment"
unpacked spin -a model.pml >/dev/null
gcc -w -DSAFETY -o pan pan.c
./pan >said 2>&1
expect "the verifier" "$(sed -n 's/.*\(errors: [0-9]*\).*/\1/p' said)" "errors: 0"
expect "lines of it about the count" "$(grep -ci 'trunc\|range\|overflow' said || true)" 0
sed -i 's/lost = true/assert(false)/' model.pml
unpacked spin -a model.pml >/dev/null
gcc -w -DSAFETY -o pan pan.c
./pan >said 2>&1
expect "and where the count is 0 it came" "$(sed -n 's/.*\(errors: [0-9]*\).*/\1/p' said)" "errors: 1"
