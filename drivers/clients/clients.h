/* SPDX-License-Identifier: MIT */
/*
 * The clients floor's public face: those who hold DAX pages while a device works on them.
 */
#ifndef DRIVERS_CLIENTS_CLIENTS_H
#define DRIVERS_CLIENTS_CLIENTS_H

#include "dax/dax.h"

#define DMA_MAX_PAGES 64
#define DMA_TEXT      64 /* bytes of the pattern, terminator included */

struct dma_job;

/*
 * Starts a DMA between referenced pages and an edu device. DMA_IN: the device writes `text`, over
 * and over, into every page, `times` times. DMA_OUT: the device reads the pages; what it got of the
 * first half page can be read by dma_received(). The job takes the references over and gives them
 * back from the completion interrupt. `who` names the holder in reports. Sleepable. NULL: *err is
 * -EINVAL (no pages, too many, no text), -ENODEV (no device), -ENOMEM; the references stay the
 * caller's.
 */
enum dma_dir { DMA_IN, DMA_OUT };
struct dma_job *dma_start(struct edu *e, struct page **pages, unsigned nr, enum dma_dir dir,
			  const char *text, unsigned times, int *err);
bool dma_done(const struct dma_job *job);
/* Sleeps until the device has finished; woken by: the completion interrupt. */
void dma_wait(struct dma_job *job);
/* The beginning of the first page as the device saw it (DMA_OUT, after dma_done()). */
const char *dma_received(const struct dma_job *job);
void dma_free(struct dma_job *job); /* after dma_done() */

#endif
