/* SPDX-License-Identifier: MIT */
/*
 * The last lesson: what was expected, what was found, where, and how to see it again.
 *
 * The first CPU to panic wins; it stops the others by NMI, since they may have interrupts off, and
 * breaks the console's lock, which may be held by a CPU that will never run again. From then on
 * page faults go to nobody.
 */
#include "kernel/cpu/internal.h"
#include "kernel/sched/internal.h"
#include "kernel/trap/internal.h"

#define GUARD_SIZE 4096ull /* below each stack; see struct stack_ops */

static uint32_t panic_cpu; /* zero means none; else 1 + id of the CPU that panicked */
static const char *(*name_of)(uint64_t va); /* NULL means the mm floor told us none */

void kernel_set_address_name(const char *(*name)(uint64_t va))
{
	__atomic_store_n(&name_of, name, __ATOMIC_RELEASE);
}

/* The thread whose stack, guard page included, holds va. Other CPUs are stopped: no lock. */
static const struct thread *stack_owner(uint64_t va)
{
	const struct thread *t;

	LIST_FOREACH (t, &all_threads, all) {
		uint64_t low = (uintptr_t)t->stack;

		if (low && va - (low - GUARD_SIZE) < GUARD_SIZE + THREAD_STACK_SIZE)
			return t;
	}
	return NULL;
}

/* What lies at `va`, in words; never empty. */
static void name_address(uint64_t va, char *buf, unsigned n)
{
	extern const char __text_start[], __text_end[], __rodata_end[], __image_end[];
	const struct thread *t = stack_owner(va);
	const char *name = name_of ? name_of(va) : NULL;

	if (t && va < (uintptr_t)t->stack)
		snprintf(buf, n, "the guard page below the stack of thread %u '%s'", t->tid,
			 t->name);
	else if (t)
		snprintf(buf, n, "the stack of thread %u '%s'", t->tid, t->name);
	else if (va >= (uintptr_t)__text_start && va < (uintptr_t)__image_end)
		snprintf(buf, n, "the kernel's own %s",
			 va < (uintptr_t)__text_end	? "code"
			 : va < (uintptr_t)__rodata_end ? "constants"
							: "variables");
	else if (va < 4096)
		snprintf(buf, n, "a null pointer");
	else if (name)
		snprintf(buf, n, "%s", name);
	else
		snprintf(buf, n, "nothing known lies there");
}

bool panicking(void)
{
	return __atomic_load_n(&panic_cpu, __ATOMIC_ACQUIRE) != 0;
}

void panic_nmi(void)
{
	if (panic_cpu != 1 + cpu_id())
		cpu_halt_forever();
}

void machine_exit(enum exit_code code)
{
	out32(0xf4, code);
	irq_disable();
	cpu_halt_forever();
}

/* Only one CPU gets past this. A second panic on the same one means that reporting itself failed.
 */
static void take_over(void)
{
	uint32_t nobody = 0, me = 1 + (cpus[0].online ? cpu_id() : 0);

	irq_disable();
	if (__atomic_compare_exchange_n(&panic_cpu, &nobody, me, false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE)) {
		trap_set_page_fault(NULL); /* its locks may be held for ever by now */
		console_break_lock();
		if (apic_ready())
			apic_stop_others();
		return;
	}
	if (nobody != me)
		cpu_halt_forever();
	kprintf("\nPANIC inside the panic report; the rest of it is lost\n");
	machine_exit(EXIT_PANIC);
}

void machine_freeze(void)
{
	take_over();
}

static void print_frame(const struct trap_frame *tf)
{
	char where[160];

	kprintf("  rip %016lx  %s   rflags %lx   vector %lu, error code 0x%lx\n", tf->rip,
		ksym_describe(tf->rip, false, where, sizeof(where)), tf->rflags, tf->vector,
		tf->error);
	kprintf("  rsp %016lx  rbp %016lx\n", tf->rsp, tf->rbp);
	kprintf("  rax %016lx  rbx %016lx  rcx %016lx  rdx %016lx\n", tf->rax, tf->rbx, tf->rcx,
		tf->rdx);
	kprintf("  rsi %016lx  rdi %016lx  r8  %016lx  r9  %016lx\n", tf->rsi, tf->rdi, tf->r8,
		tf->r9);
	kprintf("  r10 %016lx  r11 %016lx  r12 %016lx  r13 %016lx\n", tf->r10, tf->r11, tf->r12,
		tf->r13);
	kprintf("  r14 %016lx  r15 %016lx\n", tf->r14, tf->r15);
}

static void print_context(bool irqs_were_on)
{
	const struct cpu *c;
	const struct thread *t;

	if (!cpus[0].online) {
		kprintf("  before the first thread\n");
		return;
	}
	c = this_cpu();
	t = c->current;
	kprintf("  on CPU %u, thread %u '%s', %s, interrupts %s, preemption off %u times\n", c->id,
		t ? t->tid : 0, t ? t->name : "?",
		c->irq_depth ? "in an interrupt handler" : "thread context",
		irqs_were_on ? "on" : "off", c->preempt);
	if (t)
		held_print(t);
}

static void print_replay(void)
{
	const struct boot_info *bi = boot_info();

	kprintf("  cr0 %lx  cr2 %lx  cr3 %lx  cr4 %lx, %lu ns after boot\n", read_cr0(), read_cr2(),
		read_cr3(), read_cr4(), clock_ns());
	kprintf("replay: boot path %s, command line \"%s\"; the same `make run` with ICOUNT=1 "
		"repeats to the instruction,\n        with GDB=1 it waits for gdb: break panic\n",
		bi ? bi->path : "unknown", bi ? bi->cmdline : "");
}

/* The chapter of the innermost frame that has one. */
static void print_book(const struct trap_frame *tf, uint64_t rbp)
{
	uint64_t pc[16];
	unsigned n = tf ? backtrace_collect_frame(tf, pc, ARRAY_SIZE(pc))
			: backtrace_collect(rbp, pc, ARRAY_SIZE(pc));
	const char *file;
	const struct book_chapter *c = book_of_code(pc, n, &file);

	if (c)
		kprintf("book: chapter %u, %s: docs/book/%s" BOOK_PAGE " explains %s\n", c->number,
			c->title, c->file, file);
}

static void __noreturn report(const struct trap_frame *tf, bool irqs_were_on, uint64_t rbp)
{
	print_context(irqs_were_on);
	if (tf) {
		print_frame(tf);
		kprintf("backtrace:\n");
		backtrace_frame(tf);
	} else {
		kprintf("backtrace:\n");
		backtrace(rbp);
	}
	print_book(tf, rbp);
	print_replay();
	machine_exit(EXIT_PANIC);
}

void panic(const char *fmt, ...)
{
	bool on = irqs_enabled();
	va_list ap;

	take_over();
	kprintf("\nPANIC: ");
	va_start(ap, fmt);
	kvprintf(fmt, ap);
	va_end(ap);
	kprintf("\n");
	report(NULL, on, (uintptr_t)__builtin_frame_address(0));
}

void panic_frame(const struct trap_frame *tf, const char *fmt, ...)
{
	va_list ap;

	take_over();
	kprintf("\nPANIC: ");
	va_start(ap, fmt);
	kvprintf(fmt, ap);
	va_end(ap);
	kprintf("\n");
	report(tf, tf->rflags & RFLAGS_IF, 0);
}

void panic_address(const struct trap_frame *tf, const char *what, uint64_t va)
{
	char where[96];

	take_over();
	name_address(va, where, sizeof(where));
	kprintf("\nPANIC: %s 0x%lx: %s\n", what, va, where);
	report(tf, tf->rflags & RFLAGS_IF, 0);
}

/* thread NULL: no assertion is expected to fail. */
static struct {
	const struct thread *thread;
	char *text;
	unsigned n;
} expected;

void assert_expect(char *text, unsigned n)
{
	expected.text = text;
	expected.n = n;
	__atomic_store_n(&expected.thread, text ? current_thread() : NULL, __ATOMIC_RELEASE);
}

static bool is_expected(void)
{
	const struct thread *t = __atomic_load_n(&expected.thread, __ATOMIC_ACQUIRE);

	return t && t == current_thread() && irqs_enabled();
}

static void __attribute__((noreturn)) leave_sentence(const char *fmt, va_list ap)
{
	vsnprintf(expected.text, expected.n, fmt, ap);
	assert_expect(NULL, 0);
	thread_exit(0);
}

void assert_failed(const char *file, int line, const char *cond, const char *fmt, ...)
{
	bool on = irqs_enabled();
	va_list ap;

	va_start(ap, fmt);
	if (is_expected())
		leave_sentence(fmt, ap);
	take_over();
	kprintf("\nPANIC: expected: %s\n  rule:  ", cond);
	kvprintf(fmt, ap);
	va_end(ap);
	kprintf("\n  found: it does not hold at %s:%d\n", file, line);
	report(NULL, on, (uintptr_t)__builtin_frame_address(0));
}
