/* SPDX-License-Identifier: MIT */
/* What single designs have in files of their own: leases of get_user_pages() calls, for lease-poll
 * (gup_lease.c); marks of busy blocks, for busy-extent (busy_blocks.c). */
#ifndef DAX_LIFETIME_INTERNAL_H
#define DAX_LIFETIME_INTERNAL_H

#include "dax/file/internal.h"

extern unsigned long lease_polls; /* how often a lease was looked at; zero: none was due yet */

/* A call is about to take up to `nr` pages of the file: it gets a lease, in *cookie. -ENOMEM;
 * -EAGAIN: one of the file is being broken. Takes the file's fault lock for writing, sleepable. */
int gup_lease_begin(struct dax_inode *inode, unsigned long nr, void **cookie);
/* It has these; none: the lease goes at once. */
void gup_lease_end(void *cookie, struct page **pages, unsigned long nr);
/* Leases whose pages are idle go now, and not at the next poll; an unmount need not wait for it.
 * Sleepable. */
void gup_lease_settle(struct dax_fs *fs);

/* busy_blocks.c, for busy-extent. fs->lock held, but for busy_block_released(). */
/* `count` blocks from pfn on leave their file: those that somebody holds are marked. */
void busy_blocks_mark(struct dax_fs *fs, uint64_t pfn, uint32_t count);
/* The last holder of a marked record is gone. Any context, interrupts included. */
void busy_block_released(struct page *record);
/* How many of `count` free ones come before the first one that is held. */
uint32_t busy_blocks_before(const struct dax_fs *fs, uint64_t pfn, uint32_t count);
bool busy_blocks_none(uint64_t pfn, uint32_t count); /* none of them is; with any museum: true */
/* Tree lock held: these records lose their entries. */
void busy_blocks_entries_go(const struct dax_inode *inode, struct page *first, unsigned nr);

#endif
