/* SPDX-License-Identifier: MIT */
/*
 * Which ext4 features pass, and what is said about the others.
 *
 * A feature is a bit in one of three words; a driver that does not know a bit must not write
 * (ro_compat) or not even read (incompat).  Known compatible bits may be ignored, but we refuse
 * those whose meaning our repair would break.  Every refusal names the feature and the command
 * that makes an image which passes.
 */
#include "dax/ext4/priv.h"

#define MKFS                                                                                       \
	"`mkfs.ext4 -b 4096 -I 256 -O none,filetype,extent,sparse_super,large_file,extra_isize`"

enum { COMPAT, INCOMPAT, RO_COMPAT };
enum { TUNE2FS, E2FSCK, MKFS_ONLY }; /* what turns it off in an existing image */

struct feature {
	uint8_t word;
	uint8_t cure;
	uint32_t bit;
	const char *name;
	const char *because;
};

#define COMPAT_OK   (COMPAT_EXT_ATTR | COMPAT_RESIZE_INODE | COMPAT_DIR_INDEX | COMPAT_DIR_PREALLOC)
#define INCOMPAT_OK (INCOMPAT_FILETYPE | INCOMPAT_EXTENTS | INCOMPAT_64BIT | INCOMPAT_FLEX_BG)
#define RO_OK                                                                                      \
	(RO_SPARSE_SUPER | RO_LARGE_FILE | RO_HUGE_FILE | RO_GDT_CSUM | RO_DIR_NLINK |             \
	 RO_EXTRA_ISIZE)

static const struct feature table[] = {
	{INCOMPAT, E2FSCK, INCOMPAT_RECOVER, "needs_recovery", "the journal must be replayed"},
	{COMPAT, TUNE2FS, COMPAT_HAS_JOURNAL, "has_journal", "holdfast keeps no journal"},
	{COMPAT, MKFS_ONLY, COMPAT_IMAGIC, "imagic_inodes", "AFS inodes are not known here"},
	{COMPAT, MKFS_ONLY, COMPAT_SPARSE_SUPER2, "sparse_super2", "backups lie elsewhere"},
	{COMPAT, MKFS_ONLY, COMPAT_FAST_COMMIT, "fast_commit", "holdfast keeps no journal"},
	{COMPAT, MKFS_ONLY, COMPAT_STABLE_INODES, "stable_inodes", "it serves encryption only"},
	{COMPAT, TUNE2FS, COMPAT_ORPHAN_FILE, "orphan_file", "orphans are kept in the list"},
	{INCOMPAT, MKFS_ONLY, INCOMPAT_COMPRESSION, "compression", "data is mapped as it lies"},
	{INCOMPAT, MKFS_ONLY, INCOMPAT_JOURNAL_DEV, "journal_dev", "this is only a journal"},
	{INCOMPAT, MKFS_ONLY, INCOMPAT_META_BG, "meta_bg", "descriptors lie elsewhere"},
	{INCOMPAT, TUNE2FS, INCOMPAT_MMP, "mmp", "one machine mounts a DIMM"},
	{INCOMPAT, MKFS_ONLY, INCOMPAT_EA_INODE, "ea_inode", "attributes own no inodes here"},
	{INCOMPAT, MKFS_ONLY, INCOMPAT_DIRDATA, "dirdata", "entries hold names only"},
	{INCOMPAT, TUNE2FS, INCOMPAT_CSUM_SEED, "metadata_csum_seed", "metadata has no checksums"},
	{INCOMPAT, MKFS_ONLY, INCOMPAT_LARGEDIR, "large_dir", "directories stay below 2 GiB"},
	{INCOMPAT, MKFS_ONLY, INCOMPAT_INLINE_DATA, "inline_data", "data must fill whole pages"},
	{INCOMPAT, MKFS_ONLY, INCOMPAT_ENCRYPT, "encrypt", "data is mapped as it lies"},
	{INCOMPAT, MKFS_ONLY, INCOMPAT_CASEFOLD, "casefold", "names are compared byte by byte"},
	{RO_COMPAT, MKFS_ONLY, RO_BTREE_DIR, "btree_dir", "no such directories exist"},
	{RO_COMPAT, MKFS_ONLY, RO_HAS_SNAPSHOT, "has_snapshot", "blocks have one owner"},
	{RO_COMPAT, TUNE2FS, RO_QUOTA, "quota", "usage is not accounted by owner"},
	{RO_COMPAT, MKFS_ONLY, RO_BIGALLOC, "bigalloc", "blocks are allocated one by one"},
	{RO_COMPAT, TUNE2FS, RO_METADATA_CSUM, "metadata_csum",
	 "in-place updates keep no checksums"},
	{RO_COMPAT, MKFS_ONLY, RO_REPLICA, "replica", "there is one copy"},
	{RO_COMPAT, TUNE2FS, RO_READONLY, "read-only", "the image asks never to be written"},
	{RO_COMPAT, TUNE2FS, RO_PROJECT, "project", "usage is not accounted by project"},
	{RO_COMPAT, MKFS_ONLY, RO_SHARED_BLOCKS, "shared_blocks", "blocks have one owner"},
	{RO_COMPAT, MKFS_ONLY, RO_VERITY, "verity", "data is mapped without being verified"},
	{RO_COMPAT, E2FSCK, RO_ORPHAN_PRESENT, "orphan_present", "orphans are kept in the list"},
};

static const char *const words[] = {"compat", "incompat", "ro_compat"};

static int refuse(struct ext4_fs *fs, const struct feature *f)
{
	if (f->cure == TUNE2FS)
		return ext4_fail(fs, -EOPNOTSUPP,
				 "feature %s: %s; run `tune2fs -O ^%s IMAGE` or " MKFS, f->name,
				 f->because, f->name);
	if (f->cure == E2FSCK)
		return ext4_fail(fs, -EOPNOTSUPP, "feature %s: %s; run `e2fsck -fy IMAGE` or " MKFS,
				 f->name, f->because);
	return ext4_fail(fs, -EOPNOTSUPP,
			 "feature %s: %s; tune2fs cannot remove it, make the image with " MKFS,
			 f->name, f->because);
}

/*
 * Refuse the first feature that is not supported, known ones by name.  needs_recovery is the
 * table's first row: while it is set tune2fs refuses to drop the journal.
 */
int ext4_check_features(struct ext4_fs *fs)
{
	const uint32_t have[] = {fs->sb->s_feature_compat, fs->sb->s_feature_incompat,
				 fs->sb->s_feature_ro_compat};
	const uint32_t ok[] = {COMPAT_OK, INCOMPAT_OK, RO_OK};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (have[table[i].word] & table[i].bit)
			return refuse(fs, &table[i]);
	for (int w = COMPAT; w <= RO_COMPAT; w++)
		if (have[w] & ~ok[w])
			return ext4_fail(fs, -EOPNOTSUPP,
					 "unknown %s feature bits %#x; make the image with " MKFS,
					 words[w], (unsigned)(have[w] & ~ok[w]));
	if (!(have[INCOMPAT] & INCOMPAT_EXTENTS))
		return ext4_fail(fs, -EOPNOTSUPP,
				 "feature extent is missing: files are mapped by extents only; "
				 "make the image with " MKFS);
	if (!(have[INCOMPAT] & INCOMPAT_FILETYPE))
		return ext4_fail(fs, -EOPNOTSUPP,
				 "feature filetype is missing: entries must name their type; "
				 "make the image with " MKFS);
	return 0;
}

bool ext4_has(const struct ext4_fs *fs, uint32_t ro_compat)
{
	return fs->sb->s_feature_ro_compat & ro_compat;
}
