#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Builds newlib from the source package of the distribution, once: newlib.sh TARBALL OUTDIR CC
# leaves OUTDIR/x86_64-elf/{include,lib/libc.a}. Progress goes to stderr, everything the build
# says to OUTDIR.log, of which the tail is shown when a step fails.

tarball=$1 out=$2 cc=$3
tools=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$out"
out=$(cd "$out" && pwd)
log=$out.log
work=$out.work
jobs=$(nproc 2>/dev/null || echo 1)

step()
{
	echo "newlib: $1" >&2
	shift
	if ! "$@" >>"$log" 2>&1; then
		echo "newlib: this step failed; the last lines of $log:" >&2
		tail -n 20 "$log" >&2
		exit 1
	fi
}

unpack()
{
	rm -rf "$work" && mkdir -p "$work/obj" &&
	tar -xJf "$tarball" -C "$work" &&
	src=$(echo "$work"/newlib-*) && [ -x "$src/configure" ] && mv "$src" "$work/src"
}

# Floating-point output is off (the kernel owns no SSE state); locks and the reentrancy structure
# are ours to supply. nano-formatted-io stays off: it does not know %llx and %zu.
options='--disable-multilib --disable-newlib-supplied-syscalls --disable-newlib-io-float
	--enable-newlib-io-long-long --enable-newlib-io-c99-formats --enable-newlib-reent-small
	--enable-newlib-retargetable-locking --enable-newlib-global-stdio-streams
	--disable-newlib-wide-orient --disable-newlib-fvwrite-in-streamio
	--disable-newlib-unbuf-stream-opt --enable-lite-exit'
cflags='-O2 -g0 -ffunction-sections -fdata-sections -D__DYNAMIC_REENT__'

# newlib 3 has a Makefile in every folder: the folder libc is built.
configure_3()
{
	cd "$work/obj" && ../src/configure --target=x86_64-elf --prefix="$out" --disable-libgloss \
		$options CC_FOR_TARGET="$tools/kcc" AR_FOR_TARGET=ar RANLIB_FOR_TARGET=ranlib \
		AS_FOR_TARGET=as LD_FOR_TARGET=ld NM_FOR_TARGET=nm STRIP_FOR_TARGET=strip \
		OBJDUMP_FOR_TARGET=objdump READELF_FOR_TARGET=readelf \
		CFLAGS_FOR_TARGET="$cflags" MAKEINFO=true && make -j"$jobs" configure-target-newlib
}

compile_3()
{
	make -j"$jobs" -C "$work/obj/x86_64-elf/newlib" SUBDIRS="libc ."
}

install_3()
{
	make -C "$work/obj/x86_64-elf/newlib" install SUBDIRS="libc ."
}

# newlib 4 has one Makefile for everything. Its own configure is called, not the one above it, and
# without dependencies, of which it would make a file for each of 2500 objects. libc.a is made of
# the objects in the folders named here, without text of wide characters; by itself it would wait
# for libm, 441 objects, for two dozen functions on doubles.
folders='stdlib|string|stdio|ctype|errno|locale|misc|reent|search|machine/x86_64'
wide='(string|stdio|ctype)/[^/]*-(w|f?(get|put|unget)w|.*wc|.*w(printf|scanf)|isw|tow)'

configure_4()
{
	cd "$work/obj" && ../src/newlib/configure --host=x86_64-elf --prefix="$out" \
		--disable-dependency-tracking $options AR=ar RANLIB=ranlib AS=as LD=ld NM=nm \
		STRIP=strip OBJDUMP=objdump READELF=readelf MAKEINFO=true CFLAGS="$cflags" \
		CC="$tools/kcc -isystem $work/obj/targ-include -isystem $work/src/newlib/libc/include"
}

# `libc_4 GOAL`: make GOAL, with the objects chosen above and no others.
libc_4()
{
	all=$(printf 'include Makefile\nlist: ; @echo $(libc_a_OBJECTS)\n' | make -sf - list) &&
	chosen=$(for o in $all; do echo "$o"; done | grep -E "^libc/($folders)/" |
		 grep -vE "$wide" | tr '\n' ' ') &&
	make -j"$jobs" "$1" libc_a_OBJECTS="$chosen" libc_a_DEPENDENCIES= MATHOBJS_IN_LIBC= \
		toollib_LIBRARIES=libc.a
}

compile_4() { libc_4 libc.a; }
install_4() { libc_4 install-data-local; }

configure()
{
	if [ -e "$work/src/newlib/libc/configure" ]; then how=3; else how=4; fi
	configure_$how
}

compile() { compile_$how; }

install_it()
{
	install_$how && test -f "$out/x86_64-elf/lib/libc.a"
}

# The make that called us must not hand its flags, job server or variables on.
unset MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL CMD BOOT CPU MEM SMP PMEM
export HF_CC="$cc"
: >"$log"
step "unpack $(basename "$tarball") (1 of 4, about 5 s)" unpack
step "configure (2 of 4, about 20 s)" configure
step "compile (3 of 4, about 30 s)" compile
step "install (4 of 4, about 2 s)" install_it
rm -rf "$work"
