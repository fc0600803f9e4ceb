/* SPDX-License-Identifier: MIT */
/* Second-level page tables: mapping and unmapping; see internal.h. */
#include <errno.h>

#include "drivers/iommu/internal.h"

#define SPAN	 (SLPT_ENTRIES * PAGE_SIZE) /* what one lowest table maps */
#define LEVEL_2M 2u
#define LEVEL_1G 3u

static void store(uint64_t *entry, uint64_t value)
{
	__atomic_store_n(entry, value, __ATOMIC_RELEASE);
}

static bool wrong_range(const struct slpt *t, uint64_t iova, uint64_t bytes)
{
	return !bytes || (iova | bytes) % PAGE_SIZE || iova >= t->limit || bytes > t->limit - iova;
}

static bool all_empty(const uint64_t *table, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (table[i] & SLPT_RIGHTS)
			return false;
	return true;
}

/* ---- where pages are ----------------------------------------------------------------------- */

/* Pages that are mapped one behind the other: side by side from `phys` on, or (first) by names. */
struct source {
	const char *first; /* the name of the next one; NULL: phys */
	size_t stride;
	uint64_t phys;
};

static uint64_t nth_pfn(const struct source *s, unsigned long i)
{
	return page_to_pfn(*(struct page *const *)(s->first + i * s->stride));
}

static void skip(struct source *s, unsigned long pages)
{
	s->phys += pages * PAGE_SIZE;
	if (s->first)
		s->first += pages * s->stride;
}

/* Writes n leaves from `to` on. */
static void fill(uint64_t *to, const struct source *s, unsigned n, unsigned rights)
{
	uint64_t leaf = s->phys | rights;

	if (s->first) {
		const char *name = s->first;

		for (unsigned i = 0; i < n; i++, name += s->stride)
			store(&to[i], page_to_phys(*(struct page *const *)name) | rights);
	} else {
#pragma GCC unroll 8
		for (unsigned i = 0; i < n; i++, leaf += PAGE_SIZE)
			store(&to[i], leaf);
	}
}

/* Pages from the first one on, up to `nr`, that lie side by side from a 2 MiB boundary on, in whole
 * 2 MiB. The last page of the first 2 MiB is looked at first: where pages lie apart that is all. */
static unsigned long together(const struct source *s, unsigned long nr)
{
	uint64_t pfn = s->first ? nth_pfn(s, 0) : s->phys >> PAGE_SHIFT;
	unsigned long n = 1;

	if (nr < SLPT_ENTRIES || pfn % SLPT_ENTRIES)
		return 0;
	if (!s->first)
		return nr - nr % SLPT_ENTRIES;
	if (nth_pfn(s, SLPT_ENTRIES - 1) != pfn + SLPT_ENTRIES - 1)
		return 0;
	while (n < nr && nth_pfn(s, n) == pfn + n)
		n++;
	return n - n % SLPT_ENTRIES;
}

/* ---- mapping ------------------------------------------------------------------------------- */

/* One large page, if everything lets it be one there: 1; 0: use smaller ones; or an error. */
static int map_large(struct slpt *t, uint64_t iova, uint64_t phys, unsigned level, unsigned rights)
{
	int err;
	uint64_t *entry = slpt_entry(t, iova, level, true, &err);

	if (!entry)
		return err;
	if (*entry & SLPT_LARGE)
		return -EEXIST;
	if (*entry & SLPT_RIGHTS) {
		if (!all_empty(t->ground->at(*entry & SLPT_ADDRESS), SLPT_ENTRIES))
			return 0;
		slpt_drop(t, entry);
		if (level == LEVEL_1G)
			t->last_middle = NULL; /* it may be the one */
	}
	store(entry, phys | SLPT_LARGE | rights);
	slpt_changed(t, entry, entry + 1);
	return 1;
}

/* A lowest table that no entry leads to yet, with every leaf in it. */
static int map_whole_table(struct slpt *t, uint64_t *entry, const struct source *s, unsigned rights)
{
	uint64_t frame = slpt_new_full(t);

	if (!frame)
		return -ENOMEM;
	fill(t->ground->at(frame), s, SLPT_ENTRIES, rights);
	slpt_link(t, entry, frame);
	return 0;
}

/* n small pages, of one lowest table. */
static int map_small(struct slpt *t, uint64_t iova, const struct source *s, unsigned n,
		     unsigned rights)
{
	int err;
	uint64_t *entry = slpt_entry(t, iova, LEVEL_2M, true, &err), *leaf;

	if (!entry)
		return err;
	if (*entry & SLPT_LARGE)
		return -EEXIST;
	if (!(*entry & SLPT_RIGHTS) && n == SLPT_ENTRIES)
		return map_whole_table(t, entry, s, rights);
	leaf = *entry & SLPT_RIGHTS ? t->ground->at(*entry & SLPT_ADDRESS)
				    : slpt_new_below(t, entry);
	if (!leaf)
		return -ENOMEM;
	leaf += iova / PAGE_SIZE % SLPT_ENTRIES;
	if (!all_empty(leaf, n))
		return -EEXIST;
	fill(leaf, s, n, rights);
	slpt_changed(t, leaf, leaf + n);
	return 0;
}

/* The level of the largest page that may begin here; `side`: pages that lie together. */
static unsigned largest(const struct slpt *t, uint64_t iova, uint64_t phys, unsigned long side)
{
	for (unsigned level = LEVEL_1G; side && level >= LEVEL_2M; level--)
		if (t->large & 1u << (level - 2) && side >= slpt_size(level) / PAGE_SIZE &&
		    !((iova | phys) & (slpt_size(level) - 1)))
			return level;
	return 1;
}

/* The largest page that may begin here, or smaller ones up to the end of a table: the pages mapped,
 * or an error. */
static int64_t map_some(struct slpt *t, uint64_t iova, const struct source *s, unsigned long nr,
			unsigned long side, unsigned rights)
{
	uint64_t phys = s->first && side ? nth_pfn(s, 0) << PAGE_SHIFT : s->phys;
	unsigned level = largest(t, iova, phys, side), n;

	for (; level >= LEVEL_2M && t->large & 1u << (level - 2); level--) {
		int done = map_large(t, iova, phys, level, rights);

		if (done < 0)
			return done;
		if (done)
			return (int64_t)(slpt_size(level) / PAGE_SIZE);
	}
	n = (unsigned)MIN(nr, (SPAN - iova % SPAN) / PAGE_SIZE);
	return map_small(t, iova, s, n, rights) ?: (int64_t)n;
}

static int map_all(struct slpt *t, uint64_t iova, struct source s, unsigned long nr,
		   unsigned rights)
{
	unsigned long done = 0, side = 0;

	while (done < nr) {
		uint64_t at = iova + done * PAGE_SIZE;
		int64_t some;

		if (!side && at % SPAN == 0 && t->large)
			side = together(&s, nr - done);
		some = map_some(t, at, &s, nr - done, side, rights);
		if (some < 0) {
			if (done)
				slpt_unmap(t, iova, done * PAGE_SIZE);
			return (int)some;
		}
		done += (unsigned long)some;
		skip(&s, (unsigned long)some);
		side -= MIN(side, (unsigned long)some);
	}
	return 0;
}

int slpt_map(struct slpt *t, uint64_t iova, uint64_t phys, uint64_t bytes, unsigned rights)
{
	const struct source s = {.phys = phys};

	if (wrong_range(t, iova, bytes) || phys % PAGE_SIZE ||
	    (phys + bytes - 1) & ~(SLPT_ADDRESS | 4095) || !rights || rights & ~SLPT_RIGHTS)
		return -EINVAL;
	return map_all(t, iova, s, bytes / PAGE_SIZE, rights);
}

int slpt_map_pages(struct slpt *t, uint64_t iova, const void *first, size_t stride,
		   unsigned long nr, unsigned rights)
{
	const struct source s = {.first = first, .stride = stride};

	if (nr > UINT64_MAX / PAGE_SIZE || wrong_range(t, iova, nr * PAGE_SIZE) || !rights ||
	    rights & ~SLPT_RIGHTS)
		return -EINVAL;
	return map_all(t, iova, s, nr, rights);
}

/* ---- unmapping ----------------------------------------------------------------------------- */

/* Does a large page reach over this end? */
static bool cuts(const struct slpt *t, uint64_t end)
{
	struct slpt_leaf leaf;

	return slpt_lookup(t, end, &leaf) && leaf.iova != end;
}

static void clear_small(struct slpt *t, uint64_t *table, uint64_t iova, uint64_t bytes)
{
	uint64_t *leaf = table + iova / PAGE_SIZE % SLPT_ENTRIES;
	uint64_t *end = leaf + bytes / PAGE_SIZE;

	slpt_changed(t, leaf, end);
	for (; leaf < end; leaf++)
		store(leaf, 0);
}

/* Clears at iova, up to `left` bytes; the bytes that are dealt with now. */
static uint64_t clear_some(struct slpt *t, uint64_t iova, uint64_t left)
{
	uint64_t step = MIN(left, SPAN - iova % SPAN), *entry = NULL;
	unsigned level = LEVEL_2M;
	int err;

	/* Most often there is a lowest table; else the highest entry that leads no further. */
	entry = slpt_entry(t, iova, level, false, &err);
	while (!entry)
		entry = slpt_entry(t, iova, ++level, false, &err);
	if (!(*entry & SLPT_RIGHTS))
		return MIN(left, slpt_size(level) - iova % slpt_size(level));
	step = *entry & SLPT_LARGE ? slpt_size(level) : step;
	if (step >= SPAN)
		slpt_clear_2m(t, entry);
	else
		clear_small(t, t->ground->at(*entry & SLPT_ADDRESS), iova, step);
	return step;
}

int slpt_unmap_pieces(struct slpt *t, uint64_t iova, uint64_t bytes)
{
	if (wrong_range(t, iova, bytes) || cuts(t, iova) || cuts(t, iova + bytes))
		return -EINVAL;
	for (uint64_t done = 0; done < bytes;)
		done += clear_some(t, iova + done, bytes - done);
	return 0;
}
