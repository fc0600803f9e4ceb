#!/bin/sh
# SPDX-License-Identifier: MIT
#
# In newlib 4 `make libc.a` compiles all of libm first. Two dozen functions on doubles that printf
# needs (isnan and its like) are put into libc.a by taking them out of the finished libm.a, so libm,
# with its complex and long double functions, is a prerequisite of the C library.
#
# "Build only libc" therefore saves nothing; in newlib 3, where each folder had its own Makefile, it
# did. libc_a_DEPENDENCIES= MATHOBJS_IN_LIBC= on make's command line leave libm out.
#
# Seen with newlib-source 4.5.0.20241231-1 (Debian 13); make -n, so nothing is compiled.
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
suite trixie
packages newlib-source=4.5.0.20241231-1

mkdir source build
tar -C source --strip-components=1 -xf "$root"/usr/src/newlib/newlib-4.5.0.20241231.tar.xz
cd build
../source/newlib/configure --host=x86_64-elf --disable-multilib --disable-dependency-tracking CC=gcc \
	AR=ar RANLIB=ranlib AS=as READELF=readelf STRIP=strip MAKEINFO=true >configure.log 2>&1
count()
{
	make -n libc.a "$@" 2>/dev/null | grep -oE -- '-o lib[cm]/[^ ]+\.o' | grep -c "^-o $folder/" || true
}
folder=libm
expect "objects of libm that libc.a waits for" "$(count)" 441
expect "functions that it takes from there" \
	"$(sed -n '/^MATHOBJS_IN_LIBC = /,/[^\\]$/p' Makefile | grep -o '[a-z0-9_-]*\.o' | wc -l)" 25
expect "and without the two variables" "$(count libc_a_DEPENDENCIES= MATHOBJS_IN_LIBC=)" 0
