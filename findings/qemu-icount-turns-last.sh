#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Under `-icount` CPUs take turns, and a turn is not a few instructions: whoever spins keeps the others
# waiting for tens of millions, unless its loop has a PAUSE, which ends the turn at once.
#
# Two CPUs hand a number to and fro, eight times, and wait by a loop of loads: with PAUSE in both
# loops that takes about a hundred nanoseconds of virtual time, without it a third of a second. PAUSE
# is taken for a hint, and the counted clock for one that treats CPUs alike; a test that spins without
# it seems to hang, and figures taken on two counted CPUs say how long turns are.
#
# Seen with qemu-system-x86 1:7.2+dfsg-7+deb12u18+b3 and nasm 2.16.01-1 (Debian 12).
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
closure qemu-system-x86=1:7.2+dfsg-7+deb12u18+b3 nasm=2.16.01-1 seabios

cat >turns.asm <<'A'
; Two CPUs: the first hands the second a number and waits until the second hands it back.
; POLITE: both waits have a PAUSE. Writes the time stamps of 8 such trips to port 0xe9, then ends QEMU.
bits 16
org 0x7c00
%ifdef POLITE
%define WAIT pause
%else
%define WAIT
%endif
	cli
	xor ax, ax
	mov ds, ax
	lgdt [gdtr]
	mov eax, cr0
	or al, 1
	mov cr0, eax
	jmp 8:first
gdt:	dq 0, 0x00cf9a000000ffff, 0x00cf92000000ffff
gdtr:	dw 23
	dd gdt
; The second CPU, in real mode, at 0x8000 by its start-up interrupt.
second:	xor ax, ax
	mov ds, ax
.turn:	mov eax, [0x9000]
	mov [0x9004], eax
	WAIT
	jmp .turn
second_end:
bits 32
first:	mov ax, 16
	mov ds, ax
	mov es, ax
	mov ss, ax
	mov esp, 0x7000
	mov esi, second
	mov edi, 0x8000
	mov ecx, second_end - second
	rep movsb
	mov dword [0x9000], 0
	mov dword [0x9004], -1
	mov dword [0xfee000f0], 0x1ff		; local APIC on
	mov dword [0xfee00300], 0xc4500		; INIT, all but this one
	mov dword [0xfee00300], 0xc4608		; start at 0x8000
	xor ebx, ebx
	call trip				; the second one is there
	rdtsc
	mov esi, eax
	mov edi, edx
again:	inc ebx
	call trip
	cmp ebx, 8
	jb again
	rdtsc
	sub eax, esi
	mov ecx, 8
digit:	rol eax, 4
	push eax
	and al, 15
	add al, '0'
	cmp al, '9'
	jbe .out
	add al, 7
.out:	out 0xe9, al
	pop eax
	loop digit
	mov al, 10
	out 0xe9, al
	mov al, 0
	out 0xf4, al
	hlt
trip:	mov [0x9000], ebx
.wait:	WAIT
	cmp [0x9004], ebx
	jne .wait
	ret
	times 510 - ($ - $$) db 0
	dw 0xaa55
A

trips()
{
	unpacked "$root/usr/bin/nasm" -f bin ${1-} turns.asm -o turns.bin
	truncate -s 1M turns.bin
	stamps=$(unpacked "$root/usr/bin/qemu-system-x86_64" -L "$root/usr/share/seabios" \
		-L "$root/usr/share/qemu" -M pc -smp 2 -m 64M -nic none -vga none -serial none \
		-monitor none -display none -icount shift=0,sleep=off -debugcon stdio \
		-device isa-debug-exit,iobase=0xf4,iosize=1 -drive file=turns.bin,format=raw || :)
	printf '%d\n' "0x$stamps"
}
without=$(trips)
with=$(trips -DPOLITE)
echo "eight trips: $without ns without PAUSE, $with ns with it"
expect "with PAUSE, less than a thousand" "$((with < 1000))" 1
expect "without, more than ten million" "$((without > 10000000))" 1
