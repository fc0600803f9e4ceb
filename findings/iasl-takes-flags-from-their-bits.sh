#!/bin/sh
# SPDX-License-Identifier: MIT
#
# In a table's text for iasl a line "Flags : 00000001" is followed by a line for each bit. Change the
# number, and the table that comes out is the same to the byte: only the bits count, without a warning
# that number and bits now disagree.
#
# Everything else in such a text is a field that does what it says, and labels in the wrong place are
# errors. A script that makes a range of memory non-volatile has to set "Non-Volatile : 1".
#
# Seen with acpica-tools 20200925-8 (Debian 12); 20250404 and 20260408 do the same.
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
packages acpica-tools=20200925-8

# iasl's own example of an SRAT: its range of memory has flags 1 (enabled).
unpacked iasl -T SRAT >/dev/null 2>&1
flags() { od -An -tu4 -j 92 -N 4 "$1" | tr -d ' '; }
compile() { unpacked iasl -p "$1" "$1.asl" 2>&1 | grep -o 'Compilation .*'; }
compile srat >/dev/null
sed '/Memory Affinity/,/decoded/s/decoded below) : 00000001/decoded below) : 00000005/' srat.asl >number.asl
sed 's/Non-Volatile : 0/Non-Volatile : 1/' srat.asl >bit.asl

expect "as it comes: flags" "$(flags srat.aml)" "1"
expect "the number made 5: lines that differ" "$(diff srat.asl number.asl | grep -c '^>')" "1"
expect "the number made 5: iasl says" "$(compile number)" \
	"Compilation successful. 0 Errors, 0 Warnings, 0 Remarks"
expect "the number made 5: flags" "$(flags number.aml)" "1"
compile bit >/dev/null
expect "the bit made 1: flags" "$(flags bit.aml)" "5"
