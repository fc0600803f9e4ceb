/* SPDX-License-Identifier: MIT */
/*
 * ext4's layout on the device, as far as Holdfast reads or writes it.  Little-endian, and so
 * are we: fields are used as they lie.  Offsets are asserted below; names follow the public
 * format documentation so that dumpe2fs and debugfs output can be compared line by line.
 */
#ifndef DAX_EXT4_DISK_H
#define DAX_EXT4_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXT4_SUPER_OFFSET 1024u
#define EXT4_SUPER_MAGIC  0xEF53u
#define EXT4_VALID_FS	  0x0001u /* s_state: unmounted cleanly */
#define EXT4_ERROR_FS	  0x0002u /* s_state: errors were found */

#define EXT4_RESIZE_INO	 7u
#define EXT4_BAD_INO	 1u
#define EXT4_JOURNAL_INO 8u

#define COMPAT_DIR_PREALLOC  0x0001u
#define COMPAT_IMAGIC	     0x0002u
#define COMPAT_HAS_JOURNAL   0x0004u
#define COMPAT_EXT_ATTR	     0x0008u
#define COMPAT_RESIZE_INODE  0x0010u
#define COMPAT_DIR_INDEX     0x0020u
#define COMPAT_SPARSE_SUPER2 0x0200u
#define COMPAT_FAST_COMMIT   0x0400u
#define COMPAT_STABLE_INODES 0x0800u
#define COMPAT_ORPHAN_FILE   0x1000u

#define INCOMPAT_COMPRESSION 0x00001u
#define INCOMPAT_FILETYPE    0x00002u
#define INCOMPAT_RECOVER     0x00004u
#define INCOMPAT_JOURNAL_DEV 0x00008u
#define INCOMPAT_META_BG     0x00010u
#define INCOMPAT_EXTENTS     0x00040u
#define INCOMPAT_64BIT	     0x00080u
#define INCOMPAT_MMP	     0x00100u
#define INCOMPAT_FLEX_BG     0x00200u
#define INCOMPAT_EA_INODE    0x00400u
#define INCOMPAT_DIRDATA     0x01000u
#define INCOMPAT_CSUM_SEED   0x02000u
#define INCOMPAT_LARGEDIR    0x04000u
#define INCOMPAT_INLINE_DATA 0x08000u
#define INCOMPAT_ENCRYPT     0x10000u
#define INCOMPAT_CASEFOLD    0x20000u

#define RO_SPARSE_SUPER	  0x00001u
#define RO_LARGE_FILE	  0x00002u
#define RO_BTREE_DIR	  0x00004u
#define RO_HUGE_FILE	  0x00008u
#define RO_GDT_CSUM	  0x00010u
#define RO_DIR_NLINK	  0x00020u
#define RO_EXTRA_ISIZE	  0x00040u
#define RO_HAS_SNAPSHOT	  0x00080u
#define RO_QUOTA	  0x00100u
#define RO_BIGALLOC	  0x00200u
#define RO_METADATA_CSUM  0x00400u
#define RO_REPLICA	  0x00800u
#define RO_READONLY	  0x01000u
#define RO_PROJECT	  0x02000u
#define RO_SHARED_BLOCKS  0x04000u
#define RO_VERITY	  0x08000u
#define RO_ORPHAN_PRESENT 0x10000u

/*
 * The first 128 bytes of an inode; of the other bytes of a 256 byte inode the extra time stamps go
 * with the times, in-inode attributes are zeroed at birth and left alone afterwards.
 */
struct ext4_disk_inode {
	uint16_t i_mode;
	uint16_t i_uid;
	uint32_t i_size_lo;
	uint32_t i_atime;
	uint32_t i_ctime;
	uint32_t i_mtime;
	uint32_t i_dtime; /* time of deletion; next orphan while on the orphan list */
	uint16_t i_gid;
	uint16_t i_links_count;
	uint32_t i_blocks_lo; /* 512-byte units, tree and attribute blocks included */
	uint32_t i_flags;
	uint32_t i_version;
	uint8_t i_block[60]; /* root of the extent tree, or the text of a short symbolic link */
	uint32_t i_generation;
	uint32_t i_file_acl_lo;
	uint32_t i_size_hi;
	uint32_t i_obso_faddr;
	uint16_t i_blocks_hi; /* with huge_file */
	uint16_t i_file_acl_hi;
	uint16_t i_uid_hi;
	uint16_t i_gid_hi;
	uint16_t i_checksum_lo;
	uint16_t i_reserved;
};
_Static_assert(sizeof(struct ext4_disk_inode) == 128, "inode core");
_Static_assert(offsetof(struct ext4_disk_inode, i_block) == 40, "i_block");

/*
 * What follows the core of a larger inode, as far as i_extra_isize reaches.  An extra word
 * continues a time: two bits of epoch (seconds are a signed 32-bit number plus epoch << 32), then
 * nanoseconds.
 */
struct ext4_disk_extra {
	uint16_t i_extra_isize; /* bytes from here on */
	uint16_t i_checksum_hi;
	uint32_t i_ctime_extra;
	uint32_t i_mtime_extra;
	uint32_t i_atime_extra;
	uint32_t i_crtime;
	uint32_t i_crtime_extra;
};
_Static_assert(offsetof(struct ext4_disk_extra, i_crtime_extra) == 20, "i_crtime_extra");
#define EXT4_WANT_EXTRA_ISIZE 32u

#define EXT4_INDEX_FL	  0x00001000u /* directory with a hash index */
#define EXT4_HUGE_FILE_FL 0x00040000u /* i_blocks counts fs blocks, not sectors */
#define EXT4_EXTENTS_FL	  0x00080000u
#define EXT4_IMMUTABLE_FL 0x00000010u
#define EXT4_APPEND_FL	  0x00000020u
#define EXT4_INLINE_FL	  0x10000000u

/* The write-ahead image of one inode core; see redo.c.  Lies in the superblock's reserve. */
struct ext4_redo {
	uint64_t commit; /* crc << 32 | inode number; zero means: nothing to redo */
	struct ext4_disk_inode image;
};

/* The same for two inodes at once, in a block of its own that the superblock names. */
struct ext4_redo_pair {
	uint32_t ino[2];
	struct ext4_disk_inode image[2];
};

struct ext4_super {
	uint32_t s_inodes_count;
	uint32_t s_blocks_count_lo;
	uint32_t s_r_blocks_count_lo;
	uint32_t s_free_blocks_lo;
	uint32_t s_free_inodes;
	uint32_t s_first_data_block;
	uint32_t s_log_block_size;
	uint32_t s_log_cluster_size;
	uint32_t s_blocks_per_group;
	uint32_t s_clusters_per_group;
	uint32_t s_inodes_per_group;
	uint32_t s_mtime;
	uint32_t s_wtime;
	uint16_t s_mnt_count;
	uint16_t s_max_mnt_count;
	uint16_t s_magic;
	uint16_t s_state;
	uint16_t s_errors;
	uint16_t s_minor_rev_level;
	uint32_t s_lastcheck;
	uint32_t s_checkinterval;
	uint32_t s_creator_os;
	uint32_t s_rev_level;
	uint16_t s_def_resuid;
	uint16_t s_def_resgid;
	uint32_t s_first_ino;
	uint16_t s_inode_size;
	uint16_t s_block_group_nr;
	uint32_t s_feature_compat;
	uint32_t s_feature_incompat;
	uint32_t s_feature_ro_compat;
	uint8_t s_uuid[16];
	char s_volume_name[16];
	char s_last_mounted[64];
	uint32_t s_algorithm_usage_bitmap;
	uint8_t s_prealloc_blocks;
	uint8_t s_prealloc_dir_blocks;
	uint16_t s_reserved_gdt_blocks;
	uint8_t s_journal_uuid[16];
	uint32_t s_journal_inum;
	uint32_t s_journal_dev;
	uint32_t s_last_orphan;
	uint32_t s_hash_seed[4];
	uint8_t s_def_hash_version;
	uint8_t s_jnl_backup_type;
	uint16_t s_desc_size;
	uint32_t s_default_mount_opts;
	uint32_t s_first_meta_bg;
	uint32_t s_mkfs_time;
	uint32_t s_jnl_blocks[17];
	uint32_t s_blocks_count_hi;
	uint32_t s_r_blocks_count_hi;
	uint32_t s_free_blocks_hi;
	uint16_t s_min_extra_isize;
	uint16_t s_want_extra_isize;
	uint32_t s_flags;
	uint8_t s_unused1[0x274 - 0x164];
	uint8_t s_wtime_hi, s_mtime_hi; /* bits 32 to 39 of the times above */
	uint8_t s_unused3[0x300 - 0x276];
	struct ext4_redo s_redo; /* ours: in bytes that the format reserves and nobody reads */
	uint64_t s_redo_pair;	 /* ours: crc << 32 | block with an ext4_redo_pair; zero: none */
	uint64_t s_mark; /* ours: what the rest was when a mount of ours dirtied it; state.c */
	uint8_t s_unused2[0x3FC - 0x300 - sizeof(struct ext4_redo) - 2 * sizeof(uint64_t)];
	uint32_t s_checksum;
};
_Static_assert(offsetof(struct ext4_super, s_magic) == 0x38, "s_magic");
_Static_assert(offsetof(struct ext4_super, s_last_orphan) == 0xE8, "s_last_orphan");
_Static_assert(offsetof(struct ext4_super, s_desc_size) == 0xFE, "s_desc_size");
_Static_assert(offsetof(struct ext4_super, s_blocks_count_hi) == 0x150, "s_blocks_count_hi");
_Static_assert(offsetof(struct ext4_super, s_wtime_hi) == 0x274, "s_wtime_hi");
_Static_assert(offsetof(struct ext4_super, s_redo) == 0x300, "s_redo");
_Static_assert(sizeof(struct ext4_super) == 1024, "superblock");

#define BG_INODE_UNINIT 0x0001u /* the inode bitmap was never written: all free */
#define BG_BLOCK_UNINIT 0x0002u /* the block bitmap was never written: metadata only */
#define BG_INODE_ZEROED 0x0004u /* the inode table was zeroed */

/* A group descriptor; the second half exists with the 64bit feature only. */
struct ext4_group_desc {
	uint32_t bg_block_bitmap_lo;
	uint32_t bg_inode_bitmap_lo;
	uint32_t bg_inode_table_lo;
	uint16_t bg_free_blocks_lo;
	uint16_t bg_free_inodes_lo;
	uint16_t bg_used_dirs_lo;
	uint16_t bg_flags;
	uint32_t bg_exclude_lo;
	uint16_t bg_block_csum_lo;
	uint16_t bg_inode_csum_lo;
	uint16_t bg_itable_unused_lo;
	uint16_t bg_checksum;
	uint32_t bg_block_bitmap_hi;
	uint32_t bg_inode_bitmap_hi;
	uint32_t bg_inode_table_hi;
	uint16_t bg_free_blocks_hi;
	uint16_t bg_free_inodes_hi;
	uint16_t bg_used_dirs_hi;
	uint16_t bg_itable_unused_hi;
	uint32_t bg_exclude_hi;
	uint16_t bg_block_csum_hi;
	uint16_t bg_inode_csum_hi;
	uint32_t bg_reserved;
};
_Static_assert(offsetof(struct ext4_group_desc, bg_checksum) == 0x1E, "bg_checksum");
_Static_assert(sizeof(struct ext4_group_desc) == 64, "group descriptor");

/* Extent tree: a node is a header and up to eh_max records of 12 bytes. */
#define EXT4_EXT_MAGIC	   0xF30Au
#define EXT4_EXT_MAX_DEPTH 5u
#define EXT4_EXT_MAX_LEN   32768u /* ee_len up to here: written; above: unwritten, minus this */

struct ext4_extent_header {
	uint16_t eh_magic;
	uint16_t eh_entries;
	uint16_t eh_max;
	uint16_t eh_depth;
	uint32_t eh_generation;
};

/* A record; in a leaf (depth 0) an extent, above it an index to the node one level down. */
struct ext4_extent {
	uint32_t ee_block; /* first lblk; ei_block in an index */
	union {
		struct {
			uint16_t ee_len;
			uint16_t ee_start_hi;
			uint32_t ee_start_lo;
		};
		struct {
			uint32_t ei_leaf_lo;
			uint16_t ei_leaf_hi;
			uint16_t ei_unused;
		};
	};
};
_Static_assert(sizeof(struct ext4_extent) == 12, "extent record");

#define EXT4_ROOT_MAX 4u   /* records in i_block */
#define EXT4_NODE_MAX 340u /* records in a block */

#define EXT4_FT_REG 1u
#define EXT4_FT_DIR 2u

struct ext4_dirent {
	uint32_t inode; /* zero: the space is free */
	uint16_t rec_len;
	uint8_t name_len;
	uint8_t file_type;
	char name[];
};
#define EXT4_DIRENT_HEAD 8u
/* Is it an entry, of a block that has @room bytes from there on, and a device with @inodes? */
static inline bool ext4_dirent_fits(const struct ext4_dirent *de, uint32_t room, uint32_t inodes)
{
	return room >= EXT4_DIRENT_HEAD && de->rec_len % 4 == 0 && de->rec_len <= room &&
	       de->name_len + EXT4_DIRENT_HEAD <= de->rec_len && de->inode <= inodes;
}

#define EXT4_XATTR_MAGIC 0xEA020000u
struct ext4_xattr_header {
	uint32_t h_magic;
	uint32_t h_refcount;
	uint32_t h_blocks;
	uint32_t h_hash;
};

/* ---- what a record of an extent tree says -------------------------------------------- */

static inline struct ext4_extent *ext4_recs(struct ext4_extent_header *node)
{
	return (struct ext4_extent *)(node + 1);
}

static inline struct ext4_extent_header *ext4_root(struct ext4_disk_inode *raw)
{
	return (struct ext4_extent_header *)raw->i_block;
}

static inline uint64_t ext4_child(const struct ext4_extent *e)
{
	return e->ei_leaf_lo | (uint64_t)e->ei_leaf_hi << 32;
}

static inline uint64_t ext4_start(const struct ext4_extent *e)
{
	return e->ee_start_lo | (uint64_t)e->ee_start_hi << 32;
}

static inline bool ext4_unwritten(const struct ext4_extent *e)
{
	return e->ee_len > EXT4_EXT_MAX_LEN;
}

static inline uint32_t ext4_len(const struct ext4_extent *e)
{
	return ext4_unwritten(e) ? e->ee_len - EXT4_EXT_MAX_LEN : e->ee_len;
}

/* ---- bitmaps ------------------------------------------------------------------------- */

static inline bool bit_test(const uint8_t *map, uint32_t bit)
{
	return map[bit / 8] & (1u << (bit % 8));
}

static inline void bit_set(uint8_t *map, uint32_t bit)
{
	map[bit / 8] |= (uint8_t)(1u << (bit % 8));
}

static inline void bit_clear(uint8_t *map, uint32_t bit)
{
	map[bit / 8] &= (uint8_t) ~(1u << (bit % 8));
}

#endif
