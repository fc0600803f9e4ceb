/* SPDX-License-Identifier: MIT */
/*
 * Names: walking paths, making and removing files and directories.
 *
 * Making:    inode bit, fence; inode filled in (a directory: with its first block), fence; its
 *            link count, fence; name.
 * Removing:  orphan list, fence; name, fence; link count; the rest at the last ext4_iput.
 * Inode before name, else a cut shows a name without a file; list before name, else it leaves
 * a file without either.  The link count after the rest of the inode, else a cut shows the blocks
 * of the file that had the inode before.  The parent's link count is a counter: repair knows the
 * right one.
 */
#include "dax/ext4/internal.h"

#define LINK_MAX_DIR 65000u

/* Copy the component at *p to @name and move *p behind it.  Returns its length, 0 at the end. */
static int component(struct ext4_fs *fs, const char **p, char *name)
{
	size_t n;

	while (**p == '/')
		(*p)++;
	n = strcspn(*p, "/");
	if (n > EXT4_NAME_MAX)
		return ext4_fail(fs, -ENAMETOOLONG,
				 "a name of the path has %u bytes, up to 255 fit", (unsigned)n);
	memcpy(name, *p, n);
	name[n] = '\0';
	*p += n;
	return (int)n;
}

static bool at_end(const char *p)
{
	return p[strspn(p, "/")] == '\0';
}

/* "name/" is a directory's name only. */
static int only_dir(struct ext4_inode *ip)
{
	if ((ip->mode & EXT4_S_IFMT) == EXT4_S_IFDIR)
		return 0;
	return ext4_fail(ip->fs, -ENOTDIR,
			 "the path ends with '/', and inode %u is not a directory",
			 (unsigned)ip->ino);
}

/* The last component @name of a path that ends with '/': is it a directory, or nothing yet? */
static int check_slash(struct ext4_inode *dir, const char *name)
{
	struct ext4_inode *ip;
	int err = ext4_lookup(dir, name, &ip);

	if (err)
		return err == -ENOENT ? 0 : err;
	err = only_dir(ip);
	ext4_iput(ip);
	return err;
}

/* Walk @path; with @last stop before its last component and copy that. */
static int walk(struct ext4_fs *fs, const char *path, struct ext4_inode **out, char *last)
{
	char name[EXT4_NAME_MAX + 1];
	struct ext4_inode *ip, *next = NULL;
	bool slash = *path && path[strlen(path) - 1] == '/';
	int err, n;

	if (*path != '/')
		return ext4_fail(fs, -EINVAL, "path '%s' does not begin with '/'", path);
	err = ext4_iget(fs, EXT4_ROOT_INO, &ip);
	while (!err && (n = component(fs, &path, name)) != 0) {
		if (n < 0) {
			err = n;
		} else if (last && at_end(path)) {
			strcpy(last, name);
			*out = ip;
			err = slash ? check_slash(ip, name) : 0;
			if (err)
				ext4_iput(ip);
			return err;
		} else {
			err = ext4_lookup(ip, name, &next);
		}
		ext4_iput(ip);
		ip = next;
	}
	if (!err && slash && !last) {
		err = only_dir(ip);
		if (err)
			ext4_iput(ip);
	}
	if (!err && last) {
		ext4_iput(ip);
		return ext4_fail(fs, -EINVAL, "'/' has no name and no parent");
	}
	if (!err)
		*out = ip;
	return err;
}

int ext4_walk(struct ext4_fs *fs, const char *path, struct ext4_inode **ip)
{
	return walk(fs, path, ip, NULL);
}

int ext4_walk_parent(struct ext4_fs *fs, const char *path, struct ext4_inode **dir, char *last)
{
	return walk(fs, path, dir, last);
}

/* Everything that can be refused before a new name is made. */
static int check_new(struct ext4_inode *dir, const char *name)
{
	struct ext4_slot slot;
	int err = ext4_name_check(dir->fs, name);

	if (err)
		return err;
	if (!dir->links)
		return ext4_fail(dir->fs, -ENOENT, "directory %u was removed", (unsigned)dir->ino);
	err = ext4_may(dir, true);
	if (err)
		return err;
	err = ext4_dir_find(dir, name, &slot);
	if (!err)
		return ext4_fail(dir->fs, -EEXIST, "'%s' exists", name);
	return err == -ENOENT ? ext4_begin(dir->fs) : err;
}

/* Fill in a fresh inode with an empty extent tree, and no link yet.  Written back. */
static struct ext4_disk_inode *init_inode(struct ext4_fs *fs, uint32_t ino, uint32_t mode)
{
	struct ext4_disk_inode *raw = ext4_raw(fs, ino);
	struct ext4_disk_extra *more = (struct ext4_disk_extra *)(raw + 1);
	uint32_t generation = raw->i_generation + 1;
	uint16_t extra =
		fs->sb->s_want_extra_isize ? fs->sb->s_want_extra_isize : EXT4_WANT_EXTRA_ISIZE;
	struct ext4_extent_header *root = ext4_root(raw);

	memset(raw, 0, fs->inode_size);
	raw->i_mode = (uint16_t)mode;
	raw->i_flags = EXT4_EXTENTS_FL;
	raw->i_generation = generation;
	root->eh_magic = EXT4_EXT_MAGIC;
	root->eh_max = EXT4_ROOT_MAX;
	if (extra > EXT4_WANT_EXTRA_ISIZE || extra % 4)
		extra = EXT4_WANT_EXTRA_ISIZE;
	if (fs->inode_size > 128 && ext4_has(fs, RO_EXTRA_ISIZE))
		more->i_extra_isize = extra;
	ext4_stamp(fs, raw, EXT4_ATIME | EXT4_CTIME | EXT4_MTIME);
	pm_wb(fs, raw, fs->inode_size);
	return raw;
}

/* The inode becomes one in use; until its name is there the next repair frees it, empty as it is.
 */
static void give_links(struct ext4_fs *fs, uint32_t ino, uint32_t links)
{
	/* All of the inode before its links, else a cut shows what an older file kept there. */
	pm_fence(fs);
	pm_set16(fs, &ext4_raw(fs, ino)->i_links_count, (uint16_t)links);
	/* Inode before name, else a cut names an unwritten inode: ext4_dir_add fences first. */
}

/* An inode nobody reaches goes back: no link before no bit, as for every inode. */
static void undo_inode(struct ext4_fs *fs, uint32_t ino, bool dir)
{
	struct ext4_disk_inode *raw = ext4_raw(fs, ino);

	raw->i_dtime = ext4_now(fs);
	raw->i_links_count = 0;
	pm_wb(fs, raw, sizeof(*raw));
	pm_fence(fs);
	ext4_ifree(fs, ino, dir);
	pm_fence(fs);
}

static int finish_new(struct ext4_inode *dir, uint32_t ino, struct ext4_inode **ip)
{
	ext4_touch(dir);
	pm_fence(dir->fs);
	return ip ? ext4_iget(dir->fs, ino, ip) : 0;
}

int ext4_create(struct ext4_inode *dir, const char *name, uint32_t perm, struct ext4_inode **ip)
{
	struct ext4_fs *fs = dir->fs;
	uint32_t ino;
	int err = check_new(dir, name);

	if (!err)
		err = ext4_ialloc(fs, dir->ino, false, &ino);
	if (err)
		return err;
	/* Bit before inode, else a cut leaves an inode with links that counts as free. */
	pm_fence(fs);
	init_inode(fs, ino, EXT4_S_IFREG | (perm & 07777));
	give_links(fs, ino, 1);
	err = ext4_dir_add(dir, name, ino, EXT4_FT_REG);
	if (err) {
		undo_inode(fs, ino, false);
		return err;
	}
	return finish_new(dir, ino, ip);
}

/* A block with "." and "..", written back. */
static void init_dir_block(struct ext4_fs *fs, uint64_t pblk, uint32_t self, uint32_t parent)
{
	uint8_t *block = ext4_block(fs, pblk);
	struct ext4_dirent *dot = (struct ext4_dirent *)(void *)block;
	struct ext4_dirent *up = (struct ext4_dirent *)(void *)(block + 12);

	memset(block, 0, EXT4_BLOCK_SIZE);
	*dot = (struct ext4_dirent){self, 12, 1, EXT4_FT_DIR};
	memcpy(dot->name, ".", 1);
	*up = (struct ext4_dirent){parent, EXT4_BLOCK_SIZE - 12, 2, EXT4_FT_DIR};
	memcpy(up->name, "..", 2);
	pm_wb(fs, block, EXT4_BLOCK_SIZE);
}

/* The parent gains or loses a subdirectory.  1 means "too many to count" (dir_nlink) and stays. */
static void parent_links(struct ext4_inode *dir, int delta)
{
	uint32_t links = dir->links + (uint32_t)delta;

	if (dir->links == 1 && ext4_has(dir->fs, RO_DIR_NLINK))
		return;
	if (links > LINK_MAX_DIR)
		links = 1;
	ext4_store_links(dir, links);
	pm_fence(dir->fs);
}

static int new_dir(struct ext4_inode *dir, uint32_t perm, uint32_t *ino, uint64_t *pblk)
{
	struct ext4_fs *fs = dir->fs;
	struct ext4_disk_inode *raw;
	struct ext4_extent_header *root;
	uint32_t got;
	int err = ext4_balloc(fs, 0, 1, 0, pblk, &got);

	if (err)
		return err;
	err = ext4_ialloc(fs, dir->ino, true, ino);
	if (err) {
		ext4_bfree(fs, *pblk, 1);
		return err;
	}
	/* Bits before inode, as in ext4_create. */
	pm_fence(fs);
	init_dir_block(fs, *pblk, *ino, dir->ino);
	raw = init_inode(fs, *ino, EXT4_S_IFDIR | (perm & 07777));
	root = ext4_root(raw);
	ext4_recs(root)[0] = ext4_make_extent(0, *pblk, 1, false);
	root->eh_entries = 1;
	raw->i_size_lo = EXT4_BLOCK_SIZE;
	ext4_put_sectors(fs, raw, 8);
	give_links(fs, *ino, 2);
	return 0;
}

int ext4_mkdir(struct ext4_inode *dir, const char *name, uint32_t perm, struct ext4_inode **ip)
{
	struct ext4_fs *fs = dir->fs;
	uint64_t pblk;
	uint32_t ino;
	int err = check_new(dir, name);

	if (!err && dir->links >= LINK_MAX_DIR && !ext4_has(fs, RO_DIR_NLINK))
		err = ext4_fail(fs, -EMLINK,
				"directory %u has 65000 links, the most without the "
				"dir_nlink feature",
				(unsigned)dir->ino);
	if (!err)
		err = new_dir(dir, perm, &ino, &pblk);
	if (err)
		return err;
	err = ext4_dir_add(dir, name, ino, EXT4_FT_DIR);
	if (err) {
		undo_inode(fs, ino, true);
		ext4_bfree(fs, pblk, 1);
		return err;
	}
	parent_links(dir, 1);
	return finish_new(dir, ino, ip);
}

/* The entry and a reference to the inode it names, for the three that remove a name. */
static int find_victim(struct ext4_inode *dir, const char *name, struct ext4_slot *slot,
		       struct ext4_inode **victim)
{
	int err = ext4_name_check(dir->fs, name);

	if (!err)
		err = ext4_dir_find(dir, name, slot);
	if (!err)
		err = ext4_lookup(dir, name, victim);
	if (err)
		return err;
	err = ext4_may_unname(dir, name, *victim);
	if (!err)
		err = ext4_begin(dir->fs);
	if (err)
		ext4_iput(*victim);
	return err;
}

/* The name goes; @links is what the inode has left.  At zero it goes on the orphan list first. */
static void remove_name(struct ext4_inode *dir, struct ext4_slot *slot, struct ext4_inode *victim,
			uint32_t links)
{
	struct ext4_fs *fs = dir->fs;

	/* LAB 12 unname: list, name, links */
	if (!links)
		ext4_orphan_add(victim);
	ext4_dir_remove(dir, slot);
	ext4_store_links(victim, links);
	ext4_stamp(fs, victim->raw, EXT4_CTIME);
	ext4_touch(dir);
	pm_fence(fs);
	/* END */
}

int ext4_unlink(struct ext4_inode *dir, const char *name, struct ext4_inode **victim)
{
	struct ext4_slot slot;
	int err = find_victim(dir, name, &slot, victim);

	if (err)
		return err;
	if (((*victim)->mode & EXT4_S_IFMT) == EXT4_S_IFDIR) {
		ext4_iput(*victim);
		return ext4_fail(dir->fs, -EISDIR, "'%s' is a directory: use rmdir", name);
	}
	remove_name(dir, &slot, *victim, (*victim)->links - 1);
	return 0;
}

int ext4_rmdir(struct ext4_inode *dir, const char *name, struct ext4_inode **victim)
{
	struct ext4_slot slot;
	bool empty;
	int err = find_victim(dir, name, &slot, victim);

	if (err)
		return err;
	if (((*victim)->mode & EXT4_S_IFMT) != EXT4_S_IFDIR)
		err = ext4_fail(dir->fs, -ENOTDIR, "'%s' is not a directory: use unlink", name);
	else if ((*victim)->ino == EXT4_ROOT_INO || (*victim)->ino == dir->ino)
		err = ext4_fail(dir->fs, -EBUSY, "'%s' is the root or its own parent", name);
	else
		err = ext4_dir_empty(*victim, &empty);
	if (!err && !empty)
		err = ext4_fail(dir->fs, -ENOTEMPTY, "directory '%s' is not empty", name);
	if (err) {
		ext4_iput(*victim);
		return err;
	}
	remove_name(dir, &slot, *victim, 0);
	parent_links(dir, -1);
	return 0;
}
