#!/bin/sh
# SPDX-License-Identifier: MIT
#
# pmemobj_root() asked for more bytes than the root object has does not only enlarge it: the root is
# another object afterwards, at another place in the pool.
#
# The contents go along and the new bytes are zero, so the next run of the program sees nothing wrong.
# A PMEMoid or an offset of the root that was kept anywhere in the pool (a parent pointer, an index) still
# leads to the old place, which is free for other objects. Asking for fewer bytes changes
# nothing. So a version that adds a field to its root object must not have links back to it.
#
# Seen with libpmemobj1 1.12.1-2 (Debian 12).
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
closure libpmemobj-dev=1.12.1-2

cat >root.c <<'C'
#include <libpmemobj.h>
#include <stdio.h>
#include <string.h>
int main(void)
{
	PMEMobjpool *pool = pmemobj_create("pool", "example", PMEMOBJ_MIN_POOL, 0600);
	PMEMoid before = pmemobj_root(pool, 64), other;
	memset(pmemobj_direct(before), 7, 64);
	pmemobj_alloc(pool, &other, 64, 1, NULL, NULL);
	PMEMoid after = pmemobj_root(pool, 4096), again = pmemobj_root(pool, 16);
	char *new = pmemobj_direct(after);
	printf("%s place, first byte %d, last byte %d\n", before.off == after.off ? "same" : "another",
	       new[0], new[4095]);
	printf("%s place, %zu bytes\n", again.off == after.off ? "same" : "another", pmemobj_root_size(pool));
	int found = 0;
	while (!found && !pmemobj_alloc(pool, &other, 64, 1, NULL, NULL))
		found = other.off == before.off;
	printf("%s\n", found ? "another object" : "nothing");
	pmemobj_close(pool);
}
C
gcc -I"$root/usr/include" -o ask root.c -L"$root/usr/lib/x86_64-linux-gnu" -lpmemobj \
	-Wl,--allow-shlib-undefined
unpacked ./ask >out
expect "64 bytes become 4096" "$(sed -n 1p out)" "another place, first byte 7, last byte 0"
expect "16 bytes are asked for" "$(sed -n 2p out)" "same place, 4096 bytes"
expect "what lies at the first place when the pool is full" "$(sed -n 3p out)" "another object"
