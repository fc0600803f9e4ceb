/* SPDX-License-Identifier: MIT */
/*
 * The scratch device: a fresh file system for whoever needs one, gone afterwards.
 *
 * One function decides which device that is, for races, benchmarks and self-tests alike: the first
 * one given as scratch that can be used now; if none was given, pmem1, unless something known is on
 * it (drivers/pmem/pmem_contents.c). One sentence says why there is none.
 */
#ifndef TESTS_KERNEL_LIB_SCRATCH_H
#define TESTS_KERNEL_LIB_SCRATCH_H

#include "drivers/clients/clients.h"

#define SCRATCH_PATH "/scratch"

enum scratch_size { SCRATCH_SMALL, SCRATCH_LARGE, SCRATCH_HUGE }; /* 16 MiB, 1 GiB, 16 GiB */

/* The scratch device of now into *out. Or, with refusal() set: -ENODEV none, not bound, killed;
 * -EROFS; -ENOSPC too small; -EBUSY mounted or mapped; -EPERM somebody's data is on it. Takes the
 * lock of the mounts: sleepable. */
int scratch_choose(struct pmem_region **out);
/* The same: the device, or NULL with the sentence in *why, good until this thread's next refusal.
 */
struct pmem_region *scratch_region(const char **why);
/* The device that was chosen last: for a test that runs, and has it mounted or unbound by itself.
 */
struct pmem_region *scratch_device(void);
/* scratch_region() for tests that put it into device mode, which needs a start that was not cut. */
struct pmem_region *scratch_for_modes(const char **why);
/* Chooses `n` edu devices that have nothing to do (scratch_edu.c). 0, or with refusal() set:
 * -ENODEV there are fewer; -EBUSY one is at work: its name, and for how long. */
int scratch_choose_edus(unsigned n);
/* Is there a disk, and are all at rest (scratch_disk.c)? 0: block_nth(0) may be used. Or with
 * refusal() set: -ENODEV there is none; -EBUSY requests are under way: how many, and what ends
 * them. */
int scratch_choose_disk(void);
struct edu *scratch_edu(unsigned n); /* the n-th of those chosen last */
/* In a self-test: `e` is an edu that has nothing to do and can be stopped, as it has a domain; or
 * the test skips by name. */
#define STOPPABLE(e)                                                                               \
	struct edu *e = scratch_choose_edus(1) ? NULL : scratch_edu(0);                            \
	if (!e)                                                                                    \
		SKIP("%s", refusal());                                                             \
	if (!edu_dma(e)->domain)                                                                   \
	SKIP("%s: %s (QEMU: -device intel-iommu)", edu_name(e), edu_dma(e)->direct)
/* A fresh file system, mounted at SCRATCH_PATH. 0, or a negative errno with a sentence. Nothing
 * that was on the region stays. Sleepable. */
int scratch_mount(enum scratch_size size, const struct lifetime *lt, struct dax_fs **fs,
		  const char **why);
/* A fresh file system of SCRATCH_IMAGE bytes in plain memory, for whoever mounts it by himself. */
#define SCRATCH_IMAGE (1u << 20)
void scratch_image(void *base);
/* Binds the scratch region anew, so that none of its page records exists. Nothing is mounted on it.
 * 0, or a negative errno. */
int scratch_forget_records(void);
void scratch_umount(void); /* panics if it is refused: somebody left a file open */

/* Gives every free block to the file `name`, so that the allocator has no other to give. 0 or
 * errno. */
int scratch_fill(const char *name);
/* Opens SCRATCH_PATH/name, made if absent, filled with `pages` pages of the byte `fill`. NULL:
 * failed. */
struct dax_inode *scratch_file(const char *name, unsigned pages, char fill);

/* Where a test or a race reads a file back: one at a time does. */
extern char scratch_bytes[2 * PAGE_SIZE];

#endif
