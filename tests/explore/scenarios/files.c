/* SPDX-License-Identifier: MIT */
/* The file that scenarios share; see files.h. */
#include "tests/explore/scenarios/files.h"

#define LATE  0x4554414c4554414cull /* what a holder writes: "LATELATE" */
#define OF_G  0x4747474747474747ull
#define STORE 0x5353535353535353ull

struct files files;

static uint64_t first_word(void)
{
	return *(uint64_t *)page_to_virt(files.page);
}

/* ---- set-up ---------------------------------------------------------------------------------- */

static struct page *block_of(struct dax_inode *inode)
{
	struct dax_run run = {0};
	int err;

	mutex_lock(&inode->fs->lock);
	err = inode->ops->lookup(inode->fs, inode->layer, 0, 1, &run);
	mutex_unlock(&inode->fs->lock);
	return err || !run.pfn ? NULL : pfn_to_page(run.pfn);
}

static int touch(void)
{
	int err = 0;

	for (unsigned i = 0; i < files.pages && !err; i++)
		err = mm_fault(files.mm, files.va + i * PAGE_SIZE, true);
	return err;
}

/* F with its blocks, G as asked. No other block is free, but where G has its own. */
static int make_files(unsigned how)
{
	files.f = scratch_file("F", files.pages, 'F');
	files.g = scratch_file("G", how & FILES_G_HAS_ONE ? 1 : 0, 'G');
	if (!files.f || !files.g || (!(how & FILES_G_HAS_ONE) && scratch_fill("fill")))
		return refuse(-ENOSPC, "no files on the scratch device");
	files.page = block_of(files.f);
	if (how & FILES_HOLE)
		return dax_punch(files.f, 0, files.pages * PAGE_SIZE);
	return 0;
}

static int map_file(unsigned how)
{
	const struct dax_map rq = {
		.flags = MAP_SHARED_VALIDATE | MAP_DIRECT, .pages = files.pages, .write = true};

	if (how & FILES_DIRECT)
		return dax_map(files.mm, files.f, &rq, &files.va);
	return dax_mmap(files.mm, files.f, 0, files.pages, true, &files.va);
}

int files_setup(unsigned pages, unsigned how)
{
	const struct lifetime *lt = x_lifetime() ?: LIFETIME_DEFAULT;
	int err;

	files = (struct files){.mm = current_mm(), .pages = pages};
	err = fixture_start(&files.fx, lt);
	if (err)
		return refuse(err, "%s", files.fx.why);
	err = make_files(how);
	if (!err && !(how & FILES_UNMAPPED))
		err = map_file(how);
	if (!err && (how & FILES_TOUCHED))
		err = touch();
	if (!err && (how & FILES_DIRECT) && !lt->no_fast_gup)
		files.direct_pte = pte_walk(files.mm->root, files.va, 1, true, NULL);
	if (err)
		files_teardown();
	return err;
}

void files_teardown(void)
{
	if (files.va)
		mm_unmap(files.mm, files.va, files.pages * PAGE_SIZE);
	if (files.f)
		dax_put(files.f);
	if (files.g)
		dax_put(files.g);
	fixture_end(&files.fx);
}

struct mm *files_mm(void)
{
	return files.mm;
}

static struct page *pin(void)
{
	struct page *page;
	long n = get_user_pages_fast(files.va, 1, FOLL_PIN | FOLL_WRITE, &page);

	X_EXPECT("set-up", n == 1, "F's page cannot be held: %ld", n);
	return page;
}

void files_hold(void)
{
	files.held = pin();
}

void files_hold_twice(void)
{
	files.held = pin();
	files.held_too = pin();
}

void files_hold_unmapped(void)
{
	files.held = pin();
	unmap_mapping_range(&files.f->mapping, 0, files.pages);
}

/* ---- rules ----------------------------------------------------------------------------------- */

static uint64_t entry_in(const struct mm *mm, uint64_t va)
{
	const uint64_t *pte = va ? pte_leaf(mm->root, va) : NULL;

	return pte && (*pte & PTE_P) && (*pte & PTE_DEVMAP) ? *pte : 0;
}

static uint64_t mapped_entry(uint64_t va)
{
	return entry_in(files.mm, va);
}

/* While nobody is in the middle of a change. */
static void entry_agrees(uint64_t pgoff)
{
	uint64_t e = index_load(&files.f->index, pgoff), pte;
	const struct page *page;

	pte = mapped_entry(files.va ? files.va + pgoff * PAGE_SIZE : 0);
	X_EXPECT("I3", !pte || e, "page %lu of F is mapped, and has no entry", pgoff);
	if (!e || (e & (ENTRY_LOCKED | ENTRY_EMPTY | ENTRY_ZERO | ENTRY_SHARED)))
		return;
	page = pfn_to_page(entry_to_pfn(e));
	X_EXPECT("I6", !pte || pte_to_pfn(pte) == entry_pgoff_to_pfn(e, pgoff),
		 "page %lu of F is mapped to pfn 0x%lx, and its entry says 0x%lx", pgoff,
		 pte_to_pfn(pte), entry_pgoff_to_pfn(e, pgoff));
	X_EXPECT("I6",
		 !files.fx.fs->lifetime->associates || (page->mapping == &files.f->mapping &&
							page->index == entry_start(e, pgoff)),
		 "the entry of page %lu of F names a page that says it is page %lu of %s", pgoff,
		 page->index, page->mapping ? "a file" : "no file");
}

void files_step(void)
{
	if (!files.f || files.f->tree_lock.locked || files.mm->ptl.locked)
		return;
	for (unsigned i = 0; i < files.pages; i++)
		entry_agrees(i);
	/* A fault that saw the mapping live has mapped its page before (L-3). */
	X_EXPECT("I5",
		 !files.revoked || (!mapped_entry(files.va) &&
				    (!files.copy || !entry_in(files.copy, files.va))),
		 "the mapping was revoked, and a page is mapped by it or by its copy");
	X_EXPECT("I3",
		 !files.copy || files.copy->ptl.locked || !entry_in(files.copy, files.va) ||
			 index_load(&files.f->index, 0),
		 "page 0 of F is mapped in a copy of the address space, and has no entry");
}

const struct page *files_record(void)
{
	return page_record_exists(files.page) ? page_to_record(files.page) : NULL;
}

/* Nobody holds it any more: what shows it, and what it says of itself. */
static void page_agrees(const struct page *page)
{
	uint64_t pte = mapped_entry(files.va);
	bool shown = pte && pte_to_pfn(pte) == page_to_pfn(files.page);

	X_EXPECT("I3", page_maps(page) == shown, "F's page has %u mappings, and is %sshown",
		 page_maps(page), shown ? "" : "not ");
	X_EXPECT("I3", !(files.taken & FILES_READ_ONLY) || !(pte & PTE_W),
		 "F's page may be written through a mapping that is read-only");
	X_EXPECT("I6", page->mapping != &files.f->mapping || index_load(&files.f->index, 0),
		 "F's page names F, which has no entry");
}

void files_end(void)
{
	const struct page *page = files_record();

	if (page)
		page_agrees(page);
	X_EXPECT("I1", !files.given || first_word() == OF_G,
		 "G has F's block, and reads back what F's holder wrote: 0x%lx", first_word());
	X_EXPECT("I2",
		 !page || page_refs(page) == files.fx.fs->lifetime->rest ||
			 files.fx.fs->lifetime->attach,
		 "F's page has %u references left", page_refs(page));
}

/* ---- threads --------------------------------------------------------------------------------- */

static bool mapping_is_taken(void)
{
	return __atomic_load_n(&files.taken, __ATOMIC_ACQUIRE);
}

void files_store(void)
{
	bool taken = mapping_is_taken(), arrives = x_try_store(files.va, STORE);

	x_observe(arrives);
	X_EXPECT("I3", !taken || !arrives, "a store arrives through what munmap or mprotect took");
}

void files_load(void)
{
	uint64_t v = 0;

	x_observe(x_try_load(files.va, &v));
	X_EXPECT("I1", v != OF_G, "F's mapping shows G's bytes");
}

/* A device that was told to writes, then lets the page go. */
static void device_writes(struct page *page)
{
	x_point("the device writes");
	__atomic_store_n((uint64_t *)page_to_virt(page), LATE, __ATOMIC_RELAXED);
	put_user_page(page);
}

void files_gup_fast(void)
{
	bool taken = mapping_is_taken();
	struct page *page;
	long n = get_user_pages_fast(files.va, 1, FOLL_GET | FOLL_WRITE, &page);

	x_observe(n == 1);
	X_EXPECT("I3", !taken || n != 1, "a page is had of what munmap or mprotect took");
	if (n == 1)
		device_writes(page);
}

void files_gup_slow(void)
{
	bool taken = mapping_is_taken();
	struct page *page;
	long n = get_user_pages(files.mm, files.va, 1, FOLL_GET | FOLL_WRITE, &page);

	x_observe(n == 1);
	X_EXPECT("I3", !taken || n != 1, "a page is had of what munmap or mprotect took");
	if (n == 1)
		device_writes(page);
}

void files_put(void)
{
	device_writes(files.held);
}

void files_put_second(void)
{
	device_writes(files.held_too);
}

/* The block that F let go, if it did: nobody may have it who is not known to G. */
void files_take(void)
{
	static const uint64_t bytes[PAGE_SIZE / 8] = {[0 ... PAGE_SIZE / 8 - 1] = OF_G};
	const uint32_t rest = files.fx.fs->lifetime->rest;
	int64_t n = dax_write(files.g, 0, bytes, PAGE_SIZE);
	const struct page *page;

	x_observe(n == (int64_t)PAGE_SIZE);
	if (n != (int64_t)PAGE_SIZE)
		return;
	__atomic_store_n(&files.given, true, __ATOMIC_RELAXED);
	page = files_record();
	X_EXPECT("I1", !page || (page_refs(page) <= rest && !page_maps(page)),
		 "G has F's block, which has %u references and %u mappings", page_refs(page),
		 page_maps(page));
}

void files_truncate(void)
{
	int err = dax_truncate(files.f, 0);

	x_observe((uint64_t)-err);
	X_EXPECT("I4", !err || err == -EAGAIN, "truncate: error %d", err);
	if (!err)
		files_take();
}

void files_cut(void)
{
	int err = dax_truncate(files.f, 0);

	x_observe((uint64_t)-err);
}

void files_punch(void)
{
	int err = dax_punch(files.f, 0, PAGE_SIZE);

	x_observe((uint64_t)-err);
	if (!err)
		files_take();
}

void files_break(void)
{
	files_truncate();
	__atomic_store_n(&files.broken, true, __ATOMIC_RELEASE);
}

void files_break_punch(void)
{
	files_punch();
	__atomic_store_n(&files.broken, true, __ATOMIC_RELEASE);
}

static void find_pending(const struct lease *l, void *arg)
{
	if (__atomic_load_n(&l->pending, __ATOMIC_ACQUIRE))
		*(bool *)arg = true;
}

/* The explorer's clock does not go on while everybody waits for the revoker, which is no thread of
 * the scenario's: so this is it, and for this one the time is over. */
void files_revoke(void)
{
	bool pending = false, revoked;

	for (;;) {
		lease_for_each(find_pending, &pending);
		if (pending || __atomic_load_n(&files.broken, __ATOMIC_ACQUIRE))
			break;
		cpu_pause();
	}
	if (!pending)
		return;
	revoked = lease_revoke_due(UINT64_MAX);
	for (unsigned i = 0; files.direct_pte && i < MAX(files.pages, 1u); i++)
		X_EXPECT("I5", !__atomic_load_n(files.direct_pte + i, __ATOMIC_ACQUIRE),
			 "a mapping whose lease was revoked shows its page %u", i);
	if (revoked)
		__atomic_store_n(&files.revoked, true, __ATOMIC_RELEASE);
}

void files_munmap(void)
{
	int err = mm_unmap(files.mm, files.va, files.pages * PAGE_SIZE);

	X_EXPECT("I4", !err, "munmap: error %d", err);
	__atomic_fetch_or(&files.taken, FILES_GONE, __ATOMIC_RELEASE);
}

void files_protect(void)
{
	int err = mm_protect(files.mm, files.va, files.pages * PAGE_SIZE, VM_READ);

	X_EXPECT("I4", !err, "mprotect: error %d", err);
	__atomic_fetch_or(&files.taken, FILES_READ_ONLY, __ATOMIC_RELEASE);
}

void files_try_munmap(void)
{
	int err = mm_unmap(files.mm, files.va, files.pages * PAGE_SIZE);

	x_observe((uint64_t)-err);
	__atomic_fetch_add(&files.unmapped, !err, __ATOMIC_RELEASE);
}

void files_one_unmapped(void)
{
	X_EXPECT("I3", files.unmapped == 1, "%lu of two unmappings found what was mapped",
		 files.unmapped);
	files_end();
}

void files_try_protect(void)
{
	x_observe((uint64_t)-mm_protect(files.mm, files.va, files.pages * PAGE_SIZE, VM_READ));
}

bool files_load_in(struct mm *child, uint64_t *v)
{
	bool arrives;

	mm_get(files.mm); /* no thread of a scenario has a reference of its own */
	mm_use(child);
	arrives = x_try_load(files.va, v);
	mm_use(files.mm);
	mm_put(files.mm);
	x_observe(arrives);
	return arrives;
}

struct mm *files_copy(void)
{
	struct mm *child = mm_fork(files.mm, "child");

	X_EXPECT("I4", child, "no memory for a copy of the address space");
	return child;
}

void files_fork(void)
{
	struct mm *child = files_copy();
	bool revoked = __atomic_load_n(&files.revoked, __ATOMIC_ACQUIRE);
	uint64_t v = 0;
	bool arrives;

	files.copy = child;
	arrives = files_load_in(child, &v);
	x_point("the copy is looked at");
	files.copy = NULL;
	X_EXPECT("I1", v != OF_G, "the copy of F's mapping shows G's bytes");
	X_EXPECT("I5", !revoked || !arrives,
		 "a load arrives through the copy of a mapping whose lease was revoked");
	mm_put(child);
}

void files_fork_only(void)
{
	mm_put(files_copy());
}

int files_exchange(void)
{
	int err = dax_exchange(files.f, 0, files.g, 0, PAGE_SIZE);

	x_observe((uint64_t)-err);
	X_EXPECT("I4", !err || err == -EBUSY || err == -EAGAIN || err == -EINVAL,
		 "exchange: error %d", err);
	return err;
}

void files_fsync(void)
{
	int err = dax_fsync(files.f);

	X_EXPECT("I4", !err, "fsync: error %d", err);
}
