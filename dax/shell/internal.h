/* SPDX-License-Identifier: MIT */
/* What the commands of this folder share with each other and with nobody else. */
#ifndef DAX_SHELL_INTERNAL_H
#define DAX_SHELL_INTERNAL_H

#include "dax/dax.h"

/* cmd_file.c: a command that opens argv[1], parses `numbers` words (two at most) behind it, what[]
 * being their names, calls fn with them and says whether that waited. */
int dax_cmd_change(int argc, char **argv, unsigned numbers, const char *const *what,
		   int (*fn)(struct dax_inode *, const uint64_t *));
void dax_cmd_waited(const char *command, const struct dax_inode *inode);

/* cmd_map.c: `sync MAPPING [OFF LEN]`. */
int dax_sync_mapping(int argc, char **argv);

/* ---- The names of mappings (map_names.c), for the commands that make and change mappings. */

#define MAP_NAME_WHAT 80 /* bytes: "/t/f", "/t/f, private", "anonymous" */

int names_list(void); /* prints all of them; 0 */
/* Sets names aside. -ENOSPC, with a sentence. */
int names_reserve(unsigned nr);
/* One that was set aside becomes the range's, and is printed; what NULL: it is not needed. */
void names_add(uint64_t start, uint64_t pages, const char *what);

/* A range that is about to go, or to move onto another one. */
struct names_cut {
	/* Given by the caller, the rest zero. */
	uint64_t start[2], len; /* of the range, and of the one that goes with it */
	unsigned nr;		/* of start[]: 1 or 2 */
	bool moves;		/* the first range gets a name where it goes to */

	char what[MAP_NAME_WHAT];
	unsigned reserved;
};
/* -ENOSPC, -EBUSY, -ENOENT, with a sentence; nothing was changed. No lock is held on return. */
int names_begin(struct names_cut *c);
/* By the same thread: `gone`, or as it was; where a range that moves is now. */
void names_end(const struct names_cut *c, bool gone, uint64_t moved_to);

#endif
