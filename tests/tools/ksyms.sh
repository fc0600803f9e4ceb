#!/bin/sh
# SPDX-License-Identifier: MIT
#
# ksyms.sh KERNEL.elf: prints, as NASM source, the table of kernel/ksyms.h: every function of the
# kernel, sorted by address. It goes behind everything that is not code (section "ksyms" in
# linker.ld), so that linking it in moves no function.

echo "; made by tests/tools/ksyms.sh"
echo "section ksym_names progbits alloc noexec nowrite align=1"
echo "section ksyms progbits alloc noexec nowrite align=8"
nm -n --defined-only "$1" | awk '
	# Labels inside an assembly function are "function.label"; what gcc splits off a function
	# ("f.part.0", "f.cold") is code of its own.
	function is_label(name) { return name ~ /\./ && name !~ /\.(part|isra|constprop|cold)/ }
	$2 ~ /^[tTwW]$/ && $1 >= "ffffffff80000000" && $1 != last && $3 !~ /^__text_/ && !is_label($3) {
		printf "\tdq 0x%s, name%d\n", $1, n
		names[n++] = $3
		last = $1
	}
	END {
		print "section ksym_names"
		for (i = 0; i < n; i++)
			printf "name%d:\tdb \"%s\", 0\n", i, names[i]
	}'
