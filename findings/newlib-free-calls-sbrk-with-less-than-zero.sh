#!/bin/sh
# SPDX-License-Identifier: MIT
#
# newlib's free() gives memory back: with more than 128 KiB free at the end of the heap it calls sbrk(0)
# and then sbrk() of a negative number. malloc() asks for odd numbers: 144 bytes, then the rest of the page.
#
# An sbrk() of one's own that was written for growth (whole frames, an unsigned size, "the heap is full"
# for what is larger than the rest) meets minus 303104 on the first free of something large, and no
# small program shows it. One that refuses (-1) is right, too: free() keeps the memory then, and the
# next malloc() uses it.
#
# Seen with newlib-source 3.3.0-1.3+deb12u1 (Debian 12), mallocr.c compiled by the system's gcc.
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
packages newlib-source=3.3.0-1.3+deb12u1

mkdir source
tar -C source --strip-components=3 --wildcards -xf "$root"/usr/src/newlib/newlib-3.3.0.tar.xz \
	'*/newlib/libc/include/*' '*/newlib/libc/stdlib/mallocr.c'
touch source/include/newlib.h
cat >heap.c <<'C'
#include <reent.h>
#include <stddef.h>
int printf(const char *, ...);
static struct _reent reent;
struct _reent *_impure_ptr = &reent;
static char heap[1 << 20] __attribute__((aligned(4096)));
static long used;
void __malloc_lock(struct _reent *r) {}
void __malloc_unlock(struct _reent *r) {}
void *_malloc_r(struct _reent *, size_t);
void _free_r(struct _reent *, void *);
void *_sbrk_r(struct _reent *r, ptrdiff_t more)
{
	printf(" %ld", (long)more);
	if (REFUSE && more < 0)
		return (void *)-1;
	used += more;
	return heap + used - more;
}
int main(void)
{
	printf("malloc(100)");
	_malloc_r(&reent, 100);
	for (int n = 0; n < 2; n++) {
		printf(", malloc(300000)");
		void *large = _malloc_r(&reent, 300000);
		printf(", free");
		_free_r(&reent, large);
	}
	return 0;
}
C
build()
{
	flags="-w -O1 -nostdinc -Isource/include -isystem $(gcc -print-file-name=include)"
	gcc $flags "-DREFUSE=$1" -c heap.c -o heap.o
	gcc $flags -DINTERNAL_NEWLIB -DDEFINE_MALLOC -c source/stdlib/mallocr.c -o malloc.o
	gcc $flags -DINTERNAL_NEWLIB -DDEFINE_FREE -c source/stdlib/mallocr.c -o free.o
	gcc -o heap heap.o malloc.o free.o
}
build 0
expect "what sbrk is asked for" "$(./heap)" \
	"malloc(100) 144 3952, malloc(300000) 303104, free 0 -303104, malloc(300000) 303104, free 0 -303104"
build 1
expect "and if it refuses" "$(./heap)" \
	"malloc(100) 144 3952, malloc(300000) 303104, free 0 -303104 0, malloc(300000), free 0 -303104 0"
