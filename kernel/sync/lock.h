/* SPDX-License-Identifier: MIT */
/*
 * Locks, and proof that they are held.
 *
 *   spinlock  short, never sleeps; disables preemption. *_irqsave also keeps interrupts out: needed
 *             for every lock that an interrupt handler takes.
 *   mutex     sleeps (wait.h tells `ps` who holds it).
 *   rwsem     many readers or one writer; a waiting writer keeps new readers out, so writers do not
 *             starve. A reader must not take it again while it holds it.
 *
 * All are usable zeroed but for the name: X_INIT("name") or x_init(&x, "name"). Taking a lock twice
 * on one thread, or releasing another's, is a panic that names the lock and its holder.
 */
#ifndef KERNEL_SYNC_LOCK_H
#define KERNEL_SYNC_LOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/cpu/cpu.h"
#include "kernel/cpu/insn.h"
#include "kernel/sync/lock_order.h"
#include "kernel/sched/thread.h"

struct spinlock {
	uint32_t locked; /* zero means free; else 1 + id of the CPU that holds it */
	const char *name;
};
#define SPINLOCK_INIT(n)                                                                           \
	{                                                                                          \
		0, n                                                                               \
	}
void spin_init(struct spinlock *l, const char *name);
static inline void spin_lock(struct spinlock *l);
static inline void spin_unlock(struct spinlock *l);
bool spin_trylock(struct spinlock *l);
uint64_t spin_lock_irqsave(struct spinlock *l);
void spin_unlock_irqrestore(struct spinlock *l, uint64_t flags);
bool spin_held(const struct spinlock *l); /* by this CPU */
#define assert_spin_held(l)                                                                        \
	ASSERT(spin_held(l), "spinlock '%s' must be held here by this CPU", (l)->name)

struct mutex {
	struct thread *owner; /* NULL means free */
	const char *name;
	bool global; /* strangers need it: see assert_no_global_lock() */
};
#define MUTEX_INIT(n)                                                                              \
	{                                                                                          \
		NULL, n, false                                                                     \
	}
#define MUTEX_INIT_GLOBAL(n)                                                                       \
	{                                                                                          \
		NULL, n, true                                                                      \
	}
void mutex_init(struct mutex *m, const char *name);
void mutex_lock(struct mutex *m); /* sleeps; woken by: mutex_unlock() of the holder */
bool mutex_trylock(struct mutex *m);
void mutex_unlock(struct mutex *m);
bool mutex_held(const struct mutex *m); /* by the current thread */
#define assert_mutex_held(m)                                                                       \
	ASSERT(mutex_held(m), "mutex '%s' must be held here by the current thread", (m)->name)

struct rwsem {
	union {
		struct {
			int32_t count;		  /* zero means free; > 0 readers; -1 one writer */
			uint32_t writers_waiting; /* zero means readers may enter */
		};
		uint64_t both; /* for readers: up to INT32_MAX they may enter; zero means free, and
				  no writer waits */
	};
	struct thread *writer; /* the holder for writing, else NULL */
	uint32_t writes; /* times it was held for writing; what a reader saw is as it was while this
			    stays the same */
	const char *name;
};
#define RWSEM_INIT(n)                                                                              \
	{                                                                                          \
		{{0, 0}}, NULL, 0, n                                                               \
	}
void rwsem_init(struct rwsem *s, const char *name);
static inline void down_read(struct rwsem *s); /* sleeps; woken by: up_write(), up_read() */
bool down_read_trylock(struct rwsem *s);
static inline void up_read(struct rwsem *s);
void down_write(struct rwsem *s);
bool down_write_trylock(struct rwsem *s);
void up_write(struct rwsem *s);
bool rwsem_held(const struct rwsem *s);			    /* by anyone, either way */
static inline bool rwsem_held_write(const struct rwsem *s); /* by the current thread, for writing */
#define assert_rwsem_held(s) ASSERT(rwsem_held(s), "rwsem '%s' must be held here", (s)->name)
#define assert_rwsem_held_write(s)                                                                 \
	ASSERT(rwsem_held_write(s), "rwsem '%s' must be held for writing by the current thread",   \
	       (s)->name)

/*
 * A waiter holds no lock that strangers need. A lock of one list of everything (mounts, the shell's
 * mappings, …) is global: whoever types a command takes it, the holder who is waited for as well.
 * Each place that sleeps until somebody lets a page, a lease or a device go, which may be never,
 * says so first: a panic that names the lock, if the current thread holds one. `what`: the wait.
 */
void assert_no_global_lock(const char *what);
const char *global_lock_held(void); /* the name of one, NULL: none */

/* Panics when the caller may not sleep: in an interrupt, or with preemption or interrupts off. */
static inline void might_sleep(void);
bool may_sleep(void); /* the question without the panic */

#include "kernel/sync/lock_fast.h"

#endif
