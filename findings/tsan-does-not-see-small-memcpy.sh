#!/bin/sh
# SPDX-License-Identifier: MIT
#
# With -fsanitize=thread a memcpy() of 32 bytes that the compiler expands in line is not
# instrumented at all; one of 8 or 16 bytes is, a structure assignment of 64 is, and a memcpy() that
# stays a call is seen by whoever wraps memcpy.
#
# A race detector built on these hooks is blind for exactly the copies that kernels like (list
# heads, small descriptors). -fno-builtin-memcpy makes them calls again.
#
# Seen with gcc 12.2.0-14+deb12u1 (Debian 12).
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
packages gcc-12=12.2.0-14+deb12u1 cpp-12=12.2.0-14+deb12u1 libisl23=0.25-1.1 libmpc3=1.3.1-1 \
	libmpfr6=4.2.0-1

cat >copy.c <<'C'
struct box { char bytes[64]; } from, to;
void *memcpy(void *, const void *, __SIZE_TYPE__);
void copy(void)
{
	COPY;
}
C
# Which hooks `copy` calls besides those at its begin and end.
hooks()
{
	unpacked gcc-12 -w -O2 -fsanitize=thread -S "$@" copy.c -o out.s
	sed -n '/^copy:/,/\.size\tcopy/p' out.s | grep -oE '__tsan_(read|write)[a-z0-9_]*|memcpy' |
		sort | tr '\n' ' '
}
expect "memcpy of 8 bytes" "$(hooks '-DCOPY=memcpy(&to,&from,8)')" "__tsan_read8 __tsan_write8 "
expect "memcpy of 16 bytes" "$(hooks '-DCOPY=memcpy(&to,&from,16)')" "__tsan_read16 __tsan_write16 "
expect "memcpy of 32 bytes" "$(hooks '-DCOPY=memcpy(&to,&from,32)')" ""
expect "assignment of 64 bytes" "$(hooks '-DCOPY=to=from')" "__tsan_read_range __tsan_write_range "
expect "memcpy of 32 bytes, -fno-builtin-memcpy" \
	"$(hooks -fno-builtin-memcpy '-DCOPY=memcpy(&to,&from,32)')" "memcpy "
