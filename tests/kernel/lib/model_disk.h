/* SPDX-License-Identifier: MIT */
/*
 * A virtio disk whose device is a model in memory: its registers are bytes, and it does what a test
 * has it do. Of the driver all is real but the PCI function.
 */
#ifndef TESTS_KERNEL_LIB_MODEL_DISK_H
#define TESTS_KERNEL_LIB_MODEL_DISK_H

#include "drivers/block/internal.h"

#define MODEL_STATUS  20 /* register: zero is written to reset, and read when that has ended */
#define MODEL_NOT_YET 0x1

struct model_disk {
	struct vblk disk;
	uint64_t registers[8];
	uint16_t bell;
};

/* The whole of it zero, and then a disk of so many sectors, with a ring of so many descriptors and
 * so many segments a request at most; not registered. 0 or -ENOMEM; then model_disk_free() too. */
int model_disk_init(struct model_disk *m, uint64_t sectors, unsigned segments, unsigned ring);
/* No request of it is under way, nor a look at its reset. */
void model_disk_free(struct model_disk *m);

#endif
