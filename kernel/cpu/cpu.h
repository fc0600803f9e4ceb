/* SPDX-License-Identifier: MIT */
/*
 * CPUs: per-CPU data, features, inter-processor calls.
 *
 * GS base points at the running CPU's struct cpu; this_cpu() reads it with one load. A thread may
 * be moved to another CPU whenever it is preemptible, so a pointer from this_cpu() is good only
 * while preemption or interrupts are off.
 */
#ifndef KERNEL_CPU_CPU_H
#define KERNEL_CPU_CPU_H

#include <stdbool.h>
#include <stdint.h>

#define MAX_CPUS 8

struct thread;

struct cpu {
	struct cpu *self; /* at offset 0: what gs:0 reads */
	struct thread *current;
	uint32_t id; /* 0 … nr_cpus-1; the boot CPU is 0 */
	uint32_t apic_id;
	union {
		struct {
			uint32_t preempt;   /* depth of preempt_disable(); zero: may switch */
			uint32_t irq_depth; /* nested interrupt handlers; zero: thread context */
		};
		uint64_t not_preemptible; /* both at once, for might_sleep() */
	};
	volatile bool need_resched;
	bool online;
	struct thread *idle;
	void *mm;	  /* address space loaded here, owned by the mm floor; NULL: kernel's own */
	uint64_t user[8]; /* for the mm floor: per-CPU words without a lock (counters, caches) */
	struct cpu_arch *arch; /* GDT, TSS, stacks: kernel/cpu/gdt.c */
};

extern unsigned nr_cpus; /* online CPUs; constant after boot */
struct cpu *cpu_by_id(unsigned id);

static inline struct cpu *this_cpu(void)
{
	return ((struct cpu __seg_gs *)0)->self;
}
static inline struct thread *current_thread(void)
{
	return ((struct cpu __seg_gs *)0)->current;
}
static inline unsigned cpu_id(void)
{
	return ((struct cpu __seg_gs *)0)->id;
}

/* Preemption off/on; nest; may be used in any context. The last enable switches if one is due. */
void preempt_switch(void); /* the last enable found need_resched: switches, if interrupts are on */
static inline void preempt_disable(void)
{
	((struct cpu __seg_gs *)0)->preempt++;
	/* The count before what it protects, else an interrupt in between may switch threads. */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}
static inline void preempt_enable(void)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (--((struct cpu __seg_gs *)0)->preempt == 0 && ((struct cpu __seg_gs *)0)->need_resched)
		preempt_switch();
}
static inline bool in_interrupt(void)
{
	return ((struct cpu __seg_gs *)0)->irq_depth != 0;
}

/* What this CPU can do, by CPUID; the same on every CPU (checked when they start). */
struct cpu_features {
	char vendor[13];
	unsigned phys_bits, virt_bits;
	bool nx, page1g, clflushopt, clwb, smep, smap, umip, pge, fsgsbase, rdtscp, erms;
};
extern struct cpu_features cpu_features;

/*
 * Runs fn(arg) on every online CPU in `mask` (bit n = CPU n), this one included when its bit is
 * set, in interrupt context with interrupts off, and returns when all have finished.
 * Preconditions: thread context, interrupts enabled (else two callers wait for each other for
 * ever), no spinlock held that a handler may want. Counts into ipi_sent.
 */
void cpu_call(uint32_t mask, void (*fn)(void *), void *arg);
/* Has a cpu_call() to this CPU not been answered yet? Interrupts off. And is it thread t's? */
bool cpu_call_waits(void);
bool cpu_call_waits_for(const struct thread *t);
extern unsigned long ipi_sent; /* IPIs sent for cpu_call(); zero: none since boot */
void cpu_kick(unsigned id);    /* makes that CPU look at need_resched */

#endif
