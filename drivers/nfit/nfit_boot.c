/* SPDX-License-Identifier: MIT */
/*
 * NFITs at boot: every table that is called NFIT is parsed, against the RAM of the boot map and
 * against the ones before it, and gets its own verdict line.
 *
 * A table that the walk over all ACPI tables already refused is parsed too: its verdict line
 * should say why in the same words as everywhere else.
 */
#include "drivers/drivers.h"
#include "drivers/nfit/internal.h"

/* How many DIMMs the machine was given, a decimal number; tests/qemu/hf_command.py writes it. */
#define DIMMS_FILE "opt/holdfast/dimms"

static const char *missing; /* written at INIT_BUS; NULL: nothing is */
static struct nfit *newest; /* last one parsed; NULL: none. Constant after INIT_BUS */

const struct nfit *nfit_get(void)
{
	return newest;
}

const char *nfit_missing(void)
{
	return missing;
}

unsigned nfit_ram_ranges(const struct boot_info *bi, struct nfit_range *out, unsigned max)
{
	unsigned n = 0;

	for (unsigned i = 0; i < bi->nr_ranges && n < max; i++) {
		uint32_t type = bi->ranges[i].type;

		/* What the memory controller answers; "reserved" may be the DIMM itself. */
		if (type == BOOT_RAM || type == BOOT_ACPI || type == BOOT_NVS)
			out[n++] = (struct nfit_range){bi->ranges[i].base, bi->ranges[i].len};
	}
	return n;
}

/* The bytes to parse: all of it, or the head of a table whose length nobody believes. */
static const void *table_bytes(const struct acpi_table *t, size_t *avail)
{
	*avail = t->bytes ? t->length : NFIT_HEADER;
	return t->bytes ? t->bytes : acpi_map(NULL, t->phys, NFIT_HEADER);
}

/* Do registers of a PCI function lie there? They are mapped later than the table is judged. */
static bool bars_overlap(uint64_t base, uint64_t len)
{
	const struct pci_device *d;

	for (unsigned i = 0; (d = pci_at(i)); i++)
		for (unsigned n = 0; n < ARRAY_SIZE(d->bar); n++) {
			const struct pci_bar *b = &d->bar[n];

			if (!b->io && b->phys && b->phys < base + len && base < b->phys + b->size)
				return true;
		}
	return false;
}

/* What binding will look at, and what will be in its way by then: one decision for both. */
static const char *place(uint64_t base, uint64_t len)
{
	int err;

	if (bars_overlap(base, len))
		return "holds the registers of a PCI function; memory must lie beside them";
	return memremap_place_taken(base, base + len, &err);
}

static int parse_one(const struct acpi_table *t, const struct nfit_range *ram, unsigned nr_ram)
{
	struct nfit_env env = {.ram = ram,
			       .nr_ram = nr_ram,
			       .phys_bits = MIN(cpu_features.phys_bits, (unsigned)MAX_PHYS_BITS),
			       .earlier = newest,
			       .place = place};
	struct nfit *n = malloc(sizeof(*n));
	size_t avail;
	const void *bytes = table_bytes(t, &avail);
	char line[256];

	if (!n || !bytes) {
		free(n);
		kprintf("nfit: the table at 0x%lx cannot be read\n", t->phys);
		return -ENOMEM;
	}
	nfit_parse(n, bytes, avail, &env);
	newest = n;
	nfit_verdict_line(n, line, sizeof(line));
	kprintf("%s\n", line);
	return 0;
}

/* How many NVDIMMs the machine was given; 0: none, or nobody says. */
static unsigned dimms_given(void)
{
	size_t len;
	char *data;
	unsigned nr;

	if (fwcfg_read(DIMMS_FILE, 16, &data, &len))
		return 0;
	nr = (unsigned)strtoul(data, NULL, 10);
	free(data);
	return nr;
}

/* There is no NFIT. Is that right? */
static int why_none(void)
{
	static char text[120];
	unsigned given;

	missing = acpi_absent();
	if (missing) {
		kprintf("nfit: not known whether there is an NFIT: no ACPI tables\n");
		return 0; /* the stage that looked for the tables has failed */
	}
	given = dimms_given();
	if (!given) {
		kprintf("nfit: the firmware has no NFIT: no NVDIMM is plugged in\n");
		return 0;
	}
	snprintf(text, sizeof(text),
		 "the machine was given %u NVDIMM(s), and the ACPI tables that were found hold no "
		 "NFIT",
		 given);
	missing = text;
	kprintf("nfit: %s\n", missing);
	return -ENODEV;
}

static int nfit_init(const struct boot_info *bi)
{
	static struct nfit_range ram[BOOT_MAX_RANGES];
	unsigned nr_ram = nfit_ram_ranges(bi, ram, BOOT_MAX_RANGES);
	const struct acpi_table *t;
	int err = 0;

	for (unsigned i = 0; (t = acpi_find_any(&acpi_get()->tables, "NFIT", i)); i++) {
		int one = parse_one(t, ram, nr_ram);

		err = err ? err : one;
	}
	return newest || err ? err : why_none();
}
/* After PCI's stage, which finds the registers that no range may lie over. */
INITCALL(INIT_BUS + 1, nfit, "NFIT", nfit_init);

static void print_line(void *ctx, const char *line)
{
	(void)ctx;
	kprintf("%s\n", line);
}

/* First table first: the list is linked from the last to the first. */
static void print_from_first(const struct nfit *n)
{
	unsigned last = n->number;

	for (unsigned want = 1; want <= last; want++) {
		const struct nfit *t = n;

		while (t->number != want)
			t = t->earlier;
		nfit_print(t, print_line, NULL);
	}
}

static int cmd_nfit(int argc, char **argv)
{
	(void)argv;
	if (argc > 1)
		return shell_usage();
	if (nfit_missing())
		return shell_fail(-ENODEV, "%s", nfit_missing());
	if (!newest) {
		kprintf("no NFIT: no NVDIMM is plugged in (make run PMEM=FILE,size=1G adds one)\n");
		return 0;
	}
	print_from_first(newest);
	kprintf("lines are written back with %s, then fenced\n", cache_writeback_name());
	return 0;
}
SHELL_COMMAND(nfit, cmd_nfit, "nfit", "every NFIT with its verdict, ranges, DIMMs and warnings");
