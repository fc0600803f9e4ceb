/* SPDX-License-Identifier: MIT */
/* Second-level page tables; see internal.h. */
#include <errno.h>

#include "drivers/iommu/internal.h"

#define ENTRIES	   512u
#define RIGHTS	   (SLPT_READ | SLPT_WRITE)
#define ADDRESS	   0x000ffffffffff000ull
#define LEAF_SPAN  (ENTRIES * PAGE_SIZE) /* what one lowest table maps */
#define LEVEL_LEAF 1u

static unsigned shift_of(unsigned level)
{
	return 12 + 9 * (level - 1);
}

static uint64_t size_of(unsigned level)
{
	return 1ull << shift_of(level);
}

uint64_t slpt_limit(const struct slpt *t)
{
	return 1ull << (shift_of(t->levels) + 9);
}

static void written(const struct slpt *t, const void *from, size_t bytes)
{
	if (t->ground->written)
		t->ground->written(from, bytes);
}

void slpt_sync(struct slpt *t)
{
	if (t->dirty != t->dirty_end)
		written(t, t->dirty, (size_t)((char *)t->dirty_end - (char *)t->dirty));
	t->dirty = t->dirty_end = NULL;
}

/* Entries [from, to) of one table changed. */
static void changed(struct slpt *t, uint64_t *from, uint64_t *to)
{
	bool same = t->dirty != t->dirty_end &&
		    (uint64_t)from / PAGE_SIZE == (uint64_t)t->dirty / PAGE_SIZE;

	if (!t->ground->written)
		return;
	if (!same) {
		slpt_sync(t);
		t->dirty = from;
		t->dirty_end = to;
	}
	t->dirty = MIN(t->dirty, from);
	t->dirty_end = MAX(t->dirty_end, to);
}

static void store(uint64_t *entry, uint64_t value)
{
	__atomic_store_n(entry, value, __ATOMIC_RELEASE);
}

static uint64_t new_table(struct slpt *t)
{
	uint64_t frame = t->ground->alloc();

	if (frame) {
		t->nr_tables++;
		written(t, t->ground->at(frame), PAGE_SIZE);
	}
	return frame;
}

int slpt_init(struct slpt *t, const struct slpt_ground *ground, unsigned levels, unsigned large)
{
	*t = (struct slpt){.ground = ground, .levels = levels, .large = large};
	if (levels < 3 || levels > 5)
		return -EINVAL;
	t->root = new_table(t);
	return t->root ? 0 : -ENOMEM;
}

static void free_below(struct slpt *t, uint64_t frame, unsigned level)
{
	uint64_t *table = t->ground->at(frame);

	for (unsigned i = 0; level > LEVEL_LEAF && i < ENTRIES; i++)
		if ((table[i] & RIGHTS) && !(table[i] & SLPT_LARGE))
			free_below(t, table[i] & ADDRESS, level - 1);
	t->ground->free(frame);
	t->nr_tables--;
}

void slpt_settle(struct slpt *t)
{
	while (t->nr_dropped) {
		t->ground->free(t->dropped[--t->nr_dropped]);
		t->nr_tables--;
	}
}

void slpt_destroy(struct slpt *t)
{
	slpt_settle(t);
	if (t->root)
		free_below(t, t->root, t->levels);
	*t = (struct slpt){0};
}

static uint64_t *entry_in(const struct slpt *t, uint64_t frame, uint64_t iova, unsigned level)
{
	return t->ground->at(frame) + (iova >> shift_of(level)) % ENTRIES;
}

/* The entry for iova in the table of `level`; tables above it are made with `make`. NULL with *err:
 * 0 (a table is missing), -EEXIST (a large page is in the way), -ENOMEM. */
static uint64_t *walk(struct slpt *t, uint64_t iova, unsigned level, bool make, int *err)
{
	uint64_t frame = t->root;

	*err = 0;
	for (unsigned at = t->levels; at > level; at--) {
		uint64_t *entry = entry_in(t, frame, iova, at);

		if (!(*entry & RIGHTS)) {
			if (!make)
				return NULL;
			frame = new_table(t);
			*err = frame ? 0 : -ENOMEM;
			if (!frame)
				return NULL;
			store(entry, frame | RIGHTS);
			written(t, entry, sizeof(*entry));
		}
		*err = *entry & SLPT_LARGE ? -EEXIST : 0;
		if (*err)
			return NULL;
		frame = *entry & ADDRESS;
	}
	return entry_in(t, frame, iova, level);
}

static bool empty(const uint64_t *table)
{
	for (unsigned i = 0; i < ENTRIES; i++)
		if (table[i] & RIGHTS)
			return false;
	return true;
}

/* One large page, if everything lets it be one there: 1; 0: use smaller ones; or an error. */
static int map_large(struct slpt *t, uint64_t iova, uint64_t phys, unsigned level, unsigned rights)
{
	int err;
	uint64_t *entry = walk(t, iova, level, true, &err);

	if (!entry)
		return err;
	if (*entry & SLPT_LARGE)
		return -EEXIST;
	if (*entry & RIGHTS) {
		uint64_t below = *entry & ADDRESS;

		if (t->nr_dropped == SLPT_DROPPED || !empty(t->ground->at(below)))
			return 0;
		t->dropped[t->nr_dropped++] = below;
		t->last_table = NULL;
	}
	store(entry, phys | SLPT_LARGE | rights);
	changed(t, entry, entry + 1);
	t->nr_leaves++;
	return 1;
}

/* The lowest table for iova; the one of the last call is remembered. */
static uint64_t *leaf_table(struct slpt *t, uint64_t iova, bool make, int *err)
{
	uint64_t base = iova & ~(LEAF_SPAN - 1);
	uint64_t *entry;

	*err = 0;
	if (t->last_table && t->last_base == base)
		return t->last_table;
	entry = walk(t, base, LEVEL_LEAF, make, err);
	if (entry) {
		t->last_table = entry;
		t->last_base = base;
	}
	return entry;
}

/* As many small pages as one table has; the bytes mapped, or an error. */
static int64_t map_small(struct slpt *t, uint64_t iova, uint64_t phys, uint64_t bytes,
			 unsigned rights)
{
	unsigned first = (iova >> PAGE_SHIFT) % ENTRIES;
	unsigned n = (unsigned)MIN(bytes / PAGE_SIZE, (uint64_t)(ENTRIES - first));
	int err;
	uint64_t *table = leaf_table(t, iova, true, &err);

	if (!table)
		return err;
	for (unsigned i = 0; i < n; i++)
		if (table[first + i] & RIGHTS)
			return -EEXIST;
	for (unsigned i = 0; i < n; i++)
		store(&table[first + i], (phys + i * PAGE_SIZE) | rights);
	changed(t, table + first, table + first + n);
	t->nr_leaves += n;
	return (int64_t)(n * PAGE_SIZE);
}

/* The largest page that may begin here, or smaller ones: the bytes mapped, or an error. */
static int64_t map_some(struct slpt *t, uint64_t iova, uint64_t phys, uint64_t bytes,
			unsigned rights)
{
	for (unsigned level = 3; level > LEVEL_LEAF; level--) {
		int done;

		if (!(t->large & 1u << (level - 2)) || bytes < size_of(level) ||
		    ((iova | phys) & (size_of(level) - 1)))
			continue;
		done = map_large(t, iova, phys, level, rights);
		if (done)
			return done < 0 ? done : (int64_t)size_of(level);
	}
	return map_small(t, iova, phys, MIN(bytes, LEAF_SPAN - iova % LEAF_SPAN), rights);
}

static bool wrong_range(const struct slpt *t, uint64_t iova, uint64_t bytes)
{
	return !bytes || (iova | bytes) % PAGE_SIZE || iova >= slpt_limit(t) ||
	       bytes > slpt_limit(t) - iova;
}

int slpt_map(struct slpt *t, uint64_t iova, uint64_t phys, uint64_t bytes, unsigned rights)
{
	uint64_t done = 0;

	if (wrong_range(t, iova, bytes) || phys % PAGE_SIZE ||
	    (phys + bytes - 1) & ~(ADDRESS | 4095) || !rights || rights & ~RIGHTS)
		return -EINVAL;
	while (done < bytes) {
		int64_t some = map_some(t, iova + done, phys + done, bytes - done, rights);

		if (some < 0) {
			if (done)
				slpt_unmap(t, iova, done);
			return (int)some;
		}
		done += (uint64_t)some;
	}
	return 0;
}

bool slpt_lookup(const struct slpt *t, uint64_t iova, struct slpt_leaf *leaf)
{
	uint64_t frame = t->root, entry = 0;
	unsigned level = t->levels;

	if (iova >= slpt_limit(t))
		return false;
	for (;; level--) {
		entry = *entry_in(t, frame, iova, level);
		if (!(entry & RIGHTS))
			return false;
		if (level == LEVEL_LEAF || entry & SLPT_LARGE)
			break;
		frame = entry & ADDRESS;
	}
	*leaf = (struct slpt_leaf){.iova = iova & ~(size_of(level) - 1),
				   .phys = entry & ADDRESS & ~(size_of(level) - 1),
				   .bytes = size_of(level),
				   .rights = entry & RIGHTS};
	return true;
}

/* Does a large page reach over either end? */
static bool cuts(const struct slpt *t, uint64_t iova, uint64_t bytes)
{
	struct slpt_leaf leaf;

	return (slpt_lookup(t, iova, &leaf) && leaf.iova < iova) ||
	       (slpt_lookup(t, iova + bytes - 1, &leaf) && leaf.iova + leaf.bytes > iova + bytes);
}

/* Clears what one lowest table has of [iova, iova + bytes); the leaves cleared. */
static unsigned clear_small(struct slpt *t, uint64_t *table, uint64_t iova, uint64_t bytes)
{
	unsigned first = (iova >> PAGE_SHIFT) % ENTRIES, n = (unsigned)(bytes / PAGE_SIZE);
	unsigned cleared = 0;

	for (unsigned i = first; i < first + n; i++) {
		cleared += (table[i] & RIGHTS) != 0;
		store(&table[i], 0);
	}
	changed(t, table + first, table + first + n);
	return cleared;
}

/* Clears at iova: *step gets the bytes that are dealt with now, the value the leaves. */
static unsigned clear_some(struct slpt *t, uint64_t iova, uint64_t left, uint64_t *step)
{
	int err;
	uint64_t *table = NULL;

	*step = MIN(left, LEAF_SPAN - iova % LEAF_SPAN);
	if (t->last_table && t->last_base == (iova & ~(LEAF_SPAN - 1)))
		return clear_small(t, t->last_table, iova, *step);
	for (unsigned level = t->levels; level > LEVEL_LEAF; level--) {
		uint64_t *entry = walk(t, iova, level, false, &err);

		if (*entry & SLPT_LARGE) {
			store(entry, 0);
			changed(t, entry, entry + 1);
			*step = size_of(level);
			return 1;
		}
		if (!(*entry & RIGHTS)) {
			*step = MIN(left, size_of(level) - iova % size_of(level));
			return 0;
		}
	}
	table = leaf_table(t, iova, false, &err);
	return clear_small(t, table, iova, *step);
}

int64_t slpt_unmap(struct slpt *t, uint64_t iova, uint64_t bytes)
{
	uint64_t done = 0, step, cleared = 0;

	if (wrong_range(t, iova, bytes) || cuts(t, iova, bytes))
		return -EINVAL;
	for (; done < bytes; done += step)
		cleared += clear_some(t, iova + done, bytes - done, &step);
	t->nr_leaves -= cleared;
	return (int64_t)cleared;
}
