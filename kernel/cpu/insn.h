/* SPDX-License-Identifier: MIT */
/*
 * Every instruction that C has no word for, as a function.
 *
 * This is the only place with inline assembly (insn.c). Two reasons: a reader meets each special
 * instruction once, with its contract; and the explorer build can watch all of them, since flushes,
 * fences, TLB and control-register changes report themselves from this one uninstrumented file.
 * Atomic operations are not here: they are written with the compiler's __atomic builtins.
 */
#ifndef KERNEL_CPU_INSN_H
#define KERNEL_CPU_INSN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Port I/O (Intel SDM vol. 1, ch. 19). */
uint8_t in8(uint16_t port);
uint16_t in16(uint16_t port);
uint32_t in32(uint16_t port);
void out8(uint16_t port, uint8_t v);
void out16(uint16_t port, uint16_t v);
void out32(uint16_t port, uint32_t v);

uint64_t rdtsc(void);
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
static inline bool irqs_enabled(void)
{
	return __builtin_ia32_readeflags_u64() & (1u << 9);
}

void cpu_pause(void);
/* sti; hlt in one step: an interrupt that arrives in between still ends the halt. */
void cpu_halt_enabled(void);
void cpu_halt_forever(void) __attribute__((noreturn));

/* TLB of this CPU only (SDM vol. 3, 4.10.4). All: global entries stay. */
void tlb_flush_page_local(uint64_t va);
void tlb_flush_all_local(void);

/* Full barrier, mfence: earlier stores are visible before later loads, else two CPUs that each
 * store and then look at the other's word may both miss. */
void smp_mb(void);

/*
 * Persistence. cache_writeback() writes the cache lines of [p, p + n) back to memory with the best
 * instruction this CPU has; store_fence() makes what was written back before it durable before any
 * later store. Both: any context, no locks. Order to keep everywhere: store, writeback, fence.
 */
enum writeback_insn { WB_CLFLUSH, WB_CLFLUSHOPT, WB_CLWB };
void cache_writeback(const void *p, size_t n);
void store_fence(void);
void cache_writeback_init(void); /* picks the instruction by CPUID 7.EBX; once, on the boot CPU */
enum writeback_insn cache_writeback_kind(void);
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
