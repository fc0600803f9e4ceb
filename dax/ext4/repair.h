/* SPDX-License-Identifier: MIT */
/* What the three files of repair share; see repair.c for the plan. */
#ifndef DAX_EXT4_REPAIR_H
#define DAX_EXT4_REPAIR_H

#include "dax/ext4/priv.h"

/* A directory that was found, and the one that holds its name. */
struct repair_dir {
	uint32_t ino, parent;
};

struct repair {
	struct ext4_fs *fs;
	struct ext4_census census; /* blocks that have an owner */
	uint16_t **links;	   /* by group and inode: links counted; zero means: no name */
	uint32_t *dirs;		   /* by group: directories in use */
	struct repair_dir *queue;  /* directories found; read in this order */
	uint32_t queued, room;
	uint64_t blocks; /* of the inode being counted */
	uint32_t n_dirs, n_files;
	uint8_t scratch[EXT4_BLOCK_SIZE]; /* an inode bitmap being made */
};

int repair_inode(struct repair *r, uint32_t ino);
uint16_t *repair_links(struct repair *r, uint32_t ino);
int repair_names(struct repair *r);
int repair_maps(struct repair *r);

#endif
