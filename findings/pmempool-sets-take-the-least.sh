#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A pool set whose replicas have different sizes is no error: the pool is as large as the smallest one,
# and the rest of the others is taken and never used, without a word.
#
# A slip of the pen in a pool set (32M for 64M in the replica) halves the capacity, and what is seen is
# out-of-memory from pmemobj_alloc() in a pool that is half empty by `ls`. `pmempool info -s` shows the
# sizes of the files; the size of the heap, further down, has the truth.
#
# Seen with pmdk-tools 1.12.1-2 (Debian 12).
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
closure pmdk-tools=1.12.1-2

# `heap MASTER REPLICA`: what a set of these sizes has to give away, and how long its files are.
heap()
{
	rm -f set part replica
	printf 'PMEMPOOLSET\n%s %s\nREPLICA\n%s %s\n' "$1" "$work/part" "$2" "$work/replica" >set
	unpacked pmempool create obj set 2>&1
	unpacked pmempool info set | sed -n 's/^Heap size *: /heap /p' | tr '\n' ' '
	stat -c %s part replica | tr '\n' ' '
}
expect "64M and 64M" "$(heap 64M 64M)" "heap 63954944 67108864 67108864 "
expect "64M and 32M" "$(heap 64M 32M)" "heap 30400512 67108864 33554432 "
expect "32M and 64M" "$(heap 32M 64M)" "heap 30400512 33554432 67108864 "
