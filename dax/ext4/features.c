/* SPDX-License-Identifier: MIT */
/*
 * Which ext4 features pass, and what is said about the others.
 *
 * A feature is a bit in one of three words; a driver that does not know a bit must not write
 * (ro_compat) or not even read (incompat).  Known compatible bits may be ignored, but we refuse
 * those whose meaning our repair would break.  Every refusal names the feature and the command
 * that makes an image which passes.  Of several obstacles all are named, those that no tool takes
 * out of an existing image first, and one command takes out the others.
 */
#include "dax/ext4/internal.h"

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
	{COMPAT, TUNE2FS, COMPAT_FAST_COMMIT, "fast_commit", "holdfast keeps no journal"},
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

static int lacks(struct ext4_fs *fs, const struct feature *f)
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

/* What stands in the way of a mount, by the cure it has. */
struct obstacles {
	unsigned n, incurable;
	const struct feature *one; /* of the table, if it is the only one */
	bool fsck;		   /* the journal is to be replayed first */
	char names[2][110];	   /* [0]: incurable, [1]: curable */
	char tune[150];		   /* the command, without its end */
};

static void add_word(char *list, size_t n, const char *separator, const char *word)
{
	size_t have = strlen(list);

	snprintf(list + have, n - have, "%s%s", have ? separator : "", word);
}

static void add(struct obstacles *o, const char *name, bool curable)
{
	o->n++;
	o->incurable += !curable;
	add_word(o->names[curable], sizeof(o->names[curable]), ", ", name);
}

static void add_feature(struct obstacles *o, const struct feature *f)
{
	add(o, f->name, f->cure != MKFS_ONLY);
	o->one = f;
	o->fsck |= f->cure == E2FSCK;
	if (f->cure == TUNE2FS && !o->tune[0])
		snprintf(o->tune, sizeof(o->tune), "`tune2fs -O ^%s", f->name);
	else if (f->cure == TUNE2FS)
		add_word(o->tune, sizeof(o->tune), ",^", f->name);
}

/* Sizes and missing features: geometry.c and refuse_missing have a sentence each, if it is all. */
static void find_others(const struct ext4_fs *fs, struct obstacles *o)
{
	const struct ext4_super *sb = fs->sb;

	if (sb->s_log_block_size < 2)
		add(o, sb->s_log_block_size ? "blocks of 2048 bytes" : "blocks of 1024 bytes",
		    false);
	else if (sb->s_log_block_size > 2)
		add(o, "a block size beyond 4096 bytes", false);
	if (sb->s_inode_size != 128 && sb->s_inode_size != 256)
		add(o, "an inode size other than 256 bytes", false);
	if (!(sb->s_feature_incompat & INCOMPAT_EXTENTS))
		add(o, "no feature extent", false);
	if (!(sb->s_feature_incompat & INCOMPAT_FILETYPE))
		add(o, "no feature filetype", false);
}

static int refuse_all(struct ext4_fs *fs, const struct obstacles *o)
{
	if (o->incurable)
		return ext4_fail(fs, -EOPNOTSUPP,
				 "%u obstacles; no tool removes: %s%s%s; make the image with " MKFS,
				 o->n, o->names[0], o->names[1][0] ? "; tune2fs could: " : "",
				 o->names[1]);
	return ext4_fail(
		fs, -EOPNOTSUPP, "features %s: holdfast writes none of them; run %s%s%s%s or " MKFS,
		o->names[1], o->fsck ? "`e2fsck -fy IMAGE`" : "",
		o->fsck && o->tune[0] ? ", then " : "", o->tune, o->tune[0] ? " IMAGE`" : "");
}

static int refuse_missing(struct ext4_fs *fs)
{
	uint32_t have = fs->sb->s_feature_incompat;

	if (!(have & INCOMPAT_EXTENTS))
		return ext4_fail(fs, -EOPNOTSUPP,
				 "feature extent is missing: files are mapped by extents only; "
				 "make the image with " MKFS);
	if (!(have & INCOMPAT_FILETYPE))
		return ext4_fail(fs, -EOPNOTSUPP,
				 "feature filetype is missing: entries must name their type; "
				 "make the image with " MKFS);
	return 0;
}

int ext4_check_features(struct ext4_fs *fs)
{
	const uint32_t have[] = {fs->sb->s_feature_compat, fs->sb->s_feature_incompat,
				 fs->sb->s_feature_ro_compat};
	const uint32_t ok[] = {COMPAT_OK, INCOMPAT_OK, RO_OK};
	struct obstacles o = {0};
	uint32_t known[3] = {COMPAT_OK, INCOMPAT_OK, RO_OK};
	int unknown = -1;

	find_others(fs, &o);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		known[table[i].word] |= table[i].bit;
		if (have[table[i].word] & table[i].bit)
			add_feature(&o, &table[i]);
	}
	for (int w = COMPAT; w <= RO_COMPAT; w++)
		if (have[w] & ~known[w]) {
			unknown = w;
			add(&o, "features that are not known", false);
		}
	if (o.n > 1)
		return refuse_all(fs, &o);
	if (o.one)
		return lacks(fs, o.one);
	if (unknown >= 0)
		return ext4_fail(fs, -EOPNOTSUPP,
				 "unknown %s feature bits %#x; make the image with " MKFS,
				 words[unknown], (unsigned)(have[unknown] & ~ok[unknown]));
	return refuse_missing(fs);
}

bool ext4_has(const struct ext4_fs *fs, uint32_t ro_compat)
{
	return fs->sb->s_feature_ro_compat & ro_compat;
}
