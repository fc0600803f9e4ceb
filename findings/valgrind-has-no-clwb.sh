#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Under valgrind CLWB and CLFLUSHOPT are illegal instructions on a CPU that has them, too: the program
# gets SIGILL. CPUID is changed to say that they are not there; CLFLUSH, MOVNTI and SFENCE work.
#
# A library that asks CPUID (libpmem) so runs another path under valgrind than without it, and that is the
# only one that is checked. A program that assumes CLWB, or asked when it was built, does not run at all:
# a kernel that is tried as a Linux process needs another write-back there.
#
# Seen with valgrind 1:3.19.0-1 (Debian 12), the program compiled by the system's gcc; 3.24 does the same.
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
closure valgrind=1:3.19.0-1

cat >flush.c <<'C'
#include <cpuid.h>
#include <stdio.h>
static long line[8] __attribute__((aligned(64)));
int main(void)
{
	unsigned a, b, c, d;
	__cpuid_count(7, 0, a, b, c, d);
	printf("CPUID %u %u, ", b >> 23 & 1, b >> 24 & 1);
	fflush(stdout);
	__asm__ volatile(FLUSH : "+m"(line[0]) : "r"(1L));
	printf("done");
	return 0;
}
C
# `flush INSTRUCTION`: bits of CLFLUSHOPT and CLWB, and how it ends.
flush()
{
	gcc "-DFLUSH=\"$1\"" -o flush flush.c
	VALGRIND_LIB=$root/usr/libexec/valgrind unpacked "$root/usr/bin/valgrind" -q --tool=none ./flush 2>log || :
	grep -o 'Illegal opcode' log || :
}
expect "CLFLUSH" "$(flush 'clflush %0')" "CPUID 0 0, done"
expect "MOVNTI, SFENCE" "$(flush 'movnti %1, %0; sfence')" "CPUID 0 0, done"
expect "CLFLUSHOPT" "$(flush 'clflushopt %0')" "CPUID 0 0, Illegal opcode"
expect "CLWB" "$(flush 'clwb %0')" "CPUID 0 0, Illegal opcode"
