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

/*
 * A panic is a lesson: what was expected, what was found, which rule, and how it came about
 * (registers, symbolised backtrace), then the machine stops with the status the runner knows.
 */

struct trap_frame;

void panic(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
void panic_frame(const struct trap_frame *tf, const char *fmt, ...)
	__attribute__((noreturn, format(printf, 2, 3)));
/* Prints the call chain that starts at frame pointer `rbp` (0: the caller's own). */
void backtrace(uint64_t rbp);
/* The return addresses of that chain, the innermost first; value: how many. Any context. */
unsigned backtrace_collect(uint64_t rbp, uint64_t *pc, unsigned room);

/*
 * ASSERT(cond, "sentence", ...): the sentence says what must hold and why, and may print what was
 * found. Always compiled in: a rule that is only checked sometimes is no rule.
 */
#define ASSERT(cond, ...)                                                                          \
	do {                                                                                       \
		if (__builtin_expect(!(cond), 0))                                                  \
			assert_failed(__FILE__, __LINE__, #cond, __VA_ARGS__);                     \
	} while (0)
void assert_failed(const char *file, int line, const char *cond, const char *fmt, ...)
	__attribute__((noreturn, format(printf, 4, 5)));
/* For tests of assertions: the next one that fails in the calling thread leaves its sentence in
 * text[n] and ends this thread (thread_exit()) instead of the machine. It holds no lock and no
 * address space there. NULL: none is expected any more. One thread at a time. */
void assert_expect(char *text, unsigned n);

/* Stops every other CPU where it is, for ever, and this CPU's interrupts; output takes no lock from
 * then on. For what must be the last thing that happens: a panic, a power cut. */
void machine_freeze(void);
/* Ends QEMU through isa-debug-exit (port 0xf4); rc of QEMU = value << 1 | 1. Halts if it is absent.
 */
enum exit_code { EXIT_OK = 0x10, EXIT_FAILED = 0x11, EXIT_PANIC = 0x12 };
void machine_exit(enum exit_code code) __attribute__((noreturn));

/*
 * Names of functions and lines of source, for backtraces.
 *
 * The tables are made at build time from the finished kernel (tests/tools/ksyms.py) and linked in
 * by a second link. Until then, and in the first link, they are empty. They are packed, because
 * they stay in memory for good; only what is looked up often is quick to find, and that is names.
 *
 *   ksyms       a block for KSYM_BLOCK functions in order of address: where the first one begins,
 *               and where its entries in the next two tables begin
 *   ksym_names  for each function: bytes to the next one (16 bits), name, zero
 *   ksym_lines  nibbles. For each function: number of rows; if there are any: file (0: that of the
 *               function before, else 1 + its place in ksym_files) and line of the first row, which
 *               is where the function begins; then for each row bytes and lines from the row before
 *   ksym_files  names, each with a zero behind it
 *
 * Code that the compiler put in line from a header counts to the line before it.
 */

#define KSYM_BLOCK 16

/*
 * The function that `addr` lies in, and how far behind its start; NULL when `addr` is outside the
 * kernel's code or the table is empty. `offset` may be NULL. Any context; takes no lock.
 */
const char *ksym_lookup(uint64_t addr, uint64_t *offset);

/*
 * The source file ("mm/gup/gup.c") and line of the instruction at `addr`; NULL when its function is
 * from elsewhere (the C library) or unknown. Any context; takes no lock.
 */
const char *ksym_line(uint64_t addr, unsigned *line);

/*
 * "function+0x12 mm/gup/gup.c:98" into buf, whatever is known; "?" when nothing is. `is_return`:
 * addr is a return address, so what is meant is the call before it. Value: buf. Any context.
 */
const char *ksym_describe(uint64_t addr, bool is_return, char *buf, unsigned n);

#endif
