/* SPDX-License-Identifier: MIT */
/*
 * What the module and the program of the Linux column share: the clock, the marks, the ioctls.
 *
 * Under `-icount shift=0` a tick of the time-stamp counter is one guest instruction, so RDTSC needs
 * no fence: nothing runs out of order in QEMU. A mark is a NOP with a number in it that nobody else
 * uses; it does nothing in the guest, and tells the counting plugin (count.c) where one operation
 * begins and ends.
 */
#ifndef HFPEER_H
#define HFPEER_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define HFP_MARK_BEGIN 0x48465342
#define HFP_MARK_END   0x48465345

/* nopl NUMBER(%rax) */
#define HFP_MARK(number) asm volatile(".byte 0x0f, 0x1f, 0x80; .long %c0" ::"i"(number) : "memory")

static inline __u64 hfp_ticks(void)
{
	__u32 lo, hi;

	asm volatile("rdtsc" : "=a"(lo), "=d"(hi)::"memory");
	return (__u64)hi << 32 | lo;
}

/* Ticks of a loop of exactly 2 * rounds instructions. */
static inline __u64 hfp_loop(__u64 rounds)
{
	__u64 start = hfp_ticks();

	asm volatile("1: dec %0; jnz 1b" : "+r"(rounds)::"cc", "memory");
	return hfp_ticks() - start;
}

#define HFP_MAX_REPEATS 1024
#define HFP_MAX_PAGES	512

/* get_user_pages_fast (pin_user_pages_fast with `pin`) of `pages` pages at `addr`, for writing, and
 * giving them back, `repeats` times, each call timed; then once more between marks. */
struct hfp_gup {
	__u64 addr;
	__u32 pages, repeats, pin;
	__u32 breaks;	/* out: pages that do not follow the one before them in memory */
	__u64 get, put; /* user pointers to `repeats` ticks each */
};

/* dma_map_sg() and dma_unmap_sg() of `pages` pages of RAM for the first edu, `repeats` times, each
 * call timed; then once more between marks. The list of pages is made before. */
enum {
	HFP_DMA_HUGE,	  /* side by side, from a 2 MiB boundary on */
	HFP_DMA_NEXT,	  /* side by side, from one page behind it on */
	HFP_DMA_SCATTERED /* no two side by side */
};
struct hfp_dma {
	__u32 pages, repeats, where, marked;
	__u32 pieces; /* out: entries of the list */
	__u32 unused;
	__u64 map, unmap; /* user pointers to `repeats` ticks each */
};

/* A memory region, as the RDMA core registers one: `pages` pages at `addr` are pinned for writing,
 * made a list, and let at by the first edu (dma_map_sg()); and all of it back. `repeats` times,
 * each way timed; then once more between marks. Without FOLL_LONGTERM, which a DAX file refuses. */
struct hfp_region {
	__u64 addr;
	__u32 pages, repeats;
	__u32 pieces; /* out: entries of the list */
	__u32 unused;
	__u64 in, out; /* user pointers to `repeats` ticks each */
};

/* The put of the page that HFP_HOLD took. */
struct hfp_drop {
	__u64 marked;	  /* with marks around it, which costs two instructions more */
	__u64 start, end; /* out: the clock before and after */
};

/* A kretprobe on function `name`: calls, ticks inside, and when the last call returned. */
struct hfp_probe {
	char name[64];
	__u64 calls, ticks, returned;
};

#define HFP_EMPTY     _IOR('H', 0, __u64) /* ticks between two reads of the clock, in the kernel */
#define HFP_LOOP      _IOWR('H', 1, __u64)
#define HFP_GUP	      _IOWR('H', 2, struct hfp_gup)
#define HFP_HOLD      _IOW('H', 3, __u64) /* takes a reference on the page at this address */
#define HFP_DROP      _IOWR('H', 4, struct hfp_drop)
#define HFP_PROBE     _IOW('H', 5, struct hfp_probe) /* starts it; one more each time, at most 4 */
#define HFP_PROBED    _IOWR('H', 6, struct hfp_probe)
#define HFP_PROBES_GO _IO('H', 7)	  /* ends all probes */
#define HFP_DELAY     _IOR('H', 8, __u64) /* from a function's return to its probe's clock */
#define HFP_DMA	      _IOWR('H', 9, struct hfp_dma)
#define HFP_REGION    _IOWR('H', 10, struct hfp_region)

#endif
