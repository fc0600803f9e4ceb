/* SPDX-License-Identifier: MIT */
/*
 * mtime and ctime of files that are stored to through mappings.
 *
 * A store through a shared mapping is seen once, by its fault; the next fsync write-protects the
 * page again. The first such fault notes the second in the file's object, by a plain store; all
 * later ones only look. The file layer gets the time when somebody asks (stat), and at fsync, sync
 * and umount, so a fault takes no lock and writes nothing to the device for it.
 *
 * fsync takes the note away after it has write-protected the pages. A fault in between finds the
 * old note, leaves it, and its page stays writable: stores to it until the next fsync fault no more
 * and note nothing. But then its entry is dirty, so that fsync writes lines back without a note,
 * and takes its own time.
 */
#include "dax/file/internal.h"

void __attribute__((noinline)) times_begin(struct dax_inode *inode)
{
	uint32_t now = clock_unix();

	__atomic_store_n(&inode->stored_at, now ? now : 1, __ATOMIC_RELAXED);
}

static int tell(struct dax_inode *inode, uint32_t when)
{
	return inode->ops->stored ? inode->ops->stored(inode, when) : 0;
}

int times_tell(struct dax_inode *inode)
{
	uint32_t at = __atomic_load_n(&inode->stored_at, __ATOMIC_RELAXED);

	assert_mutex_held(&inode->fs->lock);
	if (!at || at == inode->told_at)
		return 0;
	inode->told_at = at;
	return tell(inode, at);
}

int times_settle(struct dax_inode *inode, bool wrote)
{
	/* The locked exchange comes after the write-protection of the pages, whose flush was
	 * acknowledged: a store that needs a new note faults. */
	uint32_t at = __atomic_exchange_n(&inode->stored_at, 0, __ATOMIC_SEQ_CST);
	uint32_t told = inode->told_at;

	assert_mutex_held(&inode->fs->lock);
	inode->told_at = 0;
	if (at)
		return at == told ? 0 : tell(inode, at);
	return wrote ? tell(inode, clock_unix()) : 0;
}
