; SPDX-License-Identifier: MIT
;
; Where a signal lets the kernel go on after an exception, in place of kernel/cpu/entry.asm.
;
; mmu.c has put a trap frame on the stack of the code that caused it; rdi points at it, and so does
; rsp. The way back takes all registers from the frame without a privilege: the flags, then the stack
; pointer, then a return to an address that was put below the old stack.

bits 64
default rel

extern host_page_fault
extern host_exception

section .text

; Offsets in struct trap_frame.
%define FRAME_RBP    8 * 8
%define FRAME_RIP    17 * 8
%define FRAME_RSP    20 * 8

%macro ENTER 0
	mov	rbp, [rdi + FRAME_RBP]
	; A stack frame that looks as if the interrupted instruction had called us.
	push	qword [rdi + FRAME_RIP]
	push	rbp
	mov	rbp, rsp
%endmacro

; The mark that a backtrace knows interrupted code by begins here.
global trap_common:function
trap_common:
	nop

global host_page_fault_entry:function
host_page_fault_entry:
	ENTER
	call	host_page_fault
	jmp	leave_frame

global host_exception_entry:function
host_exception_entry:
	ENTER
	call	host_exception

leave_frame:
	add	rsp, 16
; What a signal's handler did in the code's place is done, and of its flags valgrind takes none from a
; signal's context (3.19): so they come from the frame, too.
global host_resume_entry:function
host_resume_entry:
	mov	rax, [rsp + FRAME_RSP]
	sub	rax, 8
	mov	rbx, [rsp + FRAME_RIP]
	mov	[rax], rbx
	mov	[rsp + FRAME_RSP], rax
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
	lea	rsp, [rsp + 4 * 8]		; vector, error, rip, cs; no flag changes
	popfq
	pop	rsp
	ret
global trap_entries_end:function
trap_entries_end:

; The first switch to a CPU "returns" to here: r12 is its entry, r13 the argument.
global host_cpu_entry:function
host_cpu_entry:
	xor	ebp, ebp
	mov	rdi, r13
	push	rbp
	jmp	r12

section .rodata
; No gate leads anywhere.
align 8
global trap_stubs:data
trap_stubs:
	times 256 dq 0

section .data
; What kernel/cpu/smp.c copies to where a CPU starts: nothing but the words that it fills in.
align 8
global ap_trampoline:data
global ap_params:data
global ap_trampoline_end:data
ap_trampoline:
ap_params:
	times 7 dq 0
ap_trampoline_end:

section .note.GNU-stack noalloc noexec nowrite progbits
