/* SPDX-License-Identifier: MIT */
/*
 * Files without a name: the orphan list, and how their blocks go.
 *
 * An unlinked file that is still held keeps its blocks.  It stands on a list on the device:
 * s_last_orphan names the first, each one's i_dtime names the next.  It gets on the list before
 * its name goes, so that no cut leaves it without either; repair (or e2fsck) frees what it finds
 * there.  The last ext4_iput hands the inode to its caller, who lets devices finish or marks
 * pages busy, and then calls ext4_evict.
 */
#include "dax/ext4/internal.h"

/* Put @ip first on the list. */
void ext4_orphan_add(struct ext4_inode *ip)
{
	struct ext4_fs *fs = ip->fs;

	pm_set32(fs, &ip->raw->i_dtime, fs->sb->s_last_orphan);
	/* Next before head, else a cut loses the rest of the list. */
	pm_fence(fs);
	pm_set32(fs, &fs->sb->s_last_orphan, ip->ino);
	pm_fence(fs);
}

/* Take @ip off the list; a chain that is broken or endless is left to repair. */
static void orphan_del(struct ext4_inode *ip)
{
	struct ext4_fs *fs = ip->fs;
	uint32_t *link = &fs->sb->s_last_orphan;

	for (uint32_t i = 0; i < fs->inodes && *link != ip->ino; i++) {
		if (*link < 1 || *link > fs->inodes)
			return;
		link = &ext4_raw(fs, *link)->i_dtime;
	}
	if (*link != ip->ino)
		return;
	pm_set32(fs, link, ip->raw->i_dtime);
	/* Off the list before i_dtime becomes a time, else a cut reads the time as an inode. */
	pm_fence(fs);
}

/*
 * An attribute block may be shared by several inodes and counts them.  What does not look like one
 * belongs to somebody else, whatever i_file_acl says: it is not freed, and the damage is kept for
 * fsck.
 */
static void drop_xattr(struct ext4_inode *ip)
{
	struct ext4_fs *fs = ip->fs;
	uint64_t pblk = ext4_raw_xattr(ip->raw);
	struct ext4_xattr_header *h = ext4_attr_header(fs, pblk);

	if (!pblk)
		return;
	if (!h)
		ext4_damage(fs,
			    "inode %u: block %llu, named for its attributes, is no attribute block "
			    "and is not freed; run `e2fsck -fy IMAGE`",
			    (unsigned)ip->ino, (unsigned long long)pblk);
	pm_set32(fs, &ip->raw->i_file_acl_lo, 0);
	pm_set16(fs, &ip->raw->i_file_acl_hi, 0);
	/* Unlinked before freed, as for every block. */
	pm_fence(fs);
	if (h && h->h_refcount > 1)
		pm_set32(fs, &h->h_refcount, h->h_refcount - 1);
	else if (h)
		ext4_bfree(fs, pblk, 1);
	ext4_add_blocks(ip, -1);
}

int ext4_evict(struct ext4_inode *ip)
{
	struct ext4_fs *fs = ip->fs;
	bool dir = (ip->mode & EXT4_S_IFMT) == EXT4_S_IFDIR;
	int err = ext4_begin(fs);

	if (dir)
		ext4_names_forget(fs, ip->ino);
	if (!err && ext4_has_tree(ip->raw))
		err = ext4_drop_blocks(ip, 0, EXT4_TO_END);
	if (!err) {
		drop_xattr(ip);
		orphan_del(ip);
		pm_set32(fs, &ip->raw->i_dtime, ext4_now(fs));
		/* Blocks and list are done before the inode may be taken again. */
		pm_fence(fs);
		ext4_ifree(fs, ip->ino, dir);
		pm_fence(fs);
	}
	fs->dying--;
	ext4_held_free(ip);
	return err;
}
