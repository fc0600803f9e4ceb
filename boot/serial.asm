; SPDX-License-Identifier: MIT
;
; void boot_putc(char c): one byte to COM1, polled, for 64-bit code before the console driver.
; boot/entry.asm has set the line up. The wait is bounded, as there.
;
; void boot_stop(void): the end of a boot that cannot go on. Value 0x12 to isa-debug-exit is the
; status of a panic (kernel/trap/trap.h); where that device is absent the CPU halts.

bits 64
section .text.boot_putc progbits alloc exec nowrite align=16
global boot_putc
boot_putc:
	mov ecx, 100000
	mov edx, 0x3f8 + 5
.wait:	in al, dx
	test al, 0x20			; transmitter holding register empty
	loopz .wait
	mov edx, 0x3f8
	mov eax, edi
	out dx, al
	ret

section .text.boot_stop progbits alloc exec nowrite align=16
global boot_stop
boot_stop:
	cli
	mov eax, 0x12
	out 0xf4, al
.halt:	hlt
	jmp .halt
