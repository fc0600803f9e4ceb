/* SPDX-License-Identifier: MIT */
/*
 * The machine layer as its own files see it: CPUs, memory, devices, all made of plain C.
 *
 * A CPU is a struct lcpu. One of them runs at a time, on the one thread of the process, and gives
 * way only where the kernel looks up from its work: at a pause, a halt, an interrupt flag that is
 * set again, a look at the clock. So a run with the same commands takes the same course every time.
 */
#ifndef BOOT_HOST_MACHINE_H
#define BOOT_HOST_MACHINE_H

#include "boot/host/host.h"
#include "kernel/cpu/internal.h"
#include "kernel/sched/internal.h"
#include "kernel/trap/internal.h"

#define NEVER	      UINT64_MAX
#define PORT_SLEEP    0x604
#define PORT_PM_TIMER 0x608

struct lcpu {
	unsigned id;
	uint64_t rsp; /* where its context lies while another CPU runs */
	bool started; /* zero means: waits for a start-up IPI */
	bool halted;  /* until an interrupt is pending */
	bool irq_on;
	bool nmi;	     /* one is pending */
	uint64_t pending[4]; /* bit n: vector n is */
	uint64_t timer;	     /* when its timer's interrupt comes, NEVER: it does not */
	uint64_t gs, cr0, cr2, cr3, cr4, efer;
	uint64_t breakpoint[4];
	unsigned nr_breakpoints;
};

extern struct lcpu lcpus[MAX_CPUS];
extern struct lcpu *lcpu; /* the one that runs */
extern struct host_config machine;

/* ---- cpus.c */
extern uint64_t machine_now;  /* nanoseconds since the machine was turned on */
extern uint64_t machine_next; /* when somebody must look up at the latest; see attend() */
void cpus_init(unsigned n);
void cpu_start(unsigned id, uint64_t entry, uint64_t arg, uint64_t stack, uint64_t cr3);
/* Vector v is pending on CPU `id` from now on. */
void cpu_raise(unsigned id, unsigned vector);
void cpu_raise_nmi(unsigned id);
void cpu_set_timer(uint64_t at);
/* Devices that do something by themselves: when the first of them will, and what is due by now. */
uint64_t devices_next(void);
void devices_look(void);
/* Time goes by; whatever is due happens, if interrupts are on. */
void cpu_look(uint64_t ns);
/* Runs the kernel's dispatch for an exception; the frame is on the stack of what it interrupts. */
void host_exception(struct trap_frame *tf);
void host_page_fault(struct trap_frame *tf, uint64_t addr);

/* ---- mmu.c */
void mmu_init(void);
/* The running CPU's entry for va is not used any more; all of them but global ones; all of them. */
void mmu_flush_page(uint64_t va);
void mmu_flush_low(void);
/* Another CPU's turn comes: user addresses are shown anew, from its own TLB. */
void mmu_hide_low(void);
void mmu_flush_all(void);
/* Page tables were put back to what they were: mappings made since the last call that was for good
 * go, unless a walk would make them again. For good: the tables will not be put back to what they
 * were before now. */
void mmu_settle(bool for_good);
/* The exception or interrupt of the frame, which a signal found, gets delivered where it is. */
void mmu_deliver(struct host_frame *f);
/* Physical `phys` as bytes that stay where they are; NULL: no RAM is there. */
void *mmu_ram(uint64_t phys);

/* ---- breakpoints.c */
void breakpoints_load(void); /* those of the CPU that runs from now on */
/* A trap; of an INT3 that stands for a breakpoint the kernel is to see a debug exception. False: a
 * step in the machine's own code, and over. */
bool breakpoint_trap(struct host_frame *f);
void breakpoint_step_over(struct trap_frame *tf);

/* ---- valgrind.c: for it, if it runs us; else they do nothing */
void valgrind_init(void);
void valgrind_end(void);
bool valgrind_is_here(void);
void valgrind_code_changed(const void *at, size_t bytes);
void valgrind_defined(const void *at, size_t bytes); /* written behind its back */
void valgrind_stack(uint64_t from, uint64_t to);
/* Mends the registers of an instruction that faulted. */
void valgrind_fault(struct host_frame *f);
void valgrind_heap_begin(void); /* the allocator is at work, */
void valgrind_heap_end(void);	/* and is not any more */
/* So many bytes, which have room for some more. */
void valgrind_heap_taken(const void *p, size_t bytes, size_t room, bool zeroed);
void valgrind_heap_given(const void *p);

/* ---- firmware.c */
const struct boot_info *firmware_init(void); /* tables in RAM, the memory map */
/* The bytes of a file that QEMU would hand over; NULL: there is none. */
const void *firmware_file(unsigned n, const char **name, size_t *len);
bool firmware_memory(uint64_t phys, unsigned *memory, uint64_t *start, uint64_t *end);

/* ---- ports.c */
uint32_t port_read(uint16_t port, unsigned bytes);
void port_write(uint16_t port, unsigned bytes, uint32_t v);

/* ---- uart.c */
uint8_t uart_read(unsigned reg);
void uart_write(unsigned reg, uint8_t v);
void uart_route(int vector); /* its interrupt, on CPU 0 */
bool uart_wants(void);	     /* may a byte still be typed? */
bool uart_wait(uint64_t ns); /* until one is; false: none came, and as much time went by */
void uart_look(void);	     /* a byte may have been typed */
uint64_t uart_next(void);    /* when to look; NEVER: nobody types */

/* ---- pci.c */
void pci_config_select(uint32_t address);
uint32_t pci_config_read(unsigned at, unsigned bytes);
void pci_config_write(unsigned at, unsigned bytes, uint32_t v);
bool pci_may_master(unsigned device);
void pci_interrupt(unsigned device);
/* Does what the frame's instruction asks of the registers at `phys`. False: none are there. */
bool pci_access(struct host_frame *f, uint64_t phys);

/* ---- edu.c */
uint64_t edu_read(unsigned n, unsigned reg);
void edu_write(unsigned n, unsigned reg, uint64_t v);
uint64_t edu_next(void); /* when the first transfer ends; NEVER: none is under way */
void edu_look(void);

/* ---- entry.asm */
void host_page_fault_entry(void), host_exception_entry(void), host_resume_entry(void),
	host_cpu_entry(void);

#endif
