/* SPDX-License-Identifier: MIT */
/* What the two files of the module hfpeer share. */
#ifndef HFMODULE_H
#define HFMODULE_H

#include "hfpeer.h"

/* One measurement at a time: its pages, and the ticks of each call and of each call back. */
extern struct page *hfp_pages[HFP_MAX_PAGES];
extern u64 hfp_there[HFP_MAX_REPEATS], hfp_back[HFP_MAX_REPEATS];

bool hfp_bad_sizes(u32 pages, u32 repeats);
/* The ticks to the user's arrays: 0, -EFAULT. */
int hfp_give_ticks(u64 there, u64 back, u32 repeats);

int hfp_dma(struct hfp_dma *d);
int hfp_region(struct hfp_region *r);

#endif
