/* SPDX-License-Identifier: MIT */
/*
 * The NFIT parser's five doors: parse, free, walk the accepted ranges, list all of them in the
 * order of their DIMMs, compare with an update.
 *
 * Parsing is a pipeline, each stage in a file of its own: frame (bytes to structures), decode
 * (structures to fields), resolve (numbers to pointers, verdicts). A refusal at any stage empties
 * the result, so that nobody can use half a table; only the sentence stays.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/nfit/internal.h"

/* Release the arrays and forget how long they were; verdict, header and notes stay. */
static void drop_arrays(struct nfit *n)
{
	for (unsigned int i = 0; i < n->nr_flushes; i++)
		free(n->flushes[i].hints);
	free(n->flushes);
	free(n->bdws);
	free(n->interleaves);
	free(n->dcrs);
	free(n->dimms);
	free(n->memdevs);
	free(n->spas);
	free(n->records);
	free(n->bytes);
	n->flushes = NULL;
	n->bdws = NULL;
	n->interleaves = NULL;
	n->dcrs = NULL;
	n->dimms = NULL;
	n->memdevs = NULL;
	n->spas = NULL;
	n->records = NULL;
	n->bytes = NULL;
	n->nr_records = n->nr_spas = n->nr_memdevs = n->nr_dimms = n->nr_dcrs = 0;
	n->nr_interleaves = n->nr_bdws = n->nr_flushes = n->nr_smbios = n->nr_unknown = 0;
	n->has_caps = false;
	n->caps = 0;
	n->persistence = NFIT_PERSIST_UNKNOWN;
}

void nfit_free(struct nfit *n)
{
	drop_arrays(n);
}

/* The stages in order; the first failure has noted its reason in *n. */
static int run_stages(struct nfit *n, const uint8_t *bytes, size_t avail,
		      const struct nfit_env *env)
{
	int err = nfit_check_header(n, bytes, avail);

	if (err)
		return err;
	n->bytes = malloc(n->length);
	if (!n->bytes)
		return nfit_reject(n, -ENOMEM, "no memory for a copy of %" PRIu32 " bytes",
				   n->length);
	memcpy(n->bytes, bytes, n->length);
	err = nfit_collect(n);
	if (!err)
		err = nfit_decode(n);
	if (!err)
		err = nfit_resolve(n, env);
	return err;
}

int nfit_parse(struct nfit *n, const void *bytes, size_t avail, const struct nfit_env *env)
{
	struct nfit_env e = *env;
	int err;

	if (!e.phys_bits || e.phys_bits > 52)
		e.phys_bits = 52;
	memset(n, 0, sizeof(*n));
	n->earlier = e.earlier;
	n->number = e.earlier ? e.earlier->number + 1 : 1;
	err = run_stages(n, bytes, avail, &e);
	if (err)
		drop_arrays(n);
	return err;
}

bool nfit_kind_persistent(enum nfit_kind kind)
{
	return kind == NFIT_KIND_PM || kind == NFIT_KIND_PERSISTENT_DISK ||
	       kind == NFIT_KIND_PERSISTENT_CD;
}

const struct nfit_spa *nfit_next(const struct nfit *newest, const struct nfit_spa *after)
{
	const struct nfit_spa *best = NULL;

	for (const struct nfit *n = newest; n; n = n->earlier) {
		for (unsigned int i = 0; i < n->nr_spas; i++) {
			const struct nfit_spa *p = &n->spas[i];

			if (p->verdict != NFIT_ACCEPTED || !nfit_kind_persistent(p->kind))
				continue;
			if (after && p->base <= after->base)
				continue;
			if (!best || p->base < best->base) /* accepted ranges have distinct bases */
				best = p;
		}
	}
	return best;
}

static uint64_t first_handle(const struct nfit_spa *p)
{
	return p->nr_memdevs ? p->memdev[0].handle : UINT64_MAX; /* ordered by handle */
}

static int cmp_order(const void *a, const void *b)
{
	const struct nfit_spa *x = *(const struct nfit_spa *const *)a;
	const struct nfit_spa *y = *(const struct nfit_spa *const *)b;
	const uint64_t key[][2] = {{x->table->number, y->table->number},
				   {first_handle(x), first_handle(y)},
				   {x->base, y->base},
				   {x->index, y->index}};

	for (size_t i = 0; i < sizeof(key) / sizeof(key[0]); i++)
		if (key[i][0] != key[i][1])
			return key[i][0] < key[i][1] ? -1 : 1;
	return 0;
}

unsigned int nfit_in_order(const struct nfit *newest, const struct nfit_spa **out, unsigned int max)
{
	unsigned int nr = 0;

	for (const struct nfit *n = newest; n; n = n->earlier)
		for (unsigned int i = 0; i < n->nr_spas; i++) {
			if (!nfit_kind_persistent(n->spas[i].kind))
				continue;
			if (nr < max)
				out[nr] = &n->spas[i];
			nr++;
		}
	if (max)
		qsort(out, nr < max ? nr : max, sizeof(*out), cmp_order);
	return nr;
}

static bool has_structure(const struct nfit *n, const uint8_t *s, uint16_t length)
{
	for (unsigned int i = 0; i < n->nr_records; i++) {
		if (n->records[i].length == length &&
		    !memcmp(n->bytes + n->records[i].offset, s, length))
			return true;
	}
	return false;
}

int nfit_check_update(const struct nfit *old, const struct nfit *fresh, char *why, size_t size)
{
	for (unsigned int i = 0; i < old->nr_records; i++) {
		const struct nfit_record *r = &old->records[i];

		if (has_structure(fresh, old->bytes + r->offset, r->length))
			continue;
		snprintf(why, size,
			 "new table deletes entries: the %s structure at offset %" PRIu32
			 " of the old one is not in it",
			 nfit_type_name(r->type), r->offset);
		return -ENXIO;
	}
	return 0;
}
