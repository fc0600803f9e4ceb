/* SPDX-License-Identifier: MIT */
/* A DMAR in words. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "drivers/iommu/internal.h"

struct printer {
	dmar_out_fn *out;
	void *ctx;
};

static void line(const struct printer *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static void line(const struct printer *p, const char *fmt, ...)
{
	char buf[DMAR_TEXT + 160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	p->out(p->ctx, buf);
}

static const char *verdict_name(enum dmar_verdict v)
{
	return v == DMAR_ACCEPTED ? "accepted" : v == DMAR_IGNORED ? "ignored" : "rejected";
}

void dmar_verdict_line(const struct dmar *d, char *buf, size_t size)
{
	if (d->verdict == DMAR_REJECTED)
		snprintf(buf, size, "DMAR: rejected: %s", d->reason);
	else
		snprintf(buf, size,
			 "DMAR: accepted: %u remapping unit(s), %u reserved range(s), addresses of "
			 "%u bits, interrupts %s",
			 d->nr_units, d->nr_reserved, d->width,
			 d->flags & 1 ? "can be remapped, too" : "are not remapped");
}

static void scopes(const struct dmar *d, unsigned first, unsigned nr, const struct printer *p)
{
	static const char *const kind[] = {"device of unknown kind",
					   "device",
					   "everything behind",
					   "IOAPIC",
					   "HPET",
					   "named device"};

	for (unsigned i = first; i < first + nr; i++) {
		const struct dmar_scope *s = &d->scope[i];
		char way[8 * DMAR_MAX_PATH] = "";
		size_t used = 0;

		for (unsigned k = 0; k < s->depth; k++)
			used += (size_t)snprintf(way + used, sizeof(way) - used, "%s%02x.%x",
						 k ? "/" : "", s->path[k].dev, s->path[k].fn);
		line(p, "    %s %02x:%s", kind[s->kind <= DMAR_NAMED ? s->kind : 0], s->bus, way);
	}
}

void dmar_print(const struct dmar *d, dmar_out_fn *out, void *ctx)
{
	struct printer p = {out, ctx};
	char verdict[DMAR_TEXT + 32];

	dmar_verdict_line(d, verdict, sizeof(verdict));
	line(&p, "%s", verdict);
	for (unsigned i = 0; i < d->nr_units; i++) {
		const struct dmar_unit *u = &d->unit[i];

		line(&p, "  unit at 0x%" PRIx64 ", segment %u%s: %s%s%s", u->base, u->segment,
		     u->all ? ", all that no other unit has" : "", verdict_name(u->verdict),
		     u->reason[0] ? ": " : "", u->reason);
		scopes(d, u->first, u->nr_scopes, &p);
	}
	for (unsigned i = 0; i < d->nr_reserved; i++) {
		const struct dmar_reserved *r = &d->reserved[i];

		line(&p, "  reserved memory 0x%" PRIx64 " + 0x%" PRIx64 ": %s%s%s", r->base, r->len,
		     verdict_name(r->verdict), r->reason[0] ? ": " : "", r->reason);
		scopes(d, r->first, r->nr_scopes, &p);
	}
	for (unsigned i = 0; i < d->notes.nr; i++)
		line(&p, "  %s", d->notes.line[i]);
	if (d->notes.dropped)
		line(&p, "  %u more remarks", d->notes.dropped);
}
