/* SPDX-License-Identifier: MIT */
/*
 * Who holds pages of a region (F-13): counted, and named one by one as far as they are busy. By a
 * walk of its records, which holds the pgmap; so it needs no look at the region's state.
 */
#include "drivers/pmem/internal.h"

#define SHOWN 8u /* holders that are named one by one */

struct held {
	uint64_t pages, busy;
	bool name; /* print who holds what is busy */
	unsigned shown;
	char last[200];
};

static uint64_t pages_of(const struct page *p)
{
	return page_state(p) & PAGE_FOLIO ? FOLIO_PAGES : 1;
}

/* A line for who holds a busy page, unless it is the one of the line before. */
static void name_holder(const struct page *p, struct held *h)
{
	char who[sizeof(h->last)];

	holders_describe(p, who, sizeof(who));
	if (h->shown >= SHOWN || !strcmp(who, h->last))
		return;
	strcpy(h->last, who);
	kprintf("    pfn 0x%lx, %u reference(s): %s\n", page_to_pfn(p), page_refs(p), who);
	if (++h->shown == SHOWN)
		kprintf("    … and more\n");
}

static int count_held(struct page *p, void *arg)
{
	struct held *h = arg;
	bool busy = page_state(p) & PAGE_BUSY;

	h->pages += page_refs(p) > p->pgmap->rest ? pages_of(p) : 0;
	h->busy += busy ? pages_of(p) : 0;
	if (busy && h->name)
		name_holder(p, h);
	return 0;
}

static void for_each_record(const struct pmem_region *r, struct held *h)
{
	if (r->pgmap.type == PGMAP_FS_DAX)
		page_records_for_each(r->start >> PAGE_SHIFT, r->len >> PAGE_SHIFT, count_held, h);
}

uint64_t pmem_held(const struct pmem_region *r, uint64_t *busy)
{
	struct held h = {0};

	for_each_record(r, &h);
	if (busy)
		*busy = h.busy;
	return h.pages;
}

void pmem_print_held(const struct pmem_region *r)
{
	struct held h = {0};

	for_each_record(r, &h);
	if (h.pages)
		kprintf("  held: %lu page(s)\n", h.pages);
	if (!h.busy)
		return;
	kprintf("  busy: %lu block(s), %s, freed by their files and out of reach until the "
		"last put:\n",
		h.busy, SIZE_TEXT(h.busy * PAGE_SIZE));
	h = (struct held){.name = true};
	for_each_record(r, &h);
}
