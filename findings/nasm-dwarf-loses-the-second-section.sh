#!/bin/sh
# SPDX-License-Identifier: MIT
#
# An assembly file of a kernel has code in two sections, one for boot and .text, and the linker puts
# them far apart. NASM's DWARF has the lines of both, but its compile unit begins where the first
# section does and is as long as all of them together. So addr2line knows no line of the second one,
# and gdb none either, whereas readelf prints them all. A file for each section has its lines.
#
# A backtrace through such a file loses lines although -g was given and nothing was stripped.
#
# Seen with NASM 2.16.01-1, binutils 2.40-2 and gdb 13.1-3 (Debian 12).
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
closure nasm=2.16.01-1 binutils=2.40-2 gdb=13.1-3

cat >both.asm <<'END'
bits 64
section .boot.text progbits alloc exec nowrite
global early
early:
	nop
	ret
section .text
global late
late:
	nop
	ret
END
sed '/section .text/,$d' both.asm >one.asm
sed '1p; /section .text/,$!d' both.asm >two.asm
for file in both one two; do
	unpacked nasm -f elf64 -g -F dwarf $file.asm -o $file.o
done
# linked OUT OBJECT …: the sections 1 MiB apart, as a kernel's are.
linked()
{
	out=$1
	shift
	unpacked ld -e early --section-start=.boot.text=0x400000 -Ttext=0x500000 "$@" -o $out
}
line() { unpacked addr2line -s -e $1 $2 | sed "s,.*:,line ,"; }
debugger() { unpacked gdb -nx -batch -ex "info line *$2" $1 2>/dev/null | grep -o 'Line [0-9]*' || echo none; }

linked together both.o
expect "rows of the line table, by readelf" \
	"$(unpacked readelf --debug-dump=decodedline together | grep -c '^both.asm.*0x[45]')" 6
expect "the first section, by addr2line" "$(line together 0x400000)" "line 5"
expect "the second section, by addr2line" "$(line together 0x500000)" "line ?"
expect "the first section, by gdb" "$(debugger together 0x400000)" "Line 5"
expect "the second section, by gdb" "$(debugger together 0x500000)" none
linked apart one.o two.o
expect "a file of its own, by addr2line" "$(line apart 0x500000)" "line 5"
expect "a file of its own, by gdb" "$(debugger apart 0x500000)" "Line 5"
