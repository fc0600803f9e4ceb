#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Capstone 4 prints `lfence` for INCSSPD and `mfence` for UMONITOR, which fence nothing: it passes over the
# F3 prefix that makes other instructions of them. RDPID is `rdseed`, PTWRITE `xsave` and WBNOINVD `wbinvd`.
#
# The lengths are right and no error is shown, so a disassembly looks sound; a tool that counts fences or
# cache flushes in a binary counts these. What the library does not know otherwise (MOVDIR64B) it refuses.
# objdump names all of them, and so does Capstone 5.0.7 (Debian's trixie).
#
# Seen with capstone-tool and libcapstone4 4.0.2-5 (Debian 12).
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
closure capstone-tool=4.0.2-5

names()
{
	for bytes in "$@"; do
		unpacked cstool x64 "$bytes" | sed -n 's/^ 0  [0-9a-f ]*  \([a-z]*\).*/\1/p'
	done | paste -sd ' '
}
binutils()
{
	for bytes in "$@"; do
		/usr/bin/python3 -c 'import sys; sys.stdout.buffer.write(bytes.fromhex(sys.argv[1]))' "$bytes" >code
		objdump -D -b binary -m i386:x86-64 -M intel code | sed -n 's/^ *0:\t[^\t]*\t\([a-z]*\).*/\1/p'
	done | paste -sd ' '
}
expect "without the prefix" "$(names 0faee8 0faef0 0fae20 0fc7f8 0f09)" "lfence mfence xsave rdseed wbinvd"
expect "with it" "$(names f30faee8 f30faef0 f30fae20 f30fc7f8 f30f09)" "lfence mfence xsave rdseed wbinvd"
expect "with it, says objdump" "$(binutils f30faee8 f30faef0 f30fae20 f30fc7f8 f30f09)" \
	"incsspd umonitor ptwrite rdpid wbnoinvd"
expect "flushes" "$(names 0fae38 660fae38 660fae30)" "clflush clflushopt clwb"
expect "MOVDIR64B" "$(names 660f38f808)" ""
