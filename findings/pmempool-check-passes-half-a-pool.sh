#!/bin/sh
# SPDX-License-Identifier: MIT
#
# `pmempool check` prints "consistent" and ends with 0 for a pool of libpmemobj that lost its second
# half; libpmemobj refuses to open it.
#
# Of this kind of pool it looks at the header page alone. Its manual has one line on that ("checking the
# consistency of a pmemobj pool is not supported"), the command does not say so. A backup
# job has to open the pool, by a program that uses the library.
#
# Seen with pmdk-tools and libpmemobj1 1.12.1-2 (Debian 12), the check also with 1.13.1-1.1 (Debian 13).
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
closure pmdk-tools=1.12.1-2 libpmemobj-dev=1.12.1-2

cat >open.c <<'C'
#include <libpmemobj.h>
#include <stdio.h>
int main(int argc, char **argv)
{
	puts(pmemobj_open(argv[1], NULL) ? "opened" : pmemobj_errormsg());
	return 0;
}
C
gcc -I"$root/usr/include" -o open open.c -L"$root/usr/lib/x86_64-linux-gnu" -lpmemobj \
	-Wl,--allow-shlib-undefined

unpacked pmempool create obj pool
expect "the whole pool: bytes, library" "$(stat -c %s pool), $(unpacked ./open pool)" "8388608, opened"
truncate -s 4M pool
status=0
unpacked pmempool check -v pool >out 2>&1 || status=$?
expect "half of it: pmempool check says" "$(tail -n 1 out)" "pool: consistent"
expect "half of it: its status" "$status" "0"
expect "half of it: library" "$(unpacked ./open pool)" "heap: invalid heap size"
