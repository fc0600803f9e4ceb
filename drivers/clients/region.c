/* SPDX-License-Identifier: MIT */
/*
 * Memory regions: what an RDMA device may write into without asking again.
 *
 * Two kinds, as in real hardware. A pinned one keeps its pages, and its bus addresses lead to them,
 * from registration on; of a file that is mapped with MAP_DIRECT it can be taken back
 * (region_lease.c). An on-demand one (region_demand.c) keeps only the addresses: pages come by
 * faults, and go when the address space loses them.
 */
#include "drivers/clients/internal.h"

int region_register(struct edu *e, uint64_t addr, unsigned nr, enum region_kind kind,
		    const char *name, struct region **out)
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
	mutex_init(&r->lock, "memory region");
	snprintf(r->name, sizeof(r->name), "RDMA region%s%s", name ? " " : "", name ? name : "");
	err = kind == REGION_PINNED ? pinned_register(r) : demand_register(r);
	if (err)
		free(r);
	else
		*out = r;
	return err;
}

enum region_state region_state(const struct region *r)
{
	if (__atomic_load_n(&r->revoked, __ATOMIC_ACQUIRE))
		return REGION_REVOKED;
	return __atomic_load_n(&r->told, __ATOMIC_ACQUIRE) ? REGION_TOLD : REGION_LIVE;
}

const struct dma_mapping *region_bus(const struct region *r)
{
	return &r->held.map;
}

int region_receive(struct region *r, const char *text)
{
	if (r->kind == REGION_ON_DEMAND)
		return demand_receive(r, text);
	if (region_state(r) == REGION_REVOKED)
		return refuse(-ENXIO,
			      "%s was revoked: its file wanted the pages back; deregister it",
			      r->name);
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
		pinned_deregister(r);
	else
		demand_deregister(r);
	free(r);
}
