/* SPDX-License-Identifier: MIT */
/* Moves of the seed tests; see seed.h. */
#include "tests/kernel/seed/seed.h"
#include "tests/kernel/race/race.h"

#define SECOND 1000000000ull

struct page *seed_pin(uint64_t va)
{
	struct page *p = NULL;

	return va && get_user_pages_fast(va, 1, PIN, &p) == 1 ? p : NULL;
}

uint64_t seed_pte(uint64_t va)
{
	const uint64_t *pte = pte_walk(current_mm()->root, va, 1, false, NULL);

	return pte ? __atomic_load_n(pte, __ATOMIC_ACQUIRE) : 0;
}

uint64_t seed_entry(struct dax_inode *inode, uint64_t pgoff)
{
	return entry_next(inode, &(uint64_t){pgoff}, pgoff + 1);
}

unsigned seed_unrest(uint64_t va, unsigned pages, uint32_t more)
{
	unsigned n = 0;

	for (unsigned i = 0; i < pages; i++) {
		const struct page *p = fx_va_to_page(PAGE(va, i));

		n += !p || page_refs(p) != p->pgmap->rest + more;
	}
	return n;
}

int seed_punch_first(struct dax_inode *inode, uint64_t unused)
{
	(void)unused;
	return dax_punch(inode, 0, PAGE_SIZE);
}

bool seed_sleeps_for_lease(struct fx_op *op)
{
	return fx_falls_asleep(op, &op->inode->leases);
}

bool seed_ends(struct fx_op *op)
{
	bool over = fx_ends(op);

	if (!over)
		thread_signal(op->thread);
	fx_join(op);
	return over;
}

bool seed_over_after_polls(struct fx_op *op)
{
	bool over = false;

	for (unsigned i = 0; i < 10 && !over; i++) {
		clock_skip(SECOND);
		quiet_wait();
		over = fx_done(op);
	}
	if (!over)
		thread_signal(op->thread);
	fx_join(op);
	return over;
}

int seed_race(const char *name, const struct lifetime *lt, struct race_result *r)
{
	const struct race *race = race_find(name);

	if (!race)
		return -ENOENT;
	*r = race_run(race, lt, NULL);
	return (int)r->verdict;
}
