#!/bin/sh
# SPDX-License-Identifier: MIT
#
# check-elf.sh FIRST SECOND: two promises about the finished kernel that no compiler flag gives.
#  1. The second link placed every function where the first one did, so the symbol table is true.
#  2. No instruction uses an SSE register: nothing saves them.

functions() { nm --defined-only "$1" | grep -i ' t ' | sort; }

if [ "$(functions "$1")" != "$(functions "$2")" ]; then
	echo "$2: functions moved between the two links; the table of symbols would lie" >&2
	rm -f "$2"
	exit 1
fi
if objdump -d --no-show-raw-insn "$2" | grep -q '%xmm'; then
	echo "$2: these functions use SSE registers, which the kernel does not save:" >&2
	objdump -d --no-show-raw-insn "$2" |
		awk '/^[0-9a-f]+ </ { f = $2 } /%xmm/ && f != last { print "  " f; last = f }' >&2
	rm -f "$2"
	exit 1
fi
