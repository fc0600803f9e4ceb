/* SPDX-License-Identifier: MIT */
/*
 * Soaks: everything at once, bounded by a number of operations, every byte looked at.
 */
#ifndef TESTS_KERNEL_LIB_SOAK_H
#define TESTS_KERNEL_LIB_SOAK_H

#include "dax/dax.h"

struct soak_result {
	bool tells;		  /* given: say how far it is, every two seconds */
	const char *skip;	  /* a sentence: it could not run; NULL: it did */
	int err;		  /* of a device that is missing or in use; zero: none is */
	unsigned transfers;	  /* direct I/O that the disk did */
	unsigned failed;	  /* of it, with an error of the disk */
	unsigned refused;	  /* pages that were not there: beyond the end, or no block free */
	unsigned dmas;		  /* jobs that the edu device did */
	unsigned changes, rounds; /* layout changes that succeeded; rounds of the layout thread */
	unsigned windows;	  /* of them with every disk thread's completion held back */
	unsigned waits;		  /* changes that met a busy page and waited */
	unsigned violations;	  /* of invariants, looked at in the end */
	unsigned foreign;	  /* bytes that were another file's. Zero: never */
	char text[120];		  /* the first of them */
};

/*
 * Linux's generic/503 with `ops` direct transfers. With `held` the last page of F is pinned until
 * all of them are done: only for a lifetime that refuses instead of waiting. Sleepable; mounts the
 * scratch device and unmounts it. What came of it is in *r.
 */
void soak_503(const struct lifetime *lt, unsigned ops, bool held, struct soak_result *r);

#endif
