/* SPDX-License-Identifier: MIT */
/*
 * Power cuts in ext4: scripts of operations, the model that says what is right after each, and
 * the judge that looks at an image a cut has left.
 *
 * A script runs on `live` under the recorder (ext4_cut.h).  At every moment of a cut each kind of
 * outcome is built in `crash` and judged twice: as it lies (no block has two owners, no file
 * reaches a free block) and after a mount with repair (contents are those before or after the
 * interrupted operation, everything else is untouched, ext4_check and e2fsck find nothing).
 * A reshaping (collapse, insert, exchange) is judged as a whole: all of it happened, or nothing.
 */
#ifndef TESTS_HOST_EXT4_CRASH_H
#define TESTS_HOST_EXT4_CRASH_H

#include "tests/kernel/lib/ext4_cut.h"
#include "tests/host/ext4_image.h"

#define FILES 8
#define DIRS  3
#define MAX   (3u << 20)

enum kind {
	CREATE,
	MKDIR,
	WRITE,
	TRUNCATE,
	PUNCH,
	FALLOCATE,
	KEEP,
	FAULT,
	UNLINK,
	HOLEY, /* write every second block below len, from the end */
	CROWD, /* names that fill the directory's first block; for set-up */
	HOLD,  /* unlink while open */
	LETGO,
	SYNC, /* mark the device clean */
	RMDIR,
	RENAME, /* to directory len */
	ZERO,
	COLLAPSE,
	INSERT,
	EXCHANGE /* use SWAP */
};

struct op {
	enum kind kind;
	int file; /* or directory */
	uint64_t off, len;
};

/* [off, off + len) of file a and [at, at + len) of file b change places. */
#define SWAP(a, off, b, at, len)                                                                   \
	{                                                                                          \
		EXCHANGE, a, (off) | (uint64_t)(b) << 32, (len) | (uint64_t)(at) << 32             \
	}
#define SWAP_OFF(op)   ((uint32_t)(op)->off)
#define SWAP_OTHER(op) ((int)((op)->off >> 32))
#define SWAP_LEN(op)   ((uint32_t)(op)->len)
#define SWAP_AT(op)    ((op)->len >> 32)

struct crash_state {
	struct {
		bool exists;
		int dir; /* 0: the root, n: /dn */
		uint64_t size;
		uint8_t data[MAX];
	} file[FILES];
	bool dir[DIRS + 1];
};

extern struct image live, crash;
extern struct crash_state before, after; /* what the files hold around the running operation */
extern const struct op *running;
extern uint32_t cut_seed;
extern uint32_t outcomes, broken; /* judged, and found wrong; zero broken is the aim */

/* How crash_run works, set before it. */
extern uint32_t e2fsck_one_in;	    /* run e2fsck on one outcome in n; 0: never */
extern uint32_t lose_one_in;	    /* break the order on purpose; 0: do not */
extern bool cut_repair_too;	    /* cut the repair of each outcome off, too */
extern void (*crash_prepare)(void); /* change `live` before the first mount; NULL: do not */

/* /dN/fI, or /fI for directory 0; valid until the next call. */
const char *crash_path(int file, int dir);
/* Judge `crash` as it lies, and after repair.  False: wrong; crash_reason() keeps the first. */
bool judge_as_it_lies(void);
bool judge_repaired(void);
const char *crash_reason(void);
void crash_forget(void);
/* Run @set_up operations without cuts, then @n with, on images of @mib made by mkfs.ext4 @mkfs.
 * Fails the test at the first wrong outcome, unless fences are lost on purpose. */
void crash_run(const struct op *script, size_t set_up, size_t n, uint32_t mib, const char *mkfs);

#endif
