/* SPDX-License-Identifier: MIT */
/*
 * A lifetime: how long a DAX page lives after its file has let it go, and who waits for whom.
 *
 * Every design is one file with the same steps in the same order under the same names, so that the
 * difference of two files is the lesson. The rest of the code calls these steps and does not know
 * which design runs. A step that a design does not have is NULL where the table says so.
 *
 *   attach        an entry begins to name the page; the link page -> file is made before, if the
 *                 design has it
 *   detach        entries go, a run of them at a time, and with them the links
 *   busy          is the page in use by somebody who is not a mapping?
 *   last_put      the count came back to rest (any context): the waker
 *   wait_idle     sleep until the page is idle: the waiter; or refuse
 *   scan          the first busy page of a range, once nothing maps it
 *   break_layout  before blocks go: make every user of the range go away, or wait until they do
 *   evict         the same when the last reference of an unlinked file goes
 *   freed         blocks left their file, and are not free yet
 *   release       the last holder of such a block let go (any context)
 *   idle_run       the allocator looks for free blocks: how many before one to be passed by?
 *   may_take      it hands blocks out: is nobody left who holds them?
 *   gup_begin     somebody is about to take references through a mapping
 *   gup_end       he has them
 *   settle        an unmount wants to know who is still there
 */
#ifndef DAX_LIFETIME_LIFETIME_H
#define DAX_LIFETIME_LIFETIME_H

struct dax_fs;
struct dax_inode;
struct entry_run;
struct page;

/* Why a layout is broken. */
enum layout_reason {
	LAYOUT_WRITE,	 /* write(2): blocks may be added, none goes */
	LAYOUT_SIZE,	 /* truncate(2) */
	LAYOUT_SPACE,	 /* punch, zero, collapse, insert */
	LAYOUT_EXCHANGE, /* the same of two files: their io_locks are kept while a lease is waited
			    for, as they are taken in order */
};
/* What unbinding a device that holds pages does (dax/device/unbind.c). */
enum unbind_rule {
	UNBIND_WAITS_FOR_REFERENCES, /* and forgets mappings: C-4 */
	UNBIND_WAITS_FOR_ALL,
	UNBIND_WAITS_FOR_MAPPINGS, /* which the file system takes away; forgets references: E-2 */
	UNBIND_WAITS_FOR_NOBODY,   /* and unmaps nothing: C-4, C-8, E-2 */
	UNBIND_REFUSES,		   /* names the holders; waits if told to */
};

/* What gup_begin leaves for gup_end, which has no VMA and no file any more to ask. */
struct gup_cookie {
	const struct lifetime *lifetime; /* whose gup_end it is */
};

/*
 * An era: a run of Linux releases in which a design behaved alike. The design did not change, what
 * surrounds it did: who holds a device, which put forgets to wake, who else waits. Each era is a
 * lifetime of its own with the steps of the same file; it is named by its first release.
 */
struct lifetime {
	/* What it says of itself beyond that is in table.c, a design beside the other. */
	const char *name;
	const char *era;       /* "6.1"; NULL: the design has one only */
	const char *era_years; /* "6.1 - 6.14" */
	const char *measured;  /* the release of Linux that was asked; NULL: none was */

	/* What the rest of the code has to know of it. */
	uint32_t rest;	       /* reference count of a page nobody holds */
	bool associates;       /* keeps page → file (I6 can be checked) */
	bool mapped_holds;     /* a mapping keeps a page from its last_put as a reference does */
	bool refuses;	       /* break_layout says -EAGAIN of a held page: its caller asks again */
	bool entry_holds;      /* an entry has one reference */
	bool no_fast_gup;      /* each reference is asked for by gup_begin */
	bool longterm_allowed; /* accepts the mount option longterm=allow */
	bool sectors_allowed;  /* accepts entries=sectors */
	bool needs_no_records; /* may be mounted on a region that is bound `limited` */
	enum unbind_rule unbind;
	bool unbind_evicts;   /* first, files that nobody has open are evicted, which waits */
	bool asks_whole_file; /* scan and break_layout take the whole file, whatever range goes */
	struct pgmap_ops pgmap_ops; /* last_put and release, as the memory floor calls them */

	/* Entry locked, record exists. -ENXIO (the device is going): the page is not the entry's,
	 * which becomes EMPTY. May not sleep. NULL: nothing but the link. */
	int (*attach)(struct dax_inode *inode, uint64_t pgoff, struct page *page);
	/* Tree lock held, so it may not sleep. One of 2 MiB has one record, and comes alone. */
	void (*detach)(struct dax_inode *inode, const struct entry_run *run);
	bool (*busy)(const struct page *page);
	/* The next four with io_lock and fault_lock held for writing; [first, last) in file pages.
	 * 0, -EINTR, or -EAGAIN where the design `refuses`. */
	int (*wait_idle)(struct dax_inode *inode, struct page *page);
	struct page *(*scan)(struct dax_inode *inode, uint64_t first, uint64_t last);
	int (*break_layout)(struct dax_inode *inode, uint64_t first, uint64_t last,
			    enum layout_reason reason);
	int (*evict)(struct dax_inode *inode);
	/* fs->lock held: `count` blocks from pfn on are out of their file's tree, and still set in
	 * the bitmap. Blocks whose pages have no record, as nobody ever touched them, may be left
	 * out. NULL: nothing happens to them. */
	void (*freed)(struct dax_fs *fs, uint64_t pfn, uint32_t count);
	/* fs->lock held. Of free blocks from pfn on: how many, of `count` at most, come before the
	 * first one whose page somebody holds, so that the allocator must pass it by? NULL: a free
	 * block is anybody's; a design that has it keeps busy blocks out of reach. */
	uint32_t (*idle_run)(const struct dax_fs *fs, uint64_t pfn, uint32_t count);
	/* The last look, at blocks that are handed out: are all of them at rest? A bitmap that an
	 * image brought along may call free what a file has. With a museum switch on always true:
	 * rules that are switched off are to show in bytes. There if `idle_run` is. */
	bool (*may_take)(uint64_t pfn, uint32_t count);
	/* As in struct vma_ops; NULL: nobody is asked. mmap_lock held for reading. What *cookie
	 * points to begins with a struct gup_cookie. */
	int (*gup_begin)(struct dax_inode *inode, unsigned long nr, void **cookie);
	void (*gup_end)(void *cookie, struct page **pages, unsigned long nr);
	/* No lock held. NULL: nobody but opens and mappings. */
	void (*settle)(struct dax_fs *fs);
};

/* The steps that every design has, each implemented by the function of its name. */
#define LIFETIME_STEPS                                                                             \
	.detach = detach, .busy = busy, .wait_idle = wait_idle, .scan = scan,                      \
	.break_layout = break_layout, .evict = evict

extern const struct lifetime lifetime_unaware, lifetime_lease_poll, lifetime_idle_at_one,
	lifetime_zap_to_zero, lifetime_counted_map, lifetime_refuse_busy, lifetime_busy_extent;
/* Later eras of two of them; the design itself is its first one. */
extern const struct lifetime lifetime_idle_at_one_5_18, lifetime_idle_at_one_6_1,
	lifetime_counted_map_7_3;

#define LIFETIME_DEFAULT (&lifetime_busy_extent)
const struct lifetime *lifetime_find(const char *name); /* NULL: unknown */
const struct lifetime *lifetime_nth(unsigned n);	/* NULL past the last */
/* The same with each era: a design, its later eras, the next design. */
const struct lifetime *lifetime_variant(unsigned n);
/* The era of a design, or of any design (name NULL); NULL: unknown. */
const struct lifetime *lifetime_era(const char *name, const char *era);
bool lifetime_is_first(const struct lifetime *lt); /* the design itself, no later era of it */
/* The name of the first design that has it, for sentences that refuse; "none". */
const char *lifetime_with(bool (*has)(const struct lifetime *lt));
/* "idle-at-one", and behind it ", era 6.1" if it is not the first. Value: buf. */
const char *lifetime_text(const struct lifetime *lt, char *buf, unsigned n);

/* Is a free block still held, so that the allocator must pass it by? fs->lock held. */
bool dax_block_blocked(const struct dax_fs *fs, uint64_t pfn);

#endif
