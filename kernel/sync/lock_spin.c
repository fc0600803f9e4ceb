/* SPDX-License-Identifier: MIT */
/*
 * Spinlocks: one word, taken by compare-exchange.
 *
 * Acquire: nothing after the lock moves before it. Release: nothing before the unlock moves after
 * it. On x86 that is `lock cmpxchg` and a plain store. While the lock is busy we only read, so that
 * the cache line stays shared until it is worth another try. The word names the CPU that holds it:
 * that costs nothing and turns two classic bugs, taking twice and releasing another's, into
 * sentences. Taking and releasing one that nobody else wants is in internal.h.
 */
#include "kernel/kernel.h"

STEP_POINT_DECLARE(spin_lock_waits);

void spin_init(struct spinlock *l, const char *name)
{
	l->locked = 0;
	l->name = name;
}

bool spin_trylock(struct spinlock *l)
{
	uint32_t free = 0;

	preempt_disable();
	if (__atomic_compare_exchange_n(&l->locked, &free, 1 + cpu_id(), false, __ATOMIC_ACQUIRE,
					__ATOMIC_RELAXED)) {
		lock_order_take(l, l->name, LOCK_SPIN, true);
		return true;
	}
	preempt_enable();
	return false;
}

/* Waits until the holder lets go, or tells why it never will. Preemption is off. */
void spin_lock_slowly(struct spinlock *l)
{
	uint32_t seen, me = 1 + cpu_id();

	STEP_POINT(spin_lock_waits); /* it was taken; preemption is off */
	do {
		while ((seen = __atomic_load_n(&l->locked, __ATOMIC_RELAXED)) != 0) {
			if (unlikely(seen == me))
				panic("spinlock '%s' taken twice by CPU %u", l->name, me - 1);
			cpu_pause();
		}
	} while (!__atomic_compare_exchange_n(&l->locked, &seen, me, false, __ATOMIC_ACQUIRE,
					      __ATOMIC_RELAXED));
}

void spin_unlock_wrongly(const struct spinlock *l)
{
	panic("spinlock '%s' released by CPU %u, but %s%u", l->name, cpu_id(),
	      l->locked ? "it is held by CPU " : "it is free: state ",
	      l->locked ? l->locked - 1 : 0);
}

uint64_t spin_lock_irqsave(struct spinlock *l)
{
	uint64_t flags = irq_save();

	spin_lock(l);
	return flags;
}

/* Interrupts back on before preemption: the last preempt_enable() then makes up for a switch that
 * an interrupt asked for in between. */
void spin_unlock_irqrestore(struct spinlock *l, uint64_t flags)
{
	if (unlikely(l->locked != 1 + cpu_id()))
		spin_unlock_wrongly(l);
	lock_order_drop(l, LOCK_SPIN);
	__atomic_store_n(&l->locked, 0, __ATOMIC_RELEASE);
	irq_restore(flags);
	preempt_enable();
}

bool spin_held(const struct spinlock *l)
{
	uint64_t flags = irq_save();
	bool held = __atomic_load_n(&l->locked, __ATOMIC_RELAXED) == 1 + cpu_id();

	irq_restore(flags);
	return held;
}
