/* SPDX-License-Identifier: MIT */
/*
 * The frame of an NFIT: is this a table, and where do its structures begin and end?
 *
 * Each structure starts with u16 type, u16 length. The length is the only way to the next one, so
 * a length that cannot be true (0, below 4, past the end) ends the walk: what came before is used
 * and the table is called truncated. A structure of a known type whose size does not fit its type
 * is worse: the firmware's idea of the layout is not ours, and the whole table is refused.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/nfit/internal.h"

int nfit_reject(struct nfit *n, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(n->reason, sizeof(n->reason), fmt, ap);
	va_end(ap);
	n->verdict = NFIT_REJECTED;
	n->error = err;
	return err;
}

const char *nfit_type_name(unsigned int type)
{
	static const char *const name[NFIT_NR_TYPES] = {
		"SPA range",	     "MEMDEV",	   "interleave",  "SMBIOS", "control region",
		"block data window", "flush hint", "capabilities"};

	return type < NFIT_NR_TYPES ? name[type] : "unknown";
}

int nfit_check_header(struct nfit *n, const uint8_t *b, size_t avail)
{
	if (avail < NFIT_HEADER)
		return nfit_reject(n, -EINVAL, "length %zu (expected %u or more)", avail,
				   NFIT_HEADER);
	if (memcmp(b, "NFIT", 4))
		return nfit_reject(n, -EINVAL, "signature %02x %02x %02x %02x (expected \"NFIT\")",
				   b[0], b[1], b[2], b[3]);
	n->length = le32(b + 4);
	n->revision = b[8];
	field_text(n->oem, b + 10, 6);
	field_text(n->oem_table, b + 16, 8);
	if (n->length < NFIT_HEADER || n->length > NFIT_MAX_LENGTH)
		return nfit_reject(n, -EINVAL, "length %" PRIu32 " (expected %u to %u)", n->length,
				   NFIT_HEADER, NFIT_MAX_LENGTH);
	if (n->length > avail)
		return nfit_reject(n, -EINVAL, "length %" PRIu32 ", but only %zu bytes are there",
				   n->length, avail);
	n->sum = byte_sum(b, n->length);
	if (n->sum)
		return nfit_reject(n, -EINVAL, "checksum 0x%02x (expected sum 0)", n->sum);
	return 0;
}

/* The structure at *at into *r, *at moved behind it. False: end of the walk. */
static bool next_structure(const struct nfit *n, uint32_t *at, struct nfit_record *r)
{
	uint32_t left = n->length - *at;
	const uint8_t *s = n->bytes + *at;

	if (left < 4)
		return false;
	*r = (struct nfit_record){.offset = *at, .type = le16(s), .length = le16(s + 2)};
	if (r->length < 4 || r->length > left)
		return false;
	*at += r->length;
	return true;
}

/* Why the walk ended before the end of the table, if it did. */
static void note_end(struct nfit *n, uint32_t at)
{
	uint32_t left = n->length - at;

	if (!left)
		return;
	n->verdict = NFIT_TRUNCATED;
	if (left < 4)
		snprintf(n->reason, sizeof(n->reason),
			 "%" PRIu32 " bytes at offset %" PRIu32 " are too few for a structure",
			 left, at);
	else
		snprintf(n->reason, sizeof(n->reason),
			 "structure at offset %" PRIu32 " has length %u (expected 4 to %" PRIu32
			 "): it and what follows is not used",
			 at, le16(n->bytes + at + 2), left);
	note(&n->notes, "%s", n->reason);
}

/* Bytes a structure of a known type must have; 0: anything goes. *exact tells = from >=. */
static uint32_t wanted_length(const struct nfit_record *r, const uint8_t *s, bool *exact)
{
	*exact = true;
	switch (r->type) {
	case NFIT_SPA: return r->length >= 8 && le16(s + 6) & 4 ? 64 : 56;
	case NFIT_MEMDEV: return 48;
	case NFIT_BDW: return 40;
	case NFIT_INTERLEAVE:
	case NFIT_FLUSH: return 0; /* check_counted() */
	default: break;
	}
	*exact = false;
	if (r->type == NFIT_DCR)
		return r->length >= 32 && le16(s + 30) ? 80 : 32;
	return 0; /* SMBIOS is skipped, short capabilities are ignored, unknown types are unknown */
}

/* Interleave and flush hints carry a count that the length must agree with. */
static int check_counted(struct nfit *n, const struct nfit_record *r, const uint8_t *s)
{
	bool lines = r->type == NFIT_INTERLEAVE;
	uint64_t count = r->length < 16 ? 0 : lines ? le32(s + 8) : le16(s + 8);
	uint64_t want = 16 + count * (lines ? 4 : 8);

	if (r->length == want && (count || !lines))
		return 0;
	return nfit_reject(n, -EINVAL,
			   "%s structure at offset %" PRIu32 " has length %u and count %" PRIu64
			   " (expected 16 + %u per entry%s)",
			   nfit_type_name(r->type), r->offset, r->length, count, lines ? 4 : 8,
			   lines ? ", one or more" : "");
}

static int check_length(struct nfit *n, const struct nfit_record *r)
{
	const uint8_t *s = n->bytes + r->offset;
	bool exact;
	uint32_t want = wanted_length(r, s, &exact);

	if (r->type == NFIT_INTERLEAVE || r->type == NFIT_FLUSH)
		return check_counted(n, r, s);
	if (exact ? r->length == want : r->length >= want)
		return 0;
	return nfit_reject(
		n, -EINVAL,
		"%s structure at offset %" PRIu32 " has length %u (expected %" PRIu32 "%s)",
		nfit_type_name(r->type), r->offset, r->length, want, exact ? "" : " or more");
}

/*
 * Compare a structure with all before it. Same bytes: ignored, with a warning. Same number but
 * other bytes: nobody can tell which is meant. Quadratic, which 4096 structures do not feel.
 */
static int check_duplicate(struct nfit *n, struct nfit_record *r)
{
	const uint8_t *s = n->bytes + r->offset;
	bool numbered = r->type == NFIT_SPA || r->type == NFIT_DCR || r->type == NFIT_INTERLEAVE;

	for (struct nfit_record *o = n->records; o < r; o++) {
		const uint8_t *os = n->bytes + o->offset;

		if (o->type != r->type || o->duplicate)
			continue;
		if (o->length == r->length && !memcmp(os, s, r->length)) {
			r->duplicate = true;
			note(&n->notes,
			     "%s structure at offset %" PRIu32 " repeats the one at %" PRIu32
			     ": ignored",
			     nfit_type_name(r->type), r->offset, o->offset);
			return 0;
		}
		if (numbered && le16(s + 4) && le16(os + 4) == le16(s + 4))
			return nfit_reject(n, -EEXIST,
					   "%s index %u at offsets %" PRIu32 " and %" PRIu32
					   " with different contents",
					   nfit_type_name(r->type), le16(s + 4), o->offset,
					   r->offset);
	}
	return 0;
}

int nfit_collect(struct nfit *n)
{
	struct nfit_record r;
	uint32_t at = NFIT_HEADER;
	unsigned int count = 0;
	int err = 0;

	while (next_structure(n, &at, &r))
		count++;
	note_end(n, at);
	n->records = calloc(count ? count : 1, sizeof(*n->records));
	if (!n->records)
		return nfit_reject(n, -ENOMEM, "no memory for %u structures", count);
	at = NFIT_HEADER;
	for (; n->nr_records < count && !err; n->nr_records++) {
		struct nfit_record *slot = &n->records[n->nr_records];

		next_structure(n, &at, slot);
		err = check_length(n, slot);
		if (!err && slot->type < NFIT_NR_TYPES && slot->type != NFIT_SMBIOS)
			err = check_duplicate(n, slot);
	}
	return err;
}
