// SPDX-License-Identifier: MIT
/*
 * Rows about names and whole files: a directory of 20,000 names, 10,000 open files, 8 GiB allocated
 * and given back, the mount of 1 TiB.
 *
 * What is cached decides what a look-up costs, so each row says it. A mount forgets everything: the
 * names, the inodes, and the blocks of the disk, whose reads the driver nd_pmem ends before it
 * returns, so that nobody sleeps for them.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hfwork.h"

#define FOLDER	FILE_FOLDER "names/"
#define NAMES	20000
#define OPEN	10000
#define REPEATS 101
#define STRIDE	7919 /* coprime to NAMES: names that are far apart */

static char disk[32]; /* what is mounted at FILE_FOLDER */

static const char *name_of(unsigned n)
{
	static char path[64];

	snprintf(path, sizeof(path), FOLDER "f%05u", n);
	return path;
}

static void find_disk(void)
{
	char line[256], where[64];
	FILE *f = fopen("/proc/mounts", "r");

	need(f, "/proc/mounts");
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%31s %63s", disk, where) == 2 && !strcmp(where, "/dax"))
			break;
	need(!ferror(f) && !strcmp(where, "/dax"), "a file system at /dax");
	fclose(f);
}

/* Everything that was cached is gone, blocks of the disk too. */
static void mount_again(void)
{
	need(!umount("/dax"), "umount");
	put_text("3\n", "/proc/sys/vm/drop_caches");
	need(!mount(disk, "/dax", "ext4", 0, "dax=always"), "mount");
}

static void make_names(void)
{
	find_disk();
	need(!mkdir(FOLDER, 0700), "mkdir");
	for (unsigned n = 0; n < NAMES; n++) {
		int fd = open(name_of(n), O_RDWR | O_CREAT | O_EXCL, 0600);

		need(fd >= 0, "%s", name_of(n));
		close(fd);
	}
}

/* ---- look-up, creation ---- */

static char path[64];

static void look(void *arg)
{
	struct stat st;

	(void)arg;
	need(!stat(path, &st), "stat %s", path);
}

static void next_name(void *arg)
{
	unsigned *n = arg;

	*n = (*n + STRIDE) % NAMES;
	strcpy(path, name_of(*n));
}

static void another_mount(void *arg)
{
	mount_again();
	next_name(arg);
}

static void rows_lookup(void)
{
	unsigned n = 0;
	struct work w = {.op = look, .arg = &n};

	w.before = another_mount;
	measure("dir.lookup.20000.first", "insns", &w, 5, 1);
	w.before = next_name;
	measure("dir.lookup.20000.other", "insns", &w, REPEATS, 1);
	w.before = NULL;
	measure("dir.lookup.20000", "insns", &w, REPEATS, 1);
}

static int made;

static void further_name(void *arg)
{
	unsigned *n = arg;

	snprintf(path, sizeof(path), FOLDER "g%05u", ++*n);
}

static void create(void *arg)
{
	(void)arg;
	made = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
}

static void forget(void *arg)
{
	(void)arg;
	need(made >= 0, "%s", path);
	close(made);
	need(!unlink(path), "unlink %s", path);
}

static void rows_create(void)
{
	unsigned n = 0;
	const struct work w = {.before = further_name, .op = create, .after = forget, .arg = &n};

	measure("dir.create.20000", "insns", &w, REPEATS, 1);
}

/* ---- many open files ---- */

static int fds[OPEN];
static char names[OPEN][32];

static void open_all(void *arg)
{
	(void)arg;
	for (unsigned n = 0; n < OPEN; n++)
		fds[n] = open(names[n], O_RDWR);
}

static void close_all(void *arg)
{
	(void)arg;
	for (unsigned n = 0; n < OPEN; n++) {
		need(fds[n] >= 0, "%s", names[n]);
		close(fds[n]);
	}
}

static void cold(void *arg)
{
	(void)arg;
	mount_again();
}

static void weigh_open(void)
{
	uint64_t free;

	mount_again();
	free = free_memory();
	open_all(NULL);
	free -= free_memory();
	close_all(NULL);
	report_value("open.10000.bytes", "bytes", free * 100 / OPEN, OPEN);
}

static void rows_open(void)
{
	const struct rlimit many = {OPEN + 100, OPEN + 100};
	struct work w = {.op = open_all, .after = close_all};

	need(!setrlimit(RLIMIT_NOFILE, &many), "RLIMIT_NOFILE");
	for (unsigned n = 0; n < OPEN; n++)
		strcpy(names[n], name_of(2 * n));
	w.before = cold;
	measure("open.10000", "insns", &w, 3, OPEN);
	w.before = NULL;
	measure("open.10000.warm", "insns", &w, 3, OPEN);
	weigh_open();
}

void rows_dir(void)
{
	make_names();
	rows_lookup();
	rows_create();
	rows_open();
}

/* ---- 8 GiB of blocks ---- */

#define LARGE (8ull << 30)

static int large;

static void make_empty(void *arg)
{
	(void)arg;
	large = open(FILE_FOLDER "large", O_RDWR | O_CREAT | O_EXCL, 0600);
	need(large >= 0, "open large");
}

static void allocate(void *arg)
{
	(void)arg;
	need(!fallocate(large, 0, 0, LARGE), "fallocate of 8 GiB");
}

static void make_full(void *arg)
{
	make_empty(arg);
	allocate(arg);
}

static void remove_it(void *arg)
{
	(void)arg;
	unlink(FILE_FOLDER "large");
	close(large);
}

static void cut(void *arg)
{
	(void)arg;
	need(!ftruncate(large, 0), "ftruncate");
}

void rows_fallocate(void)
{
	struct work w = {.before = make_empty, .op = allocate, .after = remove_it};

	measure("fallocate.8g", "insns", &w, 5, 1);
	w = (struct work){.before = make_full, .op = remove_it};
	measure("fallocate.8g.remove", "insns", &w, 5, 1);
	w = (struct work){.before = make_full, .op = cut, .after = remove_it};
	measure("fallocate.8g.truncate", "insns", &w, 5, 1);
}

/* ---- mount ---- */

static void mount_it(void *arg)
{
	(void)arg;
	need(!mount("/dev/pmem0", "/dax", "ext4", 0, "noinit_itable"), "mount of /dev/pmem0");
}

static void unmount_it(void *arg)
{
	(void)arg;
	need(!umount("/dax"), "umount");
	put_text("3\n", "/proc/sys/vm/drop_caches");
}

/* Without -o dax: records of 1 TiB would take 16 GiB of RAM. A mount reads no file. */
void rows_mount(void)
{
	const struct work w = {.op = mount_it, .after = unmount_it};

	measure("mount.1t", "insns", &w, 5, 1);
}
