/* SPDX-License-Identifier: MIT */
/* What the files of repair share; see recover.c and repair.c for the plan. */
#ifndef DAX_EXT4_REPAIR_H
#define DAX_EXT4_REPAIR_H

#include "dax/ext4/priv.h"

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
