/* SPDX-License-Identifier: MIT */
/* Vectors, stubs and reports, for kernel/ alone. Other floors have trap.h. */
#ifndef KERNEL_TRAP_INTERNAL_H
#define KERNEL_TRAP_INTERNAL_H

#include "kernel/kernel.h"

#define RFLAGS_IF (1ull << 9)

/* Exception vectors with a role of their own, and the vectors we keep for ourselves. */
enum {
	VEC_DEBUG = 1,
	VEC_NMI = 2,
	VEC_DOUBLE_FAULT = 8,
	VEC_PROTECTION = 13,
	VEC_PAGE_FAULT = 14,
	VEC_MACHINE_CHECK = 18,
	VEC_DEVICE_FIRST = 32,
	VEC_DEVICE_LAST = 223,
	VEC_PIC = 224, /* 224–239: the old 8259s, masked; only spurious ones can come */
	VEC_RESCHED = 240,
	VEC_CALL = 241,
	VEC_TIMER = 242,
	VEC_SKIP = 243,
	VEC_SPURIOUS = 255,
};

/* ---- kernel/cpu/entry.asm, checked.asm */
extern const uint64_t trap_stubs[256];
struct trap_recovery {
	uint64_t insn, go_on;
};
extern const struct trap_recovery trap_recoveries[], trap_recoveries_end[];
/* Where interrupted code is left, up to trap_entries_end: what looks like its return address there
 * is the interrupted instruction. */
void trap_common(void), trap_entries_end(void);
void trap_dispatch(struct trap_frame *tf); /* interrupts off; every vector but the next */
/* Called by the stub of page faults, interrupts as they were at the fault; true: try again.
 * `refuse` (traps.c) if nobody set one. */
extern bool (*trap_page_fault_handler)(struct trap_frame *tf, uint64_t addr);
/* It was false: a recovery address, or a panic. */
void trap_fault_refused(struct trap_frame *tf, uint64_t addr);

/* ---- traps.c */
void traps_init_cpu(void);
/* Whose interrupt vector it is, 32…255; NULL: nobody's. The text is its owner's, who may go. */
const char *irq_vector_name(int vector);

/* ---- backtrace.c: call chains. Any context */
void backtrace_frame(const struct trap_frame *tf); /* prints that of interrupted code */
/* The interrupted instruction, then return addresses; value: how many. room > 0 */
unsigned backtrace_collect_frame(const struct trap_frame *tf, uint64_t *pc, unsigned room);
void backtrace_print(const uint64_t *pc, unsigned n, bool first_is_return);

/* ---- report.c */
struct cpu_snapshot {
	const uint64_t *pc; /* the interrupted instruction, then return addresses */
	unsigned n;
	bool irqs_on, idle;
	unsigned tid; /* of the thread that ran there; a copy, since that thread may be gone now */
	char name[32];
};
/* What another CPU does now, by NMI. False: it did not answer. Preemption off. */
bool cpu_capture(unsigned id, struct cpu_snapshot *s);
void report_live(void);			      /* prints it all; from the serial interrupt */
bool report_nmi(const struct trap_frame *tf); /* NMI arrived; false: nobody knows why */

/* ---- panic.c */
bool panicking(void); /* zero means: no CPU panicked */
void panic_nmi(void); /* NMI arrived: stop if another CPU panicked */
/* "WHAT 0xADDRESS: what lies there". */
void panic_address(const struct trap_frame *tf, const char *what, uint64_t va) __noreturn;

#endif
