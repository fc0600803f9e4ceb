/* SPDX-License-Identifier: MIT */
/*
 * Pinning for an unbounded time: what RDMA regions and frame buffers have in common.
 *
 * Such a pin ends when its user says so, which may be never. On file-system DAX it would keep a
 * truncate waiting, or a block out of use, for as long; so FOLL_LONGTERM is refused there. All or
 * nothing: a device that was promised a range has no use for half of it, and the short count with
 * which get_user_pages() may answer is an error here.
 */
#include "drivers/clients/internal.h"

int longterm_pin(uint64_t addr, unsigned nr, struct page **pages)
{
	long got;

	if (!nr || nr > DMA_MAX_PAGES || (addr & (PAGE_SIZE - 1)))
		return -EINVAL;
	got = get_user_pages_fast(addr, nr, FOLL_PIN | FOLL_WRITE | FOLL_LONGTERM, pages);
	if (got == (long)nr)
		return 0;
	if (got > 0)
		unpin_user_pages(pages, got);
	return got < 0 ? got : -EFAULT;
}

int longterm_transfer(struct page **pages, unsigned nr, struct edu *e, const char *text)
{
	struct dma_job *job;
	int err;

	if (!e)
		return -ENODEV;
	job = dma_start_borrowed(e, pages, nr, DMA_IN, text, 1, &err);
	if (!job)
		return err;
	dma_wait(job);
	dma_free(job);
	return 0;
}
