/* SPDX-License-Identifier: MIT */
/*
 * Resolution: numbers become pointers, and every DIMM and range gets its verdict.
 *
 * All arrays are sorted first (ranges by index, MEMDEVs by range and handle, DIMMs by handle), so
 * the result does not depend on the order of the table. Ranges are then judged by ascending
 * index: where two claim the same bytes, the one with the lower index has them; ranges of earlier
 * tables come before all of this one. A refused range takes nothing else with it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "drivers/nfit/internal.h"

#define PAGE 4096u

static int by_number(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int cmp_spa(const void *a, const void *b)
{
	const struct nfit_spa *x = a, *y = b;
	int c = by_number(x->index, y->index);

	return c ? c : by_number(x->base, y->base);
}

static int cmp_memdev(const void *a, const void *b)
{
	const struct nfit_memdev *x = a, *y = b;
	int c = by_number(x->range_index, y->range_index);

	c = c ? c : by_number(x->handle, y->handle);
	c = c ? c : by_number(x->region_offset, y->region_offset);
	return c ? c : by_number(x->dpa, y->dpa);
}

static int cmp_dimm(const void *a, const void *b)
{
	return by_number(((const struct nfit_dimm *)a)->handle,
			 ((const struct nfit_dimm *)b)->handle);
}

static const struct nfit_dcr *find_dcr(const struct nfit *n, uint16_t index)
{
	for (unsigned int i = 0; index && i < n->nr_dcrs; i++) {
		if (n->dcrs[i].index == index)
			return &n->dcrs[i];
	}
	return NULL;
}

static const struct nfit_interleave *find_interleave(const struct nfit *n, uint16_t index)
{
	for (unsigned int i = 0; index && i < n->nr_interleaves; i++) {
		if (n->interleaves[i].index == index)
			return &n->interleaves[i];
	}
	return NULL;
}

static struct nfit_spa *find_spa(struct nfit *n, uint16_t index)
{
	for (unsigned int i = 0; index && i < n->nr_spas; i++) {
		if (n->spas[i].index == index)
			return &n->spas[i];
	}
	return NULL;
}

static bool overlap(uint64_t a, uint64_t alen, uint64_t b, uint64_t blen)
{
	/* Written so that a range up to the last byte of the address space does not wrap. */
	return a <= b ? b - a < alen : a - b < blen;
}

/* --- DIMMs --- */

/* One DIMM per distinct handle, sorted; every MEMDEV gets a pointer to its own. */
static void make_dimms(struct nfit *n)
{
	unsigned int kept = 0;

	for (unsigned int i = 0; i < n->nr_memdevs; i++) {
		uint32_t h = n->memdevs[i].handle;

		n->dimms[i] = (struct nfit_dimm){.handle = h,
						 .node = h >> 16 & 0xfff,
						 .socket = h >> 12 & 15,
						 .controller = h >> 8 & 15,
						 .channel = h >> 4 & 15,
						 .dimm = h & 15,
						 .physical_id = n->memdevs[i].physical_id};
	}
	qsort(n->dimms, n->nr_memdevs, sizeof(*n->dimms), cmp_dimm);
	for (unsigned int i = 0; i < n->nr_memdevs; i++) {
		if (!kept || n->dimms[kept - 1].handle != n->dimms[i].handle)
			n->dimms[kept++] = n->dimms[i];
	}
	n->nr_dimms = kept;
}

/* Resolve what one MEMDEV names. A missing control region fails its DIMM, and only that. */
static void link_memdev(struct nfit *n, struct nfit_memdev *m)
{
	struct nfit_dimm key = {.handle = m->handle};
	struct nfit_dimm *d = bsearch(&key, n->dimms, n->nr_dimms, sizeof(key), cmp_dimm);

	m->dimm = d;
	m->dcr = find_dcr(n, m->dcr_index);
	m->interleave = find_interleave(n, m->interleave_index);
	m->spa = find_spa(n, m->range_index);
	d->flags |= m->flags;
	if (m->dcr && !d->dcr)
		d->dcr = m->dcr;
	if (m->dcr_index && !m->dcr) {
		d->missing_dcr = m->dcr_index;
		note(&n->notes, "DIMM 0x%" PRIx32 " failed: control region %u is not in the table",
		     m->handle, m->dcr_index);
	}
	if (m->range_index && !m->spa)
		note(&n->notes, "DIMM 0x%" PRIx32 " without region: range %u is not in the table",
		     m->handle, m->range_index);
	if (m->interleave_index && !m->interleave)
		note(&n->notes, "DIMM 0x%" PRIx32 ": interleave %u is not in the table", m->handle,
		     m->interleave_index);
	if (!m->spa)
		return;
	if (!m->spa->nr_memdevs++)
		m->spa->memdev = m; /* sorted: the others of this range follow */
	m->spa->health |= m->flags;
}

/* A hint is written to blindly at every flush: it must be a register, not somebody's memory. */
static bool hint_usable(const struct nfit_env *env, uint64_t addr)
{
	if (!addr || addr % 8 || addr >> env->phys_bits)
		return false;
	for (unsigned int i = 0; i < env->nr_ram; i++) {
		if (overlap(addr, 8, env->ram[i].base, env->ram[i].len))
			return false;
	}
	return true;
}

static void link_flush(struct nfit *n, struct nfit_flush *f, const struct nfit_env *env)
{
	struct nfit_dimm key = {.handle = f->handle};
	struct nfit_dimm *d = bsearch(&key, n->dimms, n->nr_dimms, sizeof(key), cmp_dimm);
	uint32_t kept = 0;

	for (uint32_t i = 0; i < f->count; i++) {
		if (hint_usable(env, f->hints[i]))
			f->hints[kept++] = f->hints[i];
		else
			note(&n->notes,
			     "flush hint 0x%" PRIx64 " of DIMM 0x%" PRIx32
			     " ignored: not an aligned address outside RAM",
			     f->hints[i], f->handle);
	}
	f->count = kept;
	if (!d)
		note(&n->notes, "flush hint for DIMM 0x%" PRIx32 ", which is not in the table",
		     f->handle);
	else if (d->flush)
		note(&n->notes, "DIMM 0x%" PRIx32 " has two flush hints: the first counts",
		     f->handle);
	else if (kept)
		d->flush = f;
}

/* --- ranges --- */

/* Note the refusal of one range. */
static void __attribute__((format(printf, 2, 3))) reject(struct nfit_spa *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(p->reason, sizeof(p->reason), fmt, ap);
	va_end(ap);
	p->verdict = NFIT_REJECTED;
}

static bool refuse_ram(struct nfit_spa *p, const struct nfit_env *env)
{
	for (unsigned int i = 0; i < env->nr_ram; i++) {
		const struct nfit_range *r = &env->ram[i];

		if (!r->len || !overlap(p->base, p->length, r->base, r->len))
			continue;
		reject(p, "overlaps RAM 0x%" PRIx64 "-0x%" PRIx64, r->base, r->base + (r->len - 1));
		return true;
	}
	return false;
}

/* Overlap with a range accepted before: `limit` ranges of this table, all of the earlier ones. */
static bool refuse_taken(struct nfit_spa *p, const struct nfit *n)
{
	unsigned int limit = (unsigned int)(p - n->spas);

	for (const struct nfit *t = n; t; t = t->earlier) {
		unsigned int nr = t == n ? limit : t->nr_spas;

		for (unsigned int i = 0; i < nr; i++) {
			const struct nfit_spa *o = &t->spas[i];

			if (o->verdict != NFIT_ACCEPTED ||
			    !overlap(p->base, p->length, o->base, o->length))
				continue;
			reject(p, "overlaps range %u of NFIT #%u (0x%" PRIx64 "-0x%" PRIx64 ")",
			       o->index, t->number, o->base, o->base + (o->length - 1));
			return true;
		}
	}
	return false;
}

/* The DIMMs behind a range must be complete and each must be there once. */
static bool refuse_dimms(struct nfit_spa *p)
{
	for (unsigned int i = 0; i < p->nr_memdevs; i++) {
		const struct nfit_memdev *m = &p->memdev[i];

		if (m->dimm->missing_dcr)
			reject(p,
			       "DIMM 0x%" PRIx32 " failed: control region %u is not in the table",
			       m->handle, m->dimm->missing_dcr);
		else if (i && m->handle == m[-1].handle)
			reject(p, "DIMM 0x%" PRIx32 " is in it twice", m->handle);
		else if (m->ways != p->nr_memdevs)
			reject(p,
			       "DIMM 0x%" PRIx32
			       " is interleaved %u ways, but the table has %u DIMM%s",
			       m->handle, m->ways, p->nr_memdevs, p->nr_memdevs == 1 ? "" : "s");
		else
			continue;
		return true;
	}
	return false;
}

uint64_t nfit_pages_lost(const struct nfit_spa *p)
{
	return (p->lost_start + PAGE - 1) / PAGE + (p->lost_end + PAGE - 1) / PAGE;
}

/* LAB 01 usable: addresses that no memory can have are refused, the others are trimmed to 2 MiB */
/* Addresses that no memory can have. */
static bool refuse_addresses(struct nfit_spa *p, unsigned int phys_bits)
{
	if (!p->index)
		reject(p, "range index 0 is reserved (expected 1 or more)");
	else if (!p->length)
		reject(p, "length 0");
	else if (p->base + (p->length - 1) < p->base)
		reject(p, "base 0x%" PRIx64 " + length 0x%" PRIx64 " wraps around", p->base,
		       p->length);
	else if ((p->base + (p->length - 1)) >> phys_bits)
		reject(p, "ends at 0x%" PRIx64 ", beyond the %u address bits of this CPU",
		       p->base + (p->length - 1), phys_bits);
	else
		return false;
	return true;
}

/* Keep whole multiples of NFIT_ALIGN. True: nothing is left. */
static bool trim(struct nfit_spa *p)
{
	uint64_t mask = NFIT_ALIGN - 1;
	uint64_t start_pad = -p->base & mask, end_pad = (p->base + p->length) & mask;

	if (p->length < NFIT_ALIGN) {
		reject(p, "it has %" PRIu64 " bytes; 2 MiB or more would do", p->length);
		return true;
	}
	/* length >= start_pad + end_pad also when both are in one 2 MiB frame, else nothing fits */
	if (p->length < start_pad + end_pad || p->length - start_pad - end_pad < NFIT_ALIGN) {
		reject(p,
		       "no 2 MiB-aligned 2 MiB within 0x%" PRIx64 "-0x%" PRIx64
		       "; align=2M would pass",
		       p->base, p->base + (p->length - 1));
		return true;
	}
	p->lost_start = start_pad;
	p->lost_end = end_pad;
	p->usable_base = p->base + start_pad;
	p->usable_length = p->length - start_pad - end_pad;
	if (start_pad || end_pad)
		snprintf(p->reason, sizeof(p->reason),
			 "trimmed to 2 MiB borders: %" PRIu64 " pages lost (%" PRIu64
			 " bytes at the start, %" PRIu64 " at the end); fix: align=2M",
			 nfit_pages_lost(p), start_pad, end_pad);
	return false;
}
/* END */

/* What trimming left has to be a place where memory can be bound: an accepted range is. */
static bool refuse_place(struct nfit_spa *p, const struct nfit_env *env)
{
	const char *why = env->place ? env->place(p->usable_base, p->usable_length) : NULL;

	if (!why)
		return false;
	reject(p, "0x%" PRIx64 "-0x%" PRIx64 " %s", p->usable_base,
	       p->usable_base + (p->usable_length - 1), why);
	p->usable_base = p->usable_length = p->lost_start = p->lost_end = 0;
	return true;
}

static bool memory_kind(enum nfit_kind k)
{
	return k == NFIT_KIND_VOLATILE || k == NFIT_KIND_VOLATILE_DISK ||
	       k == NFIT_KIND_VOLATILE_CD || nfit_kind_persistent(k);
}

/* One range's verdict: the first failed condition is the reason. 0 or -ENOMEM. */
static int judge(struct nfit *n, struct nfit_spa *p, const struct nfit_env *env)
{
	if (!memory_kind(p->kind)) {
		p->verdict = NFIT_IGNORED;
		snprintf(p->reason, sizeof(p->reason), "not memory: %s", nfit_kind_name(p->kind));
		return 0;
	}
	p->verdict = NFIT_REJECTED; /* until everything below has passed; refuse_taken() skips it */
	if (refuse_addresses(p, env->phys_bits) || refuse_ram(p, env) || refuse_taken(p, n) ||
	    refuse_dimms(p) || trim(p) || refuse_place(p, env))
		return 0;
	p->verdict = NFIT_ACCEPTED;
	p->read_only = p->health & NFIT_NOT_ARMED;
	if (!p->nr_memdevs && p->kind == NFIT_KIND_PM)
		note(&n->notes, "range %u: no DIMM is behind it, health is unknown", p->index);
	return nfit_set_resolve(n, p);
}

int nfit_resolve(struct nfit *n, const struct nfit_env *env)
{
	int err = 0;

	qsort(n->spas, n->nr_spas, sizeof(*n->spas), cmp_spa);
	qsort(n->memdevs, n->nr_memdevs, sizeof(*n->memdevs), cmp_memdev);
	make_dimms(n);
	for (unsigned int i = 0; i < n->nr_memdevs; i++)
		link_memdev(n, &n->memdevs[i]);
	for (unsigned int i = 0; i < n->nr_flushes; i++)
		link_flush(n, &n->flushes[i], env);
	for (unsigned int i = 0; i < n->nr_spas && !err; i++)
		err = judge(n, &n->spas[i], env);
	return err;
}
