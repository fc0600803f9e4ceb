/* SPDX-License-Identifier: MIT */
/*
 * The power-cut recorder: what is on a DIMM when the power goes?  Pure code: the self-tests cut.*
 * play with it in the kernel (cut_play.c), the host tests of dax/ext4 (tests/host/ext4_crash.h) as
 * well.
 *
 * `live` is what the CPU sees; `durable` is what survives for certain.  A write-back makes a line
 * pending, a fence makes all pending lines durable.  Between two fences anything may have arrived:
 * a pending line or not, a dirty line that was never written back (a cache may evict any line at
 * any time), even single 8-byte words of one.  cut_make builds one such outcome.
 */
#ifndef TESTS_KERNEL_LIB_EXT4_CUT_H
#define TESTS_KERNEL_LIB_EXT4_CUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINE 64u

enum cut_kind {
	CUT_NOTHING, /* only what is durable for certain */
	CUT_ALL,     /* every dirty line was evicted just now */
	CUT_PENDING, /* a random half of the lines that were written back */
	CUT_LINES,   /* a random half of all dirty lines */
	CUT_WORDS,   /* a random half of the 8-byte words that differ */
	CUT_KINDS
};

struct cut {
	uint8_t *live, *durable;
	size_t size;
	size_t low, high;     /* pending lines lie in [low, high) */
	bool *pending;	      /* by line */
	uint8_t *written;     /* the content a pending line had when it was written back */
	uint64_t fences;      /* so far */
	uint32_t lose_one_in; /* break the order on purpose: ignore one fence in n; 0: none */
	/* Called before each fence and at every 16th write-back: the moments of a cut. */
	void (*moment)(struct cut *c);
	bool in_moment, looked; /* `differs` is what `live` and `durable` are at this moment */
	bool *differs;		/* by page: the CPU sees other bytes than survive for certain */
	struct cut *outer;	/* the recorder that was active before */
};

/* Start recording on @live: all of it is durable now.  May nest; cut_end returns to the outer. */
void cut_begin(struct cut *c, uint8_t *live, size_t size, void (*moment)(struct cut *c));
void cut_end(struct cut *c);
void cut_drop(void); /* gives back what cut_end keeps for the next cut_begin */
/* One outcome of a cut at this moment, into @out (which may hold an older one). */
void cut_make(struct cut *c, enum cut_kind kind, uint32_t *seed, uint8_t *out);

/* For struct ext4_env; they act on the recorder of the latest cut_begin. */
void cut_writeback(const void *p, size_t n);
void cut_fence(void);

#endif
