// SPDX-License-Identifier: MIT
/*
 * Rows about page faults, timed in the program from before the access to after it: exception entry
 * and return included, mitigations off. Blocks are allocated and written.
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "hfwork.h"

#define PAGES	   640
#define TIMED	   500
#define HUGE_TIMED 31

struct walk {
	char *at;
	uint64_t step;
};

static void load(void *arg)
{
	struct walk *w = arg;

	(void)*(volatile char *)w->at;
}

static void store(void *arg)
{
	struct walk *w = arg;

	*(volatile char *)w->at = 'f';
}

static void next(void *arg)
{
	struct walk *w = arg;

	w->at += w->step;
}

/*
 * One fault per step, and none for the last page of a step, or the entries are not of that size.
 * One that is smaller, where two extents meet, does not move a median.
 */
static void walk(const char *bench, char *map, uint64_t step, void (*op)(void *), unsigned timed)
{
	struct walk w = {map, step};
	const struct work c = {.op = op, .after = next, .arg = &w};
	long before = faults(), extra;

	measure(bench, "insns", &c, timed, 1);
	for (w.at = map + step - PAGE; w.at < map + (timed + 1) * step; w.at += step)
		op(&w);
	extra = faults() - before - (timed + 1);
	need(extra == 0 || extra == 1, "%s: %ld entries of %u are not of its size", bench, extra,
	     timed + 1);
}

/* Entries are made through one mapping, by stores; the row's faults are on another. */
static void entry_present(const char *bench, uint64_t pages, bool huge, void (*op)(void *),
			  unsigned timed)
{
	struct file f;
	char *other;

	file_start(&f, bench, pages);
	file_map(&f, huge);
	file_dirty(&f);
	other = map_at(f.fd, pages, huge);
	walk(bench, other, huge ? HUGE : PAGE, op, timed);
	file_end(&f);
}

static void entry_new(const char *bench, uint64_t pages, bool huge, void (*op)(void *),
		      unsigned timed)
{
	struct file f;

	file_start(&f, bench, pages);
	file_map(&f, huge);
	walk(bench, f.map, huge ? HUGE : PAGE, op, timed);
	file_end(&f);
}

void rows_fault(void)
{
	entry_present("fault.4k.read.present", PAGES, false, load, TIMED);
	entry_new("fault.4k.write.new", PAGES, false, store, TIMED);
	entry_new("fault.2m.read.new", (HUGE_TIMED + 1) * HUGE_PAGES, true, load, HUGE_TIMED);
	entry_present("fault.2m.write.present", (HUGE_TIMED + 1) * HUGE_PAGES, true, store,
		      HUGE_TIMED);
}

/* ---- device-dax: the smallest region, as a character device ---- */

static void devdax_fault(const char *bench, int region, uint64_t align, unsigned timed)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/dev/dax%d.0", region);
	fd = open(path, O_RDWR);
	need(fd >= 0, "%s", path);
	walk(bench, map_at(fd, (timed + 1) * align / PAGE, true), align, store, timed);
	close(fd);
}

void rows_devdax(void)
{
	uint64_t size;
	int region = region_find(false, &size);

	devdax_make(region, PAGE);
	devdax_fault("fault.devdax.4k.write", region, PAGE, TIMED);
	devdax_end();
	devdax_make(region, HUGE);
	devdax_fault("fault.devdax.2m.write", region, HUGE, HUGE_TIMED);
	devdax_end();
}
