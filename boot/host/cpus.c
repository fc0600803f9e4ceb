/* SPDX-License-Identifier: MIT */
/*
 * CPUs without hardware: contexts that take turns on one thread, interrupts that wait in a bit map,
 * and a clock that moves when somebody looks.
 *
 * Time. Each look (an interrupt flag set again, a read of the clock, a pause) moves the clock on by
 * a little. Where all CPUs halt it jumps to the next event, so nothing is ever waited for.
 *
 * Turns. A CPU runs until it pauses, halts, or has had TURN_NS; then the next one that can run gets
 * the thread, by switch_context(), as if both were kernel threads. Between two looks nothing
 * interferes with a CPU: it seems to be infinitely fast there.
 *
 * Interrupts. cpu_raise() marks a vector as pending. It is taken at the CPU's next look with its
 * flag on: a trap frame is made and trap_dispatch() called, which is all that the entry code of a
 * real one does. The taker may be switched away in there and come back on another CPU, so nothing
 * here keeps `lcpu` across it.
 */
#include "boot/host/machine.h"

#define TURN_NS 50000ull /* that a CPU runs while others could, on the average */
#define LOOK_NS 50ull	 /* about what the code between two looks takes */
/* That a CPU runs on after it has interrupted another one: a look. One that was woken for a lock
 * finds it taken again if that is long, each time. */
#define SOON_NS	 LOOK_NS
#define STUCK_NS 20000000ull /* for which it did not look up */
#define VEC_TURN 256ull	     /* no vector: another CPU's turn, where nothing looks up */

struct lcpu lcpus[MAX_CPUS];
struct lcpu *lcpu = &lcpus[0];
uint64_t machine_now, machine_next;
static uint64_t turn_end;
static unsigned started; /* CPUs */

void cpus_init(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		lcpus[i] = (struct lcpu){.id = i, .timer = NEVER, .cr0 = 0x80010001u, .cr4 = 0x20};
	lcpus[0].started = true;
	started = 1;
	turn_end = TURN_NS;
}

/* Of changing length, the same in every run: turns of one length can keep step with two loops that
 * wait for each other, so that neither ever finds what it waits for. */
static uint64_t turn_length(void)
{
	static uint64_t state = 88172645463325252ull;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return TURN_NS / 2 + state % TURN_NS;
}

static bool pending(const struct lcpu *c)
{
	return c->pending[0] | c->pending[1] | c->pending[2] | c->pending[3];
}

static bool can_run(const struct lcpu *c)
{
	return c->started && (!c->halted || c->nmi || pending(c));
}

/* The next CPU in turn, not the running one, that can run; NULL: none. */
static struct lcpu *next_cpu(void)
{
	for (unsigned i = 1; started > 1 && i < MAX_CPUS; i++) {
		struct lcpu *c = &lcpus[(lcpu->id + i) % MAX_CPUS];

		if (can_run(c))
			return c;
	}
	return NULL;
}

/* An NMI asks for no flag. */
static void take_nmi(void)
{
	struct trap_frame tf = {.vector = VEC_NMI,
				.rip = (uintptr_t)__builtin_return_address(0),
				.rbp = (uintptr_t)__builtin_frame_address(0)};

	lcpu->nmi = false;
	tf.rsp = tf.rbp;
	tf.rflags = lcpu->irq_on ? RFLAGS_IF : 0;
	lcpu->irq_on = false;
	trap_dispatch(&tf);
	lcpu->irq_on = tf.rflags & RFLAGS_IF;
}

static void run_cpu(struct lcpu *next)
{
	struct lcpu *prev = lcpu;

	lcpu = next;
	turn_end = machine_now + turn_length();
	mmu_hide_low();
	if (prev->nr_breakpoints || next->nr_breakpoints)
		breakpoints_load();
	host_cpu = (struct cpu *)next->gs;
	switch_context(&prev->rsp, next->rsp);
	if (lcpu->nmi)
		take_nmi();
}

void cpu_start(unsigned id, uint64_t entry, uint64_t arg, uint64_t stack, uint64_t cr3)
{
	struct lcpu *c = &lcpus[id];
	uint64_t *sp = (uint64_t *)stack - 8; /* as switch_context() leaves it */

	memset(sp, 0, 8 * sizeof(*sp));
	sp[2] = arg;   /* r13 */
	sp[3] = entry; /* r12 */
	sp[6] = (uintptr_t)host_cpu_entry;
	c->rsp = (uintptr_t)sp;
	c->cr3 = cr3;
	c->started = true;
	started++;
}

void cpu_raise(unsigned id, unsigned vector)
{
	lcpus[id].pending[vector / 64] |= 1ull << vector % 64;
	if (&lcpus[id] == lcpu)
		machine_next = 0;
	else
		turn_end = MIN(turn_end, machine_now + SOON_NS);
	machine_next = MIN(machine_next, turn_end);
}

void cpu_raise_nmi(unsigned id)
{
	lcpus[id].nmi = true;
	turn_end = machine_now;
	machine_next = 0;
}

void cpu_set_timer(uint64_t at)
{
	lcpu->timer = at;
	machine_next = MIN(machine_next, at);
}

/* When the next thing happens by itself. */
static uint64_t first_event(void)
{
	uint64_t first = devices_next();

	for (unsigned i = 0; i < MAX_CPUS; i++)
		if (lcpus[i].started)
			first = MIN(first, lcpus[i].timer);
	return first;
}

/* What is due by now happens: interrupts become pending. */
static void events(void)
{
	devices_look();
	for (unsigned i = 0; i < MAX_CPUS; i++) {
		if (!lcpus[i].started || lcpus[i].timer > machine_now)
			continue;
		lcpus[i].timer = NEVER;
		cpu_raise(i, VEC_TIMER);
	}
}

/* The highest pending vector first, as an APIC does. */
static unsigned take_highest(void)
{
	for (int word = 3; word >= 0; word--) {
		uint64_t bits = lcpu->pending[word];
		unsigned bit;

		if (!bits)
			continue;
		bit = 63 - (unsigned)__builtin_clzll(bits);
		lcpu->pending[word] &= ~(1ull << bit);
		return (unsigned)word * 64 + bit;
	}
	return 0;
}

static void __attribute__((noinline)) take_interrupt(void)
{
	struct trap_frame tf = {.vector = take_highest(),
				.rip = (uintptr_t)__builtin_return_address(0),
				.rbp = (uintptr_t)__builtin_frame_address(0),
				.rflags = RFLAGS_IF};

	tf.rsp = tf.rbp;
	lcpu->irq_on = false;
	trap_dispatch(&tf);
	lcpu->irq_on = true;
}

/* The running CPU looks up from its work, with its flag on. */
static void __attribute__((noinline)) attend(void)
{
	struct lcpu *other;

	events();
	if (machine_now >= turn_end) {
		other = next_cpu();
		turn_end = machine_now + turn_length();
		if (other)
			run_cpu(other);
	}
	if (lcpu->nmi)
		take_nmi();
	while (lcpu->irq_on && pending(lcpu))
		take_interrupt();
	machine_next = MIN(first_event(), turn_end);
}

void cpu_look(uint64_t ns)
{
	machine_now += ns;
	if (unlikely(machine_now >= machine_next) && lcpu->irq_on)
		attend();
}

/*
 * The kernel has not looked up for so long that it must be in a loop without a look, as a thread
 * may be that is to be preempted. It is interrupted where it is, if it lets itself be; where its
 * signal came from decides nothing else, so runs that look up are the same every time.
 */
void machine_tick(struct host_frame *f, uint64_t unused)
{
	extern const char __text_start[], __text_end[];
	static uint64_t last;
	bool stuck = last == machine_now;

	(void)unused;
	last = machine_now;
	if (!stuck || !lcpu->irq_on || f->rip < (uintptr_t)__text_start ||
	    f->rip >= (uintptr_t)__text_end)
		return;
	machine_now += STUCK_NS;
	events();
	if (!pending(lcpu) && !next_cpu())
		return;
	f->vector = pending(lcpu) ? take_highest() : VEC_TURN;
	mmu_deliver(f);
}

/* What it waits for in its loop may be another CPU's to do. */
static void give_turn(void)
{
	struct lcpu *other = next_cpu();

	if (other)
		run_cpu(other);
}

/* Nobody can run before something happens. */
static void idle(void)
{
	uint64_t first = first_event();

	if (uart_wants()) {
		if (uart_wait(first == NEVER ? NEVER : first - machine_now))
			return;
	} else if (first == NEVER) {
		kprintf("machine: every CPU is halted and nothing is due: this run cannot go on\n");
		host_exit(3);
	}
	machine_now = MAX(machine_now, first);
}

/* ---- the instructions about it (kernel/cpu/cpu.h) */

bool irqs_enabled(void)
{
	return lcpu->irq_on;
}

uint64_t irq_save(void)
{
	uint64_t flags = lcpu->irq_on ? RFLAGS_IF : 0;

	lcpu->irq_on = false;
	return flags;
}

void irq_disable(void)
{
	lcpu->irq_on = false;
}

void irq_enable(void)
{
	lcpu->irq_on = true;
	cpu_look(LOOK_NS);
}

void cpu_pause(void)
{
	struct lcpu *other = next_cpu();

	machine_now += other ? 40 : 200;
	if (lcpu->irq_on && (machine_now >= machine_next || pending(lcpu)))
		attend();
	else if (machine_now >= machine_next)
		events(); /* of other CPUs, which this one may be waiting for */
	other = next_cpu();
	if (other)
		run_cpu(other);
}

void cpu_halt_enabled(void)
{
	lcpu->irq_on = true;
	lcpu->halted = true;
	for (;;) {
		struct lcpu *other;

		events();
		if (pending(lcpu) || lcpu->nmi)
			break;
		other = next_cpu();
		if (other)
			run_cpu(other);
		else
			idle();
	}
	lcpu->halted = false;
	attend();
}

void cpu_halt_forever(void)
{
	struct lcpu *other;

	for (;;) {
		lcpu->started = false;
		other = next_cpu();
		if (!other)
			host_exit(3);
		run_cpu(other);
	}
}

uint64_t cpu_ticks(void)
{
	cpu_look(20);
	return machine_now;
}

/* ---- exceptions, on the stack of what caused them (entry.asm) */

void host_exception(struct trap_frame *tf)
{
	if (tf->vector == VEC_TURN) {
		give_turn();
		return;
	}
	lcpu->irq_on = false;
	trap_dispatch(tf);
	breakpoint_step_over(tf);
	lcpu->irq_on = tf->rflags & RFLAGS_IF;
}

void host_page_fault(struct trap_frame *tf, uint64_t addr)
{
	if (!trap_page_fault_handler(tf, addr))
		trap_fault_refused(tf, addr);
	lcpu->irq_on = tf->rflags & RFLAGS_IF;
}
