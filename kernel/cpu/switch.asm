; SPDX-License-Identifier: MIT
;
; From stack to stack: what a switch of threads is made of.
;
; Nothing here asks for a privilege, so it is the same in both homes (boot/host/ switches its CPUs
; with it, too).

bits 64
default rel

extern thread_begin

section .text

; void switch_context(uint64_t *save_rsp, uint64_t next_rsp)
; Interrupts are off. Saves what the C calling convention keeps; the rest is dead by definition.
global switch_context:function
switch_context:
	push	rbp
	push	rbx
	push	r12
	push	r13
	push	r14
	push	r15
	mov	[rdi], rsp
	mov	rsp, rsi
	pop	r15
	pop	r14
	pop	r13
	pop	r12
	pop	rbx
	pop	rbp
	ret

; Where the first switch to a new thread "returns" to.
global thread_start:function
thread_start:
	xor	ebp, ebp			; a backtrace ends here
	call	thread_begin
	ud2

; void stack_call(void *stack_top, void (*fn)(void)): leaves this stack for ever.
global stack_call:function
stack_call:
	mov	rsp, rdi
	xor	ebp, ebp
	call	rsi
	ud2

section .note.GNU-stack noalloc noexec nowrite progbits
