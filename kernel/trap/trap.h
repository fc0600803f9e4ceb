/* SPDX-License-Identifier: MIT */
/*
 * Exceptions and interrupts: the saved state, and who handles what.
 * Vectors 0–31 are exceptions; 32–239 are given out to devices; above are ours (timer, IPIs).
 */
#ifndef KERNEL_TRAP_TRAP_H
#define KERNEL_TRAP_TRAP_H

#include <stdbool.h>
#include <stdint.h>

/* What the entry stub pushed, lowest address first (kernel/cpu/entry.asm keeps the same order). */
struct trap_frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
	uint64_t vector, error;
	uint64_t rip, cs, rflags, rsp, ss;
};

#define PF_PRESENT 1u /* protection, not absence */
#define PF_WRITE   2u
#define PF_FETCH   16u

void traps_init(void); /* boot CPU: IDT; every CPU: traps_init_cpu() */
/*
 * The mm floor's page-fault handler. Runs on the faulting thread's stack, with interrupts as they
 * were at the fault (so it may sleep if the faulting code could). True: retry the instruction.
 * False: not mine; the frame may have a recovery address (below), else it is a panic.
 */
void trap_set_page_fault(bool (*fn)(struct trap_frame *tf, uint64_t addr));

/* Who is told of every instruction that ran with the trap flag set (SDM vol. 3, 17.3.1.4): the
 * frame's rip is the next one. Interrupts off; must not sleep. NULL: nobody, the rest state; a step
 * is a panic. */
void trap_set_single_step(void (*fn)(const struct trap_frame *tf));

/*
 * Accesses that may fail: copies n bytes; 0, or -EFAULT when an address on either side could not be
 * made accessible (bytes before it were copied). Thread context; may sleep in the fault handler.
 */
int copy_checked(void *dst, const void *src, uint64_t n);
/* One aligned 8-byte load/store under the same rule. */
int load_checked(const uint64_t *p, uint64_t *v);
int store_checked(uint64_t *p, uint64_t v);

/* Gives out a free device vector for fn, run in interrupt context with interrupts off; EOI is the
 * caller's caller. `name`, which stays until the vector is freed, is what `ps -i` shows. Negative
 * errno: -EINVAL no fn, -ENOSPC all taken. */
int irq_alloc_vector(void (*fn)(void *arg), void *arg, const char *name);
void irq_free_vector(int vector);
/* Routes an IOAPIC pin (gsi) to a vector on the boot CPU. */
int irq_route_gsi(unsigned gsi, int vector, bool level, bool active_low);

/* How device registers become addresses; told by the mm floor when its page tables are loaded.
 * Before that the low 4 GiB are mapped one to one. */
void kernel_set_map_mmio(void *(*map)(uint64_t phys, uint64_t len));
/* What a kernel address belongs to ("guard page of a stack of thread X"), for panics; may return
 * NULL. Told by the mm floor. The function may take no lock and touch nothing that could fault. */
void kernel_set_address_name(const char *(*name)(uint64_t va));

/*
 * Interrupt controllers and other CPUs, both from the ACPI provider's stage at level INIT_CPUS:
 * first one apic_set_ioapic() per I/O APIC of the MADT (all its pins start masked; the console
 * switches from polling to interrupts), then one smp_start() with the local APIC ids of all enabled
 * CPUs. With neither the kernel runs on one CPU and polls its console.
 */
void apic_set_ioapic(uint64_t phys, unsigned gsi_base);
void apic_init_cpu(void);
/* Starts the CPUs with these local APIC ids (the running one is skipped, more than MAX_CPUS are
 * left off with a warning); returns CPUs online. Boot thread, once. */
unsigned smp_start(const uint32_t *apic_ids, unsigned n);

#endif
