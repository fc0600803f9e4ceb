/* SPDX-License-Identifier: MIT */
/*
 * Operations on two DAX files at once: exchange of blocks, and reflink, which lets both have them.
 *
 * The order is that of every layout change (file.c), for two ranges. io_lock, then fault_lock, each
 * of the lower inode number first. Waiting for a page gives one fault lock up and keeps the other,
 * so only the first file is waited for with both in sight: the second is merely looked at, for held
 * pages and for leases. Busy: both go, the second is waited for alone, and all starts over.
 *
 * Held pages. A lifetime that waits has none left when it comes to the change. In one that does
 * not, a late write to a held page would land in another file, or in two: a held block never
 * changes its file, so the operation is refused and the holders are named (docs/weaknesses.md).
 */
#include "dax/file/internal.h"

MUSEUM(exchange_one_side, "exchange-one-side",
       "exchange leaves the first file's range mapped, which goes on showing what is the second "
       "one's now; shown by selftest reshape.exchange");

/* A range of one of the two files, in bytes; side[0] has the lower inode number. */
struct side {
	struct dax_inode *inode;
	uint64_t off, first, last; /* pages [first, last) */
};

/* The change itself: fs->lock and all four locks held, nothing maps either range. */
typedef int change_fn(struct side *from, struct side *to, uint64_t len);

static struct side make_side(struct dax_inode *inode, uint64_t off, uint64_t len)
{
	return (struct side){inode, off, off >> PAGE_SHIFT,
			     ALIGN_UP(off + len, PAGE_SIZE) >> PAGE_SHIFT};
}

/* The second file's turn while the first is locked: a look, never a sleep. */
static bool in_use(const struct side *s)
{
	unmap_mapping_range(&s->inode->mapping, s->first, s->last);
	return s->inode->fs->lifetime->scan(s->inode, s->first, s->last) || layout_leased(s->inode);
}

/*
 * Both fault locks are held for writing and nobody uses a page of either range, as far as the
 * lifetime can tell; or an error, and neither is held.
 */
static int lock_faults(const struct side *side)
{
	int err;

	for (;;) {
		down_write(&side[0].inode->fault_lock);
		err = layout_break(side[0].inode, side[0].first, side[0].last, LAYOUT_EXCHANGE);
		if (!err) {
			lock_order_nested("two files: the lower-numbered one first");
			down_write(&side[1].inode->fault_lock);
			if (!in_use(&side[1]))
				return 0;
		}
		up_write(&side[0].inode->fault_lock);
		if (err)
			return err;
		/* Busy: waited for without the first file's lock, else its faults wait as well. */
		err = layout_break(side[1].inode, side[1].first, side[1].last, LAYOUT_EXCHANGE);
		up_write(&side[1].inode->fault_lock);
		if (err)
			return err;
	}
}

/* The record that counts for a block, if it shows a holder; NULL: nobody holds it. A folio's head
 * counts for all of its pages, and does not tell which of them is held; the page's own record need
 * not even exist. */
static struct page *held_record(uint64_t pfn, uint32_t rest)
{
	struct page *page = pfn_to_page(pfn), *head = page_to_first(page);

	if (!page_record_exists(head))
		return NULL; /* records are made together with the one of their head */
	page = page_to_record(page);
	return page_record_exists(page) && page_refs(page) > rest ? page : NULL;
}

/* The first page of the range that is held, by extents and records: the index knows only what was
 * mapped in this mount (docs/weaknesses.md F-16). fs->lock held. */
static struct page *held_page(const struct side *s)
{
	const uint32_t rest = s->inode->fs->lifetime->rest;
	struct dax_run run;

	for (uint64_t at = s->first; at < s->last; at += run.count) {
		if (s->inode->ops->lookup(s->inode->fs, s->inode->layer, at,
					  MIN(s->last - at, 1ul << 20), &run))
			return NULL; /* the change meets the error again, and says it */
		for (uint64_t n = 0; run.pfn && n < run.count; n++) {
			struct page *page = held_record(run.pfn + n, rest);

			if (page)
				return page;
		}
	}
	return NULL;
}

/* A lifetime that does not wait. fs->lock held. */
static int refuse_held(const struct side *side)
{
	struct page *page;
	char who[200];

	if (!side[0].inode->fs->lifetime->idle_run)
		return 0;
	page = held_page(&side[0]);
	if (!page)
		page = held_page(&side[1]);
	if (!page)
		return 0;
	holders_describe(page, who, sizeof(who));
	return refuse(-EBUSY,
		      "pfn 0x%lx is held (%u references) by %s; a held block does not change "
		      "its file, so they must let go first",
		      page_to_pfn(page), page_refs(page), who);
}

/* Steps 2 to 5; both io_locks are held for writing. */
static int change_both(struct side *side, bool swapped, uint64_t len, change_fn *change)
{
	struct dax_fs *fs = side[0].inode->fs;
	int err = lock_faults(side);

	if (err)
		return err;
	for (int i = museum_on(exchange_one_side); i < 2; i++)
		unmap_and_write_back(side[i].inode, side[i].first, side[i].last);
	mutex_lock(&fs->lock);
	err = refuse_held(side); /* once nothing is mapped, so no new reference can be taken */
	mutex_unlock(&fs->lock);
	if (err)
		goto out;
	for (int i = 0; i < 2; i++)
		entries_delete(side[i].inode, side[i].first, side[i].last);
	mutex_lock(&fs->lock);
	err = change(&side[swapped], &side[!swapped], len);
	if (err)
		fail_layer(side[0].inode, err);
	mutex_unlock(&fs->lock);
out:
	up_write(&side[1].inode->fault_lock);
	up_write(&side[0].inode->fault_lock);
	return err;
}

/* `check` refuses for the arguments, before anything is unmapped; fs->lock held. */
static int two_files(struct side from, struct side to, uint64_t len, change_fn *check,
		     change_fn *change)
{
	bool swapped = to.inode->number < from.inode->number;
	struct side side[2] = {swapped ? to : from, swapped ? from : to};
	struct dax_inode *a = side[0].inode, *b = side[1].inode;
	int err = may_change(a, false);

	if (err)
		return err;
	if (a->fs != b->fs)
		return refuse(-EXDEV, "%s and %s lie in two mounts; blocks stay on their device",
			      a->name, b->name);
	if (!IS_FSDAX(&a->mapping) != !IS_FSDAX(&b->mapping))
		return refuse(-EINVAL, "%s is on DAX and %s is not; blocks stay among their kind",
			      IS_FSDAX(&a->mapping) ? a->name : b->name,
			      IS_FSDAX(&a->mapping) ? b->name : a->name);
	if (a == b)
		return refuse(-EINVAL, "two files are needed, %s was given twice", a->name);
	down_write(&a->io_lock);
	lock_order_nested("two files: the lower-numbered one first");
	down_write(&b->io_lock);
	a->last_break = b->last_break = (struct layout_break){0};
	mutex_lock(&a->fs->lock);
	err = check(&from, &to, len);
	mutex_unlock(&a->fs->lock);
	if (!err)
		err = change_both(side, swapped, len, change);
	up_write(&b->io_lock);
	up_write(&a->io_lock);
	return err;
}

/* ---- exchange --------------------------------------------------------------------------- */

static int check_exchange(struct side *a, struct side *b, uint64_t len)
{
	int err;

	if (!a->inode->ops->exchange)
		return layer_lacks(a->inode->fs, "exchange blocks");
	err = a->inode->ops->exchange(a->inode, a->off, b->inode, b->off, len, DAX_MAY);
	return err ? fail_layer(a->inode, err) : 0;
}

static int exchange(struct side *a, struct side *b, uint64_t len)
{
	return a->inode->ops->exchange(a->inode, a->off, b->inode, b->off, len, DAX_DO);
}

int dax_exchange(struct dax_inode *a, uint64_t off, struct dax_inode *b, uint64_t at, uint64_t len)
{
	return two_files(make_side(a, off, len), make_side(b, at, len), len, check_exchange,
			 exchange);
}

/* ---- reflink ---------------------------------------------------------------------------- */

static int check_reflink(struct side *a, struct side *b, uint64_t len)
{
	uint64_t a_size = ALIGN_UP(a->inode->size, PAGE_SIZE);
	uint64_t b_size = ALIGN_UP(b->inode->size, PAGE_SIZE);

	if (!a->inode->ops->share)
		return layer_lacks(a->inode->fs, "share blocks");
	if (!len || (a->off | b->off | len) % PAGE_SIZE)
		return refuse(-EINVAL, "blocks are shared whole: offsets and length must be "
				       "multiples of 4096, and not zero");
	if (len > a_size || a->off > a_size - len || len > b_size || b->off > b_size - len)
		return refuse(-EINVAL, "%lu bytes reach beyond the end of %s or of %s", len,
			      a->inode->name, b->inode->name);
	return 0;
}

static int reflink(struct side *a, struct side *b, uint64_t len)
{
	return a->inode->ops->share(a->inode, a->first, b->inode, b->first, len >> PAGE_SHIFT);
}

int dax_reflink(struct dax_inode *a, uint64_t off, struct dax_inode *b, uint64_t at, uint64_t len)
{
	return two_files(make_side(a, off, len), make_side(b, at, len), len, check_reflink,
			 reflink);
}
