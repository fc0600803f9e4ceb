/* SPDX-License-Identifier: MIT */
/*
 * Busy pages: freed by their file while somebody still holds them.
 *
 * Two parties may end it, and exactly one does. The marker sets the bit, a put takes a reference or
 * a mapping away, each by one read-modify-write of the same word; the one whose own change made
 * "no holder" and "busy" both true releases:
 *
 *     put first:    {1}      –put→  {0}        –mark→ {0, busy}: the marker releases
 *     mark first:   {1}      –mark→ {1, busy}  –put→  {0, busy}: the put releases
 *
 * Each knows it from the value that its own change found. Looking at the word again would show
 * somebody else's life of the page: between the put and the second look the page may have been
 * released, given to another file, held and marked again (F-1).
 *
 * From that change until the bit is cleared nobody else moves the word of a single page: a busy
 * page gives no references, no file has it, and the allocator does not know it yet. On a folio the
 * mappings of the part that is still its file's come and go (F-9).
 */
#include "mm/page/internal.h"

MUSEUM(device_first, "device-before-release",
       "F-14: who releases a busy page gives the device back before he has told its owner; shown "
       "by race F-14 (BROKEN I2)");
MUSEUM(release_before_clear, "release-before-clear",
       "the owner of a busy page is told of its release before the mark is gone, so that who asks "
       "again because of it finds the page busy; shown by selftest mm.busy-put-releases");
MUSEUM(mark_looks_again, "mark-looks-again",
       "who marks a page looks for its holders in the word as it is later: the put in between "
       "released it as well; found by explore busy.mark-put");
MUSEUM(mark_in_two_steps, "mark-in-two-steps",
       "a page is marked by a load and a store, and a put in between is lost; found by explore "
       "busy.mark-put");
STEP_POINT_DECLARE(page_busy_released);

/* The bit goes, and with the last holder what made a folio of the page. */
static inline void clear_mark(struct page *record)
{
	uint64_t old = page_state(record), next;

	do {
		next = old & ~PAGE_BUSY;
		if (!(old & (PAGE_REF_MASK | PAGE_MAP_MASK)))
			next &= ~PAGE_FOLIO;
	} while (!__atomic_compare_exchange_n(&record->state, &old, next, true, __ATOMIC_ACQ_REL,
					      __ATOMIC_ACQUIRE));
}

/* The same in the wrong order, as the two exhibits have it; apart, so that they cost the right one
 * a test each. */
static void __attribute__((noinline)) end_in_wrong_order(struct page *record)
{
	struct pgmap *pgmap = record->pgmap;

	if (museum_on(release_before_clear))
		pgmap->ops->page_release(record);
	clear_mark(record);
	if (museum_on(device_first))
		percpu_ref_put(&pgmap->ref);
	STEP_POINT(page_busy_released);
	if (!museum_on(release_before_clear))
		pgmap->ops->page_release(record);
	if (museum_on(device_first)) /* the caller's put is still to come */
		percpu_ref_get(&pgmap->ref);
}

/*
 * The caller made the word show busy without a holder. Interrupts may be on: nothing of the record
 * belongs to this CPU. The caller keeps the pgmap from going until this returns: a put has
 * interrupts off and gives its reference of it back behind this (F-14); a file system that cuts a
 * file is mounted, and keeps its device bound.
 */
void page_release_busy(struct page *record)
{
	if (museum_on(release_before_clear) || museum_on(device_first)) {
		end_in_wrong_order(record);
		return;
	}
	clear_mark(record);
	STEP_POINT(page_busy_released);
	/* The bit before the call, else the new owner finds its page busy. */
	record->pgmap->ops->page_release(record);
}

/* The word before the mark. */
static uint64_t set_mark(struct page *record)
{
	uint64_t old;

	if (museum_on(mark_in_two_steps)) {
		old = page_state(record);
		__atomic_store_n(&record->state, old | PAGE_BUSY, __ATOMIC_RELEASE);
		return old;
	}
	old = __atomic_fetch_or(&record->state, PAGE_BUSY, __ATOMIC_ACQ_REL);
	if (museum_on(mark_looks_again))
		old = (page_state(record) & ~PAGE_BUSY) | (old & PAGE_BUSY);
	return old;
}

enum page_marked page_mark_busy(struct page *record)
{
	const struct pgmap *pgmap = record->pgmap;
	uint64_t old, held_by = PAGE_REF_MASK | PAGE_MAP_MASK | PAGE_BUSY;

	ASSERT(pgmap->rest == 0 && pgmap->ops && pgmap->ops->page_release,
	       "pfn 0x%lx is marked busy, but its pgmap rests at %u, or nobody takes what is "
	       "released",
	       page_to_pfn(record), pgmap->rest);
	/* LAB 11 mark-busy: mark it, and release it if nobody else will */
	old = set_mark(record);
	if (old & PAGE_FOLIO)
		held_by &= ~PAGE_MAP_MASK;
	if (old & held_by)
		return old & PAGE_BUSY ? PAGE_MARKED_BEFORE : PAGE_MARKED;
	page_release_busy(record);
	return PAGE_RELEASED;
	/* END */
}
