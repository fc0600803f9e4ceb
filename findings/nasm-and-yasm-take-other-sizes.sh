#!/bin/sh
# SPDX-License-Identifier: MIT
#
# NASM and yasm, which read the same language, make different instructions of some lines of 64-bit code, both without
# a warning: of `retf` (NASM: two words of 32 bits from the stack, yasm: of 64), of `call far` and `jmp far` through memory
# (yasm: an offset of 32 bits, NASM: of 64), and of the address of a label (yasm: 32 bits, sign-extended, NASM: 64).
#
# So the usual way to reload CS, push of the selector and of the address and `retf`, is right with yasm, and takes
# halves of one word for the address and the selector with NASM; a far pointer of 6 bytes is the other
# way round. With the size named (`o64 retf`, `jmp far qword [p]`, `mov rax, qword label`) both make the same of it.
#
# Seen with nasm 2.16.01-1 and yasm 1.3.0-4 (Debian 12).
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
closure nasm=2.16.01-1 yasm=1.3.0-4

# `both LINE`: the bytes that the two make of it, at address 0.
both()
{
	printf 'bits 64\nlabel: %s\n' "$1" >line.asm
	for assembler in nasm yasm; do
		said=$(unpacked "$assembler" -f bin -o line.bin line.asm 2>&1) || said="error"
		echo "$assembler $(od -An -v -tx1 line.bin | tr -d ' \n')${said:+ $said}"
	done | paste -sd ' '
}
expect "retf" "$(both 'retf')" "nasm cb yasm 48cb"
expect "o64 retf" "$(both 'o64 retf')" "nasm 48cb yasm 48cb"
expect "call far [rax]" "$(both 'call far [rax]')" "nasm 48ff18 yasm ff18"
expect "jmp far [rax]" "$(both 'jmp far [rax]')" "nasm 48ff28 yasm ff28"
expect "jmp far qword [rax]" "$(both 'jmp far qword [rax]')" "nasm 48ff28 yasm 48ff28"
expect "mov rax, label" "$(both 'mov rax, label')" "nasm 48b80000000000000000 yasm 48c7c000000000"
expect "mov rax, qword label" "$(both 'mov rax, qword label')" \
	"nasm 48b80000000000000000 yasm 48b80000000000000000"
