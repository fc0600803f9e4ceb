/* SPDX-License-Identifier: MIT */
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
#ifndef KERNEL_SYNC_LOCK_ORDER_H
#define KERNEL_SYNC_LOCK_ORDER_H

#include <stdbool.h>
#include <stdint.h>

#ifdef DEBUG
#define DEBUG_BUILD 1
#else
#define DEBUG_BUILD 0
#endif

enum lock_kind { LOCK_SPIN, LOCK_SLEEP, LOCK_BIT };

#define LOCK_ORDER_DEPTH  24
#define LOCK_ORDER_FRAMES 4

/* What is held: by a thread (what it may sleep with), or by a CPU (spinlocks). */
struct lock_holding {
	unsigned n; /* zero means nothing */
	struct lock_held {
		const void *lock;
		uint32_t class;
		uint32_t pc[LOCK_ORDER_FRAMES]; /* where it was taken; addresses less KERNEL_BASE */
	} at[LOCK_ORDER_DEPTH];
};

#if DEBUG_BUILD
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

#endif
