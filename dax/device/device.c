/* SPDX-License-Identifier: MIT */
/*
 * What the dax floor keeps of a region: how it is used, in one place for mounts and for device-dax.
 *
 * One region, one use: it is mounted, or mapped as a whole, or leaving. Which of them is decided
 * here, under the device's lock and by the region's state: a mount or a mapping begins only while
 * the region is PRESENT, and it leaves only while there is neither. So an unbinding that is refused
 * was never seen by a fault. The driver knows nothing of that; it carries a pointer.
 */
#include "dax/device/internal.h"

static struct dax_device *devices; /* one a region, in their order; made once at boot */

struct dax_device *dax_device_of(const struct pmem_region *r)
{
	return r->dax;
}

static int device_init(const struct boot_info *bi)
{
	(void)bi;
	devices = calloc(pmem_count() + 1, sizeof(*devices));
	if (!devices)
		return -ENOMEM;
	for (unsigned i = 0; i < pmem_count(); i++) {
		devices[i].region = pmem_nth(i);
		mapping_init(&devices[i].mapping, MODE_CHAR | 0600, S_DAX);
		lease_list_init(&devices[i].leases, true);
		mutex_init(&devices[i].lock, "device-dax");
		devices[i].region->dax = &devices[i];
	}
	return 0;
}
INITCALL(INIT_DAX, devdax, "device-dax", device_init);

bool devdax_is_mapped(struct pmem_region *r)
{
	return __atomic_load_n(&dax_device_of(r)->users, __ATOMIC_ACQUIRE) != 0;
}

int dax_device_mount(struct pmem_region *r)
{
	struct dax_device *d = dax_device_of(r);
	int err;

	mutex_lock(&d->lock);
	err = d->users ? devdax_refuse_mapped(d) : pmem_check_present(r);
	if (!err)
		err = pmem_check_raw(r);
	if (!err)
		err = devdax_bind_for_fs(r);
	if (!err)
		d->mounts++;
	mutex_unlock(&d->lock);
	return err;
}

void dax_device_umount(struct pmem_region *r)
{
	struct dax_device *d = dax_device_of(r);

	mutex_lock(&d->lock);
	d->mounts--;
	mutex_unlock(&d->lock);
}

/* What keeps the region from leaving? With `wait` a mapping does not, nor who holds a page of a
 * device; what of a file's pages are held is the lifetime's. d->lock held. */
static int check_leave(const struct dax_device *d, bool wait)
{
	struct pmem_region *r = d->region;

	if (d->mounts)
		return refuse(-EBUSY,
			      "%s is being mounted or unmounted; 'ps' tells what that "
			      "waits for",
			      r->name);
	if (d->users && !wait)
		return devdax_refuse_mapped(d);
	return r->pgmap.type == PGMAP_GENERIC && !wait ? devdax_check_held(r) : 0;
}

int dax_device_leave(struct pmem_region *r, bool wait, struct leaving *l)
{
	struct dax_device *d = dax_device_of(r);
	int err;

	mutex_lock(&d->lock);
	err = check_leave(d, wait);
	if (!err && !pmem_try_step(r, PMEM_LEAVING, &l->from))
		err = pmem_refuse_state(r, l->from);
	mutex_unlock(&d->lock);
	return err;
}

/* ---- busy blocks ---------------------------------------------------------------------------- */

/* Behind the threads of `ps`. */
static void report_busy(void)
{
	for (unsigned i = 0; i < pmem_count(); i++)
		if (__atomic_load_n(&devices[i].busy, __ATOMIC_RELAXED)) {
			kprintf("%s:\n", devices[i].region->name);
			pmem_print_held(devices[i].region);
		}
}

static int report_init(const struct boot_info *bi)
{
	(void)bi;
	ps_also(report_busy);
	return 0;
}
INITCALL(INIT_LATE, pmem_report, "who holds pages", report_init);
