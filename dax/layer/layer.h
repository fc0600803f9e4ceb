/* SPDX-License-Identifier: MIT */
/*
 * The file layer interface: what DAX asks of whoever keeps names and blocks on the device.
 *
 * ext4 (dax/ext4/) is one file layer, the self-tests have another, with shared blocks. Files,
 * directories, layout changes and the shell's commands reach a file layer through these operations
 * only. One that a layer lacks is NULL, and who needs it refuses with the layer's name. Every layer
 * has map, map_run, set_size, size, zero, free, sync, lookup, has_name, drop, mount, unmount, check
 * and owned; one with `walk` has by_number, names, put_node and opened as well.
 *
 * fs->lock is held for all of them but map, map_run and forbids. 0 or a negative errno, with a
 * sentence (refuse()).
 */
#ifndef DAX_LAYER_LAYER_H
#define DAX_LAYER_LAYER_H

#include "drivers/drivers.h"

#define DAX_NAME_MAX 255u

struct dax_inode;
struct dax_fs;
struct mount_options;

/* Where a file keeps one page. */
struct dax_block {
	uint64_t pfn; /* zero: a hole */
	bool fresh;   /* allocated by this very call: the hole may still be mapped as zeroes */
	bool shared;  /* other files have it too; mapped read-only, see share.c */
};
/* Where a file keeps several: what the first ones have in common. */
struct dax_run {
	uint64_t pfn;	/* zero: a hole */
	uint32_t count; /* pages from the first one on that are alike and side by side, 1 … want */
	bool written;	/* false: a hole, or allocated and reads as zeroes */
	bool fresh;	/* as above */
	bool shared;	/* as above; of lookup() only */
};

enum dax_type { DAX_FILE, DAX_DIRECTORY, DAX_LINK, DAX_SPECIAL };
/* What a name leads to. */
struct dax_node {
	void *layer;		/* the layer's object, with one reference for put_node() */
	struct dax_inode *open; /* the same as a DAX file, if it is one already; NULL */
	uint32_t number;
	enum dax_type type;
	uint32_t permissions, links;
	uint32_t changed; /* when its contents changed, seconds since 1970; zero: unknown */
	uint64_t size;	  /* bytes */
};
struct dax_name {
	uint32_t number;
	char name[DAX_NAME_MAX + 1];
};

/* Blocks and inodes of a mount. */
struct dax_space {
	uint64_t blocks, free_blocks; /* free as the layer has it, busy ones included */
	uint64_t reserved_blocks;     /* of the free ones: set aside for freeing (F-10) */
	uint64_t inodes, free_inodes;
	uint64_t enospc_busy; /* -ENOSPC with busy blocks as a reason; zero: never */
};

/* May it be done, or do it? A change is asked for before anything is unmapped or waited for. */
enum dax_do { DAX_MAY, DAX_DO };

struct dax_layer_ops {
	const char *name;
	unsigned map_flags; /* of MAP_SHARED_VALIDATE, that its files can honour; zero: none */

	/* ---- faults: no lock is held, the call takes fs->lock itself if it needs it */
	/* The block of file page `pgoff`; `create`: makes it exist, zeroed and durable, once
	 * layout_break_fault() says that it may. 0, -ENOSPC, -EIO, -EAGAIN, … Called with the entry
	 * locked; may sleep. */
	int (*map)(struct dax_inode *inode, uint64_t pgoff, bool create, struct dax_block *b);
	/* The same for up to `want` pages; the answer may stop earlier. */
	int (*map_run)(struct dax_inode *inode, uint64_t pgoff, uint32_t want, bool create,
		       struct dax_run *run);
	/* Why the file's own flags forbid a change, or NULL; `adds`: only bytes behind its end or
	 * blocks in its holes. No lock. NULL: files have no flags. */
	const char *(*forbids)(const struct dax_inode *inode, bool adds);

	/* ---- a file's contents */
	uint64_t (*size)(const struct dax_inode *inode); /* bytes, as the layer has it */
	int64_t (*read)(struct dax_inode *inode, uint64_t off, void *buf, uint64_t len);
	int64_t (*write)(struct dax_inode *inode, uint64_t off, const void *buf, uint64_t len);
	int (*set_size)(struct dax_inode *inode, uint64_t size);
	/* Bytes that lie in written blocks become zero. */
	int (*zero)(struct dax_inode *inode, uint64_t off, uint64_t len);
	/* Holes of the range get blocks that read as zeroes; keep_size: so does the size stay. */
	int (*allocate)(struct dax_inode *inode, uint64_t off, uint64_t len, bool keep_size);
	/* Written pages [first, last) read as zeroes, and keep their blocks. */
	int (*unwrite)(struct dax_inode *inode, uint64_t first, uint64_t last);
	/* Pages [first, last) become a hole; last may be beyond the end. The lifetime's freed() is
	 * called for blocks that nobody owns any more, before they may be given away. */
	int (*free)(struct dax_inode *inode, uint64_t first, uint64_t last);
	/* The bytes behind a range come to its begin; a hole comes in before `off`. */
	int (*collapse)(struct dax_inode *inode, uint64_t off, uint64_t len, enum dax_do what);
	int (*insert)(struct dax_inode *inode, uint64_t off, uint64_t len, enum dax_do what);
	int (*exchange)(struct dax_inode *a, uint64_t off, struct dax_inode *b, uint64_t at,
			uint64_t len, enum dax_do what);
	/* Pages [first, first + n) of `from` are those of `to` from `at` on as well, which are
	 * holes before (-EEXIST). */
	int (*share)(struct dax_inode *from, uint64_t first, struct dax_inode *to, uint64_t at,
		     uint64_t n);
	int (*sync)(struct dax_inode *inode); /* a fence, at least */
	/* The file was stored to through a mapping at this second since 1970. NULL: the layer keeps
	 * no times. */
	int (*stored)(struct dax_inode *inode, uint32_t when);
	/* Where the file of this object of the layer keeps up to `want` pages. */
	int (*lookup)(struct dax_fs *fs, const void *layer, uint64_t pgoff, uint32_t want,
		      struct dax_run *run);

	/* ---- names. A path is what dax_fs_find() left of it, and begins with '/'. */
	/* `create`: a regular file is made if the last name is absent. */
	int (*walk)(struct dax_fs *fs, const char *path, bool create, struct dax_node *node);
	int (*by_number)(struct dax_fs *fs, uint32_t number, struct dax_node *node);
	/* The name at or after *pos of a directory; *pos then stands behind it. 1, 0: no more. */
	int (*names)(struct dax_fs *fs, struct dax_node *directory, uint64_t *pos,
		     struct dax_name *name);
	int (*make_directory)(struct dax_fs *fs, const char *path);
	int (*remove_directory)(struct dax_fs *fs, const char *path);
	/* Takes the name away; the file itself, in *node, goes with its last user. */
	int (*unlink)(struct dax_fs *fs, const char *path, struct dax_node *node);
	/* Gives the reference back; one without a name that nobody uses is freed. */
	int (*put_node)(struct dax_fs *fs, struct dax_node *node);
	/* The node becomes a DAX file, whose `layer` is set already, and which has the node's
	 * reference from now on. */
	void (*opened)(struct dax_inode *inode, struct dax_node *node);
	bool (*has_name)(const struct dax_inode *inode); /* no: its blocks go with its last user */
	void (*drop)(struct dax_inode *inode);		 /* DAX forgets it; nothing maps it */

	/* ---- a mount */
	int (*mount)(struct dax_fs *fs, const struct mount_options *o);
	int (*unmount)(struct dax_fs *fs);
	/* NULL, both: it has nothing to say, or to write. */
	void (*space)(struct dax_fs *fs, struct dax_space *space);
	int (*sync_all)(struct dax_fs *fs);
	/* I1: every block has as many owners as it should. Findings, each said, or negative. */
	int (*check)(struct dax_fs *fs, void (*say)(void *ctx, const char *line), void *ctx);
	bool (*owned)(struct dax_fs *fs, uint64_t block); /* by any file */
	/* Does something else than this layer lie on the region? 0, or -EINVAL, with a
	 * sentence that names it. NULL: whatever lies there is overwritten. */
	int (*barred)(const struct pmem_region *r);
};

/* A file layer that `mount … layer=NAME` finds. */
#define DAX_LAYER(ident, ops_)                                                                     \
	static const struct dax_layer_ops *const dax_layer_##ident                                 \
		__attribute__((used, section("hf_layers"), aligned(8))) = &(ops_)
#define LAYER_DEFAULT "ext4"
const struct dax_layer_ops *dax_layer_find(const char *name); /* NULL: unknown */
const struct dax_layer_ops *dax_layer_nth(unsigned n);	      /* NULL past the last */

#endif
