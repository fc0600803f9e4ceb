/* SPDX-License-Identifier: MIT */
/*
 * Repair: the tree of names, walked by the survey and by the mending.
 *
 * Breadth first from the root.  An inode is looked at, or mended, when its first name is found; a
 * directory is then queued.  The mending drops a name whose inode is free or reserved, and the
 * second name of a directory (a rename that was cut off); ".." is set to the directory that
 * keeps the name.  Each directory is read once, so loops end by themselves.  Both walks meet the
 * same names in the same order, so they decide alike.
 */
#include "dax/ext4/internal.h"

static int enqueue(struct repair *r, uint32_t ino, uint32_t parent)
{
	if (r->queued == r->room) {
		uint32_t room = r->room ? 2 * r->room : 64;
		struct repair_dir *queue = realloc(r->queue, room * sizeof(*queue));

		if (!queue)
			return ext4_fail(r->fs, -ENOMEM, "no memory to repair %u directories",
					 (unsigned)room);
		r->queue = queue;
		r->room = room;
	}
	r->queue[r->queued++] = (struct repair_dir){ino, parent};
	return 0;
}

static bool is_dir(const struct ext4_fs *fs, uint32_t ino)
{
	return (ext4_raw(fs, ino)->i_mode & EXT4_S_IFMT) == EXT4_S_IFDIR;
}

/* The first name of @ino, in @parent: mend it, count it, queue it if it is a directory. */
int repair_first_name(struct repair *r, uint32_t ino, uint32_t parent)
{
	int err = repair_inode(r, ino);

	if (err)
		return err;
	if (!is_dir(r->fs, ino)) {
		r->n_files++;
		return 0;
	}
	r->n_dirs++;
	r->dirs[(ino - 1) / r->fs->inodes_per_group]++;
	return enqueue(r, ino, parent);
}

/* Why the name must go, or NULL. */
static const char *bad_name(struct repair *r, uint32_t ino, const uint16_t *links)
{
	const struct ext4_disk_inode *raw = ext4_raw(r->fs, ino);

	if (ino < r->fs->first_ino)
		return "names a reserved inode";
	if (!raw->i_mode || !raw->i_links_count)
		return "names a free inode";
	if (*links && is_dir(r->fs, ino))
		return "is the second name of a directory";
	return NULL;
}

static void set_dotdot(struct repair *r, uint32_t dir, struct ext4_dirent *de, uint32_t parent)
{
	if (de->inode == parent || !r->mending)
		return;
	ext4_say(r->fs, "directory %u: its '..' is directory %u", (unsigned)dir, (unsigned)parent);
	pm_set32(r->fs, &de->inode, parent);
}

static void drop_name(struct repair *r, struct ext4_inode *dir, struct ext4_slot *slot,
		      const char *why)
{
	if (!r->mending) {
		repair_loss(r, "a name in directory %u %s", (unsigned)dir->ino, why);
		return;
	}
	ext4_say(r->fs, "directory %u: dropped '%.*s', it %s (%u)", (unsigned)dir->ino,
		 slot->de->name_len, slot->de->name, why, (unsigned)slot->de->inode);
	ext4_dir_remove(dir, slot);
}

/* One entry that is not "." or "..": count the link it is, or drop it. */
static int visit(struct repair *r, struct ext4_inode *dir, struct ext4_slot *slot)
{
	uint32_t ino = slot->de->inode;
	uint16_t *links = repair_links(r, ino), *parent = repair_links(r, dir->ino);
	const char *why;
	int err = 0;

	if (!links || !parent)
		return ext4_fail(r->fs, -ENOMEM, "no memory to repair inode %u", (unsigned)ino);
	why = bad_name(r, ino, links);
	if (why) {
		drop_name(r, dir, slot, why);
		return 0;
	}
	if (!*links)
		err = repair_first_name(r, ino, dir->ino);
	if (is_dir(r->fs, ino)) {
		*links = 2;	/* its name and its "." */
		links = parent; /* and its ".." */
	}
	if (*links < UINT16_MAX)
		(*links)++;
	return err;
}

static bool named(const struct ext4_dirent *de, const char *name)
{
	return de->inode && de->name_len == strlen(name) && !memcmp(de->name, name, de->name_len);
}

static int read_block(struct repair *r, struct ext4_inode *dir, uint64_t lblk, uint32_t parent)
{
	struct ext4_slot slot = {.lblk = lblk};
	uint8_t *block;
	int err = ext4_dir_block(dir, lblk, &block);

	for (uint32_t off = 0; !err && block && off < EXT4_BLOCK_SIZE; off += slot.de->rec_len) {
		slot.de = ext4_dirent_at(dir, block, off);
		if (!slot.de)
			return -EIO;
		if (named(slot.de, ".."))
			set_dotdot(r, dir->ino, slot.de, parent);
		else if (slot.de->inode && !named(slot.de, "."))
			err = visit(r, dir, &slot);
	}
	return err;
}

static int read_dir(struct repair *r, const struct repair_dir *d)
{
	struct ext4_inode *dir;
	int err = ext4_iget(r->fs, d->ino, &dir);

	if (err)
		return err;
	for (uint64_t lblk = 0; !err && lblk < dir->size / EXT4_BLOCK_SIZE; lblk++)
		err = read_block(r, dir, lblk, d->parent);
	ext4_iput(dir);
	return err;
}

int repair_read_queue(struct repair *r)
{
	int err = 0;

	while (!err && r->read < r->queued) {
		const struct repair_dir d = r->queue[r->read++]; /* the queue moves as it grows */

		err = read_dir(r, &d);
	}
	return err;
}

/* Every inode that has a name is looked at, or mended, and its links are counted. */
int repair_names(struct repair *r)
{
	uint16_t *links = repair_links(r, EXT4_ROOT_INO);
	int err;

	if (!links)
		return ext4_fail(r->fs, -ENOMEM, "no memory to repair the root");
	*links = 2;
	err = repair_first_name(r, EXT4_ROOT_INO, EXT4_ROOT_INO);
	return err ? err : repair_read_queue(r);
}
