/* SPDX-License-Identifier: MIT */
/*
 * An NFIT in words, a line at a time.
 *
 * Order: the verdict; each range with what it means, its verdict and the DIMMs behind it; each
 * DIMM with who made it and how it feels; capabilities; then everything that looked odd. The
 * lines go to a function of the caller: the console, or a test.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "drivers/nfit/internal.h"
#include "kernel/console/console.h"

struct printer {
	nfit_out_fn *out;
	void *ctx;
};

static void __attribute__((format(printf, 2, 3)))
line(const struct printer *p, const char *fmt, ...)
{
	char buf[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	p->out(p->ctx, buf);
}

const char *nfit_kind_name(enum nfit_kind kind)
{
	static const char *const name[] = {
		"persistent memory", "volatile memory",	      "control region",
		"block data window", "volatile virtual disk", "volatile virtual CD",
		"persistent disk",   "persistent CD",	      "unknown range type"};

	return name[kind];
}

const char *nfit_persistence_name(enum nfit_persistence p)
{
	switch (p) {
	case NFIT_PERSIST_CPU: return "CPU caches flushed on power loss";
	case NFIT_PERSIST_CONTROLLER: return "memory controller";
	default: return "unknown";
	}
}

void nfit_flags_text(uint32_t flags, char *buf, size_t size)
{
	static const char *const name[] = {
		"save failed",	"restore failed",	 "flush failed",  "not armed",
		"health event", "health events enabled", "mapping failed"};
	size_t used = 0;

	snprintf(buf, size, "healthy");
	for (unsigned int i = 0; i < sizeof(name) / sizeof(name[0]); i++) {
		if (!(flags & 1u << i) || used >= size)
			continue;
		used += (size_t)snprintf(buf + used, size - used, "%s%s", used ? ", " : "",
					 name[i]);
	}
}

static unsigned int accepted_ranges(const struct nfit *n)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < n->nr_spas; i++)
		count += n->spas[i].verdict == NFIT_ACCEPTED;
	return count;
}

void nfit_verdict_line(const struct nfit *n, char *buf, size_t size)
{
	bool truncated = n->verdict == NFIT_TRUNCATED;

	if (n->verdict == NFIT_REJECTED) {
		snprintf(buf, size, "NFIT #%u: rejected: %s", n->number, n->reason);
		return;
	}
	snprintf(buf, size,
		 "NFIT #%u: %s: %u of %u ranges usable, %u DIMM%s, %" PRIu32
		 " bytes, OEM \"%s\" \"%s\"%s%s",
		 n->number, truncated ? "truncated" : "accepted", accepted_ranges(n), n->nr_spas,
		 n->nr_dimms, n->nr_dimms == 1 ? "" : "s", n->length, n->oem, n->oem_table,
		 truncated ? "; " : "", truncated ? n->reason : "");
}

static void print_attributes(const struct printer *p, const struct nfit_spa *s)
{
	static const struct {
		uint64_t bit;
		const char *name;
	} attr[] = {{1, "UC"}, {2, "WC"},      {4, "WT"},
		    {8, "WB"}, {0x8000, "NV"}, {0x10000, "MORE_RELIABLE"}};
	char buf[64] = "";
	size_t used = 0;

	for (size_t i = 0; i < sizeof(attr) / sizeof(attr[0]); i++) {
		if (s->attributes & attr[i].bit)
			used += (size_t)snprintf(buf + used, sizeof(buf) - used, "%s%s",
						 used ? "|" : "", attr[i].name);
	}
	line(p, "    attributes 0x%" PRIx64 " (%s), flags 0x%x", s->attributes,
	     used ? buf : "none known", s->flags);
	if (s->has_location)
		line(p, "    location cookie 0x%" PRIx64, s->location);
}

static void print_verdict(const struct printer *p, const struct nfit_spa *s)
{
	char flags[128];

	if (s->verdict != NFIT_ACCEPTED) {
		line(p, "    %s: %s", s->verdict == NFIT_IGNORED ? "ignored" : "rejected",
		     s->reason);
		return;
	}
	line(p, "    accepted: usable 0x%" PRIx64 "-0x%" PRIx64 " (%s)", s->usable_base,
	     s->usable_base + (s->usable_length - 1), SIZE_TEXT(s->usable_length));
	if (*s->reason)
		line(p, "    %s", s->reason);
	nfit_flags_text(s->health, flags, sizeof(flags));
	line(p, "    %s, %s", s->read_only ? "read-only: a DIMM is not armed" : "read-write",
	     flags);
	if (s->cookie_v11)
		line(p,
		     "    interleave-set cookie v1.1 0x%016" PRIx64 " v1.2 0x%016" PRIx64
		     " alt 0x%016" PRIx64,
		     s->cookie_v11, s->cookie_v12, s->cookie_alt);
}

static void print_memdev(const struct printer *p, const struct nfit_memdev *m)
{
	line(p,
	     "    DIMM 0x%" PRIx32 " position %u of %u: %s at set offset 0x%" PRIx64
	     ", device address 0x%" PRIx64,
	     m->handle, m->position, m->ways, SIZE_TEXT(m->region_size), m->region_offset, m->dpa);
	if (m->interleave)
		line(p, "      interleave %u: %" PRIu32 " lines of %" PRIu32 " bytes",
		     m->interleave_index, m->interleave->line_count, m->interleave->line_size);
}

static void print_spa(const struct printer *p, const struct nfit_spa *s)
{
	char node[32] = "no node";

	if (s->has_proximity)
		snprintf(node, sizeof(node), "node %" PRIu32, s->proximity);
	line(p, "  range %u: %s, base 0x%" PRIx64 " length 0x%" PRIx64 " (%s), %s", s->index,
	     nfit_kind_name(s->kind), s->base, s->length, SIZE_TEXT(s->length), node);
	print_attributes(p, s);
	print_verdict(p, s);
	for (unsigned int i = 0; i < s->nr_memdevs; i++)
		print_memdev(p, &s->memdev[i]);
}

static void print_dcr(const struct printer *p, const struct nfit_dcr *d)
{
	line(p,
	     "    control region %u: serial 0x%08" PRIx32 " vendor 0x%04x device 0x%04x revision %u"
	     " format 0x%04x",
	     d->index, d->serial, d->vendor, d->device, d->revision, d->format);
	if (d->valid_fields & 1)
		line(p, "    manufactured at location 0x%02x, week and year 0x%04x", d->location,
		     d->date);
	if (d->windows)
		line(p, "    %u block windows of 0x%" PRIx64 " bytes (not used)", d->windows,
		     d->window_size);
}

static void print_dimm(const struct printer *p, const struct nfit_dimm *d)
{
	char flags[128];

	nfit_flags_text(d->flags, flags, sizeof(flags));
	line(p,
	     "  DIMM 0x%" PRIx32 ": node %u socket %u controller %u channel %u dimm %u, "
	     "physical id %u, %s",
	     d->handle, d->node, d->socket, d->controller, d->channel, d->dimm, d->physical_id,
	     flags);
	if (d->missing_dcr)
		line(p, "    failed: control region %u is not in the table", d->missing_dcr);
	if (d->dcr)
		print_dcr(p, d->dcr);
	for (uint32_t i = 0; d->flush && i < d->flush->count; i++)
		line(p, "    flush hint 0x%" PRIx64, d->flush->hints[i]);
}

void nfit_print(const struct nfit *n, nfit_out_fn *out, void *ctx)
{
	struct printer p = {.out = out, .ctx = ctx};
	char buf[256];

	nfit_verdict_line(n, buf, sizeof(buf));
	line(&p, "%s", buf);
	if (n->verdict == NFIT_REJECTED)
		return;
	for (unsigned int i = 0; i < n->nr_spas; i++)
		print_spa(&p, &n->spas[i]);
	for (unsigned int i = 0; i < n->nr_dimms; i++)
		print_dimm(&p, &n->dimms[i]);
	for (unsigned int i = 0; i < n->nr_bdws; i++)
		line(&p, "  block data window of control region %u: 0x%" PRIx64 " bytes (not used)",
		     n->bdws[i].index, n->bdws[i].capacity);
	if (n->has_caps)
		line(&p, "  capabilities 0x%" PRIx32 ", bits 0 to %u valid%s", n->caps,
		     n->caps_highest, n->caps & 4 ? ", memory mirroring" : "");
	line(&p, "  persistence domain: %s", nfit_persistence_name(n->persistence));
	for (unsigned int i = 0; i < n->notes.nr; i++)
		line(&p, "  warning: %s", n->notes.line[i]);
	if (n->notes.dropped)
		line(&p, "  and %u more warnings", n->notes.dropped);
}
