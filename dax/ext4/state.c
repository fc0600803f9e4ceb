/* SPDX-License-Identifier: MIT */
/*
 * The state of the device, in its superblock: in use or not, damaged or not, and whose it was.
 *
 * VALID in s_state is cleared, durably, before the first change after a mount (ext4_begin) and set
 * again by unmount and sync, after everything else is durable.  A device without it was cut off.
 * ERROR in s_state is a verdict: damage was seen, here (ext4_damage) or elsewhere.  Only a complete
 * fsck takes it back, so it outlives mounts, repairs and unmounts of ours.
 *
 * s_mark tells whose changes a cut interrupted.  Repair relies on the order in which this file
 * layer writes (balloc.c, namei.c, orphan.c); of a device that another system dirtied it knows
 * nothing.  The mark is a sum over every superblock field that does not change while the device is
 * dirty in our hands.  Another system's mount counts s_mnt_count up, and every tool that writes the
 * superblock sets s_wtime, so their writing breaks the sum.  s_wtime lies one second in the past
 * here, else a tool that runs within the same second would leave it as it was.  A clean device has
 * no mark: nothing on it is ours to finish.
 *
 * Three steps, each fenced: times and counter, the mark over them, VALID cleared.  Mark before
 * VALID, else a cut between them shows a device of ours as another system's; times before mark,
 * else the mark does not fit them.
 */
#include "dax/ext4/internal.h"

#define MARK 0x7473464Cu /* the low half of every mark: says that there is one */

uint64_t ext4_mark_of(const struct ext4_super *sb)
{
	struct ext4_super still = *sb;

	still.s_free_blocks_lo = still.s_free_blocks_hi = still.s_free_inodes = 0;
	still.s_state &= (uint16_t) ~(EXT4_VALID_FS | EXT4_ERROR_FS);
	still.s_last_orphan = 0;
	memset(&still.s_redo, 0, sizeof(still.s_redo));
	still.s_redo_pair = still.s_mark = 0;
	return (uint64_t)ext4_fnv1a(&still, sizeof(still)) << 32 | MARK;
}

bool ext4_is_ours(const struct ext4_fs *fs)
{
	return !(fs->sb->s_state & EXT4_VALID_FS) && fs->sb->s_mark == ext4_mark_of(fs->sb);
}

void ext4_mark_dirty(struct ext4_fs *fs)
{
	struct ext4_super *sb = fs->sb;

	sb->s_mtime = ext4_now(fs);
	sb->s_wtime = sb->s_mtime - 1;
	sb->s_mnt_count++;
	pm_wb(fs, &sb->s_mtime, 16);
	sb->s_mtime_hi = sb->s_wtime_hi = 0;
	pm_wb(fs, &sb->s_wtime_hi, 2);
	pm_fence(fs);
	pm_set64(fs, &sb->s_mark, ext4_mark_of(sb));
	pm_fence(fs);
	pm_set16(fs, &sb->s_state, sb->s_state & (uint16_t)~EXT4_VALID_FS);
	/* "dirty" before any change, else a cut image looks clean and nobody repairs it. */
	pm_fence(fs);
	fs->dirty = true;
}

void ext4_mark_clean(struct ext4_fs *fs)
{
	struct ext4_super *sb = fs->sb;

	/* All changes before "clean", else a cut here hides a half-done update. */
	pm_fence(fs);
	/* State before time and mark, else a cut shows a dirty device whose mark does not fit. */
	pm_set16(fs, &sb->s_state, EXT4_VALID_FS | (sb->s_state & EXT4_ERROR_FS));
	pm_fence(fs);
	pm_set32(fs, &sb->s_wtime, ext4_now(fs));
	pm_set64(fs, &sb->s_mark, 0);
	pm_fence(fs);
	fs->dirty = false;
}

void ext4_damage(struct ext4_fs *fs, const char *fmt, ...)
{
	char line[EXT4_WHY];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	ext4_say(fs, "%s", line);
	if (fs->env.readonly || (fs->sb->s_state & EXT4_ERROR_FS))
		return;
	pm_set16(fs, &fs->sb->s_state, fs->sb->s_state | EXT4_ERROR_FS);
	pm_fence(fs);
}
