; SPDX-License-Identifier: MIT
;
; The edge between the CPU and C: where exceptions and interrupts come in.
;
; Everything runs in ring 0, so an entry never swaps GS and never changes stacks, except for the
; three exceptions that have a stack of their own (IST: NMI, double fault, machine check). The CPU
; aligns the stack to 16 before it pushes SS; 22 words of frame keep that.

bits 64
default rel

extern trap_dispatch
extern trap_page_fault_handler
extern trap_fault_refused

section .text

; Vectors for which the CPU pushes an error code; for all others the stub pushes a zero.
%define HAS_ERROR(v) (v = 8 || (v >= 10 && v <= 14) || v = 17 || v = 21 || v = 29 || v = 30)

%macro STUB 1
stub_%1:
%if !HAS_ERROR(%1)
	push	0
%endif
	push	qword %1
%if %1 = 14
	jmp	trap_page_fault_entry
%else
	jmp	trap_common
%endif
%endmacro

%assign v 0
%rep 256
	STUB	v
%assign v v+1
%endrep

; What every entry saves and gives back. The order of the pushes is that of struct trap_frame
; (kernel/trap/trap.h), read backwards.
%macro SAVE 0
	cld
	push	rax
	push	rbx
	push	rcx
	push	rdx
	push	rsi
	push	rdi
	push	rbp
	push	r8
	push	r9
	push	r10
	push	r11
	push	r12
	push	r13
	push	r14
	push	r15
	mov	rdi, rsp
	; A stack frame that looks as if the interrupted instruction had called us, so that a
	; backtrace walks through.
	push	qword [rdi + FRAME_RIP]
	push	rbp
	mov	rbp, rsp
%endmacro

%macro RESTORE 0
	add	rsp, 16
	pop	r15
	pop	r14
	pop	r13
	pop	r12
	pop	r11
	pop	r10
	pop	r9
	pop	r8
	pop	rbp
	pop	rdi
	pop	rsi
	pop	rdx
	pop	rcx
	pop	rbx
	pop	rax
	add	rsp, 16				; vector, error
	iretq
%endmacro

; Offsets in struct trap_frame.
%define FRAME_RIP    17 * 8
%define FRAME_RFLAGS 19 * 8

global trap_common:function
trap_common:
	SAVE
	call	trap_dispatch
	RESTORE

; A page fault is the one exception that is part of normal work, so it takes the straight way: CR2
; is read before interrupts come back, else a fault in between overwrites it; they come back if they
; were on at the fault; and they stay on until iretq, since an interrupt here only nests once more.
global trap_page_fault_entry:function
trap_page_fault_entry:
	SAVE
	mov	rsi, cr2
	mov	rbx, rsi
	test	dword [rdi + FRAME_RFLAGS], 1 << 9
	jz	.as_it_was
	sti
.as_it_was:
	call	[trap_page_fault_handler]
	test	al, al
	jz	.refused
.again:
	RESTORE
.refused:
	lea	rdi, [rsp + 16]
	mov	rsi, rbx
	call	trap_fault_refused
	jmp	.again
global trap_entries_end:function
trap_entries_end:

section .rodata
align 8
global trap_stubs:data
trap_stubs:
%assign v 0
%rep 256
	dq	stub_%+v
%assign v v+1
%endrep

section .note.GNU-stack noalloc noexec nowrite progbits
