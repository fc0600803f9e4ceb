/* SPDX-License-Identifier: MIT */
/*
 * Notifiers: a range of an address space whose translations somebody else has copied.
 *
 * A device that faults its pages in (ODP) has page tables of its own, which show what the CPU's
 * showed when it asked. It holds no reference between, so it has to be told before a page goes, and
 * must have let go of it when it was. Around every taking away stands a bracket:
 *
 *     begin: the state changes, every notifier of the range is told    entries go, TLBs flushed
 *     end:   the state changes back                                    counts dropped before
 *
 * The other side copies a translation like this, with a lock of its own that its callback takes as
 * well:
 *
 *     do {
 *             state = mm_notifier_read_begin(n)            waits out what is under way
 *             pages = get_user_pages(…)                    may fault, may cause brackets itself
 *             lock;  if (!mm_notifier_read_retry(n, state)) copy;  unlock
 *     } while it was not copied
 *
 * Begin changes the state before it takes the callback's lock. So either the copier, under that
 * lock, sees the change and starts anew, or its copy is there when the callback comes for it. A
 * state that only counted what is over would not do: an entry can be read again between the
 * callback and its end.
 *
 * An address space without a notifier pays one load for it, under the page-table lock that is held
 * anyway. mm_notifier_add() takes that lock once after it has enlisted: whoever did not see the
 * notifier has finished by then.
 */
#include "mm/tables/internal.h"
#include "mm/space/internal.h"

MUSEUM(notify_late, "notify-late",
       "a notifier's state changes after its callback: a copier in between sees no change and is "
       "not called for; found by explore notifier.copy-zap");

#define UNDER_WAY 0xffffffffull /* low half of a state: brackets that are open */
#define BRACKET	  (1ull << 32 | 1)

static bool overlap(const struct mm_notifier *n, uint64_t start, uint64_t end)
{
	return n->start < end && start < n->end;
}

static void notify_begin(struct mm *mm, uint64_t start, uint64_t end)
{
	struct mm_notifier *n;

	down_read(&mm->notifier_lock);
	LIST_FOREACH (n, &mm->notifiers, link) {
		if (!overlap(n, start, end))
			continue;
		/* Before the callback's lock, else a copier misses the change, and we its copy. */
		if (!museum_on(notify_late))
			__atomic_add_fetch(&n->state, BRACKET, __ATOMIC_SEQ_CST);
		n->invalidate(n, MAX(start, n->start), MIN(end, n->end));
		if (museum_on(notify_late))
			__atomic_add_fetch(&n->state, BRACKET, __ATOMIC_SEQ_CST);
	}
}

void notify_end(struct mm *mm, uint64_t start, uint64_t end)
{
	struct mm_notifier *n;

	LIST_FOREACH (n, &mm->notifiers, link)
		if (overlap(n, start, end)) {
			__atomic_sub_fetch(&n->state, 1, __ATOMIC_SEQ_CST);
			wake_up(n);
		}
	up_read(&mm->notifier_lock);
}

bool ptl_notify(struct mm *mm, uint64_t start, uint64_t end)
{
	spin_unlock(&mm->ptl); /* callbacks may sleep */
	notify_begin(mm, start, end);
	spin_lock(&mm->ptl);
	return true;
}

void mm_notifier_add(struct mm_notifier *n, struct mm *mm)
{
	mm_get(mm);
	n->mm = mm;
	n->state = 0;
	down_write(&mm->notifier_lock);
	LIST_INSERT_HEAD(&mm->notifiers, n, link);
	up_write(&mm->notifier_lock);
	/* Enlisted before this, else a zap that saw no notifier is still at work afterwards. */
	spin_lock(&mm->ptl);
	spin_unlock(&mm->ptl);
}

void mm_notifier_remove(struct mm_notifier *n)
{
	struct mm *mm = n->mm;

	down_write(&mm->notifier_lock); /* no callback is under way then */
	LIST_REMOVE(n, link);
	up_write(&mm->notifier_lock);
	n->mm = NULL;
	mm_put(mm);
}

static uint64_t load_state(const struct mm_notifier *n)
{
	return __atomic_load_n(&n->state, __ATOMIC_ACQUIRE);
}

uint64_t mm_notifier_read_begin(struct mm_notifier *n)
{
	uint64_t state;

	wait_event(n, !((state = load_state(n)) & UNDER_WAY), "pages that are being unmapped",
		   "the end of the unmapping");
	return state;
}

bool mm_notifier_read_retry(const struct mm_notifier *n, uint64_t state)
{
	return load_state(n) != state;
}
