/* SPDX-License-Identifier: MIT */
/*
 * Direct I/O: a disk and a mapping of a file exchange bytes, and no copy lies between.
 *
 * The pages of the mapping are pinned (get_user_pages), the disk is told where they are, and its
 * completion gives them back, in an interrupt. Meanwhile the file may be truncated by somebody
 * else: that is what a lifetime has to answer for.
 */
#ifndef DRIVERS_CLIENTS_DIO_H
#define DRIVERS_CLIENTS_DIO_H

#include "drivers/block/bio.h"

#define DIO_MAX_PAGES BIO_MAX_SEGS
#define NO_DISK	      "no disk (QEMU: -device virtio-blk-pci,disable-legacy=on,drive=...)"

enum dio_dir {
	DIO_READ, /* the disk's bytes go into the mapping: its pages must be writable */
	DIO_WRITE /* the mapping's bytes go to the disk */
};
struct dio_request {
	struct block_device *disk;
	enum dio_dir dir;
	uint64_t sector;
	uint64_t addr;	   /* user address in the current mm, a multiple of 512 */
	uint64_t len;	   /* bytes, a multiple of 512; at most DIO_MAX_PAGES pages are touched */
	bool bounce;	   /* DIO_READ: by way of a buffer, copied on completion (bio.h) */
	const char *place; /* what reports call the memory, "m1+4096"; NULL: its address */
};
struct dio;

/*
 * Pins and starts. The pages are faulted in as needed and held until the completion; a holder named
 * "vda reading into PLACE" stands for them in reports. Sleepable. NULL: nothing is held, *err and
 * the sentence *why (valid until the thread's next fault) say what was wrong: -EINVAL, -ENXIO (end
 * of the disk), -EROFS, -EFAULT (no such memory), -ENOMEM, -EIO (broken disk).
 */
struct dio *dio_start(const struct dio_request *rq, int *err, const char **why);
bool dio_done(const struct dio *d);
/* Sleeps until it is over; woken by: the disk's completion. 0, or the disk's error. */
int dio_wait(struct dio *d);
void dio_free(struct dio *d); /* after dio_done() */
/* All three: 0 or a negative errno with a sentence. */
int dio_run(const struct dio_request *rq, const char **why);

#endif
