/* SPDX-License-Identifier: MIT */
/*
 * Leases: promises about the blocks of a file, which whoever changes the blocks has to break first.
 *
 * A lease says "while I live, this file's blocks stay where they are". Of the two classes,
 *   LEASE_LAYOUT     belongs to whoever knows the blocks by number (a pNFS server, a mapping with
 *                    MAP_DIRECT, a device that was given such a mapping's pages): every write and
 *                    every change of the layout breaks it;
 *   LEASE_ALLOCATED  is a get_user_pages() call's of the lifetime lease-poll: only what takes
 *                    blocks away breaks it. It needs a class of its own, since a read into a
 *                    mapping of the very file that is read breaks LEASE_LAYOUT itself.
 *
 * A break has two phases.
 *   told     At once, once per break, with the leases locked: the owner's ops->told, which must not
 *            sleep; and a notice to the holder's thread that names the file and the holder.
 *   revoked  When the break time is over and the lease is still there: ops->revoke, in a thread of
 *            its own that may sleep. It takes away by force what the owner did not give back.
 * Then the lease is off the list, and the breaker goes on. An owner that unlocks its lease before
 * that is never revoked. Nothing cancels a break that was begun.
 */
#ifndef DAX_LEASE_LEASE_H
#define DAX_LEASE_LEASE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#define LEASE_LAYOUT	1u
#define LEASE_ALLOCATED 2u
#define LEASE_ALL	(LEASE_LAYOUT | LEASE_ALLOCATED)

struct lease;
struct lease_ops {
	const char *what; /* whose, for reports: "MAP_DIRECT" */
	/* Somebody wants the lease away. Leases locked: may not sleep, and calls nothing of this
	 * header. May set until_ns (zero: the owner will unlock, and no deadline ends the lease).
	 * True: at once, without the break time. NULL: false. */
	bool (*told)(struct lease *l);
	/* The time is over, or the owner said "at once". When it returns nobody reaches the file's
	 * blocks by this lease any more. No lock held, may sleep, but not for this lease's owner or
	 * breaker. Not called for a lease that is unlocked in time. NULL: there is nothing to take
	 * away. */
	void (*revoke)(struct lease *l);
	/* It left the list, whatever the reason. Not locked; may sleep. May free the lease, unless
	 * the owner unlocks it too. */
	void (*gone)(struct lease *l);
};
struct lease {
	/* Filled in by the owner, before lease_set(). */
	const struct lease_ops *ops;
	const char *file; /* its name, for reports; NULL: it has none */
	const char *name; /* of the holder, "m1" or "memory region 2"; NULL: it has none */
	unsigned tid;	  /* the thread that is told by a notice; zero: none is */
	uint8_t class;	  /* LEASE_LAYOUT or LEASE_ALLOCATED */
	/* The lease core's. */
	bool pending;		 /* told: being broken, and not unlocked (UNLOCK_PENDING) */
	bool revoking;		 /* its revoke runs, or is over; zero means: its owner may unlock */
	struct lease_list *list; /* NULL: it is in none */
	uint64_t until_ns;	 /* pending: when it is revoked; zero: never */
	TAILQ_ENTRY(lease) link; /* of its file */
	TAILQ_ENTRY(lease) due;	 /* pending with a deadline: in the order of these */
	TAILQ_ENTRY(lease) all;
};
/* A file's. Usable after lease_list_init(). */
struct lease_list {
	TAILQ_HEAD(, lease) leases; /* oldest first: told and revoked in the order they were set */
	uint64_t gone;		    /* moves on when a lease left; zero: none ever did */
	uint32_t layouts; /* of them LEASE_LAYOUT; zero: who breaks those has nothing to do */
	bool regular;	  /* its file may have leases: regular, or a device-dax node */
};
void lease_list_init(struct lease_list *ll, bool regular);

extern uint64_t lease_break_time_ns; /* what an owner has, 45 s at boot; zero: no limit */
extern bool leases_enabled;
/* How often a sleeper for a lease woke and looked again; zero: nobody ever waited for one. */
extern unsigned long lease_wakes;

/*
 * Sets a lease. `may`: its owner owns the file, or may lease any. 0, or in this order: -EACCES (it
 * may not), -EINVAL (no regular file; leases are disabled), -EAGAIN (one of the file's leases is
 * being broken; LEASE_ALLOCATED does not mind another LEASE_ALLOCATED that is). Any sleepable
 * context.
 *
 * Publishing. lease_break() looks without a lock whether there is any lease of its classes. So the
 * lease must be in the list before its owner looks whether a change is under way, with a full
 * barrier in between, and a change must be visible before it looks for leases: else both miss each
 * other, and a promise is given about blocks that are just going. For files both looks are the
 * fault lock: the change holds it, and layout_lease_set() sets the lease while it holds it for
 * writing.
 */
int lease_set(struct lease_list *ll, struct lease *l, bool may);
/*
 * Breaks every lease of `classes`. What the breaker is about to do must be visible before (it holds
 * the fault lock, or set its mark and passed a full barrier), since the first look is without a
 * lock. 0: there is none (left). -EWOULDBLOCK: some are being broken now, and `wait` was false.
 * -EINTR: a signal came first. With `wait`, sleeps; woken by: the lease that leaves the list, by
 * lease_unlock() or by the revoker. One without a deadline is looked at again every tick (10 ms).
 * The sleeper holds neither io_lock nor fault lock.
 */
static inline int lease_break(struct lease_list *ll, unsigned classes, bool wait);
int lease_break_some(struct lease_list *ll, unsigned classes, bool wait); /* there may be some */
/* Gives a lease back: off the list, breakers woken, ops->gone. If its revoke runs, waits until that
 * and ops->gone are over; woken by: the revoker. No effect if it is in no list. The lease is its
 * owner's alone when this returns. Never from within its own told, revoke or gone. */
void lease_unlock(struct lease *l);
/* For the revoker, and for a scenario that plays it: returns when a lease is due, and revokes the
 * one that is due first, if one is by `now`; false: none. One thread at a time; sleepable. */
void lease_wait_due(void);
bool lease_revoke_due(uint64_t now);
/* The file goes: its leases go first, and nobody is asked. Sleepable; waits as lease_unlock(). */
void lease_drop_all(struct lease_list *ll);
/* Leases of these classes right now. */
unsigned lease_count(struct lease_list *ll, unsigned classes);
/* Calls fn for every lease there is, oldest first, under the lock: fn may not sleep. */
void lease_for_each(void (*fn)(const struct lease *l, void *arg), void *arg);

/*
 * The lease of a client: somebody who got pages of a mapping by get_user_pages() and has a device
 * that reaches them, which no unmapping stops. In the order of their calls:
 *
 *   direct_lease_take()  before the pages are taken, with mmap_lock held for reading
 *   ops->told            at most once, when the blocks are to change: the client has
 *                        lease_break_time to end by itself. Under a spinlock; may be NULL
 *   ops->revoke          at most once, when that time is over and the lease was not ended. In the
 *                        revoker's thread, which may sleep. When it returns the device must not
 *                        reach the pages any more (translation cut, its cache flushed, transfers
 *                        that were on their way over), and the pages are put: the breaker goes on,
 *                        and designs that wait for held pages would wait for these. What the device
 *                        knows them by (bus addresses) stays taken until the client lets go itself
 *   direct_lease_end()   once, whatever came of it: told, revoked or neither. Waits for a revoke
 *                        that runs; after it neither is called any more. Not from told or revoke
 */
struct direct_lease;
struct direct_lease_ops {
	const char *what; /* "a memory region" */
	void (*told)(struct direct_lease *l);
	void (*revoke)(struct direct_lease *l);
};
struct direct_lease {
	/* Filled in by the client; the rest zero. */
	const struct direct_lease_ops *ops;
	const char
		*name; /* which one, "region 2 of edu0"; stays valid until the end. May be NULL */
	unsigned tid;  /* thread whose notice it is, mostly the one that asked; zero: nobody's */
	/* Ours. */
	struct lease lease;
	struct lease_ops lease_ops;
	void *object;		   /* whose file it is, with a reference */
	void (*put)(void *object); /* gives that back; NULL: it is not held */
};
/* For the pages that `vma` shows; mmap_lock held for reading. -EOPNOTSUPP (the mapping gives no
 * leases: a file must be mapped with MAP_DIRECT), -ENXIO (its own lease is being broken, or is
 * gone), and the errors of lease_set(), each with a sentence. */
int direct_lease_take(struct vma *vma, struct direct_lease *l);
void direct_lease_end(struct direct_lease *l);
/* For what gives leases (lease_direct): l->lease becomes a layout lease of `file`, not set yet. */
void direct_lease_fill(struct direct_lease *l, const char *file);
/* Is its break under way, or over? Any context. */
static inline bool direct_lease_is_broken(const struct direct_lease *l)
{
	return __atomic_load_n(&l->lease.pending, __ATOMIC_ACQUIRE);
}

/* In line: every write asks, and nearly no file has leases. */
static inline int lease_break(struct lease_list *ll, unsigned classes, bool wait)
{
	if (likely(!__atomic_load_n(&ll->leases.tqh_first, __ATOMIC_ACQUIRE)))
		return 0;
	return lease_break_some(ll, classes, wait);
}

#endif
