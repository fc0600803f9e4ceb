#!/bin/sh
# SPDX-License-Identifier: MIT
#
# For pahole 1.24 a member of an _Atomic type has no bytes: where it lies is "a hole, try to pack", and
# counts among the holes of the structure. Its complaint ("tag not supported") goes to the other stream,
# and the status is 0.
#
# So a table of structures with the most holes, or a check that a structure of a shared page has none, is
# wrong for just the structures that CPUs share. A volatile member, or one for the __atomic built-ins,
# has its bytes. readelf and gdb know the tag, and so does pahole from 1.30 on.
#
# Seen with pahole 1.24-4.1 (Debian 12), the object made by the system's gcc; 1.30 and 1.32 are right.
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
closure pahole=1.24-4.1

cat >box.c <<'C'
typedef TYPE count;
struct box { int a; count b; char c; } box;
C
layout()
{
	gcc "-DTYPE=$1" -g -c box.c
	unpacked pahole -C box box.o 2>errors >out
	echo "status $?, $(grep -c 'tag not supported' errors) complaint," \
		"$(sed -n 's/^\tcount  *b;.*\* *\([0-9]*\)  *\([0-9]*\) .*/\2 bytes at \1/p' out)," \
		"$(sed -n 's/.*\(sum holes: [0-9]*\).*/\1/p' out)"
}
expect "int" "$(layout int)" "status 0, 0 complaint, 4 bytes at 4, "
expect "volatile int" "$(layout 'volatile int')" "status 0, 0 complaint, 4 bytes at 4, "
expect "_Atomic int" "$(layout '_Atomic int')" "status 0, 1 complaint, 0 bytes at 4, sum holes: 4"
