/* SPDX-License-Identifier: MIT */
/*
 * Faults served by 2 MiB: one index entry, one record, one page-table entry for 512 pages.
 *
 * It can be done when everything is aligned at once: the mapping covers the whole 2 MiB, its
 * addresses and the file's offsets agree modulo 2 MiB, the file reaches to the end, and its blocks
 * there are written, contiguous, and begin at a multiple of 2 MiB of physical memory. Nothing of it
 * may be in use page by page. Where one of these fails, single pages serve, and the reason is
 * counted and shown (`huge`, `trace`): a mapping that is slow without a word is the worst kind.
 */
#include "dax/internal.h"

#define EVENTS 32u

static const char *const result_text[HUGE_RESULTS] = {
	[HUGE_INSTALLED] = "served by 2 MiB",
	[HUGE_PRIVATE] = "the mapping is private",
	[HUGE_ALIGNMENT] = "mapping alignment: address and file offset differ modulo 2 MiB",
	[HUGE_LENGTH] = "length: the mapping does not cover all of the 2 MiB",
	[HUGE_FILE_END] = "file end: the file does not reach to the end of the 2 MiB",
	[HUGE_START] = "region start: not a multiple of 2 MiB",
	[HUGE_HOLE] = "a hole, or blocks that were never written",
	[HUGE_EXTENT] = "extent: blocks not contiguous, or not aligned to 2 MiB",
	[HUGE_ENTRIES] = "single pages of the 2 MiB are in use",
	[HUGE_HELD] = "a page of the 2 MiB is held from an earlier life",
	[HUGE_NO_MEMORY] = "no memory",
};

struct event {
	uint64_t ns, address, pgoff;
	unsigned tid;
	enum huge_result result;
	bool write;
	char file[32];
};
/* One per CPU, so that a fault writes nothing that another CPU writes. A count that is lost because
 * a thread moved between its two halves is accepted, and so is an event that was read half written.
 */
static struct per_cpu {
	uint64_t n[HUGE_RESULTS];
	uint64_t last;	    /* what was traced last; the same again is not */
	uint64_t nr_events; /* since boot; the last EVENTS of them are kept */
	struct event event[EVENTS];
} __attribute__((aligned(64))) per_cpu[MAX_CPUS];

uint64_t huge_count(enum huge_result result)
{
	uint64_t sum = 0;

	for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++)
		sum += per_cpu[cpu].n[result];
	return sum;
}

static void __attribute__((noinline)) trace(struct per_cpu *c, const struct dax_inode *inode,
					    const struct vm_fault *vmf, enum huge_result result)
{
	struct event *e = &c->event[c->nr_events++ % EVENTS];

	e->ns = clock_ns();
	e->address = vmf->address;
	e->pgoff = vmf->pgoff;
	e->tid = current_thread()->tid;
	e->result = result;
	e->write = vmf->write;
	_Static_assert(sizeof(inode->name) >= sizeof(e->file), "the copy has a fixed size");
	memcpy(e->file, inode->name, sizeof(e->file));
}

void huge_note(const struct dax_inode *inode, const struct vm_fault *vmf, enum huge_result result)
{
	struct per_cpu *c = &per_cpu[cpu_id()];
	uint64_t key = (vmf->address & ~(PMD_SIZE - 1)) + result;

	c->n[result]++;
	if (c->last == key)
		return;
	c->last = key;
	trace(c, inode, vmf, result);
}

/* Is the run the blocks of a 2 MiB entry, or could it become that by a store? */
static enum huge_result check_run(const struct dax_run *run, bool may_fill)
{
	if (run->count < FOLIO_PAGES)
		return HUGE_EXTENT;
	if (run->pfn && !IS_ALIGNED(run->pfn, FOLIO_PAGES))
		return HUGE_EXTENT;
	return run->written || may_fill ? HUGE_INSTALLED : HUGE_HOLE;
}

/*
 * The blocks of [first, first + 512). A store fills a hole that is as large, or converts what was
 * never written; a piece of 2 MiB that is partly there is left to single pages. On HUGE_EXTENT
 * after filling, the blocks stay where they are and are found by the faults on single pages.
 */
static enum huge_result map_blocks(struct dax_inode *inode, uint64_t first, bool write,
				   struct dax_run *run, const char **why)
{
	enum huge_result result;

	if (inode->ops->map_run(inode, first, FOLIO_PAGES, false, run, why))
		return HUGE_EXTENT; /* the fault on a single page meets the error again, and says it
				     */
	result = check_run(run, write);
	if (result != HUGE_INSTALLED || run->written)
		return result;
	if (inode->ops->map_run(inode, first, FOLIO_PAGES, true, run, why))
		return HUGE_EXTENT;
	return check_run(run, false);
}

/* The EMPTY entry becomes one for the run. */
static enum huge_result make_entry(struct dax_inode *inode, uint64_t first,
				   const struct dax_run *run, uint64_t *entry)
{
	struct page *head = pfn_to_page(run->pfn);

	/* Zeroes first, as for a single page. */
	if (run->fresh)
		unmap_mapping_range(&inode->mapping, first, first + FOLIO_PAGES);
	if (!page_record_exists(head) && page_records_populate(run->pfn, 1))
		return HUGE_NO_MEMORY;
	if (!page_folio_make(head))
		return HUGE_HELD;
	inode->fs->lifetime->insert(inode, first, head);
	*entry = run->pfn << PAGE_SHIFT | ENTRY_PMD;
	return HUGE_INSTALLED;
}

static enum huge_result fill_entry(struct dax_inode *inode, struct vm_fault *vmf, uint64_t *entry)
{
	/* Down: a fault in the middle belongs to the entry that begins before it (D-2). */
	uint64_t first = ALIGN_DOWN(vmf->pgoff, FOLIO_PAGES);
	enum huge_result result;
	struct dax_run run;

	result = map_blocks(inode, first, vmf->write, &run, &vmf->why);
	if (result == HUGE_INSTALLED)
		result = make_entry(inode, first, &run, entry);
	if (result != HUGE_INSTALLED)
		*entry = entry_shrink(inode, vmf->pgoff);
	return result;
}

enum huge_result huge_fault(struct dax_inode *inode, struct vm_fault *vmf, uint64_t *entry)
{
	enum huge_result result;
	int err;

	if (*entry & ENTRY_EMPTY) {
		result = fill_entry(inode, vmf, entry);
		if (result != HUGE_INSTALLED)
			return result;
	}
	err = vmf_insert_pmd(vmf, entry_pfn(*entry), vmf->write);
	if (err)
		return err == -EEXIST ? HUGE_ENTRIES : HUGE_NO_MEMORY;
	if (vmf->write)
		*entry |= ENTRY_DIRTY;
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
	return 0;
}
SHELL_COMMAND(huge, cmd_huge, "huge",
	      "faults of DAX files that were served by 2 MiB, and why the others were not\n"
	      "Counted since boot, every fault once; a reason that never occurred is not shown.");

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
		const struct event *e = &per_cpu[i / EVENTS].event[i % EVENTS];

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
SHELL_COMMAND(trace, cmd_trace, "trace",
	      "the last faults of DAX files, 32 of each CPU: served by 2 MiB, or why not\n"
	      "Faults in the same 2 MiB with the same result, one after the other, show once.");
