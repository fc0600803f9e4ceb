/* SPDX-License-Identifier: MIT */
/*
 * On-demand regions: a device that follows the address space instead of holding pages (ODP).
 *
 * Bus addresses are registered at registration, and lead nowhere. Before a transfer the pages are
 * faulted in and filled in there; afterwards they stay filled in, and nothing holds them: no
 * truncate ever waits for this region. What keeps that safe is the notifier (mm/space/notifier.c):
 * before pages of the range go, their translation is cut and the unit has forgotten it. A transfer
 * that was under way has hit nothing then; the device cannot tell, so the region looks afterwards
 * whether anything was taken, and has the transfer done again.
 *
 * A device without a domain of its own cannot be stopped, so there the pages are held for the time
 * of each transfer.
 */
#include "drivers/clients/internal.h"

MUSEUM(odp_deaf, "odp-deaf",
       "an on-demand region does not listen when its pages are unmapped: its device writes on "
       "into a block that is another file's (clients.odp-follows)");

MUSEUM(odp_trusts, "odp-looks-once",
       "pages are filled in for a device though they were unmapped since they were looked up; "
       "shown by selftest clients.odp-looks-again");

STEP_POINT_DECLARE(odp_looked_up); /* pages are known, and not yet filled in */

#define TRIES 8u /* transfers that were disturbed, before the region gives up */

static uint64_t mask_of(unsigned first, unsigned nr)
{
	return (nr == 64 ? ~0ull : (1ull << nr) - 1) << first;
}

/* Called before the pages go; they must be out of the device's reach when it returns. */
static void invalidate(struct mm_notifier *n, uint64_t start, uint64_t end)
{
	struct region *r = container_of(n, struct region, notifier);
	unsigned first = (unsigned)((start - r->addr) >> PAGE_SHIFT);
	uint64_t mask = mask_of(first, (unsigned)((end - start) >> PAGE_SHIFT));

	if (museum_on(odp_deaf))
		return;
	mutex_lock(&r->lock);
	if (r->present & mask) {
		dma_cut_bytes(&r->held.map, start - r->addr, end - start);
		r->present &= ~mask;
		r->taken++;
	}
	mutex_unlock(&r->lock);
}

int demand_register(struct region *r)
{
	int err;

	if (!edu_dma(r->e)->domain)
		return 0;
	r->held.map.what = r->name;
	err = dma_map_later(edu_dma(r->e), &r->held.map, r->held.pages, r->nr, DMA_BOTH);
	if (err)
		return refuse_map(err, edu_dma(r->e), "region");
	r->notifier = (struct mm_notifier){
		.invalidate = invalidate, .start = r->addr, .end = r->addr + r->nr * PAGE_SIZE};
	mm_notifier_add(&r->notifier, current_mm());
	return 0;
}

void demand_deregister(struct region *r)
{
	if (!r->held.map.dev)
		return;
	mm_notifier_remove(&r->notifier);
	dma_unmap(&r->held.map);
}

/* Names for the pages that are absent, in runs. lock held. */
static int fill_absent(struct region *r, struct page *const *pages)
{
	unsigned end;
	int err = 0;

	for (unsigned i = 0; i < r->nr && !err; i = end) {
		bool there = r->present >> i & 1;

		for (end = i; end < r->nr && (r->present >> end & 1) == there; end++)
			r->held.pages[end] = pages[end];
		if (there)
			continue;
		err = dma_fill(&r->held.map, i, end - i);
		if (!err)
			r->present |= mask_of(i, end - i);
	}
	return err;
}

/* Everything is filled in; *taken: how often something had been taken by then. No page is held. */
static int fill(struct region *r, unsigned long *taken)
{
	struct page *pages[DMA_MAX_PAGES];
	uint64_t state;
	bool again;
	int err;

	do {
		state = mm_notifier_read_begin(&r->notifier);
		err = pin_all(r->notifier.mm, r->addr, r->nr, FOLL_PIN | FOLL_WRITE, pages);
		if (err)
			return err;
		STEP_POINT(odp_looked_up);
		mutex_lock(&r->lock);
		again = mm_notifier_read_retry(&r->notifier, state) && !museum_on(odp_trusts);
		if (!again)
			err = fill_absent(r, pages);
		*taken = r->taken;
		mutex_unlock(&r->lock);
		unpin_user_pages(pages, r->nr); /* the notifier keeps watch from here on */
	} while (again);
	return err;
}

static bool undisturbed(struct region *r, unsigned long taken)
{
	bool same;

	mutex_lock(&r->lock);
	same = r->taken == taken;
	mutex_unlock(&r->lock);
	return same;
}

/* Pages for the time of one transfer; the DMA job gives them back. */
static int receive_held(struct region *r, const char *text)
{
	struct page *pages[DMA_MAX_PAGES];
	struct dma_job *job;
	int err = pin_all(current_mm(), r->addr, r->nr, FOLL_PIN | FOLL_WRITE, pages);

	if (err)
		return err;
	job = dma_start(r->e, pages, r->nr, DMA_IN, text, 1, &err);
	if (!job) {
		unpin_user_pages(pages, r->nr);
		return err;
	}
	dma_wait(job);
	dma_free(job);
	return 0;
}

int demand_receive(struct region *r, const char *text)
{
	unsigned long taken;
	int err;

	if (!r->held.map.dev)
		return receive_held(r, text);
	for (unsigned n = 0; n < TRIES; n++) {
		err = fill(r, &taken) ?: longterm_transfer(r->e, &r->held.map, text);
		if (err || undisturbed(r, taken))
			return err;
	}
	return refuse(
		-EAGAIN,
		"pages of the region were unmapped during each of %u transfers: try again when "
		"its file is left alone",
		TRIES);
}
