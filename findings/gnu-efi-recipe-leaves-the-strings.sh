#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The objcopy line by which everybody makes an EFI application with gnu-efi (-j .text -j .sdata -j .data …)
# leaves out all of its strings from 3.0.18 on, without a word.
#
# Until then the linker script put .rodata into .data. Now it is a section of its own, and a section that no
# -j names is not copied: the application starts, and prints nothing, since where its strings were there is
# nothing of the file. -j .rodata is right with both; objcopy has no objection to a name that does not exist.
#
# Seen with gnu-efi 3.0.15-1 (Debian 12) and 3.0.18-1+deb13u1 (Debian 13), with the system's gcc and binutils.
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"

cat >hello.c <<'C'
#include <efi.h>
#include <efilib.h>
EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table)
{
	InitializeLib(image, table);
	Print(L"one sentence\n");
	return EFI_SUCCESS;
}
C
# `application SECTION …`: the usual recipe with more sections; is the sentence in it?
application()
{
	include=$(dirname "$(find "$root" -name efilib.h)")
	gcc -w -O2 -fpic -ffreestanding -fno-stack-protector -fshort-wchar -mno-red-zone \
		-maccumulate-outgoing-args -DGNU_EFI_USE_MS_ABI -I"$include" -I"$include/x86_64" -c hello.c
	ld -nostdlib -znocombreloc -shared -Bsymbolic -T "$root/usr/lib/elf_x86_64_efi.lds" -L"$root/usr/lib" \
		"$root/usr/lib/crt0-efi-x86_64.o" hello.o -lefi -lgnuefi -o hello.so 2>/dev/null
	objcopy -j .text -j .sdata -j .data -j .dynamic -j .dynsym -j .rel -j .rela -j '.rel.*' -j '.rela.*' \
		-j .reloc "$@" -O efi-app-x86_64 hello.so hello.efi
	tr -d '\000' <hello.efi | grep -c 'one sentence' || :
}
packages gnu-efi=3.0.15-1
expect "3.0.15: sentences in the application" "$(application)" "1"
expect "3.0.15 with -j .rodata" "$(application -j .rodata)" "1"
rm -r debs "$root"
suite trixie
packages gnu-efi=3.0.18-1+deb13u1
expect "3.0.18: sentences in the application" "$(application)" "0"
expect "3.0.18 with -j .rodata" "$(application -j .rodata)" "1"
