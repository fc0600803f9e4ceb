/* SPDX-License-Identifier: MIT */
/*
 * A region changes its mode: only while nobody uses it.
 *
 * The info block is bytes of the device like others, and what it says is the shape of the next
 * binding. So neither a mount nor a mapping may be there, nor somebody who holds a page; and for as
 * long as the device's lock is held, nobody comes.
 */
#include "dax/device/internal.h"

static int check_unused(const struct dax_device *d)
{
	struct pmem_region *r = d->region;
	int err = pmem_check_present(r);

	if (err)
		return err;
	if (d->users)
		return devdax_refuse_mapped(d);
	if (d->mounts)
		return refuse(-EBUSY, "%s is mounted; 'umount' it first", r->name);
	if (r->shadow)
		return refuse(-EBUSY, "%s has a power-cut model; boot without shadow for it",
			      r->name);
	return pmem_is_limited(r)
		       ? refuse(-EOPNOTSUPP, "%s is limited: bind it without 'limited'", r->name)
		       : devdax_check_held(r);
}

int dax_device_set_mode(struct pmem_region *r, uint32_t align, bool force)
{
	struct dax_device *d = dax_device_of(r);
	int err;

	mutex_lock(&d->lock);
	err = check_unused(d);
	if (!err)
		err = pmem_write_info(r, align, force);
	if (!err && !align)
		err = devdax_bind_for_fs(r);
	mutex_unlock(&d->lock);
	return err;
}
