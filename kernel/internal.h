/* SPDX-License-Identifier: MIT */
/* What the files of kernel/ share with each other and with nobody else. */
#ifndef KERNEL_INTERNAL_H
#define KERNEL_INTERNAL_H

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
	VEC_SPURIOUS = 255,
};

/* ---- entry.asm, trampoline.asm */
extern const uint64_t trap_stubs[256];
struct trap_recovery {
	uint64_t insn, go_on;
};
extern const struct trap_recovery trap_recoveries[], trap_recoveries_end[];
/* Where interrupted code is left, up to trap_entries_end: what looks like its return address there
 * is the interrupted instruction. */
void trap_common(void), trap_entries_end(void);
void switch_context(uint64_t *save_rsp, uint64_t next_rsp);
void thread_start(void);
void stack_call(void *stack_top, void (*fn)(void)) __noreturn;
void thread_begin(void) __noreturn;
/* step.c: was this debug exception an armed step point? The frame is made to pass it. */
bool step_hit(struct trap_frame *tf);
void trap_dispatch(struct trap_frame *tf); /* interrupts off; every vector but the next */
/* Called by the stub of page faults, interrupts as they were at the fault; true: try again.
 * `refuse` (traps.c) if nobody set one. */
extern bool (*trap_page_fault_handler)(struct trap_frame *tf, uint64_t addr);
/* It was false: a recovery address, or a panic. */
void trap_fault_refused(struct trap_frame *tf, uint64_t addr);

/* ---- insn.c, for tests and for what cannot be reached */
void cpu_undefined(void) __noreturn;
void cpu_breakpoint(void);

/* ---- gdt.c: segment tables and the three exception stacks of one CPU */
struct cpu_arch;
struct cpu_arch *cpu_arch_of_boot_cpu(void);
/* Gives the exception stacks guard pages, once there are stacks to be had. False: no memory. */
bool cpu_arch_guard_stacks(struct cpu_arch *a);
struct cpu_arch *cpu_arch_alloc(void); /* NULL: no memory */
void gdt_load(struct cpu *c);	       /* on c itself; also makes GS point to c */
/* Is [p, p + n) in one of this CPU's exception stacks? */
bool on_exception_stack(const struct cpu *c, uint64_t p, uint64_t n);

/* ---- cpu.c */
extern struct cpu cpus[MAX_CPUS];
void cpu_features_init(void); /* boot CPU; a missing necessity stops the machine with its name */
void cpu_protections_enable(void); /* WP, NX, SMEP, SMAP, UMIP, PGE; every CPU */
/* NULL, or the name of the first feature in which this CPU differs from the boot CPU. */
const char *cpu_features_differ(void);
uint32_t cpus_online(void); /* mask */

/* ---- traps.c */
void traps_init_cpu(void);
const char *exception_name(uint64_t vector);
/* Whose interrupt vector it is, 32…255; NULL: nobody's. The text is its owner's, who may go. */
const char *irq_vector_name(int vector);
void call_interrupt(void); /* smp.c: VEC_CALL arrived */

/* ---- apic.c */
void apic_early_init(void); /* boot CPU, registers through the identity map: for calibration */
void apic_remap(void);	    /* boot CPU, once the mm floor maps registers */
void apic_eoi(void);
uint32_t apic_id(void);
void apic_send_ipi(uint32_t apic_id, uint8_t vector);
void apic_send_init(uint32_t apic_id);
void apic_send_startup(uint32_t apic_id, uint8_t page);
void apic_stop_others(void); /* NMI to every other CPU */
void apic_send_nmi(uint32_t apic_id);
void apic_timer_start(uint32_t ticks);
uint32_t apic_timer_count(void);
bool apic_ready(void); /* zero means: no timer, no IPI yet */
void *map_registers(uint64_t phys, uint64_t len);

/* ---- time.c, timer.c */
uint32_t ns_to_timer_ticks(uint64_t ns); /* rounded up, at least 1, at most 2^32 - 1 */
void timers_init(void);
/* Makes this CPU's timer interrupt come no later than `deadline`. Interrupts off. */
void timer_want(uint64_t deadline_ns, uint64_t now);
void timer_restart(void);   /* this CPU's interrupt timer works from now on. Interrupts off */
void timer_interrupt(void); /* VEC_TIMER arrived */

/* ---- sched.c: the run queue. Functions ending in _locked want run_lock held */
extern struct spinlock run_lock;
LIST_HEAD(thread_list, thread);
extern struct thread_list all_threads; /* protected by run_lock */
void sched_init_cpu(struct cpu *c, struct thread *first);
void sched_start(void); /* threads may sleep and be preempted from now on */
bool sched_running(void);
void sched_make_ready(struct thread *t);    /* a new one */
void sched_wake(struct thread *t);	    /* if it sleeps. Any context */
void sched_wake_irqs_off(struct thread *t); /* the same for callers that have interrupts off */
void sched_sleep(struct waiter *w);	    /* until w is over; see wait.c */
void sched_exit(void) __noreturn;	    /* the current thread is dead */
void sched_preempt_forced(void);	    /* the same, of a thread that did not ask for it */
void sched_preempt(void);		    /* interrupts off; switches if another one is ready */
void sched_slice_tick(uint64_t now);	    /* from the timer interrupt */
void sched_idle_loop(void) __noreturn;
uint64_t sched_switched_at(void); /* clock when this CPU's running thread came. Interrupts off */
uint64_t sched_slice_end(void);	  /* this CPU's; zero means nobody waits for it */

/* ---- thread.c */
struct thread *thread_new(const char *name, void (*fn)(void *), void *arg, uint32_t affinity,
			  void *stack);		       /* not yet ready; stack NULL: none yet */
void thread_adopt(struct thread *t, const char *name); /* a flow that already runs */
void *thread_stack_alloc(void); /* NULL: no memory, or memory management is not up */
void threads_start(void);	/* idle thread of the boot CPU and the reaper */
/* The switch away from dead `t` is complete. Called by the next thread, no lock held. */
void thread_gone(struct thread *t, bool last_reference);
/* "name" and tid of t if it is still alive, else "a thread that is gone"; any context. */
void thread_describe(const struct thread *t, char *buf, unsigned n);

/* ---- wait.c */
void wait_init(void);

/* ---- lock_held.c: which sleeping locks a thread holds (more in lock_fast.h) */
void held_print(const struct thread *t);

/* ---- console.c */
bool console_break_pending(void); /* a break waits in the UART; it is taken out. No lock */
void console_use_interrupt(unsigned gsi_base,
			   unsigned pins); /* an I/O APIC with these pins is here */

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

/* ---- watch.c */
/* The current thread loses its CPU at `now`, if another one is ready. Interrupts off. */
void watch_preempted(uint64_t now);
void watch_tick(uint64_t now, uint64_t due); /* once in WATCH_NS on every CPU. Interrupts off */
uint64_t watch_period(void);

/* ---- panic.c */
bool panicking(void); /* zero means: no CPU panicked */
void panic_nmi(void); /* NMI arrived: stop if another CPU panicked */
/* "WHAT 0xADDRESS: what lies there". */
void panic_address(const struct trap_frame *tf, const char *what, uint64_t va) __noreturn;

#endif
