/* SPDX-License-Identifier: MIT */
/*
 * A mounted scratch file system for one self-test, and the few moves that most of them make.
 *
 *     FIXTURE(fx, &lifetime_idle_at_one);            mounts, or skips by name
 *     uint64_t va = fx_map(&fx, "f", 4, 'a');         a file of four pages, mapped writable
 *     EXPECT_OR(out, …);
 * out:
 *     fixture_end(&fx);                               unmaps, closes, unmounts
 */
#ifndef TESTS_KERNEL_LIB_FIXTURE_H
#define TESTS_KERNEL_LIB_FIXTURE_H

#include "tests/kernel/lib/scratch.h"

#define FX_MAX 4

struct fixture {
	struct dax_fs *fs;
	unsigned nr; /* files open and mapped; zero: none */
	struct dax_inode *inode[FX_MAX];
	uint64_t va[FX_MAX], pages[FX_MAX];
	const char *why;
};

int fixture_start(struct fixture *fx, const struct lifetime *lt);
void fixture_end(struct fixture *fx);
/* The same with the device bound without page records, under lifetime=unaware; both ends. */
int fixture_limited_start(struct fixture *fx);
void fixture_limited_end(struct fixture *fx);
#define FIXTURE(fx, lt)                                                                            \
	struct fixture fx;                                                                         \
	if (!scratch_region(&fx.why))                                                              \
		SKIP("%s", fx.why);                                                                \
	EXPECT(!fixture_start(&fx, lt), "mounting the scratch device: %s", fx.why)

/* Opens (made and filled with `fill` if absent) and maps `pages` pages. 0: it could not be done. */
uint64_t fx_map(struct fixture *fx, const char *name, unsigned pages, char fill);
/* As fx_map() for a file that exists, with a size of its own: no bytes are written. */
uint64_t fx_map_as_is(struct fixture *fx, struct dax_inode *inode, unsigned pages, bool write);
/* The same, private and writable. */
uint64_t fx_map_private(struct fixture *fx, struct dax_inode *inode, unsigned pages);
void fx_unmap(struct fixture *fx, uint64_t va); /* the mapping only; the file stays open */
struct page *fx_va_to_page(uint64_t va);	/* record of the page mapped at va, NULL: none */
static inline volatile char *at(uint64_t va)
{
	return (volatile char *)va;
}
uint64_t fx_free_blocks(struct fixture *fx);

/* Maps `pages` pages of `f` writable, by MAP_SHARED_VALIDATE and `flags`, somewhere; `stranger`: as
 * somebody who may not lease it. 0, or the errno of dax_map(). */
int fx_map_flags(struct dax_inode *f, unsigned pages, unsigned flags, bool stranger, uint64_t *va);
/* Takes all notices of this thread; how many. The last one is in `text` (NULL: nobody wants it). */
unsigned fx_take_notices(char *text, unsigned n);

/* An operation in a thread of its own, on one file; done when it returned. */
struct fx_op {
	struct dax_inode *inode;
	uint64_t arg;
	int (*fn)(struct dax_inode *inode, uint64_t arg);
	int err;
	bool done;
	struct thread *thread;
};
bool fx_start(struct fx_op *op); /* false: no memory */
bool fx_done(struct fx_op *op);
void fx_join(struct fx_op *op);
/* Waits until the thread of `op` sleeps for what has this key: enlisted, and off its CPU, so that
 * it does not look at its condition before it is woken. False: it ended, or sleeps for something
 * else. */
bool fx_falls_asleep(struct fx_op *op, const void *key);
/* The same for a page of its file. */
bool fx_asleep(struct fx_op *op, struct page *page);
/* Waits until the operation is over, with the clock moved on to timers where only they can help.
 * False: it sleeps on where nothing goes on any more: whoever should wake it did not. */
bool fx_ends(struct fx_op *op);
int fx_truncate(struct dax_inode *inode, uint64_t size);

/* A lease of a layout, whose owner does nothing when it is told. */
struct lease fx_layout_lease(void);

#endif
