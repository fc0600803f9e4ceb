// SPDX-License-Identifier: MIT
/*
 * Rows about letting pages go, each one system call, entry and return included: ftruncate, punch
 * hole, munmap, sync_file_range of what a mapping dirtied. ext4 has its journal; nothing waits for
 * a commit inside a timed section.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "hfwork.h"

#define PAGES	    4096u
#define FLUSH_PAGES 512u

struct layout {
	struct file f;
	bool huge;
};

static void refill(void *arg)
{
	struct layout *l = arg;

	file_write(&l->f);
	if (!l->f.map)
		file_map(&l->f, l->huge);
	file_dirty(&l->f);
}

static void truncate_all(void *arg)
{
	struct layout *l = arg;

	need(!ftruncate(l->f.fd, 0), "ftruncate");
}

static void punch_all(void *arg)
{
	struct layout *l = arg;

	need(!fallocate(l->f.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGES * PAGE),
	     "punch hole");
}

static void unmap(void *arg)
{
	struct layout *l = arg;

	file_unmap(&l->f);
}

static void dirty(void *arg)
{
	struct layout *l = arg;

	if (!l->f.map)
		file_map(&l->f, l->huge);
	file_dirty(&l->f);
}

/* fsync would wait for a journal commit as well. */
static void flush(void *arg)
{
	struct layout *l = arg;

	need(!sync_file_range(l->f.fd, 0, 0,
			      SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
				      SYNC_FILE_RANGE_WAIT_AFTER),
	     "sync_file_range");
}

static void layout(const char *bench, uint64_t pages, bool huge, unsigned repeats,
		   void (*before)(void *), void (*op)(void *))
{
	struct layout l = {.huge = huge};
	const struct work w = {.before = before, .op = op, .arg = &l};

	file_start(&l.f, bench, pages);
	measure(bench, "insns/page", &w, repeats, pages);
	file_end(&l.f);
}

void rows_layout(void)
{
	layout("truncate.4k.4096", PAGES, false, 5, refill, truncate_all);
	layout("punch.4k.4096", PAGES, false, 5, refill, punch_all);
	layout("munmap.4k.4096", PAGES, false, 5, dirty, unmap);
	layout("flush.4k", FLUSH_PAGES, false, 9, dirty, flush);
	layout("flush.2m", FLUSH_PAGES, true, 9, dirty, flush);
}

/* Where truncate's instructions go, by probes on its parts; the probes cost little per page. */
static void split_part(struct layout *l, const char *row, const char *function)
{
	struct hfp_probe p = {0};
	uint64_t ticks[5];

	for (int i = 0; function[i]; i++)
		p.name[i] = function[i];
	need(!ioctl(device, HFP_PROBE, &p), "a probe on %s", function);
	for (int i = 0; i < 5; i++) {
		uint64_t before;

		refill(l);
		need(!ioctl(device, HFP_PROBED, &p), "HFP_PROBED");
		before = p.ticks;
		truncate_all(l);
		need(!ioctl(device, HFP_PROBED, &p), "HFP_PROBED");
		ticks[i] = p.ticks - before;
	}
	need(!ioctl(device, HFP_PROBES_GO), "HFP_PROBES_GO");
	report(row, "insns/page", ticks, 5, 0, PAGES, false);
}

void rows_split(void)
{
	struct layout l = {.huge = false};

	file_start(&l.f, "split", PAGES);
	split_part(&l, "truncate.split.busy_scan", "dax_layout_busy_page_range");
	split_part(&l, "truncate.split.entries", "truncate_inode_pages_range");
	split_part(&l, "truncate.split.extents", "ext4_ext_remove_space");
	file_end(&l.f);
}
