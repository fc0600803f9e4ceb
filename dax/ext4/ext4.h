/* SPDX-License-Identifier: MIT */
/*
 * ext4 without a journal, on byte-addressable memory: the public face of dax/ext4.
 *
 * The device is one run of memory.  Nothing is cached: every structure is read and written
 * where it lies, so a store is the update and a write-back plus a fence make it durable.  The
 * same sources run in the kernel (on pmem) and in host tests (on an image file in memory);
 * whatever differs between the two comes in through struct ext4_env.
 *
 * Rules for every function here:
 *   - the caller serialises all calls on one file system (a sleeping mutex in the kernel), but for
 *     look-ups by ext4_map_blocks: those only exclude changes of the same file;
 *     no function takes a lock, sleeps or starts a thread; they call malloc and free;
 *   - results are 0 (or a length) or a negative errno; ext4_why() holds a sentence that names
 *     what failed and what would pass, until the next failing call of the same thread;
 *   - metadata is synchronous: what a function did is durable when it returns.  File *data*
 *     copied by ext4_write is written back but not fenced when it lands in blocks the file had
 *     already; ext4_fsync fences it.  Stores made through a mapping are the caller's to write
 *     back before ext4_fsync;
 *   - a power cut inside any call leaves no block with two owners and no freed block reachable
 *     (I7); leaks and counters are put right by the next ext4_mount, which says so;
 *   - every number on the device is treated as hostile: -EIO and a sentence, never a crash.
 *
 * Units: block = 4096 bytes; lblk = block of a file; pblk = block of the device.
 */
#ifndef DAX_EXT4_EXT4_H
#define DAX_EXT4_EXT4_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXT4_BLOCK_SIZE 4096u
#define EXT4_ROOT_INO	2u
#define EXT4_NAME_MAX	255u
#define EXT4_WHY	320u /* bytes of a sentence, with its zero */

/* The file type bits of a mode, as in POSIX (newlib and glibc agree on the values). */
#define EXT4_S_IFMT  0xF000u
#define EXT4_S_IFREG 0x8000u
#define EXT4_S_IFDIR 0x4000u
#define EXT4_S_IFLNK 0xA000u

struct ext4_inode;

/* Bugs on purpose; see env.museum. */
enum ext4_exhibit {
	EXT4_NO_RESERVE,   /* nothing is set aside for freeing (F-10) */
	EXT4_BITMAP_FIRST, /* freeing: the bitmap before the tree (F-11) */
	EXT4_ZERO_ONCE,	   /* a cut tail is not zeroed again when the file grows (F-6) */
};

/* Blocks side by side. */
struct ext4_run {
	uint64_t pblk;
	uint32_t count;
	uint32_t gap; /* where it lies among the tables: a hint of the layer's own; 0: none */
};

/* What the file layer needs from the world around it.  Copied by ext4_mount. */
struct ext4_env {
	void *base;    /* the device; page aligned */
	uint64_t size; /* of the device, bytes */
	bool readonly; /* every change is refused with -EROFS; a dirty device is not repaired */
	/* Write the cache lines of [p, p + n) back (CLWB ...); not yet durable. */
	void (*writeback)(const void *p, size_t n);
	/* What was written back before the fence is durable after it. */
	void (*fence)(void);
	/* Seconds since 1970.  Must not run ahead of the host that checks the image. */
	uint32_t (*now)(void);
	void *ctx; /* handed to the calls below */
	/* Of free blocks from pblk on: how many, of `count` at most, come before the first one that
	 * the allocator must pass by although the bitmap calls it free, as its page is held (I1).
	 * NULL: none is. */
	uint32_t (*idle_run)(void *ctx, uint64_t pblk, uint32_t count);
	/* Asked of each run that the allocator is about to take, whatever its bitmap says.  False:
	 * a page of it is in use, so the bitmap of this image is wrong.  May be NULL. */
	bool (*may_take)(void *ctx, uint64_t pblk, uint32_t count);
	/* Is this bug, kept on purpose, wanted?  NULL: none is. */
	bool (*museum)(void *ctx, enum ext4_exhibit what);
	/* Called for the runs of *data* blocks that a file gives up, `n` at a time, one at least:
	 * after all of them are durably unreachable from the file, before any of their bits is
	 * cleared in the bitmap.  The place to mark pages busy.  Must not call back into the file
	 * layer.  May be NULL. */
	void (*freeing)(void *ctx, struct ext4_inode *ip, const struct ext4_run *run, uint32_t n);
	/* Copies file data (a fault-tolerant or non-temporal copy).  NULL means memcpy.  The file
	 * layer calls writeback on the destination afterwards in any case. */
	void (*copy)(void *dst, const void *src, size_t n);
	/* Where the caller keeps the sentence of its last failure, EXT4_WHY bytes: one place for
	 * each thread, as look-ups of several may fail at once.  NULL: one place, in the file
	 * system. */
	char *(*why)(void *ctx);
	/* What ext4_mount found and repaired, one sentence a call, no newline.  May be NULL. */
	void (*report)(void *ctx, const char *line);
};

/*
 * A file or directory in core.  One per inode number while referenced; fields are read-only
 * for the caller except `host`.
 */
struct ext4_inode {
	struct ext4_fs *fs;
	uint32_t ino;
	uint32_t refs;	/* zero means: nobody holds it; it is gone, or waits for ext4_evict */
	uint16_t mode;	/* type and permission bits */
	uint16_t flags; /* the lower half of i_flags when it was opened; for ext4_forbids() alone */
	uint32_t links; /* zero means: unlinked, on the orphan list until ext4_evict */
	uint64_t size;	/* bytes */
	void *host;	/* belongs to the caller (the VFS glue); NULL at birth */
	/* private to dax/ext4 from here on */
	struct ext4_disk_inode *raw; /* where it lies on the device */
	struct ext4_inode *hash_next;
};

/*
 * ext4_mount - check the superblock, the groups and the root; repair what a power cut left.
 * @env:  copied
 * @fs:   the file system on success
 * @why:  receives the sentence of a refusal, @n bytes, always terminated
 * Context: may allocate; nothing else may touch the device.
 * Returns 0; -EINVAL not an ext4 file system or fields that contradict each other or the
 * device's size; -EOPNOTSUPP a feature that is not supported (named, with the option that
 * passes); -EIO damage that repair does not handle (run e2fsck); -ENOMEM.
 * A dirty device (not unmounted) is scanned and repaired, each step through env.report; with
 * env.readonly it is left as it is and a line says so.
 */
int ext4_mount(const struct ext4_env *env, struct ext4_fs **fs, char *why, size_t n);

/*
 * ext4_unmount - mark the device clean and free @fs.
 * Returns -EBUSY (ext4_why names one) while an inode is referenced or waits for ext4_evict:
 * @fs then stays valid and unchanged.
 */
int ext4_unmount(struct ext4_fs *fs);

/*
 * ext4_sync - fence everything and mark the device clean until the next change.
 * While an unlinked file is held the device stays marked dirty, so that a power cut is
 * followed by a repair.  Returns 0.
 */
int ext4_sync(struct ext4_fs *fs);

/* The sentence that belongs to the caller's last failure; "" when none failed yet.  Never NULL. */
const char *ext4_why(const struct ext4_fs *fs);

struct ext4_statfs {
	uint64_t blocks, free_blocks; /* free as the bitmap says, busy ones included */
	uint64_t reserved_blocks;     /* of the free ones, set aside for freeing (F-10) */
	uint64_t inodes, free_inodes;
	uint64_t enospc_busy; /* how often -ENOSPC came with busy blocks as a reason; zero: never */
	bool dirty;	      /* the device is marked as changed */
};
void ext4_statfs(const struct ext4_fs *fs, struct ext4_statfs *st);

/*
 * ext4_blocked_by_busy - how many free blocks the last failing allocation had to pass by
 * because env.idle_run said so.  Zero means: busy blocks were not the reason of -ENOSPC.
 */
uint64_t ext4_blocked_by_busy(const struct ext4_fs *fs);

/* ---- inodes ------------------------------------------------------------------------- */

/*
 * ext4_iget - reference inode @ino.  -ENOENT: free or out of range; -EIO: damaged;
 * -EOPNOTSUPP: a file mapped by indirect blocks.  Undo with ext4_iput.
 */
int ext4_iget(struct ext4_fs *fs, uint32_t ino, struct ext4_inode **ip);

/* One more reference on an inode that has one. */
void ext4_ihold(struct ext4_inode *ip);

/*
 * ext4_iput - give a reference back.
 * Returns false: done (the struct may be gone).  Returns true: this was the last reference of
 * an unlinked file; @ip stays valid with refs == 0, found by nobody, and the caller must
 * (1) do its own steps (unmap, break layouts, wait), (2) optionally free the blocks piece by
 * piece with ext4_free_blocks, (3) call ext4_evict.  Between (1) and (3) other calls on the
 * file system are fine.
 */
bool ext4_iput(struct ext4_inode *ip);

/*
 * ext4_evict - free the blocks and the inode of an unlinked file nobody holds, and @ip itself.
 * Precondition: ext4_iput returned true for @ip.  Never needs a block, never fails for space.
 * -EIO on damage; @ip is gone in any case (what is left is reclaimed by the next repair).
 */
int ext4_evict(struct ext4_inode *ip);

/* ---- names -------------------------------------------------------------------------- */

/* Find @name in directory @dir and reference it: -ENOENT, -ENOTDIR, -ENAMETOOLONG, -EIO. */
int ext4_lookup(struct ext4_inode *dir, const char *name, struct ext4_inode **ip);

/* Walk an absolute path ("/", "/a/b"; "." and ".." are followed).  Symbolic links are not. */
int ext4_walk(struct ext4_fs *fs, const char *path, struct ext4_inode **ip);

/*
 * Walk to the directory that holds the last component of @path, which is copied to
 * @last[EXT4_NAME_MAX + 1] (it need not exist).  -EINVAL for "/".
 */
int ext4_walk_parent(struct ext4_fs *fs, const char *path, struct ext4_inode **dir, char *last);

struct ext4_dirent_info {
	uint32_t ino;
	uint8_t type; /* 1 regular, 2 directory, 7 symbolic link, as stored */
	uint8_t len;
	char name[EXT4_NAME_MAX + 1];
};

/*
 * ext4_readdir - the first entry at or after *pos; *pos then stands behind it.
 * Start with *pos == 0.  "." and ".." are returned too.  Changes of the directory between two
 * calls are tolerated (an entry may be missed or seen if it was made or removed meanwhile).
 * Returns 1 with an entry, 0 at the end, -ENOTDIR, -EIO.
 */
int ext4_readdir(struct ext4_inode *dir, uint64_t *pos, struct ext4_dirent_info *out);

/*
 * Make a regular file / a directory and reference it (@ip may be NULL).  @perm: permission bits.
 * -EEXIST, -ENOENT (@dir was removed), -ENOSPC, -ENAMETOOLONG, -EINVAL (empty name or '/'),
 * -EMLINK, -EROFS.
 */
int ext4_create(struct ext4_inode *dir, const char *name, uint32_t perm, struct ext4_inode **ip);
int ext4_mkdir(struct ext4_inode *dir, const char *name, uint32_t perm, struct ext4_inode **ip);

/*
 * ext4_unlink - remove a name that is not a directory.
 * @victim: receives a reference to the file that lost the name; the caller gives it back with
 * ext4_iput, which says whether ext4_evict is due.  So the blocks never go inside this call.
 * -ENOENT, -EISDIR, -EROFS.  Never needs a block.
 */
int ext4_unlink(struct ext4_inode *dir, const char *name, struct ext4_inode **victim);

/* Remove an empty directory; @victim as above.  -ENOTEMPTY, -ENOTDIR, -EBUSY (the root). */
int ext4_rmdir(struct ext4_inode *dir, const char *name, struct ext4_inode **victim);

/*
 * ext4_rename - give @name in @from the new name @to_name in @to.  A target that exists must be
 * removed first (-EEXIST).  A power cut may leave both names (and the next repair keeps both
 * for a file, the first found for a directory), never none.  -EINVAL: into its own subtree.
 */
int ext4_rename(struct ext4_inode *from, const char *name, struct ext4_inode *to,
		const char *to_name);

/* ext4_may - do the file's flags (immutable, append-only) allow a change?  @adds: bytes behind the
 * end, blocks in holes, a name in a directory; else what is there changes or goes, the file's own
 * name included.  0 or -EPERM.  Every function here asks by itself; callers ask before they unmap
 * or wait.  ext4_forbids: the reason alone, or NULL; needs no lock. */
int ext4_may(struct ext4_inode *ip, bool adds);
const char *ext4_forbids(const struct ext4_inode *ip, bool adds);

/* ---- contents ----------------------------------------------------------------------- */

/* Bytes read (short at the end of the file, 0 behind it); holes and unwritten blocks are 0. */
int64_t ext4_read(struct ext4_inode *ip, uint64_t off, void *buf, uint64_t len);

/*
 * ext4_write - copy @len bytes to @off, allocating and extending as needed.
 * A fresh block is filled, written back and fenced before the file reaches it, the size follows
 * the blocks: a power cut shows the old size or the new bytes, never another file's.
 * Returns bytes written, short when space ran out; -ENOSPC when none; -EFBIG, -EISDIR, -EROFS.
 */
int64_t ext4_write(struct ext4_inode *ip, uint64_t off, const void *buf, uint64_t len);

enum ext4_map_state { EXT4_HOLE, EXT4_UNWRITTEN, EXT4_WRITTEN };

struct ext4_map {
	uint64_t lblk;		   /* as asked */
	uint64_t pblk;		   /* zero for a hole */
	uint32_t count;		   /* blocks from lblk on that are alike and contiguous, >= 1 */
	enum ext4_map_state state; /* */
	bool fresh;		   /* allocated or zeroed by this very call */
};

#define EXT4_MAP_CREATE 1u /* make the blocks exist, written, zeroed if they were not */

/*
 * ext4_map_blocks - where does the file keep [lblk, lblk + want)?
 * Answers for a prefix of at least one block.  With EXT4_MAP_CREATE the answer is WRITTEN:
 * holes are allocated (contiguous with the blocks before when possible; 2 MiB aligned when
 * lblk is and want >= 512), unwritten blocks converted; fresh blocks are zeroed, written back
 * and fenced *before* the file reaches them.  With CREATE, lblk must lie below the size
 * (-EINVAL otherwise): blocks behind the end come by ext4_fallocate.  -ENOSPC, -EROFS, -EIO.
 */
int ext4_map_blocks(struct ext4_inode *ip, uint64_t lblk, uint32_t want, uint32_t flags,
		    struct ext4_map *map);

/*
 * The two halves of truncate.  Shrinking: (the caller breaks layouts,) ext4_set_size makes the
 * new size durable, then zeroes the rest of the last block, which stays in the file; then (the
 * caller unmaps,) ext4_free_blocks(ip, DIV_ROUND_UP(size, 4096), EXT4_TO_END) gives the blocks
 * back.  Blocks behind the size between the two calls are not reachable by read and are
 * reclaimed by repair if the power goes.  Growing: only ext4_set_size.
 */
#define EXT4_TO_END UINT64_MAX
int ext4_set_size(struct ext4_inode *ip, uint64_t size);

/*
 * ext4_free_blocks - give the blocks of [first, end) back; the range becomes a hole.
 * Order: out of the tree, fence, env.freeing, bitmap, fence.  From the end of the file it never
 * needs a block.  In the middle it may have to split an extent: tree blocks for that come from
 * a reserve; with the reserve used up the range is zeroed in place instead and stays allocated,
 * so the call never fails for lack of space (F-10).  -EIO, -EROFS, -EINVAL.
 */
int ext4_free_blocks(struct ext4_inode *ip, uint64_t first, uint64_t end);

/* Both halves, for callers without layouts to break. */
int ext4_truncate(struct ext4_inode *ip, uint64_t size);

/*
 * ext4_zero_range - zero the bytes of [off, off + len) that lie in written blocks; durable.
 * The helper for partial blocks of a punch; blocks stay in the file.
 */
int ext4_zero_range(struct ext4_inode *ip, uint64_t off, uint64_t len);

/* Zero the partial blocks at both ends, free the whole ones; the size stays.  As
 * ext4_zero_range + ext4_free_blocks, for callers without layouts to break in between. */
int ext4_punch_hole(struct ext4_inode *ip, uint64_t off, uint64_t len);

#define EXT4_FALLOC_KEEP_SIZE 1u
/*
 * ext4_fallocate - back [off, off + len) with unwritten blocks where there are holes.
 * Extends the size unless EXT4_FALLOC_KEEP_SIZE.  -ENOSPC leaves what was allocated so far.
 */
int ext4_fallocate(struct ext4_inode *ip, uint64_t off, uint64_t len, uint32_t flags);

/*
 * Written blocks of [first, end) become unwritten: they stay allocated and read as zeroes.  Holes
 * stay holes, the size stays.  Nothing maps the range.  Where an extent cannot be parted for lack
 * of a tree block the zeroes are written in place, so the call never fails for space.  -EIO,
 * -EROFS.
 */
int ext4_make_unwritten(struct ext4_inode *ip, uint64_t first, uint64_t end);

/* Zero the bytes of a range and keep it allocated, for callers without layouts to break: partial
 * blocks are zeroed, whole ones as above, holes get unwritten blocks.  Extends the size unless
 * EXT4_FALLOC_KEEP_SIZE.  -ENOSPC: nothing reads differently. */
int ext4_zero_blocks(struct ext4_inode *ip, uint64_t off, uint64_t len, uint32_t flags);

/*
 * Reshaping: whole blocks change their place in a file, or their file.  @off and @len are multiples
 * of 4096.  Each is atomic: after a power cut the files are as before, or as after, nothing in
 * between (a mount of ours finishes what was published).  They build a new extent tree in
 * fresh blocks (none for files of up to four extents) and take time by the number of extents in the
 * file, so -ENOSPC is possible; then, and after -ENOMEM, -EIO or -EINVAL, nothing was changed.
 */

/* Take [off, off + len) out: what is behind it moves down, the size shrinks by @len.  The range
 * ends before the end of the file (-EINVAL; truncate is for that).  env.freeing is told of the
 * blocks. */
int ext4_collapse_range(struct ext4_inode *ip, uint64_t off, uint64_t len);

/* Make a hole of @len at @off, which lies before the end of the file (-EINVAL): what is behind
 * moves up, the size grows by @len.  -EFBIG. */
int ext4_insert_range(struct ext4_inode *ip, uint64_t off, uint64_t len);

/*
 * The blocks of [off, off + len) of @a and [at, at + len) of @b, two files, change places; holes
 * and unwritten blocks as well.  Both ranges lie below the ends of their files; @len may also reach
 * exactly to the end of both when that is no multiple of 4096.  The sizes stay.
 */
int ext4_exchange_range(struct ext4_inode *a, uint64_t off, struct ext4_inode *b, uint64_t at,
			uint64_t len);

/* Would the call above be refused for its arguments?  The same answer, and nothing is changed: for
 * callers that unmap or wait before. */
int ext4_check_collapse(struct ext4_inode *ip, uint64_t off, uint64_t len);
int ext4_check_insert(struct ext4_inode *ip, uint64_t off, uint64_t len);
int ext4_check_exchange(struct ext4_inode *a, uint64_t off, struct ext4_inode *b, uint64_t at,
			uint64_t len);

/* Fence: data of ext4_write and whatever the caller wrote back before are durable after. */
int ext4_fsync(struct ext4_inode *ip);

/* The file was stored to through a mapping at @when (seconds since 1970): its mtime and ctime,
 * unless they are later.  Durable on return.  -EROFS. */
int ext4_stored(struct ext4_inode *ip, uint32_t when);
/* When its contents changed last, as far as this layer was told: the low 32 bits of seconds. */
uint32_t ext4_mtime(const struct ext4_inode *ip);

/*
 * ext4_free_again - clear the bitmap bits of [pblk, pblk + count) although nobody gave them up.
 * What a double free does; only for those who want to see it found (the museum, ext4_check's
 * tests).
 */
void ext4_free_again(struct ext4_fs *fs, uint64_t pblk, uint32_t count);

/* Does the bitmap call the block free, busy or not? */
bool ext4_block_free(struct ext4_fs *fs, uint64_t pblk);

/* ---- the whole device --------------------------------------------------------------- */

enum ext4_owner_kind {
	EXT4_OWN_DATA,	    /* written blocks of a file or directory */
	EXT4_OWN_UNWRITTEN, /* allocated, reads as zero */
	EXT4_OWN_TREE,	    /* a node of the extent tree */
	EXT4_OWN_XATTR,	    /* an extended attribute block (may be shared by inodes) */
	EXT4_OWN_META	    /* superblock, descriptors, bitmaps, inode table; ino == 0 */
};

struct ext4_extent_info {
	uint32_t ino;
	enum ext4_owner_kind kind;
	uint64_t lblk; /* for DATA and UNWRITTEN */
	uint64_t pblk;
	uint32_t count;
};

/*
 * ext4_for_each_extent - every run of blocks that something on the device owns.
 * Unlinked files that are still held are included.  @cb returning non-zero stops the walk and
 * is returned.  -EIO on damage (ext4_why says where).
 */
typedef int (*ext4_extent_cb)(void *ctx, const struct ext4_extent_info *e);
int ext4_for_each_extent(struct ext4_fs *fs, ext4_extent_cb cb, void *ctx);

/* Who owns @pblk?  A full scan.  0 with *owner filled; -ENOENT: nobody. */
int ext4_block_owner(struct ext4_fs *fs, uint64_t pblk, struct ext4_extent_info *owner);

/*
 * ext4_check - I7 as a function: no block has two owners, every owned block is set in the
 * bitmap, every set bit has an owner, every inode with a link is set in its bitmap.
 * Each finding is one sentence to @say (may be NULL).  Returns the number of findings, 0 = good,
 * or a negative errno when the scan itself could not be done.
 */
int ext4_check(struct ext4_fs *fs, void (*say)(void *ctx, const char *line), void *ctx);

#endif
