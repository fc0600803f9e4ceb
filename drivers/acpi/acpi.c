/* SPDX-License-Identifier: MIT */
/*
 * ACPI at boot: find the tables, decode what we use, and tell the kernel floor about interrupt
 * controllers, CPUs and how to turn the machine off.
 *
 * Tables stay where the firmware put them: in memory that the boot map calls reserved or ACPI and
 * that the frame allocator never gets. Most of it lies in the direct map; what does not is mapped
 * when it is first read, and stays mapped.
 */
#include "drivers/drivers.h"

static struct acpi acpi;   /* written at INIT_TABLES, constant after that */
static const char *absent; /* written at INIT_TABLES; NULL: nothing is missing */

const char *acpi_absent(void)
{
	return absent;
}

const struct acpi *acpi_get(void)
{
	return &acpi;
}

/* Is the 4 KiB page at `phys` in the direct map? */
static bool in_direct_map(uint64_t phys)
{
	uint64_t va = DIRECT_BASE + phys;
	unsigned level;
	uint64_t *pte;

	if (phys >> MAX_PHYS_BITS)
		return false;
	pte = pte_walk(kernel_root, va, 1, false, &level);
	if (pte)
		return *pte & PTE_P;
	pte = pte_walk(kernel_root, va, level, false,
		       NULL); /* where the walk stopped: large or absent */
	return pte && (*pte & PTE_P) && (*pte & PTE_PS);
}

const void *acpi_map(void *ctx, uint64_t phys, uint64_t len)
{
	uint64_t end = phys + len;

	(void)ctx;
	if (!len || end < phys || end > 1ull << cpu_features.phys_bits)
		return NULL;
	for (uint64_t at = ALIGN_DOWN(phys, PAGE_SIZE); at < end; at += PAGE_SIZE) {
		if (!in_direct_map(at))
			return map_mmio(phys, len);
	}
	return phys_to_virt(phys);
}

/*
 * Where a BIOS keeps the RSDP when nobody handed it over (5.2.5.1): the first KiB of the extended
 * BIOS data area, whose segment is at 0x40e, or the ROM area below 1 MiB.
 */
static uint64_t find_rsdp(const struct boot_info *bi)
{
	const uint8_t *word = acpi_map(NULL, 0x40e, 2);
	uint64_t ebda = word ? (uint64_t)le16(word) << 4 : 0, found = 0;

	if (bi->rsdp)
		return bi->rsdp;
	if (ebda >= 0x400 && ebda < 0xa0000)
		found = acpi_scan_rsdp(ebda, 1024, acpi_map, NULL);
	return found ? found : acpi_scan_rsdp(0xe0000, 0x20000, acpi_map, NULL);
}

static void print_notes(const struct notes *n)
{
	for (unsigned i = 0; i < n->nr; i++)
		warn("%s", n->line[i]);
	if (n->dropped)
		warn("and %u more remarks on the ACPI tables", n->dropped);
}

/* Bad tables are not decoded; that they are there is said once, at boot. */
static void print_verdicts(void)
{
	for (unsigned i = 0; i < acpi.tables.nr; i++) {
		const struct acpi_table *t = &acpi.tables.table[i];
		char why[96];

		if (t->verdict == ACPI_OK)
			continue;
		acpi_verdict_text(t, why, sizeof(why));
		warn("ACPI table %s at 0x%lx refused: %s", t->signature, t->phys, why);
	}
}

static void decode_s5(void)
{
	const struct acpi_table *dsdt = acpi_find(&acpi.tables, "DSDT");

	acpi.has_s5 = acpi.has_fadt && acpi.fadt.pm1a_cnt && dsdt &&
		      !acpi_find_s5(dsdt->bytes, dsdt->length, &acpi.slp_typ_a, &acpi.slp_typ_b);
}

static void decode_all(void)
{
	const struct acpi_table *t;

	t = acpi_find(&acpi.tables, "APIC");
	acpi.has_madt = t && !acpi_decode_madt(&acpi.madt, t->bytes, t->length);
	t = acpi_find(&acpi.tables, "FACP");
	acpi.has_fadt = t && !acpi_decode_fadt(&acpi.fadt, t->bytes, t->length);
	t = acpi_find(&acpi.tables, "SRAT");
	acpi.has_srat = t && !acpi_decode_srat(&acpi.srat, t->bytes, t->length);
	t = acpi_find(&acpi.tables, "MCFG");
	acpi.has_mcfg = t && !acpi_decode_mcfg(&acpi.mcfg, t->bytes, t->length);
	acpi.has_dmar = acpi_find(&acpi.tables, "DMAR");
	decode_s5();
}

static int tables_init(const struct boot_info *bi)
{
	uint64_t rsdp = find_rsdp(bi);
	int err;

	if (!rsdp) {
		absent = "no RSDP was handed over or found, so no ACPI table was read: other CPUs, "
			 "NFITs and power-off are not known";
		kprintf("acpi: %s\n", absent);
		return -ENODEV;
	}
	err = acpi_walk(&acpi.tables, rsdp, acpi_map, NULL);
	print_notes(&acpi.tables.notes);
	if (err) {
		absent = "the firmware's RSDP leads to no usable table: other CPUs, NFITs and "
			 "power-off are not known";
		kprintf("acpi: %s\n", absent);
		return err;
	}
	print_verdicts();
	decode_all();
	print_notes(&acpi.madt.notes);
	print_notes(&acpi.fadt.notes);
	print_notes(&acpi.srat.notes);
	print_notes(&acpi.mcfg.notes);
	kprintf("acpi: RSDP revision %u at 0x%lx, %u tables through the %s\n",
		acpi.tables.rsdp.revision, rsdp, acpi.tables.nr, acpi.tables.table[0].signature);
	if (acpi.has_s5)
		shell_set_poweroff(acpi_power_off);
	return 0;
}
INITCALL(INIT_TABLES, acpi, "ACPI tables", tables_init);

/* Interrupt controllers before CPUs: kernel/trap/trap.h wants this order. */
static int cpus_init(const struct boot_info *bi)
{
	static uint32_t ids[ACPI_MAX_CPUS];
	unsigned n = 0;

	(void)bi;
	if (!acpi.has_madt) {
		kprintf("acpi: no MADT: one CPU, polled console\n");
		return -ENODEV;
	}
	for (unsigned i = 0; i < acpi.madt.nr_ioapics; i++)
		apic_set_ioapic(acpi.madt.ioapic[i].phys, acpi.madt.ioapic[i].gsi_base);
	for (unsigned i = 0; i < acpi.madt.nr_cpus; i++) {
		if (acpi.madt.cpu[i].enabled)
			ids[n++] = acpi.madt.cpu[i].apic_id;
	}
	smp_start(ids, n);
	return 0;
}
INITCALL(INIT_CPUS, cpus, "interrupt controllers and CPUs", cpus_init);

uint32_t acpi_cpu_node(uint32_t apic_id)
{
	for (unsigned i = 0; i < acpi.srat.nr_cpus; i++) {
		if (acpi.srat.cpu[i].apic_id == apic_id)
			return acpi.srat.cpu[i].node;
	}
	return 0;
}

/* Sleep type and enable bit into one control register; its other bits stay. */
static void enter_sleep(uint32_t port, uint8_t slp_typ)
{
	uint16_t keep = in16((uint16_t)port) & (uint16_t)~acpi_sleep_value(7);

	out16((uint16_t)port, keep | acpi_sleep_value(slp_typ));
}

void acpi_power_off(void)
{
	if (!acpi.has_s5)
		return;
	enter_sleep(acpi.fadt.pm1a_cnt, acpi.slp_typ_a);
	if (acpi.fadt.pm1b_cnt)
		enter_sleep(acpi.fadt.pm1b_cnt, acpi.slp_typ_b);
	delay_us(10000);
}
