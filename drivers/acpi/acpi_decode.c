/* SPDX-License-Identifier: MIT */
/*
 * Four tables decoded: MADT (processors), FADT (power), SRAT (nodes), MCFG (PCI).
 *
 * MADT and SRAT are lists of records {u8 type, u8 length, ...}. One walker hands out each record
 * that lies inside the table and is at least as long as its type needs; a record of length below
 * 2 or past the end stops the walk, because where the next one starts is then unknown.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "drivers/acpi/acpi.h"

/* Position in a list of {type, length} records. */
struct records {
	const uint8_t *b;
	size_t at, len;
};

/* The next record, or NULL at the end. `table` names it in the note about a bad length. */
static const uint8_t *next_entry(struct records *r, const char *table, struct notes *notes)
{
	const uint8_t *rec = r->b + r->at;
	size_t left = r->len - r->at;

	if (!left)
		return NULL;
	if (left < 2 || rec[1] < 2 || rec[1] > left) {
		note(notes,
		     "%s: record at offset %zu has length %u of %zu bytes left: walk stopped",
		     table, r->at, left < 2 ? 0 : rec[1], left);
		r->at = r->len;
		return NULL;
	}
	r->at += rec[1];
	return rec;
}

/* True when a record is long enough; a shorter one is named and skipped. */
static bool long_enough(const uint8_t *rec, unsigned int need, const char *table,
			struct notes *notes)
{
	if (rec[1] >= need)
		return true;
	note(notes, "%s: record of type %u has length %u (expected %u), skipped", table, rec[0],
	     rec[1], need);
	return false;
}

/* xAPIC destinations have 8 bits, and 255 is "everybody": such a CPU cannot be started alone. */
static void refuse_cpu(struct acpi_madt *m, uint32_t apic_id, uint32_t flags)
{
	if (!(flags & 3)) /* neither there nor ever to be: firmware fills its list with 255 */
		return;
	m->refused++;
	note(&m->notes,
	     "MADT: CPU with APIC id %" PRIu32 " refused: the xAPIC reaches ids below 255",
	     apic_id);
}

static void add_cpu(struct acpi_madt *m, uint32_t apic_id, uint32_t uid, uint32_t flags)
{
	if (apic_id >= 255) {
		refuse_cpu(m, apic_id, flags);
		return;
	}
	for (unsigned int i = 0; i < m->nr_cpus; i++) {
		if (m->cpu[i].apic_id == apic_id) {
			note(&m->notes, "MADT: APIC id %" PRIu32 " is listed twice, taken once",
			     apic_id);
			return;
		}
	}
	if (m->nr_cpus == ACPI_MAX_CPUS) {
		m->refused++;
		return;
	}
	m->cpu[m->nr_cpus++] = (struct acpi_cpu){.uid = uid,
						 .apic_id = (uint8_t)apic_id,
						 .enabled = flags & 1,
						 .online_capable = !(flags & 1) && flags & 2};
}

static void add_ioapic(struct acpi_madt *m, const uint8_t *rec)
{
	if (m->nr_ioapics == ACPI_MAX_IOAPICS) {
		note(&m->notes, "MADT: IOAPIC %u dropped: %u are kept", rec[2], ACPI_MAX_IOAPICS);
		return;
	}
	m->ioapic[m->nr_ioapics++] = (struct acpi_ioapic){
		.id = rec[2], .phys = le32(rec + 4), .gsi_base = le32(rec + 8)};
}

static void add_override(struct acpi_madt *m, const uint8_t *rec)
{
	if (m->nr_overrides == ACPI_MAX_OVERRIDES) {
		note(&m->notes, "MADT: override of IRQ %u dropped: %u are kept", rec[3],
		     ACPI_MAX_OVERRIDES);
		return;
	}
	m->override[m->nr_overrides++] =
		(struct acpi_override){.irq = rec[3], .gsi = le32(rec + 4), .flags = le16(rec + 8)};
}

static void madt_record(struct acpi_madt *m, const uint8_t *rec)
{
	static const uint8_t need[16] = {[0] = 8, [1] = 12, [2] = 10, [5] = 12, [9] = 16};

	if (rec[0] < 16 && !long_enough(rec, need[rec[0]], "MADT", &m->notes))
		return;
	switch (rec[0]) {
	case 0: add_cpu(m, rec[3], rec[2], le32(rec + 4)); break;
	case 1: add_ioapic(m, rec); break;
	case 2: add_override(m, rec); break;
	case 5: m->lapic = le64(rec + 4); break;
	case 9: add_cpu(m, le32(rec + 4), le32(rec + 12), le32(rec + 8)); break;
	default: break; /* NMI sources, SAPIC, GIC: nothing we use */
	}
}

int acpi_decode_madt(struct acpi_madt *out, const uint8_t *b, size_t len)
{
	struct records r = {.b = b, .at = 44, .len = len};
	const uint8_t *rec;

	memset(out, 0, sizeof(*out));
	if (len < 44)
		return -EINVAL;
	out->lapic = le32(b + 36);
	out->has_8259 = le32(b + 40) & 1;
	while ((rec = next_entry(&r, "MADT", &out->notes)))
		madt_record(out, rec);
	return 0;
}

/* An I/O port from the 64-bit "X_" register at offset x, else from the 32-bit field at `old`. */
static uint32_t fadt_port(const uint8_t *b, size_t len, size_t old, size_t x)
{
	if (len >= x + 12 && b[x] == 1 && le64(b + x + 4) && le64(b + x + 4) <= 0xffff)
		return (uint32_t)le64(b + x + 4);
	return le32(b + old) <= 0xffff ? le32(b + old) : 0;
}

static void fadt_reset(struct acpi_fadt *out, const uint8_t *b, size_t len)
{
	if (len < 129 || !(le32(b + 112) & 1u << 10))
		return;
	out->reset_space = b[116];
	out->reset_reg = le64(b + 120);
	out->reset_value = b[128];
	out->has_reset = out->reset_reg && out->reset_space <= 2;
	if (!out->has_reset)
		note(&out->notes, "FADT: reset register in space %u at 0x%" PRIx64 " is not usable",
		     out->reset_space, out->reset_reg);
}

int acpi_decode_fadt(struct acpi_fadt *out, const uint8_t *b, size_t len)
{
	memset(out, 0, sizeof(*out));
	if (len < 116) /* the size of ACPI 1.0, the shortest there is */
		return -EINVAL;
	out->dsdt = le32(b + 40);
	if (len >= 148 && le64(b + 140))
		out->dsdt = le64(b + 140);
	out->sci = le16(b + 46);
	out->pm1a_cnt = fadt_port(b, len, 64, 172);
	out->pm1b_cnt = fadt_port(b, len, 68, 184);
	out->pm_timer = fadt_port(b, len, 76, 208);
	out->pm_timer_32 = le32(b + 112) & 1u << 8;
	out->hw_reduced = le32(b + 112) & 1u << 20;
	fadt_reset(out, b, len);
	return 0;
}

/*
 * One integer of a package, as AML writes small constants: ZeroOp, OneOp, or a prefix and 1, 2 or
 * 4 bytes. Advances *at. -1 when it is something else or past the end.
 */
static int64_t aml_constant(const uint8_t *aml, size_t len, size_t *at)
{
	uint8_t op;

	if (*at >= len)
		return -1;
	op = aml[(*at)++];
	if (op <= 1)
		return op;
	size_t width = op == 0x0a ? 1 : op == 0x0b ? 2 : op == 0x0c ? 4 : 0;

	if (!width || len - *at < width)
		return -1;
	*at += width;
	return width == 1   ? aml[*at - 1]
	       : width == 2 ? le16(aml + *at - 2)
			    : (int64_t)le32(aml + *at - 4);
}

/* The package after a name that ends at `at`. 0 or -EINVAL. */
static int s5_package(const uint8_t *aml, size_t len, size_t at, uint8_t *a, uint8_t *b)
{
	int64_t first, second = 0;

	if (len - at < 3 || aml[at] != 0x12) /* PackageOp, PkgLength, NumElements */
		return -EINVAL;
	at += 2 + (aml[at + 1] >> 6); /* top two bits of PkgLength: how many bytes follow it */
	if (at >= len || aml[at] < 1)
		return -EINVAL;
	uint8_t elements = aml[at++];

	first = aml_constant(aml, len, &at);
	if (elements > 1)
		second = aml_constant(aml, len, &at);
	if (first < 0 || first > 7 || second < 0 || second > 7)
		return -EINVAL;
	*a = (uint8_t)first;
	*b = (uint8_t)second;
	return 0;
}

/* Name (_S5_, or Name (\_S5_. `at` is where the four letters begin, or would. */
static bool is_s5_name(const uint8_t *aml, size_t at)
{
	return !memcmp(aml + at, "_S5_", 4) &&
	       (aml[at - 1] == 0x08 || (at >= 2 && aml[at - 1] == '\\' && aml[at - 2] == 0x08));
}

int acpi_find_s5(const uint8_t *aml, size_t len, uint8_t *slp_typ_a, uint8_t *slp_typ_b)
{
	int err = -ENOENT;

	/* The rarest letter of the name first: the boot looks through all of the DSDT. `five` is
	 * the third of four, and one byte at least is before them. */
	for (size_t from = 3; from + 1 < len && err; from++) {
		const uint8_t *five = memchr(aml + from, '5', len - 1 - from);

		if (!five)
			break;
		from = (size_t)(five - aml);
		if (is_s5_name(aml, from - 2))
			err = s5_package(aml, len, from + 2, slp_typ_a, slp_typ_b);
	}
	return err;
}

static void srat_memory(struct acpi_srat *s, const uint8_t *rec)
{
	uint32_t flags = le32(rec + 28);
	struct acpi_mem_affinity m = {.base = le64(rec + 8),
				      .len = le64(rec + 16),
				      .node = le32(rec + 2),
				      .hotplug = flags & 2,
				      .nonvolatile = flags & 4};

	if (!(flags & 1))
		return;
	if (!m.len || m.base + m.len < m.base)
		note(&s->notes, "SRAT: memory at 0x%" PRIx64 " has length 0x%" PRIx64 ", skipped",
		     m.base, m.len);
	else if (s->nr_mem == ACPI_MAX_AFFINITY)
		note(&s->notes, "SRAT: memory at 0x%" PRIx64 " dropped: %u are kept", m.base,
		     ACPI_MAX_AFFINITY);
	else
		s->mem[s->nr_mem++] = m;
}

static void srat_cpu(struct acpi_srat *s, uint32_t apic_id, uint32_t node, uint32_t flags)
{
	if (!(flags & 1))
		return;
	if (s->nr_cpus == ACPI_MAX_CPUS)
		note(&s->notes, "SRAT: CPU %" PRIu32 " dropped: %u are kept", apic_id,
		     ACPI_MAX_CPUS);
	else
		s->cpu[s->nr_cpus++] = (struct acpi_cpu_affinity){.apic_id = apic_id, .node = node};
}

int acpi_decode_srat(struct acpi_srat *out, const uint8_t *b, size_t len)
{
	static const uint8_t need[3] = {16, 40, 24};
	struct records r = {.b = b, .at = 48, .len = len};
	const uint8_t *rec;

	memset(out, 0, sizeof(*out));
	if (len < 48)
		return -EINVAL;
	while ((rec = next_entry(&r, "SRAT", &out->notes))) {
		if (rec[0] > 2 || !long_enough(rec, need[rec[0]], "SRAT", &out->notes))
			continue;
		if (rec[0] == 1)
			srat_memory(out, rec);
		else if (rec[0] == 2)
			srat_cpu(out, le32(rec + 8), le32(rec + 4), le32(rec + 12));
		else
			srat_cpu(out, rec[3], rec[2] | (le32(rec + 8) & 0xffffff00u),
				 le32(rec + 4));
	}
	return 0;
}

int acpi_decode_mcfg(struct acpi_mcfg *out, const uint8_t *b, size_t len)
{
	memset(out, 0, sizeof(*out));
	if (len < 44)
		return -EINVAL;
	for (size_t at = 44; len - at >= 16; at += 16) {
		struct acpi_ecam e = {.base = le64(b + at),
				      .segment = le16(b + at + 8),
				      .start_bus = b[at + 10],
				      .end_bus = b[at + 11]};

		if (!e.base || e.base & 0xfffff || e.end_bus < e.start_bus)
			note(&out->notes,
			     "MCFG: base 0x%" PRIx64 " buses %u-%u is not usable, skipped", e.base,
			     e.start_bus, e.end_bus);
		else if (out->nr == ACPI_MAX_ECAM)
			note(&out->notes, "MCFG: segment %u dropped: %u are kept", e.segment,
			     ACPI_MAX_ECAM);
		else
			out->ecam[out->nr++] = e;
	}
	return 0;
}
