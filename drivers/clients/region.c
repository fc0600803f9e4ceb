/* SPDX-License-Identifier: MIT */
/*
 * Memory regions: what an RDMA device may write into without asking again.
 *
 * Two kinds, as in real hardware. A pinned one keeps its pages, and its bus addresses lead to them,
 * from registration on. An on-demand one (region_demand.c) keeps only the addresses: pages come by
 * faults, and go when the address space loses them.
 */
#include "drivers/clients/internal.h"

int region_register(struct edu *e, uint64_t addr, unsigned nr, enum region_kind kind,
		    struct region **out)
{
	struct region *r;
	int err = e ? longterm_range(addr, nr) : refuse(-ENODEV, NO_EDU);

	if (err)
		return err;
	r = calloc(1, sizeof(*r));
	if (!r)
		return refuse(-ENOMEM, "no memory for a region");
	r->kind = kind;
	r->e = e;
	r->addr = addr;
	r->nr = nr;
	if (kind == REGION_PINNED)
		err = longterm_register(&r->held, edu_dma(e), addr, nr, "RDMA region");
	else
		err = demand_register(r);
	if (err)
		free(r);
	else
		*out = r;
	return err;
}

int region_receive(struct region *r, const char *text)
{
	if (r->kind == REGION_ON_DEMAND)
		return demand_receive(r, text);
	return longterm_transfer(r->e, &r->held.map, text);
}

struct dma_job *region_start(struct region *r, const char *text, unsigned times, int *err)
{
	*err = -EINVAL;
	return r->held.map.dev ? dma_start_registered(r->e, &r->held.map, DMA_IN, text, times, err)
			       : NULL;
}

void region_deregister(struct region *r)
{
	if (r->kind == REGION_PINNED)
		longterm_drop(&r->held);
	else
		demand_deregister(r);
	free(r);
}
