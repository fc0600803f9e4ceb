/* SPDX-License-Identifier: MIT */
/* What the files of this folder share. */
#ifndef DRIVERS_PMEM_INTERNAL_H
#define DRIVERS_PMEM_INTERNAL_H

#include "drivers/drivers.h"

bool pmem_any_usable(void);
const struct pmem_above *pmem_above(void); /* set when commands run */

#endif
