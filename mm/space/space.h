/* SPDX-License-Identifier: MIT */
/*
 * Address spaces: VMAs, faults, unmapping by address and by file.
 *
 * A struct mm is the low half of memory for the threads that use it. A VMA says which file pages an
 * address range shows; the page tables are filled by faults. A struct mapping is the file's side:
 * it lists every VMA that shows the file, so that truncate can find and clear all of them.
 */
#ifndef MM_SPACE_SPACE_H
#define MM_SPACE_SPACE_H

#define VM_READ	    1u
#define VM_WRITE    2u
#define VM_PRIVATE  4u /* stores go to a copy of the page; never together with VM_SHARED */
#define VM_SHARED   8u
#define VM_SYNC	    64u	  /* a store's fault makes the metadata durable (MAP_SYNC) */
#define VM_MAYWRITE 1024u /* mprotect may grant VM_WRITE */
#define VM_LONGTERM 4096u /* of a file on DAX whose mount allows long-term pins */
#define VM_LIMITED  8192u /* pages without a record: get_user_pages fails */
#define VM_SLOWGUP  2048u /* every reference is taken by the slow path, which asks gup_begin */

struct mm;
struct vma;
struct page;
struct direct_lease; /* of the dax floor */

/* The file's side of all its mappings. The dax floor embeds it in its own object. */
struct mapping {
	struct rwsem i_mmap_lock; /* protects vmas */
	LIST_HEAD(vma_list, vma) vmas;
	uint16_t i_mode;  /* the object's type and permissions, constant: MODE_FILE | 0644 */
	uint16_t i_flags; /* S_DAX; constant */
};
void mapping_init(struct mapping *m, unsigned mode, unsigned flags);

/*
 * What kind of object is behind a mapping? "dax: introduce IS_DEVDAX() and IS_FSDAX()", "dax: fix
 * S_DAX definition", "dax: fix vma_is_fsdax() helper" (2018).
 *
 *                   device-dax  file on DAX  other device  other file  no file at all
 *     S_DAX         1           1            0             0
 *     IS_FSDAX      0           1            0             0
 *     IS_DEVDAX     1           0            0             0
 *     vma_is_dax    1           1            0             0           0
 *     vma_is_fsdax  0           1            0             0           0
 *
 * The pages of both kinds are device memory. What is asked differs: of a file the blocks can be
 * taken away, so nobody may hold them for ever; of a device they cannot. A question for "DAX"
 * without saying which is asked of a VMA only, by whoever looks at page-table entries.
 */
#define MODE_TYPE 0170000u /* as in Linux: S_IFMT, S_IFCHR, S_IFREG */
#define MODE_CHAR 0020000u
#define MODE_FILE 0100000u
/* Which of the two kinds are built in. Macros, like all that is made of them, so that a self-test
 * can ask for other builds than this one. */
#define FS_DAX		   1
#define DEVICE_DAX	   1
#define S_DAX		   s_dax_of(FS_DAX, DEVICE_DAX)
#define MODE_IS_CHAR(mode) (((mode)&MODE_TYPE) == MODE_CHAR)
#define IS_FSDAX(mapping)                                                                          \
	(FS_DAX && ((mapping)->i_flags & S_DAX) && !MODE_IS_CHAR((mapping)->i_mode))
#define IS_DEVDAX(mapping)                                                                         \
	(DEVICE_DAX && ((mapping)->i_flags & S_DAX) && MODE_IS_CHAR((mapping)->i_mode))
#define vma_is_dax(vma)	  ((vma)->mapping && ((vma)->mapping->i_flags & S_DAX))
#define vma_is_fsdax(vma) (FS_DAX && vma_is_dax(vma) && mode_is_of_file((vma)->mapping->i_mode))

MUSEUM_DECLARE(dax_flag_of_files);
MUSEUM_DECLARE(whole_mode);
/* The flag exists if either kind is built. */
static inline unsigned s_dax_of(bool fs_dax, bool device_dax)
{
	return fs_dax || (device_dax && !museum_on(dax_flag_of_files)) ? 8192 : 0;
}
/* The type is a part of the mode: a device with permissions is a device. */
static inline bool mode_is_of_file(unsigned mode)
{
	return museum_on(whole_mode) ? mode != MODE_CHAR : !MODE_IS_CHAR(mode);
}

struct vm_fault {
	struct vma *vma;
	uint64_t address; /* page aligned down */
	uint64_t pgoff;	  /* file page of that address */
	bool write;
};
struct vma_ops {
	/* Makes the page present by vmf_insert_pfn(). mmap_lock held for reading. 0, or -EFAULT
	 * (SIGBUS), -ENOMEM, with a sentence (refuse()). */
	int (*fault)(struct vm_fault *vmf);
	void (*open)(struct vma *vma);	/* one more VMA shows the object: takes a reference */
	void (*close)(struct vma *vma); /* gives it back; may sleep */
	void (*describe)(const struct vma *vma, char *buf, unsigned n);
	/* May the VMA be cut in two at `at`? NULL: everywhere. Who says no says why, by refuse().
	 * mmap_lock held for writing. */
	bool (*may_split)(const struct vma *vma, uint64_t at);
	/* Makes what was stored to [start, end) durable; NULL: there is nothing to do. mmap_lock
	 * held for reading. 0 or a negative errno. */
	int (*sync)(struct vma *vma, uint64_t start, uint64_t end);
	/*
	 * Around each get_user_pages() call; NULL: nobody wants to know. gup_begin is called before
	 * the first page is followed, with the mmap_lock held for reading, and only for the VMA of
	 * the call's first address: pages of other VMAs in the same call are taken unasked. That is
	 * the design "one lease per call", with its weakness B-1 (docs/weaknesses.md). A negative
	 * errno ends the call; after 0, gup_end is called once with *cookie and the pages that the
	 * call returns (nr may be 0), no lock held; the VMA may be gone by then. Both may sleep.
	 */
	int (*gup_begin)(struct vma *vma, unsigned long nr, void **cookie);
	void (*gup_end)(void *cookie, struct page **pages, unsigned long nr);
	/*
	 * Somebody is about to hold the object's pages for as long as it likes, for an access that
	 * unmapping cannot stop (a device). A lease, filled in by that client (struct
	 * direct_lease), lets the object's owner stop it all the same. mmap_lock held for reading;
	 * sleeps. 0; a negative errno with a sentence: no lease, and nothing may be held. NULL: the
	 * object gives none. Clients call direct_lease_take().
	 */
	int (*lease_direct)(struct vma *vma, struct direct_lease *l);
};
struct vma {
	struct mm *mm;
	uint64_t start, end; /* page aligned, [start, end) */
	uint64_t pgoff;	     /* file page shown at start */
	unsigned flags;
	struct mapping *mapping; /* NULL: no file behind it (anonymous memory) */
	const struct vma_ops *ops;
	void *private; /* the object behind it, for ops */
	RB_ENTRY(vma) node;
	LIST_ENTRY(vma) i_mmap; /* mapping->vmas */
};

struct mm {
	struct rwsem mmap_lock; /* protects the VMA tree */
	RB_HEAD(vma_tree, vma) vmas;
	unsigned nr_vmas;
	struct spinlock ptl; /* protects the page tables' entries; never taken in an interrupt */
	uint64_t root;	     /* physical address of the PML4 */
	/* ptl: the page table that a fault walked to last, for the next one, and the last byte of
	 * the 2 MiB it is for; zero: none. A table that is freed is forgotten here first. */
	uint64_t *walked, walked_for;
	LIST_HEAD(, mm_notifier) notifiers; /* changed under notifier_lock, for writing */
	uint32_t active; /* CPUs that run it now; zero means no TLB can hold its entries */
	int refs;	 /* zero means: free it */
	char name[16];
	LIST_ENTRY(mm) all;
	struct rwsem notifier_lock; /* held for reading while translations go that are watched */
} __attribute__((aligned(64))); /* a fault's locked operations on it share no line with another's */
struct mm *mm_create(const char *name); /* one reference; NULL: no memory */
void mm_get(struct mm *mm);
void mm_put(struct mm *mm); /* the last one unmaps everything; sleepable */
/* Makes `mm` the current thread's address space (NULL: none); gives the old one back. Returns
 * nothing. */
void mm_use(struct mm *mm);
static inline struct mm *current_mm(void) /* NULL: a kernel thread */
{
	return current_thread()->mm;
}
uint32_t mm_vma_count(void);				     /* of all address spaces */
void mm_for_each(int (*fn)(struct mm *, void *), void *arg); /* under a lock; fn must not sleep */

/* Maps `len` bytes of an object; *addr 0: anywhere. 0, -EINVAL (alignment, zero length, private and
 * shared at once), -EEXIST (range taken), -ENOMEM (no room or memory). Takes mmap_lock; calls
 * ops->open once. `mapping` NULL: no file is behind it. */
int mm_map(struct mm *mm, uint64_t *addr, uint64_t len, unsigned flags, const struct vma_ops *ops,
	   void *private, struct mapping *mapping, uint64_t pgoff);
/* Unmaps what is mapped in [addr, addr+len); VMAs that reach over an end are cut there. 0, -EINVAL
 * (alignment, nothing is mapped there, or ops->may_split refuses a cut), -ENOMEM (for the cut);
 * after an error everything is mapped as before. */
int mm_unmap(struct mm *mm, uint64_t addr, uint64_t len);
/* The one that contains addr, or NULL; mmap_lock held. In line: every fault asks. */
static inline struct vma *mm_find_vma(struct mm *mm, uint64_t addr)
{
	struct vma *vma = RB_ROOT(&mm->vmas);

	while (vma && (addr < vma->start || addr >= vma->end))
		vma = addr < vma->start ? RB_LEFT(vma, node) : RB_RIGHT(vma, node);
	return vma;
}

/* ---- changing what is mapped (change.c). All: page-aligned, sleepable, take mmap_lock ----- */

/* New rights, VM_READ or VM_READ | VM_WRITE, for a range that is mapped without gaps. When it
 * returns no CPU can use a right that was taken away. 0, -EINVAL (alignment, other flags, a cut
 * that is refused), -ENOMEM (a gap, or memory for a cut), -EACCES (writable, and the object may not
 * be written: no VM_MAYWRITE); nothing changed then. */
int mm_protect(struct mm *mm, uint64_t addr, uint64_t len, unsigned flags);
/* Moves [from, from+len), which must lie in one VMA, to *to; 0: anywhere, the address is stored.
 * What is mapped at *to goes. 0, -EINVAL (alignment, the two overlap, a cut that is refused),
 * -EFAULT (not one VMA), -ENOMEM; everything is mapped as before then. */
int mm_remap(struct mm *mm, uint64_t from, uint64_t len, uint64_t *to);
enum mm_advice {
	MM_DONT_NEED, /* forget the translations; private copies are lost, files keep their bytes */
	MM_HUGE,      /* accepted without effect: DAX decides by alignment alone */
	MM_NO_HUGE,   /* the same */
};
/* 0, -EINVAL (alignment, unknown advice), -ENOMEM (a gap). */
int mm_advise(struct mm *mm, uint64_t addr, uint64_t len, enum mm_advice advice);
/* Faults [addr, addr + len) in: private writable memory by stores, all else by loads. 0; -EINVAL
 * (alignment); -ENOMEM (a gap, or no memory), -EINTR, or what the fault says, with a sentence: what
 * lies before stays populated. Takes mmap_lock for reading, again and again. */
int mm_populate(struct mm *mm, uint64_t addr, uint64_t len);
/* msync: what was stored through shared mappings of [addr, addr+len) is durable when it returns.
 * 0, -EINVAL (alignment), -ENOMEM (a gap), or what ops->sync says. */
int mm_sync(struct mm *mm, uint64_t addr, uint64_t len);
/* A copy of the address space: shared mappings show the same objects (a fault brings their pages
 * back), private copies are shared by both until one of them stores. One reference; NULL: no
 * memory. */
struct mm *mm_fork(struct mm *mm, const char *name);

/* ---- notifiers (notifier.c) ----------------------------------------------------------------- */

/*
 * Tells a copier of translations (a device that faults) before they go. invalidate() is called
 * before entries of [start, end), a part of the notifier's range, are taken away or lose the right
 * to write, for whatever reason: munmap, truncate and everything else that unmaps a file's range,
 * mprotect, mremap, fork, msync and fsync, a copy on write. When it returns the copies of
 * that range must not be used any more. What only gives rights does not tell.
 *
 * It may sleep, but takes no mmap_lock and no lock of a file, faults nothing in, adds or removes no
 * notifier, and waits for nobody who does one of these: its caller holds mmap_lock, or the file's
 * fault lock, or both. Several may run at a time, for different ranges or the same.
 */
struct mm_notifier {
	void (*invalidate)(struct mm_notifier *n, uint64_t start, uint64_t end);
	uint64_t start, end; /* page aligned; these three are set by the caller */
	struct mm *mm;	     /* a reference: the address space stays until it is removed */
	uint64_t state;	     /* atomic; low half zero: nothing is being taken away */
	LIST_ENTRY(mm_notifier) link;
};
/* Whatever is taken away from here on is told. Sleepable, none of the address space's locks held.
 */
void mm_notifier_add(struct mm_notifier *n, struct mm *mm);
/* No call of invalidate() is under way when it returns, and none follows. As mm_notifier_add(). */
void mm_notifier_remove(struct mm_notifier *n);
/* Before pages of the range are looked up; its value is for read_retry(). Sleeps, without locks;
 * woken by: the end of what takes pages of the range away. */
uint64_t mm_notifier_read_begin(struct mm_notifier *n);
/* Under the lock that invalidate() takes: true, what was looked up since may have gone: again. */
bool mm_notifier_read_retry(const struct mm_notifier *n, uint64_t state);

/* What page-table entries of a mapping show, in bytes (smaps.c). */
struct vma_shown {
	uint64_t device[4]; /* pages of a device on DAX, by the level of their entries: 1 … 3 */
	uint64_t ram;	    /* pages of RAM with records: anonymous ones, and copies of a file's */
	uint64_t other;	    /* without a record: zeroes for holes, pages of a limited region */
};
/* A walk over everything that is mapped. mmap_lock held. */
struct vma_shown vma_shown(const struct vma *vma);

/* Installs pfn at vmf->address (4K). Takes ptl. Counts a mapping if the entry was empty; an
 * existing entry of the same pfn is upgraded to writable. Called by fault handlers with the entry
 * locked. */
int vmf_insert_pfn(struct vm_fault *vmf, uint64_t pfn, bool writable);
/*
 * The same for a whole 2 MiB (level 2) or 1 GiB (level 3) around the address: pfn is the first
 * one's, aligned to that size, and the VMA covers all of it. vmf_insert_pmd(): of FS_DAX, the head
 * of a folio; vmf_insert_compound(): the record of a compound of that size. -EEXIST: smaller pages
 * are mapped there, or the head is one no more; -ENOMEM.
 */
int vmf_insert_pmd(struct vm_fault *vmf, uint64_t pfn, bool writable);
int vmf_insert_compound(struct vm_fault *vmf, struct page *record, unsigned level, bool writable);
/* Shows the shared page of zeroes, read-only and without a record, for a hole of the file. 0 or
 * -ENOMEM. */
int vmf_insert_zero(struct vm_fault *vmf);
/* Shows a pfn that has no record (VM_LIMITED): nobody counts this mapping, and gup refuses it.
 * Everything else as vmf_insert_pfn(). */
int vmf_insert_special(struct vm_fault *vmf, uint64_t pfn, bool writable);
/* The same by 2 MiB around the address, for a hole of all of it; the VMA covers it. -EEXIST:
 * smaller pages are mapped there; -ENOMEM. */
int vmf_insert_zero_pmd(struct vm_fault *vmf);
/* zero.c: RAM that the shared zeroes of this level (1: 4 KiB, 2: 2 MiB) take; zero: no hole was
 * read through a page of that size yet. */
uint64_t zero_bytes(unsigned level);
/* Handles a fault at addr for the current thread's mm as if by the CPU. 0, or negative errno with a
 * sentence. */
int mm_fault(struct mm *mm, uint64_t addr, bool write);

/*
 * Clears every page-table entry that shows file pages [first, last) in any address space, flushes
 * the TLBs that may hold them and only then drops the mapping counts (F-15). Sleepable. Callers see
 * to it that nothing is mapped again: by the file's fault lock held for writing, or for one page by
 * its index entry, which they have locked, or since no fault is served any more. Returns entries
 * cleared.
 */
uint64_t unmap_mapping_range(struct mapping *m, uint64_t first, uint64_t last);
/* Write-protects instead of clearing: the next store faults, so fsync can tell what is dirty again.
 */
uint64_t clean_mapping_range(struct mapping *m, uint64_t first, uint64_t last);

/* Flushes [start, end) of mm from every TLB that may hold it; returns when all have acknowledged.
 * Thread context, interrupts enabled. */
void tlb_flush_range(struct mm *mm, uint64_t start, uint64_t end);
extern unsigned long tlb_flushes; /* flush operations asked for; zero: none since boot */

/*
 * Anonymous memory and private copies: pages of RAM with page records; see anon.c.
 */

/* Owns every record of RAM. In no table of ranges: pgmap_get() does not find it. */
extern struct pgmap ram_pgmap;
/* Anonymous pages in use, mapped or referenced; exact only while nobody moves. Zero: none. */
int64_t anon_pages(void);

/* Does the page-table entry show an anonymous page? A file's may be one of 2 MiB that has no record
 * of its own, so the head is asked. Any context; the caller keeps the entry's page from being
 * unbound, which a mapping does. */
static inline bool pte_is_anon(uint64_t entry)
{
	return (entry & (PTE_P | PTE_DEVMAP | PTE_COMPOUND)) == (PTE_P | PTE_DEVMAP) &&
	       page_to_record(pfn_to_page(pte_to_pfn(entry)))->pgmap == &ram_pgmap;
}

/* Maps `len` bytes of zeroes that belong to nobody else; errors as mm_map(). */
int mm_map_anon(struct mm *mm, uint64_t *addr, uint64_t len, bool write);

/* ---- for fault handlers of private mappings; mmap_lock held for reading --------------------- */

/* The 4K entry at the fault's address as it is now; 0: none. */
uint64_t vmf_entry(const struct vm_fault *vmf);
/* A page of its own, filled from the 4096 bytes at `from` (NULL: zeroes), takes the place of what
 * `seen` (a value of vmf_entry()) showed; if the entry is another one by now, nothing happens and
 * the access is repeated. Takes ptl. 0, or -ENOMEM with a sentence. Sleepable. */
int vmf_insert_anon(struct vm_fault *vmf, uint64_t seen, const void *from);
/* A store to an anonymous page: it becomes writable if nobody else has it, else it is copied. Takes
 * ptl. 0, or -ENOMEM with a sentence. Sleepable. */
int vmf_write_anon(struct vm_fault *vmf, uint64_t seen);

/* Clears what private mappings of the file show of its pages [first, last), copies too: for
 * truncate, behind the new end. Locks and value as unmap_mapping_range(), which leaves copies
 * alone. */
uint64_t unmap_mapping_copies(struct mapping *m, uint64_t first, uint64_t last);

#endif
