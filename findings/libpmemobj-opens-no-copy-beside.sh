#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A copy of a libpmemobj pool cannot be open beside the pool that it was copied from, in one process:
# pmemobj_open() fails with EEXIST and "pool initialization failed". Alone the copy opens well.
#
# Pools are told apart by the UUID in the file, which `cp` copies; every PMEMoid holds 64 bits that are
# made of it, and would be ambiguous. So a program that compares a pool with its backup, or takes single
# objects over from a snapshot, opens one after the other, or uses two processes.
#
# Seen with libpmemobj1 1.12.1-2 (Debian 12).
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
closure pmdk-tools=1.12.1-2 libpmemobj-dev=1.12.1-2

cat >open.c <<'C'
#include <errno.h>
#include <libpmemobj.h>
#include <stdio.h>
#include <string.h>
int main(int argc, char **argv)
{
	for (int n = 1; n < argc; n++)
		if (pmemobj_open(argv[n], NULL))
			printf("%s ", argv[n]);
		else
			printf("no %s (%s, %s)", argv[n], strerror(errno), pmemobj_errormsg());
	return 0;
}
C
gcc -I"$root/usr/include" -o open open.c -L"$root/usr/lib/x86_64-linux-gnu" -lpmemobj \
	-Wl,--allow-shlib-undefined
unpacked pmempool create obj pool
unpacked pmempool create obj other
cp pool copy
expect "two pools" "$(unpacked ./open pool other)" "pool other "
expect "the pool and its copy" "$(unpacked ./open pool copy)" \
	"pool no copy (File exists, pool initialization failed)"
expect "the copy" "$(unpacked ./open copy)" "copy "
