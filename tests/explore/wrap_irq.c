/* SPDX-License-Identifier: MIT */
/*
 * What kernel/cpu does, under the explorer: the interrupt flag, calls to other CPUs, fences, spins.
 *
 * The linker turns every call of X in another object into one of __wrap_X (Makefile, WRAPS);
 * __real_X is the function itself. Without .interrupts in the scenario the interrupt flag is kept
 * as a value and is no event, since nobody could notice.
 */
#include "tests/explore/internal.h"

#define RFLAGS_IF (1ull << 9)
#define HERE	  __builtin_return_address(0)

uint64_t __real_irq_save(void), __wrap_irq_save(void);
void __real_irq_enable(void), __wrap_irq_enable(void);
void __real_irq_disable(void), __wrap_irq_disable(void);
void __real_cpu_pause(void), __wrap_cpu_pause(void);
void __real_smp_mb(void), __wrap_smp_mb(void);
void __real_store_fence(void), __wrap_store_fence(void);
void __real_cache_writeback(const void *p, size_t n),
	__wrap_cache_writeback(const void *p, size_t n);
struct cpu *__real_cpu_by_id(unsigned id), *__wrap_cpu_by_id(unsigned id);
uint32_t __real_cpus_online(void), __wrap_cpus_online(void);
void __real_cpu_call(uint32_t mask, void (*fn)(void *), void *arg);
void __wrap_cpu_call(uint32_t mask, void (*fn)(void *), void *arg);

bool explore_irqs_enabled(void)
{
	return x_on() ? x.state.irq_on[cpu_id()] : machine_irqs_enabled();
}

static void set_irqs(bool on, const void *pc)
{
	unsigned cpu = x.me->cpu;
	struct x_op *op;

	if (x.state.irq_on[cpu] == on)
		return;
	if (x.interrupts && x.me->role == X_THREAD) {
		if (on)
			x_halts_wait();
		op = x_op(on ? X_IRQ_ON : X_IRQ_OFF, pc);
		x_add(op, x_how(X_PLACE_IRQ(cpu), X_WRITE | (on ? X_GIVE : X_TAKE)));
		op->what = "interrupts";
		x_wait_turn();
		x_live = true;
	}
	x.state.irq_on[cpu] = on;
}

uint64_t __attribute__((noinline)) __wrap_irq_save(void)
{
	uint64_t flags;

	if (!x_on())
		return __real_irq_save();
	flags = x.state.irq_on[x.me->cpu] ? RFLAGS_IF : 0;
	set_irqs(false, HERE);
	return flags;
}

void __wrap_irq_enable(void)
{
	if (x_on())
		set_irqs(true, HERE);
	else
		__real_irq_enable();
}

void __wrap_irq_disable(void)
{
	if (x_on())
		set_irqs(false, HERE);
	else
		__real_irq_disable();
}

/* The turn comes when what the loop has looked at since its last turn was changed by another. */
void __wrap_cpu_pause(void)
{
	struct x_op *op;

	if (!x_on()) {
		__real_cpu_pause();
		return;
	}
	if (x.me->quiet)
		x_fail("a loop waits for another thread inside of what must not be interrupted");
	x_halts_wait();
	op = x_op(X_PAUSE, HERE);
	for (unsigned i = 0; i < x.me->nr_looked && i < X_PLACES; i++)
		x_add(op, x_how(x.me->looked[i], X_TAKE));
	x_wait_turn();
	x.me->nr_looked = 0;
	x.me->looked_from = (uint16_t)x.state.depth;
	x_live = true;
}

static void fence(const void *pc)
{
	struct x_op *op;

	if (!x.opt.tso || x.me->quiet || x_tso_empty(x.me->cpu))
		return;
	op = x_op(X_FENCE, pc);
	x_locked(op, x.me->cpu);
	x_wait_turn();
	x_live = true;
}

void __wrap_smp_mb(void)
{
	if (x_on())
		fence(HERE);
	else
		__real_smp_mb();
}

void __attribute__((noinline)) x_fence(void)
{
	fence(HERE);
}

/* On x86 the order of ordinary stores is kept anyway; what sfence adds is about persistence. */
void __wrap_store_fence(void)
{
	if (!x_on())
		__real_store_fence();
}

void __wrap_cache_writeback(const void *p, size_t n)
{
	if (!x_on())
		__real_cache_writeback(p, n);
}

struct cpu *__wrap_cpu_by_id(unsigned id)
{
	if (!x_on())
		return __real_cpu_by_id(id);
	return id < x.nr_threads ? &x_cpu[id] : NULL;
}

uint32_t __wrap_cpus_online(void)
{
	return x_on() ? (1u << x.nr_threads) - 1 : __real_cpus_online();
}

/* ---- calls to other CPUs */

void x_calls_reset(void)
{
	x.state.calls = 0;
}

static void post(unsigned cpu, void (*fn)(void *), void *arg, uint32_t *pending, unsigned n,
		 const void *pc)
{
	struct x_op *op = x_op(X_IPI, pc);

	x_irq_say(op, cpu);
	op->what = x.sc->thread[cpu].name;
	x_locked(op, x.me->cpu);
	x_wait_turn();
	x_irq_post(cpu, fn, arg, pending, n);
	x_live = true;
}

static void wait_for_answers(const uint32_t *pending, unsigned n, const void *pc)
{
	struct x_op *op = x_op(X_IPI_WAIT, pc);

	x_halts_wait();
	x_add(op, x_how(X_PLACE_IPI(n), X_WRITE | X_TAKE));
	op->arg = pending;
	x_wait_turn();
	x_live = true;
}

void __wrap_cpu_call(uint32_t mask, void (*fn)(void *), void *arg)
{
	uint32_t others, pending;
	uint64_t flags;
	unsigned n;

	if (!x_on()) {
		__real_cpu_call(mask, fn, arg);
		return;
	}
	mask &= (1u << x.nr_threads) - 1;
	others = mask & ~(1u << x.me->cpu);
	if (others && (!x.state.irq_on[x.me->cpu] || in_interrupt()))
		x_stop("I4", "a call to other CPUs with interrupts off: two callers wait for each "
			     "other for ever");
	n = x.state.calls++ % 32;
	pending = (uint32_t)__builtin_popcount(others);
	for (uint32_t left = others; left; left &= left - 1)
		post((unsigned)__builtin_ctz(left), fn, arg, &pending, n, HERE);
	if (mask & 1u << x.me->cpu) {
		flags = __wrap_irq_save();
		fn(arg);
		irq_restore(flags);
	}
	if (others)
		wait_for_answers(&pending, n, HERE);
}
