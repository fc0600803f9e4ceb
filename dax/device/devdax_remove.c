/* SPDX-License-Identifier: MIT */
/*
 * A device leaves while it is mapped: what becomes of its mappings, and of who holds its pages.
 *
 * Linux had, for years, "a mapping keeps no device" (docs/weaknesses.md C-4). Here the end is, by
 * the region's states (pmem.h):
 *   1. LEAVING: no fault is served from now on (SIGBUS), nobody maps or mounts the region
 *   2. every fault that was not yet through with asking comes to its end
 *   3. leases of clients are broken, and waited for: unmapping stops no device that was told where
 *      the pages are; its holder ends by itself, or is cut off when the break time is over
 *   4. what is mapped goes from every address space
 *   5. UNMAPPED: the pins are waited for; PINS_GONE: the records go
 * 2 before 4, else a fault maps its page behind the unmapping; 3 and 4 before 5, else a lease or a
 * mapping keeps the device for as long as its owner likes. 1 before 3, else a lease is set that
 * nobody breaks. The VMAs stay: their owners find out by a fault.
 *
 * Step 2 costs a fault nothing. A fault that finds the frame of its record remembered asks nothing
 * else; so the frame is forgotten, and the others ask for the region's state. Faults hold their
 * mmap_lock for reading, so having had it for writing means that those before are over. One that
 * had asked before the step may remember a frame once more, for another one to find: hence
 * twice.
 */
#include "dax/device/internal.h"

/* Address spaces alive at one moment, each with a reference. */
struct spaces {
	struct mm **mm;
	unsigned nr, room;
};

/* Under the list's lock: one whose last reference goes right now waits for that lock. */
static int take(struct mm *mm, void *arg)
{
	struct spaces *s = arg;
	int refs = __atomic_load_n(&mm->refs, __ATOMIC_RELAXED);

	while (refs && !__atomic_compare_exchange_n(&mm->refs, &refs, refs + 1, true,
						    __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		;
	if (refs && s->nr == s->room) {
		__atomic_fetch_sub(&mm->refs, 1, __ATOMIC_RELEASE); /* not the last: refs > 0 */
		return 1;
	}
	if (refs)
		s->mm[s->nr++] = mm;
	return 0;
}

static int count(struct mm *mm, void *n)
{
	(void)mm;
	++*(unsigned *)n;
	return 0;
}

/* Every address space there is, or NULL: no memory. */
static struct mm **take_all(struct spaces *s)
{
	*s = (struct spaces){.room = 4};
	mm_for_each(count, &s->room);
	s->mm = malloc(s->room * sizeof(*s->mm));
	if (s->mm)
		mm_for_each(take, s);
	return s->mm;
}

/* Faults that run now are over when it returns. -ENOMEM. */
static int wait_for_faults(void)
{
	struct spaces s;

	if (!take_all(&s))
		return -ENOMEM;
	for (unsigned i = 0; i < s.nr; i++) {
		down_write(&s.mm[i]->mmap_lock);
		up_write(&s.mm[i]->mmap_lock);
		mm_put(s.mm[i]);
	}
	free(s.mm);
	return 0;
}

/* Step 2. -ENOMEM: the device lives on. */
static int end_faults(struct dax_device *d)
{
	int err = 0;

	for (unsigned times = 0; times < 2 && !err; times++) {
		__atomic_store_n(&d->frame, 0, __ATOMIC_SEQ_CST);
		err = wait_for_faults();
	}
	return err;
}

MUSEUM(break_elsewhere, "device-break-elsewhere",
       "L-7: a device's removal breaks the leases of another object than clients set theirs on, so "
       "that no holder is told; shown by race L-7 (HUNG I4)");

static int break_leases(struct dax_device *d)
{
	return museum_on(break_elsewhere) ? 0 : lease_break(&d->leases, LEASE_ALL, true);
}

int devdax_remove(struct pmem_region *r)
{
	struct dax_device *d = dax_device_of(r);
	int err;

	err = end_faults(d);
	if (err)
		return refuse(err, "%s: no memory to wait for its faults; it stays bound", r->name);
	err = break_leases(d);
	if (err)
		return err;
	unmap_mapping_range(&d->mapping, 0, UINT64_MAX >> PAGE_SHIFT);
	return 0;
}

int devdax_killed(struct pmem_region *r)
{
	struct dax_device *d = dax_device_of(r);
	int err = end_faults(d);

	if (err)
		return refuse(err, "%s: no memory to wait for its faults; it lives on", r->name);
	lease_break(&d->leases, LEASE_ALL, false); /* begun; nobody waits for the holders */
	return 0;
}
