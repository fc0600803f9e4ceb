#!/bin/sh
# SPDX-License-Identifier: MIT
#
# newlib 4's configure writes a file of dependencies for every object that any target could have,
# thousands that will never be compiled, each by a few processes of its own at the very end of
# configure ("executing depfiles commands"). Where starting a process is dear that takes longer than
# compiling the C library; --disable-dependency-tracking leaves it out and changes nothing else.
#
# Seen with newlib-source 4.5.0.20241231-1 (Debian 13).
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
suite trixie
packages newlib-source=4.5.0.20241231-1

mkdir source
tar -C source --strip-components=1 -xf "$root"/usr/src/newlib/newlib-4.5.0.20241231.tar.xz
configured()
{
	mkdir "$1"
	cd "$1"
	../source/newlib/configure --host=x86_64-elf --disable-multilib $2 CC=gcc AR=ar RANLIB=ranlib \
		AS=as READELF=readelf STRIP=strip MAKEINFO=true >configure.log 2>&1
	find . -name '*.Po' | wc -l
	cd ..
}
expect "files of dependencies" "$(configured with '')" 2564
expect "without them" "$(configured without --disable-dependency-tracking)" 0
expect "newlib.h is the same" "$(cmp with/newlib.h without/newlib.h && echo the same)" "the same"
printf 'include Makefile\nlist: ; @echo $(libc_a_OBJECTS)\n' >with/list.mk
expect "objects of libc" "$(make -C with -sf list.mk list | wc -w)" 603
