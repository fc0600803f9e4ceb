/* SPDX-License-Identifier: MIT */
/*
 * Reshaping a DAX file: zero range, collapse range, insert range, exchange of two files' blocks.
 *
 * The order is that of every layout change (file.c): locks; users of the range go away or are
 * waited for; unmap; entries go; the file layer changes. What differs is the range and what becomes
 * of its blocks:
 *
 *   zero      the range; its blocks stay where they are, unwritten: no entry may show them
 *   collapse  from the range to the end; some blocks are freed, the others move to another offset
 *   insert    from the offset to the end; all of them move
 *   exchange  a range in each of two files; the blocks change their file
 *
 * A moved block keeps its bytes and loses its entry, so what the entry had dirty is written back
 * before, as the mark that fsync looks for goes with it.
 *
 * Held pages. A lifetime that waits has no held page left when it comes to the change. In one that
 * does not, a moved block that somebody holds keeps its bytes; a late write lands at the new
 * offset of the same file. An exchange would let it land in another file, so it is refused.
 *
 * Two files: io_lock, then fault_lock, each of the lower inode number first. Waiting gives one
 * fault lock up and keeps the other, so only the first file is waited for with both in sight: the
 * second is merely looked at. Busy: both go, the second is waited for alone, and all starts over.
 */
#include "dax/internal.h"

/* Step 2. [first, last) in pages. */
static int break_range(struct dax_inode *inode, uint64_t first, uint64_t last,
		       enum layout_reason reason)
{
	int err = layout_break(inode, first, last, reason);

	return err ? dax_refuse(err, "interrupted while waiting for %s; nothing was changed",
				inode->name)
		   : 0;
}

/* Nothing maps [first, last) any more, and what stores left in the caches is on its way. */
static void unmap_and_write_back(struct dax_inode *inode, uint64_t first, uint64_t last)
{
	uint64_t from = first, to = last;
	struct entry_run run;

	if (inode->nr_huge) { /* one that reaches over an end: written back and deleted as a whole
			       */
		from = ALIGN_DOWN(first, FOLIO_PAGES);
		to = ALIGN_UP(last, FOLIO_PAGES);
	}
	unmap_mapping_range(&inode->mapping, from, to);
	while (entries_lock_dirty(inode, &first, last, &run)) {
		cache_writeback(phys_to_virt(run.entry & PTE_PHYS), run_pages(&run) << PAGE_SHIFT);
		entries_unlock_clean(inode, &run);
	}
	/* The file layer fences before its commit, and so does fsync if there is none. */
}

/* Step 4 for blocks that move. */
static void detach(struct dax_inode *inode, uint64_t first, uint64_t last)
{
	unmap_and_write_back(inode, first, last);
	entries_delete(inode, first, last);
}

/* ---- zero range ------------------------------------------------------------------------- */

/* The holes get blocks; with them the range is as large as it will be. */
static int fill_holes(struct dax_inode *inode, uint64_t off, uint64_t len)
{
	int err;

	mutex_lock(&inode->fs->lock);
	err = room_for(inode, off, len);
	if (!err) {
		err = ext4_fallocate(inode->ip, off, len, EXT4_FALLOC_KEEP_SIZE);
		if (err)
			fail_ext4(inode, err);
	}
	mutex_unlock(&inode->fs->lock);
	return err;
}

/* Whole pages [first, last) become unwritten, and the file at least `size` bytes long. */
static int unwrite(struct dax_inode *inode, uint64_t first, uint64_t last, uint64_t size)
{
	int err = 0;

	if (first < last) {
		/* Before the blocks are unwritten, else a store through a mapping is forgotten. */
		unmap_mapping_range(&inode->mapping, first, last);
		entries_delete(inode, first, last);
	}
	mutex_lock(&inode->fs->lock);
	if (first < last)
		err = ext4_make_unwritten(inode->ip, first, last);
	if (!err && size > inode->ip->size)
		err = ext4_set_size(inode->ip, size);
	if (err)
		fail_ext4(inode, err);
	inode->size = inode->ip->size;
	mutex_unlock(&inode->fs->lock);
	return err;
}

int dax_zero_range(struct dax_inode *inode, uint64_t off, uint64_t len, bool keep_size)
{
	uint64_t end = off + len, first = ALIGN_UP(off, PAGE_SIZE) >> PAGE_SHIFT;
	int err = may_change(inode);

	if (!len || end < off || end > ALIGN_DOWN(UINT64_MAX, PAGE_SIZE))
		return dax_refuse(-EINVAL,
				  "a range has at least one byte and ends below 2^64 - 4095");
	if (err)
		return err;
	lock_layout(inode);
	err = break_range(inode, off >> PAGE_SHIFT, ALIGN_UP(end, PAGE_SIZE) >> PAGE_SHIFT,
			  LAYOUT_SPACE);
	if (!err)
		err = fill_holes(inode, off, len);
	if (!err)
		err = zero_edges(inode, off, end);
	if (!err)
		err = unwrite(inode, first, end >> PAGE_SHIFT, keep_size ? 0 : end);
	unlock_layout(inode);
	return err;
}

/* ---- collapse and insert ---------------------------------------------------------------- */

/* The two have the same steps; `check` and `change` are those of the file layer. */
static int shift(struct dax_inode *inode, uint64_t off, uint64_t len,
		 int (*check)(struct ext4_inode *, uint64_t, uint64_t),
		 int (*change)(struct ext4_inode *, uint64_t, uint64_t))
{
	uint64_t end;
	int err = may_change(inode);

	if (err)
		return err;
	lock_layout(inode);
	mutex_lock(&inode->fs->lock);
	err = check(inode->ip, off, len);
	if (err)
		fail_ext4(inode, err);
	mutex_unlock(&inode->fs->lock);
	if (!err)
		err = break_range(inode, off >> PAGE_SHIFT, DAX_TO_END, LAYOUT_SPACE);
	if (err)
		goto out;
	detach(inode, off >> PAGE_SHIFT, DAX_TO_END);
	mutex_lock(&inode->fs->lock);
	err = change(inode->ip, off, len);
	if (err)
		fail_ext4(inode, err);
	inode->size = inode->ip->size;
	mutex_unlock(&inode->fs->lock);
	/* Copies of private mappings stay at their offsets, as after a punch, but not behind the
	 * end of the file. */
	end = ALIGN_UP(inode->size, PAGE_SIZE) >> PAGE_SHIFT;
	unmap_mapping_copies(&inode->mapping, end, DAX_TO_END);
out:
	unlock_layout(inode);
	return err;
}

int dax_collapse(struct dax_inode *inode, uint64_t off, uint64_t len)
{
	return shift(inode, off, len, ext4_check_collapse, ext4_collapse_range);
}

int dax_insert(struct dax_inode *inode, uint64_t off, uint64_t len)
{
	return shift(inode, off, len, ext4_check_insert, ext4_insert_range);
}

/* ---- exchange --------------------------------------------------------------------------- */

/* A range of one of the two files, in bytes; side[0] has the lower inode number. */
struct side {
	struct dax_inode *inode;
	uint64_t off, first, last; /* pages [first, last) */
};

static struct side make_side(struct dax_inode *inode, uint64_t off, uint64_t len)
{
	return (struct side){inode, off, off >> PAGE_SHIFT,
			     ALIGN_UP(off + len, PAGE_SIZE) >> PAGE_SHIFT};
}

/* The second file's turn while the first is locked: a look, never a sleep. */
static struct page *scan(struct side *s)
{
	unmap_mapping_range(&s->inode->mapping, s->first, s->last);
	return s->inode->fs->lifetime->scan(s->inode, s->first, s->last);
}

/*
 * Both fault locks are held for writing and nobody uses a page of either range, as far as the
 * lifetime can tell; or an error, and neither is held.
 */
static int lock_faults(struct side *side)
{
	int err;

	for (;;) {
		down_write(&side[0].inode->fault_lock);
		err = break_range(side[0].inode, side[0].first, side[0].last, LAYOUT_EXCHANGE);
		if (!err) {
			down_write(&side[1].inode->fault_lock);
			if (!scan(&side[1]))
				return 0;
		}
		up_write(&side[0].inode->fault_lock);
		if (err)
			return err;
		/* Busy: waited for without the first file's lock, else its faults wait as well. */
		err = break_range(side[1].inode, side[1].first, side[1].last, LAYOUT_EXCHANGE);
		up_write(&side[1].inode->fault_lock);
		if (err)
			return err;
	}
}

/* The first page of the range that is held, by extents and records: the index knows only what was
 * mapped in this mount (busy-extent.md F-16). fs->lock held. */
static struct page *held_page(const struct side *s)
{
	uint64_t base = s->inode->fs->region->start >> PAGE_SHIFT;
	struct ext4_map m;

	for (uint64_t at = s->first; at < s->last; at += m.count) {
		if (ext4_map_blocks(s->inode->ip, at, MIN(s->last - at, 1ul << 20), 0, &m))
			return NULL; /* the exchange meets the error again, and says it */
		for (uint64_t n = 0; m.state != EXT4_HOLE && n < m.count; n++) {
			struct page *page = page_record_if_touched(base + m.pblk + n);

			if (page && page_refs(page) > s->inode->fs->lifetime->rest)
				return page;
		}
	}
	return NULL;
}

/* A lifetime that does not wait: a held block never changes its file. fs->lock held. */
static int refuse_held(const struct side *side)
{
	struct page *page;
	char who[200];

	if (!side[0].inode->fs->lifetime->keeps_busy)
		return 0;
	page = held_page(&side[0]);
	if (!page)
		page = held_page(&side[1]);
	if (!page)
		return 0;
	holders_describe(page, who, sizeof(who));
	return dax_refuse(-EBUSY,
			  "pfn 0x%lx is held (%u references) by %s; a held block does not change "
			  "its file, so they must let go first",
			  page_to_pfn(page), page_refs(page), who);
}

/* Steps 2 to 5; both io_locks are held for writing. */
static int change_places(struct side *side, uint64_t len)
{
	struct dax_fs *fs = side[0].inode->fs;
	int err = lock_faults(side);

	if (err)
		return err;
	for (int i = 0; i < 2; i++)
		unmap_and_write_back(side[i].inode, side[i].first, side[i].last);
	mutex_lock(&fs->lock);
	err = refuse_held(side); /* once nothing is mapped, so no new reference can be taken */
	mutex_unlock(&fs->lock);
	if (err)
		goto out;
	for (int i = 0; i < 2; i++)
		entries_delete(side[i].inode, side[i].first, side[i].last);
	mutex_lock(&fs->lock);
	err = ext4_exchange_range(side[0].inode->ip, side[0].off, side[1].inode->ip, side[1].off,
				  len);
	if (err)
		fail_ext4(side[0].inode, err);
	mutex_unlock(&fs->lock);
out:
	up_write(&side[1].inode->fault_lock);
	up_write(&side[0].inode->fault_lock);
	return err;
}

int dax_exchange(struct dax_inode *a, uint64_t off, struct dax_inode *b, uint64_t at, uint64_t len)
{
	bool swap = a->fs == b->fs && b->ip->ino < a->ip->ino;
	struct side side[2] = {make_side(swap ? b : a, swap ? at : off, len),
			       make_side(swap ? a : b, swap ? off : at, len)};
	int err = may_change(a);

	if (err)
		return err;
	if (a->fs != b->fs)
		return dax_refuse(-EXDEV,
				  "%s and %s lie in two mounts; blocks stay on their device",
				  a->name, b->name);
	if (a == b)
		return dax_refuse(-EINVAL, "two files are needed, %s was given twice", a->name);
	down_write(&side[0].inode->io_lock);
	down_write(&side[1].inode->io_lock);
	a->last_break = b->last_break = (struct layout_break){0};
	mutex_lock(&a->fs->lock);
	err = ext4_check_exchange(a->ip, off, b->ip, at, len);
	if (err)
		fail_ext4(a, err);
	mutex_unlock(&a->fs->lock);
	if (!err)
		err = change_places(side, len);
	up_write(&side[1].inode->io_lock);
	up_write(&side[0].inode->io_lock);
	return err;
}
