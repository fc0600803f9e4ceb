/* SPDX-License-Identifier: MIT */
/* Second-level page tables: the tables themselves, what leads to them, and what is in them; see
 * internal.h. */
#include <errno.h>
#include <string.h>

#include "drivers/iommu/internal.h"

#define LEVEL_LEAF   1u
#define LEVEL_MIDDLE 2u

static unsigned shift_of(unsigned level)
{
	return 12 + 9 * (level - 1);
}

/* ---- write-back ---------------------------------------------------------------------------- */

void slpt_changed_more(struct slpt *t, uint64_t *from, uint64_t *to)
{
	if ((uint64_t)from / PAGE_SIZE != (uint64_t)t->dirty / PAGE_SIZE) {
		slpt_sync(t);
		t->dirty = from;
		t->dirty_end = to;
		return;
	}
	t->dirty = MIN(t->dirty, from);
	t->dirty_end = MAX(t->dirty_end, to);
}

/* ---- tables -------------------------------------------------------------------------------- */

/* All of a new table, before an entry leads to it. */
static void table_written(const struct slpt *t, uint64_t frame)
{
	if (!t->ground->written)
		return;
	t->ground->written(t->ground->at(frame), PAGE_SIZE);
	t->ground->ordered();
}

static uint64_t new_table(struct slpt *t)
{
	uint64_t frame = t->ground->alloc();

	t->nr_tables += frame != 0;
	return frame;
}

uint64_t slpt_new_full(struct slpt *t)
{
	uint64_t frame = t->spare ? t->spare : new_table(t);

	t->spare = 0;
	return frame;
}

void slpt_link(struct slpt *t, uint64_t *entry, uint64_t frame)
{
	table_written(t, frame);
	__atomic_store_n(entry, frame | SLPT_RIGHTS, __ATOMIC_RELEASE);
	slpt_changed(t, entry, entry + 1);
}

uint64_t *slpt_new_below(struct slpt *t, uint64_t *entry)
{
	uint64_t frame = new_table(t);

	if (!frame)
		return NULL;
	slpt_link(t, entry, frame);
	return t->ground->at(frame);
}

static void free_table(struct slpt *t, uint64_t frame)
{
	t->ground->free(frame);
	t->nr_tables--;
}

void slpt_settle(struct slpt *t)
{
	while (t->nr_dropped) {
		uint64_t frame = t->dropped;

		if (--t->nr_dropped)
			t->dropped = *t->ground->at(frame);
		if (t->spare)
			free_table(t, frame);
		else
			t->spare = frame;
	}
}

int slpt_init(struct slpt *t, const struct slpt_ground *ground, unsigned levels, unsigned large)
{
	*t = (struct slpt){.ground = ground, .levels = levels, .large = large};
	if (levels < 3 || levels > 5)
		return -EINVAL;
	t->limit = slpt_size(levels + 1);
	t->root = new_table(t);
	if (!t->root)
		return -ENOMEM;
	table_written(t, t->root);
	return 0;
}

static void free_below(struct slpt *t, uint64_t frame, unsigned level)
{
	uint64_t *table = t->ground->at(frame);

	for (unsigned i = 0; level > LEVEL_LEAF && i < SLPT_ENTRIES; i++)
		if ((table[i] & SLPT_RIGHTS) && !(table[i] & SLPT_LARGE))
			free_below(t, table[i] & SLPT_ADDRESS, level - 1);
	free_table(t, frame);
}

void slpt_destroy(struct slpt *t)
{
	slpt_settle(t);
	if (t->spare)
		free_table(t, t->spare);
	if (t->root)
		free_below(t, t->root, t->levels);
	*t = (struct slpt){0};
}

/* ---- the way to an entry ------------------------------------------------------------------- */

static uint64_t *entry_in(const uint64_t *table, uint64_t iova, unsigned level)
{
	return (uint64_t *)table + (iova >> shift_of(level)) % SLPT_ENTRIES;
}

/* The table of `level`, 2 or more, that has the entry for iova. */
static uint64_t *walk(struct slpt *t, uint64_t iova, unsigned level, bool make, int *err)
{
	uint64_t *table = t->ground->at(t->root);

	*err = 0;
	for (unsigned at = t->levels; at > level; at--) {
		uint64_t *entry = entry_in(table, iova, at);

		if (!(*entry & SLPT_RIGHTS)) {
			table = make ? slpt_new_below(t, entry) : NULL;
			*err = make && !table ? -ENOMEM : 0;
			if (!table)
				return NULL;
			continue;
		}
		*err = *entry & SLPT_LARGE ? -EEXIST : 0;
		if (*err)
			return NULL;
		table = t->ground->at(*entry & SLPT_ADDRESS);
	}
	return table;
}

uint64_t *slpt_entry(struct slpt *t, uint64_t iova, unsigned level, bool make, int *err)
{
	uint64_t *table;

	*err = 0;
	if (level == LEVEL_MIDDLE && slpt_is_last(t, iova))
		return entry_in(t->last_middle, iova, level);
	table = walk(t, iova, level, make, err);
	if (!table)
		return NULL;
	if (level == LEVEL_MIDDLE) {
		t->last_middle = table;
		t->last_base = iova & ~(slpt_size(LEVEL_MIDDLE + 1) - 1);
	}
	return entry_in(table, iova, level);
}

/* ---- what is there ------------------------------------------------------------------------- */

bool slpt_lookup(const struct slpt *t, uint64_t iova, struct slpt_leaf *leaf)
{
	uint64_t frame = t->root, entry = 0;
	unsigned level = t->levels;

	if (iova >= t->limit)
		return false;
	for (;; level--) {
		entry = __atomic_load_n(entry_in(t->ground->at(frame), iova, level),
					__ATOMIC_ACQUIRE);
		if (!(entry & SLPT_RIGHTS))
			return false;
		if (level == LEVEL_LEAF || entry & SLPT_LARGE)
			break;
		frame = entry & SLPT_ADDRESS;
	}
	*leaf = (struct slpt_leaf){.iova = iova & ~(slpt_size(level) - 1),
				   .phys = entry & SLPT_ADDRESS & ~(slpt_size(level) - 1),
				   .bytes = slpt_size(level),
				   .rights = entry & SLPT_RIGHTS};
	return true;
}

static uint64_t leaves_below(const struct slpt *t, uint64_t frame, unsigned level)
{
	const uint64_t *table = t->ground->at(frame);
	uint64_t sum = 0;

	for (unsigned i = 0; i < SLPT_ENTRIES; i++)
		if (table[i] & SLPT_RIGHTS)
			sum += level == LEVEL_LEAF || table[i] & SLPT_LARGE
				       ? 1
				       : leaves_below(t, table[i] & SLPT_ADDRESS, level - 1);
	return sum;
}

uint64_t slpt_leaves(const struct slpt *t)
{
	return leaves_below(t, t->root, t->levels);
}
