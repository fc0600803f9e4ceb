/* SPDX-License-Identifier: MIT */
/* The CPU as kernel/ alone deals with it: bring-up, segments, the interrupt controller. Other
 * floors have cpu.h. */
#ifndef KERNEL_CPU_INTERNAL_H
#define KERNEL_CPU_INTERNAL_H

#include "kernel/kernel.h"

/* ---- gdt.c: segment tables and the three exception stacks of one CPU */
struct cpu_arch;
struct cpu_arch *cpu_arch_of_boot_cpu(void);
/* Gives the exception stacks guard pages, once there are stacks to be had. False: no memory. */
bool cpu_arch_guard_stacks(struct cpu_arch *a);
struct cpu_arch *cpu_arch_alloc(void); /* NULL: no memory */
void gdt_load(struct cpu *c);	       /* on c itself; also makes GS point to c */

/* ---- trampoline.asm, switch.asm */
void stack_call(void *stack_top, void (*fn)(void)) __noreturn;

/* ---- cpu.c */
extern struct cpu cpus[MAX_CPUS];
void cpu_features_init(void); /* boot CPU; a missing necessity stops the machine with its name */
void cpu_protections_enable(void); /* WP, NX, SMEP, SMAP, UMIP, PGE; every CPU */
/* NULL, or the name of the first feature in which this CPU differs from the boot CPU. */
const char *cpu_features_differ(void);
uint32_t cpus_online(void); /* mask */

/* ---- smp.c */
void call_interrupt(void); /* VEC_CALL arrived */

/* ---- apic.c */
void apic_early_init(void); /* boot CPU, registers through the identity map: for calibration */
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

#endif
