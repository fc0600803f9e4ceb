/* SPDX-License-Identifier: MIT */
/*
 * Leases of clients (struct direct_lease): taken of a mapping, told, revoked, ended.
 *
 * The lease is one of the file's own list, beside that of the mapping: a break tells both, the
 * mapping's first, since it was set first; and they are revoked in that order, so that no new page
 * is handed out by the time the device is cut off.
 */
#include "dax/dax.h"

static struct direct_lease *to_direct(struct lease *l)
{
	return container_of(l, struct direct_lease, lease);
}

static bool told(struct lease *l)
{
	struct direct_lease *d = to_direct(l);

	if (d->ops->told)
		d->ops->told(d);
	return false;
}

static void revoke(struct lease *l)
{
	struct direct_lease *d = to_direct(l);

	d->ops->revoke(d);
}

void direct_lease_fill(struct direct_lease *d, const char *file)
{
	d->lease_ops = (struct lease_ops){.what = d->ops->what, .told = told, .revoke = revoke};
	d->lease = (struct lease){.class = LEASE_LAYOUT,
				  .ops = &d->lease_ops,
				  .file = file,
				  .name = d->name,
				  .tid = d->tid};
}

int direct_lease_take(struct vma *vma, struct direct_lease *d)
{
	char what[80];

	ASSERT(d->ops && d->ops->revoke, "a client's lease has a way to revoke it");
	assert_rwsem_held(&vma->mm->mmap_lock);
	if (vma->ops->lease_direct)
		return vma->ops->lease_direct(vma, d);
	snprintf(what, sizeof(what), "memory at 0x%lx", vma->start);
	if (vma->ops->describe)
		vma->ops->describe(vma, what, sizeof(what));
	return refuse(-EOPNOTSUPP,
		      "%s gives no lease, so nothing could end a hold without a limit: map a file "
		      "with 'direct' (MAP_DIRECT), or a device",
		      what);
}

void direct_lease_end(struct direct_lease *d)
{
	lease_unlock(&d->lease);
	if (d->put)
		d->put(d->object);
	d->put = NULL;
}
