/* SPDX-License-Identifier: MIT */
/*
 * The DMAR parser: header, then one structure after the other, each with its device scopes.
 *
 * Two verdicts. Bytes that cannot be (a length that leads nowhere, a structure shorter than its
 * type) refuse the table: whoever wrote it means another layout. A unit or a reserved range whose
 * bytes are fine and whose meaning is not (registers in RAM, two units at one place) is refused
 * alone, and its devices are not translated.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "drivers/iommu/internal.h"

enum {
	TYPE_UNIT = 0,
	TYPE_RESERVED = 1,
	TYPE_KNOWN = 7
}; /* 2 … 6: caches, nodes, names: skipped */
#define UNIT_HEADER	16u
#define RESERVED_HEADER 24u
#define SCOPE_HEADER	6u
#define UNIT_ALL	1u

static int reject(struct dmar *d, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static int reject(struct dmar *d, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(d->reason, sizeof(d->reason), fmt, ap);
	va_end(ap);
	d->verdict = DMAR_REJECTED;
	d->error = err;
	d->nr_units = d->nr_reserved = d->nr_scopes = d->nr_other = 0;
	return err;
}

static int check_header(struct dmar *d, const uint8_t *b, size_t avail)
{
	if (avail < DMAR_HEADER)
		return reject(d, -EINVAL, "length %zu (expected %u or more)", avail, DMAR_HEADER);
	if (memcmp(b, "DMAR", 4))
		return reject(d, -EINVAL, "signature %02x %02x %02x %02x (expected \"DMAR\")", b[0],
			      b[1], b[2], b[3]);
	d->length = le32(b + 4);
	d->revision = b[8];
	field_text(d->oem, b + 10, 6);
	field_text(d->oem_table, b + 16, 8);
	if (d->length < DMAR_HEADER || d->length > DMAR_MAX_LENGTH)
		return reject(d, -EINVAL, "length %" PRIu32 " (expected %u to %u)", d->length,
			      DMAR_HEADER, DMAR_MAX_LENGTH);
	if (d->length > avail)
		return reject(d, -EINVAL, "length %" PRIu32 ", but only %zu bytes are there",
			      d->length, avail);
	d->sum = byte_sum(b, d->length);
	if (d->sum)
		return reject(d, -EINVAL, "checksum 0x%02x (expected sum 0)", d->sum);
	d->width = b[36] + 1u;
	d->flags = b[37];
	if (d->width < 32 || d->width > 52)
		return reject(d, -EINVAL, "an address width of %u bits (expected 32 to 52)",
			      d->width);
	return 0;
}

/* ---- device scopes -------------------------------------------------------------------------- */

/* One scope of `left` bytes at s. Its length, or a negative errno. */
static int add_scope(struct dmar *d, const uint8_t *s, uint32_t left, uint32_t offset)
{
	struct dmar_scope *scope = &d->scope[d->nr_scopes];
	unsigned len = left < SCOPE_HEADER ? 0 : s[1];
	unsigned depth = len < SCOPE_HEADER ? 0 : (len - SCOPE_HEADER) / 2;

	if (len < SCOPE_HEADER + 2 || len % 2 || len > left)
		return reject(d, -EINVAL,
			      "device scope at offset %" PRIu32 " has length %u in %" PRIu32
			      " bytes (expected an even one from 8 on)",
			      offset, len, left);
	if (depth > DMAR_MAX_PATH)
		return reject(d, -E2BIG,
			      "device scope at offset %" PRIu32
			      " leads over %u bridges (at most %u can be followed)",
			      offset, depth - 1, DMAR_MAX_PATH - 1);
	if (d->nr_scopes == DMAR_MAX_SCOPES)
		return reject(d, -E2BIG, "more than %u device scopes", DMAR_MAX_SCOPES);
	*scope =
		(struct dmar_scope){.kind = s[0], .id = s[4], .bus = s[5], .depth = (uint8_t)depth};
	for (unsigned i = 0; i < depth; i++) {
		scope->path[i].dev = s[SCOPE_HEADER + 2 * i];
		scope->path[i].fn = s[SCOPE_HEADER + 2 * i + 1];
		if (scope->path[i].dev > 31 || scope->path[i].fn > 7)
			return reject(d, -EINVAL,
				      "device scope at offset %" PRIu32
				      " names device %u.%u (expected 0.0 to 31.7)",
				      offset, scope->path[i].dev, scope->path[i].fn);
	}
	if (!scope->kind || scope->kind > DMAR_NAMED)
		note(&d->notes, "device scope at offset %" PRIu32 " is of unknown type %u", offset,
		     scope->kind);
	d->nr_scopes++;
	return (int)len;
}

/* All scopes from s to the end of its structure; how many, or a negative errno. */
static int add_scopes(struct dmar *d, const uint8_t *s, uint32_t left, uint32_t offset)
{
	int n = 0;

	for (; left; n++) {
		int len = add_scope(d, s, left, offset);

		if (len < 0)
			return len;
		s += len;
		offset += (uint32_t)len;
		left -= (uint32_t)len;
	}
	return n;
}

/* ---- units and reserved memory -------------------------------------------------------------- */

static const struct dmar_range *in_ram(const struct dmar_env *env, uint64_t base, uint64_t len)
{
	for (unsigned i = 0; i < env->nr_ram; i++)
		if (base < env->ram[i].base + env->ram[i].len && env->ram[i].base < base + len)
			return &env->ram[i];
	return NULL;
}

/* The end of a sentence about [base, base + len); 0: it may be there. */
static int wrong_place(char *why, const struct dmar_env *env, uint64_t base, uint64_t len)
{
	const struct dmar_range *ram;

	if (!base || base % 4096 || len % 4096)
		return snprintf(why, DMAR_TEXT,
				"0x%" PRIx64 " + 0x%" PRIx64 " is no multiple of 4 KiB above 0",
				base, len);
	if (base + len < base || (base + len - 1) >> env->phys_bits)
		return snprintf(why, DMAR_TEXT,
				"0x%" PRIx64 " + 0x%" PRIx64 " is beyond the CPU's %u address bits",
				base, len, env->phys_bits);
	ram = in_ram(env, base, len);
	if (ram)
		return snprintf(why, DMAR_TEXT,
				"0x%" PRIx64 " + 0x%" PRIx64 " overlaps RAM at 0x%" PRIx64, base,
				len, ram->base);
	return 0;
}

static void judge_unit(const struct dmar *d, struct dmar_unit *u, const struct dmar_env *env)
{
	u->verdict = DMAR_REJECTED;
	if (wrong_place(u->reason, env, u->base, u->size))
		return;
	for (const struct dmar_unit *o = d->unit; o < u; o++) {
		if (o->base < u->base + u->size && u->base < o->base + o->size) {
			snprintf(u->reason, DMAR_TEXT,
				 "its registers overlap those of the unit at 0x%" PRIx64, o->base);
			return;
		}
		if (o->all && u->all && o->segment == u->segment) {
			snprintf(u->reason, DMAR_TEXT,
				 "the unit at 0x%" PRIx64 " has the rest of segment %u already",
				 o->base, o->segment);
			return;
		}
	}
	u->verdict = u->segment ? DMAR_IGNORED : DMAR_ACCEPTED;
	if (u->segment)
		snprintf(u->reason, DMAR_TEXT, "it is of PCI segment %u; 0 is what is looked at",
			 u->segment);
}

static int add_unit(struct dmar *d, const uint8_t *s, uint32_t len, uint32_t offset,
		    const struct dmar_env *env)
{
	struct dmar_unit *u = &d->unit[d->nr_units];
	int n;

	if (d->nr_units == DMAR_MAX_UNITS)
		return reject(d, -E2BIG, "more than %u remapping units", DMAR_MAX_UNITS);
	*u = (struct dmar_unit){.base = le64(s + 8),
				.size = 4096ull << (s[5] & 15),
				.segment = le16(s + 6),
				.all = s[4] & UNIT_ALL,
				.first = d->nr_scopes};
	n = add_scopes(d, s + UNIT_HEADER, len - UNIT_HEADER, offset + UNIT_HEADER);
	if (n < 0)
		return n;
	u->nr_scopes = (unsigned)n;
	judge_unit(d, u, env);
	d->nr_units++;
	return 0;
}

static int add_reserved(struct dmar *d, const uint8_t *s, uint32_t len, uint32_t offset,
			const struct dmar_env *env)
{
	struct dmar_reserved *r = &d->reserved[d->nr_reserved];
	uint64_t last = le64(s + 16);
	int n;

	if (d->nr_reserved == DMAR_MAX_RESERVED)
		return reject(d, -E2BIG, "more than %u reserved ranges", DMAR_MAX_RESERVED);
	*r = (struct dmar_reserved){
		.base = le64(s + 8), .segment = le16(s + 6), .first = d->nr_scopes};
	n = add_scopes(d, s + RESERVED_HEADER, len - RESERVED_HEADER, offset + RESERVED_HEADER);
	if (n < 0)
		return n;
	r->nr_scopes = (unsigned)n;
	r->len = last - r->base + 1;
	r->verdict = DMAR_REJECTED;
	if (last < r->base || !r->len)
		snprintf(r->reason, DMAR_TEXT, "it ends at 0x%" PRIx64 ", before its begin", last);
	else if (!wrong_place(r->reason, env, r->base, r->len))
		r->verdict = r->segment ? DMAR_IGNORED : DMAR_ACCEPTED;
	if (r->verdict == DMAR_IGNORED)
		snprintf(r->reason, DMAR_TEXT, "it is of PCI segment %u; 0 is what is looked at",
			 r->segment);
	d->nr_reserved++;
	return 0;
}

/* ---- the table ------------------------------------------------------------------------------ */

static int add_structure(struct dmar *d, const uint8_t *s, uint32_t len, uint32_t offset,
			 const struct dmar_env *env)
{
	unsigned type = le16(s);
	uint32_t least = type == TYPE_UNIT	 ? UNIT_HEADER
			 : type == TYPE_RESERVED ? RESERVED_HEADER
						 : 4;

	if (len < least)
		return reject(d, -EINVAL,
			      "%s structure at offset %" PRIu32 " has length %" PRIu32
			      " (expected %" PRIu32 " or more)",
			      type == TYPE_UNIT ? "unit" : "reserved-memory", offset, len, least);
	if (type == TYPE_UNIT)
		return add_unit(d, s, len, offset, env);
	if (type == TYPE_RESERVED)
		return add_reserved(d, s, len, offset, env);
	d->nr_other++;
	if (type >= TYPE_KNOWN)
		note(&d->notes, "structure of unknown type %u at offset %" PRIu32 " skipped", type,
		     offset);
	return 0;
}

static int walk(struct dmar *d, const uint8_t *b, const struct dmar_env *env)
{
	uint32_t at = DMAR_HEADER;

	while (at < d->length) {
		uint32_t left = d->length - at, len = left < 4 ? 0 : le16(b + at + 2);
		int err;

		if (left < 4)
			return reject(d, -EINVAL,
				      "%" PRIu32 " bytes at offset %" PRIu32
				      " are too few for a structure",
				      left, at);
		if (len < 4 || len > left)
			return reject(d, -EINVAL,
				      "structure at offset %" PRIu32 " has length %" PRIu32
				      " (expected 4 to %" PRIu32 ")",
				      at, len, left);
		err = add_structure(d, b + at, len, at, env);
		if (err)
			return err;
		at += len;
	}
	return d->nr_units ? 0 : reject(d, -EINVAL, "it names no remapping unit");
}

int dmar_parse(struct dmar *d, const void *bytes, size_t avail, const struct dmar_env *env)
{
	struct dmar_env e = *env;
	int err;

	if (!e.phys_bits || e.phys_bits > 52)
		e.phys_bits = 52;
	memset(d, 0, sizeof(*d));
	err = check_header(d, bytes, avail);
	return err ? err : walk(d, bytes, &e);
}
