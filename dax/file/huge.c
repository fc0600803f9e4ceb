/* SPDX-License-Identifier: MIT */
/*
 * Faults served by 2 MiB: one index entry, one record, one page-table entry for 512 pages.
 *
 * It can be done when everything is aligned at once: the mapping covers the whole 2 MiB, its
 * addresses and the file's offsets agree modulo 2 MiB, the file reaches to the end, and its blocks
 * there are written, contiguous, and begin at a multiple of 2 MiB of physical memory. Nothing of it
 * may be in use page by page. Where one of these fails, single pages serve, and the reason is
 * counted and shown (`huge`, `trace`): a mapping that is slow without a word is the worst kind.
 *
 * A hole of all of the 2 MiB, or blocks there that were never written, read as one shared 2 MiB of
 * zeroes, as a page of it does by the shared page, and without an entry for the same reason: there
 * is no block to name. Whatever makes one, a store through any mapping, write(2), unmaps the zeroes
 * of that page from every address space first, and an entry of 2 MiB goes as a whole.
 */
#include "dax/file/internal.h"

MUSEUM(round_up, "round-up",
       "D-2: a fault in the middle of 2 MiB links the record to the next 2 MiB of the file; shown "
       "by race D-2 (BROKEN I6)");

#define EVENTS 32u

static const char *const result_text[HUGE_RESULTS] = {
	[HUGE_INSTALLED] = "served by 2 MiB",
	[HUGE_ZEROES] = "served by 2 MiB of zeroes: a hole, or blocks that were never written",
	[HUGE_PRIVATE] = "the mapping is private",
	[HUGE_ALIGNMENT] = "mapping alignment: address and file offset differ modulo 2 MiB",
	[HUGE_LENGTH] = "length: the mapping does not cover all of the 2 MiB",
	[HUGE_FILE_END] = "file end: the file does not reach to the end of the 2 MiB",
	[HUGE_START] = "region start: not a multiple of 2 MiB",
	[HUGE_EXTENT] = "extent: blocks not contiguous, or not aligned to 2 MiB",
	[HUGE_ENTRIES] = "single pages of the 2 MiB are in use",
	[HUGE_HELD] = "a page of the 2 MiB is held from an earlier life",
	[HUGE_DYING] = "the device is going",
	[HUGE_NO_MEMORY] = "no memory",
};

struct event {
	uint64_t ns, address, pgoff;
	unsigned tid;
	enum huge_result result;
	bool write;
	char file[32];
};
struct huge_counts huge_counts[MAX_CPUS];
/* By CPU as well. That an event is read half written is accepted. */
static struct {
	uint64_t nr; /* since boot; the last EVENTS of them are kept */
	struct event event[EVENTS];
} __attribute__((aligned(64))) traced[MAX_CPUS];

uint64_t huge_count(enum huge_result result)
{
	uint64_t sum = 0;

	for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++)
		sum += huge_counts[cpu].n[result];
	return sum;
}

void huge_trace(const struct dax_inode *inode, const struct vm_fault *vmf, enum huge_result result)
{
	const unsigned cpu = cpu_id();
	struct event *e = &traced[cpu].event[traced[cpu].nr++ % EVENTS];

	e->ns = clock_ns();
	e->address = vmf->address;
	e->pgoff = vmf->pgoff;
	e->tid = current_thread()->tid;
	e->result = result;
	e->write = vmf->write;
	_Static_assert(sizeof(inode->name) >= sizeof(e->file), "the copy has a fixed size");
	__builtin_memcpy(e->file, inode->name, sizeof(e->file));
}

/* Is the run the blocks of a 2 MiB entry, or could it become that by a store? */
static enum huge_result check_run(const struct dax_run *run, bool write)
{
	/* LAB 08 fits: what these blocks can be mapped by */
	if (run->count < FOLIO_PAGES)
		return HUGE_EXTENT;
	if (!run->written && !write)
		return HUGE_ZEROES;
	return run->pfn && !IS_ALIGNED(run->pfn, FOLIO_PAGES) ? HUGE_EXTENT : HUGE_INSTALLED;
	/* END */
}

/*
 * The blocks of [first, first + 512). A store fills a hole that is as large, or converts what was
 * never written; a piece of 2 MiB that is partly there is left to single pages. On HUGE_EXTENT
 * after filling, the blocks stay where they are and are found by the faults on single pages. So the
 * zeroes that were mapped there go in either case, before anybody meets a block that is not fresh.
 */
static enum huge_result map_blocks(struct dax_inode *inode, uint64_t first, bool write,
				   struct dax_run *run)
{
	enum huge_result result;

	if (inode->ops->map_run(inode, first, FOLIO_PAGES, false, run))
		return HUGE_EXTENT; /* the fault on a single page meets the error, and says it */
	result = check_run(run, write);
	if (result != HUGE_INSTALLED || run->written)
		return result;
	if (inode->ops->map_run(inode, first, FOLIO_PAGES, true, run))
		return HUGE_EXTENT;
	if (run->fresh)
		unmap_mapping_range(&inode->mapping, first, first + FOLIO_PAGES);
	return check_run(run, true);
}

/* The EMPTY entry becomes one for the run. */
static enum huge_result make_entry(struct dax_inode *inode, uint64_t pgoff,
				   const struct dax_run *run, uint64_t *entry)
{
	/* LAB 08 entry: one record counts for all 512 pages, and the entry names it */
	/* Down: a fault in the middle belongs to the entry that begins before it (D-2). */
	uint64_t first =
		museum_on(round_up) ? ALIGN_UP(pgoff, FOLIO_PAGES) : ALIGN_DOWN(pgoff, FOLIO_PAGES);
	struct page *head = pfn_to_page(run->pfn);
	int err = page_folio_make(head);

	if (unlikely(err))
		return err == -EBUSY ? HUGE_HELD : HUGE_NO_MEMORY;
	err = page_attach(head, inode, first); /* the single page says it again */
	if (unlikely(err == -EIO))	       /* the folio is, or may be, the other file's */
		return HUGE_EXTENT;
	if (err) {
		page_folio_split(head);
		return HUGE_DYING;
	}
	*entry = entry_for(inode->fs, run->pfn) | ENTRY_PMD;
	return HUGE_INSTALLED;
	/* END */
}

static enum huge_result why_not_mapped(int err)
{
	return err == -EEXIST ? HUGE_ENTRIES : HUGE_NO_MEMORY;
}

/* The entry is EMPTY, and stays so for zeroes. */
static enum huge_result fill_entry(struct dax_inode *inode, struct vm_fault *vmf, uint64_t *entry,
				   uint64_t **slot)
{
	uint64_t first = ALIGN_DOWN(vmf->pgoff, FOLIO_PAGES);
	enum huge_result result;
	struct dax_run run;
	int err = 0;

	result = map_blocks(inode, first, vmf->write, &run);
	if (result == HUGE_INSTALLED)
		result = make_entry(inode, vmf->pgoff, &run, entry);
	else if (result == HUGE_ZEROES && (err = vmf_insert_zero_pmd(vmf)))
		result = why_not_mapped(err);
	if (result >= HUGE_SERVED)
		*entry = entry_shrink(inode, vmf->pgoff, slot);
	return result;
}

/* Was the folio of this entry split, by the fault of another file that the image gives one of the
 * blocks? Then it is made again, if none of its pages is in use by itself (true). */
static bool make_again(uint64_t entry)
{
	struct page *head = pfn_to_page(entry_to_pfn(entry));

	return !(page_state(head) & PAGE_FOLIO) && !page_folio_make(head);
}

enum huge_result huge_fault(struct dax_inode *inode, struct vm_fault *vmf, uint64_t *entry,
			    uint64_t **slot)
{
	enum huge_result result;
	int err;

	if (*entry & ENTRY_EMPTY) {
		result = fill_entry(inode, vmf, entry, slot);
		if (result != HUGE_INSTALLED)
			return result;
	}
	if (unlikely(vmf->vma->flags & VM_SYNC) && vmf->write) {
		times_note_store(inode);
		if (map_settle(inode))
			return HUGE_EXTENT; /* the single page says it again */
	}
	err = vmf_insert_pmd(vmf, entry_to_pfn(*entry), vmf->write);
	if (err == -EEXIST && make_again(*entry))
		err = vmf_insert_pmd(vmf, entry_to_pfn(*entry), vmf->write);
	if (err)
		return why_not_mapped(err);
	if (vmf->write) {
		*entry |= ENTRY_DIRTY;
		times_note_store(inode);
	}
	return HUGE_INSTALLED;
}

static int cmd_huge(int argc, char **argv)
{
	(void)argv;
	if (argc > 1)
		return shell_usage();
	for (unsigned i = 0; i < HUGE_RESULTS; i++)
		if (i == HUGE_INSTALLED || huge_count(i))
			kprintf("%8lu  %s\n", huge_count(i), result_text[i]);
	kprintf("Zeroes shared by all holes that were read: %s by single pages, %s by 2 "
		"MiB\n",
		SIZE_TEXT(zero_bytes(1)), SIZE_TEXT(zero_bytes(2)));
	return 0;
}
SHELL_COMMAND(huge, cmd_huge, "huge",
	      "faults of DAX files that were served by 2 MiB, and why the others were not\n"
	      "Counted since boot, every fault once; a reason that never occurred is not shown. "
	      "The last\n"
	      "line: memory that is taken when a hole is first read, and kept.");

static void print_event(const struct event *e)
{
	kprintf("%8lu.%03lu ms  thread %u %s 0x%lx, page %lu of %.31s: %s\n", e->ns / 1000000,
		e->ns / 1000 % 1000, e->tid, e->write ? "stores to" : "reads", e->address, e->pgoff,
		e->file, result_text[e->result]);
}

/* The oldest event of any CPU that is younger than `after`; NULL: none. */
static const struct event *next_event(uint64_t after)
{
	const struct event *best = NULL;

	for (unsigned i = 0; i < MAX_CPUS * EVENTS; i++) {
		const struct event *e = &traced[i / EVENTS].event[i % EVENTS];

		if (e->ns > after && (!best || e->ns < best->ns))
			best = e;
	}
	return best;
}

static int cmd_trace(int argc, char **argv)
{
	const struct event *e = next_event(0);

	(void)argv;
	if (argc > 1)
		return shell_usage();
	if (!e)
		kprintf("no fault of a DAX file yet; try: map /t/f, touch m1\n");
	for (; e; e = next_event(e->ns))
		print_event(e);
	return 0;
}
SHELL_COMMAND(
	trace, cmd_trace, "trace",
	"the last faults of DAX files, 32 of each CPU: served by 2 MiB, or why not\n"
	"One after the other, faults in the same 2 MiB with the same result show once, and those\n"
	"of one file that were served by 2 MiB.");
