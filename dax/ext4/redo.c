/* SPDX-License-Identifier: MIT */
/*
 * Write-ahead images: an inode, or two, replaced in one atomic step.
 *
 * A change that spans more than 8 bytes (the four-record root of the extent tree, a size that
 * crosses 4 GiB) goes through ext4_inode_commit: the new 128 bytes are written to a slot in the
 * superblock's reserved bytes, fenced, published by one 8-byte store, fenced; then copied over the
 * inode, fenced; then withdrawn.  A cut before the publishing store shows the old inode, one after
 * it is finished by ext4_redo at the next mount.  No block is needed for it, so it cannot fail.
 * ext4_pair_commit does the same for two inodes at once; both images lie in a block the caller
 * took.
 *
 * ext4_redo keeps what it overwrites, so that a mount that is refused later leaves every byte as it
 * was (ext4_redo_undo).
 */
#include "dax/ext4/internal.h"

uint32_t ext4_fnv1a(const void *data, size_t n)
{
	const uint8_t *p = data;
	uint32_t h = 2166136261u;

	while (n--)
		h = (h ^ *p++) * 16777619u;
	return h;
}

static uint64_t redo_word(uint32_t ino, const struct ext4_disk_inode *image)
{
	return (uint64_t)ext4_fnv1a(image, sizeof(*image)) << 32 | ino;
}

void ext4_inode_commit(struct ext4_fs *fs, uint32_t ino, const struct ext4_disk_inode *image)
{
	struct ext4_redo *redo = &fs->sb->s_redo;
	struct ext4_disk_inode *raw = ext4_raw(fs, ino);

	/* LAB 12 commit: an inode is replaced in one step */
	redo->image = *image;
	pm_wb(fs, &redo->image, sizeof(redo->image));
	/* Image, and all that it names, before commit word: else a cut replays half an image. */
	pm_fence(fs);
	pm_set64(fs, &redo->commit, redo_word(ino, image));
	/* Commit word before the inode, else a cut leaves half an inode and nothing to replay. */
	pm_fence(fs);
	memcpy(raw, image, sizeof(*raw));
	pm_wb(fs, raw, sizeof(*raw));
	/* Inode before withdrawal, for the same reason. */
	pm_fence(fs);
	pm_set64(fs, &redo->commit, 0);
	/* Withdrawn before the next change of this inode, else a cut replays an old image. */
	pm_fence(fs);
	/* END */
}

static uint64_t pair_word(const struct ext4_redo_pair *pair, uint64_t pblk)
{
	return (uint64_t)ext4_fnv1a(pair, sizeof(*pair)) << 32 | pblk;
}

/* Both images over their inodes, then the record is withdrawn; all of it fenced. */
static void pair_apply(struct ext4_fs *fs, const struct ext4_redo_pair *pair)
{
	for (int i = 0; i < 2; i++) {
		struct ext4_disk_inode *raw = ext4_raw(fs, pair->ino[i]);

		memcpy(raw, &pair->image[i], sizeof(*raw));
		pm_wb(fs, raw, sizeof(*raw));
	}
	/* Inodes before withdrawal: a cut in between replays the same images again. */
	pm_fence(fs);
	pm_set64(fs, &fs->sb->s_redo_pair, 0);
	/* Withdrawn before the next change of either, else a cut replays an old image. */
	pm_fence(fs);
}

void ext4_pair_commit(struct ext4_fs *fs, const struct ext4_redo_pair *pair, uint64_t pblk)
{
	struct ext4_redo_pair *record = ext4_block(fs, pblk);

	*record = *pair;
	pm_wb(fs, record, sizeof(*record));
	/* The record, and all that its images name, before the word: else a cut replays rubbish. */
	pm_fence(fs);
	pm_set64(fs, &fs->sb->s_redo_pair, pair_word(pair, pblk));
	/* The word before the inodes, else a cut shows one file changed and the other not. */
	pm_fence(fs);
	pair_apply(fs, pair);
}

/* The inodes that ext4_redo may overwrite, as they are; 0: none. */
static void keep(struct ext4_fs *fs, struct ext4_redo_kept *kept)
{
	uint64_t word = fs->sb->s_redo_pair;
	const struct ext4_redo_pair *pair = ext4_block(fs, (uint32_t)word);

	*kept = (struct ext4_redo_kept){.commit = fs->sb->s_redo.commit, .pair = word};
	if (kept->commit)
		kept->ino[0] = (uint32_t)kept->commit;
	if (word && !ext4_forbidden(fs, (uint32_t)word, 1))
		memcpy(&kept->ino[1], pair->ino, sizeof(pair->ino));
	for (int i = 0; i < 3; i++)
		if (kept->ino[i] - 1 < fs->inodes)
			kept->image[i] = *ext4_raw(fs, kept->ino[i]);
}

void ext4_redo_undo(struct ext4_fs *fs, const struct ext4_redo_kept *kept)
{
	for (int i = 2; i >= 0; i--) {
		if (kept->ino[i] - 1 >= fs->inodes)
			continue;
		*ext4_raw(fs, kept->ino[i]) = kept->image[i];
		pm_wb(fs, ext4_raw(fs, kept->ino[i]), sizeof(kept->image[i]));
	}
	/* Inodes before the words, else a cut here loses the update that they record. */
	pm_fence(fs);
	pm_set64(fs, &fs->sb->s_redo.commit, kept->commit);
	pm_set64(fs, &fs->sb->s_redo_pair, kept->pair);
	pm_fence(fs);
}

static void redo_pair(struct ext4_fs *fs)
{
	uint64_t word = fs->sb->s_redo_pair, pblk = (uint32_t)word;
	struct ext4_redo_pair pair;

	if (!word)
		return;
	if (!ext4_forbidden(fs, pblk, 1)) {
		memcpy(&pair, ext4_block(fs, pblk), sizeof(pair));
		if (word == pair_word(&pair, pblk) && pair.ino[0] - 1 < fs->inodes &&
		    pair.ino[1] - 1 < fs->inodes) {
			pair_apply(fs, &pair);
			ext4_say(fs, "inodes %u and %u: finished an update that was cut off",
				 (unsigned)pair.ino[0], (unsigned)pair.ino[1]);
			return;
		}
	}
	pm_set64(fs, &fs->sb->s_redo_pair, 0);
	pm_fence(fs);
}

void ext4_redo_drop(struct ext4_fs *fs)
{
	if (!fs->sb->s_redo.commit && !fs->sb->s_redo_pair)
		return;
	ext4_say(fs, "an update that was cut off is dropped: somebody else repaired the device");
	pm_set64(fs, &fs->sb->s_redo.commit, 0);
	pm_set64(fs, &fs->sb->s_redo_pair, 0);
	pm_fence(fs);
}

static void redo_one(struct ext4_fs *fs)
{
	struct ext4_redo *redo = &fs->sb->s_redo;
	struct ext4_disk_inode image = redo->image;
	uint64_t word = redo->commit;
	uint32_t ino = (uint32_t)word;

	if (!word)
		return;
	if (word == redo_word(ino, &image) && ino >= 1 && ino <= fs->inodes) {
		memcpy(ext4_raw(fs, ino), &image, sizeof(image));
		pm_wb(fs, ext4_raw(fs, ino), sizeof(image));
		/* Inode before withdrawal: a second cut replays the same image again. */
		pm_fence(fs);
		ext4_say(fs, "inode %u: finished an update that was cut off", (unsigned)ino);
	}
	pm_set64(fs, &redo->commit, 0);
	pm_fence(fs);
}

void ext4_redo(struct ext4_fs *fs, struct ext4_redo_kept *kept)
{
	keep(fs, kept);
	redo_one(fs);
	redo_pair(fs);
}
