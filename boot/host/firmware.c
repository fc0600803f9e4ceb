/* SPDX-License-Identifier: MIT */
/*
 * What firmware would hand over: the memory map, ACPI tables as bytes, files by name.
 *
 * RAM begins at 0; the last of it holds the tables. DIMMs lie from 4 GiB on, one behind the other,
 * each on a multiple of 1 GiB, and are told of by an NFIT with the three structures a DIMM has
 * there (range, DIMM, control region). Everything is built here so that the kernel's own parsers
 * read it.
 */
#include "boot/host/machine.h"

#define TABLES_LEN  0x10000ull
#define LOW_END	    0x9f000ull
#define FIRST_DIMM  (4 * GIB)
#define LAPIC_PHYS  0xfee00000u
#define IOAPIC_PHYS 0xfec00000u
#define HEADER	    36u
#define NFIT_HEAD   40u

static struct boot_info info;
static uint64_t dimm_at[HOST_MAX_DIMMS];
static uint8_t *next_table; /* in RAM */

bool firmware_memory(uint64_t phys, unsigned *memory, uint64_t *start, uint64_t *end)
{
	*memory = 0;
	*start = 0;
	*end = machine.ram;
	for (unsigned i = 0; i < machine.nr_dimms && phys >= *end; i++) {
		*memory = 1 + i;
		*start = dimm_at[i];
		*end = dimm_at[i] + machine.dimm[i].size;
	}
	return phys >= *start && phys < *end;
}

/* ---- bytes */

static void put(uint8_t *p, uint64_t v, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

static uint8_t sum_of(const uint8_t *p, size_t n)
{
	uint8_t sum = 0;

	while (n--)
		sum = (uint8_t)(sum + *p++);
	return sum;
}

static uint64_t phys_of(const uint8_t *p)
{
	return (uint64_t)(p - (uint8_t *)mmu_ram(0));
}

/* Length and checksum of a table that begins at t and ends at `end`; the next one's place. */
static void seal(uint8_t *t, uint8_t *end)
{
	put(t + 4, (uint64_t)(end - t), 4);
	t[9] = 0;
	t[9] = (uint8_t)-sum_of(t, (size_t)(end - t));
	next_table = (uint8_t *)ALIGN_UP((uintptr_t)end, 64);
}

static uint8_t *table(const char *signature, uint8_t revision)
{
	uint8_t *t = next_table;

	memcpy(t, signature, 4);
	t[8] = revision;
	memcpy(t + 10, "HFAST HOSTHOME", 14);
	put(t + 24, 1, 4);
	memcpy(t + 28, "HFST", 4);
	put(t + 32, 1, 4);
	return t;
}

/* ---- tables */

static uint8_t *madt(void)
{
	uint8_t *t = table("APIC", 3), *p = t + 44;

	put(t + 36, LAPIC_PHYS, 4);
	put(t + 40, 1, 4);
	for (unsigned i = 0; i < machine.cpus; i++, p += 8) {
		p[0] = 0;
		p[1] = 8;
		p[2] = p[3] = (uint8_t)i;
		put(p + 4, 1, 4);
	}
	p[0] = 1;
	p[1] = 12;
	put(p + 4, IOAPIC_PHYS, 4);
	seal(t, p + 12);
	return t;
}

/* A package _S5_ of zeroes, whose value is what turns the machine off. */
static uint8_t *dsdt(void)
{
	static const uint8_t aml[] = {0x08, '_', 'S', '5', '_', 0x12, 6, 4, 0, 0, 0, 0};
	uint8_t *t = table("DSDT", 1);

	memcpy(t + HEADER, aml, sizeof(aml));
	seal(t, t + HEADER + sizeof(aml));
	return t;
}

static uint8_t *fadt(void)
{
	const uint8_t *d = dsdt();
	uint8_t *t = table("FACP", 1);

	put(t + 40, phys_of(d), 4);
	put(t + 46, 9, 2);
	put(t + 64, PORT_SLEEP, 4);
	put(t + 76, PORT_PM_TIMER, 4);
	t[89] = 2;
	t[91] = 4;
	seal(t, t + 116);
	return t;
}

static uint8_t *add_range(uint8_t *p, unsigned n)
{
	static const uint8_t persistent[16] = {0x79, 0xd3, 0xf0, 0x66, 0xf3, 0xb4, 0x74, 0x40,
					       0xac, 0x43, 0x0d, 0x33, 0x18, 0xb7, 0x8c, 0xdb};

	put(p, 0, 2);
	put(p + 2, 56, 2);
	put(p + 4, 2 * (n + 1), 2);
	put(p + 6, 3, 2);
	memcpy(p + 16, persistent, 16);
	put(p + 32, dimm_at[n], 8);
	put(p + 40, machine.dimm[n].size, 8);
	put(p + 48, 0x8008, 8); /* write-back, non-volatile */
	return p + 56;
}

static uint8_t *add_dimm(uint8_t *p, unsigned n)
{
	put(p, 1, 2);
	put(p + 2, 48, 2);
	put(p + 4, n + 1, 4);
	put(p + 12, 2 * (n + 1), 2);
	put(p + 14, 2 * (n + 1) + 1, 2);
	put(p + 16, machine.dimm[n].size, 8);
	put(p + 42, 1, 2);
	return p + 48;
}

static uint8_t *add_control(uint8_t *p, unsigned n)
{
	put(p, 4, 2);
	put(p + 2, 80, 2);
	put(p + 4, 2 * (n + 1) + 1, 2);
	put(p + 6, 0x8086, 2);
	put(p + 8, 1, 2);
	put(p + 10, 1, 2);
	put(p + 24, 0x123456 + n, 4);
	put(p + 28, 0x301, 2);
	return p + 80;
}

static uint8_t *nfit(void)
{
	uint8_t *t = table("NFIT", 1), *p = t + NFIT_HEAD;

	for (unsigned i = 0; i < machine.nr_dimms; i++)
		p = add_control(add_dimm(add_range(p, i), i), i);
	seal(t, p);
	return t;
}

static uint64_t rsdp(const uint8_t *root)
{
	uint8_t *r = next_table;

	memcpy(r, "RSD PTR ", 8);
	memcpy(r + 9, "HFAST ", 6);
	r[15] = 2;
	put(r + 20, HEADER, 4);
	put(r + 24, phys_of(root), 8);
	r[8] = (uint8_t)-sum_of(r, 20);
	r[32] = (uint8_t)-sum_of(r, 36);
	return phys_of(r);
}

static uint64_t tables(void)
{
	const uint8_t *list[3];
	unsigned n = 0;
	uint8_t *root;

	next_table = mmu_ram(machine.ram - TABLES_LEN);
	list[n++] = madt();
	list[n++] = fadt();
	if (machine.nr_dimms)
		list[n++] = nfit();
	root = table("XSDT", 1);
	for (unsigned i = 0; i < n; i++)
		put(root + HEADER + 8 * i, phys_of(list[i]), 8);
	seal(root, root + HEADER + 8 * n);
	return rsdp(root);
}

/* ---- the memory map, and files */

static void add(uint64_t base, uint64_t len, uint32_t type)
{
	info.ranges[info.nr_ranges++] = (struct boot_range){base, len, type, 0};
}

const struct boot_info *firmware_init(void)
{
	uint64_t at = FIRST_DIMM;

	for (unsigned i = 0; i < machine.nr_dimms; i++) {
		dimm_at[i] = at;
		at = ALIGN_UP(at + machine.dimm[i].size, GIB);
	}
	info.magic = BOOT_MAGIC;
	strcpy(info.path, "host");
	snprintf(info.cmdline, sizeof(info.cmdline), "%s", machine.cmdline);
	info.rsdp = tables();
	add(0, LOW_END, BOOT_RAM);
	add(MIB, machine.ram - TABLES_LEN - MIB, BOOT_RAM);
	add(machine.ram - TABLES_LEN, TABLES_LEN, BOOT_ACPI);
	return &info;
}

uint64_t boot_image_start(void)
{
	return MIB;
}

uint64_t boot_image_end(void)
{
	extern const char __image_end[];

	return (uintptr_t)__image_end - KERNEL_BASE;
}

/* The names of the scratch DIMMs, separated by commas. */
static const char *scratch_list(void)
{
	static char text[64];
	size_t len = 0;

	for (unsigned i = 0; i < machine.nr_dimms; i++)
		if (machine.dimm[i].scratch)
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%spmem%u",
						len ? "," : "", i);
	return text;
}

const void *firmware_file(unsigned n, const char **name, size_t *len)
{
	static char dimms[4];
	const char *text[] = {dimms, scratch_list(), machine.commands};
	static const char *const names[] = {"opt/holdfast/dimms", "opt/holdfast/scratch",
					    "opt/holdfast/cmd"};

	snprintf(dimms, sizeof(dimms), "%u", machine.nr_dimms);
	for (unsigned i = 0; i < ARRAY_SIZE(text); i++) {
		if (!text[i] || !*text[i] || n--)
			continue;
		*name = names[i];
		*len = strlen(text[i]);
		return text[i];
	}
	return NULL;
}
