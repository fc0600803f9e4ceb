/* SPDX-License-Identifier: MIT */
/* What region.c and grabber.c share with each other and with nobody else. */
#ifndef DRIVERS_CLIENTS_LONGTERM_H
#define DRIVERS_CLIENTS_LONGTERM_H

#include "drivers/clients/clients.h"

/* All `nr` pages (1 … DMA_MAX_PAGES) from page-aligned addr, pinned for writing and for ever; else
 * none and -EINVAL, -EOPNOTSUPP (file-system DAX), -EFAULT, -ENOMEM. Sleepable. */
int longterm_pin(uint64_t addr, unsigned nr, struct page **pages);
/* The device writes `text` over pages that the caller holds. Sleeps; woken by: the completion
 * interrupt. 0, -ENODEV, -ENOMEM. */
int longterm_transfer(struct page **pages, unsigned nr, struct edu *e, const char *text);

#endif
