#!/bin/sh
# SPDX-License-Identifier: MIT
#
# iasl takes an NFIT of ACPI 6.4 apart and puts it together again without a word, and what comes
# out is another table: the location cookie of a 64-byte range structure and the flag that says it
# is there are gone, the structure is 56 bytes long, the checksum is right.
#
# Its own sum of errors and warnings is zero both times. Tables that are edited by the usual round
# trip (acpidump, iasl -d, iasl) have to be compared structure by structure.
#
# Seen with acpica-tools 20200925-8 (Debian 12).
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
packages acpica-tools=20200925-8

# One range: index 1, 256 MiB at 4 GiB, persistent memory; flags 7: bit 2 announces the cookie.
/usr/bin/python3 - <<'P'
import struct
guid = bytes.fromhex("79d3f066f3b47440ac430d3318b78cdb")
body = bytes(4) + struct.pack("<HHHHII16sQQQQ", 0, 64, 1, 7, 0, 0, guid, 1 << 32, 1 << 28, 0x8008,
                              0x1122334455667788)
table = struct.pack("<4sIBB6s8sI4sI", b"NFIT", 36 + len(body), 1, 0, b"MAKER ", b"EXAMPLE ", 1,
                    b"HAND", 1) + body
table = table[:9] + bytes([-sum(table) & 255]) + table[10:]
open("before.aml", "wb").write(table)
P
unpacked iasl -p text -d before.aml >/dev/null 2>&1
unpacked iasl -p after text.dsl >out 2>&1
number() { od -An -tu"$3" -j "$2" -N "$3" "$1" | tr -d ' '; }
expect "iasl says" "$(grep -o 'Compilation successful.*' out)" \
	"Compilation successful. 0 Errors, 0 Warnings, 0 Remarks"
expect "before: table, structure, flags" \
	"$(number before.aml 4 4) $(number before.aml 42 2) $(number before.aml 46 2)" "104 64 7"
expect "after: table, structure, flags" \
	"$(number after.aml 4 4) $(number after.aml 42 2) $(number after.aml 46 2)" "96 56 3"
