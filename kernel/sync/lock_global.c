/* SPDX-License-Identifier: MIT */
/*
 * Who sleeps for a holder holds no global lock.
 *
 * A holder (a pin, a lease, a mapping of a device) lets go when its owner likes, and its owner may
 * need the lock to do so: the shell's `unpin` cannot be typed at a prompt that sleeps for the list
 * of mounts. So the list of sleeping locks that a thread keeps of itself (lock_held.c) is looked
 * through before such a sleep. Read locks are none of them: an rwsem here belongs to one file or
 * one address space.
 */
#include "kernel/kernel.h"

const char *global_lock_held(void)
{
	const struct thread *t = current_thread();

	for (uint32_t i = 1; i <= MIN(t->nr_held, (uint32_t)THREAD_MAX_HELD); i++) {
		const struct mutex *m = (const struct mutex *)(t->held[i] & ~3ull);

		if ((t->held[i] & 3) == HELD_MUTEX && m && m->global)
			return m->name;
	}
	return NULL;
}

void assert_no_global_lock(const char *what)
{
	const char *name = global_lock_held();

	ASSERT(!name,
	       "a sleep for %s under the lock '%s', which strangers need: whoever is waited "
	       "for may need it to let go (I4)",
	       what, name);
}
