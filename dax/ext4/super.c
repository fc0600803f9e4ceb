/* SPDX-License-Identifier: MIT */
/*
 * Mount and unmount: the superblock is checked, a device that was cut off is recovered
 * (recover.c), and what is wrong is said in one sentence.  Until a mount has succeeded nothing
 * is written except by recovery, which writes nothing either before it is sure to succeed.
 */
#include "dax/ext4/internal.h"

/* The place of the caller's sentence. */
static char *why_of(const struct ext4_fs *fs)
{
	return fs->env.why ? fs->env.why(fs->env.ctx) : (char *)fs->why;
}

int ext4_fail(struct ext4_fs *fs, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why_of(fs), EXT4_WHY, fmt, ap);
	va_end(ap);
	return err;
}

void ext4_say(struct ext4_fs *fs, const char *fmt, ...)
{
	char line[320];
	va_list ap;

	if (!fs->env.report)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	fs->env.report(fs->env.ctx, line);
}

const char *ext4_why(const struct ext4_fs *fs)
{
	return why_of(fs);
}

/* Seconds since 1970, never zero: a zero i_dtime means "not deleted". */
uint32_t ext4_now(const struct ext4_fs *fs)
{
	uint32_t now = fs->env.now();

	return now ? now : 1;
}

int ext4_begin(struct ext4_fs *fs)
{
	if (fs->env.readonly)
		return ext4_fail(fs, -EROFS,
				 "the file system is mounted read-only: its device "
				 "does not keep writes");
	if (!fs->dirty)
		ext4_mark_dirty(fs);
	ext4_pool_fill(fs);
	return 0;
}

static int check_magic(struct ext4_fs *fs)
{
	const struct ext4_super *sb = fs->sb;

	if (sb->s_magic != EXT4_SUPER_MAGIC)
		return ext4_fail(fs, -EINVAL,
				 "no ext4 here: the superblock's magic is %#x, expected %#x; make "
				 "one with mkfs.ext4",
				 sb->s_magic, EXT4_SUPER_MAGIC);
	if (sb->s_rev_level != 1)
		return ext4_fail(fs, -EINVAL, "superblock: revision %u, expected 1",
				 (unsigned)sb->s_rev_level);
	return 0;
}

int ext4_check_root(struct ext4_fs *fs)
{
	struct ext4_inode *root;
	int err = ext4_iget(fs, EXT4_ROOT_INO, &root);

	if (err)
		return err;
	if ((root->mode & EXT4_S_IFMT) != EXT4_S_IFDIR)
		err = ext4_fail(fs, -EIO,
				"inode 2 is not a directory (mode %#o); run `e2fsck -fy IMAGE`",
				(unsigned)root->mode);
	ext4_iput(root);
	return err;
}

static void discard(struct ext4_fs *fs)
{
	ext4_names_drop(fs);
	ext4_held_end(fs);
	free(fs->zone);
	free(fs->group);
	free(fs);
}

static int load(struct ext4_fs *fs)
{
	int err = check_magic(fs);

	if (!err)
		err = ext4_check_features(fs);
	if (!err)
		err = ext4_check_geometry(fs);
	if (!err)
		err = ext4_load_groups(fs);
	if (!err)
		err = ext4_build_zones(fs);
	if (!err)
		err = ext4_held_init(fs);
	if (err)
		return err;
	ext4_sum_counts(fs);
	return ext4_recover(fs);
}

int ext4_mount(const struct ext4_env *env, struct ext4_fs **out, char *why, size_t n)
{
	struct ext4_fs *fs;
	int err;

	if (env->size < 16 * EXT4_BLOCK_SIZE) {
		snprintf(why, n, "the device has %llu bytes, ext4 needs 65536 or more",
			 (unsigned long long)env->size);
		return -EINVAL;
	}
	fs = calloc(1, sizeof(*fs));
	if (!fs) {
		snprintf(why, n, "no memory for the mount");
		return -ENOMEM;
	}
	fs->env = *env;
	fs->sb = (struct ext4_super *)((uint8_t *)env->base + EXT4_SUPER_OFFSET);
	err = load(fs);
	snprintf(why, n, "%s", err ? why_of(fs) : "");
	if (err) {
		discard(fs);
		return err;
	}
	why_of(fs)[0] = '\0';
	*out = fs;
	return 0;
}

int ext4_unmount(struct ext4_fs *fs)
{
	struct ext4_inode *held = ext4_held_any(fs);

	if (held)
		return ext4_fail(fs, -EBUSY, "inode %u is held by %u references; close it first",
				 (unsigned)held->ino, (unsigned)held->refs);
	if (fs->dying)
		return ext4_fail(fs, -EBUSY, "%u unlinked files wait for their blocks to go",
				 (unsigned)fs->dying);
	if (fs->dirty)
		ext4_mark_clean(fs);
	discard(fs);
	return 0;
}

int ext4_sync(struct ext4_fs *fs)
{
	pm_fence(fs);
	/* An orphan on the list needs the repair of the next mount: stay dirty. */
	if (fs->dirty && !fs->sb->s_last_orphan)
		ext4_mark_clean(fs);
	return 0;
}

void ext4_statfs(const struct ext4_fs *fs, struct ext4_statfs *st)
{
	memset(st, 0, sizeof(*st));
	st->blocks = fs->blocks;
	st->free_blocks = fs->free_blocks;
	st->reserved_blocks = fs->pool_n;
	st->inodes = fs->inodes;
	st->free_inodes = (uint32_t)fs->free_inodes;
	st->enospc_busy = fs->enospc_busy;
	st->dirty = fs->dirty;
}

uint64_t ext4_blocked_by_busy(const struct ext4_fs *fs)
{
	return fs->blocked_by_busy;
}
