/* SPDX-License-Identifier: MIT */
/*
 * Whose bytes are these? Signatures of file systems, partition tables, volume managers and ndctl's
 * personalities: what blkid would name, looked for at the places where blkid looks.
 *
 * Pure code: no memory, no locks, no state; any context in which the reader may be called.
 */
#ifndef DRIVERS_PMEM_SIGNATURE_H
#define DRIVERS_PMEM_SIGNATURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum signature_kind {
	SIGNATURE_EXT,	     /* a superblock of ext2, ext3 or ext4 */
	SIGNATURE_NAMESPACE, /* ndctl: the data lies behind an info block, or in BTT's blocks */
	SIGNATURE_RAID,	     /* one of several copies or parts */
	SIGNATURE_OTHER,
};

struct signature {
	const char *name; /* "XFS", "LUKS 2"; lives for ever */
	enum signature_kind kind;
	uint64_t offset; /* of the signature's first byte, from the device's start */
};

#define SIGNATURES_MAX 8u /* that one device is asked for; more of them add nothing */

/* Copies bytes [off, off + n) of the device; false: they are not there, or cannot be read. */
typedef bool signature_read_fn(void *ctx, uint64_t off, void *buf, size_t n);

/* Signatures on a device of `size` bytes, at most `max` of them into `out`; value: how many were
 * stored. Zero: nothing that is known. Reads at most 70 times 512 bytes. */
unsigned int signature_find(signature_read_fn *read, void *ctx, uint64_t size,
			    struct signature *out, unsigned int max);
/* "XFS (at 0x0), GPT (at 0x200)" into buf. */
void signature_text(const struct signature *s, unsigned int nr, char *buf, size_t n);

#endif
