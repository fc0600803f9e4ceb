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
#include <stddef.h>
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

/* A field of the running CPU's struct cpu by one instruction, so that it is of one CPU, whenever
 * the thread moves. CPU_GET(field); CPU_ADD(field, 1 or -1), which says whether zero came out. */
#if !defined(HOST_HOME) && !defined(ANY_HOME)
#define CPU_GET(field)	  (((struct cpu __seg_gs *)0)->field)
#define CPU_ADD(field, n) ((((struct cpu __seg_gs *)0)->field += (n)) == 0)
#else
/* Linux sets a GS base by a system call. All CPUs take turns on one thread there, so a variable
 * will do; in assembly, which the explorer's hooks pass over as they do with what lies behind GS.
 * Code for both homes adds the two, of which one is always zero: GS there, the variable here.
 */
extern struct cpu *host_cpu;
#ifdef ANY_HOME
#define HOST_GS "%%gs:"
#else
#define HOST_GS ""
#endif
#define HOST_CPU                                                                                   \
	({                                                                                         \
		struct cpu *c_;                                                                    \
		__asm__("mov %1, %0" : "=r"(c_) : "m"(host_cpu));                                  \
		c_;                                                                                \
	})
#define CPU_GET(field)                                                                             \
	({                                                                                         \
		__typeof__(((void)0, ((struct cpu *)0)->field)) v_;                                \
		__asm__("mov " HOST_GS "%1, %0" : "=r"(v_) : "m"(HOST_CPU->field));                \
		v_;                                                                                \
	})
#define CPU_ADD(field, n)                                                                          \
	({                                                                                         \
		bool zero_;                                                                        \
		__asm__("addl %2, " HOST_GS "%0"                                                   \
			: "+m"(HOST_CPU->field), "=@ccz"(zero_)                                    \
			: "i"(n));                                                                 \
		zero_;                                                                             \
	})
#endif

static inline struct cpu *this_cpu(void)
{
	return CPU_GET(self);
}
static inline struct thread *current_thread(void)
{
	return CPU_GET(current);
}
static inline unsigned cpu_id(void)
{
	return CPU_GET(id);
}

/* Preemption off/on; nest; may be used in any context. The last enable switches if one is due. */
void preempt_switch(void); /* the last enable found need_resched: switches, if interrupts are on */
static inline void preempt_disable(void)
{
	(void)CPU_ADD(preempt, 1);
	/* The count before what it protects, else an interrupt in between may switch threads. */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}
static inline void preempt_enable(void)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (CPU_ADD(preempt, -1) && CPU_GET(need_resched))
		preempt_switch();
}
static inline bool in_interrupt(void)
{
	return CPU_GET(irq_depth) != 0;
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

/*
 * Every instruction that C has no word for, as a function.
 *
 * This is the only place with inline assembly (insn.c). Two reasons: a reader meets each special
 * instruction once, with its contract; and the explorer build can watch all of them, since flushes,
 * fences, TLB and control-register changes report themselves from this one uninstrumented file.
 * Atomic operations are not here: they are written with the compiler's __atomic builtins.
 */

/* Port I/O (Intel SDM vol. 1, ch. 19). */
uint8_t in8(uint16_t port);
uint16_t in16(uint16_t port);
uint32_t in32(uint16_t port);
void out8(uint16_t port, uint8_t v);
void out16(uint16_t port, uint16_t v);
void out32(uint16_t port, uint32_t v);

/* Not ordered against other instructions by itself; good to some tens of cycles. In line, by a word
 * that C has for it: each look at the clock is one. */
uint64_t cpu_ticks(void); /* the same as a function */
#if defined(HOST_HOME) || defined(ANY_HOME)
#define rdtsc cpu_ticks /* on Linux it counts looks: boot/host/cpus.c */
#else
static inline uint64_t rdtsc(void)
{
	return __builtin_ia32_rdtsc();
}
#endif
uint64_t rdmsr(uint32_t msr);
void wrmsr(uint32_t msr, uint64_t v);
void cpuid(uint32_t leaf, uint32_t sub, uint32_t out[4]); /* eax, ebx, ecx, edx */

uint64_t read_cr0(void), read_cr2(void), read_cr3(void), read_cr4(void);
void write_cr0(uint64_t v), write_cr3(uint64_t v), write_cr4(uint64_t v);
/* Instruction breakpoints DR0… at n addresses (0 … 4), all others off (SDM vol. 3, 17.2). */
void write_debug_registers(const uint64_t *at, unsigned n);
void load_gdt(const void *desc), load_idt(const void *desc), load_tr(uint16_t sel);

/* Interrupt flag. irq_save() returns the old RFLAGS for irq_restore(); they nest. */
uint64_t irq_save(void);
void irq_enable(void), irq_disable(void);
static inline void irq_restore(uint64_t flags)
{
	if (__builtin_expect((flags & (1u << 9)) != 0, 1)) /* nested: stays off */
		irq_enable();
}
bool cpu_irqs_enabled(void); /* the same as a function */
#ifdef ANY_BUILD
#define irqs_enabled cpu_irqs_enabled
#elif defined(EXPLORE)
bool explore_irqs_enabled(void); /* the flag, or a modelled CPU's */
#define irqs_enabled explore_irqs_enabled
#elif defined(HOST_HOME)
/* On Linux nobody has a say over the real flag: boot/host/cpus.c has one of its own. */
bool irqs_enabled(void);
#else
static inline bool irqs_enabled(void)
{
	return __builtin_ia32_readeflags_u64() & (1u << 9);
}
#endif

void cpu_pause(void);
/* sti; hlt in one step: an interrupt that arrives in between still ends the halt. */
void cpu_halt_enabled(void);
void cpu_halt_forever(void) __attribute__((noreturn));

/* TLB of this CPU only (SDM vol. 3, 4.10.4). All: global entries stay. */
void tlb_flush_page_local(uint64_t va);
void tlb_flush_all_local(void);

/* Copies n bytes between places that do not overlap, a word an instruction. memcpy() of the C
 * library stores past the caches from 256 bytes on, so that the next reader, or the write-back that
 * follows, finds nothing there; this one leaves the bytes where they are used next. Any context. */
void copy_cached(void *dst, const void *src, size_t n);

/* Full barrier, mfence: earlier stores are visible before later loads, else two CPUs that each
 * store and then look at the other's word may both miss. */
void smp_mb(void);

/*
 * Persistence. cache_writeback() writes the cache lines of [p, p + n) back to memory with the best
 * instruction this CPU has; store_fence() makes what was written back before it durable before any
 * later store. Both: any context, no locks. Order to keep everywhere: store, writeback, fence.
 */
void cache_writeback(const void *p, size_t n);
void store_fence(void);
void cache_writeback_init(void); /* picks the instruction by CPUID 7.EBX; once, on the boot CPU */
const char *cache_writeback_name(void); /* "CLWB", "CLFLUSHOPT" or "CLFLUSH" */

/* Watches persistence (the power-cut model, later the explorer). NULL: nobody watches, the rest
 * state. Called after the instruction, in the caller's context; must not sleep. */
struct persist_observer {
	void (*wrote_back)(const void *p, size_t n);
	void (*fenced)(void);
};
void persist_set_observer(const struct persist_observer *o);
const struct persist_observer *persist_get_observer(void);

#endif
