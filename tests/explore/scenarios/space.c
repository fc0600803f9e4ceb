/* SPDX-License-Identifier: MIT */
/*
 * Address spaces: copies, forks, moves, and those who keep copies of translations.
 */
#include "mm/space/internal.h"
#include "tests/explore/explore.h"

#define OLD 0x0101010101010101ull
#define NEW 0x0202020202020202ull

static struct mm *mm;
static uint64_t va, over; /* `over`: what was to be done is done. zero: not yet */

static uint64_t *word_at(uint64_t at)
{
	const uint64_t *pte = pte_leaf(mm->root, at);

	return pte && (*pte & PTE_P) ? phys_to_virt(*pte & PTE_PHYS) : NULL;
}

static int map_memory(void)
{
	int err;

	mm = current_mm();
	va = over = 0;
	err = mm_map_anon(mm, &va, PAGE_SIZE, true) ?: mm_fault(mm, va, true);
	if (err)
		return refuse(err, "no memory is mapped");
	*word_at(va) = OLD;
	return 0;
}

static void unmap_memory(void)
{
	mm_unmap(mm, va, PAGE_SIZE);
}

static struct mm *of_setup(void)
{
	return mm;
}

static void finish(void)
{
	__atomic_store_n(&over, 1, __ATOMIC_SEQ_CST);
}

static bool finished(void)
{
	return __atomic_load_n(&over, __ATOMIC_SEQ_CST);
}

#define MEMORY .setup = map_memory, .teardown = unmap_memory, .mm = of_setup

/* ---- a page that two show, and a store that copies it ---------------------------------------- */

static struct mm *child;

static int share_memory(void)
{
	int err = map_memory();

	if (err)
		return err;
	child = mm_fork(mm, "child");
	return child ? 0 : refuse(-ENOMEM, "no memory for a child");
}

static void end_child(void)
{
	mm_put(child);
	unmap_memory();
}

static void store_copies(void)
{
	x_store(va, NEW);
	finish();
}

static void load_old_or_new(void)
{
	bool done;
	uint64_t v;

	x_load(va);
	done = finished();
	v = x_load(va);
	x_observe(v == NEW);
	X_EXPECT("I6", !done || v == NEW, "a load shows 0x%lx behind the store", v);
}

EXPLORE_SCENARIO(copy_read, "private.copy-read",
		 "behind a store that copied the page no CPU shows the old one",
		 .setup = share_memory, .teardown = end_child, .mm = of_setup,
		 .thread = {{"store", store_copies}, {"load", load_old_or_new}}, .interrupts = true,
		 .large = true);

static void store_other_word(void)
{
	x_store(va + 8, NEW);
}

static void store_word(void)
{
	x_store(va, NEW);
}

static void both_words(void)
{
	const uint64_t *w = word_at(va);

	X_EXPECT("I6", w && w[0] == NEW && w[1] == NEW, "one of two stores is lost");
}

EXPLORE_SCENARIO(copy_copy, "private.copy-copy", "of two stores that copy a page none is lost",
		 .setup = share_memory, .teardown = end_child, .mm = of_setup,
		 .thread = {{"first", store_word}, {"second", store_other_word}}, .end = both_words,
		 .interrupts = true, .large = true);

/* ---- fork -------------------------------------------------------------------------------------
 */

static void fork_and_look(void)
{
	uint64_t *entry, seen;

	child = mm_fork(mm, "child");
	X_EXPECT("I4", child, "no memory for a child");
	entry = pte_leaf(child->root, va);
	X_EXPECT("I3", entry && (*entry & PTE_P), "the child has no page");
	seen = __atomic_load_n((uint64_t *)phys_to_virt(*entry & PTE_PHYS), __ATOMIC_RELAXED);
	x_point("the child has what the parent had");
	X_EXPECT("I6",
		 seen == __atomic_load_n((uint64_t *)phys_to_virt(*entry & PTE_PHYS),
					 __ATOMIC_RELAXED),
		 "the child's page changes behind the fork");
	mm_put(child);
}

EXPLORE_SCENARIO(fork_store, "fork.store", "what a parent stores behind a fork is not its child's",
		 MEMORY, .thread = {{"fork", fork_and_look}, {"store", store_word}},
		 .interrupts = true, .large = true);

/* A pinned page is the one that the next store goes to. */
static void pin_and_store(void)
{
	struct page *page;
	uint64_t *entry;

	if (get_user_pages_fast(va, 1, FOLL_PIN, &page) != 1)
		X_EXPECT("I4", false, "the page cannot be pinned");
	x_store(va, NEW);
	entry = pte_leaf(mm->root, va);
	X_EXPECT("I2", pte_to_page(*entry) == page,
		 "the store goes to another page than the pin's");
	unpin_user_pages(&page, 1);
}

static void fork_only(void)
{
	child = mm_fork(mm, "child");
	X_EXPECT("I4", child, "no memory for a child");
	mm_put(child);
}

EXPLORE_SCENARIO(
	fork_pin, "fork.pin",
	"a page that is pinned beside a fork is the one that the parent's next store goes to",
	MEMORY, .thread = {{"fork", fork_only}, {"pin", pin_and_store}}, .interrupts = true,
	.large = true);

/* ---- a move -----------------------------------------------------------------------------------
 */

static void move(void)
{
	uint64_t to = 0;

	X_EXPECT("I4", !mm_remap(mm, va, PAGE_SIZE, &to), "mremap fails");
	finish();
}

static void store_at_old_place(void)
{
	bool first = x_try_store(va, OLD), done = finished(), second = x_try_store(va, NEW);

	x_observe(first);
	x_observe(second);
	X_EXPECT("I1", !done || !second, "a store through the old address arrives behind the move");
}

EXPLORE_SCENARIO(store_move, "space.store-move",
		 "behind a move no CPU stores through the old address", MEMORY,
		 .thread = {{"move", move}, {"store", store_at_old_place}}, .interrupts = true,
		 .large = true);

/* ---- a notifier: somebody has a copy of the translation ----------------------------------------
 */

static struct {
	struct mm_notifier n;
	struct mutex lock;
	bool copied; /* under lock; false: nothing is shown */
} device;

static void forget(struct mm_notifier *n, uint64_t start, uint64_t end)
{
	(void)n, (void)start, (void)end;
	mutex_lock(&device.lock);
	device.copied = false;
	mutex_unlock(&device.lock);
}

static int notified_memory(void)
{
	int err = map_memory();

	if (err)
		return err;
	mutex_init(&device.lock, "a device's tables");
	device.copied = false;
	device.n = (struct mm_notifier){.invalidate = forget, .start = va, .end = va + PAGE_SIZE};
	mm_notifier_add(&device.n, mm);
	return 0;
}

static void end_notifier(void)
{
	mm_notifier_remove(&device.n);
	unmap_memory();
}

static void copy_translation(void)
{
	uint64_t state;
	bool present, again;

	do {
		state = mm_notifier_read_begin(&device.n);
		present = __atomic_load_n(pte_leaf(mm->root, va), __ATOMIC_ACQUIRE) & PTE_P;
		mutex_lock(&device.lock);
		again = mm_notifier_read_retry(&device.n, state);
		if (!again)
			device.copied = present;
		mutex_unlock(&device.lock);
	} while (again);
	x_observe(present);
}

static void forget_memory(void)
{
	X_EXPECT("I4", !mm_advise(mm, va, PAGE_SIZE, MM_DONT_NEED), "madvise fails");
}

static void nothing_copied(void)
{
	const uint64_t *pte = pte_leaf(mm->root, va);

	X_EXPECT("I1", !device.copied || (*pte & PTE_P),
		 "the device has a translation that the CPU's tables have not");
}

EXPLORE_SCENARIO(notifier_copy_zap, "notifier.copy-zap",
		 "a copied translation goes with the original", .setup = notified_memory,
		 .teardown = end_notifier, .mm = of_setup,
		 .thread = {{"copy", copy_translation}, {"forget", forget_memory}},
		 .end = nothing_copied, .interrupts = true, .large = true);
