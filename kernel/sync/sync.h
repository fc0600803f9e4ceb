/* SPDX-License-Identifier: MIT */
/*
 * Locks, and proof that they are held.
 *
 *   spinlock  short, never sleeps; disables preemption. *_irqsave also keeps interrupts out: needed
 *             for every lock that an interrupt handler takes.
 *   mutex     sleeps (its wait tells `ps` who holds it).
 *   rwsem     many readers or one writer; a waiting writer keeps new readers out, so writers do not
 *             starve. A reader must not take it again while it holds it.
 *
 * All are usable zeroed but for the name: X_INIT("name") or x_init(&x, "name"). Taking a lock twice
 * on one thread, or releasing another's, is a panic that names the lock and its holder.
 */
#ifndef KERNEL_SYNC_SYNC_H
#define KERNEL_SYNC_SYNC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "kernel/cpu/cpu.h"
#include "kernel/sched/sched.h"

/* What differs between the builds is in line, or, in code that is linked into all of them
 * (ANY_BUILD in kernel/lib/lib.h), a function with another name: called.c. */
#ifdef ANY_BUILD
#define IN_LINE		  extern
#define spin_lock	  spin_lock_called
#define spin_unlock	  spin_unlock_called
#define down_read	  down_read_called
#define up_read		  up_read_called
#define rwsem_held_write  rwsem_held_write_called
#define might_sleep	  might_sleep_called
#define wait_bucket	  wait_bucket_called
#define wait_maybe	  wait_maybe_called
#define lock_order_drop	  lock_order_drop_called
#define lock_order_nested lock_order_nested_called
#else
#define IN_LINE static inline
#endif

struct spinlock {
	uint32_t locked; /* zero means free; else 1 + id of the CPU that holds it */
	const char *name;
};
#define SPINLOCK_INIT(n)                                                                           \
	{                                                                                          \
		0, n                                                                               \
	}
void spin_init(struct spinlock *l, const char *name);
IN_LINE void spin_lock(struct spinlock *l);
IN_LINE void spin_unlock(struct spinlock *l);
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
IN_LINE void down_read(struct rwsem *s); /* sleeps; woken by: up_write(), up_read() */
bool down_read_trylock(struct rwsem *s);
IN_LINE void up_read(struct rwsem *s);
void down_write(struct rwsem *s);
bool down_write_trylock(struct rwsem *s);
void up_write(struct rwsem *s);
bool rwsem_held(const struct rwsem *s);		      /* by anyone, either way */
IN_LINE bool rwsem_held_write(const struct rwsem *s); /* by the current thread, for writing */
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
const char *global_lock_held(void);	 /* the name of one, NULL: none */
void held_print(const struct thread *t); /* the sleeping locks that t holds, for reports */

/* Panics when the caller may not sleep: in an interrupt, or with preemption or interrupts off. */
IN_LINE void might_sleep(void);
bool may_sleep(void); /* the question without the panic */

/*
 * Sleeping until something is true.
 *
 * Wait queues are hashed by the address waited for, so that a 32-byte page record needs no queue of
 * its own. A waiter says in plain words what it waits for and who will wake it; `ps` prints both.
 *
 *     wait_event(&page->state, page_idle(page), "page 0x… idle", "last put of the page");
 *
 * The waker changes the condition, then calls wake_up(key). The waiter enlists, then tests: enlist
 * before test, else a wake between test and enlist is lost. Spurious wakes are allowed: two keys
 * may share a bucket, and every waiter tests its own condition again.
 */

struct thread;

struct waiter {
	const void *key;
	struct thread *thread;
	const char *what, *waker; /* literals or storage that outlives the wait */
	uint64_t since_ns;
	bool woken;	    /* zero means: not since the last wait_prepare() */
	bool interruptible; /* zero means: thread_signal() does not end the sleep */
	bool timed_out;	    /* set by the deadline's timer */
	bool enlisted;	    /* zero means: in no queue; written by the waiter itself */
	TAILQ_ENTRY(waiter) link;
};

/* The three steps under wait_event(). Thread context, interrupts enabled, no spinlock held. *w must
 * be zeroed before its first wait_prepare(): `since` is the time of the first one. A sleep takes
 * the waiter off its queue, so each round prepares again. */
void wait_prepare(struct waiter *w, const void *key, const char *what, const char *waker);
/* Until woken (at once if it already was), or signalled if w->interruptible was set after prepare.
 */
void wait_sleep(struct waiter *w);
/* As wait_sleep(), but no later than `deadline_ns` of clock_ns(). False: the deadline passed. */
bool wait_sleep_until(struct waiter *w, uint64_t deadline_ns);
void wait_finish(struct waiter *w);
/* True when thread_signal() was called for the current thread and not yet consumed. */
bool signal_pending(void);

/* Wakes every waiter on `key`. Any context, interrupts included. Returns how many were woken. */
int wake_up(const void *key);
/* Waiters on `key` right now. Zero means nobody would notice a wake. */
int waiters_on(const void *key);

void wait_init(void); /* boot CPU, before the first wait */

/* ---- for wakers on measured paths */
#define WAIT_BUCKET_BITS 8
#ifdef ANY_BUILD
unsigned wait_bucket(const void *key);
bool wait_maybe(const void *key);
#else
#if EXPLORE_BUILD
/* Which keys meet in a bucket is no accident of addresses while the explorer runs: it has buckets
 * of its own, behind the others (tests/explore/wrap_sched.c). */
#define EXPLORE_BUCKETS 32u
#define WAIT_BUCKETS	((1u << WAIT_BUCKET_BITS) + EXPLORE_BUCKETS)
unsigned explore_bucket(const void *key, unsigned by_address);
#else
#define WAIT_BUCKETS		     (1u << WAIT_BUCKET_BITS)
#define explore_bucket(key, address) (address)
#endif
extern uint32_t wait_counts[WAIT_BUCKETS]; /* waiters enlisted, by bucket */
/* Fibonacci hashing: the top bits of a product with 2^64 / golden ratio are well mixed. */
static inline unsigned wait_bucket(const void *key)
{
	return explore_bucket(
		key, (unsigned)((uintptr_t)key * 0x9e3779b97f4a7c15ull >> (64 - WAIT_BUCKET_BITS)));
}
/*
 * Might somebody wait for key? For wakers that just changed the condition by a locked instruction:
 * it is the full barrier between the change and this look (else a waiter that saw the old condition
 * is missed), and saves the one in wake_up().
 */
static inline bool wait_maybe(const void *key)
{
	return __atomic_load_n(&wait_counts[wait_bucket(key)], __ATOMIC_RELAXED) != 0;
}
#endif

/* What was woken is off the queue, and tests there first: mostly the condition is true by then, and
 * it need not enlist once more to find that out. */
#define wait_event(key, cond, what, waker)                                                         \
	do {                                                                                       \
		struct waiter w__ = {0};                                                           \
		do {                                                                               \
			wait_prepare(&w__, key, what, waker);                                      \
			if (cond)                                                                  \
				break;                                                             \
			wait_sleep(&w__);                                                          \
		} while (!(cond));                                                                 \
		wait_finish(&w__);                                                                 \
	} while (0)

/* As wait_event(), but a signal ends it: value 0 (condition true) or -EINTR. */
#define wait_event_interruptible(key, cond, what, waker)                                           \
	({                                                                                         \
		struct waiter w__ = {0};                                                           \
		int ret__ = 0;                                                                     \
		do {                                                                               \
			wait_prepare(&w__, key, what, waker);                                      \
			w__.interruptible = true;                                                  \
			if (cond)                                                                  \
				break;                                                             \
			if (signal_pending()) {                                                    \
				ret__ = -EINTR;                                                    \
				break;                                                             \
			}                                                                          \
			wait_sleep(&w__);                                                          \
		} while (!(cond));                                                                 \
		wait_finish(&w__);                                                                 \
		ret__;                                                                             \
	})

/* As wait_event(), no later than `deadline_ns`: value true if the condition held in time. */
#define wait_event_until(key, cond, deadline_ns, what, waker)                                      \
	({                                                                                         \
		struct waiter w__ = {0};                                                           \
		bool ok__ = true;                                                                  \
		do {                                                                               \
			wait_prepare(&w__, key, what, waker);                                      \
			if (cond)                                                                  \
				break;                                                             \
			if (!wait_sleep_until(&w__, deadline_ns)) {                                \
				ok__ = (cond);                                                     \
				break;                                                             \
			}                                                                          \
		} while (!(cond));                                                                 \
		wait_finish(&w__);                                                                 \
		ok__;                                                                              \
	})

/*
 * Lock order, watched: the debug build (make run DEBUG=1) notes in which order locks are taken.
 *
 * Locks of one name are one class. Taking B while A is held is the order A → B; when the order
 * B → A, directly or over others, was ever seen, two threads can wait for each other for ever, and
 * that is a warning with both places, at the first time, whether or not anybody waits. Sleeping
 * locks and the lock bits of index entries take part. See lock_order.c for what else is watched.
 *
 * In the plain build all of this is nothing.
 */

enum lock_kind { LOCK_SPIN, LOCK_SLEEP, LOCK_BIT };

#if defined(ANY_BUILD) || DEBUG_BUILD
/* The caller is about to wait for `lock`, or, `tried`, has it by a try that never waits. */
void lock_order_take(const void *lock, const char *name, enum lock_kind kind, bool tried);
void lock_order_drop(const void *lock, enum lock_kind kind);
/* The next lock that this thread takes may be of a class that it holds already: its instances have
 * an order of their own, which the caller keeps and which `why` states. */
void lock_order_nested(const char *why);
#else
static inline void lock_order_take(const void *lock, const char *name, enum lock_kind kind,
				   bool tried)
{
	(void)lock, (void)name, (void)kind, (void)tried;
}
static inline void lock_order_drop(const void *lock, enum lock_kind kind)
{
	(void)lock, (void)kind;
}
static inline void lock_order_nested(const char *why)
{
	(void)why;
}
#endif

/* For tests: warnings go to `fn` (its text, without a line end) and are no warnings; NULL: as ever.
 */
void lock_order_divert(void (*fn)(const char *text));
/* Forgets what was seen of the classes whose names begin with `prefix`; none of them is held. */
void lock_order_forget(const char *prefix);

/* The bodies of what is in line; it needs what is above. */
#ifndef ANY_BUILD
#include "kernel/sync/internal.h"
#endif

#endif
