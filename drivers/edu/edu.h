/* SPDX-License-Identifier: MIT */
/*
 * edu: QEMU's educational device, used as an asynchronous DMA engine.
 *
 * It moves up to 4 KiB between memory and a buffer of its own, about 100 ms after it was told to,
 * and then interrupts. That delay is the point: here is a device that really is still writing.
 */
#ifndef DRIVERS_EDU_EDU_H
#define DRIVERS_EDU_EDU_H

#include "drivers/iommu/iommu.h"
#include "mm/mm.h"

#define EDU_MAX 6
#define EDU_CHUNK                                                                                  \
	2048 /* bytes per transfer; a page takes two (platform: dev_addr + size < 0x41000) */

enum edu_dir { EDU_FROM_MEMORY, EDU_TO_MEMORY };

struct edu;
/* One transfer of `len` bytes between page `page` of a mapping, from its byte `at` on, and the
 * device's buffer. Storage belongs to the caller until done() was called. The mapping may go
 * earlier: what the device then does is the IOMMU's business. */
struct edu_request {
	enum edu_dir dir;
	const struct dma_mapping *map; /* of edu_dma(), looked at by edu_submit() only */
	unsigned long page;
	uint32_t at;
	uint32_t len;			      /* 1 … EDU_CHUNK */
	uint32_t offset;		      /* in the device's buffer; offset + len <= 4095 */
	void (*done)(struct edu_request *rq); /* interrupt context; may free or reuse rq */
	void *arg;
	uint64_t bus;	      /* set by edu_submit() */
	struct page *touched; /* likewise */
	TAILQ_ENTRY(edu_request) link;
};

unsigned edu_count(void);
struct edu *edu_nth(unsigned n); /* NULL past the last */
const char *edu_name(const struct edu *e);
struct dma_device *edu_dma(struct edu *e); /* for dma_map() */
/* Queues n requests in one piece: nobody's transfer comes between them, so what one leaves in the
 * device's buffer the next one finds. They run one after the other. Any context. -EINVAL (nothing
 * queued): a length or offset, or an address beyond the device's DMA mask. */
int edu_submit(struct edu *e, struct edu_request *rq, unsigned n);
/* Requests queued or running. Zero: idle. */
unsigned edu_pending(const struct edu *e);

#endif
