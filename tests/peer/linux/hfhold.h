/* SPDX-License-Identifier: MIT */
/*
 * What the holding module and the program that asks Linux (hftruth.c) share: holders by number.
 *
 * A holder takes a reference on one page, as a driver does, and keeps it until it is told to give
 * it back, whoever's file the page's block belongs to by then. It remembers its page's number after
 * that, so the counts can be read when nobody holds it.
 */
#ifndef HFHOLD_H
#define HFHOLD_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define HFH_HOLDERS 16
#define HFH_TEXT    "F's DMA " /* what the "device" writes, over and over */

/* How a page is taken; for writing, if not told otherwise. */
#define HFH_PIN	     1 /* pin_user_pages; else get_user_pages */
#define HFH_SLOW     2 /* not by the fast path */
#define HFH_LONGTERM 4
#define HFH_READ     8

struct hfh_hold {
	__u64 addr;
	__u32 holder, how;
};
/* Counts of the page that a holder had last. */
struct hfh_look {
	__u32 holder;
	__u32 record; /* out: 0: the device has gone, and the record with it; the rest is zero then
		       */
	__s32 refs, maps;
	__u32 order;
	__u32 pad;
	__u64 pfn;
};

#define HFH_HOLD _IOW('h', 0, struct hfh_hold)
#define HFH_PUT	 _IOW('h', 1, __u64) /* the number of a holder */
/* The device of this holder writes its text into the page. */
#define HFH_WRITE _IOW('h', 2, __u64)
#define HFH_LOOK  _IOWR('h', 3, struct hfh_look)

#endif
