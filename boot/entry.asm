; SPDX-License-Identifier: MIT
;
; The first instructions, whoever started us, until the first line of C.
;
; Three doors lead here, each named where its caller looks for it:
;
;   QEMU -kernel      the PVH note              32 bit, ebx = struct hvm_start_info
;   GRUB multiboot2   the multiboot2 header     32 bit, eax = magic, ebx = information
;   our EFI loader    the ELF entry point       64 bit, rdi = struct boot_info, below 4 GiB
;
; All of them continue at `enter32` in 32-bit protected mode without paging: the EFI door steps
; down on purpose, so that there is one way on from here and not two (and so that a firmware with
; 5-level paging makes no difference: CR4.LA57 can only be changed with paging off). From there:
; serial line, CPU check, page tables, long mode, boot_main(magic, information) at its high address.
;
; Page tables: 2 MiB pages, since the plain qemu64 CPU has no larger ones.
;   0 .. 4 GiB                    one to one      (pml4[0])
;   KERNEL_BASE .. + 1 GiB        physical 0 ..   (pml4[511], pdpt[510], same page directory)
; Everything here is mapped writable and executable; the kernel floor replaces these tables by
; its own, with W^X.

KERNEL_BASE	equ 0xffffffff80000000
MAGIC_MB2	equ 0x36d76289
MAGIC_PVH	equ 0x336ec578		; hvm_start_info.magic
MAGIC_EFI	equ 0x49464548		; "HEFI"; ours, between this file and boot/main.c

CR0_PE		equ 1 << 0
CR0_MP		equ 1 << 1
CR0_ET		equ 1 << 4
CR0_NE		equ 1 << 5
CR0_WP		equ 1 << 16
CR0_PG		equ 1 << 31
CR4_PAE		equ 1 << 5
MSR_EFER	equ 0xc0000080
EFER_LME	equ 1 << 8
EFER_NXE	equ 1 << 11

PAGE_P_W	equ 0x3			; present, writable
PAGE_P_W_2M	equ 0x83		; and 2 MiB large

SEL_CODE64	equ 0x08
SEL_DATA	equ 0x10
SEL_CODE32	equ 0x18

COM1		equ 0x3f8
LSR_THR_EMPTY	equ 0x20

extern boot_main
global boot_entry_efi
global boot_tsc

; ---- how GRUB finds us: multiboot2 specification 2.0, section 3.1 ----

section .boot.header progbits alloc noexec nowrite align=8
mb2_header:
	dd 0xe85250d6, 0, mb2_end - mb2_header, 0x100000000 - (0xe85250d6 + mb2_end - mb2_header)
	align 8
	dw 3, 0				; entry address: not the ELF's, which is the EFI door
	dd 12, entry_mb2
	align 8
	dw 5, 1				; framebuffer, optional
	dd 20, 1024, 768, 32
	align 8
	dw 0, 0				; end of tags
	dd 8
mb2_end:

; ---- how QEMU finds us: the PVH entry note, type 18 of Xen's ELF notes ----

section .note.pvh note alloc noexec nowrite align=4
	dd 4, 4, 18
	db 'Xen', 0
	dd entry_pvh

section .boot.bss nobits alloc noexec write align=4096
pml4:		resb 4096
pdpt_low:	resb 4096
pdpt_high:	resb 4096
page_dirs:	resb 4 * 4096
tables_end:
boot_stack:	resb 16384
boot_stack_end:
boot_tsc:	resq 1			; when we were entered, for the benchmark of the boot

section .boot.text progbits alloc exec nowrite align=16

	align 8
gdt:	dq 0
	dq 0x00af9a000000ffff		; 0x08: 64-bit code
	dq 0x00cf92000000ffff		; 0x10: data
	dq 0x00cf9a000000ffff		; 0x18: 32-bit code
gdt_end:
gdtr:	dw gdt_end - gdt - 1
	dq gdt

bits 64
boot_entry_efi:
	cli
	mov ebx, edi			; below 4 GiB by agreement with the loader
	lgdt [abs gdtr]
	push SEL_CODE32
	push .compatibility
	retfq
bits 32
.compatibility:
	mov eax, CR0_PE | CR0_ET | CR0_NE
	mov cr0, eax			; paging off: leaves long mode
	mov ecx, MSR_EFER
	rdmsr
	and eax, ~EFER_LME
	wrmsr
	mov eax, MAGIC_EFI
	jmp enter32

entry_pvh:
	mov eax, MAGIC_PVH
entry_mb2:				; GRUB set eax to MAGIC_MB2
enter32:
	cli
	cld
	mov ebp, eax			; ebp: who called; ebx: what it handed over
	lgdt [gdtr]
	mov eax, SEL_DATA
	mov ds, eax
	mov es, eax
	mov ss, eax
	mov esp, boot_stack_end
	call serial_init
	mov esi, msg_entered
	call puts
	call name_of_caller
	call puts
	call check_cpu
	rdtsc				; not before it is known that there is one
	mov [boot_tsc], eax
	mov [boot_tsc + 4], edx
	mov esi, msg_cpu_ok
	call puts
	call make_tables
	jmp enter_long_mode

; esi = the name of the door in ebp.
name_of_caller:
	mov esi, msg_mb2
	cmp ebp, MAGIC_MB2
	je .known
	mov esi, msg_pvh
	cmp ebp, MAGIC_PVH
	je .known
	mov esi, msg_efi
	cmp ebp, MAGIC_EFI
	je .known
	mov esi, msg_nobody		; a loader that follows none of the three protocols
	call puts
	jmp halt
.known:
	ret

; Pages 0..4 GiB as 2048 large entries, four directories in a row.
make_tables:
	mov edi, pml4
	mov ecx, (tables_end - pml4) / 4
	xor eax, eax
	rep stosd
	mov edi, page_dirs
	mov eax, PAGE_P_W_2M
	mov ecx, 2048
.entry:	mov [edi], eax
	add eax, 0x200000
	add edi, 8
	loop .entry
	mov dword [pml4], pdpt_low + PAGE_P_W
	mov dword [pml4 + 511 * 8], pdpt_high + PAGE_P_W
	mov dword [pdpt_low], page_dirs + PAGE_P_W
	mov dword [pdpt_low + 8], page_dirs + 0x1000 + PAGE_P_W
	mov dword [pdpt_low + 16], page_dirs + 0x2000 + PAGE_P_W
	mov dword [pdpt_low + 24], page_dirs + 0x3000 + PAGE_P_W
	mov dword [pdpt_high + 510 * 8], page_dirs + PAGE_P_W
	ret

; Order required by the manual (AMD volume 2, 14.6.1): PAE, CR3, EFER.LME, then paging.
enter_long_mode:
	mov eax, CR4_PAE
	mov cr4, eax
	mov eax, pml4
	mov cr3, eax
	mov ecx, MSR_EFER
	rdmsr
	or eax, EFER_LME | EFER_NXE
	wrmsr
	mov eax, CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE
	mov cr0, eax
	jmp SEL_CODE64:long_mode

bits 64
long_mode:
	mov eax, SEL_DATA
	mov ds, eax
	mov es, eax
	mov ss, eax
	xor eax, eax
	mov fs, eax
	mov gs, eax
	mov rsp, qword boot_stack_end + KERNEL_BASE
	mov edi, ebp
	mov esi, ebx
	xor ebp, ebp			; a zero frame pointer and a zero return address end
	push rbp			; every backtrace
	mov rax, qword boot_main	; does not return
	jmp rax

bits 32
halt:	cli
	mov eax, 0x12			; QEMU's isa-debug-exit: the status of a panic
	out 0xf4, al
.halt:	hlt
	jmp .halt

; ---- does this CPU have what the kernel cannot do without? ----

check_cpu:
	pushfd				; CPUID exists if EFLAGS bit 21 can be changed
	pop eax
	mov ecx, eax
	xor eax, 1 << 21
	push eax
	popfd
	pushfd
	pop eax
	mov esi, name_cpuid
	cmp eax, ecx
	je .lacks
	mov edi, needed
.next:	mov eax, [edi]			; leaf; 0 ends the table
	test eax, eax
	jz .ok
	call cpuid_edx
	mov ecx, [edi + 4]
	mov esi, [edi + 8]
	add edi, 12
	bt edx, ecx
	jc .next
.lacks:	push esi
	mov esi, msg_lacks
	call puts
	pop esi
	call puts
	mov esi, msg_use
	call puts
	jmp halt
.ok:	ret

; edx of CPUID leaf eax, 0 when the CPU does not know that leaf. Keeps ebx.
cpuid_edx:
	push ebx
	push eax
	and eax, 0x80000000
	cpuid
	pop ecx
	xor edx, edx
	cmp ecx, eax
	ja .unknown
	mov eax, ecx
	xor ecx, ecx
	cpuid
.unknown:
	pop ebx
	ret

%macro need 3
	dd %1, %2, %%name
	[section .boot.names]
%%name:	db %3, 0
	__?SECT?__
%endmacro

section .boot.names progbits alloc noexec nowrite align=1
name_cpuid:	db "CPUID", 0
section .boot.text
	align 4
needed:
	need 1, 4, "TSC (time stamp counter)"
	need 1, 5, "MSR (model specific registers)"
	need 1, 6, "PAE (physical address extension)"
	need 1, 8, "CX8 (cmpxchg8b)"
	need 1, 9, "APIC (local interrupt controller)"
	need 1, 13, "PGE (global pages)"
	need 1, 16, "PAT (page attribute table)"
	need 1, 19, "CLFSH (clflush)"
	need 1, 26, "SSE2 (mfence, non-temporal stores)"
	need 0x80000001, 20, "NX (no-execute pages)"
	need 0x80000001, 29, "LM (64-bit long mode)"
	dd 0

msg_entered:	db "boot: entered by ", 0
msg_mb2:	db "multiboot2", 0
msg_pvh:	db "PVH", 0
msg_efi:	db "the EFI loader", 0
msg_nobody:	db "an unknown protocol; use QEMU -kernel, GRUB's multiboot2 or BOOTX64.EFI", 13, 10, 0
msg_cpu_ok:	db ", cpu ok", 13, 10, 0
msg_lacks:	db 13, 10, "boot: this CPU lacks ", 0
msg_use:	db "; use -cpu qemu64 or better", 13, 10, 0

; ---- COM1, 115200 8N1, polled ----

serial_init:
	mov edi, .settings
.next:	movzx edx, byte [edi]
	test edx, edx
	jz .done
	add edx, COM1 - 0x10
	mov al, [edi + 1]
	out dx, al
	add edi, 2
	jmp .next
.done:	ret
; (register + 0x10, value): no interrupts, divisor 1, 8N1, FIFO off, DTR+RTS+OUT2
.settings:
	db 0x11, 0, 0x13, 0x80, 0x10, 1, 0x11, 0, 0x13, 3, 0x12, 0, 0x14, 0x0b, 0

; Prints the string at esi. A line that never gets ready (no UART: the port reads 0xff, which
; looks ready) must not stop the boot, so the wait is bounded.
puts:	lodsb
	test al, al
	jz .done
	mov ah, al
	mov ecx, 100000
	mov edx, COM1 + 5
.wait:	in al, dx
	test al, LSR_THR_EMPTY
	loopz .wait
	mov al, ah
	mov edx, COM1
	out dx, al
	jmp puts
.done:	ret
