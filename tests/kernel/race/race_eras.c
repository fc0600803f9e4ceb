/* SPDX-License-Identifier: MIT */
/*
 * What later eras of a design are expected to do, race by race.
 *
 * The columns 6.1 and 7.3 are what Linux 6.1.192 and 7.3.4 answered, with ext4 and a driver that
 * holds pages (docs/linux-truth.md); none of it is taken from a run of this kernel. A race that is
 * not here was not asked there. Of a race named matrix-*, one shape in three was (no entry was
 * locked by a fault); the other cells are as in the design's first era. The column 5.18 was
 * measured nowhere: it is known from patches, and has only the races where it differs from 4.17.
 *
 * Not in this table, since they are no races: Linux refuses no unbinding for a held page, while
 * `pmem unbind` does in these eras.
 */
#include "tests/kernel/race/race.h"

#define SAFE	  RACE_SAFE
#define I1	  RACE_BROKEN_I1
#define I2	  RACE_BROKEN_I2
#define HUNG	  RACE_HUNG
#define NOT_ASKED RACE_SKIP

static const struct {
	const char *lifetime, *era;
} columns[] = {{"idle-at-one", "5.18"}, {"idle-at-one", "6.1"}, {"counted-map", "7.3"}};
#define COLUMNS ARRAY_SIZE(columns)

static const struct row {
	const char *race;
	enum race_verdict verdict[COLUMNS]; /* 5.18, 6.1, 7.3 */
} rows[] = {
	/* A held page that somebody maps: truncate and punch sleep until the put. */
	{"A-1", {NOT_ASKED, SAFE, SAFE}},
	{"A-1-truncate", {NOT_ASKED, SAFE, SAFE}},
	{"dma-punch", {NOT_ASKED, SAFE, SAFE}},
	{"dma-truncate", {NOT_ASKED, SAFE, SAFE}},
	/* The same that nobody maps; unlinked; unmounted. */
	{"C-1", {NOT_ASKED, I1, SAFE}},
	{"C-3", {NOT_ASKED, I1, SAFE}},
	{"C-3-umount", {NOT_ASKED, I1, SAFE}},
	{"E-3", {NOT_ASKED, I1, HUNG}},
	/* The device goes. */
	{"C-4", {NOT_ASKED, I2, I2}},
	{"C-7", {I2, I2, I2}},
	{"C-8", {I2, I2, I2}},
	{"E-2", {I2, I2, I2}},
	{"E-3-unbind", {I2, I2, HUNG}},
	/* Which put wakes. */
	{"C-5", {HUNG, HUNG, SAFE}},
	{"bio-truncate", {NOT_ASKED, HUNG, SAFE}},
	/* What else is waited for. */
	{"C-6", {NOT_ASKED, HUNG, HUNG}},
	{"C-6-range", {NOT_ASKED, HUNG, HUNG}},
	{"E-7", {NOT_ASKED, SAFE, HUNG}},
	/* Every way to hold, 4K and 2M, mapped and unmapped. */
	{"matrix-truncate", {NOT_ASKED, I1, SAFE}},
	{"matrix-punch", {NOT_ASKED, I1, SAFE}},
	{"matrix-zero", {NOT_ASKED, SAFE, SAFE}},
	{"matrix-collapse", {NOT_ASKED, I1, SAFE}},
	{"matrix-insert", {NOT_ASKED, SAFE, SAFE}},
	{"matrix-evict", {NOT_ASKED, I1, SAFE}},
	{"matrix-umount", {NOT_ASKED, I1, SAFE}},
	{"matrix-unbind", {I2, I2, I2}},
};

const struct race_era *race_era_nth(unsigned n)
{
	static struct race_era answer;

	for (unsigned c = 0; c < COLUMNS; c++)
		for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
			if (rows[i].verdict[c] != NOT_ASKED && n-- == 0) {
				answer = (struct race_era){rows[i].race, columns[c].lifetime,
							   columns[c].era, rows[i].verdict[c]};
				return &answer;
			}
	return NULL;
}
