/* SPDX-License-Identifier: MIT */
/*
 * The firmware's tables, kept: found and decoded once at boot, read by everybody else.
 *
 * Everything returned here is constant after boot stage INIT_TABLES (NFITs: INIT_BUS) and may be
 * read in any context.
 */
#ifndef DRIVERS_ACPI_ACPI_H
#define DRIVERS_ACPI_ACPI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Notes: what a parser wants to tell, kept until somebody can print it.
 *
 * The table parsers are pure code: no console, no allocation for messages. They leave sentences
 * here. A table that is all errors cannot flood anyone: beyond NOTES_MAX only the number grows.
 */

#define NOTES_MAX 24
#define NOTES_LEN 144

struct notes {
	unsigned int nr;      /* sentences in line[]; zero means nothing to complain about */
	unsigned int dropped; /* sentences that did not fit; zero means all are here */
	char line[NOTES_MAX][NOTES_LEN];
};

/* Append one sentence, printf style, cut at NOTES_LEN - 1 characters. Any context. */
void note(struct notes *n, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * Reading firmware bytes.
 *
 * ACPI tables are little-endian and packed: a 64-bit field may start at any address. Every field
 * is therefore put together from single bytes; the compiler makes one load of it where it may.
 * None of these check bounds: the caller has shown that the field lies inside its structure.
 */

static inline uint16_t le16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t le32(const uint8_t *p)
{
	return le16(p) | (uint32_t)le16(p + 2) << 16;
}

static inline uint64_t le64(const uint8_t *p)
{
	return le32(p) | (uint64_t)le32(p + 4) << 32;
}

/* Byte sum of `len` bytes. Zero means: intact, as ACPI tables carry a byte that makes it zero. */
static inline uint8_t byte_sum(const uint8_t *p, size_t len)
{
	uint8_t sum = 0;

	while (len--)
		sum = (uint8_t)(sum + *p++);
	return sum;
}

/* A field of `len` characters as a string into `to`, which has one byte more; what cannot be
 * printed becomes '?'. Value: all could. */
static inline bool field_text(char *to, const uint8_t *from, size_t len)
{
	bool clean = true;

	for (size_t i = 0; i < len; i++) {
		bool printable = from[i] >= 0x20 && from[i] < 0x7f;

		to[i] = printable ? (char)from[i] : '?';
		clean = clean && printable;
	}
	to[len] = 0;
	return clean;
}

/*
 * ACPI tables as data: from the RSDP to every table, and the ones we need decoded.
 *
 * Pure code. Physical memory is reached only through a function of the caller, so the same lines
 * run in the kernel and, on hand-made memory, in a host test. Nothing that a table says about
 * itself is believed: lengths are compared with what was mapped, counts with what fits, and a
 * table that fails keeps its place in the list with a verdict that tells why.
 *
 * Sources: ACPI 6.4 chapter 5.2 (tables), 7.4.2 and 16.1 (\_S5, power off), PCI Firmware 3.2
 * section 4.1.2 (MCFG).
 */

#define ACPI_HEADER	36u	    /* bytes of the header every table starts with */
#define ACPI_MAX_LENGTH (16u << 20) /* a table that claims more is not believed */
#define ACPI_MAX_TABLES 64u

/*
 * Make [phys, phys + len) readable; NULL when that is not possible. Mappings stay valid as long
 * as the decoded structures are used. Called with overlapping ranges; never with len 0.
 */
typedef const void *acpi_map_fn(void *ctx, uint64_t phys, uint64_t len);

enum acpi_verdict {
	ACPI_OK,
	ACPI_BAD_CHECKSUM,  /* byte sum of the table is not 0 */
	ACPI_BAD_LENGTH,    /* below 36, beyond ACPI_MAX_LENGTH, or below what the type needs */
	ACPI_BAD_SIGNATURE, /* not four printable characters, or not the one that was pointed to */
	ACPI_UNREADABLE,    /* no memory is mapped there */
};

struct acpi_table {
	uint64_t phys;
	uint32_t length; /* as the header says */
	uint8_t revision;
	uint8_t sum;	   /* byte sum; zero means intact */
	char signature[5]; /* unprintable characters appear as '?' */
	char oem[7], oem_table[9];
	enum acpi_verdict verdict;
	const uint8_t *bytes; /* `length` mapped bytes, or NULL for BAD_LENGTH and UNREADABLE */
};

/* The root pointer. Revision 0: RSDT only, 20 bytes. Revision 2: XSDT, length, second checksum. */
struct acpi_rsdp {
	uint64_t phys, xsdt;
	uint32_t rsdt, length;
	uint8_t revision;
	uint8_t sum, extended_sum; /* over 20 and over `length` bytes; zero means intact */
	char oem[7];
};

struct acpi_tables {
	struct acpi_rsdp rsdp;
	unsigned int nr;      /* used entries of table[] */
	unsigned int dropped; /* tables beyond ACPI_MAX_TABLES; zero means all are listed */
	struct acpi_table table[ACPI_MAX_TABLES]; /* [0] is the RSDT or XSDT used, DSDT is last */
	struct notes notes;
};

/*
 * Decode the RSDP at `phys` into *r. 0, or -EINVAL with a sentence in `notes` when signature,
 * checksum, length (revision 2: 36 or more) or extended checksum is wrong. A revision 2 structure
 * whose extended part is damaged is used as revision 0 when its first 20 bytes are intact.
 */
int acpi_read_rsdp(struct acpi_rsdp *r, uint64_t phys, acpi_map_fn *map, void *ctx,
		   struct notes *notes);

/*
 * Find an RSDP by its signature on 16-byte borders of [start, start + len), both multiples of 16.
 * Only one whose first checksum holds counts. Physical address, or 0 when there is none.
 */
uint64_t acpi_scan_rsdp(uint64_t start, uint64_t len, acpi_map_fn *map, void *ctx);

/* Fill *t with one table at `phys`. `want` is the signature it should have, NULL for any. */
void acpi_read_table(struct acpi_table *t, uint64_t phys, const char *want, acpi_map_fn *map,
		     void *ctx);

/*
 * Walk from the RSDP: the XSDT, or the RSDT when there is no usable XSDT, every table either
 * names, and the DSDT that the FADT names. 0; -EINVAL when there is no usable RSDP or root
 * table (then nr tells how far it got and notes say why). Bad tables are listed, not skipped.
 */
int acpi_walk(struct acpi_tables *t, uint64_t rsdp, acpi_map_fn *map, void *ctx);

/* The n-th (from 0) table of that signature, whatever its verdict; NULL when there are fewer. */
const struct acpi_table *acpi_find_any(const struct acpi_tables *t, const char *sig,
				       unsigned int n);
/* The first one with verdict ACPI_OK, or NULL. */
const struct acpi_table *acpi_find(const struct acpi_tables *t, const char *sig);

/* "ok", "bad checksum", ... and the whole sentence ("checksum 0x13 (expected sum 0)"). */
const char *acpi_verdict_name(enum acpi_verdict v);
void acpi_verdict_text(const struct acpi_table *t, char *buf, size_t size);

/* --- MADT: processors and interrupt controllers (ACPI 6.4, 5.2.12) --- */

#define ACPI_MAX_CPUS	   256u
#define ACPI_MAX_IOAPICS   16u
#define ACPI_MAX_OVERRIDES 24u

struct acpi_cpu {
	uint32_t uid; /* ACPI id of the CPU */
	uint8_t apic_id;
	bool enabled;	     /* runs now, or starts at our INIT-SIPI */
	bool online_capable; /* not enabled, may be plugged later */
};

struct acpi_ioapic {
	uint8_t id;
	uint32_t phys, gsi_base;
};

/* ISA interrupt `irq` arrives at global system interrupt `gsi`; flags: MPS INTI, 0 = as the bus. */
struct acpi_override {
	uint8_t irq;
	uint16_t flags;
	uint32_t gsi;
};

struct acpi_madt {
	uint64_t lapic; /* physical address, after an override entry */
	bool has_8259;
	unsigned int nr_cpus, nr_ioapics, nr_overrides;
	unsigned int refused; /* CPUs we cannot address; zero means all are listed */
	struct acpi_cpu cpu[ACPI_MAX_CPUS];
	struct acpi_ioapic ioapic[ACPI_MAX_IOAPICS];
	struct acpi_override override[ACPI_MAX_OVERRIDES];
	struct notes notes;
};

/* All decoders: `len` readable bytes at `b`; *out is cleared first. 0, or -EINVAL: too short. */
int acpi_decode_madt(struct acpi_madt *out, const uint8_t *b, size_t len);

/* --- FADT: fixed hardware (5.2.9), and \_S5 from the DSDT --- */

struct acpi_fadt {
	uint64_t dsdt;
	uint16_t sci;
	uint32_t pm1a_cnt, pm1b_cnt; /* I/O ports, 0: none */
	uint32_t pm_timer;	     /* I/O port of the 3.579545 MHz counter, 0: none */
	bool pm_timer_32;	     /* the counter has 32 bits, else 24 */
	bool hw_reduced;
	bool has_reset;	     /* the reset register below is valid */
	uint8_t reset_space; /* 0 memory, 1 I/O port, 2 PCI configuration space */
	uint64_t reset_reg;
	uint8_t reset_value;
	struct notes notes;
};

int acpi_decode_fadt(struct acpi_fadt *out, const uint8_t *b, size_t len);

/*
 * Find the package named _S5_ in AML bytes by searching for its name (no interpreter needed for
 * a constant package). Fills the two sleep types, each 0..7. 0, -ENOENT: no such name, -EINVAL:
 * the name is there, but not a package of small constants.
 */
int acpi_find_s5(const uint8_t *aml, size_t len, uint8_t *slp_typ_a, uint8_t *slp_typ_b);

/* What to write to PM1x_CNT for a sleep type: SLP_EN | SLP_TYP << 10. */
static inline uint16_t acpi_sleep_value(uint8_t slp_typ)
{
	return (uint16_t)(1u << 13 | (slp_typ & 7u) << 10);
}

/* --- SRAT: which node owns which CPU and memory (5.2.16) --- */

#define ACPI_MAX_AFFINITY 320u /* QEMU has up to 256 slots, and one entry for each */

struct acpi_mem_affinity {
	uint64_t base, len;
	uint32_t node;
	bool hotplug, nonvolatile;
};

struct acpi_cpu_affinity {
	uint32_t apic_id, node;
};

/* Only enabled entries are kept. */
struct acpi_srat {
	unsigned int nr_mem, nr_cpus;
	struct acpi_mem_affinity mem[ACPI_MAX_AFFINITY];
	struct acpi_cpu_affinity cpu[ACPI_MAX_CPUS];
	struct notes notes;
};

int acpi_decode_srat(struct acpi_srat *out, const uint8_t *b, size_t len);

/* --- MCFG: PCI configuration space in memory --- */

#define ACPI_MAX_ECAM 8u

struct acpi_ecam {
	uint64_t base; /* of bus 0, even when start_bus is not 0 */
	uint16_t segment;
	uint8_t start_bus, end_bus;
};

struct acpi_mcfg {
	unsigned int nr;
	struct acpi_ecam ecam[ACPI_MAX_ECAM];
	struct notes notes;
};

int acpi_decode_mcfg(struct acpi_mcfg *out, const uint8_t *b, size_t len);

/* ---- what was found at boot */

struct acpi {
	struct acpi_tables tables;
	bool has_madt, has_fadt, has_srat, has_mcfg; /* the structure below is filled in */
	bool has_dmar;				     /* an IOMMU is announced */
	struct acpi_madt madt;
	struct acpi_fadt fadt;
	struct acpi_srat srat;
	struct acpi_mcfg mcfg;
	bool has_s5; /* the two sleep types are known: power-off can work */
	uint8_t slp_typ_a, slp_typ_b;
};

/* Never NULL. Without a usable RSDP all flags are false and tables.nr is 0. */
const struct acpi *acpi_get(void);

/* NULL: the tables were found and read. Else why the machine's CPUs and NFITs are not known, which
 * is not the same as that it has none. */
const char *acpi_absent(void);

/* The node of a CPU by the SRAT; 0 when it does not say. */
uint32_t acpi_cpu_node(uint32_t apic_id);

/*
 * Make [phys, phys + len) of firmware memory readable: through the direct map, else mapped for
 * ever. NULL: beyond the CPU's address bits, len 0, or no memory for tables. Thread context.
 */
const void *acpi_map(void *ctx, uint64_t phys, uint64_t len);

/*
 * Turn the machine off: SLP_TYP of \_S5 and SLP_EN into PM1a_CNT and PM1b_CNT. Returns when the
 * machine did not obey within 10 ms or no table says how. Any context.
 */
void acpi_power_off(void);

#endif
