/* SPDX-License-Identifier: MIT */
/*
 * Self-tests: a look at entries that has to wait for the tree lock sees what its holder did. The
 * lock's word says that another CPU holds it; what that CPU does, it does when the look comes to
 * wait, at the step point there. So one CPU is enough, and the order is the same every time.
 */
#include "dax/file/internal.h"
#include "tests/kernel/lib/fixture.h"

#define NO_CPU (1 + MAX_CPUS) /* holds the lock, by its word */

static struct lock_holder {
	struct dax_inode *inode;
	uint64_t entry; /* of page 0 */
	void (*change)(struct lock_holder *h);
} holder;

static void change_and_release(void *unused)
{
	struct spinlock *l = &holder.inode->tree_lock;

	(void)unused;
	holder.change(&holder);
	__atomic_store_n(&l->locked, 0, __ATOMIC_RELEASE);
}

/* From here on, until end_hold(), preemption is off. False: the step point cannot be armed. */
static bool hold(struct dax_inode *inode, void (*change)(struct lock_holder *h))
{
	holder = (struct lock_holder){inode, index_load(&inode->index, 0), change};
	preempt_disable();
	if (step_arm("spin_lock_waits", change_and_release, NULL)) {
		preempt_enable();
		return false;
	}
	__atomic_store_n(&inode->tree_lock.locked, NO_CPU, __ATOMIC_RELEASE);
	return true;
}

/* Value: was the lock waited for? */
static bool end_hold(void)
{
	bool waited = step_disarm() == 1;

	__atomic_store_n(&holder.inode->tree_lock.locked, 0, __ATOMIC_RELEASE);
	preempt_enable();
	return waited;
}

/* Its node stays: page 1 has an entry in it. */
static void remove_first(struct lock_holder *h)
{
	index_remove(&h->inode->index, index_slot(&h->inode->index, 0), 0, 1);
}

static void lock_first(struct lock_holder *h)
{
	*index_slot(&h->inode->index, 0) |= ENTRY_LOCKED;
}

SELFTEST(entry_next_waits, "dax.next-entry-waits",
	 "the next entry is looked for when the tree lock is held, not before")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = fx_map(&fx, "f", 2, 'n'), pgoff = 0, value = 0;
	bool held, waited = false;

	EXPECT_OR(out, va && *at(va) == 'n' && *at(va + PAGE_SIZE) == 'n', "no file");
	held = hold(fx.inode[0], remove_first);
	if (held) {
		value = entry_next(fx.inode[0], &pgoff, 2);
		waited = end_hold();
		if (waited)
			index_store(&fx.inode[0]->index, 0, holder.entry);
	}
	EXPECT_OR(out, held && waited, "the lock was not waited for");
	EXPECT_OR(out, pgoff == 1 && value == index_load(&fx.inode[0]->index, 1),
		  "page %lu, entry 0x%lx", pgoff, value);
out:
	fixture_end(&fx);
}

SELFTEST(entry_mark_waits, "dax.mark-waits",
	 "an entry that is locked while marking waits for the tree lock is left alone")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = fx_map(&fx, "f", 1, 'm'), pgoff = 0, after = 0;
	bool held, waited = false, marked = true;
	struct entry_run run;

	EXPECT_OR(out, va && *at(va) == 'm', "no file");
	held = hold(fx.inode[0], lock_first);
	if (held) {
		marked = entries_mark(fx.inode[0], &pgoff, 1, ENTRY_ZAP, &run);
		waited = end_hold();
		after = index_load(&fx.inode[0]->index, 0);
		index_store(&fx.inode[0]->index, 0, holder.entry);
	}
	EXPECT_OR(out, held && waited, "the lock was not waited for");
	EXPECT_OR(out, !marked && after == (holder.entry | ENTRY_LOCKED),
		  "marked %d, entry 0x%lx, before 0x%lx", marked, after, holder.entry);
out:
	fixture_end(&fx);
}
