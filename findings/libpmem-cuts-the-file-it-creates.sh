#!/bin/sh
# SPDX-License-Identifier: MIT
#
# pmem_map_file(path, length, PMEM_FILE_CREATE, …) of a file that is there and longer cuts it to `length`,
# and says nothing. open() with O_CREAT and mmap() of the first bytes would leave it as it was.
#
# PMEM_FILE_CREATE is not "create unless it is there" but "make it this long": a shorter file grows, a
# longer one ends there. A program with the size of an older version's pool, or one that
# wants to see a header only, destroys what lies behind. PMEM_FILE_EXCL refuses a file that is
# there; without flags and with length 0 the file is mapped as long as it is.
#
# Seen with libpmem1 1.12.1-2 (Debian 12).
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
closure libpmem-dev=1.12.1-2

cat >map.c <<'C'
#include <libpmem.h>
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv)
{
	size_t mapped = 0;
	void *at = pmem_map_file("file", atoi(argv[1]), atoi(argv[2]) ? PMEM_FILE_CREATE | FLAGS : 0, 0600,
				 &mapped, NULL);
	printf("%s, %zu mapped, ", at ? "yes" : "no", mapped);
	return 0;
}
C
build()
{
	gcc "-DFLAGS=$1" -I"$root/usr/include" -o map map.c -L"$root/usr/lib/x86_64-linux-gnu" -lpmem \
		-Wl,--allow-shlib-undefined
}
# `file BYTES LENGTH CREATE`: maps a file of BYTES; how long it is then.
file()
{
	yes | head -c "$1" >file
	unpacked ./map "$2" "$3"
	stat -c '%s bytes' file
}
build 0
expect "a file of 1 MiB, 4096 with CREATE" "$(file 1048576 4096 1)" "yes, 4096 mapped, 4096 bytes"
expect "a file of 100 bytes, 4096 with CREATE" "$(file 100 4096 1)" "yes, 4096 mapped, 4096 bytes"
expect "a file of 1 MiB, 0 without" "$(file 1048576 0 0)" "yes, 1048576 mapped, 1048576 bytes"
build PMEM_FILE_EXCL
expect "a file of 1 MiB, 4096 with CREATE and EXCL" "$(file 1048576 4096 1)" "no, 0 mapped, 1048576 bytes"
