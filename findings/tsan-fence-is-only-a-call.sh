#!/bin/sh
# SPDX-License-Identifier: MIT
#
# With -fsanitize=thread, __atomic_thread_fence() leaves no fence in the code, only a call.
#
# A runtime of one's own that merely records what it is told (an explorer, a tracer) so removes
# every such fence from the program it watches, and shows orders of events that the program without
# hooks cannot have: the runtime has to execute the fence itself. Atomic loads and stores are
# calls in the same way, so the access is the runtime's duty, too.
#
# Seen with gcc 12.2.0-14+deb12u1 (Debian 12).
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
packages gcc-12=12.2.0-14+deb12u1 cpp-12=12.2.0-14+deb12u1 libisl23=0.25-1.1 libmpc3=1.3.1-1 \
	libmpfr6=4.2.0-1

cat >fence.c <<'C'
void fence(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}
C
compile() { unpacked gcc-12 -w -O2 -S "$@" fence.c -o out.s; }
barriers() { grep -cE 'mfence|lock' out.s || true; }
compile
expect "plain: barriers" "$(barriers)" "1"
compile -fsanitize=thread
expect "with hooks: barriers" "$(barriers)" "0"
expect "with hooks: what is called" "$(grep -o '__tsan_atomic_thread_fence' out.s)" \
	"__tsan_atomic_thread_fence"
