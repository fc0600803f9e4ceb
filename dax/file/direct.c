/* SPDX-License-Identifier: MIT */
/*
 * Mappings with MAP_DIRECT: a promise to user space that the blocks under a mapping stay.
 *
 * While its lease stands, no store through the mapping and nobody's change makes the file's block
 * map another one: user space may flush the CPU's caches by itself and leave fsync away, and may
 * give the pages to a device (lease_direct). The kernel can always take the promise back.
 *
 *   LIVE      the lease is set
 *   BREAKING  somebody wants to change the blocks. The holder's thread was told, by a notice, and
 *             has lease_break_time. The mapping works as before; no client gets a lease of it
 *   REVOKED   the time is over: every page of it is unmapped, in every address space, and every
 *             access fails (SIGBUS). Then the lease goes, and the change is made
 *   GONE      the last VMA was closed, at any time before or after: the lease goes with it
 *
 * Nothing leads back. One object stands for all the VMAs that came of one mmap: fork copies them,
 * a partial unmap cuts them, remap moves them. None of them shows another page of the file than
 * the first one did, so to unmap that range in the file's whole list reaches each, wherever it is.
 *
 * The order of the revocation. `revoked` is set under the fault lock, held for writing, and the
 * pages are unmapped under it: a fault that passed the test of `revoked` holds it for reading and
 * has mapped its page before (docs/weaknesses.md L-3). Client leases are revoked next: they are
 * younger. The breaker comes last, and looks for held pages after that.
 *
 * Who keeps what. The object lives as long as a VMA of it; the lease core knows the lease until
 * lease_unlock() returns, which waits for a revoke that runs. So whichever of the two comes last,
 * the object is freed once (L-1, L-2).
 *
 * The switches bring back what the posted series did (docs/weaknesses.md L): it knew one VMA by a
 * pointer that the last close cleared, and its own delayed work looked through it.
 */
#include "dax/file/internal.h"
#include "dax/mount/internal.h"

MUSEUM(direct_null_vma, "direct-null-vma",
       "L-1: the revocation of a mapping that is closed in time finds no VMA and dies, and the "
       "lease stays; shown by race L-1 (HUNG I4)");
MUSEUM(direct_leak, "direct-leak",
       "L-2: a mapping that is closed without a break is never freed, and has its file open; shown "
       "by race L-2 (BROKEN I4)");
MUSEUM(direct_no_lock, "direct-no-lock",
       "L-3: a mapping is revoked without the fault lock, so a fault under way maps its page "
       "afterwards; shown by race L-3 (BROKEN I5) and found by explore direct.store-break");
MUSEUM(direct_one_vma, "direct-one-vma",
       "L-4: the revocation unmaps what the first VMA shows, not what its pieces and copies show; "
       "shown by race L-4 (BROKEN I5)");
MUSEUM(direct_error_leak, "direct-error-leak",
       "L-6: a mapping whose lease is refused keeps its file open; shown by race L-6 (BROKEN I4)");

struct direct_map {
	struct lease lease;
	struct dax_inode *inode; /* one reference */
	uint64_t first, last;	 /* pages of the file that it showed at the beginning */
	unsigned vmas;		 /* atomic; zero: the last one has been closed */
	bool broken;		 /* told; never cleared */
	bool revoked;		 /* no fault is served; changed with the fault lock for writing */
	char name[24];		 /* lease.name points here once there is one */
	/* For the museum alone. */
	struct vma *vma; /* the first one; NULL: it was closed */
	LIST_ENTRY(direct_map) lost_link;
};

/* What a switch of the museum keeps from being freed. One script at a time. */
static LIST_HEAD(, direct_map) lost = LIST_HEAD_INITIALIZER(lost);

static const char *state_of(const struct direct_map *m)
{
	if (__atomic_load_n(&m->revoked, __ATOMIC_ACQUIRE))
		return "revoked";
	return __atomic_load_n(&m->broken, __ATOMIC_ACQUIRE) ? "being broken" : "lease set";
}

/* ---- the lease ------------------------------------------------------------------------------ */

static struct direct_map *to_map(struct lease *l)
{
	return container_of(l, struct direct_map, lease);
}

static bool told(struct lease *l)
{
	__atomic_store_n(&to_map(l)->broken, true, __ATOMIC_RELEASE);
	if (museum_on(direct_null_vma))
		l->until_ns = 0; /* nobody but its own work ends it */
	return false;
}

/* The pages to unmap: all that any of its VMAs can show. */
static void range_of(const struct direct_map *m, uint64_t *first, uint64_t *last)
{
	*first = m->first;
	*last = m->last;
	if (museum_on(direct_one_vma) && m->vma) {
		*first = m->vma->pgoff;
		*last = *first + ((m->vma->end - m->vma->start) >> PAGE_SHIFT);
	}
}

static void revoke(struct lease *l)
{
	struct direct_map *m = to_map(l);
	/* LAB 09 revoke: from here on nobody reaches a page through this mapping */
	const bool locked = !museum_on(direct_no_lock);
	uint64_t first, last;

	if (locked)
		down_write(&m->inode->fault_lock);
	__atomic_store_n(&m->revoked, true, __ATOMIC_RELEASE);
	range_of(m, &first, &last);
	unmap_mapping_range(&m->inode->mapping, first, last);
	if (locked)
		up_write(&m->inode->fault_lock);
	/* END */
}

static const struct lease_ops direct_ops = {.what = "MAP_DIRECT", .told = told, .revoke = revoke};

/* ---- its VMAs ------------------------------------------------------------------------------- */

static int direct_fault(struct vm_fault *vmf)
{
	struct direct_map *m = vmf->vma->private;
	struct dax_inode *inode = m->inode;
	int err;

	down_read(&inode->fault_lock);
	if (m->revoked)
		err = refuse(-EFAULT,
			     "the lease of this mapping of %s was revoked, and its blocks "
			     "may change: unmap it, and map it again (SIGBUS)",
			     inode->name);
	else if (vmf->vma->flags & VM_LIMITED)
		err = limited_fault_held(inode, vmf);
	else
		err = dax_fault_held(inode, vmf);
	up_read(&inode->fault_lock);
	return err;
}

static void direct_open(struct vma *vma)
{
	struct direct_map *m = vma->private;

	if (!__atomic_fetch_add(&m->vmas, 1, __ATOMIC_RELAXED))
		m->vma = vma;
}

static void direct_free(struct direct_map *m)
{
	lease_unlock(&m->lease); /* waits for a revoke that runs */
	dax_put(m->inode);
	free(m);
}

static void lose(struct direct_map *m)
{
	if (!m->broken)
		lease_unlock(&m->lease);
	LIST_INSERT_HEAD(&lost, m, lost_link);
}

unsigned direct_map_lost(bool end)
{
	struct direct_map *m, *next;
	unsigned n = 0;

	for (m = LIST_FIRST(&lost); m; m = next, n++) {
		next = LIST_NEXT(m, lost_link);
		if (!end)
			continue;
		LIST_REMOVE(m, lost_link);
		direct_free(m);
	}
	return n;
}

/* The last one is closed with no lock held: a piece or a copy of it is not the last. */
static void direct_close(struct vma *vma)
{
	struct direct_map *m = vma->private;

	if (m->vma == vma)
		m->vma = NULL;
	if (__atomic_sub_fetch(&m->vmas, 1, __ATOMIC_ACQ_REL))
		return;
	if (unlikely(museum_on(direct_null_vma) && m->broken))
		lose(m); /* its work is made to run now, and finds no VMA */
	else if (unlikely(museum_on(direct_leak) && !m->broken))
		lose(m);
	else
		direct_free(m);
}

static void direct_describe(const struct vma *vma, char *buf, unsigned n)
{
	const struct direct_map *m = vma->private;

	snprintf(buf, n, "%s page %lu, direct, %s", m->inode->name, vma->pgoff, state_of(m));
}

static int direct_sync(struct vma *vma, uint64_t start, uint64_t end)
{
	const struct direct_map *m = vma->private;
	uint64_t first = vma->pgoff + ((start - vma->start) >> PAGE_SHIFT);

	return dax_fsync_range(m->inode, first, first + ((end - start) >> PAGE_SHIFT));
}

static int direct_gup_begin(struct vma *vma, unsigned long nr, void **cookie)
{
	const struct direct_map *m = vma->private;

	return dax_file_gup_begin(m->inode, nr, cookie);
}

static void put_leased(void *inode)
{
	dax_put(inode);
}

static int lease_of_file(struct dax_inode *inode, struct direct_lease *d)
{
	int err;

	direct_lease_fill(d, inode->name);
	err = layout_lease_set(inode, &d->lease, true);
	if (err)
		return err;
	dax_get(inode);
	d->object = inode;
	d->put = put_leased;
	return 0;
}

static int direct_lease_of(struct vma *vma, struct direct_lease *l)
{
	struct direct_map *m = vma->private;
	/* LAB 09 client: a lease beside the mapping's, or none */
	int err = lease_of_file(m->inode, l);

	/* The client's lease before the look at the mapping's: a break after the look finds the
	 * client's, and tells it; one before it is seen here. */
	if (!__atomic_load_n(&m->broken, __ATOMIC_ACQUIRE))
		return err;
	if (!err)
		direct_lease_end(l);
	return refuse(-ENXIO,
		      "the lease of the mapping of %s is %s; map the file again when the "
		      "change is over",
		      m->inode->name, state_of(m));
	/* END */
}

const struct vma_ops dax_direct_vma_ops = {
	.fault = direct_fault,
	.open = direct_open,
	.close = direct_close,
	.describe = direct_describe,
	.sync = direct_sync,
	.gup_begin = direct_gup_begin,
	.gup_end = dax_gup_end,
	.lease_direct = direct_lease_of,
};

/* ---- mmap ----------------------------------------------------------------------------------- */

int direct_map_new(struct dax_inode *inode, uint64_t pgoff, uint64_t pages, bool may,
		   void **private)
{
	struct direct_map *m = may ? calloc(1, sizeof(*m)) : NULL;
	int err;

	if (!m)
		return may ? refuse(-ENOMEM, "no memory for a lease of %s", inode->name)
			   : refuse(-EACCES,
				    "only the owner of %s may lease it, as MAP_DIRECT does",
				    inode->name);
	m->first = pgoff;
	m->last = pgoff + pages;
	m->inode = inode;
	m->lease = (struct lease){.class = LEASE_LAYOUT,
				  .ops = &direct_ops,
				  .file = inode->name,
				  .tid = current_thread()->tid};
	dax_get(inode);
	err = layout_lease_set(inode, &m->lease, may);
	if (unlikely(err) && museum_on(direct_error_leak)) {
		m->broken = true; /* no lease was set */
		lose(m);
		return err;
	}
	if (err) {
		dax_put(inode);
		free(m);
		return err;
	}
	*private = m;
	return 0;
}

void direct_map_drop(void *private)
{
	direct_free(private);
}

const char *dax_direct_state(struct mm *mm, uint64_t addr, const char *name)
{
	const char *state = NULL;
	struct vma *vma;

	down_read(&mm->mmap_lock);
	vma = mm_find_vma(mm, addr);
	if (vma && vma->ops == &dax_direct_vma_ops) {
		struct direct_map *m = vma->private;

		if (name && !m->lease.name) {
			snprintf(m->name, sizeof(m->name), "%s", name);
			/* The name before the pointer: a notice is written at any time. */
			__atomic_store_n(&m->lease.name, m->name, __ATOMIC_RELEASE);
		}
		state = state_of(m);
	}
	up_read(&mm->mmap_lock);
	return state;
}
