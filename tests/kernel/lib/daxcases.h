/* SPDX-License-Identifier: MIT */
/*
 * Cases that ndctl's suite makes of every mapping of device memory, be it a file's or a device's:
 * direct I/O in five ways, a piece that is moved onto other memory, stores that are verified.
 */
#ifndef TESTS_KERNEL_LIB_DAXCASES_H
#define TESTS_KERNEL_LIB_DAXCASES_H

#include "tests/kernel/lib/fixture.h"

/* What is mapped, afresh for each case. */
struct dax_case {
	void *arg;
	uint64_t align;				  /* of the pages that map it */
	uint64_t (*map)(void *arg, uint64_t len); /* shared and writable; 0: refused */
	bool (*at_rest)(void *arg);		  /* nobody holds a page, of what is unmapped */
	bool pieces; /* 4 KiB of a larger page work alone: a file's do, a device's do not */
};
/* All five on the first two pages of `align`. NULL, or what went wrong. The caller has looked that
 * there is a disk, at rest. */
const char *dax_direct_io(const struct dax_case *c, struct block_device *disk);
/* Moves 4 KiB of the mapping onto anonymous memory: refused; or else it works there if 4 KiB are a
 * page of the mapping's or a piece that works, and every access is refused (SIGBUS) if not. */
const char *dax_moved(const struct dax_case *c);
/* Words all over two pages of `align`, each a sum of its place and the round, stored in one order
 * and verified in another; `stores` of them in each of two rounds. */
const char *dax_verified(const struct dax_case *c, unsigned stores);

#endif
