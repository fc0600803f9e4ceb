#!/bin/sh
# SPDX-License-Identifier: MIT
#
# CompareGuid() of gnu-efi 3 is 0 if two GUIDs are equal; of gnu-efi 4 it is 0 if they differ. The same source
# compiles with both.
#
# `if (CompareGuid(&entry->VendorGuid, &acpi) == 0)` in a loop over a firmware's tables takes the first
# table that is not ACPI's. -DGNU_EFI_3_0_COMPAT brings the old meaning back, but only in files that are
# compiled with it; a comparison of one's own means the same everywhere.
#
# Seen with gnu-efi 3.0.15-1 (Debian 12) and 4.0.4-1 (Debian's forky), compiled by the system's gcc.
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"

cat >guid.c <<'C'
#include <efi.h>
#include <efilib.h>
extern int printf(const char *, ...);
int main(void)
{
	EFI_GUID one = {1, 2, 3, {4}}, same = one, other = {9, 2, 3, {4}};
	printf("%s, %s\n", CompareGuid(&one, &same) == 0 ? "0" : "not 0",
	       CompareGuid(&one, &other) == 0 ? "0" : "not 0");
	return 0;
}
C
# The library's function is plain code: it runs as well in a process.
compare()
{
	include=$(dirname "$(find "$root" -name efilib.h | grep -v legacy)")
	gcc -w -fshort-wchar -maccumulate-outgoing-args -DGNU_EFI_USE_MS_ABI "$@" -I"$include" \
		-I"$include/x86_64" -no-pie -o guid guid.c "$(find "$root" -name libefi.a | grep -v lib32)" \
		-Wl,--unresolved-symbols=ignore-all
	./guid
}
packages gnu-efi=3.0.15-1
expect "3.0.15: equal GUIDs, different GUIDs" "$(compare)" "0, not 0"
rm -r debs "$root"
suite forky
packages gnu-efi=4.0.4-1
expect "4.0.4: equal GUIDs, different GUIDs" "$(compare)" "not 0, 0"
expect "4.0.4 with -DGNU_EFI_3_0_COMPAT" "$(compare -DGNU_EFI_3_0_COMPAT)" "0, not 0"
