#!/bin/sh
# SPDX-License-Identifier: MIT
#
# One load across the border of two pages is three loads for Unicorn's memory hook: the one of the program, and
# two aligned ones of the same size on both sides, which touch bytes that the program never reads. A store is one.
#
# The hook sits in the emulator's slow path, which does such a load by two aligned ones and shows them, too. A trace
# of it counts wrongly, and a race detector on top of it sees reads of neighbours: of 0x2ff8 by a load from 0x2fff.
# Who takes accesses from the hook has to drop the two that follow a load that crosses.
#
# Seen with python3-unicorn 2.0.1.post1-1 and libunicorn2 2.0.1.post1-1+b1 (Debian 12).
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
closure python3-unicorn=2.0.1.post1-1 libunicorn2=2.0.1.post1-1+b1

cat >trace.py <<'P'
import sys
from unicorn import Uc, UC_ARCH_X86, UC_MODE_64, UC_HOOK_MEM_READ, UC_HOOK_MEM_WRITE, UC_MEM_WRITE
from unicorn.x86_const import UC_X86_REG_RCX
code, address = bytes.fromhex(sys.argv[1]), int(sys.argv[2], 16)
machine = Uc(UC_ARCH_X86, UC_MODE_64)
machine.mem_map(0x1000, 0x3000)
machine.mem_write(0x1000, code)
machine.reg_write(UC_X86_REG_RCX, address)
seen = []
machine.hook_add(UC_HOOK_MEM_READ | UC_HOOK_MEM_WRITE, lambda _, kind, at, size, *rest: seen.append(
    f"{'store' if kind == UC_MEM_WRITE else 'load'} {at:#x}+{size}"))
machine.emu_start(0x1000, 0x1000 + len(code))
print(*seen, sep=", ")
P
# mov rax, [rcx]; mov [rcx], rax; lock xadd [rcx], eax
trace() { PYTHONPATH=$root/usr/lib/python3/dist-packages unpacked /usr/bin/python3 trace.py "$@"; }
expect "a load across a line" "$(trace 488b01 2f3f)" "load 0x2f3f+8"
expect "a load across a page" "$(trace 488b01 2fff)" "load 0x2fff+8, load 0x2ff8+8, load 0x3000+8"
expect "a store across a page" "$(trace 488901 2fff)" "store 0x2fff+8"
expect "a locked addition across a page" "$(trace f00fc101 2fff)" \
	"load 0x2fff+4, load 0x2ffc+4, load 0x3000+4, store 0x2fff+4"
