/* SPDX-License-Identifier: MIT */
/*
 * The other CPUs: waking them, and calling functions on them.
 *
 * Waking (Intel SDM vol. 3, 8.4.4): INIT, start-up IPI, and a second one if the first was not
 * answered. A woken CPU is in real mode at physical 0x8000, where kernel/cpu/trampoline.asm was
 * copied. It cannot use the kernel's page table right away, because that maps no low memory; so it
 * gets a copy of its top level in which entry 0 maps the first 2 MiB one to one, and changes over
 * in C.
 *
 * Calling: cpu_call() hangs one node per target into the target's list and sends an IPI if the list
 * was empty. The target runs the whole list. The caller waits with interrupts on, so it serves
 * calls of others meanwhile: CPUs that call each other at the same time all get through.
 */
#include "kernel/cpu/internal.h"
#include "kernel/sched/internal.h"
#include "kernel/trap/internal.h"

#define TRAMPOLINE    0x8000ull
#define PAGE_PRESENT  1ull
#define PAGE_WRITABLE 2ull
#define PAGE_LARGE    0x80ull
#define PHYS_MASK     0x000ffffffffff000ull
#define MSR_EFER      0xc0000080u
#define EFER_LMA      (1ull << 10) /* set by the CPU itself */
#define LOOK_NS	      50000ull

_Static_assert(TRAMPOLINE + 4096 <= BOOT_LOW_KEPT, "nobody else is given the trampoline's page");

extern const uint8_t ap_trampoline[], ap_params[], ap_trampoline_end[];

/* The words at the end of kernel/cpu/trampoline.asm. */
struct ap_params {
	uint64_t cr0, cr3, cr4, efer, stack, cpu, entry;
};

static uint64_t ap_tables[3][512] __attribute__((aligned(4096))); /* levels 4, 3, 2 */
static uint64_t kernel_cr3;
static const char *volatile ap_differs; /* NULL means the CPU being started is like the first */

struct call {
	void (*fn)(void *);
	void *arg;
	uint32_t pending; /* targets that have not finished; zero means the caller may go on */
};
struct call_node {
	struct call *call;
	struct call_node *next;
};
static struct call_list {
	struct spinlock lock;
	struct call_node *first; /* NULL means no IPI is on its way */
} calls[MAX_CPUS] = {[0 ... MAX_CPUS - 1] = {SPINLOCK_INIT("calls to a CPU"), NULL}};

unsigned long ipi_sent;

static void ap_main(struct cpu *c) __noreturn;

static uint64_t image_phys(const void *p)
{
	return (uintptr_t)p - KERNEL_BASE;
}

static void build_ap_tables(void)
{
	kernel_cr3 = read_cr3();
	memcpy(ap_tables[0], map_registers(kernel_cr3 & PHYS_MASK, 4096), 4096);
	ap_tables[0][0] = image_phys(ap_tables[1]) | PAGE_PRESENT | PAGE_WRITABLE;
	ap_tables[1][0] = image_phys(ap_tables[2]) | PAGE_PRESENT | PAGE_WRITABLE;
	ap_tables[2][0] = PAGE_PRESENT | PAGE_WRITABLE | PAGE_LARGE;
}

/* First C code of another CPU, on its idle thread's stack, in the trampoline's page table. */
static void ap_main(struct cpu *c)
{
	write_cr3(kernel_cr3);
	gdt_load(c);
	traps_init_cpu();
	cpu_protections_enable();
	ap_differs = cpu_features_differ();
	if (ap_differs) {
		__atomic_store_n(&c->online, true, __ATOMIC_RELEASE);
		cpu_halt_forever();
	}
	apic_init_cpu();
	/* Counted before it can be given a thread, else a call to all CPUs leaves that thread out.
	 */
	__atomic_store_n(&nr_cpus, c->id + 1, __ATOMIC_RELEASE);
	sched_init_cpu(c, c->idle);
	__atomic_store_n(&c->online, true, __ATOMIC_RELEASE);
	sched_idle_loop();
}

/* Memory for CPU `id`: its idle thread, stack, segment tables. */
static struct cpu *prepare_cpu(unsigned id, uint32_t apic)
{
	struct cpu *c = &cpus[id];
	char name[16];

	snprintf(name, sizeof(name), "idle/%u", id);
	*c = (struct cpu){.self = c, .id = id, .apic_id = apic};
	c->arch = cpu_arch_alloc();
	c->idle = thread_new(name, NULL, NULL, 1u << id, thread_stack_alloc());
	if (c->arch && c->idle && c->idle->stack)
		return c;
	warn("no memory for CPU %u", id);
	return NULL;
}

/* Asleep, not spinning: a CPU model that runs one CPU at a time then goes on to the new one. */
static bool wait_online(const struct cpu *c, unsigned looks)
{
	while (!__atomic_load_n(&c->online, __ATOMIC_ACQUIRE)) {
		if (looks-- == 0)
			return false;
		thread_sleep_ns(LOOK_NS);
	}
	return true;
}

/* The manual's 10 ms after INIT were for a separate 82489DX chip; CPUs with a built-in APIC are
 * ready at once, and boot time is counted here. */
static bool start_cpu(struct cpu *c, uint8_t *page)
{
	struct ap_params *p = (struct ap_params *)(page + (ap_params - ap_trampoline));

	*p = (struct ap_params){.cr0 = read_cr0(),
				.cr3 = image_phys(ap_tables[0]),
				.cr4 = read_cr4(),
				.efer = rdmsr(MSR_EFER) & ~EFER_LMA,
				.stack = (uintptr_t)c->idle->stack + THREAD_STACK_SIZE,
				.cpu = (uintptr_t)c,
				.entry = (uintptr_t)ap_main};
	smp_mb(); /* the words before the IPI, else the CPU starts with the last one's stack */
	apic_send_init(c->apic_id);
	thread_sleep_ns(LOOK_NS);
	apic_send_startup(c->apic_id, TRAMPOLINE >> 12);
	if (wait_online(c, 20))
		return true;
	apic_send_startup(c->apic_id, TRAMPOLINE >> 12);
	return wait_online(c, 2000);
}

unsigned smp_start(const uint32_t *apic_ids, unsigned n)
{
	uint8_t *page = map_registers(TRAMPOLINE, 4096);

	build_ap_tables();
	memcpy(page, ap_trampoline, (size_t)(ap_trampoline_end - ap_trampoline));
	for (unsigned i = 0; i < n; i++) {
		struct cpu *c;

		if (apic_ids[i] == cpus[0].apic_id)
			continue;
		if (nr_cpus == MAX_CPUS) {
			warn("%u CPUs found, %u used: that is all Holdfast is built for", n,
			     MAX_CPUS);
			break;
		}
		c = prepare_cpu(nr_cpus, apic_ids[i]);
		if (!c)
			break;
		if (!start_cpu(c, page)) {
			warn("CPU with APIC id %u did not answer the start-up IPI", apic_ids[i]);
			break; /* it might still come up, on the stack it was given */
		}
		if (ap_differs) {
			warn("CPU with APIC id %u left off: its '%s' differs from the first CPU's",
			     apic_ids[i], ap_differs);
			c->online = false;
			break;
		}
	}
	return nr_cpus;
}

static void post(unsigned id, struct call_node *node)
{
	struct call_list *list = &calls[id];
	uint64_t flags = spin_lock_irqsave(&list->lock);
	bool first = list->first == NULL;

	node->next = list->first;
	list->first = node;
	spin_unlock_irqrestore(&list->lock, flags);
	if (first) {
		__atomic_add_fetch(&ipi_sent, 1, __ATOMIC_RELAXED);
		apic_send_ipi(cpus[id].apic_id, VEC_CALL);
	}
}

void call_interrupt(void)
{
	struct call_list *list = &calls[cpu_id()];
	struct call_node *node, *next;

	spin_lock(&list->lock);
	node = list->first;
	list->first = NULL;
	spin_unlock(&list->lock);
	for (; node; node = next) {
		struct call *call = node->call;

		next = node->next; /* read first: after the count the caller's stack is its own */
		call->fn(call->arg);
		__atomic_sub_fetch(&call->pending, 1, __ATOMIC_RELEASE);
	}
}

bool cpu_call_waits(void)
{
	return __atomic_load_n(&calls[cpu_id()].first, __ATOMIC_ACQUIRE) != NULL;
}

bool cpu_call_waits_for(const struct thread *t)
{
	struct call_list *list = &calls[cpu_id()];
	const struct call_node *node;

	/* A caller keeps its call on its own stack, and does not return before it was answered. */
	spin_lock(&list->lock);
	for (node = list->first; node; node = node->next)
		if ((uintptr_t)node->call - (uintptr_t)t->stack < THREAD_STACK_SIZE)
			break;
	spin_unlock(&list->lock);
	return node != NULL;
}

void cpu_call(uint32_t mask, void (*fn)(void *), void *arg)
{
	struct call call = {.fn = fn, .arg = arg};
	struct call_node nodes[MAX_CPUS];
	uint32_t others;
	uint64_t flags;

	preempt_disable();
	mask &= cpus_online();
	others = mask & ~(1u << cpu_id());
	ASSERT(!others || (irqs_enabled() && !in_interrupt()),
	       "cpu_call() to other CPUs needs interrupts on, else two callers wait for each "
	       "other");
	call.pending = (uint32_t)__builtin_popcount(others);
	for (uint32_t left = others; left; left &= left - 1) {
		unsigned id = (unsigned)__builtin_ctz(left);

		nodes[id].call = &call;
		post(id, &nodes[id]);
	}
	if (mask & 1u << cpu_id()) {
		flags = irq_save();
		fn(arg);
		irq_restore(flags);
	}
	while (__atomic_load_n(&call.pending, __ATOMIC_ACQUIRE))
		cpu_pause();
	preempt_enable();
}
