// SPDX-License-Identifier: MIT
/*
 * Rows about the machine as a whole: the boot, memory in use, what binding a region costs and
 * weighs.
 *
 * There are no labels: the driver nd_pmem binds the whole region at boot, as an fsdax namespace
 * when it has an information block (records in RAM), else raw. It is let go and bound again here,
 * by sysfs. Binding waits for RCU, and an idle clock jumps; so its time is that of the two
 * functions that do the work, by probes.
 */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "hfwork.h"

#define ND     "/sys/bus/nd/"
#define GIB    (1ull << 30)
#define CYCLES 3

int region_find(bool largest, uint64_t *size)
{
	char text[64];
	int best = -1;

	for (int i = 0; i < 8; i++) {
		unsigned long long s;

		if (!get_text(text, sizeof(text), ND "devices/region%d/size", i) ||
		    sscanf(text, "%llu", &s) != 1)
			continue;
		if (best < 0 || (s > *size) == largest) {
			best = i;
			*size = s;
		}
	}
	need(best >= 0, "an NVDIMM region");
	return best;
}

/* ---- boot ---- */

/* All "System RAM" that the firmware gave to the kernel. */
static uint64_t ram(void)
{
	unsigned long long first, last;
	uint64_t sum = 0;
	char line[160];
	FILE *f = fopen("/proc/iomem", "r");

	need(f, "/proc/iomem");
	while (fgets(line, sizeof(line), f))
		if (line[0] != ' ' && strstr(line, ": System RAM") &&
		    sscanf(line, "%llx-%llx", &first, &last) == 2)
			sum += last + 1 - first;
	fclose(f);
	return sum;
}

/* Bytes that nobody uses: free in the zones, and in the lists that CPUs keep (2 MiB pages too). */
uint64_t free_memory(void)
{
	uint64_t pages = 0, n;
	char line[160];
	FILE *f = fopen("/proc/zoneinfo", "r");

	need(f, "/proc/zoneinfo");
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, " count: %lu", &n) == 1)
			pages += n;
	fclose(f);
	return meminfo("MemFree:") + pages * PAGE;
}

/* The clock starts at the CPU's reset: the firmware is inside, and time in which the CPU was idle.
 */
void rows_boot(void)
{
	uint64_t now = hfp_ticks();

	report_value("boot", "insns", now * 100, 1);
	report_value("memory.prompt", "bytes", (ram() - free_memory()) * 100, 1);
	report_value("memory.prompt.after_boot", "bytes",
		     (meminfo("MemTotal:") - free_memory()) * 100, 1);
}

/* ---- device-dax ---- */

static char dax_name[64]; /* the one that is bound */

/* The device of this kind and region that the driver nd_pmem has. */
static bool bound_to_pmem(char *name, size_t size, const char *kind, int region)
{
	char prefix[32];
	struct dirent *entry;
	DIR *folder = opendir(ND "drivers/nd_pmem");
	bool found = false;

	need(folder, ND "drivers/nd_pmem");
	snprintf(prefix, sizeof(prefix), "%s%d.", kind, region);
	while (!found && (entry = readdir(folder)))
		found = !strncmp(entry->d_name, prefix, strlen(prefix)) &&
			(size_t)snprintf(name, size, "%s", entry->d_name) < size;
	closedir(folder);
	return found;
}

void devdax_make(int region, uint64_t align)
{
	static int uuids;
	char text[64], namespace[32];

	snprintf(namespace, sizeof(namespace), "namespace%d.0", region);
	if (bound_to_pmem(text, sizeof(text), "namespace", region))
		put_text(text, ND "drivers/nd_pmem/unbind");
	need(get_text(dax_name, sizeof(dax_name), ND "devices/region%d/dax_seed", region),
	     "dax_seed");
	put_text("ram", ND "devices/%s/mode", dax_name);
	snprintf(text, sizeof(text), "%lu", align);
	put_text(text, ND "devices/%s/align", dax_name);
	/* Another one each time: an information block of before is then not taken for ours. */
	snprintf(text, sizeof(text), "00000000-0000-4000-8000-%012d", ++uuids);
	put_text(text, ND "devices/%s/uuid", dax_name);
	put_text(namespace, ND "devices/%s/namespace", dax_name);
	put_text(dax_name, ND "drivers/dax_pmem/bind");
}

void devdax_end(void)
{
	put_text(dax_name, ND "drivers/dax_pmem/unbind");
	put_text("\n", ND "devices/%s/namespace", dax_name);
}

/* ---- memremap ---- */

static void settle(void)
{
	struct timespec t = {.tv_nsec = 100000000};

	nanosleep(&t, NULL);
}

static uint64_t probed(const char *name)
{
	struct hfp_probe p = {0};

	strncpy(p.name, name, sizeof(p.name) - 1);
	need(!ioctl(device, HFP_PROBED, &p), "HFP_PROBED");
	return p.ticks;
}

static void probe(const char *name)
{
	struct hfp_probe p = {0};

	strncpy(p.name, name, sizeof(p.name) - 1);
	need(!ioctl(device, HFP_PROBE, &p), "a probe on %s", name);
}

static void bind_cycle(const char *name, uint64_t *ticks, uint64_t *bytes)
{
	uint64_t free;

	put_text(name, ND "drivers/nd_pmem/unbind");
	settle();
	free = free_memory();
	*ticks = probed("memmap_init_zone_device") + probed("__add_pages");
	put_text(name, ND "drivers/nd_pmem/bind");
	*ticks = probed("memmap_init_zone_device") + probed("__add_pages") - *ticks;
	settle();
	*bytes = free - free_memory();
}

static void records_4k(int region, uint64_t size)
{
	uint64_t ticks[CYCLES], bytes[CYCLES], gib = size / GIB;
	char row[32], name[64];

	need(bound_to_pmem(name, sizeof(name), "pfn", region), "an fsdax namespace in region %d",
	     region);
	probe("memmap_init_zone_device");
	probe("__add_pages");
	for (int i = 0; i < CYCLES; i++)
		bind_cycle(name, &ticks[i], &bytes[i]);
	need(!ioctl(device, HFP_PROBES_GO), "HFP_PROBES_GO");
	snprintf(row, sizeof(row), "memremap.%lug", gib);
	report(row, "insns", ticks, CYCLES, 0, 1, false);
	snprintf(row, sizeof(row), "records.4k.bind.%lug", gib);
	report(row, "bytes", bytes, CYCLES, 0, gib, false);
}

/* Compound records: what binding takes of the free memory, per GiB. */
static void records_compound(const char *row, int region, uint64_t size, uint64_t align)
{
	uint64_t bytes[CYCLES];

	for (int i = 0; i < CYCLES; i++) {
		settle();
		bytes[i] = free_memory();
		devdax_make(region, align);
		settle();
		bytes[i] -= free_memory();
		devdax_end();
	}
	/* The information block takes one alignment unit of the device. */
	report(row, "bytes", bytes, CYCLES, 0, (size - align) / GIB, false);
}

void rows_memremap(void)
{
	uint64_t size;
	int region = region_find(true, &size);

	records_4k(region, size);
}

void rows_compound(void)
{
	uint64_t size;
	int region = region_find(true, &size);

	records_compound("records.2m.bind", region, size + HUGE, HUGE);
	records_compound("records.1g.bind", region, size, GIB);
}
