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
configure()
{
	cd "$work/obj" && ../src/configure --target=x86_64-elf --prefix="$out" \
		--disable-multilib --disable-libgloss --disable-newlib-supplied-syscalls \
		--disable-newlib-io-float --enable-newlib-io-long-long \
		--enable-newlib-io-c99-formats --enable-newlib-reent-small \
		--enable-newlib-retargetable-locking --enable-newlib-global-stdio-streams \
		--disable-newlib-wide-orient --disable-newlib-fvwrite-in-streamio \
		--disable-newlib-unbuf-stream-opt --enable-lite-exit \
		CC_FOR_TARGET="$tools/kcc" AR_FOR_TARGET=ar RANLIB_FOR_TARGET=ranlib \
		AS_FOR_TARGET=as LD_FOR_TARGET=ld NM_FOR_TARGET=nm STRIP_FOR_TARGET=strip \
		OBJDUMP_FOR_TARGET=objdump READELF_FOR_TARGET=readelf \
		CFLAGS_FOR_TARGET="-O2 -g0 -ffunction-sections -fdata-sections -D__DYNAMIC_REENT__" \
		MAKEINFO=true && make -j"$jobs" configure-target-newlib
}

compile()
{
	make -j"$jobs" -C "$work/obj/x86_64-elf/newlib" SUBDIRS="libc ."
}

install_it()
{
	make -C "$work/obj/x86_64-elf/newlib" install SUBDIRS="libc ." &&
	test -f "$out/x86_64-elf/lib/libc.a"
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
