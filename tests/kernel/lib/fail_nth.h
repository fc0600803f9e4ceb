/* SPDX-License-Identifier: MIT */
/*
 * Every allocation of an operation fails once, and nothing is lost.
 *
 * A case is an operation with what it needs before and what takes it back afterwards. It is run
 * with its first allocation failing, then with its second, and so on until a round goes through
 * without a failure. Every round starts from nothing: an address space of its own, and, unless the
 * case says otherwise, a fresh file system on a region without a single page record. After every
 * round:
 *
 *  - the operation said 0 or -ENOMEM (0 after a failure only if the case names a way round it);
 *  - memory is back to the byte: free frames, page tables, page records, objects of the slabs,
 *    bytes of the C heap, anonymous pages. A heap that grew keeps its frames: they count as free;
 *  - the file system has the blocks and inodes it had, no file is open, check_all() is silent;
 *  - the thread holds no lock, and preemption and interrupts are on.
 */
#ifndef TESTS_KERNEL_LIB_FAIL_NTH_H
#define TESTS_KERNEL_LIB_FAIL_NTH_H

#include "tests/kernel/lib/scratch.h"

#define FAIL_PAGES 8u /* of the prepared file and mappings */

struct fail_round {
	struct dax_fs *fs; /* NULL: the case wants none */
	struct mm *mm;	   /* the thread's own for this round */
	/* What the case keeps from prepare to undo. */
	struct dax_inode *f;
	uint64_t va;
	struct mm *child;
	struct page *pages[FAIL_PAGES];
	long got;
};

struct fail_case {
	int (*prepare)(struct fail_round *r); /* before; nothing fails. NULL: nothing to do */
	int (*op)(struct fail_round *r);      /* its allocations fail */
	/* After a failed op, or one that found its way round: does everything stand as its contract
	 * says? NULL: yes; no: a sentence. */
	const char *(*check)(struct fail_round *r);
	void (*undo)(struct fail_round *r); /* after prepare, whatever op said. May be NULL */
	bool unmounted;			    /* no file system: op mounts one, or wants the device */
	const char *way_round; /* why op may succeed although an allocation failed; NULL: it may not
				*/
	unsigned least;	       /* allocations that op is known to make at least */
	const char *helper;    /* a thread that does a part of op; NULL: none */
};

struct fail_verdict {
	uint64_t allocations; /* that failed, one a round */
	bool skipped, failed;
	char text[200]; /* why */
};
/* Runs the case on the scratch region; sleepable. */
void fail_nth_run(const struct fail_case *c, struct fail_verdict *v);

/* SELFTEST for one case: FAIL_NTH(ident, "fail.gup", "statement", .op = …, .least = 3) */
#define FAIL_NTH(ident, dotted, statement, ...)                                                    \
	SELFTEST(ident, dotted, statement)                                                         \
	{                                                                                          \
		static const struct fail_case c = {__VA_ARGS__};                                   \
		struct fail_verdict v;                                                             \
                                                                                                   \
		fail_nth_run(&c, &v);                                                              \
		if (v.skipped)                                                                     \
			SKIP("%s", v.text);                                                        \
		EXPECT(!v.failed, "%s", v.text);                                                   \
	}

/* ---- moves that several cases make ----------------------------------------------------------- */

/* r->f: a file of FAIL_PAGES pages of 'a', mapped writable at r->va; a hole of as many behind. */
int fail_prepare_mapped(struct fail_round *r);
int fail_prepare_file(struct fail_round *r); /* the same, not mapped */
void fail_undo_file(struct fail_round *r);   /* unmaps, closes and removes it */
static inline uint64_t fail_page(const struct fail_round *r, unsigned n)
{
	return r->va + n * PAGE_SIZE;
}

#endif
