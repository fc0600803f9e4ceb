#!/bin/sh
# SPDX-License-Identifier: MIT
#
# One type error in a file, and sparse no longer warns of dereferences of another address space or of locks that
# are not released in that file, and of the files behind it on the command line not even of casts.
# The status is 0 in either case.
#
# These warnings are found in passes after the types, and once there was an error a later pass keeps its warnings to
# itself. So a file with one error shown may hold any number of accesses to device or user memory, and a list of warnings
# that only has to get no longer gets shorter by an error. With -Wsparse-error they are errors, which are shown,
# and the status is 1; and a file to a command keeps the others out of it.
#
# Seen with sparse 0.6.4-3 (Debian 12).
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
closure sparse=0.6.4-3

cat >plain.c <<'C'
#define SPACE __attribute__((noderef, address_space(2)))
static int first(int SPACE *p) { return *p; }
static int second(int SPACE *p) { return p[1]; }
static void locked(int x) { __context__(1); if (x) __context__(-1); }
static int *cast(int SPACE *p) { return (int *)p; }
C
{ cat plain.c; echo 'static int mixed(int SPACE *p, char *q) { return p == q; }'; } >mixed.c
echo 'static int error(int *p, char *q) { return missing; }' >error.c
said()
{
	status=0
	unpacked sparse "$@" >out 2>&1 || status=$?
	echo "$(grep -c 'dereference of noderef' out) dereferences, $(grep -c 'context imbalance' out) locks," \
		"$(grep -c 'cast removes' out) casts, status $status"
}
expect "a file" "$(said plain.c)" "2 dereferences, 1 locks, 1 casts, status 0"
expect "with an error in its last line" "$(said mixed.c)" "0 dereferences, 0 locks, 1 casts, status 0"
expect "an error in a file behind" "$(said plain.c error.c)" "2 dereferences, 1 locks, 1 casts, status 0"
expect "an error in a file in front" "$(said error.c plain.c)" "0 dereferences, 0 locks, 0 casts, status 0"
expect "-Wsparse-error" "$(said -Wsparse-error mixed.c)" "2 dereferences, 1 locks, 1 casts, status 1"
