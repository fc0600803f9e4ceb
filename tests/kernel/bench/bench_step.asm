; SPDX-License-Identifier: MIT
;
; The two things a benchmark needs to be sure of every instruction: a loop of known length, and a
; call that is single-stepped.

bits 64
default rel

section .text

; uint64_t bench_loop(uint64_t rounds)
; Between the two RDTSC: 3 instructions, 2 * rounds of the loop, and the second RDTSC itself.
global bench_loop:function
bench_loop:
	rdtsc
	shl	rdx, 32
	or	rax, rdx
	mov	rsi, rax
.round:
	dec	rdi
	jnz	.round
	rdtsc
	shl	rdx, 32
	or	rax, rdx
	sub	rax, rsi
	ret

; void bench_step(void (*fn)(void *), void *arg)
; With TF set, a debug exception follows every instruction (SDM vol. 3, 17.3.1.4); entering a handler
; clears it, returning restores it, so interrupts and page faults are not stepped.
global bench_step:function
bench_step:
	push	rbp
	mov	rbp, rsp
	mov	rax, rdi
	mov	rdi, rsi
	pushfq
	or	qword [rsp], 0x100
	popfq
	call	rax
	pushfq
	and	qword [rsp], ~0x100
	popfq
	pop	rbp
	ret
global bench_step_end
bench_step_end:
