/* SPDX-License-Identifier: MIT */
/*
 * Interleave sets: several DIMMs behind one range.
 *
 * Each DIMM holds every ways-th piece of the range. Its part is cut into lines; line i of the part
 * lies, counted in lines from the DIMM's region offset, at line_offset[i mod count], and after
 * `count` lines the pattern moves on by ways * count lines. Forward (DIMM to range) is that
 * formula; backward solves it for every entry of the pattern. Backward has one answer only when
 * the patterns of all DIMMs together hit every line exactly once, which is checked once, at parse
 * time ("translatable").
 *
 * A set is told from others by its cookie: a checksum over who is where. Labels carry it, so
 * DIMMs that were moved or swapped are noticed (UEFI 2.8, 13.19; UEFI NVDIMM labels v1.1, v1.2).
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/nfit/internal.h"

#define MAX_PATTERN (1u << 20) /* lines of all DIMMs of a set in one round that we check */

uint64_t nfit_fletcher64(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint32_t lo = 0;
	uint64_t hi = 0;

	for (size_t i = 0; i + 4 <= len; i += 4) {
		lo += le32(p + i);
		hi += lo;
	}
	return hi << 32 | lo;
}

uint32_t nfit_line_offset(const struct nfit_interleave *il, uint32_t i)
{
	return le32(il->lines + 4 * (size_t)i);
}

/* --- translation --- */

int nfit_dpa_to_spa(const struct nfit_memdev *m, uint64_t dpa, uint64_t *offset)
{
	const struct nfit_interleave *il = m->interleave;
	uint64_t off = dpa - m->dpa;

	if (!m->spa || !m->spa->translatable)
		return -EOPNOTSUPP;
	if (dpa < m->dpa || off >= m->region_size)
		return -ERANGE;
	if (m->ways == 1 && !il) {
		*offset = off + m->region_offset;
		return 0;
	}
	uint64_t size = il->line_size, count = il->line_count, line = off / size;

	*offset = m->region_offset + nfit_line_offset(il, (uint32_t)(line % count)) * size +
		  line / count * (m->ways * count * size) + off % size;
	return 0;
}

/* Byte `offset` of the range as an offset into this DIMM's part; false: another DIMM has it. */
static bool solve(const struct nfit_memdev *m, uint64_t offset, uint64_t *off)
{
	const struct nfit_interleave *il = m->interleave;
	uint64_t rel = offset - m->region_offset;

	if (offset < m->region_offset)
		return false;
	if (m->ways == 1 && !il) {
		*off = rel;
		return true;
	}
	uint64_t size = il->line_size, count = il->line_count, round = m->ways * count * size;

	for (uint32_t i = 0; i < count; i++) {
		uint64_t start = nfit_line_offset(il, i) * size;

		if (rel < start || (rel - start) % round >= size)
			continue;
		*off = ((rel - start) / round * count + i) * size + (rel - start) % round;
		return true;
	}
	return false;
}

int nfit_spa_to_dpa(const struct nfit_spa *spa, uint64_t offset, const struct nfit_memdev **m,
		    uint64_t *dpa)
{
	uint64_t off;

	if (!spa->translatable)
		return -EOPNOTSUPP;
	if (offset >= spa->length)
		return -ERANGE;
	for (unsigned int i = 0; i < spa->nr_memdevs; i++) {
		if (!solve(&spa->memdev[i], offset, &off))
			continue;
		*m = &spa->memdev[i];
		*dpa = spa->memdev[i].dpa + off;
		return 0;
	}
	return -ERANGE; /* not reached in a translatable set: the patterns cover every line */
}

/* One DIMM, no pattern: the part is the range. */
static bool plain(const struct nfit_spa *p)
{
	return p->nr_memdevs == 1 && !p->memdev->interleave_index && !p->memdev->region_offset;
}

/* Mark the lines of one round that this DIMM has; false: out of the round, or taken. */
static bool mark_lines(const struct nfit_memdev *m, uint8_t *taken, uint64_t lines)
{
	const struct nfit_interleave *il = m->interleave;
	uint64_t base = m->region_offset / il->line_size;

	for (uint32_t i = 0; i < il->line_count; i++) {
		uint64_t line = base + nfit_line_offset(il, i);

		if (base >= lines || line >= lines || taken[line])
			return false;
		taken[line] = 1;
	}
	return true;
}

/* The shape that all DIMMs of a set must share. NULL: fine; else what is wrong. */
static const char *shape_error(const struct nfit_spa *p)
{
	const struct nfit_interleave *first = p->memdev->interleave;

	for (unsigned int i = 0; i < p->nr_memdevs; i++) {
		const struct nfit_memdev *m = &p->memdev[i];
		const struct nfit_interleave *il = m->interleave;

		if (m->region_size != p->length / p->nr_memdevs || p->length % p->nr_memdevs)
			return "the parts of the DIMMs do not add up to the range";
		if (m->dpa + (m->region_size - 1) < m->dpa)
			return "a device address wraps around";
		if (plain(p))
			return NULL;
		if (!il)
			return "no interleave description";
		if (!il->line_size || il->line_size != first->line_size ||
		    il->line_count != first->line_count)
			return "the interleave descriptions differ in line size or count";
		if (m->region_offset % il->line_size ||
		    m->region_size % ((uint64_t)il->line_count * il->line_size))
			return "a part is not a whole number of interleave rounds";
	}
	if ((uint64_t)first->line_count * p->nr_memdevs > MAX_PATTERN)
		return "the interleave pattern is longer than 1048576 lines";
	return NULL;
}

/* Do the patterns of all DIMMs together cover each line once? 0 or -ENOMEM; *why as above. */
static int check_partition(const struct nfit_spa *p, const char **why)
{
	uint64_t lines = (uint64_t)p->memdev->interleave->line_count * p->nr_memdevs;
	uint8_t *taken = calloc(lines, 1);

	if (!taken)
		return -ENOMEM;
	for (unsigned int i = 0; i < p->nr_memdevs && !*why; i++) {
		if (!mark_lines(&p->memdev[i], taken, lines))
			*why = "two interleave lines fall on the same place";
	}
	free(taken);
	return 0;
}

/* --- cookies --- */

/* The per-DIMM records that are summed. Stored little-endian, as the machine would hold them. */
struct cookie_v11 {
	uint64_t region_offset;
	uint32_t serial, reserved;
};

struct cookie_v12 {
	uint64_t region_offset;
	uint32_t serial;
	uint16_t vendor, date;
	uint8_t location, reserved[31];
};

_Static_assert(sizeof(struct cookie_v11) == 16 && sizeof(struct cookie_v12) == 48,
	       "cookie records have the size the label specification sums over");

static int cmp_offset(const void *a, const void *b)
{
	uint64_t x, y;

	memcpy(&x, a, sizeof(x)); /* the offset is the first field of both records */
	memcpy(&y, b, sizeof(y));
	return x < y ? -1 : x > y;
}

static int cmp_offset_bytes(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(uint64_t));
}

/* Needs a control region for every DIMM; without one the cookies stay 0. 0 or -ENOMEM. */
static int make_cookies(struct nfit_spa *p)
{
	unsigned int nr = p->nr_memdevs;
	struct cookie_v11 *v11 = calloc(nr, sizeof(*v11));
	struct cookie_v12 *v12 = calloc(nr, sizeof(*v12));
	int err = v11 && v12 ? 0 : -ENOMEM;

	for (unsigned int i = 0; !err && i < nr; i++) {
		const struct nfit_memdev *m = &p->memdev[i];

		v11[i].region_offset = v12[i].region_offset = m->region_offset;
		v11[i].serial = v12[i].serial = m->dcr->serial;
		v12[i].vendor = m->dcr->vendor;
		v12[i].date = m->dcr->date;
		v12[i].location = m->dcr->location;
	}
	if (!err) {
		qsort(v12, nr, sizeof(*v12), cmp_offset);
		p->cookie_v12 = nfit_fletcher64(v12, nr * sizeof(*v12));
		qsort(v11, nr, sizeof(*v11), cmp_offset);
		p->cookie_v11 = nfit_fletcher64(v11, nr * sizeof(*v11));
		qsort(v11, nr, sizeof(*v11), cmp_offset_bytes);
		p->cookie_alt = nfit_fletcher64(v11, nr * sizeof(*v11));
	}
	free(v11);
	free(v12);
	return err;
}

/* Position: how many DIMMs of the set start before this one (ties: the lower handle first). */
static void number_positions(struct nfit_spa *p)
{
	for (unsigned int i = 0; i < p->nr_memdevs; i++) {
		unsigned int before = 0;

		for (unsigned int k = 0; k < p->nr_memdevs; k++)
			before +=
				p->memdev[k].region_offset < p->memdev[i].region_offset ||
				(k < i && p->memdev[k].region_offset == p->memdev[i].region_offset);
		p->memdev[i].position = (uint16_t)before;
	}
}

int nfit_set_resolve(struct nfit *n, struct nfit_spa *p)
{
	const char *why = NULL;
	bool known = true;
	int err = 0;

	if (!p->nr_memdevs)
		return 0;
	number_positions(p);
	why = shape_error(p);
	if (!why && !plain(p))
		err = check_partition(p, &why);
	p->translatable = !err && !why;
	if (why)
		note(&n->notes, "range %u: no translation to device addresses: %s", p->index, why);
	for (unsigned int i = 0; i < p->nr_memdevs; i++)
		known = known && p->memdev[i].dcr;
	if (!err && known)
		err = make_cookies(p);
	if (!err && (!p->cookie_v11 || !p->cookie_v12))
		note(&n->notes, "range %u: no interleave-set cookie, labels cannot be used",
		     p->index);
	return err ? nfit_reject(n, err, "no memory for the interleave set of range %u", p->index)
		   : 0;
}
