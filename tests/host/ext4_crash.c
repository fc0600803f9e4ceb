/* SPDX-License-Identifier: MIT */
/* Scripts of operations with a power cut at every fence; see ext4_crash.h. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/host/ext4_crash.h"

struct image live;
uint32_t cut_seed, lose_one_in;
bool cut_repair_too;
void (*crash_prepare)(void);

static struct cut recorder;
static struct ext4_inode *held[FILES];

/* Blocks change their place; every size stays within MAX. */
static void model_reshape(struct crash_state *s, const struct op *op)
{
	uint8_t *data = s->file[op->file].data, *other;
	uint64_t *size = &s->file[op->file].size;
	static uint8_t kept[MAX];

	if (op->kind == ZERO) {
		memset(data + op->off, 0, op->len);
		*size = op->off + op->len > *size ? op->off + op->len : *size;
	} else if (op->kind == COLLAPSE) {
		memmove(data + op->off, data + op->off + op->len, MAX - op->off - op->len);
		memset(data + MAX - op->len, 0, op->len);
		*size -= op->len;
	} else if (op->kind == INSERT) {
		memmove(data + op->off + op->len, data + op->off, MAX - op->off - op->len);
		memset(data + op->off, 0, op->len);
		*size += op->len;
	} else if (op->kind == EXCHANGE) {
		other = s->file[SWAP_OTHER(op)].data + SWAP_AT(op);
		memcpy(kept, other, SWAP_LEN(op));
		memcpy(other, data + SWAP_OFF(op), SWAP_LEN(op));
		memcpy(data + SWAP_OFF(op), kept, SWAP_LEN(op));
	}
}

static void model(struct crash_state *s, const struct op *op)
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
	default: model_reshape(s, op);
	}
}

static uint32_t cut_after; /* moments still to pass */
static uint8_t *second;	   /* what the second cut left */

static void second_cut(struct cut *c)
{
	if (cut_after-- == 0)
		cut_make(c, (enum cut_kind)(cut_seed % CUT_KINDS), &cut_seed, second);
}

/* Repair the outcome, cut that off somewhere, and leave what arrived as the new outcome. */
static void cut_the_repair(void)
{
	struct ext4_env env = crash.env;
	struct cut inner;

	cut_after = cut_seed % 12;
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
		cut_make(c, (enum cut_kind)k, &cut_seed, crash.base);
		if (!judge_as_it_lies())
			continue;
		if (cut_repair_too)
			cut_the_repair();
		judge_repaired();
	}
}
/* What an operation did is durable when it returns, without any further fence. */
static void judge_returned(void)
{
	outcomes++;
	cut_make(&recorder, CUT_NOTHING, &cut_seed, crash.base);
	if (judge_as_it_lies())
		judge_repaired();
}

static void rename_op(const struct op *op)
{
	int from_dir = before.file[op->file].dir;
	struct ext4_inode *from, *to;
	char path[32], name[16];

	snprintf(path, sizeof(path), from_dir ? "/d%d" : "/", from_dir);
	from = im_open(&live, path);
	snprintf(path, sizeof(path), op->len ? "/d%d" : "/", (int)op->len);
	to = im_open(&live, path);
	snprintf(name, sizeof(name), "f%d", op->file);
	if (ext4_rename(from, name, to, name))
		fail_msg("rename: %s", ext4_why(live.fs));
	im_put(from);
	im_put(to);
}

/* Fill the first block of /dN to the last byte: 24 + 15 * 260 + 172. */
static void crowd(int dir)
{
	char path[300];

	for (int i = 0; i < 16; i++) {
		int n = snprintf(path, sizeof(path), "/d%d/%02d", dir, i);

		memset(path + n, 'x', i < 15 ? 250 : 162);
		path[n + (i < 15 ? 250 : 162)] = '\0';
		im_put(im_create(&live, path));
	}
}

/* Operations on names; false if @op is none. */
static bool perform_name(const struct op *op)
{
	const char *path = crash_path(op->file, before.file[op->file].dir);
	char dir[16];

	snprintf(dir, sizeof(dir), "/d%d", op->file);
	switch (op->kind) {
	case CREATE: im_put(im_create(&live, crash_path(op->file, (int)op->off))); return true;
	case CROWD: crowd(op->file); return true;
	case MKDIR: im_mkdir(&live, dir); return true;
	case RMDIR: im_rmdir(&live, dir); return true;
	case UNLINK: im_unlink(&live, path); return true;
	case HOLD:
		held[op->file] = im_open(&live, path);
		im_unlink(&live, path);
		return true;
	case LETGO: im_put(held[op->file]); return true;
	case SYNC: ext4_sync(live.fs); return true;
	case RENAME: rename_op(op); return true;
	default: return false;
	}
}

static void write_op(const struct op *op, struct ext4_inode *ip)
{
	static uint8_t bytes[MAX];

	if (op->kind == WRITE) {
		im_pattern(bytes, op->len, (uint32_t)(op->off + op->len));
		im_write(ip, op->off, bytes, op->len);
		return;
	}
	im_pattern(bytes, op->len, (uint32_t)op->len);
	for (uint64_t b = op->len; b; b -= 2 * 4096)
		im_write(ip, b - 2 * 4096, bytes + b - 2 * 4096, 4096);
}

static int exchange_op(const struct op *op, struct ext4_inode *ip)
{
	int i = SWAP_OTHER(op), err;
	struct ext4_inode *other = im_open(&live, crash_path(i, before.file[i].dir));

	err = ext4_exchange_range(ip, SWAP_OFF(op), other, SWAP_AT(op), SWAP_LEN(op));
	im_put(other);
	return err;
}

static void perform(const struct op *op)
{
	struct ext4_inode *ip;
	struct ext4_map map;
	int err = 0;

	if (perform_name(op))
		return;
	ip = im_open(&live, crash_path(op->file, before.file[op->file].dir));
	switch (op->kind) {
	case TRUNCATE: err = ext4_truncate(ip, op->len); break;
	case PUNCH: err = ext4_punch_hole(ip, op->off, op->len); break;
	case FALLOCATE: err = ext4_fallocate(ip, op->off, op->len, 0); break;
	case KEEP: err = ext4_fallocate(ip, op->off, op->len, EXT4_FALLOC_KEEP_SIZE); break;
	case FAULT:
		err = ext4_map_blocks(ip, op->off, (uint32_t)op->len, EXT4_MAP_CREATE, &map);
		break;
	case ZERO: err = ext4_zero_blocks(ip, op->off, op->len, 0); break;
	case COLLAPSE: err = ext4_collapse_range(ip, op->off, op->len); break;
	case INSERT: err = ext4_insert_range(ip, op->off, op->len); break;
	case EXCHANGE: err = exchange_op(op, ip); break;
	default: write_op(op, ip);
	}
	if (err)
		fail_msg("operation: %d %s", err, ext4_why(live.fs));
	ext4_fsync(ip);
	im_put(ip);
}

/* @set_up operations without cuts, then @n with. */
void crash_run(const struct op *script, size_t set_up, size_t n, uint32_t mib, const char *mkfs)
{
	image_make(&live, mib, mkfs);
	image_make(&crash, mib, mkfs);
	second = malloc(live.size);
	memset(&before, 0, sizeof(before));
	memset(&after, 0, sizeof(after));
	crash_forget();
	cut_seed = 77;
	if (crash_prepare)
		crash_prepare();
	cut_begin(&recorder, live.base, live.size, NULL);
	live.env.writeback = cut_writeback;
	live.env.fence = cut_fence;
	image_up(&live);
	for (size_t i = 0; i < set_up + n; i++) {
		recorder.moment = i < set_up ? NULL : judge_all;
		recorder.lose_one_in = i < set_up ? 0 : lose_one_in;
		running = &script[i];
		model(&after, running);
		perform(running);
		before = after;
		if (i >= set_up)
			judge_returned();
		cut_fence();
		if (broken && !lose_one_in)
			fail_msg("operation %zu, fence %llu: %s\nrepair said: %s", i,
				 (unsigned long long)recorder.fences, crash_reason(), crash.said);
	}
	recorder.moment = NULL;
	image_down(&live);
	cut_end(&recorder);
	if (!lose_one_in)
		image_fsck(&live);
	image_drop(&live);
	image_drop(&crash);
	free(second);
	print_message("  %u outcomes, %u broken\n", outcomes, broken);
}
