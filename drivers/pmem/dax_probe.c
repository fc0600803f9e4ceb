/* SPDX-License-Identifier: MIT */
/*
 * Asking whether a device can do DAX. "dax: quiet bdev_dax_supported()", "dax: require 'struct
 * page' by default for filesystem dax", "brd: remove dax support" (2017).
 *
 * A question is not an error: the answer is an errno and a sentence, and the console stays silent;
 * who asked decides whether anybody wants to read it.
 *
 * What is asked for are page records, at both ends of the range: a device may have given a part of
 * itself away, or none may have been made for it. Frames of RAM have no place in the table of
 * devices. So a RAM disk, which could hand its frames out with ease, fails: nobody could take them
 * back from who maps them when the disk goes.
 */
#include "drivers/drivers.h"

/* The live FS_DAX pgmap of a page, else NULL. No reference: it is compared only. */
static const struct pgmap *owner_of(uint64_t pfn)
{
	struct pgmap *pgmap = pgmap_get(pfn);
	bool fits = pgmap && pgmap->type == PGMAP_FS_DAX && pgmap_pfn_valid(pgmap, pfn);

	if (pgmap)
		pgmap_put(pgmap);
	return fits ? pgmap : NULL;
}

int dax_probe(const struct pgmap *pgmap, uint64_t pfn, uint64_t nr)
{
	const struct pgmap *first, *last;

	if (!nr || pfn + nr - 1 < pfn)
		return refuse(-EINVAL, "a device has at least one page");
	first = owner_of(pfn);
	last = owner_of(pfn + nr - 1);
	if (!first || !last)
		return refuse(-EOPNOTSUPP,
			      "its first or last page has no record of a live device (memremap, "
			      "FS_DAX); DAX needs one for each page");
	if (first != last || (pgmap && first != pgmap))
		return refuse(-EOPNOTSUPP, "the records of its pages belong to another device");
	return 0;
}

int dax_probe_disk(struct block_device *dev, uint64_t *pfn, uint64_t *nr)
{
	uint64_t first = 0, pages = 0;
	int err;

	if (!dev->direct_access)
		return refuse(-EOPNOTSUPP,
			      "its bytes are reached by requests only; use a pmem region");
	err = dev->direct_access(dev, &first, &pages);
	if (err)
		return refuse(err, "its driver gives no access to its memory now");
	err = dax_probe(NULL, first, pages);
	if (err)
		return err;
	*pfn = first;
	*nr = pages;
	return 0;
}
