/* SPDX-License-Identifier: MIT */
/*
 * What happens when the CPU leaves the straight path: exceptions and interrupts.
 *
 * All gates are interrupt gates, so every entry starts with interrupts off. Three ways on:
 *
 *   page fault   CR2 is read, interrupts go back to what they were at the fault (entry.asm),
 *                and the mm floor's handler runs like a function called by the faulting
 *                instruction. If it refuses, the instruction may have a recovery address
 *                (checked.asm); else: panic.
 *   exception    a recovery address, else panic with the name in words.
 *   interrupt    the handler, then end-of-interrupt, then a thread switch if one is due.
 */
#include "kernel/kernel.h"
#include "kernel/cpu/internal.h"
#include "kernel/sched/internal.h"
#include "kernel/selftest/internal.h"
#include "kernel/time/internal.h"
#include "kernel/trap/internal.h"

struct gate {
	uint16_t low, sel;
	uint8_t ist, type;
	uint16_t mid;
	uint32_t high, zero;
};
static struct gate idt[256] __attribute__((aligned(16)));

struct irq_handler {
	void (*fn)(void *arg); /* NULL means the vector is free */
	void *arg;
	const char *name;
};
static struct irq_handler handlers[256]; /* protected by handlers_lock; read without it */
static struct spinlock handlers_lock = SPINLOCK_INIT("interrupt vectors");
static void (*single_step)(const struct trap_frame *); /* NULL means nobody steps */

static const char *exception_name(uint64_t vector)
{
	static const char *const names[32] = {
		[0] = "division by zero or quotient too large",
		[VEC_DEBUG] = "debug trap",
		[VEC_NMI] = "non-maskable interrupt",
		[3] = "breakpoint instruction",
		[4] = "overflow trap",
		[5] = "bound range exceeded",
		[6] = "undefined instruction",
		[7] = "floating-point or SSE instruction (the kernel owns no such state)",
		[VEC_DOUBLE_FAULT] = "double fault",
		[10] = "invalid task state segment",
		[11] = "segment not present",
		[12] = "stack segment fault (non-canonical stack address)",
		[VEC_PROTECTION] = "general protection fault (non-canonical address, bad MSR or "
				   "reserved bit)",
		[VEC_PAGE_FAULT] = "page fault",
		[16] = "x87 floating-point error",
		[17] = "alignment check",
		[VEC_MACHINE_CHECK] = "machine check (hardware error)",
		[19] = "SIMD floating-point error",
		[21] = "control protection fault",
	};

	return vector < 32 && names[vector] ? names[vector] : "reserved exception";
}

static void set_gate(unsigned vector, unsigned ist)
{
	uint64_t to = trap_stubs[vector];

	idt[vector] = (struct gate){.low = (uint16_t)to,
				    .sel = 8,
				    .ist = (uint8_t)ist,
				    .type = 0x8e, /* present, 64-bit interrupt gate */
				    .mid = (uint16_t)(to >> 16),
				    .high = (uint32_t)(to >> 32)};
}

/* The two 8259s: vectors moved away from the exceptions, then all lines masked. */
static void silence_pics(void)
{
	out8(0x20, 0x11);
	out8(0xa0, 0x11);
	out8(0x21, VEC_PIC);
	out8(0xa1, VEC_PIC + 8);
	out8(0x21, 4);
	out8(0xa1, 2);
	out8(0x21, 1);
	out8(0xa1, 1);
	out8(0x21, 0xff);
	out8(0xa1, 0xff);
}

void traps_init(void)
{
	for (unsigned v = 0; v < 256; v++)
		set_gate(v, 0);
	set_gate(VEC_DOUBLE_FAULT, 1);
	set_gate(VEC_NMI, 2);
	set_gate(VEC_MACHINE_CHECK, 3);
	silence_pics();
	traps_init_cpu();
}

void traps_init_cpu(void)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) desc = {sizeof(idt) - 1, (uintptr_t)idt};

	load_idt(&desc);
}

static bool nobody_handles(struct trap_frame *tf __attribute__((unused)),
			   uint64_t addr __attribute__((unused)))
{
	return false;
}

bool (*trap_page_fault_handler)(struct trap_frame *tf, uint64_t addr) = nobody_handles;

void trap_set_page_fault(bool (*fn)(struct trap_frame *, uint64_t))
{
	__atomic_store_n(&trap_page_fault_handler, fn ? fn : nobody_handles, __ATOMIC_RELEASE);
}

void trap_set_single_step(void (*fn)(const struct trap_frame *tf))
{
	__atomic_store_n(&single_step, fn, __ATOMIC_RELEASE);
}

static bool recover(struct trap_frame *tf)
{
	for (const struct trap_recovery *r = trap_recoveries; r < trap_recoveries_end; r++) {
		if (r->insn == tf->rip) {
			tf->rip = r->go_on;
			return true;
		}
	}
	return false;
}

static const char *fault_reason(uint64_t error)
{
	bool present = error & PF_PRESENT;

	if (error & 8)
		return "reserved bit set in a page-table entry on the way to";
	if (error & PF_FETCH)
		return present ? "execution of a no-execute page at"
			       : "execution of an absent page at";
	if (error & PF_WRITE)
		return present ? "write to a read-only page at" : "write to an absent page at";
	return present ? "read of a forbidden page at" : "read of an absent page at";
}

void trap_fault_refused(struct trap_frame *tf, uint64_t addr)
{
	irq_disable();
	if (!recover(tf))
		panic_address(tf, fault_reason(tf->error), addr);
}

/* CR2 holds the push that failed: mostly just below the stack, in its guard page. */
static void double_fault(struct trap_frame *tf)
{
	uint64_t addr = read_cr2();

	if (addr - (tf->rsp - 4096) < 8192)
		panic_address(tf, "stack overflow: the stack pointer ran into", addr);
	panic_address(tf, "double fault; the last page fault was at", addr);
}

static void exception(struct trap_frame *tf)
{
	if (tf->vector == VEC_NMI && report_nmi(tf))
		return;
	if (tf->vector == VEC_DEBUG && step_hit(tf))
		return;
	if (tf->vector == VEC_DEBUG && single_step) {
		single_step(tf);
		return;
	}
	if (tf->vector == VEC_DOUBLE_FAULT)
		double_fault(tf);
	if (tf->vector == VEC_PROTECTION && recover(tf))
		return;
	panic_frame(tf, "unexpected exception %lu: %s, error code 0x%lx", tf->vector,
		    exception_name(tf->vector), tf->error);
}

static void run_handler(uint64_t vector)
{
	void (*fn)(void *) = __atomic_load_n(&handlers[vector].fn, __ATOMIC_ACQUIRE);

	switch (vector) {
	case VEC_TIMER: timer_interrupt(); break;
	case VEC_SKIP: skip_interrupt(); break;
	case VEC_CALL: call_interrupt(); break;
	case VEC_RESCHED: break; /* its work is the look at need_resched on the way out */
	default:
		if (fn)
			fn(handlers[vector].arg);
		else
			warn("interrupt with vector %lu, which nobody asked for", vector);
	}
}

static void interrupt(struct trap_frame *tf)
{
	struct cpu *c = this_cpu();

	/* A spurious one has no end-of-interrupt (SDM vol. 3, 10.9); 8259 ones likewise. */
	if (tf->vector == VEC_SPURIOUS || (tf->vector >= VEC_PIC && tf->vector < VEC_PIC + 16))
		return;
	c->irq_depth++;
	run_handler(tf->vector);
	apic_eoi();
	c->irq_depth--;
	if (c->need_resched && c->preempt == 0 && c->irq_depth == 0)
		sched_preempt_forced();
}

void trap_dispatch(struct trap_frame *tf)
{
	if (tf->vector < VEC_DEVICE_FIRST)
		exception(tf);
	else
		interrupt(tf);
}

int irq_alloc_vector(void (*fn)(void *arg), void *arg, const char *name)
{
	uint64_t flags;
	int found = -ENOSPC;

	if (!fn)
		return -EINVAL;
	flags = spin_lock_irqsave(&handlers_lock);
	for (int v = VEC_DEVICE_FIRST; v <= VEC_DEVICE_LAST && found < 0; v++) {
		if (handlers[v].fn)
			continue;
		handlers[v].arg = arg;
		handlers[v].name = name;
		/* arg before fn, else an interrupt sees the function with another's argument. */
		__atomic_store_n(&handlers[v].fn, fn, __ATOMIC_RELEASE);
		found = v;
	}
	spin_unlock_irqrestore(&handlers_lock, flags);
	return found;
}

const char *irq_vector_name(int vector)
{
	const struct irq_handler *h = &handlers[vector];

	switch (vector) {
	case VEC_RESCHED: return "switch threads, from another CPU";
	case VEC_CALL: return "run a function, from another CPU";
	case VEC_TIMER: return "timer of this CPU";
	case VEC_SKIP: return "the clock was moved on";
	case VEC_SPURIOUS: return "spurious";
	default: return __atomic_load_n(&h->fn, __ATOMIC_ACQUIRE) ? h->name : NULL;
	}
}

static void nothing(void *arg __attribute__((unused)))
{
}

/* Thread context. On return the handler is not running: handlers run with interrupts off, and every
 * CPU has taken an IPI since the vector was emptied. */
void irq_free_vector(int vector)
{
	ASSERT(vector >= VEC_DEVICE_FIRST && vector <= VEC_DEVICE_LAST && handlers[vector].fn,
	       "only a vector that irq_alloc_vector() gave out is freed, not %d", vector);
	__atomic_store_n(&handlers[vector].fn, NULL, __ATOMIC_RELEASE);
	cpu_call(cpus_online(), nothing, NULL);
}
