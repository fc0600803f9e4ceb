/* SPDX-License-Identifier: MIT */
/*
 * The judge of crash images; see ext4_crash.h.  Content is right if every byte is the old or the
 * new one and the size is the old or the new one.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dax/ext4/internal.h"
#include "tests/host/ext4_crash.h"

struct image crash;
struct crash_state before, after;
const struct op *running;
uint32_t outcomes, broken, e2fsck_one_in;
static uint32_t e2fsck_runs;
static char first_reason[600];

const char *crash_reason(void)
{
	return first_reason;
}

void crash_forget(void)
{
	outcomes = broken = e2fsck_runs = 0;
}

const char *crash_path(int i, int dir)
{
	static char path[32];

	if (dir)
		snprintf(path, sizeof(path), "/d%d/f%d", dir, i);
	else
		snprintf(path, sizeof(path), "/f%d", i);
	return path;
}
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
		/* whole blocks are mostly all old or all new */
		if (k % 4096 == 0 && k + 4096 <= ip->size &&
		    ((had && k + 4096 <= before.file[i].size && !memcmp(got + k, a + k, 4096)) ||
		     (has && k + 4096 <= after.file[i].size && !memcmp(got + k, b + k, 4096)))) {
			k += 4095;
			continue;
		}

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
	int err = ext4_walk(crash.fs, crash_path(i, dir), &ip);
	bool good;

	if (err == -ENOENT)
		return 0;
	if (err) {
		complain("%s: %s", crash_path(i, dir), ext4_why(crash.fs));
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

enum { OLD = 1, NEW = 2 };

/* Which of the two states does file i show as a whole?  0: neither. */
static int whole_state(int i)
{
	static uint8_t got[MAX + 1];
	struct ext4_inode *ip;
	int state = 0;
	uint64_t n;

	if (ext4_walk(crash.fs, crash_path(i, before.file[i].dir), &ip))
		return 0;
	n = (uint64_t)ext4_read(ip, 0, got, sizeof(got));
	ext4_iput(ip);
	if (n == before.file[i].size && !memcmp(got, before.file[i].data, n))
		state |= OLD;
	if (n == after.file[i].size && !memcmp(got, after.file[i].data, n))
		state |= NEW;
	return state;
}

/* A reshaping is atomic, and an exchange is for both of its files together. */
static bool judge_whole(void)
{
	int state = OLD | NEW;

	if (running->kind != COLLAPSE && running->kind != INSERT && running->kind != EXCHANGE)
		return true;
	state &= whole_state(running->file);
	if (running->kind == EXCHANGE)
		state &= whole_state(SWAP_OTHER(running));
	return state ? true : complain("f%d: a reshaping is half done", running->file);
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

bool judge_repaired(void)
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
	good = good && judge_whole() && judge_dirs();
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
					(unsigned)b),
			       1;
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
bool judge_as_it_lies(void)
{
	uint8_t seen[1024 / 8 * 8] = {0};
	struct ext4_inode *root;
	bool good;

	const struct ext4_super *sb = (const struct ext4_super *)(crash.base + 1024);

	if (sb->s_redo.commit || sb->s_redo_pair)
		return true; /* an inode is half written; the redo record completes it */
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
