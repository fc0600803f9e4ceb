/* SPDX-License-Identifier: MIT */
/*
 * Repair: inodes without a name.
 *
 * Dead ones are given up with their blocks: an inode without links; and, on a device of ours, one
 * that stands on the orphan list (its name was being removed) or holds nothing (it was being made).
 * No cut of ours leaves any other, and fsck would keep it; so does repair, in lost+found under
 * its number.  What a lost directory holds keeps its name below that directory.
 * On a device of another system a lost inode is a loss, and the mount is refused.
 */
#include "dax/ext4/internal.h"

#define LOST_ROOM 24u /* bytes of an entry "#4294967295~99" */

static uint8_t *flags_of(struct repair *r, uint32_t ino)
{
	uint32_t g = (ino - 1) / r->fs->inodes_per_group;

	if (!r->flags[g])
		r->flags[g] = calloc(r->fs->inodes_per_group, 1);
	return r->flags[g] ? &r->flags[g][(ino - 1) % r->fs->inodes_per_group] : NULL;
}

static int no_memory(struct repair *r)
{
	return ext4_fail(r->fs, -ENOMEM, "no memory to look at inodes without a name");
}

/* Follow the orphan list to its end, to a number that is none, or to where it closes a circle. */
static int flag_orphans(struct repair *r)
{
	uint32_t ino = r->fs->sb->s_last_orphan;

	while (ino >= 1 && ino <= r->fs->inodes) {
		uint8_t *flags = flags_of(r, ino);

		if (!flags)
			return no_memory(r);
		if (*flags & REPAIR_ORPHAN)
			break;
		*flags |= REPAIR_ORPHAN;
		ino = ext4_raw(r->fs, ino)->i_dtime;
	}
	return 0;
}

static bool is_dir(const struct ext4_disk_inode *raw)
{
	return (raw->i_mode & EXT4_S_IFMT) == EXT4_S_IFDIR;
}

/* Did the making of this inode get no further than the inode itself? */
static bool holds_nothing(struct repair *r, uint32_t ino)
{
	struct ext4_disk_inode *raw = ext4_raw(r->fs, ino);
	const struct ext4_extent_header *root = ext4_root(raw);
	struct ext4_inode *ip;
	bool empty = false;

	if (!ext4_has_tree(raw) || ext4_raw_xattr(raw) || root->eh_depth)
		return false;
	if ((raw->i_mode & EXT4_S_IFMT) == EXT4_S_IFREG)
		return !root->eh_entries && !ext4_raw_size(raw);
	if (!is_dir(raw) || root->eh_entries != 1 || ext4_iget(r->fs, ino, &ip))
		return false;
	if (ext4_dir_empty(ip, &empty))
		empty = false;
	ext4_iput(ip);
	return empty;
}

static bool is_dead(struct repair *r, uint32_t ino)
{
	uint32_t g = (ino - 1) / r->fs->inodes_per_group;
	uint32_t i = (ino - 1) % r->fs->inodes_per_group;

	if (!ext4_raw(r->fs, ino)->i_links_count)
		return true;
	if (!r->ours)
		return false;
	return (r->flags[g] && (r->flags[g][i] & REPAIR_ORPHAN)) || holds_nothing(r, ino);
}

/* Each inode in use that no name leads to is handed to @fn. */
static int for_each_nameless(struct repair *r, int (*fn)(struct repair *r, uint32_t ino))
{
	struct ext4_fs *fs = r->fs;
	int err = 0;

	for (uint32_t g = 0; !err && g < fs->groups; g++) {
		const uint8_t *map = ext4_block(fs, fs->group[g].inode_bitmap);
		uint32_t used = ext4_itable_used(fs, g);

		for (uint32_t i = 0; !err && i < used; i++) {
			uint32_t ino = g * fs->inodes_per_group + i + 1;
			const struct ext4_disk_inode *raw = ext4_raw(fs, ino);

			if (ino < fs->first_ino || (r->links[g] && r->links[g][i]))
				continue;
			if (raw->i_links_count || (raw->i_mode && bit_test(map, i)))
				err = fn(r, ino);
		}
	}
	return err;
}

/* The type of an entry: the upper bits of a mode, in the order of the format. */
static uint8_t entry_type(const struct ext4_disk_inode *raw)
{
	static const uint8_t type[16] = {[1] = 5,	    [2] = 3,  [4] = EXT4_FT_DIR, [6] = 4,
					 [8] = EXT4_FT_REG, [10] = 7, [12] = 6};

	return type[raw->i_mode >> 12];
}

/* ---- the survey ------------------------------------------------------------------------- */

/* The names in a lost directory: what they lead to need not be named again. */
static int flag_below(struct repair *r, uint32_t ino)
{
	struct ext4_dirent_info info;
	struct ext4_inode *dir;
	uint64_t pos = 0;
	int err;

	if (is_dead(r, ino) || !is_dir(ext4_raw(r->fs, ino)))
		return 0;
	err = ext4_iget(r->fs, ino, &dir);
	if (err)
		return err;
	while ((err = ext4_readdir(dir, &pos, &info)) == 1) {
		uint8_t *flags = flags_of(r, info.ino);

		if (!flags) {
			err = no_memory(r);
			break;
		}
		if (strcmp(info.name, ".") && strcmp(info.name, ".."))
			*flags |= REPAIR_BELOW;
	}
	ext4_iput(dir);
	return err;
}

/* @ino gets a name in lost+found, and is counted as if it had it already. */
static int keep(struct repair *r, uint32_t ino)
{
	uint16_t *links = repair_links(r, ino), *parent = repair_links(r, r->lost_found);
	uint32_t *lost;

	if (r->n_lost == r->lost_room) {
		r->lost_room = r->lost_room ? 2 * r->lost_room : 64;
		lost = realloc(r->lost, r->lost_room * sizeof(*lost));
		if (!lost)
			return no_memory(r);
		r->lost = lost;
	}
	if (!links || !parent)
		return no_memory(r);
	if (!entry_type(ext4_raw(r->fs, ino)))
		return ext4_fail(r->fs, -EIO,
				 "inode %u has links and no type; run `e2fsck -fy IMAGE`",
				 (unsigned)ino);
	r->lost[r->n_lost++] = ino;
	*links = is_dir(ext4_raw(r->fs, ino)) ? 2 : 1;
	if (is_dir(ext4_raw(r->fs, ino)))
		(*parent)++;
	return repair_first_name(r, ino, r->lost_found);
}

static int find_lost_found(struct repair *r)
{
	struct ext4_inode *root;
	struct ext4_slot slot;
	int err = ext4_iget(r->fs, EXT4_ROOT_INO, &root);

	if (err)
		return err;
	err = ext4_dir_find(root, "lost+found", &slot);
	if (!err && slot.de->inode >= r->fs->first_ino && is_dir(ext4_raw(r->fs, slot.de->inode)) &&
	    ext4_raw(r->fs, slot.de->inode)->i_links_count)
		r->lost_found = slot.de->inode;
	ext4_iput(root);
	return err == -ENOENT ? 0 : err;
}

/* An inode that is lost: kept, if there is a place and nothing below another lost one. */
static int lose(struct repair *r, uint32_t ino)
{
	const uint8_t *flags = flags_of(r, ino);

	if (is_dead(r, ino))
		return 0;
	repair_loss(r, "inode %u has no name", (unsigned)ino);
	if (!r->ours)
		return 0; /* refused in any case */
	if (!r->lost_found)
		return ext4_fail(r->fs, -EIO,
				 "inode %u has no name, and there is no /lost+found to keep it in; "
				 "run `e2fsck -fy IMAGE`",
				 (unsigned)ino);
	return flags && (*flags & REPAIR_BELOW) ? 0 : keep(r, ino);
}

/* What is still without a name lies in a circle of directories that hold each other. */
static int lose_circle(struct repair *r, uint32_t ino)
{
	if (is_dead(r, ino) || !r->ours)
		return 0;
	return ext4_fail(r->fs, -EIO,
			 "inode %u is reached from itself only; run `e2fsck -fy IMAGE`",
			 (unsigned)ino);
}

/* How many names of lost inodes fit lost+found as it is? */
static int lost_rooms(struct repair *r, uint32_t *rooms)
{
	struct ext4_inode *dir;
	uint8_t *block;
	int err = ext4_iget(r->fs, r->lost_found, &dir);

	*rooms = 0;
	if (err)
		return err;
	for (uint64_t lblk = 0; !err && lblk < dir->size / EXT4_BLOCK_SIZE; lblk++) {
		struct ext4_dirent *de;

		err = ext4_dir_block(dir, lblk, &block);
		for (uint32_t off = 0; !err && off < EXT4_BLOCK_SIZE; off += de->rec_len) {
			de = ext4_dirent_at(dir, block, off);
			if (!de) {
				err = -EIO;
				break;
			}
			*rooms += (de->rec_len - (de->inode ? ext4_entry_size(de->name_len) : 0)) /
				  LOST_ROOM;
		}
	}
	ext4_iput(dir);
	return err;
}

static int check_rooms(struct repair *r)
{
	uint32_t rooms;
	int err = r->n_lost ? lost_rooms(r, &rooms) : 0;

	if (err || !r->n_lost || rooms >= r->n_lost)
		return err;
	return ext4_fail(r->fs, -EIO,
			 "%u inodes have no name, /lost+found has room for %u; run `e2fsck -fy "
			 "IMAGE` on the host",
			 (unsigned)r->n_lost, (unsigned)rooms);
}

/* Step 2. */
int repair_find_lost(struct repair *r)
{
	int err = flag_orphans(r);

	if (!err)
		err = find_lost_found(r);
	if (!err)
		err = for_each_nameless(r, flag_below);
	if (!err)
		err = for_each_nameless(r, lose);
	if (!err)
		err = repair_read_queue(r);
	if (!err)
		err = for_each_nameless(r, lose_circle);
	return err ? err : check_rooms(r);
}

/* ---- the mending ------------------------------------------------------------------------ */

/* Its link count and time of deletion say from now on that it is free. */
static int forget(struct repair *r, uint32_t ino)
{
	struct ext4_disk_inode *raw = ext4_raw(r->fs, ino);

	ext4_say(r->fs, "inode %u: has no name, freed with its blocks", (unsigned)ino);
	raw->i_dtime = ext4_now(r->fs);
	raw->i_links_count = 0;
	pm_wb(r->fs, raw, sizeof(*raw));
	return 0;
}

/* Step 3. */
int repair_forget_dead(struct repair *r)
{
	int err = for_each_nameless(r, forget);

	if (r->fs->sb->s_last_orphan) {
		ext4_say(r->fs, "orphan list emptied");
		pm_set32(r->fs, &r->fs->sb->s_last_orphan, 0);
	}
	/* Inodes before bitmaps, else a cut here shows a free inode that has links. */
	pm_fence(r->fs);
	return err;
}

static int name_one(struct repair *r, struct ext4_inode *dir, uint32_t ino)
{
	struct ext4_slot slot;
	char name[20];
	int err = 0;

	for (unsigned n = 0; !err && n < 100; n++) {
		snprintf(name, sizeof(name), n ? "#%u~%u" : "#%u", (unsigned)ino, n);
		err = ext4_dir_find(dir, name, &slot);
	}
	if (err != -ENOENT)
		return err ? err : ext4_fail(r->fs, -EEXIST, "/lost+found has '%s' already", name);
	ext4_say(r->fs, "inode %u: has no name, kept as /lost+found/%s", (unsigned)ino, name);
	return ext4_dir_add(dir, name, ino, entry_type(ext4_raw(r->fs, ino)));
}

/* Step 5.  They are walked and counted with all other names afterwards. */
int repair_name_lost(struct repair *r)
{
	struct ext4_inode *dir;
	int err;

	if (!r->n_lost)
		return 0;
	err = ext4_iget(r->fs, r->lost_found, &dir);
	if (err)
		return err;
	for (uint32_t i = 0; !err && i < r->n_lost; i++)
		err = name_one(r, dir, r->lost[i]);
	ext4_iput(dir);
	return err;
}
