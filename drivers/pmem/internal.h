/* SPDX-License-Identifier: MIT */
/* What the files of this folder share. */
#ifndef DRIVERS_PMEM_INTERNAL_H
#define DRIVERS_PMEM_INTERNAL_H

#include "drivers/drivers.h"

bool pmem_any_usable(void);
/* Behind "before: "; nothing of a region in raw mode. */
void pmem_print_mode(const struct pmem_region *r, const char *before);
const struct pmem_above *pmem_above(void); /* set when commands run */

#endif
