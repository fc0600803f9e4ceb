/* SPDX-License-Identifier: MIT */
/*
 * Recovery: what a mount does with a device that was not unmounted.
 *
 * Whose it was decides how much is repaired (state.c).  What a mount of ours left follows the order
 * in which this file layer writes: half-done updates are finished or dropped, as repair.c says.  A
 * device that another system left dirty, or with errors on record, is repaired only if that gives
 * nothing up which fsck would keep; else the mount is refused and fsck named.
 *
 * A refusal leaves every byte as it was.  So there are two walks: a survey that only looks, and the
 * repair that follows once nothing can refuse it any more but a lack of memory.
 */
#include "dax/ext4/internal.h"

/* State that only a clean unmount leaves; ERROR is a verdict of an earlier mount. */
static bool looks_dirty(const struct ext4_fs *fs)
{
	return !(fs->sb->s_state & EXT4_VALID_FS) || (fs->sb->s_state & EXT4_ERROR_FS) ||
	       fs->sb->s_last_orphan || fs->sb->s_redo.commit || fs->sb->s_redo_pair;
}

static void say_whose(struct ext4_fs *fs, bool ours)
{
	const char *whose = ours ? "the device was not unmounted"
				 : "another system wrote the device last and did not unmount it";

	if (fs->sb->s_state & EXT4_ERROR_FS)
		ext4_say(fs, "errors are on record for the device; `e2fsck -fy IMAGE` on the host "
			     "clears them");
	if (fs->sb->s_state & EXT4_VALID_FS)
		whose = "the device was unmounted, but not everything was settled";
	ext4_say(fs, "%s: scanning all of it", whose);
}

/* The survey is done and accepted; from here on the device changes. */
static int mend(struct ext4_fs *fs, struct repair *r, bool ours)
{
	int err;

	if (!ours) {
		/* A record on a device that another system wrote later is older than what it
		 * changed. */
		ext4_redo_drop(fs);
		ext4_mark_dirty(fs);
	}
	fs->dirty = true;
	err = repair_mend(r);
	if (!err)
		ext4_mark_clean(fs);
	return err;
}

static int recover(struct ext4_fs *fs)
{
	bool ours = ext4_is_ours(fs);
	struct ext4_redo_kept kept;
	struct repair *r = NULL;
	int err;

	say_whose(fs, ours);
	if (ours)
		ext4_redo(fs, &kept);
	err = ext4_check_root(fs);
	if (!err)
		err = repair_survey(fs, ours, &r);
	if (!err)
		err = mend(fs, r, ours);
	else if (ours)
		ext4_redo_undo(fs, &kept);
	repair_end(r);
	return err;
}

int ext4_recover(struct ext4_fs *fs)
{
	if (!looks_dirty(fs))
		return ext4_check_root(fs);
	if (!fs->env.readonly)
		return recover(fs);
	ext4_say(fs, "the device was not unmounted; it is read-only and stays as it is");
	return ext4_check_root(fs);
}
