#!/bin/sh
# SPDX-License-Identifier: MIT
#
# With clang's -fsanitize=thread a load has no hook when a store to the same place follows in the block:
# `x++` is one write, and so is `t = x; …; x = t + 1` with a store elsewhere, an atomic store or a full
# fence in between. gcc has a read and a write for each of them.
#
# For races that is enough (who races with the load races with the store). For a runtime that stops at
# each hook and lets others run, an explorer or a tracer, the load is where it is not: nothing comes
# between load and store, so no update is ever lost, and what was loaded before a fence seems loaded behind
# it. `-mllvm -tsan-instrument-read-before-write` gives the reads back. A volatile load goes the same way.
#
# Seen with clang-14 1:14.0.6-12 and gcc-12 12.2.0-14+deb12u1 (Debian 12).
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
packages clang-14=1:14.0.6-12 libclang-cpp14=1:14.0.6-12 libllvm14=1:14.0.6-12 \
	gcc-12=12.2.0-14+deb12u1 cpp-12=12.2.0-14+deb12u1 libisl23=0.25-1.1 libmpc3=1.3.1-1 \
	libmpfr6=4.2.0-1

cat >access.c <<'C'
int x, y, flag;
volatile int v;
void access(void)
{
	BODY;
}
C
# `hooks BODY COMPILER …`: which hooks stand in the function, in order.
hooks()
{
	body=$1
	shift
	unpacked "$@" -w -O2 -fsanitize=thread -S "-DBODY=$body" access.c -o out.s
	sed -n '/^access:/,/func_exit/p' out.s | grep -oE '__tsan_(read|write|atomic)[a-z0-9_]*' |
		sed 's/__tsan_//' | tr '\n' ' '
}
compare()
{
	expect "$1: gcc" "$(hooks "$1" gcc-12)" "read4 $2"
	expect "$1: clang" "$(hooks "$1" clang-14)" "$2"
}
compare 'x++' "write4 "
compare 'v++' "write4 "
compare 'int t = x; y = 1; x = t + 1' "write4 write4 "
compare 'int t = x; __atomic_thread_fence(5); x = t + 1' "atomic_thread_fence write4 "
compare 'int t = x; __atomic_store_n(&flag, 1, 5); x = t + 1' "atomic32_store write4 "
expect "x++: clang with the option" \
	"$(hooks 'x++' clang-14 -mllvm -tsan-instrument-read-before-write)" "read4 write4 "
