/* SPDX-License-Identifier: MIT */
/*
 * Disks for tests: moves between a real one and plain RAM, and one that is made of RAM and does as
 * it is told, errors and short answers included.
 */
#ifndef TESTS_KERNEL_LIB_FAKE_DISK_H
#define TESTS_KERNEL_LIB_FAKE_DISK_H

#include "drivers/clients/clients.h"

/* Moves `pages` whole pages between `buf` (page-aligned RAM in the direct map, as from
 * frame_alloc()) and the disk, and waits. 0 or a negative errno. Sleepable. */
int disk_move(struct block_device *dev, enum bio_op op, uint64_t sector, void *buf, unsigned pages);
/* Fills `pages` pages of the disk from `sector` on with `text`, over and over. 0 or an errno. */
int disk_fill(struct block_device *dev, uint64_t sector, const char *text, unsigned pages);

/* A moment for who polls a disk. Mostly awake, since with ICOUNT the time of an idle machine jumps
 * and outruns the disk; a little asleep, since there a CPU that only spins keeps QEMU from running
 * another one. Thread context. */
void disk_moment(void);

#define FAKE_ORDER   4 /* 16 pages */
#define FAKE_SECTORS ((PAGE_SIZE << FAKE_ORDER) / SECTOR_SIZE)

struct fake_disk {
	struct block_device dev;
	char *data;
	int next_err; /* what the requests from now on end with */
	bool manual;  /* requests stay until fake_finish() */
	struct spinlock lock;
	struct bio_queue queue; /* lock */
};
/* Not registered. -ENOMEM. */
int fake_disk_init(struct fake_disk *fd);
void fake_disk_free(struct fake_disk *fd); /* nothing is in its queue */
/* Ends every request that waits; how many. */
unsigned fake_finish(struct fake_disk *fd);

#endif
