/* SPDX-License-Identifier: MIT */
/*
 * May files on this device be mapped by DAX? Two questions, before a mount and before a disk is
 * believed; see dax_probe.c.
 */
#ifndef DRIVERS_PMEM_DAX_PROBE_H
#define DRIVERS_PMEM_DAX_PROBE_H

#include "drivers/block/bio.h"

/*
 * Has pfn … pfn + nr, as its first and its last page tell, page records of `pgmap` (NULL: of any),
 * live and of type FS_DAX? 0; -EINVAL: no page at all; -EOPNOTSUPP. *why is a sentence that lives
 * for ever. A query: prints nothing, changes nothing. Any context.
 */
int dax_probe(const struct pgmap *pgmap, uint64_t pfn, uint64_t nr, const char **why);
/* Where a disk's bytes are mapped, if they can be: pages [*pfn, *pfn + *nr). Else -EOPNOTSUPP, or
 * what its driver says, and *why; the two are not touched then. A query, as above. */
int dax_probe_disk(struct block_device *dev, uint64_t *pfn, uint64_t *nr, const char **why);

#endif
