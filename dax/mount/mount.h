/* SPDX-License-Identifier: MIT */
/* Mounts. Included by dax.h. */
#ifndef DAX_MOUNT_MOUNT_H
#define DAX_MOUNT_MOUNT_H

/* ---- mounts (mount.c) ------------------------------------------------------------------------ */

struct mount_options {
	bool longterm; /* longterm=allow: pins without an end are taken; a lifetime may refuse it */
	bool sectors;  /* entries=sectors: unaware only */
	const struct dax_layer_ops *ops; /* the file layer; NULL: LAYER_DEFAULT */
	void *layer;			 /* for ops->mount */
};
/*
 * COMING: its device is being looked at, which may mean a scan of all of it. LIVE. LEAVING: it
 * takes no new user, and umount waits for who walks through it, for its files and for holders of
 * their pages; -EBUSY makes it LIVE again. In each its place and its region are taken.
 */
enum mount_state { MOUNT_COMING, MOUNT_LIVE, MOUNT_LEAVING };
struct dax_fs {
	enum mount_state state; /* mounts_lock; read under fs->lock as well */
	unsigned walkers; /* dax_fs_for_each() is at it; zero: umount may go on (mounts_lock) */
	struct pmem_region *region;
	const struct dax_layer_ops *ops;
	void *layer; /* the file layer's object */
	const struct lifetime *lifetime;
	bool longterm; /* of the options, constant */
	bool sectors;
	uint64_t freed_early; /* fs->lock: runs that the bitmap showed free before they were marked;
				 zero: none, as it must be (F-11) */
	uint64_t serial;      /* 1, 2, … of all mounts since boot; constant */
	uint64_t marked;      /* fs->lock: blocks that this mount marked busy; zero: none */
	char path[64];	      /* mount point, "/t" */
	struct mutex lock;    /* serialises the file layer */
	LIST_HEAD(, dax_inode) inodes; /* fs->lock */
	uint64_t last_freed;	       /* fs->lock: first block of the run that was freed last */
	uint32_t last_freed_count;     /* fs->lock: zero: none since the mount */
	LIST_ENTRY(dax_fs) link;
};
/* Mounts a region's ext4 at `path`. Refusals leave everything as it was; the sentence is in
 * refusal(). -EBUSY: mounted already, path taken, or pages held under another lifetime (named).
 * -EROFS never: a read-only region is mounted read-only. */
int dax_mount(struct pmem_region *region, const char *path, const struct lifetime *lt,
	      struct dax_fs **out);
/* The same with options (NULL: none). -EINVAL: the lifetime does not have one of them. */
int dax_mount_with(struct pmem_region *region, const char *path, const struct lifetime *lt,
		   const struct mount_options *options, struct dax_fs **out);
/* -EBUSY while a file is open or mapped; the sentence names it. May sleep for who holds pages of
 * its files, as the lifetime has it; nobody but a user of this very mount waits meanwhile. */
int dax_umount(const char *path);
/*
 * A walker holds what it walks (memremap.h). In this folder the checks, the listings and the search
 * for held pages read records of pages that nobody here holds. They go by page_records_for_each(),
 * or keep the device as a mount, the region's transition or device-dax's lock does; a look at one
 * record without any of these is a panic.
 */
/* The mount that `path` lies in, with its lock taken; what is left of the path in *rest.
 * NULL: none that is LIVE, and refusal() says which it is. */
struct dax_fs *dax_fs_find(const char *path, const char **rest);
/* fn of every mount that is LIVE, until it returns nonzero. No lock is held meanwhile: the mount
 * is, and its umount waits until fn is through with it. Sleepable; fn may wait for what it likes.
 */
void dax_fs_for_each(int (*fn)(struct dax_fs *, void *), void *arg);
/* The LIVE mount of a region, held as for_each holds it, for dax_fs_put(); NULL: none. *between: it
 * comes or leaves just now, and what its device's records say is about to change. */
struct dax_fs *dax_fs_of(const struct pmem_region *region, bool *between);
void dax_fs_put(struct dax_fs *fs);
/* Prints a line for each mount that comes or leaves; how many. */
unsigned dax_fs_print_changing(void);

#endif
