; SPDX-License-Identifier: MIT
;
; The first instructions of every CPU but the first: real mode, at physical 0x8000, where a start-up
; IPI with vector 8 puts it. kernel/cpu/smp.c copies this text there and fills in the words at the end.
; The page table it loads maps this page one to one and the kernel's half as usual, so turning
; paging on changes nothing under our feet and the jump to the kernel's own address just works.

AP_BASE equ 0x8000
%define AT(label) (AP_BASE + (label - ap_trampoline))

section .rodata
align 16
global ap_trampoline:data
global ap_trampoline_end:data
global ap_params:data

bits 16
ap_trampoline:
	cli
	cld
	xor	ax, ax
	mov	ds, ax
	lgdt	[AT(gdt_pointer)]
	mov	eax, cr0
	or	al, 1				; protected mode
	mov	cr0, eax
	jmp	dword 0x18:AT(protected)

bits 32
protected:
	mov	ax, 0x10
	mov	ds, ax
	mov	es, ax
	mov	ss, ax
	mov	eax, [AT(param_cr4)]		; PAE at least
	mov	cr4, eax
	mov	eax, [AT(param_cr3)]
	mov	cr3, eax
	mov	ecx, 0xc0000080			; EFER: long mode, no-execute
	mov	eax, [AT(param_efer)]
	xor	edx, edx
	wrmsr
	mov	eax, [AT(param_cr0)]		; paging on: long mode is active from here
	mov	cr0, eax
	jmp	0x08:AT(long_mode)

bits 64
long_mode:
	mov	rsp, [abs AT(param_stack)]
	mov	rdi, [abs AT(param_cpu)]
	mov	rax, [abs AT(param_entry)]
	xor	ebp, ebp
	push	rbp				; no return address: a backtrace ends here
	jmp	rax

align 8
gdt:
	dq	0
	dq	0x00af9b000000ffff		; 0x08: 64-bit code
	dq	0x00cf93000000ffff		; 0x10: data
	dq	0x00cf9b000000ffff		; 0x18: 32-bit code
gdt_pointer:
	dw	gdt_pointer - gdt - 1
	dd	AT(gdt)

; struct ap_params of kernel/cpu/smp.c, same order.
align 8
ap_params:
param_cr0:	dq 0
param_cr3:	dq 0
param_cr4:	dq 0
param_efer:	dq 0
param_stack:	dq 0
param_cpu:	dq 0
param_entry:	dq 0
ap_trampoline_end:

section .note.GNU-stack noalloc noexec nowrite progbits
