/* SPDX-License-Identifier: MIT */
/*
 * Waiting for space, for who asks to.
 *
 * An allocation never waits by itself: with every free block busy it is -ENOSPC, and the sentence
 * says that a put would have helped. Who would rather wait says so. He notes how many blocks have
 * been released, tries, and sleeps until the number is another one; no lock is held meanwhile. The
 * release may come from an interrupt (F-5): it adds to the number first and looks for sleepers
 * then.
 */
#include "dax/dax.h"
#include "dax/device/internal.h"

static uint64_t failures(struct dax_fs *fs)
{
	struct dax_space st = {0};

	mutex_lock(&fs->lock);
	if (fs->ops->space)
		fs->ops->space(fs, &st);
	mutex_unlock(&fs->lock);
	return st.enospc_busy;
}

static uint64_t released(const struct dax_device *d)
{
	return __atomic_load_n(&d->released, __ATOMIC_ACQUIRE);
}

int dax_fallocate_wait(struct dax_inode *inode, uint64_t off, uint64_t len, bool keep_size)
{
	struct dax_device *d = dax_device_of(inode->fs->region);

	for (;;) {
		uint64_t failed = failures(inode->fs), before = released(d);
		int err = dax_fallocate(inode, off, len, keep_size);

		if (err != -ENOSPC || failures(inode->fs) == failed)
			return err; /* nobody's put would help */
		assert_no_global_lock("a busy block");
		err = wait_event_interruptible(
			&d->busy, released(d) != before, "a busy block to be released",
			"last put of a page whose file freed it ('pmem' names "
			"the holders)");
		if (err)
			return refuse(err, "interrupted while waiting for busy blocks of %s",
				      d->region->name);
	}
}
