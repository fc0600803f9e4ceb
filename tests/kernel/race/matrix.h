/* SPDX-License-Identifier: MIT */
/*
 * The matrix: every way a block can go × every way a page is held × 4K and 2 MiB × mapped or not.
 *
 * One race for each way (`race matrix-truncate`, …), one line for each lifetime, 36 cells a line. A
 * cell is a script without columns: F gets a page, somebody holds it, an operation wants the block,
 * the device writes late, the page is put. What came of it is compared with the table of
 * matrix_table.c, which knows nothing of how a cell is run; a cell that differs, in either
 * direction, is printed, and makes the race's verdict a surprise.
 *
 * What the named races do in earnest is a model here, as there are thousands of cells:
 *   the late write   is the CPU's, through the direct map, and not a device's (edu takes 100 ms);
 *   an undo          is a reference taken and given back as fast gup does it, by page_get() and
 *                    page_put(): the real one is race C-5-undo;
 *   a locked entry   is locked by the director and not by a fault. The "fault" ends when the
 *                    operation sleeps for it, or when the lifetime's scan has gone by: the
 *                    steps break_layout and evict of the mount are wrapped to tell (race C-2
 *                    stops there by a step point).
 */
#ifndef TESTS_KERNEL_RACE_MATRIX_H
#define TESTS_KERNEL_RACE_MATRIX_H

#include "tests/kernel/race/script.h"

enum way {
	WAY_TRUNCATE,
	WAY_PUNCH,
	WAY_ZERO,
	WAY_COLLAPSE,
	WAY_INSERT,
	WAY_EVICT,
	WAY_UMOUNT,
	WAY_UNBIND,
	WAY_EXCHANGE,
	WAY_COW,
	WAYS
};
enum hold { HOLD_SLOW, HOLD_FAST, HOLD_PIN, HOLD_BULK, HOLD_INTERRUPTED, HOLD_UNDO, HOLDS };
enum shape { SHAPE_MAPPED, SHAPE_UNMAPPED, SHAPE_LOCKED, SHAPES };

#define MATRIX_PER_WAY (HOLDS * 2 * SHAPES)
#define MATRIX_BULK    4u /* references that a bulk put gives back */

/* Of an exchange every cell is played with each: whose page is held decides nothing. */
enum side { SIDE_LOWER, SIDE_HIGHER, SIDE_BOTH, SIDES }; /* by the files' inode numbers */

/* Which cell. */
struct cell {
	enum way way;
	enum hold hold;
	enum shape shape;
	bool huge;
};
/* What it runs on. */
struct stage {
	struct cell cell;
	const struct lifetime *lt;
	struct mm *mm;
	struct dax_fs *fs;	     /* NULL: not mounted */
	struct dax_inode *f, *g, *h; /* h: the other file of two; NULL: not there */
	enum side side;		     /* of an exchange */
	bool in_order;		     /* of an unbinding: unmounted first, by dax_unbind() */
	uint64_t va_h;		     /* H's page is mapped here; zero: it is not */
	struct page *held_h;	     /* NULL: nobody holds a page of H */
	uint64_t va;		     /* F's unit is mapped here; zero: it is not */
	unsigned unit;		     /* pages of F that the way is about: 1, 512 */
	unsigned at;		     /* the one that is held */
	struct page *page;	     /* its record */
	struct page *held[MATRIX_BULK];
	unsigned nr_held;
	uint64_t entry; /* of a locked entry; zero: it is not locked (atomic) */
	uint64_t *buf;	/* as large as the unit of 2 MiB */
	/* The operation's thread. */
	struct thread *thread;
	bool done; /* atomic */
	int err;
	enum race_verdict verdict;
	char why[160]; /* if the cell could not be played: RACE_SKIP */
};

/* ---- the table (matrix_table.c) ------------------------------------------------------------- */
const char *matrix_cannot(const struct lifetime *lt, struct cell c); /* NULL: it can happen */
/* What the table says, and the weakness by name ("" if safe). */
enum race_verdict matrix_expects(const struct lifetime *lt, struct cell c, const char **name);
void matrix_name(struct cell c, char *buf, unsigned n);
/* Of zero and insert, where no byte tells: has the design to wait for the held page, as it does
 * when a collapse moves it? No weakness of the table lets it go on. */
bool matrix_must_wait(const struct lifetime *lt, struct cell c);

/* ---- one cell (matrix_cell.c) --------------------------------------------------------------- */
/* Plays it once; s->cell, lt, mm, buf are set. */
void matrix_play(struct stage *s);
bool __printf(2, 3) matrix_failed(struct stage *s, const char *fmt, ...); /* false */
/* Until the operation is done, or sleeps with nobody left but timers; `skip`: or to its end, with
 * the clock moved on. True: it is done. */
bool matrix_settle(struct stage *s, bool skip);
/* `ns` of the clock go by. */
void matrix_pass(struct stage *s, uint64_t ns);
void matrix_start(struct stage *s); /* the way's operation, in a thread */

/* ---- ways and holds (matrix_ways.c) --------------------------------------------------------- */
int matrix_operation(struct stage *s); /* the operation; in its own thread */
bool matrix_frees(enum way w);	       /* F's blocks are free afterwards: G can be made of them */
bool matrix_hold(struct stage *s);     /* false: failed */
void matrix_put(struct stage *s);
/* Zero and insert: the block stays F's, and so do the late bytes. Sets the verdict (BROKEN I1, I3
 * or I6, with s->why) if they did not, `late`: after the late write. False: it did. */
bool matrix_judge_kept(struct stage *s, bool late);

/* ---- unbinding (matrix_unbind.c) ------------------------------------------------------------ */
int matrix_way_unbind(struct stage *s); /* the operation */
/* It has its own end: records that are gone have to come back. */
void matrix_unbind(struct stage *s);

#endif
