/* SPDX-License-Identifier: MIT */
/*
 * The firmware's tables, kept: found and decoded once at boot, read by everybody else.
 *
 * Everything returned here is constant after boot stage INIT_TABLES (NFITs: INIT_BUS) and may be
 * read in any context.
 */
#ifndef DRIVERS_ACPI_ACPI_H
#define DRIVERS_ACPI_ACPI_H

#include "kernel/kernel.h"
#include "drivers/acpi/acpi_tables.h"
#include "drivers/nfit/nfit.h"

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

/* The last NFIT parsed (the others by ->earlier), whatever its verdict; NULL: there is none. */
const struct nfit *nfit_get(void);

/* NULL: nfit_get() is all there is to know. Otherwise the sentence why nothing is known of NVDIMMs
 * that may be, or are, plugged in: no ACPI tables, or none that is an NFIT although the machine was
 * given DIMMs. Constant after INIT_BUS. */
const char *nfit_missing(void);

/* The node of a CPU or of a physical address by the SRAT; 0 when it does not say. */
uint32_t acpi_cpu_node(uint32_t apic_id);
uint32_t acpi_memory_node(uint64_t phys);

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
