/* SPDX-License-Identifier: MIT */
/*
 * A lifetime: how long a DAX page lives after its file has let it go, and who waits for whom.
 *
 * Every design is one file with the same steps in the same order under the same names, so that the
 * difference of two files is the lesson. The rest of the code calls these steps and does not know
 * which design runs.
 *
 *   insert        an entry begins to name the page
 *   remove        the entry goes
 *   busy          is the page in use by somebody who is not a mapping?
 *   last_put      the count came back to rest (any context): the waker
 *   wait_idle     sleep until the page is idle: the waiter
 *   break_layout  before blocks go: make every user of the range go away, or wait until they do
 *   evict         the same when the last reference of an unlinked file goes
 */
#ifndef DAX_LIFETIME_LIFETIME_H
#define DAX_LIFETIME_LIFETIME_H

struct dax_inode;
struct page;

struct lifetime {
	const char *name;
	const char *who;	    /* years and where it came from */
	const char *busy_truncate;  /* what truncate of a busy page does */
	uint32_t rest;		    /* reference count of a page nobody holds */
	bool associates;	    /* keeps page → file (I6 can be checked) */
	struct pgmap_ops pgmap_ops; /* last_put, as the memory floor calls it */

	void (*insert)(struct dax_inode *inode, uint64_t pgoff, struct page *page);
	void (*remove)(struct dax_inode *inode, uint64_t pgoff, struct page *page);
	bool (*busy)(const struct page *page);
	/* All with io_lock and fault_lock held for writing; [first, last) in file pages. 0, -EINTR.
	 */
	int (*wait_idle)(struct dax_inode *inode, struct page *page);
	int (*break_layout)(struct dax_inode *inode, uint64_t first, uint64_t last);
	int (*evict)(struct dax_inode *inode);
};

extern const struct lifetime lifetime_unaware, lifetime_idle_at_one;

#define LIFETIME_DEFAULT (&lifetime_idle_at_one)
const struct lifetime *lifetime_find(const char *name); /* NULL: unknown */
const struct lifetime *lifetime_nth(unsigned n);	/* NULL past the last */

#endif
