/* SPDX-License-Identifier: MIT */
/*
 * `acpi`: the firmware's tables as found, and as understood.
 *
 * Without an argument: the chain from the RSDP, every table with its verdict, and the four decoded
 * ones. With a signature: those tables decoded, if we can, and byte by byte.
 */
#include <ctype.h>

#include "drivers/drivers.h"

static void print_rsdp(const struct acpi_rsdp *r)
{
	kprintf("RSDP at 0x%lx: revision %u, %u bytes, OEM \"%s\", RSDT 0x%x", r->phys, r->revision,
		r->length, r->oem, r->rsdt);
	if (r->xsdt)
		kprintf(", XSDT 0x%lx", r->xsdt);
	kprintf("; checksum ok\n");
}

static void print_table(const struct acpi_table *t)
{
	char verdict[96], name[8];

	acpi_verdict_text(t, verdict, sizeof(verdict));
	snprintf(name, sizeof(name), "%-4s ", t->signature);
	/* A table may call itself "race" or "ok 1": column 1 is not for such names. */
	kprintf("%s%s0x%012lx %8u bytes revision %3u OEM \"%s\" \"%s\" %s%s\n",
		text_forges(name, strlen(name)) ? " " : "", name, t->phys, t->length, t->revision,
		t->oem, t->oem_table, t->verdict == ACPI_OK ? "" : "REFUSED: ", verdict);
}

static void print_notes(const struct notes *n)
{
	for (unsigned i = 0; i < n->nr; i++)
		kprintf("  remark: %s\n", n->line[i]);
	if (n->dropped)
		kprintf("  and %u more remarks\n", n->dropped);
}

static const char *cpu_state(const struct acpi_cpu *c)
{
	return c->enabled ? "enabled" : c->online_capable ? "may come later" : "absent";
}

static void print_madt(const struct acpi *a)
{
	const struct acpi_madt *m = &a->madt;

	if (!a->has_madt)
		return;
	kprintf("MADT: local APIC at 0x%lx, %s\n", m->lapic,
		m->has_8259 ? "8259 pair present" : "no 8259 pair");
	for (unsigned i = 0; i < m->nr_cpus; i++)
		kprintf("  CPU %u: APIC id %u, %s, node %u\n", m->cpu[i].uid, m->cpu[i].apic_id,
			cpu_state(&m->cpu[i]), acpi_cpu_node(m->cpu[i].apic_id));
	for (unsigned i = 0; i < m->nr_ioapics; i++)
		kprintf("  I/O APIC %u at 0x%x, interrupts from %u\n", m->ioapic[i].id,
			m->ioapic[i].phys, m->ioapic[i].gsi_base);
	for (unsigned i = 0; i < m->nr_overrides; i++)
		kprintf("  ISA interrupt %u arrives as %u, flags 0x%x\n", m->override[i].irq,
			m->override[i].gsi, m->override[i].flags);
	print_notes(&m->notes);
}

static void print_fadt(const struct acpi *a)
{
	const struct acpi_fadt *f = &a->fadt;

	if (!a->has_fadt)
		return;
	kprintf("FADT: SCI %u, PM1a control port 0x%x, PM timer port 0x%x (%u bits), DSDT 0x%lx\n",
		f->sci, f->pm1a_cnt, f->pm_timer, f->pm_timer_32 ? 32 : 24, f->dsdt);
	if (f->has_reset)
		kprintf("  reset: value 0x%x to %s 0x%lx\n", f->reset_value,
			f->reset_space == 1 ? "port" : "address", f->reset_reg);
	if (a->has_s5)
		kprintf("  power-off: 0x%x to port 0x%x\n", acpi_sleep_value(a->slp_typ_a),
			f->pm1a_cnt);
	else
		kprintf("  power-off: not possible, no _S5_ package of constants in the DSDT\n");
	print_notes(&f->notes);
}

static void print_srat(const struct acpi *a)
{
	if (!a->has_srat)
		return;
	kprintf("SRAT: %u CPUs, %u memory ranges\n", a->srat.nr_cpus, a->srat.nr_mem);
	for (unsigned i = 0; i < a->srat.nr_mem; i++) {
		const struct acpi_mem_affinity *m = &a->srat.mem[i];

		kprintf("  node %u: 0x%lx-0x%lx%s%s\n", m->node, m->base, m->base + (m->len - 1),
			m->hotplug ? ", hot-plug" : "", m->nonvolatile ? ", non-volatile" : "");
	}
	print_notes(&a->srat.notes);
}

static void print_mcfg(const struct acpi *a)
{
	if (!a->has_mcfg)
		return;
	for (unsigned i = 0; i < a->mcfg.nr; i++)
		kprintf("MCFG: segment %u buses %u-%u at 0x%lx\n", a->mcfg.ecam[i].segment,
			a->mcfg.ecam[i].start_bus, a->mcfg.ecam[i].end_bus, a->mcfg.ecam[i].base);
	print_notes(&a->mcfg.notes);
}

/* 16 bytes a line, printable ones again at its end. */
static void hex_dump(const uint8_t *b, uint32_t len)
{
	for (uint32_t at = 0; at < len; at += 16) {
		char line[100];
		unsigned n = MIN(len - at, 16u), used;

		used = (unsigned)snprintf(line, sizeof(line), "%06x ", at);
		for (unsigned i = 0; i < 16; i++)
			used += (unsigned)snprintf(line + used, sizeof(line) - used,
						   i < n ? " %02x" : "   ",
						   b[at + i < len ? at + i : at]);
		used += (unsigned)snprintf(line + used, sizeof(line) - used, "  ");
		for (unsigned i = 0; i < n; i++)
			line[used++] =
				b[at + i] >= 0x20 && b[at + i] < 0x7f ? (char)b[at + i] : '.';
		line[used] = 0;
		kprintf("%s\n", line);
	}
}

/* "madt" and "fadt" are what people call them; the tables say APIC and FACP. */
static void normalize(const char *word, char sig[5])
{
	for (unsigned i = 0; i < 4; i++)
		sig[i] = (char)toupper((unsigned char)word[i]);
	sig[4] = 0;
	if (!strcmp(sig, "MADT"))
		strcpy(sig, "APIC");
	else if (!strcmp(sig, "FADT"))
		strcpy(sig, "FACP");
}

static int unknown_table(const struct acpi *a, const char *word)
{
	const char *words[ACPI_MAX_TABLES];

	for (unsigned i = 0; i < a->tables.nr; i++)
		words[i] = a->tables.table[i].signature;
	return shell_unknown("table", word, words, a->tables.nr);
}

static int show_table(const struct acpi *a, const char *word)
{
	char sig[5] = "";
	const struct acpi_table *t;

	if (strlen(word) == 4)
		normalize(word, sig);
	if (!acpi_find_any(&a->tables, sig, 0) || !*sig)
		return unknown_table(a, word);
	if (!strcmp(sig, "APIC"))
		print_madt(a);
	else if (!strcmp(sig, "FACP"))
		print_fadt(a);
	else if (!strcmp(sig, "SRAT"))
		print_srat(a);
	else if (!strcmp(sig, "MCFG"))
		print_mcfg(a);
	for (unsigned n = 0; (t = acpi_find_any(&a->tables, sig, n)); n++) {
		print_table(t);
		if (t->bytes)
			hex_dump(t->bytes, t->length);
	}
	return 0;
}

static int cmd_acpi(int argc, char **argv)
{
	const struct acpi *a = acpi_get();

	if (argc > 2)
		return shell_usage();
	if (!a->tables.nr)
		return shell_fail(-ENODEV, "%s", acpi_absent());
	if (argc == 2)
		return show_table(a, argv[1]);
	print_rsdp(&a->tables.rsdp);
	for (unsigned i = 0; i < a->tables.nr; i++)
		print_table(&a->tables.table[i]);
	print_notes(&a->tables.notes);
	print_madt(a);
	print_fadt(a);
	print_srat(a);
	print_mcfg(a);
	kprintf("DMAR: %s\n", a->has_dmar ? "present, there is an IOMMU" : "none, no IOMMU");
	return 0;
}

static void offer_tables(struct shell_offers *o)
{
	const struct acpi_tables *t = &acpi_get()->tables;

	for (unsigned i = 0; i < t->nr; i++)
		shell_offer(o, t->table[i].signature);
}
SHELL_KIND(table, "TABLE", "acpi", offer_tables);
SHELL_COMMAND(
	acpi, cmd_acpi, "acpi [TABLE]",
	"firmware tables: address, length, verdict, decoded\n"
	"with a signature (APIC, FACP, SRAT, MCFG, NFIT, ...): that table decoded and in hex");
