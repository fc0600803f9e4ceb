/* SPDX-License-Identifier: MIT */
/*
 * Structures to typed arrays: each field from its offset, nothing judged yet.
 *
 * The frame has shown that every record has the size its type needs, so offsets are constants
 * here. Offsets and meanings: ACPI 6.4, 5.2.25.2 to 5.2.25.9.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/nfit/internal.h"

/* Range types, as stored: the first three groups of a GUID are little-endian. */
static const struct {
	uint8_t guid[16];
	enum nfit_kind kind;
} kinds[] = {
	{{0x79, 0xd3, 0xf0, 0x66, 0xf3, 0xb4, 0x74, 0x40, 0xac, 0x43, 0x0d, 0x33, 0x18, 0xb7, 0x8c,
	  0xdb},
	 NFIT_KIND_PM},
	{{0x4f, 0x94, 0x05, 0x73, 0xda, 0xfd, 0xe3, 0x44, 0xb1, 0x6c, 0x3f, 0x22, 0xd2, 0x52, 0xe5,
	  0xd0},
	 NFIT_KIND_VOLATILE},
	{{0xf6, 0x01, 0xf7, 0x92, 0xb4, 0x13, 0x5d, 0x40, 0x91, 0x0b, 0x29, 0x93, 0x67, 0xe8, 0x23,
	  0x4c},
	 NFIT_KIND_CONTROL},
	{{0x30, 0x05, 0xaf, 0x91, 0x86, 0x5d, 0x0e, 0x47, 0xa6, 0xb0, 0x0a, 0x2d, 0xb9, 0x40, 0x82,
	  0x49},
	 NFIT_KIND_BDW},
	{{0x5a, 0x53, 0xab, 0x77, 0xfc, 0x45, 0x4b, 0x62, 0x55, 0x60, 0xf7, 0xb2, 0x81, 0xd1, 0xf9,
	  0x6e},
	 NFIT_KIND_VOLATILE_DISK},
	{{0x30, 0xbd, 0x5a, 0x3d, 0x75, 0x41, 0xce, 0x87, 0x6d, 0x64, 0xd2, 0xad, 0xe5, 0x23, 0xc4,
	  0xbb},
	 NFIT_KIND_VOLATILE_CD},
	{{0xc9, 0x02, 0xea, 0x5c, 0x07, 0x4d, 0xd3, 0x69, 0x26, 0x9f, 0x44, 0x96, 0xfb, 0xe0, 0x96,
	  0xf9},
	 NFIT_KIND_PERSISTENT_DISK},
	{{0x88, 0x81, 0x01, 0x08, 0xcd, 0x42, 0x48, 0xbb, 0x10, 0x0f, 0x53, 0x87, 0xd5, 0x3d, 0xed,
	  0x3d},
	 NFIT_KIND_PERSISTENT_CD},
};

static enum nfit_kind kind_of(const uint8_t guid[16])
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (!memcmp(kinds[i].guid, guid, 16))
			return kinds[i].kind;
	}
	return NFIT_KIND_UNKNOWN;
}

/* LAB 01 decode: the fields of a range and of a DIMM's part in it, each at its offset */
static void decode_spa(struct nfit *n, const uint8_t *s)
{
	struct nfit_spa *p = &n->spas[n->nr_spas++];

	p->table = n;
	p->index = le16(s + 4);
	p->flags = le16(s + 6);
	p->has_proximity = p->flags & 2;
	p->has_location = p->flags & 4;
	p->proximity = le32(s + 12);
	memcpy(p->guid, s + 16, 16);
	p->kind = kind_of(p->guid);
	p->base = le64(s + 32);
	p->length = le64(s + 40);
	p->attributes = le64(s + 48);
	p->location = p->has_location ? le64(s + 56) : 0;
}

static void decode_memdev(struct nfit *n, const uint8_t *s)
{
	n->memdevs[n->nr_memdevs++] = (struct nfit_memdev){
		.handle = le32(s + 4),
		.physical_id = le16(s + 8),
		.region_id = le16(s + 10),
		.range_index = le16(s + 12),
		.dcr_index = le16(s + 14),
		.region_size = le64(s + 16),
		.region_offset = le64(s + 24),
		.dpa = le64(s + 32),
		.interleave_index = le16(s + 40),
		.ways = le16(s + 42),
		.flags = le16(s + 44),
	};
}
/* END */

static void decode_dcr(struct nfit *n, const uint8_t *s)
{
	struct nfit_dcr *d = &n->dcrs[n->nr_dcrs++];

	*d = (struct nfit_dcr){
		.index = le16(s + 4),
		.vendor = le16(s + 6),
		.device = le16(s + 8),
		.revision = le16(s + 10),
		.sub_vendor = le16(s + 12),
		.sub_device = le16(s + 14),
		.sub_revision = le16(s + 16),
		.valid_fields = s[18],
		.location = s[19],
		.date = le16(s + 20),
		.serial = le32(s + 24),
		.format = le16(s + 28),
		.windows = le16(s + 30),
	};
	if (!d->windows) /* then nothing beyond byte 32 has a meaning, or need be there */
		return;
	d->window_size = le64(s + 32);
	d->command_offset = le64(s + 40);
	d->command_size = le64(s + 48);
	d->status_offset = le64(s + 56);
	d->status_size = le64(s + 64);
	d->flags = le16(s + 72);
}

static void decode_interleave(struct nfit *n, const uint8_t *s)
{
	n->interleaves[n->nr_interleaves++] = (struct nfit_interleave){
		.index = le16(s + 4),
		.line_count = le32(s + 8),
		.line_size = le32(s + 12),
		.lines = s + 16,
	};
}

static void decode_bdw(struct nfit *n, const uint8_t *s)
{
	n->bdws[n->nr_bdws++] = (struct nfit_bdw){
		.index = le16(s + 4),
		.windows = le16(s + 6),
		.offset = le64(s + 8),
		.size = le64(s + 16),
		.capacity = le64(s + 24),
		.start = le64(s + 32),
	};
}

/* All addresses as they stand; nfit_resolve() keeps the usable ones. 0 or -ENOMEM. */
static int decode_flush(struct nfit *n, const uint8_t *s)
{
	struct nfit_flush f = {.handle = le32(s + 4), .count = le16(s + 8)};

	if (!f.count) {
		note(&n->notes, "flush hint of DIMM 0x%" PRIx32 " has no addresses: ignored",
		     f.handle);
		return 0;
	}
	f.hints = calloc(f.count, sizeof(*f.hints));
	if (!f.hints)
		return nfit_reject(n, -ENOMEM, "no memory for %" PRIu32 " flush hints", f.count);
	for (uint32_t i = 0; i < f.count; i++)
		f.hints[i] = le64(s + 16 + 8 * i);
	n->flushes[n->nr_flushes++] = f;
	return 0;
}

/* Bits above the highest valid one have no meaning; 31 and more means all 32 have. */
static void decode_caps(struct nfit *n, const struct nfit_record *r, const uint8_t *s)
{
	if (r->length < 16 || n->has_caps) {
		note(&n->notes, "capabilities at offset %" PRIu32 " ignored: %s", r->offset,
		     r->length < 16 ? "shorter than 16 bytes" : "the first ones count");
		return;
	}
	n->has_caps = true;
	n->caps_highest = s[4];
	if (n->caps_highest > 31) {
		note(&n->notes, "capabilities: highest bit %u clamped to 31", n->caps_highest);
		n->caps_highest = 31;
	}
	n->caps = le32(s + 8) & (0xffffffffu >> (31 - n->caps_highest));
	n->persistence = n->caps & 1   ? NFIT_PERSIST_CPU
			 : n->caps & 2 ? NFIT_PERSIST_CONTROLLER
				       : NFIT_PERSIST_UNKNOWN;
}

static int decode_record(struct nfit *n, const struct nfit_record *r)
{
	const uint8_t *s = n->bytes + r->offset;

	switch (r->type) {
	case NFIT_SPA: decode_spa(n, s); break;
	case NFIT_MEMDEV: decode_memdev(n, s); break;
	case NFIT_INTERLEAVE: decode_interleave(n, s); break;
	case NFIT_SMBIOS: n->nr_smbios++; break;
	case NFIT_DCR: decode_dcr(n, s); break;
	case NFIT_BDW: decode_bdw(n, s); break;
	case NFIT_FLUSH: return decode_flush(n, s);
	case NFIT_CAPS: decode_caps(n, r, s); break;
	default:
		n->nr_unknown++;
		note(&n->notes, "structure of unknown type %u at offset %" PRIu32 " skipped",
		     r->type, r->offset);
		break;
	}
	return 0;
}

/* An array for all records of one type (never of size 0); NULL without memory. */
static void *array_for(const struct nfit *n, unsigned int type, size_t size)
{
	size_t count = 1;

	for (unsigned int i = 0; i < n->nr_records; i++)
		count += n->records[i].type == type;
	return calloc(count, size);
}

int nfit_decode(struct nfit *n)
{
	int err = 0;

	n->spas = array_for(n, NFIT_SPA, sizeof(*n->spas));
	n->memdevs = array_for(n, NFIT_MEMDEV, sizeof(*n->memdevs));
	n->dimms = array_for(n, NFIT_MEMDEV, sizeof(*n->dimms));
	n->dcrs = array_for(n, NFIT_DCR, sizeof(*n->dcrs));
	n->interleaves = array_for(n, NFIT_INTERLEAVE, sizeof(*n->interleaves));
	n->bdws = array_for(n, NFIT_BDW, sizeof(*n->bdws));
	n->flushes = array_for(n, NFIT_FLUSH, sizeof(*n->flushes));
	if (!n->spas || !n->memdevs || !n->dimms || !n->dcrs || !n->interleaves || !n->bdws ||
	    !n->flushes)
		return nfit_reject(n, -ENOMEM, "no memory for %u structures", n->nr_records);
	for (unsigned int i = 0; i < n->nr_records && !err; i++) {
		if (!n->records[i].duplicate)
			err = decode_record(n, &n->records[i]);
	}
	return err;
}
