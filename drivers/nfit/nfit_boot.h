/* SPDX-License-Identifier: MIT */
/* What NFIT discovery shares with its self-tests. */
#ifndef DRIVERS_NFIT_NFIT_BOOT_H
#define DRIVERS_NFIT_NFIT_BOOT_H

#include "mm/mm.h"
#include "drivers/nfit/nfit.h"

/* Ranges of the boot map that no SPA may overlap, at most `max`; value: how many. */
unsigned nfit_ram_ranges(const struct boot_info *bi, struct nfit_range *out, unsigned max);

#endif
