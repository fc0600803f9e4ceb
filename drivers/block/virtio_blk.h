/* SPDX-License-Identifier: MIT */
/*
 * virtio-blk: QEMU's disk, the other end of direct I/O. Registered as vda, vdb, … (bio.h).
 */
#ifndef DRIVERS_BLOCK_VIRTIO_BLK_H
#define DRIVERS_BLOCK_VIRTIO_BLK_H

#include "drivers/block/bio.h"

#define VIRTIO_BLK_MAX	 4
#define VIRTIO_BLK_DEPTH 32 /* requests that the device has at once; more wait in the driver */

struct virtio_blk_stats {
	uint64_t done, failed; /* requests since boot; zero: none */
	unsigned running, waiting, most_running;
	const char *broken; /* why the device is not used any more; NULL: it works */
};
/* Of the n-th (from 0) virtio disk; NULL past the last. */
struct block_device *virtio_blk_nth(unsigned n);
/* False: `dev` is no virtio disk. */
bool virtio_blk_stats(const struct block_device *dev, struct virtio_blk_stats *st);

#endif
