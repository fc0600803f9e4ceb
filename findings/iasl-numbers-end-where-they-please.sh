#!/bin/sh
# SPDX-License-Identifier: MIT
#
# "Address Length : 640K" in a table's text for iasl is a range of 0x640 bytes: a number ends at the
# first letter that is no digit, and the rest is dropped without a word.
#
# Numbers are hexadecimal (the text says so), a sum such as 4 * 1000 is computed, a misspelt label is an
# error. But 640K, 9FC00GB and 1.5 pass as 0x640, 0x9FC00 and 1, with 0 errors and 0 warnings, and the
# table's checksum is right. What iasl made is to be read back, by -d or by the code that will use it.
#
# Seen with acpica-tools 20200925-8 (Debian 12); 20250404 and 20260408 take 640K the same way.
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
packages acpica-tools=20200925-8

unpacked iasl -T SRAT >/dev/null 2>&1
seen=
for value in 640K 9FC00GB 1.5 '4 * 1000'; do
	rm -f range.aml
	sed "s/Address Length : .*/Address Length : $value/" srat.asl >range.asl
	expect "$value: iasl says" "$(unpacked iasl -p range range.asl 2>&1 | grep -o 'Compilation .*')" \
		"Compilation successful. 0 Errors, 0 Warnings, 0 Remarks"
	seen="$seen $(od -An -tx8 -j 80 -N 8 range.aml | sed 's/ *0*//')"
done
expect "the lengths" "$seen" " 640 9fc00 1 4000"
