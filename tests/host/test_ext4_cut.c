/* SPDX-License-Identifier: MIT */
/*
 * Power cuts: at every fence of every operation, several outcomes of what had arrived by then
 * (ext4_cut.h).  Each outcome is judged twice: as it lies (no block has two owners, no file
 * reaches a free block) and after a mount with repair (contents are those before or after the
 * interrupted operation, everything else is untouched, ext4_check and e2fsck find nothing).
 * The last tests lose fences on purpose and expect the judge to notice.
 */
/* LINK: tests/host/ext4_image.c tests/host/ext4_cut.c dax/ext4/balloc.c dax/ext4/census.c */
/* LINK: dax/ext4/check.c dax/ext4/dir.c dax/ext4/dir_write.c dax/ext4/extent_free.c */
/* LINK: dax/ext4/extent_node.c dax/ext4/extent_read.c dax/ext4/extent_write.c */
/* LINK: dax/ext4/features.c dax/ext4/file.c dax/ext4/geometry.c dax/ext4/group.c */
/* LINK: dax/ext4/ialloc.c dax/ext4/inode.c dax/ext4/namei.c dax/ext4/orphan.c */
/* LINK: dax/ext4/rename.c dax/ext4/repair.c dax/ext4/repair_dir.c dax/ext4/repair_maps.c */
/* LINK: dax/ext4/space.c dax/ext4/super.c dax/ext4/tree.c dax/ext4/zone.c */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dax/ext4/priv.h"
#include "tests/host/ext4_cut.h"
#include "tests/host/ext4_image.h"

#define FILES 8
#define DIRS  3
#define MAX   (3u << 20)

enum kind {
	CREATE,
	MKDIR,
	WRITE,
	TRUNCATE,
	PUNCH,
	FALLOCATE,
	KEEP,
	FAULT,
	UNLINK,
	HOLEY, /* write every second block below len, from the end */
	HOLD,  /* unlink while open */
	LETGO,
	RMDIR,
	RENAME /* to directory len */
};

struct op {
	enum kind kind;
	int file; /* or directory */
	uint64_t off, len;
};

struct state {
	struct {
		bool exists;
		int dir; /* 0: the root, n: /dn */
		uint64_t size;
		uint8_t data[MAX];
	} file[FILES];
	bool dir[DIRS + 1];
};

static struct image im, crash;
static struct state before, after;
static const struct op *running;
static struct ext4_inode *held[FILES];
static uint32_t seed, outcomes, broken, e2fsck_one_in, e2fsck_runs;
static char first_reason[600];
static bool cut_repair_too;

/* ---- the model ---- */

static void model(struct state *s, const struct op *op)
{
	uint64_t end = op->off + op->len;
	static uint8_t bytes[MAX];

	switch (op->kind) {
	case CREATE:
		s->file[op->file].exists = true;
		s->file[op->file].dir = (int)op->off;
		s->file[op->file].size = 0;
		memset(s->file[op->file].data, 0, MAX);
		break;
	case MKDIR: s->dir[op->file] = true; break;
	case RMDIR: s->dir[op->file] = false; break;
	case UNLINK:
	case HOLD: s->file[op->file].exists = false; break;
	case RENAME: s->file[op->file].dir = (int)op->len; break;
	case WRITE:
		im_pattern(bytes, op->len, (uint32_t)(op->off + op->len));
		memcpy(s->file[op->file].data + op->off, bytes, op->len);
		if (end > s->file[op->file].size)
			s->file[op->file].size = end;
		break;
	case HOLEY:
		im_pattern(bytes, op->len, (uint32_t)op->len);
		for (uint64_t b = 0; b < op->len; b += 2 * 4096)
			memcpy(s->file[op->file].data + b, bytes + b, 4096);
		s->file[op->file].size = op->len - 4096;
		break;
	case TRUNCATE:
		if (op->len < s->file[op->file].size)
			memset(s->file[op->file].data + op->len, 0, MAX - op->len);
		s->file[op->file].size = op->len;
		break;
	case PUNCH: memset(s->file[op->file].data + op->off, 0, op->len); break;
	case FALLOCATE:
		if (end > s->file[op->file].size)
			s->file[op->file].size = end;
		break;
	default: break;
	}
}

static const char *path_in(int i, int dir)
{
	static char path[32];

	if (dir)
		snprintf(path, sizeof(path), "/d%d/f%d", dir, i);
	else
		snprintf(path, sizeof(path), "/f%d", i);
	return path;
}

/* ---- the judge ---- */

static bool complain(const char *fmt, ...)
{
	va_list ap;

	if (broken++)
		return false;
	va_start(ap, fmt);
	vsnprintf(first_reason, sizeof(first_reason), fmt, ap);
	va_end(ap);
	return false;
}

/* Size and bytes are those before or after the operation that was cut. */
static bool content(int i, struct ext4_inode *ip)
{
	static uint8_t got[MAX + 1];
	const uint8_t *a = before.file[i].data, *b = after.file[i].data;
	bool had = before.file[i].exists, has = after.file[i].exists;
	int64_t n = ext4_read(ip, 0, got, sizeof(got));

	if (n != (int64_t)ip->size)
		return complain("f%d: read %lld of %llu: %s", i, (long long)n,
				(unsigned long long)ip->size, ext4_why(ip->fs));
	if (!(had && ip->size == before.file[i].size) && !(has && ip->size == after.file[i].size))
		return complain("f%d: size %llu, expected %llu or %llu", i,
				(unsigned long long)ip->size,
				(unsigned long long)before.file[i].size,
				(unsigned long long)after.file[i].size);
	if (had && ip->size == before.file[i].size && !memcmp(got, a, ip->size))
		return true;
	for (uint64_t k = 0; k < ip->size; k++) {
		bool is_old = had && k < before.file[i].size && got[k] == a[k];
		bool is_new = has && k < after.file[i].size && got[k] == b[k];

		if (!is_old && !is_new)
			return complain("f%d: byte %llu is %#x, expected %#x or %#x", i,
					(unsigned long long)k, got[k], a[k], b[k]);
	}
	return true;
}

/* 1: there and right, 0: not there, -1: wrong. */
static int one_name(int i, int dir)
{
	struct ext4_inode *ip;
	int err = ext4_walk(crash.fs, path_in(i, dir), &ip);
	bool good;

	if (err == -ENOENT)
		return 0;
	if (err) {
		complain("%s: %s", path_in(i, dir), ext4_why(crash.fs));
		return -1;
	}
	good = content(i, ip);
	ext4_iput(ip);
	return good ? 1 : -1;
}

static bool judge_file(int i)
{
	bool had = before.file[i].exists, has = after.file[i].exists;
	int old_dir = before.file[i].dir, new_dir = after.file[i].dir;
	int found;

	if (!had && !has) {
		found = one_name(i, old_dir);
		return found ? complain("f%d is back", i) : true;
	}
	found = one_name(i, has ? new_dir : old_dir);
	if (found < 0)
		return false;
	if (had && has && old_dir != new_dir) {
		int other = one_name(i, old_dir);

		if (other < 0)
			return false;
		found |= other;
	}
	if (!found && had && has)
		return complain("f%d is lost", i);
	return true;
}

static bool judge_dirs(void)
{
	char path[16];

	for (int d = 1; d <= DIRS; d++) {
		struct ext4_inode *ip;
		int err;

		snprintf(path, sizeof(path), "/d%d", d);
		err = ext4_walk(crash.fs, path, &ip);
		if (!err)
			ext4_iput(ip);
		if (!err && !before.dir[d] && !after.dir[d])
			return complain("d%d is back", d);
		if (err && (err != -ENOENT || (before.dir[d] && after.dir[d])))
			return complain("d%d: %s", d, ext4_why(crash.fs));
	}
	return true;
}

static void remember(void *ctx, const char *line)
{
	snprintf(ctx, 200, "%s", line);
}

static bool judge_repaired(void)
{
	char finding[200] = "";
	bool good = true;

	if (image_mount(&crash)) {
		crash.fs = NULL;
		return complain("mount: %s", crash.why);
	}
	if (ext4_check(crash.fs, remember, finding))
		good = complain("ext4_check: %s %s", finding, ext4_why(crash.fs));
	for (int i = 0; good && i < FILES; i++)
		good = judge_file(i);
	good = good && judge_dirs();
	if (ext4_unmount(crash.fs))
		good = complain("unmount: %s", ext4_why(crash.fs));
	crash.fs = NULL;
	if (good && e2fsck_one_in && outcomes % e2fsck_one_in == 0) {
		e2fsck_runs++;
		if (!image_is_clean(&crash))
			good = complain("e2fsck; repair said: %s", crash.said);
	}
	return good;
}

/* One bit per block that a named file reaches, in the image as it lies. */
static int reach(void *ctx, const struct ext4_extent_info *e)
{
	uint8_t *seen = ctx;

	for (uint64_t b = e->pblk; b < e->pblk + e->count; b++) {
		uint32_t g = (uint32_t)(b / crash.fs->blocks_per_group);
		const uint8_t *map = ext4_block(crash.fs, crash.fs->group[g].block_bitmap);

		if (bit_test(seen, (uint32_t)b))
			return complain("I7: block %u has two owners", (unsigned)b), 1;
		if (!bit_test(map, (uint32_t)(b % crash.fs->blocks_per_group)))
			return complain("I7: inode %u reaches free block %u", (unsigned)e->ino,
					(unsigned)b), 1;
		bit_set(seen, (uint32_t)b);
	}
	return 0;
}

static bool judge_dir_as_it_lies(struct ext4_inode *dir, uint8_t *seen)
{
	struct ext4_dirent_info info;
	uint64_t pos = 0;
	int got;

	while ((got = ext4_readdir(dir, &pos, &info)) == 1) {
		struct ext4_inode *ip;
		bool good;

		if (!strcmp(info.name, ".") || !strcmp(info.name, ".."))
			continue;
		if (ext4_lookup(dir, info.name, &ip))
			return complain("as it lies: %s", ext4_why(crash.fs));
		if (running->kind == RENAME && info.name[0] == 'f' &&
		    atoi(info.name + 1) == running->file) { /* may have two names for a moment */
			ext4_iput(ip);
			continue;
		}
		good = !ext4_for_each_of(crash.fs, ip->ino, reach, seen);
		if (good && info.type == EXT4_FT_DIR)
			good = judge_dir_as_it_lies(ip, seen);
		ext4_iput(ip);
		if (!good)
			return complain("as it lies: %s", ext4_why(crash.fs));
	}
	return got == 0 ? true : complain("as it lies: %s", ext4_why(crash.fs));
}

/* Without repair, nothing may be reachable that is free or owned twice. */
static bool judge_as_it_lies(void)
{
	uint8_t seen[1024 / 8 * 8] = {0};
	struct ext4_inode *root;
	bool good;

	if (((struct ext4_super *)(crash.base + 1024))->s_redo.commit)
		return true; /* one inode is half written; the redo record completes it */
	crash.env.readonly = true;
	if (image_mount(&crash)) {
		crash.fs = NULL;
		crash.env.readonly = false;
		return complain("mount as it lies: %s", crash.why);
	}
	root = im_open(&crash, "/");
	good = judge_dir_as_it_lies(root, seen);
	ext4_iput(root);
	ext4_unmount(crash.fs);
	crash.fs = NULL;
	crash.env.readonly = false;
	return good;
}

/* ---- cuts during repair ---- */

static uint32_t cut_after; /* moments still to pass */
static uint8_t *second;	   /* what the second cut left */

static void second_cut(struct cut *c)
{
	if (cut_after-- == 0)
		cut_make(c, (enum cut_kind)(seed % CUT_KINDS), &seed, second);
}

/* Repair the outcome, cut that off somewhere, and leave what arrived as the new outcome. */
static void cut_the_repair(void)
{
	struct ext4_env env = crash.env;
	struct cut inner;

	cut_after = seed % 12;
	memcpy(second, crash.base, crash.size);
	cut_begin(&inner, crash.base, crash.size, second_cut);
	crash.env.writeback = cut_writeback;
	crash.env.fence = cut_fence;
	if (!image_mount(&crash))
		ext4_unmount(crash.fs);
	crash.fs = NULL;
	cut_end(&inner);
	crash.env = env;
	memcpy(crash.base, second, crash.size);
}

static void judge_all(struct cut *c)
{
	for (int k = 0; k < CUT_KINDS; k++) {
		outcomes++;
		cut_make(c, (enum cut_kind)k, &seed, crash.base);
		if (!judge_as_it_lies())
			continue;
		if (cut_repair_too)
			cut_the_repair();
		judge_repaired();
	}
}

/* ---- running a script ---- */

static void perform(const struct op *op)
{
	static uint8_t bytes[MAX];
	struct ext4_inode *ip = NULL, *dir, *to;
	struct ext4_map map;
	char path[32], name[16];
	int err = 0;

	snprintf(path, sizeof(path), "/d%d", op->file);
	if (op->kind == CREATE) {
		im_put(im_create(&im, path_in(op->file, (int)op->off)));
	} else if (op->kind == MKDIR) {
		im_mkdir(&im, path);
	} else if (op->kind == RMDIR) {
		im_rmdir(&im, path);
	} else if (op->kind == UNLINK) {
		im_unlink(&im, path_in(op->file, before.file[op->file].dir));
	} else if (op->kind == HOLD) {
		held[op->file] = im_open(&im, path_in(op->file, before.file[op->file].dir));
		im_unlink(&im, path_in(op->file, before.file[op->file].dir));
	} else if (op->kind == LETGO) {
		im_put(held[op->file]);
	} else if (op->kind == RENAME) {
		snprintf(path, sizeof(path), before.file[op->file].dir ? "/d%d" : "/",
			 before.file[op->file].dir);
		dir = im_open(&im, path);
		snprintf(path, sizeof(path), op->len ? "/d%d" : "/", (int)op->len);
		to = im_open(&im, path);
		snprintf(name, sizeof(name), "f%d", op->file);
		err = ext4_rename(dir, name, to, name);
		im_put(dir);
		im_put(to);
	} else {
		ip = im_open(&im, path_in(op->file, before.file[op->file].dir));
	}
	if (op->kind == HOLEY) {
		im_pattern(bytes, op->len, (uint32_t)op->len);
		for (uint64_t b = op->len; b; b -= 2 * 4096)
			im_write(ip, b - 2 * 4096, bytes + b - 2 * 4096, 4096);
	} else if (op->kind == WRITE) {
		im_pattern(bytes, op->len, (uint32_t)(op->off + op->len));
		im_write(ip, op->off, bytes, op->len);
	} else if (op->kind == TRUNCATE) {
		err = ext4_truncate(ip, op->len);
	} else if (op->kind == PUNCH) {
		err = ext4_punch_hole(ip, op->off, op->len);
	} else if (op->kind == FALLOCATE || op->kind == KEEP) {
		err = ext4_fallocate(ip, op->off, op->len,
				     op->kind == KEEP ? EXT4_FALLOC_KEEP_SIZE : 0);
	} else if (op->kind == FAULT) {
		err = ext4_map_blocks(ip, op->off, (uint32_t)op->len, EXT4_MAP_CREATE, &map);
	}
	if (ip) {
		ext4_fsync(ip);
		im_put(ip);
	}
	if (err)
		fail_msg("operation: %d %s", err, ext4_why(im.fs));
}

static struct cut recorder;
static uint32_t lose_one_in; /* break the order on purpose */

/* @set_up operations without cuts, then @n with. */
static void run(const struct op *script, size_t set_up, size_t n, uint32_t mib, const char *mkfs)
{
	image_make(&im, mib, mkfs);
	image_make(&crash, mib, mkfs);
	second = malloc(im.size);
	memset(&before, 0, sizeof(before));
	memset(&after, 0, sizeof(after));
	outcomes = broken = e2fsck_runs = 0;
	seed = 77;
	image_up(&im);
	cut_begin(&recorder, im.base, im.size, NULL);
	im.fs->env.writeback = cut_writeback;
	im.fs->env.fence = cut_fence;
	for (size_t i = 0; i < set_up + n; i++) {
		recorder.moment = i < set_up ? NULL : judge_all;
		recorder.lose_one_in = i < set_up ? 0 : lose_one_in;
		running = &script[i];
		model(&after, running);
		perform(running);
		cut_fence();
		before = after;
		if (broken && !lose_one_in)
			fail_msg("operation %zu, fence %llu: %s\nrepair said: %s", i,
				 (unsigned long long)recorder.fences, first_reason, crash.said);
	}
	recorder.moment = NULL;
	image_down(&im);
	cut_end(&recorder);
	if (!lose_one_in)
		image_fsck(&im);
	image_drop(&im);
	image_drop(&crash);
	free(second);
	print_message("  %u outcomes, e2fsck on %u, %u broken\n", outcomes, e2fsck_runs, broken);
}

#define RUN(script, mkfs) run(script, 0, sizeof(script) / sizeof(script[0]), 4, mkfs)
#define UNINIT                                                                                     \
	"-b 4096 -I 256 -g 256 -N 128 -O none,filetype,extent,sparse_super,large_file,"            \
	"extra_isize,uninit_bg,64bit,dir_nlink"

#define B 4096u

static const struct op names[] = {
	{MKDIR, 1, 0, 0},	{CREATE, 0, 0, 0}, {CREATE, 1, 1, 0},	{CREATE, 2, 1, 0},
	{WRITE, 1, 0, 5000},	{MKDIR, 2, 0, 0},  {RENAME, 1, 0, 2},	{UNLINK, 0, 0, 0},
	{RENAME, 2, 0, 0},	{RMDIR, 1, 0, 0},  {CREATE, 3, 2, 0},	{WRITE, 3, 0, 20000},
	{HOLD, 3, 0, 0},	{HOLD, 1, 0, 0},   {LETGO, 3, 0, 0},	{CREATE, 4, 0, 0},
	{WRITE, 4, 0, 9000},	{LETGO, 1, 0, 0},  {UNLINK, 2, 0, 0},	{RMDIR, 2, 0, 0},
};

static const struct op contents[] = {
	{CREATE, 0, 0, 0},	       {WRITE, 0, 0, 100},
	{WRITE, 0, 100, 5000},	       {WRITE, 0, 50, 300},
	{CREATE, 1, 0, 0},	       {WRITE, 1, 10 * B, B},
	{WRITE, 1, 8 * B, B},	       {WRITE, 1, 6 * B, B},
	{WRITE, 1, 4 * B, B},	       {WRITE, 1, 2 * B, B}, /* the root grows a level */
	{WRITE, 1, 0, B},	       {WRITE, 1, 3 * B, B}, /* merges */
	{WRITE, 0, 30000, 10},	       {TRUNCATE, 0, 0, 3000},
	{TRUNCATE, 0, 0, 50000},       {TRUNCATE, 1, 0, 5 * B + 7},
	{TRUNCATE, 1, 0, 0},	       {WRITE, 1, 0, 50 * B},
	{PUNCH, 1, 10 * B, B},	       {PUNCH, 1, 12 * B, 2 * B + 5},
	{PUNCH, 1, 20 * B, B},	       {PUNCH, 1, 22 * B, B},
	{PUNCH, 1, 24 * B, B},	       {PUNCH, 1, 5 * B + 9, 17 * B},
	{PUNCH, 1, 0, 3 * B},	       {PUNCH, 1, 0, 50 * B},
	{UNLINK, 1, 0, 0},	       {CREATE, 2, 0, 0},
	{FALLOCATE, 2, 0, 40 * B},     {FAULT, 2, 5, 1},
	{FAULT, 2, 6, 2},	       {FAULT, 2, 20, 5},
	{WRITE, 2, 30 * B + 50, 100},  {WRITE, 2, 0, 40 * B},
	{KEEP, 0, 60000, 20 * B},      {WRITE, 0, 50000, 30000},
	{FAULT, 0, 1, 8},	       {TRUNCATE, 2, 0, 1},
	{UNLINK, 2, 0, 0},	       {UNLINK, 0, 0, 0},
};

/* Leaves of 340 records overflow, in front, in the middle, behind; neighbours join again. */
static const struct op leaves[] = {
	{CREATE, 0, 0, 0},
	{HOLEY, 0, 0, 682 * B},	      /* 341 extents: a full leaf and a thin one */
	{WRITE, 0, 681 * B, B},	      /* set-up ends */
	{WRITE, 0, 684 * B, B},	      /* append */
	{PUNCH, 0, 682 * B, 3 * B},
	{WRITE, 0, 5 * B, B},	      /* joins three records */
	{PUNCH, 0, 4 * B, B},	      /* splits in the middle */
	{WRITE, 0, 300 * B + 1, 3 * B}, /* overwrites and fills */
	{PUNCH, 0, 2 * B, 400 * B},   /* most of a leaf */
	{PUNCH, 0, 400 * B, 270 * B}, /* leaves thin out and join */
	{TRUNCATE, 0, 0, 660 * B},
	{TRUNCATE, 0, 0, 3 * B},
	{UNLINK, 0, 0, 0},
};

/* Unwritten blocks in one full leaf: a conversion in the middle splits it. */
static const struct op conversions[] = {
	{CREATE, 0, 0, 0},
	{HOLEY, 0, 0, 674 * B},
	{FALLOCATE, 0, 676 * B, 20 * B}, /* set-up ends */
	{FAULT, 0, 680, 2},
	{FAULT, 0, 685, 1},
	{FAULT, 0, 687, 1}, /* the leaf is full */
	{FAULT, 0, 690, 1},
	{FAULT, 0, 686, 1}, /* joins */
	{TRUNCATE, 0, 0, 100},
};

static void cuts_in_names(void **state)
{
	(void)state;
	e2fsck_one_in = 5;
	RUN(names, OURS);
}

static void cuts_in_contents(void **state)
{
	(void)state;
	e2fsck_one_in = 11;
	RUN(contents, OURS);
}

static void cuts_in_uninitialised_groups(void **state)
{
	(void)state;
	e2fsck_one_in = 11;
	RUN(names, UNINIT);
	RUN(contents, UNINIT);
}

static void cuts_in_overflowing_leaves(void **state)
{
	(void)state;
	e2fsck_one_in = 7;
	run(leaves, 3, sizeof(leaves) / sizeof(leaves[0]) - 3, 8, OURS);
	run(conversions, 3, sizeof(conversions) / sizeof(conversions[0]) - 3, 8, OURS);
}

static void cuts_in_repair(void **state)
{
	(void)state;
	e2fsck_one_in = 11;
	cut_repair_too = true;
	RUN(names, UNINIT);
	RUN(contents, OURS);
	cut_repair_too = false;
}

/* The judge can fail: a fence that does nothing now and then must be noticed. */
static void lost_fences_are_noticed(void **state)
{
	(void)state;
	e2fsck_one_in = 0;
	for (lose_one_in = 1; lose_one_in <= 5; lose_one_in += 2) {
		RUN(names, OURS);
		assert_true(broken > 0);
		RUN(contents, OURS);
		assert_true(broken > 0);
	}
	lose_one_in = 0;
}

static void only_fsync_makes_an_overwrite_durable(void **state)
{
	struct ext4_inode *ip;
	char got[4];

	(void)state;
	image_make(&im, 4, OURS);
	image_make(&crash, 4, OURS);
	image_up(&im);
	cut_begin(&recorder, im.base, im.size, NULL);
	im.fs->env.writeback = cut_writeback;
	im.fs->env.fence = cut_fence;
	ip = im_create(&im, "/f");
	im_write(ip, 0, "old!", 4);
	im_write(ip, 0, "new!", 4); /* in place: written back, not fenced */
	for (int synced = 0; synced < 2; synced++) {
		cut_make(&recorder, CUT_NOTHING, &seed, crash.base);
		image_up(&crash);
		im_expect(&crash, "/f", synced ? "new!" : "old!", 4);
		image_down(&crash);
		image_fsck(&crash);
		assert_int_equal(ext4_fsync(ip), 0);
	}
	assert_int_equal(ext4_read(ip, 0, got, 4), 4);
	im_put(ip);
	image_down(&im);
	cut_end(&recorder);
	image_drop(&im);
	image_drop(&crash);
}

static void repair_says_what_it_did(void **state)
{
	static const char *const lines[] = {"was not unmounted", "has no name, freed",
					    "marked free", "orphan list emptied", "repaired:"};
	struct ext4_inode *ip, *root, *victim;

	(void)state;
	image_make(&im, 4, OURS);
	image_make(&crash, 4, OURS);
	image_up(&im);
	ip = im_create(&im, "/f");
	im_write(ip, 0, "orphan", 6);
	root = im_open(&im, "/");
	assert_int_equal(ext4_unlink(root, "f", &victim), 0);
	im_put(victim);
	memcpy(crash.base, im.base, im.size);
	im_put(ip);
	im_put(root);
	image_up(&crash);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_non_null(strstr(crash.said, lines[i]));
	image_down(&crash);
	image_fsck(&crash);
	image_up(&crash);
	assert_string_equal(crash.said, ""); /* once is enough */
	image_drop(&im);
	image_drop(&crash);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cuts_in_names),
		cmocka_unit_test(cuts_in_contents),
		cmocka_unit_test(cuts_in_uninitialised_groups),
		cmocka_unit_test(cuts_in_overflowing_leaves),
		cmocka_unit_test(cuts_in_repair),
		cmocka_unit_test(lost_fences_are_noticed),
		cmocka_unit_test(only_fsync_makes_an_overwrite_durable),
		cmocka_unit_test(repair_says_what_it_did),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
