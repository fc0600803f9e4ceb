; SPDX-License-Identifier: MIT
;
; Loads, stores and copies that may fail: each has an address to go on at when the page-fault
; handler refuses the one it touched. The list of those pairs is at the end.

bits 64
default rel

section .text

; int copy_checked(void *dst, const void *src, uint64_t n)
; Whole words first. When a word fails, the bytes of it that lie before the bad address are still
; owed: the recovery goes on bytewise and fails at the exact byte.
global copy_checked:function (copy_checked_end - copy_checked)
copy_checked:
	push	rbp
	mov	rbp, rsp
	mov	rcx, rdx
	shr	rcx, 3
copy_words:
	rep movsq
	mov	ecx, edx
	and	ecx, 7
copy_bytes:
	rep movsb
	xor	eax, eax
	pop	rbp
	ret
copy_words_failed:				; rcx words and (rdx & 7) bytes are left
	and	edx, 7
	lea	rcx, [rdx + rcx * 8]
	jmp	copy_bytes
copy_checked_end:

; int load_checked(const uint64_t *p, uint64_t *v); int store_checked(uint64_t *p, uint64_t v)
global load_checked:function (store_checked - load_checked)
load_checked:
	push	rbp
	mov	rbp, rsp
load_word:
	mov	rax, [rdi]
	mov	[rsi], rax
	xor	eax, eax
	pop	rbp
	ret

global store_checked:function (access_failed - store_checked)
store_checked:
	push	rbp
	mov	rbp, rsp
store_word:
	mov	[rdi], rsi
	xor	eax, eax
	pop	rbp
	ret

access_failed:
	mov	eax, -14			; -EFAULT
	pop	rbp
	ret

section .rodata
align 8
; Pairs: an instruction that may fault for ever, and where to go on then.
global trap_recoveries:data
global trap_recoveries_end:data
trap_recoveries:
	dq	copy_words, copy_words_failed
	dq	copy_bytes, access_failed
	dq	load_word, access_failed
	dq	store_word, access_failed
trap_recoveries_end:

section .note.GNU-stack noalloc noexec nowrite progbits
