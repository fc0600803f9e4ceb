/* SPDX-License-Identifier: MIT */
/*
 * A picture of all page records at one moment, for those who draw it: a text, the screen, a
 * browser.
 *
 * A row is a frame of records, which is 128 pages of 4 KiB; of folios and compounds, which count as
 * one, up to 128 neighbours. Rows exist where a page was ever touched. Where there are too many,
 * those in use come first. Nobody is stopped for it: two cells may be of two moments.
 */
#ifndef MM_PICTURE_PICTURE_H
#define MM_PICTURE_PICTURE_H

#include <stdint.h>

#define PICTURE_ROWS	 40u
#define PICTURE_CELLS	 128u
#define PICTURE_PAGES	 12u /* described in words */
#define PICTURE_SLEEPERS 8u

/* What a cell shows; of several the last one that is true. In a file that a text may show. */
enum picture_cell {
	CELL_NONE = ' ', /* no record was made */
	CELL_REST = '.', /* nobody uses the page */
	CELL_MAPPED = 'm',
	CELL_HELD = 'H', /* somebody has a reference beyond rest */
	CELL_BUSY = 'B', /* held, and its file has freed it */
};

struct picture_row {
	char device[16];
	uint64_t pfn;		      /* of the first cell */
	uint32_t unit, nr;	      /* pages of a cell; cells */
	uint32_t used;		      /* cells that are not at rest */
	char cell[PICTURE_CELLS + 1]; /* enum picture_cell */
};
struct picture_page {
	uint64_t pfn, index;
	char cell;
	uint32_t refs, maps;
	const struct mapping *mapping; /* by which `file` is looked for; NULL: no entry */
	char file[64];		       /* empty: none, or it could not be asked now */
	char holders[200];
};
struct picture_sleeper {
	unsigned tid;
	char name[32], what[80], waker[96];
};
struct picture {
	struct picture_row row[PICTURE_ROWS];
	struct picture_page page[PICTURE_PAGES];
	struct picture_sleeper sleeper[PICTURE_SLEEPERS];
	unsigned nr_rows, nr_pages, nr_sleepers;
	unsigned rows_left, pages_left; /* zero: all are there */
	uint64_t mapped, held, busy;	/* cells, those of rows that are left included */
};

/* Sleepable; waits for nobody who may be stopped at a step point. */
void picture_take(struct picture *p);

#endif
