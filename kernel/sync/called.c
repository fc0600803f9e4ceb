/* SPDX-License-Identifier: MIT */
/*
 * What sync.h and cpu.h have in line, as functions, for code that is linked into every build. Each
 * is what this build makes of it: an event of the explorer's, a lock whose order is noted, or the
 * bare words.
 */
#include "kernel/kernel.h"

bool cpu_irqs_enabled(void)
{
	return irqs_enabled();
}

void spin_lock_called(struct spinlock *l)
{
	spin_lock(l);
}

void spin_unlock_called(struct spinlock *l)
{
	spin_unlock(l);
}

void down_read_called(struct rwsem *s)
{
	down_read(s);
}

void up_read_called(struct rwsem *s)
{
	up_read(s);
}

unsigned wait_bucket_called(const void *key)
{
	return wait_bucket(key);
}

void lock_order_drop_called(const void *lock, enum lock_kind kind)
{
	lock_order_drop(lock, kind);
}

void lock_order_nested_called(const char *why)
{
	lock_order_nested(why);
}
