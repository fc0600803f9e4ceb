/* SPDX-License-Identifier: MIT */
/*
 * The DMAR at boot: parsed against the RAM of the boot map. A table that is refused is a line with
 * the reason, and the machine goes on without translation.
 */
#include "drivers/drivers.h"
#include "drivers/iommu/internal.h"

static struct dmar table;
static const struct dmar *current; /* NULL: there is none */

const struct dmar *dmar_get(void)
{
	return current;
}

const struct dmar *dmar_divert(const struct dmar *other)
{
	const struct dmar *before = current;

	current = other;
	return before;
}

/* What belongs to programs; the firmware's own memory may be reserved for devices. */
static unsigned ram_ranges(const struct boot_info *bi, struct dmar_range *out)
{
	unsigned n = 0;

	for (unsigned i = 0; i < bi->nr_ranges; i++)
		if (bi->ranges[i].type == BOOT_RAM)
			out[n++] = (struct dmar_range){bi->ranges[i].base, bi->ranges[i].len};
	return n;
}

static int dmar_init(const struct boot_info *bi)
{
	static struct dmar_range ram[BOOT_MAX_RANGES];
	struct dmar_env env = {.ram = ram,
			       .nr_ram = ram_ranges(bi, ram),
			       .phys_bits = MIN(cpu_features.phys_bits, (unsigned)MAX_PHYS_BITS)};
	const struct acpi_table *t = acpi_find_any(&acpi_get()->tables, "DMAR", 0);
	const void *bytes = t ? t->bytes : NULL;
	size_t avail = bytes ? t->length : DMAR_HEADER;
	char line[DMAR_TEXT + 32];

	if (!t) {
		kprintf("iommu: no DMAR table; devices reach all memory\n");
		return 0;
	}
	bytes = bytes ? bytes : acpi_map(NULL, t->phys, avail);
	if (!bytes) {
		kprintf("iommu: the DMAR at 0x%lx cannot be read; devices reach all memory\n",
			t->phys);
		return 0;
	}
	dmar_parse(&table, bytes, avail, &env);
	current = &table;
	if (table.verdict == DMAR_ACCEPTED)
		return 0; /* each unit says what became of it; `iommu table` shows the rest */
	dmar_verdict_line(&table, line, sizeof(line));
	kprintf("%s\n", line);
	return 0;
}
/* After PCI's stage: the devices that it is about are known. */
INITCALL(INIT_BUS + 1, dmar, "DMAR", dmar_init);
