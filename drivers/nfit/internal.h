/* SPDX-License-Identifier: MIT */
/* What the files of the NFIT parser share; nobody else includes this. See nfit.h. */
#ifndef DRIVERS_NFIT_INTERNAL_H
#define DRIVERS_NFIT_INTERNAL_H

#include "drivers/nfit/nfit.h"
#include "mm/mm.h"

/* Note the refusal of the whole table; returns err, so that `return nfit_reject(…)` reads well. */
int nfit_reject(struct nfit *n, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* nfit_frame.c: header, record list, sizes, duplicates. Fills n->bytes and n->records. */
int nfit_check_header(struct nfit *n, const uint8_t *b, size_t avail);
int nfit_collect(struct nfit *n);
/* "SPA range", "MEMDEV", … */
const char *nfit_type_name(unsigned int type);

/* nfit_decode.c: records to typed arrays, in the order of the table. 0 or -ENOMEM. */
int nfit_decode(struct nfit *n);

/* nfit_resolve.c: sorts the arrays, links them, gives every range and DIMM its verdict. */
int nfit_resolve(struct nfit *n, const struct nfit_env *env);

/* nfit_set.c: positions, cookies and translatability of one range whose MEMDEVs are linked. */
int nfit_set_resolve(struct nfit *n, struct nfit_spa *spa);

/* What NFIT discovery shares with its self-tests. */

/* Ranges of the boot map that no SPA may overlap, at most `max`; value: how many. */
unsigned nfit_ram_ranges(const struct boot_info *bi, struct nfit_range *out, unsigned max);

#endif
