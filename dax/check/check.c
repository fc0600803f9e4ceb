/* SPDX-License-Identifier: MIT */
/*
 * The invariants as functions, over everything that is mounted, mapped and bound.
 *
 * They ask the layers that know, in both directions, and never trust a counter that could be
 * derived: the extent trees say who owns a block, the page tables what is mapped, the records what
 * is held. The file layer is locked while it is asked; what a fault or a change is at just now is
 * left to it (judge()).
 */
#include <stdarg.h>

#include "dax/file/internal.h"

struct finding {
	const char *rule;
	unsigned n; /* violations; zero: the rule holds */
	bool silent;
};

static void __printf(2, 3) violated(struct finding *f, const char *fmt, ...)
{
	char text[240];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (f->n++ < 8 && !f->silent) /* the first ones tell the story */
		kprintf("  %s violated: %s\n", f->rule, text);
}

/*
 * A fault, and every change of a layout, holds the file's fault lock, and is between two steps of
 * its own as long. So what looks wrong is looked at again with the lock, and nothing is judged
 * while somebody else has it. fs->lock held, which keeps the file.
 */
static void judge(struct finding *f, struct dax_inode *inode,
		  void (*look)(struct finding *f, struct dax_inode *inode, void *arg), void *arg)
{
	struct finding first = {.rule = f->rule, .silent = true};

	look(&first, inode, arg);
	if (!first.n || !down_write_trylock(&inode->fault_lock))
		return;
	look(f, inode, arg);
	up_write(&inode->fault_lock);
}

/* ---- I1: one owner per block ---------------------------------------------------------------- */

/* Some lines of the file layer begin with the rule they break as seen from the disk, "I7: ": the
 * same thing as I1, whose name is before it already. */
static void say(void *arg, const char *line)
{
	const char *text = strncmp(line, "I7: ", 4) ? line : line + 4;

	violated(arg, "%s", text);
}

static int check_fs_blocks(struct dax_fs *fs, void *arg)
{
	struct dax_inode *inode;
	struct finding *f = arg;
	int err;

	mutex_lock(&fs->lock);
	err = fs->ops->check(fs, say, f);
	if (err < 0)
		violated(f, "%s cannot be scanned: %s", fs->path, refusal());
	if (fs->freed_early)
		violated(f, "%s: %lu run(s) of blocks were free before they left their file",
			 fs->path, fs->freed_early);
	LIST_FOREACH (inode, &fs->inodes, link)
		if (inode->collisions)
			violated(f, "%s lost %u block(s) while somebody held them", inode->name,
				 inode->collisions);
	mutex_unlock(&fs->lock);
	return 0;
}

unsigned check_i1_blocks(void)
{
	struct finding f = {.rule = "I1"};

	dax_fs_for_each(check_fs_blocks, &f);
	return f.n;
}

/* ---- records: I2, and half of I5 and I6 ----------------------------------------------------- */

struct record_check {
	struct finding *f;
	struct dax_fs *fs; /* mounted on the device, or NULL */
};

static void for_each_record(int (*fn)(struct page *, void *), struct finding *f)
{
	for (unsigned i = 0; i < pmem_count(); i++) {
		struct pmem_region *r = pmem_nth(i);
		bool between;
		struct record_check c = {f, dax_fs_of(r, &between)};

		if (pmem_is_there(r) && !between)
			page_records_for_each(r->start >> PAGE_SHIFT, r->len >> PAGE_SHIFT, fn, &c);
		if (c.fs)
			dax_fs_put(c.fs);
	}
}

/* The walk holds the pgmap. One that began to leave meanwhile takes the references back that its
 * records rest on: so the count is read before the mark, and judged only of a live one. */
static int check_record_pgmap(struct page *p, void *arg)
{
	struct record_check *c = arg;
	struct pmem_region *r = pfn_to_region(page_to_pfn(p));
	uint32_t refs = page_refs(p);

	if (!r || p->pgmap != &r->pgmap)
		violated(c->f, "pfn 0x%lx has a record, but its device memory is gone",
			 page_to_pfn(p));
	else if (refs < p->pgmap->rest && pgmap_is_live(p->pgmap))
		violated(c->f, "pfn 0x%lx has %u references, fewer than the %u at rest",
			 page_to_pfn(p), refs, p->pgmap->rest);
	return 0;
}

unsigned check_i2_records(void)
{
	struct finding f = {.rule = "I2"};

	for_each_record(check_record_pgmap, &f);
	return f.n;
}

/* ---- I3: what is mapped has an entry -------------------------------------------------------- */

/* The entry that shows va, 0: none; *bytes: how much it, or the gap, covers. Under the page-table
 * lock: a fault may replace an empty table by a large page. */
static uint64_t entry_at(struct mm *mm, uint64_t va, uint64_t *bytes)
{
	unsigned level;
	uint64_t *pte, e;

	spin_lock(&mm->ptl);
	pte = pte_walk(mm->root, va, 1, false, &level);
	if (!pte) /* a larger entry, or nothing, up to here */
		pte = pte_walk(mm->root, va, level, false, NULL);
	e = __atomic_load_n(pte, __ATOMIC_ACQUIRE);
	if (!(e & PTE_P) || !(e & PTE_DEVMAP) || pte_is_anon(e))
		e = 0;
	spin_unlock(&mm->ptl);
	*bytes = PAGE_SIZE << (9 * (level - 1));
	return e;
}

struct place {
	const struct vma *vma;
	uint64_t va, next; /* what it shows ends at `next` */
};

static void check_place(struct finding *f, struct dax_inode *inode, void *arg)
{
	struct place *p = arg;
	uint64_t bytes, pte = entry_at(p->vma->mm, p->va, &bytes), pfn, entry;
	uint64_t pgoff = p->vma->pgoff + ((p->va - p->vma->start) >> PAGE_SHIFT), at = pgoff;

	p->next = ALIGN_DOWN(p->va, bytes) + bytes;
	if (!pte)
		return;
	pfn = pte_to_pfn(pte) + ((p->va & (bytes - 1)) >> PAGE_SHIFT);
	entry = entry_next(inode, &at, pgoff + 1);
	if (entry_pgoff_to_pfn(entry, pgoff) != pfn)
		violated(f, "0x%lx shows pfn 0x%lx, the entry of page %lu of %s says 0x%lx", p->va,
			 pfn, pgoff, inode->name, entry_pgoff_to_pfn(entry, pgoff));
}

static void check_vma(struct finding *f, struct dax_inode *inode, struct vma *vma)
{
	for (struct place p = {vma, vma->start, 0}; p.va < vma->end; p.va = p.next)
		judge(f, inode, check_place, &p);
}

static int check_fs_mappings(struct dax_fs *fs, void *arg)
{
	struct dax_inode *inode;
	struct vma *vma;

	mutex_lock(&fs->lock);
	LIST_FOREACH (inode, &fs->inodes, link) {
		down_read(&inode->mapping.i_mmap_lock);
		LIST_FOREACH (vma, &inode->mapping.vmas, i_mmap)
			check_vma(arg, inode, vma);
		up_read(&inode->mapping.i_mmap_lock);
	}
	mutex_unlock(&fs->lock);
	return 0;
}

unsigned check_i3_entries(void)
{
	struct finding f = {.rule = "I3"};

	dax_fs_for_each(check_fs_mappings, &f);
	return f.n;
}

/* ---- I4: nobody sleeps for a page that is idle ---------------------------------------------- */

/* Called with interrupts off, which keep the record. Asleep for a page whose record is gone is what
 * some designs do (C-7), and no lost wake. */
static void check_waiter(struct thread *t, void *arg)
{
	const struct waiter *w = t->waiting;
	const struct page *p;
	struct pmem_region *r;

	if (!w || (uint64_t)w->key < RECORD_BASE || (uint64_t)w->key >= RECORD_BASE + (1ul << 39))
		return;
	p = w->key;
	if (!page_records_stay(page_to_pfn(p)))
		return;
	r = pfn_to_region(page_to_pfn(p));
	if (r && page_refs(p) <= r->pgmap.rest && !w->woken)
		violated(arg, "thread %u sleeps for pfn 0x%lx, which is idle: a wake was lost",
			 t->tid, page_to_pfn(p));
}

unsigned check_i4_waiters(void)
{
	struct finding f = {.rule = "I4"};

	thread_for_each(check_waiter, &f);
	return f.n;
}

/* ---- I5: what is held is not free ----------------------------------------------------------- */

static int check_held(struct page *p, void *arg)
{
	struct record_check *c = arg;
	uint64_t block = page_to_pfn(p) - p->pgmap->range[0].start, n;

	if (!c->fs || page_refs(p) <= p->pgmap->rest || (page_state(p) & PAGE_BUSY))
		return 0;
	/* A folio is held as one: every block of it must be somebody's. */
	mutex_lock(&c->fs->lock);
	for (n = page_state(p) & PAGE_FOLIO ? FOLIO_PAGES : 1; n; n--, block++) {
		if (c->fs->ops->owned(c->fs, block))
			continue;
		violated(c->f, "pfn 0x%lx is held%s, and block %lu is free", page_to_pfn(p),
			 page_state(p) & PAGE_FOLIO ? " with its 2 MiB" : "", block);
		break;
	}
	mutex_unlock(&c->fs->lock);
	return 0;
}

unsigned check_i5_idle(void)
{
	struct finding f = {.rule = "I5"};

	for_each_record(check_held, &f);
	return f.n;
}

/* ---- I6: file → page and page → file agree -------------------------------------------------- */

/* What the record says, p: NULL, there is none. */
static void check_entry_record(struct finding *f, struct dax_inode *inode, uint64_t pgoff,
			       uint64_t entry, const struct page *p)
{
	uint64_t pfn = entry_to_pfn(entry);

	if (!p && pmem_is_limited(inode->fs->region))
		return; /* as it should be: nothing of such a region has one */
	if (!p)
		violated(f, "page %lu of %s is pfn 0x%lx, which has no record", pgoff, inode->name,
			 pfn);
	else if (entry & ENTRY_SHARED
			 ? !page_share_count(p)
			 : inode->fs->lifetime->associates &&
				   (p->mapping != &inode->mapping || p->index != pgoff))
		violated(f, "page %lu of %s is pfn 0x%lx, whose record names another place", pgoff,
			 inode->name, pfn);
}

static void check_entry(struct finding *f, struct dax_inode *inode, uint64_t pgoff, uint64_t entry)
{
	uint64_t pfn = entry_to_pfn(entry);
	struct pgmap_walk walk;
	struct dax_run run;
	bool held;

	if (entry & (ENTRY_EMPTY | ENTRY_ZERO))
		return;
	held = pgmap_walk_begin(&walk, pfn); /* not of a limited region: there is no pgmap */
	check_entry_record(f, inode, pgoff, entry, held ? pfn_to_record(pfn) : NULL);
	if (held)
		pgmap_walk_end(&walk);
	if (inode->ops->lookup(inode->fs, inode->layer, pgoff, entry_pages(entry), &run) ||
	    !run.written || run.pfn != pfn || run.count != entry_pages(entry))
		violated(
			f,
			"page %lu of %s has an entry for pfn 0x%lx, the file keeps it in pfn 0x%lx",
			pgoff, inode->name, pfn, run.pfn);
}

static void check_entry_of(struct finding *f, struct dax_inode *inode, void *arg)
{
	uint64_t at = *(uint64_t *)arg, entry = entry_next(inode, &at, at + 1);

	if (entry)
		check_entry(f, inode, at, entry);
}

static int check_fs_entries(struct dax_fs *fs, void *arg)
{
	struct dax_inode *inode;

	mutex_lock(&fs->lock);
	LIST_FOREACH (inode, &fs->inodes, link) {
		uint64_t at = 0, entry;

		for (; (entry = entry_next(inode, &at, DAX_TO_END)); at += entry_pages(entry))
			judge(arg, inode, check_entry_of, &at);
	}
	mutex_unlock(&fs->lock);
	return 0;
}

/* A shared page is named by as many entries as it counts. */
static void check_shares(struct finding *f, struct dax_fs *fs, const struct page *p)
{
	uint64_t n = 0, at, entry;
	struct dax_inode *inode;

	mutex_lock(&fs->lock);
	LIST_FOREACH (inode, &fs->inodes, link)
		for (at = 0; (entry = entry_next(inode, &at, DAX_TO_END)); at += entry_pages(entry))
			n += (entry & ENTRY_SHARED) && entry_to_pfn(entry) == page_to_pfn(p);
	mutex_unlock(&fs->lock);
	if (n != page_share_count(p))
		violated(f, "pfn 0x%lx counts %lu sharing entries, there are %lu", page_to_pfn(p),
			 page_share_count(p), n);
}

static void check_link(struct finding *f, struct dax_inode *inode, void *arg)
{
	const struct page *p = arg;
	uint64_t at = p->index;

	if (p->mapping == &inode->mapping &&
	    entry_to_pfn(entry_next(inode, &at, p->index + 1)) != page_to_pfn(p))
		violated(f, "pfn 0x%lx names page %lu of %s, which has no entry for it",
			 page_to_pfn(p), p->index, inode->name);
}

/* The record names a file. One that is in no list has given its entries back before (inode_drop()).
 */
static void check_named(struct finding *f, struct dax_fs *fs, struct page *p)
{
	bool listed = false;
	struct dax_inode *inode;

	mutex_lock(&fs->lock);
	LIST_FOREACH (inode, &fs->inodes, link) {
		if (p->mapping != &inode->mapping)
			continue;
		listed = true;
		judge(f, inode, check_link, p);
	}
	if (!listed && p->mapping && !page_share_count(p))
		violated(f, "pfn 0x%lx names a file that is not there any more", page_to_pfn(p));
	mutex_unlock(&fs->lock);
}

static int check_record_link(struct page *p, void *arg)
{
	struct record_check *c = arg;

	if (!p->mapping)
		return 0;
	if (page_share_count(p)) {
		if (c->fs)
			check_shares(c->f, c->fs, p);
		return 0;
	}
	if (!c->fs)
		violated(c->f, "pfn 0x%lx names a file, and nothing is mounted", page_to_pfn(p));
	else
		check_named(c->f, c->fs, p);
	return 0;
}

unsigned check_i6_association(void)
{
	struct finding f = {.rule = "I6"};

	dax_fs_for_each(check_fs_entries, &f);
	for_each_record(check_record_link, &f);
	return f.n;
}

/* ---- all of them ---------------------------------------------------------------------------- */

/* Of I1, I2, …; their sentences are in invariants.c. */
static unsigned (*const checks[])(void) = {
	check_i1_blocks,  /* no block has two owners, bitmap and extents agree, nothing held was
			     freed */
	check_i2_records, /* every record's pgmap is live and no count is below rest */
	check_i3_entries, /* every mapped page has an index entry for it */
	check_i4_waiters, /* nobody sleeps for a page that is idle */
	check_i5_idle,	  /* no held page has a free block */
	check_i6_association,
};

unsigned check_all(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(checks); i++)
		n += checks[i]();
	return n;
}

static int cmd_check(int argc, char **argv)
{
	unsigned total = 0;

	(void)argv;
	if (argc > 1)
		return shell_usage();
	for (unsigned i = 0; i < ARRAY_SIZE(checks); i++) {
		unsigned n = checks[i]();

		if (signal_pending()) /* the rules behind this one were not looked at */
			return -EINTR;
		kprintf("I%u %s: %s\n", i + 1, n ? "VIOLATED" : "holds", invariant_text(i + 1));
		total += n;
	}
	return total ? shell_fail(-EIO, "%u violation(s)", total) : 0;
}
SHELL_COMMAND(check, cmd_check, "check",
	      "run the invariants I1 to I6 over everything mounted, mapped and bound");
