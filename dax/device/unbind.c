/* SPDX-License-Identifier: MIT */
/*
 * The device goes: what becomes of pages that somebody still holds.
 *
 * Nothing is mounted and nothing maps the region by then, so only references are left: pins taken
 * before the unmount, and blocks that were freed under a holder. A driver's removal cannot be
 * refused in Linux, so the designs that came from there wait for references, for ever if need be,
 * or do not look at them at all (C-8, E-2). Here one can say no, and who waits can be interrupted.
 *
 * The put that ends the wait may not be over when the waiter goes on: memunmap_pages() waits for
 * that, too (F-14).
 */
#include "dax/file/internal.h"
#include "dax/mount/internal.h"
#include "dax/device/internal.h"

MUSEUM(ignore_holders, "unbind-ignores-holders",
       "F-8: an unbinding neither refuses nor waits while pages are held; shown by race F-8 "
       "(BROKEN I2)");

static int find_in_use(struct page *p, void *arg)
{
	struct page **found = arg;

	if ((page_state(p) & ~PAGE_FOLIO) == p->pgmap->rest)
		return 0;
	*found = p;
	return 1;
}

/* The first page that is not at rest; NULL: none. */
static struct page *in_use(const struct pmem_region *r)
{
	struct page *found = NULL;

	page_records_for_each(r->start >> PAGE_SHIFT, r->len >> PAGE_SHIFT, find_in_use, &found);
	return found;
}

static bool at_rest(struct page *p)
{
	struct page *found;

	return !find_in_use(p, &found);
}

/* One page after the other. New references cannot be born: nobody maps anything. */
static int wait_for_all(const struct pmem_region *r)
{
	char what[80], who[200];
	struct page *p;
	int err = 0;

	assert_no_global_lock("the held pages of a device");
	while (!err && (p = in_use(r))) {
		snprintf(what, sizeof(what), "pfn 0x%lx of %s, which is to be unbound",
			 page_to_pfn(p), r->name);
		holders_describe(p, who, sizeof(who));
		pgmap_listen(p->pgmap);
		err = wait_event_interruptible(&p->state, at_rest(p), what, who);
		pgmap_unlisten(p->pgmap);
	}
	return err;
}

/* The lifetime that the records were made for; NULL: none since they were bound. */
static const struct lifetime *lifetime_of(const struct pmem_region *r)
{
	const struct lifetime *lt;

	for (unsigned n = 0; (lt = lifetime_variant(n)); n++)
		if (r->pgmap.ops == &lt->pgmap_ops)
			break;
	return lt;
}

static int refuse_held(const struct pmem_region *r, const struct page *held, const char *why)
{
	uint64_t busy, pages = pmem_held(r, &busy);
	char who[200];

	holders_describe(held, who, sizeof(who));
	return refuse(-EBUSY,
		      "%s: %lu page(s) are held, %lu of them freed by their files; pfn 0x%lx by "
		      "%s; %s",
		      r->name, pages, busy, page_to_pfn(held), who, why);
}

/* What the lifetime does about pages that are held. */
static int drain(struct pmem_region *r, bool wait)
{
	const struct lifetime *lt = lifetime_of(r);
	struct page *held = in_use(r);
	char why[160], text[40];

	if (!held || !lt || museum_on(ignore_holders))
		return 0;
	switch (lt->unbind) {
	case UNBIND_WAITS_FOR_REFERENCES:
	case UNBIND_WAITS_FOR_ALL: return 0; /* memunmap_pages() does */
	case UNBIND_WAITS_FOR_MAPPINGS:
	case UNBIND_WAITS_FOR_NOBODY:
		/* Linux never refused; what it did is shown by the races. */
		snprintf(why, sizeof(why),
			 "%s would take the records from under them, and the next put would be a "
			 "panic (%s): let them go first",
			 lifetime_text(lt, text, sizeof(text)), lt->rest ? "C-8" : "E-2");
		return refuse_held(r, held, why);
	default:
		return wait ? wait_for_all(r)
			    : refuse_held(r, held, "let them go first, or say 'wait'");
	}
}

static void unbind_now(struct pmem_region *r)
{
	const bool before = r->pgmap.forgets_references;

	if (museum_on(ignore_holders)) /* a pinned page has a reference of the pgmap: forgotten */
		r->pgmap.forgets_references = true;
	pmem_unbind(r);
	r->pgmap.forgets_references = before;
}

/* LEAVING, and ours. */
static int let_go(struct pmem_region *r, bool wait)
{
	/* Who holds a device's pages may have a lease and no mapping any more. */
	int err = r->pgmap.type == PGMAP_GENERIC ? devdax_remove(r) : drain(r, wait);

	return err == -EINTR ? refuse(err, "interrupted; %s stays bound", r->name) : err;
}

/* The next file behind `at` (NULL: the first) that nobody has open, with a reference, which keeps
 * its place in the list. */
static struct dax_inode *next_unused(struct dax_fs *fs, struct dax_inode *at)
{
	struct dax_inode *inode;

	mutex_lock(&fs->lock);
	inode = at ? LIST_NEXT(at, link) : LIST_FIRST(&fs->inodes);
	while (inode && inode->refs)
		inode = LIST_NEXT(inode, link);
	if (inode)
		inode->refs++;
	mutex_unlock(&fs->lock);
	return inode;
}

/* What a shutdown does to the cache of files: each unused one goes, and with it its entries. Only
 * that file's locks are held while its eviction sleeps. */
static void evict_unused(struct dax_fs *fs)
{
	struct dax_inode *inode = next_unused(fs, NULL), *next;

	for (; inode; inode = next) {
		down_write(&inode->io_lock);
		down_write(&inode->fault_lock);
		fs->lifetime->evict(inode);
		up_write(&inode->fault_lock);
		up_write(&inode->io_lock);
		next = next_unused(fs, inode);
		dax_put(inode);
	}
}

void dax_remove_device(struct pmem_region *region)
{
	struct dax_fs *fs = region->pgmap.owner;

	if (fs && fs->lifetime->unbind_evicts)
		evict_unused(fs);
	memunmap_pages(&region->pgmap);
}

int dax_unbind(struct pmem_region *r, bool wait)
{
	int err = mount_none_on(r); /* by the path of its mount */
	struct leaving l;

	if (!err)
		err = dax_device_leave(r, wait, &l);
	if (err)
		return err;
	err = let_go(r, wait);
	if (err)
		pmem_step(r, l.from);
	else
		unbind_now(r);
	return err;
}

static int unbind_command(struct pmem_region *r, bool wait)
{
	int err = dax_unbind(r, wait);

	return err ? shell_fail(err, "%s", refusal()) : 0;
}

/* The leases of a mount's files begin to be broken; nobody waits for their holders. */
static int break_file_leases(struct dax_fs *fs, void *region)
{
	struct dax_inode *inode;

	if (fs->region != region)
		return 0;
	mutex_lock(&fs->lock);
	LIST_FOREACH (inode, &fs->inodes, link)
		lease_break(&inode->leases, LEASE_LAYOUT, false);
	mutex_unlock(&fs->lock);
	return 1;
}

/* Whoever was given pages of it has to let go, behind the break time by force: no fault serves them
 * again, and a device goes on writing to what is gone. */
static int killed(struct pmem_region *r)
{
	int err = devdax_killed(r);

	if (!err)
		dax_fs_for_each(break_file_leases, r);
	return err;
}

static int unbind_init(const struct boot_info *bi)
{
	static const struct pmem_above above = {
		.unbind = unbind_command, .killed = killed, .set_mode = dax_device_set_mode};

	(void)bi;
	pmem_set_above(&above);
	return 0;
}
INITCALL(INIT_DAX, unbind, "unbinding", unbind_init);
