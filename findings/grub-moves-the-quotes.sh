#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What GRUB hands to a kernel is not what stood in its configuration: `name="two words"` arrives as
# `"name=two words"`, `'"'` and a backslash arrive with a backslash in front, and an empty word, "",
# is nothing but a second blank.
#
# The shell takes the quotes off, and the command puts its own around each word with a blank. A kernel
# that looks for `name=` at the start of a word, or takes the quotes behind the equals sign,
# finds neither; it has to know both forms, and that a quote may be escaped.
#
# Seen with grub-common and grub-pc-bin 2.06-13+deb12u2 and qemu-system-x86 1:7.2+dfsg-7+deb12u18+b3 (Debian 12).
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
closure grub-common=2.06-13+deb12u2 grub-pc-bin=2.06-13+deb12u2 nasm=2.16.01-1 \
	qemu-system-x86=1:7.2+dfsg-7+deb12u18+b3

# A kernel of Multiboot 2 that writes what it is handed to the debug console, and ends QEMU.
cat >kernel.asm <<'A'
bits 32
org 0x200000
header:	dd 0xe85250d6, 0, length, -(0xe85250d6 + length)
	dw 2, 0
	dd 24, header, header, end, 0
	dw 3, 0
	dd 12, start, 0
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
echo 'normal (memdisk)/grub.cfg' >first.cfg
# `arrives LINE`: boots it with the words of LINE, which GRUB's shell reads, and prints the tag of the command line.
arrives()
{
	printf 'multiboot2 (memdisk)/kernel %s\nboot\n' "$1" >grub.cfg
	tar -cf disk.tar kernel grub.cfg
	modules=$root/usr/lib/grub/i386-pc
	unpacked grub-mkimage -d "$modules" -O i386-pc -p /boot -m disk.tar -c first.cfg -o core.img \
		biosdisk memdisk tar normal multiboot2 boot
	cat "$modules/boot.img" core.img >disk
	truncate -s 4M disk
	unpacked timeout 60 qemu-system-x86_64 -L "$root/usr/share/qemu" -L "$root/usr/share/seabios" -m 64M \
		-display none -nodefaults -drive file=disk,format=raw -debugcon file:out \
		-device isa-debug-exit,iobase=0xf4 2>/dev/null || true
	/usr/bin/python3 - <<'P'
import struct
said = open("out", "rb").read()
# The firmware writes to the same console first: the kernel's bytes begin with their number.
at = next(n for n in range(len(said) - 8) if struct.unpack_from("<I", said, n)[0] == len(said) - n) + 8
while True:
    kind, length = struct.unpack_from("<II", said, at)
    if kind == 1:
        print(said[at + 8:at + length - 1].decode())
        break
    at += (length + 7) & ~7
P
}
expect 'a=1 b=2' "$(arrives 'a=1 b=2')" 'a=1 b=2'
expect 'name="two words" b' "$(arrives 'name="two words" b')" '"name=two words" b'
expect 'name="one" b' "$(arrives 'name="one" b')" 'name=one b'
expect "a 'say \"no\"' b" "$(arrives "a 'say \"no\"' b")" 'a "say \"no\"" b'
expect "a 'back\\slash' b" "$(arrives "a 'back\\slash' b")" 'a back\\slash b'
expect 'a "" b' "$(arrives 'a "" b')" 'a  b'
