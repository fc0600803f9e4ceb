/* SPDX-License-Identifier: MIT */
/* Leases of get_user_pages() calls, for the lifetime lease-poll: see gup_lease.c. */
#ifndef DAX_LIFETIME_GUP_LEASE_H
#define DAX_LIFETIME_GUP_LEASE_H

#include "dax/internal.h"

extern unsigned long lease_polls; /* how often a lease was looked at; zero: none was due yet */

/* A call is about to take up to `nr` pages of the file: it gets a lease, in *cookie. -ENOMEM;
 * -EAGAIN: one of the file is being broken. Takes the file's fault lock for writing, sleepable. */
int gup_lease_begin(struct dax_inode *inode, unsigned long nr, void **cookie);
/* It has these; none: the lease goes at once. */
void gup_lease_end(void *cookie, struct page **pages, unsigned long nr);
/* Leases whose pages are idle go now, and not at the next poll; an unmount need not wait for it.
 * Sleepable. */
void gup_lease_settle(struct dax_fs *fs);

#endif
