#!/bin/sh
# SPDX-License-Identifier: MIT
#
# newlib's memcpy() for x86-64 writes around the cache from 256 bytes on, and fences; but what is
# left over behind the last multiple of 128 bytes is stored through the cache after that fence.
#
# On persistent memory both guesses are wrong: "memcpy leaves everything in the cache" and "it used
# movnti and sfence, so the bytes are durable". The last bytes (up to 127) still have to be written
# back, and fenced again.
#
# Seen with newlib-source 3.3.0-1.3+deb12u1 (Debian 12), assembled with the host's gcc.
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
packages newlib-source=3.3.0-1.3+deb12u1

mkdir source
tar -C source --strip-components=5 --wildcards -xf "$root"/usr/src/newlib/newlib-3.3.0.tar.xz \
	'*/newlib/libc/machine/x86_64/memcpy.S' '*/newlib/libc/machine/x86_64/x86_64mach.h'
gcc -c source/memcpy.S -o memcpy.o 2>/dev/null
# The stores and fences behind the non-temporal loop, in the order of the code.
objdump -d --no-show-raw-insn memcpy.o | grep -oE 'movnti|sfence|rep movsb|rep movsq|ret' |
	uniq | sed -n '/movnti/,/ret/p' | tr '\n' ' ' >out
expect "movnti, fence, then plain stores" "$(cat out)" "movnti sfence rep movsb ret "
expect "smallest size that goes this way" \
	"$(objdump -d --no-show-raw-insn memcpy.o | grep -oE 'cmp +\$0x[0-9a-f]+,%rdx' | tail -n 1 |
		tr -s ' ')" 'cmp $0x100,%rdx'
