#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A table whose signature iasl does not know comes out of its round trip as a bare header: 36 bytes with the right
# length and checksum, so that everything takes it for a valid, empty table. The status is 0, errors and warnings are 0.
#
# The words "decoding ACPI table header only" are among those of the disassembly; the bytes of the rest are in the text,
# but as a comment. For Debian 12's iasl CEDT (CXL) is such a table; 20250404 (Debian's trixie) knows
# it, and does the same to signatures of a vendor. Whoever edits all tables of a machine by iasl -d, a change
# and iasl has to compare lengths, or to leave those tables alone that are not to be changed.
#
# Seen with acpica-tools 20200925-8 (Debian 12).
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
packages acpica-tools=20200925-8

# CEDT with one host bridge: uid 1, CXL 2.0, 64 KiB of registers; and the same bytes under a name of a vendor.
/usr/bin/python3 - <<'P'
import struct
bridge = struct.pack("<BBHIIIQQ", 0, 0, 32, 1, 1, 0, 0xf0000000, 0x10000)
for name in b"CEDT", b"VNDR", b"HPET":
    body = struct.pack("<IBBHQBHB", 0, 0, 1, 0, 0xfed00000, 0, 0, 0) if name == b"HPET" else bridge
    table = struct.pack("<4sIBB6s8sI4sI", name, 36 + len(body), 1, 0, b"MAKER ", b"EXAMPLE ", 1, b"HAND", 1) + body
    table = table[:9] + bytes([-sum(table) & 255]) + table[10:]
    open(name.decode() + ".aml", "wb").write(table)
P
round_trip()
{
	unpacked iasl -p "$1" -d "$1.aml" >first 2>&1
	status=0
	unpacked iasl -p after "$1.dsl" >out 2>&1 || status=$?
	sum=$(od -An -v -tu1 after.aml | awk '{ for (i = 1; i <= NF; i++) s += $i } END { print s % 256 }')
	echo "$(stat -c %s "$1.aml") bytes, then $(stat -c %s after.aml), its length $(od -An -tu4 -j4 -N4 after.aml |
		tr -d ' '), sum $sum, status $status, $(grep -o '0 Errors, 0 Warnings' out)"
}
expect "HPET" "$(round_trip HPET)" "56 bytes, then 56, its length 56, sum 0, status 0, 0 Errors, 0 Warnings"
expect "CEDT" "$(round_trip CEDT)" "68 bytes, then 36, its length 36, sum 0, status 0, 0 Errors, 0 Warnings"
expect "a vendor's" "$(round_trip VNDR)" "68 bytes, then 36, its length 36, sum 0, status 0, 0 Errors, 0 Warnings"
expect "said in the first half" "$(grep -c 'decoding ACPI table header only' first)" "1"
