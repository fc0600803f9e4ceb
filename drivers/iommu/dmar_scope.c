/* SPDX-License-Identifier: MIT */
/*
 * Who is meant: from a device to the unit in front of it.
 *
 * A scope names a device by the way to it, because bus numbers behind bridges are the firmware's
 * choice and may change. A bridge in a scope stands for all that is behind it. What no unit names
 * belongs to the one that has "all" of its segment, if there is one.
 */
#include "drivers/iommu/internal.h"

#define MOST_BRIDGES 256 /* a way up that is longer goes in circles */

static int place(uint8_t bus, uint8_t dev, uint8_t fn)
{
	return bus << 8 | dev << 3 | fn;
}

/* Where the scope's way ends, or a negative number: it leads nowhere. */
static int end_of_path(const struct dmar_scope *s, const struct dmar_buses *buses)
{
	int bus = s->bus;

	for (unsigned i = 0; i + 1 < s->depth; i++) {
		bus = buses->behind((uint8_t)bus, s->path[i].dev, s->path[i].fn);
		if (bus < 0)
			return -1;
	}
	return place((uint8_t)bus, s->path[s->depth - 1].dev, s->path[s->depth - 1].fn);
}

static bool means(const struct dmar_scope *s, int device, const struct dmar_buses *buses)
{
	int end;

	if (s->kind != DMAR_ENDPOINT && s->kind != DMAR_BRIDGE)
		return false;
	end = end_of_path(s, buses);
	if (end < 0)
		return false;
	for (unsigned step = 0; device >= 0 && step < MOST_BRIDGES; step++) {
		if (device == end)
			return true;
		if (s->kind != DMAR_BRIDGE)
			return false;
		device = buses->above((uint8_t)(device >> 8));
	}
	return false;
}

static bool any_means(const struct dmar *d, unsigned first, unsigned nr, int device,
		      const struct dmar_buses *buses)
{
	for (unsigned i = first; i < first + nr; i++)
		if (means(&d->scope[i], device, buses))
			return true;
	return false;
}

const struct dmar_unit *dmar_unit_of(const struct dmar *d, uint8_t bus, uint8_t dev, uint8_t fn,
				     const struct dmar_buses *buses)
{
	const struct dmar_unit *rest = NULL;

	for (unsigned i = 0; i < d->nr_units; i++) {
		const struct dmar_unit *u = &d->unit[i];

		/* A refused unit keeps its devices: no other one translates them. */
		if (!u->segment && any_means(d, u->first, u->nr_scopes, place(bus, dev, fn), buses))
			return u->verdict == DMAR_ACCEPTED ? u : NULL;
		if (u->all && u->verdict == DMAR_ACCEPTED)
			rest = u;
	}
	return rest;
}

bool dmar_reserved_for(const struct dmar *d, const struct dmar_reserved *r, uint8_t bus,
		       uint8_t dev, uint8_t fn, const struct dmar_buses *buses)
{
	return r->verdict == DMAR_ACCEPTED &&
	       any_means(d, r->first, r->nr_scopes, place(bus, dev, fn), buses);
}
