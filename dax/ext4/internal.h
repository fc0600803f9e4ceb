/* SPDX-License-Identifier: MIT */
/*
 * What the files of dax/ext4 share among themselves.  Nobody else includes this.
 *
 * How an update becomes durable, and what may be assumed about a power cut:
 *   - a store of 8 aligned bytes or less arrives whole or not at all; stores to one cache line
 *     arrive in program order; lines arrive in any order and at any time (a cache may evict);
 *   - what was written back (pm_wb) before a fence (pm_fence) is there after it.
 * Hence the pattern of every multi-step update: build what nobody reaches yet, pm_wb, pm_fence;
 * then one small store that makes it reachable (pm_set16/32/64: "the commit"), pm_fence.
 */
#ifndef DAX_EXT4_INTERNAL_H
#define DAX_EXT4_INTERNAL_H

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dax/ext4/disk.h"
#include "dax/ext4/ext4.h"

#define EXT4_POOL_MAX 8u
#define EXT4_MAX_LBLK 0xFFFFFFFFull /* exclusive: lblk fits 32 bits, and so does lblk + 1 */

/* Where a group keeps its tables; read once at mount, so that later scribbles change nothing. */
struct ext4_group {
	uint64_t block_bitmap;
	uint64_t inode_bitmap;
	uint64_t inode_table;
	enum {
		UNKNOWN,
		PROVEN,
		DISPROVEN
	} bitmap; /* does it call the metadata used, as it must? */
};

/* A run of blocks that belongs to no file; fs->zone is sorted by first and does not overlap. */
struct ext4_zone {
	uint64_t first;
	uint64_t count;
};

struct ext4_fs {
	struct ext4_env env;
	struct ext4_super *sb;
	uint8_t *gdt;

	/* geometry: checked at mount, constant afterwards */
	uint64_t blocks;
	uint32_t groups;
	uint32_t blocks_per_group;
	uint32_t inodes_per_group;
	uint32_t inodes;
	uint32_t inode_size;
	uint32_t desc_size;
	uint32_t itable_blocks;
	uint32_t first_ino;
	bool gdt_csum;
	/* gdt_csum: what the UUID contributes to each descriptor's checksum; each four bits of one
	 * of its fields, and each bit of another */
	uint16_t csum_seed, csum_of_free[4][16], csum_of_flag[16];
	struct ext4_group *group;
	struct ext4_zone *zone;
	uint32_t zones, gap; /* gap, a hint: the zone behind the run that was looked at last */

	bool dirty;	      /* s_state on the device says so */
	uint64_t free_blocks; /* sums over the groups; what the superblock says is stale at */
	uint64_t free_inodes; /* times, and never believed */
	uint64_t goal;	      /* next-fit: where the last search for blocks ended */
	uint64_t pool[EXT4_POOL_MAX]; /* free blocks set aside for ext4_free_blocks; balloc.c */
	uint32_t pool_n;	      /* zero means: freeing has to zero in place */
	uint64_t passed_busy;	      /* busy blocks the running search passed by */
	uint64_t blocked_by_busy;
	uint64_t enospc_busy;
	struct ext4_inode **held,
		*spare; /* held.c: 2^held_bits chains; structures to be used again */
	uint32_t held_bits, held_nr, spares;
	struct ext4_names *names; /* indexes of directories, names.c; NULL: none */
	size_t names_bytes;	  /* of their tables */
	uint32_t names_nr;
	uint32_t dying;	    /* unlinked inodes that wait for ext4_evict; zero: none */
	char why[EXT4_WHY]; /* without env.why; use why_of() */
};

/* ---- persistence -------------------------------------------------------------------- */

static inline void pm_wb(struct ext4_fs *fs, const void *p, size_t n)
{
	fs->env.writeback(p, n);
}

static inline void pm_fence(struct ext4_fs *fs)
{
	fs->env.fence();
}

static inline void pm_set16(struct ext4_fs *fs, uint16_t *p, uint16_t v)
{
	__atomic_store_n(p, v, __ATOMIC_RELAXED);
	pm_wb(fs, p, sizeof(*p));
}

static inline void pm_set32(struct ext4_fs *fs, uint32_t *p, uint32_t v)
{
	__atomic_store_n(p, v, __ATOMIC_RELAXED);
	pm_wb(fs, p, sizeof(*p));
}

static inline void pm_set64(struct ext4_fs *fs, uint64_t *p, uint64_t v)
{
	__atomic_store_n(p, v, __ATOMIC_RELAXED);
	pm_wb(fs, p, sizeof(*p));
}

/* The address of a block; the caller has checked pblk < fs->blocks. */
static inline void *ext4_block(const struct ext4_fs *fs, uint64_t pblk)
{
	return (uint8_t *)fs->env.base + pblk * EXT4_BLOCK_SIZE;
}

/* ---- super.c, features.c ------------------------------------------------------------ */

/* Keep a sentence for ext4_why and return @err. */
int ext4_fail(struct ext4_fs *fs, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Hand a sentence to env.report. */
void ext4_say(struct ext4_fs *fs, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Every change starts here: refuses read-only, marks the device dirty, fills the pool. */
int ext4_begin(struct ext4_fs *fs);
uint32_t ext4_now(const struct ext4_fs *fs);
int ext4_check_root(struct ext4_fs *fs);
int ext4_check_features(struct ext4_fs *fs);
int ext4_check_geometry(struct ext4_fs *fs);
bool ext4_has(const struct ext4_fs *fs, uint32_t ro_compat);

/* ---- state.c, recover.c ------------------------------------------------------------- */

void ext4_mark_dirty(struct ext4_fs *fs);
void ext4_mark_clean(struct ext4_fs *fs);
/* The mark that a superblock with these contents has while it is dirty in our hands. */
uint64_t ext4_mark_of(const struct ext4_super *sb);
/* Is the device dirty, and did no other system write it later than a mount of ours? */
bool ext4_is_ours(const struct ext4_fs *fs);
/* Damage was met on the way: it is said, and the device keeps the verdict until fsck clears it. */
void ext4_damage(struct ext4_fs *fs, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The last step of a mount: the root is looked at, and what a cut left is repaired. */
int ext4_recover(struct ext4_fs *fs);

/* ---- group.c, zone.c ---------------------------------------------------------------- */

struct ext4_group_desc *ext4_desc(const struct ext4_fs *fs, uint32_t g);
/* CRC-16 (polynomial 0x8005, reflected) of @n bytes more; crc16.c. */
uint16_t ext4_crc16(uint16_t crc, const void *data, size_t n);
void ext4_crc16_init(void);		       /* before the first use; again does no harm */
void ext4_group_sums_init(struct ext4_fs *fs); /* before the first checksum of a mount */
uint16_t ext4_desc_csum(const struct ext4_fs *fs, uint32_t g);
uint32_t ext4_group_blocks(const struct ext4_fs *fs, uint32_t g);
bool ext4_group_has_super(const struct ext4_fs *fs, uint32_t g);
uint32_t ext4_gdt_blocks(const struct ext4_fs *fs);
int ext4_load_groups(struct ext4_fs *fs);
void ext4_group_init_blocks(struct ext4_fs *fs, uint32_t g);
void ext4_group_init_inodes(struct ext4_fs *fs, uint32_t g);
/* Blocks [at, at + n) of group @g, none of them metadata, are given up.  True: nothing but metadata
 * is used there any more, and the group is again as if it had never been used; *freed: how much its
 * count has grown.  False: nothing was done, its bitmap has to be changed. */
bool ext4_group_retire(struct ext4_fs *fs, uint32_t g, uint32_t at, uint32_t n, int32_t *freed);
/* The same from @at of @g on, for up to @n groups: how many were.  @gap: a guess, or any number. */
uint32_t ext4_groups_retire(struct ext4_fs *fs, uint32_t g, uint32_t at, uint32_t n, uint32_t gap,
			    int64_t *freed);
/* Is what the descriptor names as block bitmap one?  Looked at once, before the first change of it;
 * false: said, and left alone. */
bool ext4_group_prove(struct ext4_fs *fs, uint32_t g);
static inline bool ext4_group_proven(struct ext4_fs *fs, uint32_t g)
{
	return fs->group[g].bitmap == PROVEN || ext4_group_prove(fs, g);
}
/* The bitmap a group starts with: metadata and padding behind the end of the device. */
void ext4_base_bitmap(const struct ext4_fs *fs, uint32_t g, uint8_t *bitmap);
struct ext4_counts {
	uint32_t free_blocks, free_inodes, used_dirs, itable_unused, flags;
};
/* A counter that an image began: it moves by @delta, and stays within 0 and @max. */
static inline uint64_t ext4_count(uint64_t n, int64_t delta, uint64_t max)
{
	if (delta < 0)
		return n < (uint64_t)-delta ? 0 : n - (uint64_t)-delta;
	return n > max || (uint64_t)delta > max - n ? max : n + (uint64_t)delta;
}
/* fs->free_blocks and fs->free_inodes from the descriptors. */
void ext4_sum_counts(struct ext4_fs *fs);
struct ext4_counts ext4_desc_counts(const struct ext4_fs *fs, uint32_t g);
void ext4_desc_set_counts(struct ext4_fs *fs, uint32_t g, const struct ext4_counts *n);
void ext4_desc_add_free_blocks(struct ext4_fs *fs, uint32_t g, int32_t delta);
void ext4_desc_add_inodes(struct ext4_fs *fs, uint32_t g, int32_t free, int32_t dirs);
int ext4_build_zones(struct ext4_fs *fs);
/* Does the run lie between zone @i and the one before it?  False is no answer. */
static inline bool ext4_in_gap(const struct ext4_fs *fs, uint32_t i, uint64_t pblk, uint64_t count)
{
	const struct ext4_zone *z = &fs->zone[i];
	uint64_t end;

	if (!i || pblk < z[-1].first + z[-1].count)
		return false;
	end = i < fs->zones ? z->first : fs->blocks;
	return pblk < end && count <= end - pblk;
}
bool ext4_forbidden_at(struct ext4_fs *fs, uint64_t pblk, uint64_t count); /* by a search */
/* Is any block of [pblk, pblk + count) metadata or out of the device?  Files lie in few gaps, so
 * the one of the last run is tried before the search.  Look-ups of several files write the hint at
 * once: any index up to fs->zones is as true as another. */
static inline bool ext4_forbidden(struct ext4_fs *fs, uint64_t pblk, uint64_t count)
{
	return !ext4_in_gap(fs, __atomic_load_n(&fs->gap, __ATOMIC_RELAXED), pblk, count) &&
	       ext4_forbidden_at(fs, pblk, count);
}

/* The first zone that ends behind @pblk: its index, fs->zones if there is none. */
uint32_t ext4_zone_behind(const struct ext4_fs *fs, uint64_t pblk);

/* ---- bits.c: runs in a bitmap block, which is aligned to 8 bytes --------------------- */

/* The first bit of [at, end) that is set, or clear; `end`: none is. */
uint32_t bits_next_set(const uint8_t *map, uint32_t at, uint32_t end);
uint32_t bits_next_clear(const uint8_t *map, uint32_t at, uint32_t end);
/* The bits [at, at + n) become set; become clear, and the value is how many of them were set. */
void bits_set(uint8_t *map, uint32_t at, uint32_t n);
uint32_t bits_clear(uint8_t *map, uint32_t at, uint32_t n);

/* ---- balloc.c, ialloc.c ------------------------------------------------------------- */

#define EXT4_ALLOC_ALIGN 1u /* try for a 2 MiB aligned run */
#define EXT4_ALLOC_POOL	 2u /* the reserve may be used: the caller is freeing */
int ext4_balloc(struct ext4_fs *fs, uint64_t goal, uint32_t want, uint32_t flags, uint64_t *pblk,
		uint32_t *got);
void ext4_bfree(struct ext4_fs *fs, uint64_t pblk, uint32_t count);
uint64_t ext4_bfree_runs(struct ext4_fs *fs, const struct ext4_run *run, uint32_t n);
void ext4_pool_fill(struct ext4_fs *fs);

int ext4_ialloc(struct ext4_fs *fs, uint32_t near, bool dir, uint32_t *ino);
void ext4_ifree(struct ext4_fs *fs, uint32_t ino, bool dir);

/* ---- inode.c ------------------------------------------------------------------------ */

struct ext4_disk_inode *ext4_raw(const struct ext4_fs *fs, uint32_t ino);
uint64_t ext4_raw_size(const struct ext4_disk_inode *raw);
bool ext4_has_tree(const struct ext4_disk_inode *raw);
void ext4_add_blocks(struct ext4_inode *ip, int64_t blocks);
uint64_t ext4_raw_sectors(const struct ext4_fs *fs, const struct ext4_disk_inode *raw);
void ext4_set_sectors(const struct ext4_fs *fs, struct ext4_disk_inode *raw, uint64_t sectors);
void ext4_put_sectors(struct ext4_fs *fs, struct ext4_disk_inode *raw, uint64_t sectors);
void ext4_touch(struct ext4_inode *ip);
#define EXT4_CTIME 1u
#define EXT4_MTIME 2u
#define EXT4_ATIME 4u /* and the time of birth: for a new inode */
/* The present, as these times of the inode at @raw; its epoch bits go where there is room for them.
 * Written back. */
void ext4_stamp(struct ext4_fs *fs, struct ext4_disk_inode *raw, unsigned which);
void ext4_store_size(struct ext4_inode *ip, uint64_t size);
void ext4_store_links(struct ext4_inode *ip, uint32_t links);
uint64_t ext4_raw_xattr(const struct ext4_disk_inode *raw);

/* ---- held.c: inodes in core --------------------------------------------------------- */

int ext4_held_init(struct ext4_fs *fs);
void ext4_held_end(struct ext4_fs *fs);
struct ext4_inode *ext4_held(struct ext4_fs *fs, uint32_t ino); /* NULL: nobody holds it */
struct ext4_inode *ext4_held_any(struct ext4_fs *fs);
struct ext4_inode *ext4_held_new(struct ext4_fs *fs);
void ext4_held_add(struct ext4_inode *ip);
void ext4_held_remove(struct ext4_inode *ip);
void ext4_held_free(struct ext4_inode *ip);

/* ---- redo.c ------------------------------------------------------------------------- */

/* What ext4_redo overwrote: up to three inodes, and the two words. */
struct ext4_redo_kept {
	uint32_t ino[3];
	struct ext4_disk_inode image[3];
	uint64_t commit, pair;
};

uint32_t ext4_fnv1a(const void *data, size_t n);
/* Replace the core of an inode in one atomic step. */
void ext4_inode_commit(struct ext4_fs *fs, uint32_t ino, const struct ext4_disk_inode *image);
/* Two at once; block @pblk, below 2^32, is the caller's, set in the bitmap and reached by nobody.
 */
void ext4_pair_commit(struct ext4_fs *fs, const struct ext4_redo_pair *pair, uint64_t pblk);
/* Finish or drop what a power cut left of these two; @kept gets what was there before. */
void ext4_redo(struct ext4_fs *fs, struct ext4_redo_kept *kept);
void ext4_redo_undo(struct ext4_fs *fs, const struct ext4_redo_kept *kept);
/* Forget such updates instead: the device was repaired by another system meanwhile. */
void ext4_redo_drop(struct ext4_fs *fs);

/* ---- extent_read.c ------------------------------------------------------------------ */

struct ext4_level {
	struct ext4_extent_header *node;
	uint64_t pblk; /* zero: the root, in the inode */
	int at;	       /* record taken; -1 in a leaf: before the first */
};

struct ext4_path {
	uint32_t depth; /* of the root: level[depth] is the leaf */
	struct ext4_level level[EXT4_EXT_MAX_DEPTH + 1];
};

struct ext4_extent ext4_make_extent(uint32_t lblk, uint64_t pblk, uint32_t len, bool unwritten);
struct ext4_extent ext4_make_index(uint32_t lblk, uint64_t pblk);
int ext4_node_check(struct ext4_fs *fs, uint32_t ino, struct ext4_extent_header *node,
		    uint32_t depth, uint32_t max);
int ext4_extent_check(struct ext4_fs *fs, uint32_t ino, const struct ext4_extent *e);
int ext4_child_node(struct ext4_fs *fs, uint32_t ino, const struct ext4_extent *e, uint32_t depth,
		    struct ext4_extent_header **node);
int ext4_find(struct ext4_inode *ip, uint64_t lblk, struct ext4_path *path);
int ext4_lookup_extent(struct ext4_inode *ip, uint64_t lblk, struct ext4_map *map);

/* ---- extent_node.c, extent_write.c -------------------------------------------------- */

/* Replace @del records at @at of the node on @level by @n records of @recs, atomically. */
int ext4_splice(struct ext4_inode *ip, struct ext4_path *path, uint32_t level, uint32_t at,
		uint32_t del, const struct ext4_extent *recs, uint32_t n, uint32_t alloc_flags);
int ext4_collapse(struct ext4_inode *ip);
int ext4_thin(struct ext4_inode *ip, uint64_t lblk);
int ext4_insert(struct ext4_inode *ip, uint32_t lblk, uint64_t pblk, uint32_t len, bool unwritten);
int ext4_mark_written(struct ext4_inode *ip, uint32_t lblk, uint32_t len);
int ext4_mark_unwritten(struct ext4_inode *ip, uint32_t lblk, uint32_t len);
/* Does @b continue @a, and does the sum fit one record? */
bool ext4_joins(const struct ext4_extent *a, const struct ext4_extent *b);
uint64_t ext4_goal(struct ext4_inode *ip, uint64_t lblk);

/* ---- extent_list.c: all extents of a file in order, and a tree made of them ---------------- */

struct ext4_list {
	struct ext4_fs *fs;
	struct ext4_extent *rec;
	uint64_t *node;	 /* blocks of the tree that the records were read from, or built into */
	uint64_t blocks; /* sum of the records' lengths */
	uint32_t n, room, nodes, node_room;
};

/* Read the tree of @ip into an empty list.  -EIO, -ENOMEM; the list is to be freed in any case. */
int ext4_list_read(struct ext4_inode *ip, struct ext4_list *list);
/* Append the part of @e that lies in [first, end), moved so that `first` becomes `at`. */
int ext4_list_add(struct ext4_list *list, const struct ext4_extent *e, uint64_t first, uint64_t end,
		  uint64_t at);
/* A tree of the records in fresh blocks, its root in @image; nothing reaches it yet.  On failure
 * (-ENOSPC, -ENOMEM) no block is taken. */
int ext4_list_build(struct ext4_list *list, uint64_t goal, uint32_t alloc_flags,
		    struct ext4_disk_inode *image);
/* Give the blocks of the tree back; nobody reaches them. */
void ext4_list_drop_nodes(struct ext4_list *list);
void ext4_list_free(struct ext4_list *list);
/* Is it a regular file whose bytes may change, and does the range fit one? */
int ext4_check_write(struct ext4_inode *ip, uint64_t off, uint64_t len);
/* ext4_zero_range, ext4_free_blocks and ext4_set_size for callers that have asked ext4_may, or need
 * not: repair, and files without a name. */
int ext4_zero_bytes(struct ext4_inode *ip, uint64_t off, uint64_t len);
int ext4_drop_blocks(struct ext4_inode *ip, uint64_t first, uint64_t end);
int ext4_put_size(struct ext4_inode *ip, uint64_t size);
/* May @ip lose its name @name in @dir?  0, -EPERM, -EBUSY. */
int ext4_may_unname(struct ext4_inode *dir, const char *name, struct ext4_inode *ip);

/* ---- dir.c, dir_write.c, orphan.c --------------------------------------------------- */

/* Where an entry lies. */
struct ext4_slot {
	struct ext4_dirent *de;
	uint64_t lblk;
};

int ext4_dir_block(struct ext4_inode *dir, uint64_t lblk, uint8_t **block);
/* The entry at @off of a block, checked; NULL with a sentence when it is damaged. */
struct ext4_dirent *ext4_dirent_at(struct ext4_inode *dir, uint8_t *block, uint32_t off);
int ext4_dir_find(struct ext4_inode *dir, const char *name, struct ext4_slot *slot);
int ext4_dir_add(struct ext4_inode *dir, const char *name, uint32_t ino, uint8_t type);
/* Bytes that an entry with a name of this length needs. */
uint32_t ext4_entry_size(uint32_t name_len);
void ext4_dir_remove(struct ext4_inode *dir, const struct ext4_slot *slot);
int ext4_dir_empty(struct ext4_inode *dir, bool *empty);
int ext4_name_check(struct ext4_fs *fs, const char *name);
void ext4_orphan_add(struct ext4_inode *ip);

/* ---- names.c: where the names of a large directory stand ---------------------------- */

#define EXT4_NAMES_BYTES (16u << 20) /* of all tables of a mount */
#define EXT4_NAMES_MAX	 256u
int ext4_names_find(struct ext4_inode *dir, const char *name, size_t n, struct ext4_slot *slot);
void ext4_names_added(struct ext4_inode *dir, const struct ext4_slot *slot);
void ext4_names_removed(struct ext4_inode *dir, const struct ext4_slot *slot);
uint64_t ext4_names_room(struct ext4_inode *dir, uint64_t lblk, uint32_t need);
void ext4_names_full(struct ext4_inode *dir, uint64_t lblk, uint32_t room);
/* The inode is no directory any more; the mount ends. */
void ext4_names_forget(struct ext4_fs *fs, uint32_t ino);
void ext4_names_drop(struct ext4_fs *fs);

/* ---- tree.c, census.c, reserved.c, repair*.c ------------------------------------------------ */

/* One reference from an inode to an attribute block; several inodes may share a block. */
struct ext4_attr_ref {
	uint64_t pblk;
	uint32_t ino;
};

/* One bit per block, by group; a group nobody touched has no map (only its base is used). */
struct ext4_census {
	struct ext4_fs *fs;
	uint8_t **map;
	struct ext4_attr_ref *attr; /* counted in by ext4_census_attrs, when all are known */
	uint32_t attrs, attr_room;
};

/* An attribute block and how many inodes of the census name it; @twice: something else owns it. */
struct ext4_attr_block {
	uint64_t pblk;
	uint32_t ino, holders; /* the first of the holders */
	bool twice;
};

int ext4_census_init(struct ext4_census *c, struct ext4_fs *fs);
void ext4_census_free(struct ext4_census *c);
/* Count [pblk, pblk + count) in; *twice names the first block that was in already, else 0. */
int ext4_census_add(struct ext4_census *c, uint64_t pblk, uint64_t count, uint64_t *twice);
/* Remember a reference to an attribute block. */
int ext4_census_attr(struct ext4_census *c, uint64_t pblk, uint32_t ino);
/* After everything else: count each attribute block in once and hand it to @cb, until that returns
 * non-zero.  @add false: they were counted in before, only look again. */
int ext4_census_attrs(struct ext4_census *c, bool add,
		      int (*cb)(void *ctx, const struct ext4_attr_block *b), void *ctx);
uint8_t *ext4_census_group(struct ext4_census *c, uint32_t g);
int ext4_tree_walk(struct ext4_fs *fs, uint32_t ino, ext4_extent_cb cb, void *ctx);
uint32_t ext4_tree_fix_keys(struct ext4_fs *fs, uint32_t ino);
int ext4_for_each_of(struct ext4_fs *fs, uint32_t ino, ext4_extent_cb cb, void *ctx);
uint32_t ext4_itable_used(const struct ext4_fs *fs, uint32_t g);
/* What belongs to no file: the zones (ino 0), and what the reserved inodes own. */
int ext4_for_each_reserved(struct ext4_fs *fs, ext4_extent_cb cb, void *ctx);
/* The header of the attribute block at @pblk, NULL if there is none: another magic, another size,
 * no holder, or a place that no file may own. */
struct ext4_xattr_header *ext4_attr_header(struct ext4_fs *fs, uint64_t pblk);

/* What the files of repair share; see recover.c and repair.c for the plan. */

/* A directory that was found, and the one that holds its name. */
struct repair_dir {
	uint32_t ino, parent;
};

/* What is known of an inode beside its links. */
#define REPAIR_ORPHAN 1u /* it stands on the orphan list: its removal was under way */
#define REPAIR_BELOW  2u /* a directory without a name holds a name of it */

struct repair {
	struct ext4_fs *fs;
	bool ours;		   /* the device holds only what a mount of ours wrote */
	bool mending;		   /* second walk: changes what is wrong; the first only looks */
	struct ext4_census census; /* blocks that have an owner */
	uint16_t **links;	   /* by group and inode: links counted; zero means: no name */
	uint8_t **flags;	   /* by group and inode: REPAIR_* */
	uint32_t *dirs;		   /* by group: directories in use */
	struct repair_dir *queue;  /* directories found; read in this order */
	uint32_t queued, read, room;
	uint32_t *lost; /* inodes that get a name in lost+found */
	uint32_t n_lost, lost_room;
	uint32_t lost_found; /* the inode of that directory; 0: there is none */
	uint64_t blocks;     /* of the inode being counted */
	uint32_t n_dirs, n_files;
	uint32_t losses;		  /* what fsck would keep and this repair does not */
	char loss[160];			  /* the first of them */
	uint8_t scratch[EXT4_BLOCK_SIZE]; /* an inode bitmap being made */
};

/* repair.c */
/* Look at everything and change nothing.  0 and the survey's result, to be freed by repair_end:
 * repair_mend will succeed.  -EIO: damage, or (@ours false) a loss; -ENOMEM. */
int repair_survey(struct ext4_fs *fs, bool ours, struct repair **out);
/* Make the device consistent.  The caller has marked it dirty and marks it clean.  -ENOMEM: half
 * done, the next mount goes on. */
int repair_mend(struct repair *r);
void repair_end(struct repair *r);
int repair_inode(struct repair *r, uint32_t ino);
/* What only fsck may decide is met, unless the device is ours. */
void repair_loss(struct repair *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
uint16_t *repair_links(struct repair *r, uint32_t ino);

/* repair_dir.c */
int repair_names(struct repair *r);
int repair_read_queue(struct repair *r);
int repair_first_name(struct repair *r, uint32_t ino, uint32_t parent);

/* repair_lost.c */
int repair_find_lost(struct repair *r);
int repair_forget_dead(struct repair *r);
int repair_name_lost(struct repair *r);

/* repair_maps.c */
int repair_maps(struct repair *r);

#endif
