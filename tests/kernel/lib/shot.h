/* SPDX-License-Identifier: MIT */
/*
 * One write by an edu device into a page of a mapping, and what came of it: bytes in memory, or a
 * record of the unit in front of it.
 */
#ifndef TESTS_KERNEL_LIB_SHOT_H
#define TESTS_KERNEL_LIB_SHOT_H

#include "drivers/iommu/internal.h"
#include "tests/kernel/lib/fixture.h"

struct shot {
	struct edu_request rq[2]; /* its text into the device, and out into the page */
	struct dma_memory text;
	bool done;
};
/* 0: the device is at work until shot_end(), which waits for it; or an errno. */
int shot_start(struct shot *s, struct edu *e, const struct dma_mapping *m, unsigned long page);
void shot_end(struct shot *s);
int shot_fire(struct edu *e, const struct dma_mapping *m, unsigned long page); /* both */
bool shot_arrived(const void *at);
bool shot_nothing_at(const char *at); /* zeroes */

/* What a test expects to be recorded is not told at the prompt. The last fault of the unit in front
 * of the device; NULL: there was none. */
const struct vtd_fault *shot_last_fault(struct dma_device *dev);
/* Was there exactly one fault since `before`, of this device, there, for that reason? */
bool shot_one_fault(struct dma_device *dev, uint64_t before, uint64_t bus, unsigned reason);

#endif
