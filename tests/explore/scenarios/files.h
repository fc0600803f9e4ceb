/* SPDX-License-Identifier: MIT */
/*
 * A mounted file for a scenario: F, mapped, and G, which gets F's block when F lets it go.
 *
 * Every other block of the file system belongs to "fill". So whoever writes G has F's block, or is
 * refused; and what a holder of F's page writes late is seen in G, byte by byte (I1).
 *
 *     static int setup(void) { return files_setup(1, FILES_TOUCHED); }
 *     EXPLORE_SCENARIO(…, FILES, .setup = setup, .thread = {{"store", files_store}, …});
 */
#ifndef TESTS_EXPLORE_SCENARIOS_FILES_H
#define TESTS_EXPLORE_SCENARIOS_FILES_H

#include "dax/file/internal.h"
#include "mm/tables/internal.h"
#include "tests/explore/explore.h"
#include "tests/kernel/lib/fixture.h"

struct files {
	struct fixture fx;
	struct mm *mm;
	struct dax_inode *f, *g;
	unsigned pages;	   /* of F */
	uint64_t va;	   /* F's first page, mapped writable; zero: not mapped */
	struct page *page; /* F's first page: the one block that anybody can get */
	struct page *held; /* by start(); NULL: none */
	struct page *held_too;
	bool given;	/* G has the block */
	bool broken;	/* a change that a lease was in the way of is made */
	uint64_t taken; /* atomic: FILES_GONE, FILES_READ_ONLY, when that is over; zero: neither */
	uint64_t unmapped; /* atomic: how many unmappings found something */
	struct mm *copy;   /* of files_fork(), while it is looked at; NULL: none */
	bool revoked;	   /* atomic: the mapping with MAP_DIRECT is */
	/* What a revocation takes away: the entries of F with MAP_DIRECT. NULL: there are
	 * none, or others have leases as well. */
	uint64_t *direct_pte;
};
extern struct files files;

enum { FILES_GONE = 1, FILES_READ_ONLY = 2 }; /* what became of the mapping of F */

enum {
	FILES_TOUCHED = 1,   /* each page has its entry, and is mapped writable */
	FILES_HOLE = 2,	     /* F has a size and no block; one block is free */
	FILES_G_HAS_ONE = 4, /* G has a page of its own from the start, and blocks are free */
	FILES_UNMAPPED = 8,
	FILES_DIRECT = 16, /* F is mapped with MAP_DIRECT */
};
/* Mounts, under x_lifetime() or the default one. 0, or errno with a sentence. */
int files_setup(unsigned pages, unsigned how);
void files_teardown(void);
struct mm *files_mm(void);
/* In .start: F's first page is held, by a pin. */
void files_hold(void);
void files_hold_twice(void);	/* by two pins */
void files_hold_unmapped(void); /* by a pin, and no page of F is mapped any more */

/* The record that counts for F's first page; NULL: nobody touched it so far, so it is at rest. */
const struct page *files_record(void);

/* After every event: entry, link and mapping agree (I3, I6), and what was revoked shows no page. */
void files_step(void);
/* In the end: G has its own bytes, if it has any (I1), and no reference or mapping is left over. */
void files_end(void);

/* ---- what threads do ---- */
void files_store(void);	   /* to the first page; a refused fault is one of the outcomes */
void files_load(void);	   /* from it */
void files_gup_fast(void); /* pins it, has a device write, puts it */
void files_gup_slow(void);
void files_put(void);	     /* what files_hold() took: a device writes, and lets go */
void files_put_second(void); /* the other pin of files_hold_twice() */
void files_truncate(void);   /* to nothing; then G is written */
void files_cut(void);	     /* the same, and no more */
void files_take(void);	     /* G is written, if there is a block */
void files_punch(void);	     /* the first page; then G is written */
void files_munmap(void);
void files_try_munmap(void);   /* where somebody else may have done it already */
void files_one_unmapped(void); /* in .end: one of them has found something */
void files_try_protect(void);
struct mm *files_copy(void); /* by a fork */
/* A load of F's first page through the copy's own tables, as by a process that runs there. */
bool files_load_in(struct mm *child, uint64_t *v);
void files_fork_only(void);
void files_fork(void);	  /* the space; F is looked at through the copy, which goes */
void files_protect(void); /* read-only */
void files_fsync(void);
/* As files_truncate() and files_punch(), of a file with FILES_DIRECT; beside files_revoke(), which
 * has the break time end at any moment. */
void files_break(void);
void files_break_punch(void);
void files_revoke(void);
/* F's first page against G's. 0, or refused: -EBUSY, -EAGAIN; -EINVAL, F is cut. Observed. */
int files_exchange(void);

#define FILES                                                                                      \
	.teardown = files_teardown, .mm = files_mm, .step = files_step, .end = files_end,          \
	.interrupts = true, .lifetimes = true, .large = true

#endif
