/* SPDX-License-Identifier: MIT */
/*
 * Pinned regions on files: held without an end, and taken away all the same.
 *
 * A file may be mapped with MAP_DIRECT, which is a lease on its blocks. A region that is registered
 * on such a mapping takes a lease of its own, one for each VMA of its range, so that whoever
 * changes the file asks the region too:
 *
 *   told      at once: the user may deregister in time, and then nothing is taken away
 *   revoked   behind the break time: the translation of all its bus addresses is cut, the unit has
 *             forgotten it and has answered, and then its pages are put. What the device still
 *             writes is a recorded fault
 *   ended     by deregistration alone, whatever happened before. Until then the bus addresses are
 *             the region's: the device may still use them, and another owner of the same address
 *             would get its bytes
 *
 * So the device must stand behind an IOMMU. The leases come first and the pages after them: a page
 * is never held without somebody who can end that. A notifier over the range tells whether the VMAs
 * that gave leases are still those that the pages came from.
 */
#include "drivers/clients/internal.h"

MUSEUM(cut_pages_for_bytes, "cut-pages-for-bytes",
       "L-5: a region's revocation gives a number of pages where bytes are wanted, so that the "
       "device keeps all but the first page; shown by race L-5 (BROKEN I1)");
STEP_POINT_DECLARE(region_leased); /* the leases are there, and no page is held yet */
STEP_POINT_DECLARE(region_pinned); /* pages are held, and the device reaches none yet */
STEP_POINT_DECLARE(region_cut);	   /* pages are held, and the device reaches none any more */

struct region_lease {
	struct direct_lease direct;
	struct region *r;
	LIST_ENTRY(region_lease) link;
};

static struct region *leased_region(struct direct_lease *l)
{
	return container_of(l, struct region_lease, direct)->r;
}

/* Under the leases' lock. */
static void told(struct direct_lease *l)
{
	__atomic_store_n(&leased_region(l)->told, true, __ATOMIC_RELEASE);
}

/* A region has one key: what one file wants back ends all of it. */
static void revoke(struct direct_lease *l)
{
	struct region *r = leased_region(l);
	uint64_t bytes = museum_on(cut_pages_for_bytes) ? r->nr : r->nr * PAGE_SIZE;

	mutex_lock(&r->lock);
	__atomic_store_n(&r->revoked, true, __ATOMIC_RELEASE);
	if (r->held.nr) { /* not yet, and registration sees that it was revoked; or not any more */
		dma_cut_bytes(&r->held.map, 0, bytes);
		STEP_POINT(region_cut);
		/* Out of reach before they are put, else their next owner gets the bytes. */
		holder_remove(&r->held.holder);
		unpin_user_pages(r->held.pages, r->held.nr);
		r->held.nr = 0;
	}
	mutex_unlock(&r->lock);
}

static const struct direct_lease_ops lease_ops = {
	.what = "a memory region", .told = told, .revoke = revoke};

static void end_leases(struct region *r)
{
	struct region_lease *l;

	while ((l = LIST_FIRST(&r->leases))) {
		LIST_REMOVE(l, link);
		direct_lease_end(&l->direct); /* waits for a revoke that runs */
		free(l);
	}
}

static int take_lease(struct region *r, struct vma *vma)
{
	struct region_lease *l = calloc(1, sizeof(*l));
	int err;

	if (!l)
		return refuse(-ENOMEM, "no memory for a lease");
	l->r = r;
	l->direct = (struct direct_lease){
		.ops = &lease_ops, .name = r->name, .tid = current_thread()->tid};
	err = direct_lease_take(vma, &l->direct);
	if (err)
		free(l);
	else
		LIST_INSERT_HEAD(&r->leases, l, link);
	return err;
}

/* What this VMA needs so that its pages may be held for ever. mmap_lock held. */
static int ask_vma(struct region *r, struct vma *vma)
{
	const struct dma_device *dev = edu_dma(r->e);
	bool file = vma_is_fsdax(vma) && !(vma->flags & VM_LONGTERM);

	if (!file && (!vma->ops->lease_direct || !dev->domain))
		return 0; /* nobody has to take these back, or nobody could */
	if (!vma->ops->lease_direct)
		return refuse(-EOPNOTSUPP, LONGTERM_REFUSED "; or map the file with MAP_DIRECT "
							    "('map FILE direct')");
	if (!dev->domain)
		return refuse(
			-EOPNOTSUPP,
			"the file may want its pages back, and %s could not be stopped: %s; a "
			"device behind an IOMMU would do",
			dev->name, dev->direct);
	return take_lease(r, vma);
}

/* A lease for each VMA of the range that needs one. On an error none is left. */
static int take_leases(struct region *r, struct mm *mm)
{
	uint64_t end = r->addr + r->nr * PAGE_SIZE;
	struct vma *vma;
	int err = 0;

	down_read(&mm->mmap_lock);
	for (uint64_t at = r->addr; at < end && !err; at = vma ? vma->end : end) {
		vma = mm_find_vma(mm, at);
		err = vma ? ask_vma(r, vma) : refuse(-EFAULT, "nothing is mapped at 0x%lx", at);
	}
	up_read(&mm->mmap_lock);
	if (err)
		end_leases(r);
	return err;
}

/* Leases, then pages. *again: the range was changed between, nothing is held. */
static int lease_and_pin(struct region *r, struct mm_notifier *n, bool *again)
{
	uint64_t state = mm_notifier_read_begin(n);
	int err = take_leases(r, n->mm);

	*again = false;
	if (err)
		return err;
	STEP_POINT(region_leased);
	err = pin_all(n->mm, r->addr, r->nr, FOLL_PIN | FOLL_WRITE, r->held.pages);
	if (!err) {
		*again = mm_notifier_read_retry(n, state);
		if (*again)
			unpin_user_pages(r->held.pages, r->nr);
	}
	if (err || *again)
		end_leases(r);
	return err;
}

static void nothing_to_do(struct mm_notifier *n, uint64_t start, uint64_t end)
{
	(void)n;
	(void)start;
	(void)end;
}

/* The pages are pinned: they become reachable, unless they were wanted back meanwhile. */
static int map_pinned(struct region *r)
{
	int err;

	STEP_POINT(region_pinned);
	mutex_lock(&r->lock);
	if (r->revoked) {
		unpin_user_pages(r->held.pages, r->nr);
		err = refuse(-ENXIO, "the file wanted its pages back before they were registered");
	} else {
		r->held.nr = r->nr;
		err = longterm_map(&r->held, edu_dma(r->e), r->name, 0);
	}
	mutex_unlock(&r->lock);
	return err;
}

int pinned_register(struct region *r)
{
	struct mm_notifier n = {
		.invalidate = nothing_to_do, .start = r->addr, .end = r->addr + r->nr * PAGE_SIZE};
	bool again;
	int err;

	LIST_INIT(&r->leases);
	mm_notifier_add(&n, current_mm());
	do {
		r->told = r->revoked = false; /* no lease is there that could */
		err = lease_and_pin(r, &n, &again);
	} while (!err && again);
	mm_notifier_remove(&n);
	if (!err) {
		err = map_pinned(r);
		if (err)
			end_leases(r);
	}
	return err;
}

void pinned_deregister(struct region *r)
{
	end_leases(r); /* nobody revokes any more */
	if (r->held.nr)
		longterm_drop(&r->held);
	else
		dma_unmap(&r->held.map); /* the bus addresses are free now, and not before */
}
