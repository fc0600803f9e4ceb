/* SPDX-License-Identifier: MIT */
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
#ifndef KERNEL_SYNC_WAIT_H
#define KERNEL_SYNC_WAIT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

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

/* ---- for wakers on measured paths */
#define WAIT_BUCKET_BITS 8
extern uint32_t wait_counts[1u << WAIT_BUCKET_BITS]; /* waiters enlisted, by bucket */
/* Fibonacci hashing: the top bits of a product with 2^64 / golden ratio are well mixed. */
static inline unsigned wait_bucket(const void *key)
{
	return (unsigned)((uintptr_t)key * 0x9e3779b97f4a7c15ull >> (64 - WAIT_BUCKET_BITS));
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

#define wait_event(key, cond, what, waker)                                                         \
	do {                                                                                       \
		struct waiter w__ = {0};                                                           \
		for (;;) {                                                                         \
			wait_prepare(&w__, key, what, waker);                                      \
			if (cond)                                                                  \
				break;                                                             \
			wait_sleep(&w__);                                                          \
		}                                                                                  \
		wait_finish(&w__);                                                                 \
	} while (0)

/* As wait_event(), but a signal ends it: value 0 (condition true) or -EINTR. */
#define wait_event_interruptible(key, cond, what, waker)                                           \
	({                                                                                         \
		struct waiter w__ = {0};                                                           \
		int ret__ = 0;                                                                     \
		for (;;) {                                                                         \
			wait_prepare(&w__, key, what, waker);                                      \
			w__.interruptible = true;                                                  \
			if (cond)                                                                  \
				break;                                                             \
			if (signal_pending()) {                                                    \
				ret__ = -EINTR;                                                    \
				break;                                                             \
			}                                                                          \
			wait_sleep(&w__);                                                          \
		}                                                                                  \
		wait_finish(&w__);                                                                 \
		ret__;                                                                             \
	})

/* As wait_event(), no later than `deadline_ns`: value true if the condition held in time. */
#define wait_event_until(key, cond, deadline_ns, what, waker)                                      \
	({                                                                                         \
		struct waiter w__ = {0};                                                           \
		bool ok__ = true;                                                                  \
		for (;;) {                                                                         \
			wait_prepare(&w__, key, what, waker);                                      \
			if (cond)                                                                  \
				break;                                                             \
			if (!wait_sleep_until(&w__, deadline_ns)) {                                \
				ok__ = (cond);                                                     \
				break;                                                             \
			}                                                                          \
		}                                                                                  \
		wait_finish(&w__);                                                                 \
		ok__;                                                                              \
	})

#endif
