/* SPDX-License-Identifier: MIT */
/*
 * From the RSDP to every table.
 *
 * The chain: the RSDP (found by the firmware's own pointer, or by its signature on a 16-byte
 * border) names the RSDT (32-bit pointers) and, from revision 2 on, the XSDT (64-bit pointers);
 * that lists all tables except the DSDT, which the FADT names. Each link can be damaged on its
 * own, so each is checked on its own: what is intact stays usable next to what is not.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "drivers/acpi/acpi.h"

/* RSDP layout (5.2.5.3). */
#define RSDP_SIG	"RSD PTR "
#define RSDP_V1_LENGTH	20u
#define RSDP_V2_LENGTH	36u
#define RSDP_MAX_LENGTH 256u

/* The part of revision 2: length, XSDT, checksum over everything. False: damaged, say why. */
static bool read_extended(struct acpi_rsdp *r, acpi_map_fn *map, void *ctx, struct notes *notes)
{
	const uint8_t *b = map(ctx, r->phys, RSDP_V2_LENGTH);

	r->length = b ? le32(b + 20) : 0;
	if (r->length < RSDP_V2_LENGTH || r->length > RSDP_MAX_LENGTH) {
		note(notes, "RSDP revision %u has length %" PRIu32 " (expected 36)", r->revision,
		     r->length);
		return false;
	}
	b = map(ctx, r->phys, r->length);
	r->extended_sum = b ? byte_sum(b, r->length) : 0xff;
	if (!b || r->extended_sum) {
		note(notes, "RSDP extended checksum 0x%02x (expected sum 0)", r->extended_sum);
		return false;
	}
	r->xsdt = le64(b + 24);
	return true;
}

int acpi_read_rsdp(struct acpi_rsdp *r, uint64_t phys, acpi_map_fn *map, void *ctx,
		   struct notes *notes)
{
	const uint8_t *b = map(ctx, phys, RSDP_V1_LENGTH);

	memset(r, 0, sizeof(*r));
	r->phys = phys;
	if (!b || memcmp(b, RSDP_SIG, 8)) {
		note(notes, "no RSDP at 0x%" PRIx64 ": %s", phys,
		     b ? "the signature is not \"RSD PTR \"" : "nothing is mapped there");
		return -EINVAL;
	}
	r->sum = byte_sum(b, RSDP_V1_LENGTH);
	field_text(r->oem, b + 9, 6);
	r->revision = b[15];
	r->rsdt = le32(b + 16);
	r->length = RSDP_V1_LENGTH;
	if (r->sum) {
		note(notes, "RSDP checksum 0x%02x (expected sum 0)", r->sum);
		return -EINVAL;
	}
	if (r->revision >= 2 && !read_extended(r, map, ctx, notes)) {
		if (!r->rsdt)
			return -EINVAL;
		note(notes, "RSDP used as revision 0: only the RSDT is followed");
	}
	return 0;
}

uint64_t acpi_scan_rsdp(uint64_t start, uint64_t len, acpi_map_fn *map, void *ctx)
{
	for (uint64_t at = start; len - (at - start) >= RSDP_V1_LENGTH; at += 16) {
		const uint8_t *b = map(ctx, at, RSDP_V1_LENGTH);

		if (b && !memcmp(b, RSDP_SIG, 8) && !byte_sum(b, RSDP_V1_LENGTH))
			return at;
		if (len - (at - start) < 16)
			break;
	}
	return 0;
}

void acpi_read_table(struct acpi_table *t, uint64_t phys, const char *want, acpi_map_fn *map,
		     void *ctx)
{
	const uint8_t *b = map(ctx, phys, ACPI_HEADER);
	bool printable;

	memset(t, 0, sizeof(*t));
	t->phys = phys;
	t->verdict = ACPI_UNREADABLE;
	strcpy(t->signature, "????");
	if (!b)
		return;
	printable = field_text(t->signature, b, 4);
	t->length = le32(b + 4);
	t->revision = b[8];
	field_text(t->oem, b + 10, 6);
	field_text(t->oem_table, b + 16, 8);
	t->verdict = ACPI_BAD_LENGTH;
	if (t->length < ACPI_HEADER || t->length > ACPI_MAX_LENGTH)
		return;
	t->bytes = map(ctx, phys, t->length);
	t->verdict = ACPI_UNREADABLE;
	if (!t->bytes)
		return;
	t->sum = byte_sum(t->bytes, t->length);
	if (!printable || (want && memcmp(t->signature, want, 4)))
		t->verdict = ACPI_BAD_SIGNATURE;
	else
		t->verdict = t->sum ? ACPI_BAD_CHECKSUM : ACPI_OK;
}

/* One more slot of the list, or NULL: counted as dropped. */
static struct acpi_table *next_table(struct acpi_tables *t)
{
	if (t->nr == ACPI_MAX_TABLES) {
		t->dropped++;
		return NULL;
	}
	return &t->table[t->nr++];
}

static void add_table(struct acpi_tables *t, uint64_t phys, const char *want, acpi_map_fn *map,
		      void *ctx)
{
	struct acpi_table *slot;

	for (unsigned int i = 0; i < t->nr; i++) {
		if (t->table[i].phys == phys) {
			note(&t->notes, "table at 0x%" PRIx64 " is listed twice, taken once", phys);
			return;
		}
	}
	slot = next_table(t);
	if (slot)
		acpi_read_table(slot, phys, want, map, ctx);
}

/* Take the tables listed by the root table in slot 0; `width` is the size of a pointer. */
static void walk_root(struct acpi_tables *t, unsigned int width, acpi_map_fn *map, void *ctx)
{
	const uint8_t *b = t->table[0].bytes;
	uint32_t length = t->table[0].length;

	if ((length - ACPI_HEADER) % width)
		note(&t->notes,
		     "%s length %" PRIu32 " leaves %" PRIu32 " bytes after the last pointer",
		     t->table[0].signature, length, (length - ACPI_HEADER) % width);
	for (uint32_t at = ACPI_HEADER; length - at >= width; at += width) {
		uint64_t phys = width == 8 ? le64(b + at) : le32(b + at);

		if (phys)
			add_table(t, phys, NULL, map, ctx);
	}
}

/* Try one root table. False: not usable, noted; the slot is kept for the next try. */
static bool try_root(struct acpi_tables *t, uint64_t phys, const char *sig, acpi_map_fn *map,
		     void *ctx)
{
	char why[96];

	if (!phys)
		return false;
	t->nr = 1;
	acpi_read_table(&t->table[0], phys, sig, map, ctx);
	if (t->table[0].verdict == ACPI_OK) {
		walk_root(t, *sig == 'X' ? 8 : 4, map, ctx);
		return true;
	}
	acpi_verdict_text(&t->table[0], why, sizeof(why));
	note(&t->notes, "%s at 0x%" PRIx64 " not used: %s", sig, phys, why);
	return false;
}

/* The DSDT is not in the root table: the FADT names it. */
static void add_dsdt(struct acpi_tables *t, acpi_map_fn *map, void *ctx)
{
	const struct acpi_table *facp = acpi_find(t, "FACP");
	struct acpi_fadt fadt;

	if (facp && !acpi_decode_fadt(&fadt, facp->bytes, facp->length) && fadt.dsdt)
		add_table(t, fadt.dsdt, "DSDT", map, ctx);
}

int acpi_walk(struct acpi_tables *t, uint64_t rsdp, acpi_map_fn *map, void *ctx)
{
	int err;

	memset(t, 0, sizeof(*t));
	err = acpi_read_rsdp(&t->rsdp, rsdp, map, ctx, &t->notes);
	if (err)
		return err;
	if (!try_root(t, t->rsdp.xsdt, "XSDT", map, ctx) &&
	    !try_root(t, t->rsdp.rsdt, "RSDT", map, ctx)) {
		note(&t->notes, "neither an XSDT nor an RSDT can be used: no tables");
		return -EINVAL;
	}
	add_dsdt(t, map, ctx);
	return 0;
}

const struct acpi_table *acpi_find_any(const struct acpi_tables *t, const char *sig, unsigned int n)
{
	for (unsigned int i = 0; i < t->nr; i++) {
		if (!strncmp(t->table[i].signature, sig, 4) && !n--)
			return &t->table[i];
	}
	return NULL;
}

const struct acpi_table *acpi_find(const struct acpi_tables *t, const char *sig)
{
	for (unsigned int i = 0; i < t->nr; i++) {
		if (t->table[i].verdict == ACPI_OK && !strncmp(t->table[i].signature, sig, 4))
			return &t->table[i];
	}
	return NULL;
}

const char *acpi_verdict_name(enum acpi_verdict v)
{
	static const char *const name[] = {"ok", "bad checksum", "bad length", "wrong signature",
					   "unreadable"};

	return name[v];
}

void acpi_verdict_text(const struct acpi_table *t, char *buf, size_t size)
{
	switch (t->verdict) {
	case ACPI_BAD_CHECKSUM:
		snprintf(buf, size, "checksum 0x%02x (expected sum 0)", t->sum);
		break;
	case ACPI_BAD_LENGTH:
		snprintf(buf, size, "length %" PRIu32 " (expected %u to %u)", t->length,
			 ACPI_HEADER, ACPI_MAX_LENGTH);
		break;
	case ACPI_BAD_SIGNATURE: snprintf(buf, size, "wrong signature \"%s\"", t->signature); break;
	case ACPI_UNREADABLE:
		snprintf(buf, size, "no memory is mapped at 0x%" PRIx64, t->phys);
		break;
	default: snprintf(buf, size, "%s", acpi_verdict_name(t->verdict)); break;
	}
}
