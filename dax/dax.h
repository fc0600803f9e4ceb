/* SPDX-License-Identifier: MIT */
/*
 * The dax floor's public face: mounted file layers, DAX files, their entries, layouts, lifetimes.
 *
 * A DAX page *is* the file's block. So the block allocator and whoever holds the page (a device, by
 * get_user_pages) must agree on when a block may go to another file; how they agree is the
 * lifetime, chosen at mount (dax/lifetime/). This header is what the file layers, clients and tests
 * call.
 *
 * Lock order:  io_lock → mmap_lock → fault_lock → entry lock → map_lock → fs->lock → i_mmap_lock →
 * ptl.
 * A fault takes mmap_lock (read) and fault_lock (read); truncate takes io_lock and fault_lock for
 * writing, so nothing is mapped while a layout changes. A sleeper for an idle page gives fault_lock
 * up while it sleeps, else a fault inside the holder would wait for the waiter.
 *
 * A waiter holds no lock that strangers need. Each sleep for a holder (of a page, a lease, a
 * device, a busy block) says so first by assert_no_global_lock() (kernel/sync/sync.h): a panic with
 * the lock's name. The list of mounts, the names of mappings, the shell's pins and leases are
 * global. What has to last longer than such a lock is a state with a name that others meet: a mount
 * is LEAVING, a region is COMING (pmem.h), a mapping is being unmapped.
 */
#ifndef DAX_DAX_H
#define DAX_DAX_H

#include "drivers/drivers.h"

#define INIT_DAX 60 /* this floor's boot stage: regions and devices are there */

struct lifetime;
struct dax_inode;
struct dax_fs;

#include "dax/layer/layer.h"
#include "dax/lease/lease.h"
#include "dax/file/file.h"
#include "dax/mount/mount.h"
#include "dax/device/device.h"
#include "dax/lifetime/lifetime.h"
#include "dax/check/check.h"
#include "dax/shell/words.h"

#endif
