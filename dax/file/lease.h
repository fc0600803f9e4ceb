/* SPDX-License-Identifier: MIT */
/*
 * Leases: promises about the blocks of a file, which whoever changes the blocks has to break first.
 *
 * A lease says "while I live, this file's blocks stay where they are". Breaking one asks its owner
 * to give it back, once, and waits until he did or until his time is over. Of the two classes,
 *   LEASE_LAYOUT     is somebody's who knows the blocks by number (a pNFS server, a client of
 *                    MAP_DIRECT): every write and every change of the layout breaks it;
 *   LEASE_ALLOCATED  is a get_user_pages() call's of the lifetime lease-poll: only what takes
 *                    blocks away breaks it. It needs a class of its own, since a read into a
 *                    mapping of the very file that is read breaks LEASE_LAYOUT itself.
 */
#ifndef DAX_FILE_LEASE_H
#define DAX_FILE_LEASE_H

#include "mm/mm.h"

#define LEASE_LAYOUT	1u
#define LEASE_ALLOCATED 2u
#define LEASE_ALL	(LEASE_LAYOUT | LEASE_ALLOCATED)

struct lease;
struct lease_ops {
	const char *what; /* whose, for reports */
	/* Somebody wants the lease away; called once per break, with the list locked: it must not
	 * sleep. True: it goes at once. False: lease_unlock() will follow. May set until_ns. NULL:
	 * false. */
	bool (*breaking)(struct lease *l);
	/* It left the list: expired, unlocked, or its file went. Not locked; may sleep. */
	void (*gone)(struct lease *l);
};
struct lease {
	unsigned class;
	const struct lease_ops *ops;
	const void *owner;	 /* cookie; NULL: the shell */
	struct lease_list *list; /* NULL: it is in none */
	bool pending;		 /* being broken: no unlock yet (UNLOCK_PENDING) */
	uint64_t until_ns;	 /* when it expires, once it is pending; zero: never */
	LIST_ENTRY(lease) link;
};
/* A file's. Usable after lease_list_init(). */
struct lease_list {
	struct spinlock lock;
	LIST_HEAD(, lease) leases; /* lock */
	uint64_t gone;		   /* lock: leases that left; zero: none ever did */
	bool regular;		   /* of a regular file: others have no leases */
};
void lease_list_init(struct lease_list *ll, bool regular);

extern uint64_t lease_break_time_ns; /* what an owner has, 45 s at boot; zero: no limit */
extern bool leases_enabled;
/* How often a sleeper for a lease woke and looked again; zero: nobody ever waited for one. */
extern unsigned long lease_wakes;

/*
 * Sets a lease; the caller filled class, ops and owner. `may`: he owns the file, or may lease any.
 * 0, or in this order: -EACCES (he may not), -EINVAL (no regular file; leases are disabled),
 * -EAGAIN (one of the file's leases is being broken; LEASE_ALLOCATED does not mind another
 * LEASE_ALLOCATED that is). Any sleepable context.
 */
int lease_set(struct lease_list *ll, struct lease *l, bool may);
/*
 * Breaks every lease of `classes`. What the breaker is about to do must be visible before (he holds
 * the fault lock for writing, or set his mark and passed a barrier), since the first look is
 * without a lock. 0: there is none (left). -EWOULDBLOCK: some are being broken now, and `wait` was
 * false. -EINTR: a signal came first. With `wait`, sleeps; woken by: lease_unlock(), or the
 * deadline of the first one; one without a deadline is looked at again every tick (10 ms). The
 * sleeper holds neither io_lock nor fault lock.
 */
int lease_break(struct lease_list *ll, unsigned classes, bool wait);
/* Gives a lease back: off the list, breakers woken, ops->gone. No effect if it is in no list. */
void lease_unlock(struct lease *l);
/* The file goes: its leases go first, and nobody is asked. Sleepable. */
void lease_drop_all(struct lease_list *ll);
/* Leases of these classes right now. */
unsigned lease_count(struct lease_list *ll, unsigned classes);

#endif
