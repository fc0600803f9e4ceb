/* SPDX-License-Identifier: MIT */
/*
 * Three questions for each chapter of the book, for `quiz` (kernel/shell/quiz.c): what is asked,
 * and the commands that show the answer. No answer stands here, but in the cases of a size or a
 * number that the code itself is built on.
 *
 * Those of chapter 10 are beside the IOMMU (drivers/iommu/questions.c).
 */
#include "dax/dax.h"

#define VERDICTS   "safe BROKEN HUNG"
#define INVARIANTS "I1 I2 I3 I4 I5 I6 I7"
#define DEFAULT	   "lifetime=busy-extent: "

static uint64_t record_bytes(void)
{
	return sizeof(struct page);
}

static uint64_t records_of_a_frame(void)
{
	return RECORDS_PER_FRAME;
}

static uint64_t index_bits(void)
{
	return (uint64_t)__builtin_ctzl(PAGE_SIZE / sizeof(uint64_t));
}

static uint64_t pages_of_a_folio(void)
{
	return FOLIO_PAGES;
}

static uint64_t bytes_of_a_store(void)
{
	return sizeof(uint64_t);
}

BOOK_QUESTIONS(firmware,
	       {1, 1, "How many ranges of this machine's first NFIT can be used?", NULL, "nfit",
		"accepted: ", "the first line of `nfit` counts them", NULL},
	       {1, 2, "Which pfn is the first page of pmem0?", NULL, "pgmap", "range 0: pfn ",
		"a pfn is a physical address divided by 4096; `pmem` has the address", NULL},
	       {1, 3, "A range whose ends are no multiples of so many MiB is trimmed. Of how many?",
		NULL, "pmem", "start and end are ",
		"`pmem` says what was trimmed, and why nothing was", NULL});

BOOK_QUESTIONS(records,
	       {2, 1, "How many bytes does a page record have?", NULL, "sizeof(struct page)", NULL,
		"look at the sum that leads from a pfn to its record", record_bytes},
	       {2, 2,
		"How many records are made at once, when the first page of theirs is touched?",
		NULL, "RECORDS_PER_FRAME", NULL, "a frame of RAM is filled with them",
		records_of_a_frame},
	       {2, 3, "With how many references is a page of busy-extent at rest?", NULL,
		"lifetime busy-extent", "page at rest: ", "`lifetime busy-extent` says it", NULL});

BOOK_QUESTIONS(
	fault,
	{3, 1, "How many bits of an address pick the entry of one table?", NULL,
	 "log2(PAGE_SIZE / 8)", NULL, "a table is a page, and an entry has eight bytes",
	 index_bits},
	{3, 2,
	 "A page of busy-extent is mapped once, and nobody holds it. How many references has its "
	 "record?",
	 NULL, "race D-1 lifetime=busy-extent", "page 0 has ",
	 "a mapping is counted in bits of its own", NULL},
	{3, 3,
	 "With `museum stale-block on` a fault uses the block that it looked up before the "
	 "layout changed. How does race F-12 end then?",
	 VERDICTS, "museum stale-block on; race F-12", DEFAULT,
	 "the block may be another file's by now", NULL});

BOOK_QUESTIONS(
	gup,
	{4, 1,
	 "With `museum fast-gup-no-recheck on`, how many of the self-tests gup.fast-rechecks, "
	 "gup.one-rechecks and gup.runs-recheck fail?",
	 NULL,
	 "museum fast-gup-no-recheck on; selftest gup.fast-rechecks gup.one-rechecks "
	 "gup.runs-recheck",
	 "passed, ", "each way of fast gup has a second look of its own", NULL},
	{4, 2,
	 "With `museum get-from-zero on` a reference may be taken of a page that nobody holds or "
	 "maps. How does race F-2 end then?",
	 VERDICTS, "museum get-from-zero on; race F-2", DEFAULT,
	 "whoever undoes gives back what another life of the page needs", NULL},
	{4, 3,
	 "Fast gup is stopped before its reference, and the page is punched meanwhile. How does "
	 "race C-5-undo end under idle-at-one?",
	 VERDICTS, "race C-5-undo lifetime=idle-at-one",
	 "lifetime=idle-at-one: ", "the second look finds that the entry has gone", NULL});

BOOK_QUESTIONS(
	wake,
	{5, 1,
	 "With `museum skip-wake on` the last put wakes nobody. How does race dma-truncate end "
	 "under idle-at-one?",
	 VERDICTS, "museum skip-wake on; race dma-truncate lifetime=idle-at-one",
	 "lifetime=idle-at-one: ", "who would wake the truncate?", NULL},
	{5, 2, "Under idle-at-one a truncate sleeps until the count falls from 2 to which number?",
	 NULL, "lifetime idle-at-one", "falls from 2 to ", "the count of a page that nobody holds",
	 NULL},
	{5, 3,
	 "In Linux 5.18 the put of a pin woke nobody. How does race C-5 end in that era of "
	 "idle-at-one?",
	 VERDICTS, "race C-5 lifetime=idle-at-one era=5.18",
	 "era=5.18: ", "the truncate sleeps on after the last put", NULL});

BOOK_QUESTIONS(
	layouts,
	{6, 1, "How does race dma-truncate end under unaware, where nobody is asked?", VERDICTS,
	 "race dma-truncate lifetime=unaware",
	 "lifetime=unaware: ", "the block goes to another file while the device writes", NULL},
	{6, 2, "Which invariant does it break?", INVARIANTS, "race dma-truncate lifetime=unaware",
	 "BROKEN ", "the one about whose bytes a file has", NULL},
	{6, 3, "Under refuse-busy a truncate of a held page fails at once. With which error?",
	 "EAGAIN EBUSY EINTR ENOSPC", "lifetime refuse-busy", "fails at once, -",
	 "its caller may ask again", NULL});

BOOK_QUESTIONS(
	tlb,
	{7, 1,
	 "How does race F-15 end, in which one CPU unmaps, another one truncates, and a third "
	 "one has the page in its TLB?",
	 VERDICTS, "race F-15", DEFAULT, "entry, flush, count: in this order nobody is missed",
	 NULL},
	{7, 2,
	 "And with `museum count-before-flush on`, where the page counts as unmapped before the "
	 "TLBs are flushed?",
	 VERDICTS, "museum count-before-flush on; race F-15", DEFAULT,
	 "the truncate believes the count", NULL},
	{7, 3, "Which invariant is broken then?", INVARIANTS,
	 "museum count-before-flush on; race F-15", DEFAULT "BROKEN ",
	 "a CPU stores into a block that is another file's", NULL});

BOOK_QUESTIONS(
	huge,
	{8, 1, "For how many pages does the record of a folio count?", NULL, "FOLIO_PAGES", NULL,
	 "2 MiB divided by 4 KiB", pages_of_a_folio},
	{8, 2,
	 "With `museum round-up on` a fault in the middle of 2 MiB links the record to the next "
	 "2 MiB. Which invariant does race D-2 find broken?",
	 INVARIANTS, "museum round-up on; race D-2", DEFAULT "BROKEN ",
	 "page to file, and file to page, must agree", NULL},
	{8, 3,
	 "With `museum break-narrow on` only the punched page of 2 MiB is unmapped. How does race "
	 "E-5 end under counted-map?",
	 VERDICTS, "museum break-narrow on; race E-5 lifetime=counted-map",
	 "lifetime=counted-map: ", "the entry went, and the other 511 pages are still mapped",
	 NULL});

BOOK_QUESTIONS(
	leases,
	{9, 1, "How many milliseconds has an owner that is asked to give its lease back?", NULL,
	 "lease", "asked has ", "`lease` says it, and `lease time` changes it", NULL},
	{9, 2,
	 "With `museum direct-no-lock on` a mapping is revoked without the fault lock. How does "
	 "race L-3 end?",
	 VERDICTS, "museum direct-no-lock on; race L-3", DEFAULT,
	 "a fault has looked already, and maps its page afterwards", NULL},
	{9, 3,
	 "With `museum direct-null-vma on` the revocation dies over a mapping that was closed in "
	 "time. How does race L-1 end?",
	 VERDICTS, "museum direct-null-vma on; race L-1", DEFAULT,
	 "the lease stays, and somebody waits for it", NULL});

BOOK_QUESTIONS(
	busy,
	{11, 1,
	 "How does race dma-truncate end under busy-extent, where the truncate does not wait?",
	 VERDICTS, "race dma-truncate lifetime=busy-extent", DEFAULT,
	 "the allocator keeps the block out of reach", NULL},
	{11, 2,
	 "With `museum alloc-ignores-busy on` the allocator believes its bitmap alone. How does "
	 "race F-4 end?",
	 VERDICTS, "museum alloc-ignores-busy on; race F-4", DEFAULT,
	 "a free block may be one that a device still writes to", NULL},
	{11, 3,
	 "With `museum release-trylock on` a release is told only if a lock is free just then. "
	 "How does race F-5 end?",
	 VERDICTS, "museum release-trylock on; race F-5", DEFAULT,
	 "somebody waits for a block that was released in silence", NULL});

BOOK_QUESTIONS(
	crash,
	{12, 1,
	 "How many bytes can one store change at once, so that a power cut leaves the old ones or "
	 "the new ones?",
	 NULL, "sizeof(uint64_t)", NULL, "an aligned word of this machine", bytes_of_a_store},
	{12, 2,
	 "How does race F-11 end, in which the power is cut between the updates of a truncate?",
	 VERDICTS, "race F-11", DEFAULT, "the tree comes before the bitmap", NULL},
	{12, 3, "With `museum bitmap-before-tree on`, which invariant does it find broken?",
	 INVARIANTS, "museum bitmap-before-tree on; race F-11", DEFAULT "BROKEN ",
	 "the one about what a crash leaves behind", NULL});

BOOK_QUESTIONS(idle_at_one,
	       {13, 1, "How does race C-2 end under idle-at-one?", VERDICTS,
		"race C-2 lifetime=idle-at-one", "lifetime=idle-at-one: ",
		"the scan does not wait for an entry that is locked", NULL},
	       {13, 2, "And under counted-map, which came after it?", VERDICTS,
		"race C-2 lifetime=counted-map",
		"lifetime=counted-map: ", "its break waits for the locked entry", NULL},
	       {13, 3, "Which invariant is broken where C-2 shows?", INVARIANTS,
		"race C-2 lifetime=idle-at-one", "BROKEN ", "whose bytes does the other file have?",
		NULL});

BOOK_QUESTIONS(zap_to_zero,
	       {14, 1, "How does race D-1 end under zap-to-zero?", VERDICTS,
		"race D-1 lifetime=zap-to-zero", "lifetime=zap-to-zero: ",
		"the zap took the entry's reference, and who gives it again?", NULL},
	       {14, 2, "How many references has page 0 when it was mapped again?", NULL,
		"race D-1 lifetime=zap-to-zero", "page 0 has ", "the entry was there all the time",
		NULL},
	       {14, 3, "Which invariant is broken there?", INVARIANTS,
		"race D-1 lifetime=zap-to-zero", "BROKEN ",
		"a reference is born on a page that counts as idle", NULL});
