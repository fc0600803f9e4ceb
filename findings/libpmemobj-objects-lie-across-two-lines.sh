#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What pmemobj_alloc() returns never begins at a cache line: a header of 16 bytes stands before each, so one of 64
# bytes lies across two lines, and one byte takes 128.
#
# An object of 64 bytes costs two write-backs. A structure that was laid out by lines (an entry of a log
# that is valid when its line is) is laid out wrongly, and __attribute__((aligned(64))) on it is a promise
# that nobody keeps. An allocation class of one's own (heap.alloc_class.new.desc: no header, an alignment)
# gives what one expected.
#
# Seen with libpmemobj1 1.12.1-2 (Debian 12).
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
closure libpmemobj-dev=1.12.1-2

cat >place.c <<'C'
#include <libpmemobj.h>
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv)
{
	PMEMobjpool *pool = pmemobj_create("pool", "example", PMEMOBJ_MIN_POOL, 0600);
	PMEMoid object;
	for (int n = 1; n < argc; n++) {
		pmemobj_alloc(pool, &object, atoi(argv[n]), 1, NULL, NULL);
		printf("%s: %zu at %zu; ", argv[n], pmemobj_alloc_usable_size(object),
		       (size_t)pmemobj_direct(object) % 64);
	}
	struct pobj_alloc_class_desc lines = {.unit_size = 64, .alignment = 64, .units_per_block = 1000,
		.header_type = POBJ_HEADER_NONE};
	if (pmemobj_ctl_set(pool, "heap.alloc_class.new.desc", &lines))
		return puts(pmemobj_errormsg());
	pmemobj_xalloc(pool, &object, 64, 0, POBJ_CLASS_ID(lines.class_id), NULL, NULL);
	printf("class: %zu at %zu\n", pmemobj_alloc_usable_size(object),
	       (size_t)pmemobj_direct(object) % 64);
	pmemobj_close(pool);
	return 0;
}
C
gcc -I"$root/usr/include" -o ask place.c -L"$root/usr/lib/x86_64-linux-gnu" -lpmemobj \
	-Wl,--allow-shlib-undefined
expect "bytes asked for: bytes got, at which byte of a line" "$(unpacked ./ask 1 64 128 1000 4096)" \
	"1: 112 at 16; 64: 112 at 16; 128: 176 at 16; 1000: 1008 at 16; 4096: 4144 at 16; class: 64 at 0"
