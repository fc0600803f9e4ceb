#!/bin/sh
# SPDX-License-Identifier: MIT
#
# An empty module begins and ends at address 0 in what GRUB hands to a Multiboot 2 kernel, even when the kernel
# asked for modules at page borders and the modules around it lie there. GRUB warns of nothing.
#
# A file of no bytes is loaded nowhere, and its tag says so by zeroes. A kernel that takes the lowest start and the
# highest end of its modules for the area to keep loses all memory from 0 on, and one that takes
# a start of 0 for "no module" miscounts them. Only a length tells: compare start and end first.
#
# Seen with grub-common and grub-pc-bin 2.06-13+deb12u2 and qemu-system-x86 1:7.2+dfsg-7+deb12u18+b3 (Debian 12).
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
closure grub-common=2.06-13+deb12u2 grub-pc-bin=2.06-13+deb12u2 nasm=2.16.01-1 \
	qemu-system-x86=1:7.2+dfsg-7+deb12u18+b3

# A kernel of Multiboot 2, with the tag for aligned modules; it writes what it is handed to the debug console.
cat >kernel.asm <<'A'
bits 32
org 0x200000
header:	dd 0xe85250d6, 0, length, -(0xe85250d6 + length)
	dw 2, 0
	dd 24, header, header, end, 0
	dw 3, 0
	dd 12, start, 0
	dw 6, 0
	dd 8
	dw 0, 0
	dd 8
length	equ $ - header
start:	mov esi, ebx
	mov ecx, [esi]
	mov dx, 0xe9
	rep outsb
	mov dx, 0xf4
	out dx, al
	hlt
end:
A
unpacked nasm -f bin -o kernel kernel.asm
printf 'multiboot2 (memdisk)/kernel\n' >grub.cfg
for name in first empty last; do
	printf '%s' "${name#empty}" >$name
	echo "module2 (memdisk)/$name $name" >>grub.cfg
done
echo boot >>grub.cfg
echo 'normal (memdisk)/grub.cfg' >first.cfg
tar -cf disk.tar kernel grub.cfg first empty last
modules=$root/usr/lib/grub/i386-pc
unpacked grub-mkimage -d "$modules" -O i386-pc -p /boot -m disk.tar -c first.cfg -o core.img \
	biosdisk memdisk tar normal multiboot2 boot
cat "$modules/boot.img" core.img >disk
truncate -s 4M disk
unpacked timeout 60 qemu-system-x86_64 -L "$root/usr/share/qemu" -L "$root/usr/share/seabios" -m 64M \
	-display none -nodefaults -drive file=disk,format=raw -debugcon file:out \
	-device isa-debug-exit,iobase=0xf4 2>/dev/null || true
tags=$(/usr/bin/python3 - <<'P'
import struct
said = open("out", "rb").read()
# The firmware writes to the same console first: the kernel's bytes begin with their number.
at = next(n for n in range(len(said) - 8) if struct.unpack_from("<I", said, n)[0] == len(said) - n) + 8
found = []
while True:
    kind, length, start, end = struct.unpack_from("<IIII", said.ljust(at + 16, b"\0"), at)
    if kind == 3:
        where = "at 0" if start == 0 else "at a page" if start % 4096 == 0 else "elsewhere"
        found.append(f"{said[at + 16:at + length - 1].decode()} {end - start} {where}")
    if kind == 0:
        break
    at += (length + 7) & ~7
print(*found, sep=", ")
P
)
expect "modules, their bytes, where" "$tags" "first 5 at a page, empty 0 at 0, last 4 at a page"
