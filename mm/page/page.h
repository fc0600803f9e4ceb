/* SPDX-License-Identifier: MIT */
/*
 * Page records: 32 bytes for one pfn of device memory, found by arithmetic alone.
 *
 * The record of pfn n stands at RECORD_BASE + 32 n, in a window of kernel virtual memory that is
 * empty at first (below; a pgmap with compound records has a window of its own). Binding a
 * device costs nothing per page: the 4 KiB frame that holds 128 records is made by
 * page_records_populate(), which is called where an index entry is about to be made. So "no frame
 * there" means that all 128 pages are at rest and were never used. Touching the window where there
 * is none is a panic: whoever is not sure asks pfn_to_record().
 *
 * The state word. One 64-bit word holds everything that decides a page's life:
 *   bits  0–31  references (gup, pin); what counts as "none" is the pgmap's `rest` count, 0 or 1
 *   bits 32–61  mappings (page-table entries that point here)
 *   bit     62  folio: this record counts for all 512 pages of its 2 MiB
 *   bit     63  busy: freed by its file, still held (only the lifetime busy-extent)
 * Every change is one read-modify-write and only its own returned value is looked at: whoever
 * changed the word and reads it again later sees somebody else's life of the page.
 *
 * Folios. While a file's index has one entry for 2 MiB, the first record of the 512, the head,
 * counts for all of them, and the others may not even exist. A pointer to any of the 512 still
 * names its page (arithmetic only); page_to_record() says which record to touch. The mark is in the
 * state word so that it changes only while nothing is counted: page_folio_make(),
 * page_folio_split(). Records are therefore populated together with the one of their head.
 *
 * Ways. X_to_Y() leads from X to Y and does nothing else; two words before _to_ are two arguments.
 * What Y is, says what the way costs and when it may be taken:
 *   _to_page    a pointer that names a page: arithmetic alone, at any time. Nothing is read, and
 *               the record need not exist.
 *   _to_record  the record that counts for the page: memory is read to find it. The caller holds
 *               the page, its entry or its pgmap. NULL, where the header says so: there is none.
 *   _to_pfn, _to_phys, _to_virt   back again: arithmetic alone.
 * All of them, with the places where they stand, are listed in docs/glossary.md.
 */
#ifndef MM_PAGE_PAGE_H
#define MM_PAGE_PAGE_H

#include <stdint.h>

#include "boot/layout.h"

struct mapping;
/*
 * Where a page record stands: arithmetic alone, the same on the host.
 *
 * The windows, all empty at first:
 *
 *   RECORD_BASE    512 GiB   one record per 4 KiB page:   RECORD_BASE + 32 * pfn
 *   COMPOUND_BASE  512 GiB   512 slots of 1 GiB; a pgmap with compound records gets a slot:
 *                  slot 0 … 255    one record per 2 MiB:  slot's base + 32 * (pfn >> 9)
 *                  slot 256 … 511  one record per 1 GiB:  slot's base + 32 * (pfn >> 18)
 *
 * A pgmap has the base of its window, so pgmap_pfn_to_page(pgmap, pfn) is the same sum for all of
 * them, and from a record's address alone follows its first pfn. A compound has one record and no
 * tails: what Linux keeps in 512 (or 262144) records, of which all but the head may not be written,
 * is 32 bytes here. Slots keep two devices from sharing a frame of records: 128 compounds of 2 MiB
 * are 256 MiB, of 1 GiB 128 GiB, and devices are smaller than that.
 *
 * A page inside a compound has no record, and still a name: NAME_BASE + 32 * pfn, an address where
 * nothing is ever mapped. get_user_pages() hands names out, so that a device's address follows from
 * them; page_to_record() leads from a name to the record.
 */

#define RECORD_SIZE	   32ull
#define NAME_BASE	   COMPOUND_END /* 512 GiB of addresses, for ever empty */
#define COMPOUND_SLOTS	   512u
#define COMPOUND_SLOT_SIZE (1ull << 30)
#define SHIFT_4K	   0u /* log2 of the 4 KiB pages that one record stands for */
#define SHIFT_2M	   9u
#define SHIFT_1G	   18u

/* Base of a compound slot's window. */
static inline uint64_t record_slot_base(unsigned slot)
{
	return COMPOUND_BASE + slot * COMPOUND_SLOT_SIZE;
}
static inline unsigned record_slot_shift(unsigned slot)
{
	return slot < COMPOUND_SLOTS / 2 ? SHIFT_2M : SHIFT_1G;
}
/* log2 of the pages that the record at `va` stands for. */
static inline unsigned record_shift(uint64_t va)
{
	if (va < COMPOUND_BASE)
		return SHIFT_4K;
	return record_slot_shift((unsigned)((va - COMPOUND_BASE) / COMPOUND_SLOT_SIZE));
}
/* First pfn of the compound whose record is at `va` ≥ COMPOUND_BASE; of a name, its own. */
static inline uint64_t compound_to_pfn(uint64_t va)
{
	if (va >= NAME_BASE)
		return (va - NAME_BASE) / RECORD_SIZE;
	return (va & (COMPOUND_SLOT_SIZE - 1)) / RECORD_SIZE << record_shift(va);
}
static inline uint64_t pfn_to_record_va(uint64_t base, unsigned shift, uint64_t pfn)
{
	return base + (pfn >> shift) * RECORD_SIZE;
}
/* Frames of 4 KiB that hold the records of [pfn, pfn + nr), nr > 0. */
static inline uint64_t record_frames_for(uint64_t base, unsigned shift, uint64_t pfn, uint64_t nr)
{
	return (pfn_to_record_va(base, shift, pfn + nr - 1) >> 12) -
	       (pfn_to_record_va(base, shift, pfn) >> 12) + 1;
}

struct pgmap;

struct page {
	uint64_t state;
	struct mapping *mapping; /* the file whose entry names this page; NULL: no entry */
	uint64_t index;		 /* page offset in that file; without one it says nothing */
	struct pgmap *pgmap;	 /* constant while the record exists */
};
_Static_assert(sizeof(struct page) == RECORD_SIZE, "a page record is 32 bytes");

/* The floor above puts a file's name into buf: false if no file has this mapping (any more), or,
 * not to `wait`, if somebody has the lock of its file system. It may sleep, and is called with
 * nothing held. Set at boot by the file layer; the default knows none. */
extern bool (*page_file_name)(const struct mapping *mapping, bool wait, char *buf, unsigned n);

#define PAGE_REF	  1ull
#define PAGE_REF_MASK	  0xffffffffull
#define PAGE_MAP	  (1ull << 32)
#define PAGE_MAP_MASK	  (0x3fffffffull << 32)
#define PAGE_FOLIO	  (1ull << 62)
#define PAGE_BUSY	  (1ull << 63)
#define RECORDS_PER_FRAME (PAGE_SIZE / sizeof(struct page))

/* Of a 4 KiB page, where those are: FS_DAX, RAM, and GENERIC without compounds. In general:
 * pgmap_pfn_to_page(pgmap, pfn). */
static inline struct page *pfn_to_page(uint64_t pfn)
{
	return (struct page *)RECORD_BASE + pfn;
}
/* The (first) pfn of any record. */
static inline uint64_t page_to_pfn(const struct page *p)
{
	if (unlikely((uint64_t)p >= COMPOUND_BASE))
		return compound_to_pfn((uint64_t)p);
	return (uint64_t)(p - (struct page *)RECORD_BASE);
}
static inline uint64_t page_to_phys(const struct page *p)
{
	return page_to_pfn(p) << PAGE_SHIFT;
}
/* Its bytes, in the direct map. */
static inline void *page_to_virt(const struct page *p)
{
	return phys_to_virt(page_to_phys(p));
}
#define FOLIO_PAGES (PMD_SIZE / PAGE_SIZE)
/* Where the records of the 2 MiB begin that the page lies in. Of 4 KiB records only. */
static inline struct page *page_to_first(const struct page *p)
{
	return (struct page *)((uint64_t)p & ~(FOLIO_PAGES * RECORD_SIZE - 1));
}
struct page *name_to_record(const struct page *name); /* page_to_record() above the 4 KiB records */
/* The record that counts for the page which `p` names; p itself need not exist. Any context; the
 * caller holds the page, or keeps its entry from changing. */
static inline struct page *page_to_record(const struct page *p)
{
	struct page *first = page_to_first(p);

	if (unlikely((uint64_t)p >= COMPOUND_BASE))
		return name_to_record(p);
	if (unlikely(__atomic_load_n(&first->state, __ATOMIC_ACQUIRE) & PAGE_FOLIO))
		return first;
	return (struct page *)p;
}
static inline uint64_t page_state(const struct page *p)
{
	return __atomic_load_n(&p->state, __ATOMIC_ACQUIRE);
}
static inline uint32_t state_refs(uint64_t s)
{
	return (uint32_t)(s & PAGE_REF_MASK);
}
static inline uint32_t state_maps(uint64_t s)
{
	return (uint32_t)((s & PAGE_MAP_MASK) >> 32);
}
/* May a reference be taken of a page in this state by who only has a page-table entry of it? Only
 * if somebody references or maps it, and its file has not freed it. */
static inline bool state_may_get(uint64_t s)
{
	return (s & (PAGE_REF_MASK | PAGE_MAP_MASK)) && !(s & PAGE_BUSY);
}
static inline uint32_t page_refs(const struct page *p)
{
	return state_refs(page_state(p));
}
static inline uint32_t page_maps(const struct page *p)
{
	return state_maps(page_state(p));
}

/*
 * Makes the records of [pfn, pfn + nr) exist. The range must lie in one live pgmap and behind its
 * altmap (-ENXIO, no change). -ENOMEM: earlier frames of the range may stay, empty. Sleepable;
 * before the entry lock. The records that page_to_first() leads to come with them.
 */
int page_records_populate(uint64_t pfn, uint64_t nr);
/* The record that stands for pfn, or NULL: never touched (which means at rest), or no device
 * memory, or it is going. Any context. The caller walks the pgmap (pgmap_walk_begin()) or has
 * interrupts off: asserted. */
struct page *pfn_to_record(uint64_t pfn);
/* Does the record exist? Of a pgmap that the caller knows to be bound. Any context. */
bool page_record_exists(const struct page *p);
/* The first record of [p, end) that exists, or end. Of 4 KiB records of one such pgmap. */
struct page *page_record_next(const struct page *p, const struct page *end);
/* Calls fn for every record that exists and stands for a page of [pfn, pfn + nr), in order, until
 * fn returns nonzero, which is the value. Unbinding waits for it; of a pgmap whose records are
 * going already, none is shown. fn may sleep for a lock, but not until a user does something; what
 * it keeps of a record is good only as long as the caller itself keeps the device. */
int page_records_for_each(uint64_t pfn, uint64_t nr, int (*fn)(struct page *, void *), void *arg);
extern uint64_t record_frames; /* frames of RAM that hold records; zero: no page was ever touched */
/* Those of them whose records are of RAM (anon.c): made when a frame is first used so, and kept. */
extern uint64_t record_frames_of_ram;

/*
 * References. page_get() takes n references only if there is one or a mapping already, or the rest
 * count is above zero: a page at zero belongs to nobody and must not be revived by a reader of an
 * old page-table entry. Neither does it take one of a busy page. False: not taken. Any context.
 */
bool page_get(struct page *p, uint32_t n);
/* The same of the head of a folio, and only if it is one at that moment. */
bool page_get_folio(struct page *head, uint32_t n);
/* Changes the word from *seen to `to` if *seen is what it holds; in any case *seen is what it held.
 * One locked instruction. */
static inline bool page_change(struct page *p, uint64_t *seen, uint64_t to)
{
	return __atomic_compare_exchange_n(&p->state, seen, to, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_ACQUIRE);
}
/*
 * The common case of page_get(p, 1), in line: held by somebody, not busy, not a folio, which is one
 * comparison. False: ask page_get(). What the word became is added to *seen; the caller shows that
 * to page_check_seen() once behind its loop, which finds a count that goes out of hand long before
 * it overflows.
 */
#define PAGE_REF_LIMIT (1ull << 31) /* references of one page stay below */
static inline bool page_state_usual(uint64_t s)
{
	return s - 1 < PAGE_FOLIO - 1;
}
static inline bool page_get_quick(struct page *p, uint64_t *seen)
{
	uint64_t old = page_state(p), next = old + PAGE_REF;

	*seen |= next;
	return likely(page_state_usual(old)) && likely(page_change(p, &old, next));
}
static inline void page_check_seen(uint64_t seen)
{
	ASSERT(!(seen & PAGE_REF_LIMIT), "a page has more than 2^31 references");
}
/* The same for a single one, which looks at the limit by itself: page_get() then says what is
 * wrong. */
static inline bool page_get_one(struct page *p)
{
	uint64_t old = page_state(p);

	return likely(old) && likely(!(old & (PAGE_BUSY | PAGE_FOLIO | PAGE_REF_LIMIT))) &&
	       likely(page_change(p, &old, old + PAGE_REF));
}
/*
 * Birth: n references on a page that may be at zero (rest 0). By somebody who keeps it from being
 * freed and given to another file, such as the holder of its entry's lock. The pgmap is held from
 * here, or from the first page_map_get(), until neither a reference nor a mapping is left. False:
 * the pgmap is dying, or the page is busy. Any context.
 */
bool page_get_first(struct page *p, uint32_t n);
/* Drops n references of the page that p names, from its page_to_record(); if what is left is the
 * pgmap's rest count, tells the pgmap's owner (page_idle) if anybody listens (pgmap_listen), or
 * releases a busy page (page_release). Every put of every path ends here. Any context, interrupts
 * included. */
void page_put(struct page *p, uint32_t n);
void page_put_each(struct page **pages, unsigned long nr); /* page_put(pages[i], 1) */
/* The same by a way of its own, PUT_BY_…: pages whose owner's design is deaf to it (pgmap_ops.deaf)
 * come to rest, and nobody is told. */
void page_put_each_by(struct page **pages, unsigned long nr, unsigned way);
/* Was any device ever claimed by a design that is deaf to some way? Set before its first page is
 * held, never cleared: most puts need not look at pages one by one. */
extern bool page_any_deaf;
/* page_put(first + i, 1) for i < nr: one step a folio or compound, whatever its size. */
void page_put_range(struct page *first, unsigned long nr);
void page_put_record(struct page *record, uint32_t n); /* page_put() for who knows the record */
/* The first of the pages first … first + nr that somebody holds: more references than `refs`. NULL:
 * none. A snapshot; the caller keeps their records from going. */
struct page *page_find_held(struct page *first, unsigned long nr, uint32_t refs);
/*
 * Busy pages (docs/weaknesses.md): the file has freed the block, its record lives until the last
 * holder is gone. page_mark_busy() sets the bit of a record, at rest 0, once nothing of the file
 * leads to the page any more (unmapped, entry deleted), under the file's fault lock. From then on
 * no reference can be taken, and pgmap->ops->page_release(record) is called exactly once, with the
 * bit cleared again:
 *   - of a single page by whoever brings references and mappings to zero: the last put, the last
 *     unmapping, or page_mark_busy() itself if both were zero already, before it returns;
 *   - of a folio of which a part was freed, marked on its head: when its references are zero,
 *     whatever its mappings, which are those of the part that is left. If there are none either,
 *     it is no folio any more. Marking it again before that changes nothing, and one release
 *     follows: the owner knows by itself which parts it freed.
 * Any context.
 */
enum page_marked {
	PAGE_RELEASED,	    /* nobody held it: the release is over */
	PAGE_MARKED,	    /* a holder keeps it, and the release comes later */
	PAGE_MARKED_BEFORE, /* the same, and this marking changed nothing: no release of its own */
};
enum page_marked page_mark_busy(struct page *record);
/* Of the record that counts for p. True: freed by its file, and still held. Changes at any time. */
static inline bool page_is_busy(const struct page *p)
{
	return page_state(page_to_record(p)) & PAGE_BUSY;
}
/*
 * Folios. Both are called by the holder of the lock of the index entry that covers the whole 2 MiB,
 * when nothing maps any of it. -EBUSY, false: somebody still holds a page of it from an earlier
 * life, and nothing was changed. A folio that cannot be split keeps counting for its pages, whoever
 * owns them next, until a later split succeeds. Making one makes the head's record as well, if need
 * be (-ENOMEM), and may sleep then.
 */
/* Before a page of a file is used by itself, not as a part of 2 MiB: page_folio_make() will ask it
 * and its neighbours. The record exists; the caller holds the lock of its entry. Any context. */
void page_mark_single(const struct page *p);
int page_folio_make(struct page *head);
bool page_folio_split(struct page *head);
/* Mapping counts of a record, called with the page-table lock held (get) and after the TLB flush
 * was acknowledged (put): docs/weaknesses.md F-15. At rest 0 a first mapping is a birth, see
 * page_get_first(); the caller keeps the pgmap alive while it makes it. */
void page_map_get(struct page *p);
/* The same for a page named by p: its page_to_record() counts, and is returned. */
struct page *page_map_get_counted(struct page *p);
static inline struct page *page_map_get_head(struct page *p)
{
	if (unlikely(page_to_record(p) != p))
		return page_map_get_counted(p);
	page_map_get(p);
	return p;
}
void page_map_put(struct page *p);
/* page_map_put(p + i) for i < nr: records side by side, of one pgmap. */
void page_map_put_run(struct page *p, unsigned long nr);

/* Holders: who holds which pages, for reports only. One per gup or pin call, in the caller's batch.
 */
struct holder {
	const char *what;   /* "RDMA region", "pin p1" */
	const char *device; /* that works on them, "edu0"; NULL: none does, the CPU holds them */
	unsigned tid;	    /* thread that took it */
	void *caller;	    /* code address that took it */
	struct page **pages;
	unsigned nr;
	uint64_t since_ns;
	unsigned cpu; /* list it is on */
	TAILQ_ENTRY(holder) link;
};
void holder_add(struct holder *h);    /* fills tid, since_ns, cpu. Any context */
void holder_remove(struct holder *h); /* Any context */
/* Text about who holds `p` into buf ("nobody on record" if none). Returns how many were found. */
unsigned holders_describe(const struct page *p, char *buf, unsigned n);
/* The same, and where in the code each of them took it. */
unsigned holders_describe_where(const struct page *p, char *buf, unsigned n);

#endif
