/* SPDX-License-Identifier: MIT */
/*
 * Changing a directory: one entry, one small store.
 *
 *   add into free space    name and type, fence, then the inode number (4 bytes)
 *   add into slack         the new entry behind the old one's name, fence, then the old one's
 *                          rec_len (2 bytes) shrinks and uncovers it
 *   add a block            the block with its entry, linked behind the end, then the size
 *   remove                 the entry before grows over it (2 bytes), or its inode becomes 0
 *
 * A cut shows the name or not, never a part of it.  A hash index would go stale: its flag is
 * cleared, durably, before the first change of a directory, which is read linearly ever after.
 */
#include "dax/ext4/internal.h"

uint32_t ext4_entry_size(uint32_t name_len)
{
	return (EXT4_DIRENT_HEAD + name_len + 3u) & ~3u;
}

static void unindex(struct ext4_inode *dir)
{
	if (!(dir->raw->i_flags & EXT4_INDEX_FL))
		return;
	pm_set32(dir->fs, &dir->raw->i_flags, dir->raw->i_flags & ~EXT4_INDEX_FL);
	/* Flag before change, else a cut leaves an index that misses (or invents) the name. */
	pm_fence(dir->fs);
}

struct new_entry {
	const char *name;
	uint32_t ino;
	uint8_t type;
	uint8_t len;
};

static void put(struct ext4_dirent *de, uint32_t rec_len, const struct new_entry *e, uint32_t ino)
{
	de->inode = ino;
	de->rec_len = (uint16_t)rec_len;
	de->name_len = e->len;
	de->file_type = e->type;
	memcpy(de->name, e->name, e->len);
}

/* Use the entry @de, free or with slack, which is large enough: the new entry. */
static struct ext4_dirent *use_entry(struct ext4_inode *dir, struct ext4_dirent *de,
				     const struct new_entry *e)
{
	struct ext4_fs *fs = dir->fs;
	uint32_t need = ext4_entry_size(e->len), used = ext4_entry_size(de->name_len);
	struct ext4_dirent *fresh;

	/* LAB 12 entry: a name comes, by one small store */
	if (!de->inode) {
		put(de, de->rec_len, e, 0);
		pm_wb(fs, de, need);
		/* Name before number, else a cut shows the old name with the new inode. */
		pm_fence(fs);
		pm_set32(fs, &de->inode, e->ino);
		pm_fence(fs);
		return de;
	}
	fresh = (struct ext4_dirent *)(void *)((uint8_t *)de + used);
	put(fresh, de->rec_len - used, e, e->ino);
	pm_wb(fs, fresh, need);
	/* Entry before the length that uncovers it, else a cut shows garbage as an entry. */
	pm_fence(fs);
	pm_set16(fs, &de->rec_len, (uint16_t)used);
	pm_fence(fs);
	return fresh;
	/* END */
}

/* A new block at the end with this one entry. */
static int add_block(struct ext4_inode *dir, const struct new_entry *e)
{
	struct ext4_fs *fs = dir->fs;
	uint64_t lblk = dir->size / EXT4_BLOCK_SIZE, pblk;
	struct ext4_map map;
	uint32_t got;
	int err = ext4_lookup_extent(dir, lblk, &map);

	if (!err && map.state != EXT4_HOLE)
		return ext4_fail(fs, -EIO,
				 "directory %u: blocks behind its end; run `e2fsck -fy IMAGE`",
				 (unsigned)dir->ino);
	if (!err && dir->size + EXT4_BLOCK_SIZE > INT32_MAX)
		return ext4_fail(fs, -ENOSPC, "directory %u has reached 2 GiB", (unsigned)dir->ino);
	if (!err)
		err = ext4_balloc(fs, ext4_goal(dir, lblk), 1, 0, &pblk, &got);
	if (err)
		return err;
	memset(ext4_block(fs, pblk), 0, EXT4_BLOCK_SIZE);
	put(ext4_block(fs, pblk), EXT4_BLOCK_SIZE, e, e->ino);
	pm_wb(fs, ext4_block(fs, pblk), EXT4_BLOCK_SIZE);
	err = ext4_insert(dir, (uint32_t)lblk, pblk, 1, false);
	if (err) {
		ext4_bfree(fs, pblk, 1);
		return err;
	}
	/* The commit: the block is durable and linked, now the directory reaches it. */
	ext4_store_size(dir, dir->size + EXT4_BLOCK_SIZE);
	return 0;
}

/* Look for a place in block @lblk: 1, it has one; 0, it has none; -EIO. */
static int use_block(struct ext4_inode *dir, uint64_t lblk, const struct new_entry *e)
{
	struct ext4_slot slot = {.lblk = lblk};
	uint32_t room = 0, gap;
	uint8_t *block;
	int err = ext4_dir_block(dir, lblk, &block);

	for (uint32_t off = 0; !err && off < EXT4_BLOCK_SIZE; off += slot.de->rec_len) {
		slot.de = ext4_dirent_at(dir, block, off);
		if (!slot.de)
			return -EIO;
		gap = slot.de->rec_len;
		if (slot.de->inode)
			gap -= ext4_entry_size(slot.de->name_len);
		if (gap >= ext4_entry_size(e->len)) {
			slot.de = use_entry(dir, slot.de, e);
			ext4_names_added(dir, &slot);
			return 1;
		}
		room = gap > room ? gap : room;
	}
	if (!err)
		ext4_names_full(dir, lblk, room);
	return err;
}

/*
 * Add @name, which is not there yet.  Every way fences before its one small store, so what
 * the caller wrote back (the inode) is durable before the name.  -ENOSPC: nothing changed.
 */
int ext4_dir_add(struct ext4_inode *dir, const char *name, uint32_t ino, uint8_t type)
{
	const struct new_entry e = {name, ino, type, (uint8_t)strlen(name)};
	const uint32_t need = ext4_entry_size(e.len);
	uint64_t blocks = dir->size / EXT4_BLOCK_SIZE, lblk;
	int used = 0;

	unindex(dir);
	for (lblk = ext4_names_room(dir, 0, need); !used && lblk < blocks;
	     lblk = ext4_names_room(dir, lblk + 1, need))
		used = use_block(dir, lblk, &e);
	if (used)
		return used < 0 ? used : 0;
	return add_block(dir, &e);
}

/* The entry before @slot's in the same block; NULL for the first. */
static struct ext4_dirent *entry_before(struct ext4_inode *dir, const struct ext4_slot *slot)
{
	uint32_t end = (uint32_t)((uintptr_t)slot->de % EXT4_BLOCK_SIZE), off = 0;
	struct ext4_dirent *de = NULL;

	while (off < end) {
		de = ext4_dirent_at(dir, (uint8_t *)slot->de - end, off);
		if (!de)
			return NULL; /* damaged: the name goes alone */
		off += de->rec_len;
	}
	return off == end ? de : NULL;
}

/* Remove the entry that ext4_dir_find found; durable on return. */
void ext4_dir_remove(struct ext4_inode *dir, const struct ext4_slot *slot)
{
	struct ext4_dirent *prev = entry_before(dir, slot);
	struct ext4_fs *fs = dir->fs;

	unindex(dir);
	ext4_names_removed(dir, slot);
	if (prev)
		pm_set16(fs, &prev->rec_len, (uint16_t)(prev->rec_len + slot->de->rec_len));
	else
		pm_set32(fs, &slot->de->inode, 0);
	/* The name is gone before the inode loses its link, else a cut names a free inode. */
	pm_fence(fs);
}
