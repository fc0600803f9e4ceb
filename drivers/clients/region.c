/* SPDX-License-Identifier: MIT */
/*
 * Memory regions: what an RDMA device may write into without asking again.
 *
 * Two kinds, as in real hardware. A pinned one keeps its pages from registration on. An on-demand
 * one keeps only the addresses: each transfer faults the pages in, holds them for its own time, and
 * so a truncate in between finds nobody.
 */
#include "drivers/clients/internal.h"

struct region {
	enum region_kind kind;
	uint64_t addr;
	unsigned nr;
	struct page *pages[DMA_MAX_PAGES]; /* REGION_PINNED */
	struct holder holder;		   /* REGION_PINNED */
};

static int pin(struct region *r)
{
	int err = longterm_pin(r->addr, r->nr, r->pages);

	if (err)
		return err;
	r->holder = (struct holder){.what = "RDMA region", .pages = r->pages, .nr = r->nr};
	holder_add(&r->holder);
	return 0;
}

int region_register(uint64_t addr, unsigned nr, enum region_kind kind, struct region **out)
{
	struct region *r;
	int err = 0;

	if (!nr || nr > DMA_MAX_PAGES || (addr & (PAGE_SIZE - 1)))
		return -EINVAL;
	r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->kind = kind;
	r->addr = addr;
	r->nr = nr;
	if (kind == REGION_PINNED)
		err = pin(r);
	if (err)
		free(r);
	else
		*out = r;
	return err;
}

/* Pages for the time of one transfer; the DMA job gives them back. */
static int receive_on_demand(struct region *r, struct edu *e, const char *text)
{
	struct dma_job *job;
	long got;
	int err;

	got = get_user_pages_fast(r->addr, r->nr, FOLL_PIN | FOLL_WRITE, r->pages);
	if (got != (long)r->nr) {
		unpin_user_pages(r->pages, MAX(got, 0));
		return got < 0 ? got : -EFAULT;
	}
	job = dma_start(e, r->pages, r->nr, DMA_IN, text, 1, &err);
	if (!job) {
		unpin_user_pages(r->pages, r->nr);
		return err;
	}
	dma_wait(job);
	dma_free(job);
	return 0;
}

int region_receive(struct region *r, struct edu *e, const char *text)
{
	if (r->kind == REGION_ON_DEMAND)
		return receive_on_demand(r, e, text);
	return longterm_transfer(r->pages, r->nr, e, text);
}

void region_deregister(struct region *r)
{
	if (r->kind == REGION_PINNED) {
		holder_remove(&r->holder);
		unpin_user_pages(r->pages, r->nr);
	}
	free(r);
}
