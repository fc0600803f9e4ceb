/* SPDX-License-Identifier: MIT */
/* What the files of dax/ share with each other and with nobody else. */
#ifndef DAX_INTERNAL_H
#define DAX_INTERNAL_H

#include "dax/dax.h"

#define DAX_TO_END (1ull << 52) /* past the last page of any file */

/* Page → (file, offset), under the tree lock (I6). A page that has another link is a panic. */
void page_associate(struct page *page, struct dax_inode *inode, uint64_t pgoff);
void page_disassociate(struct page *page, struct dax_inode *inode, uint64_t pgoff);

/* Could this fault be served by 2 MiB, as far as the mapping tells? HUGE_INSTALLED: yes. In line,
 * as every fault asks. */
static inline enum huge_result huge_fits(const struct dax_inode *inode, const struct vm_fault *vmf)
{
	const struct vma *vma = vmf->vma;
	uint64_t start = ALIGN_DOWN(vmf->address, PMD_SIZE);

	if ((vmf->address >> PAGE_SHIFT ^ vmf->pgoff) & (FOLIO_PAGES - 1))
		return HUGE_ALIGNMENT;
	if (start < vma->start || start + PMD_SIZE > vma->end)
		return HUGE_LENGTH;
	if (!(vma->flags & VM_SHARED))
		return HUGE_PRIVATE;
	if ((ALIGN_DOWN(vmf->pgoff, FOLIO_PAGES) + FOLIO_PAGES) << PAGE_SHIFT > inode->size)
		return HUGE_FILE_END;
	return IS_ALIGNED(inode->fs->region->start, PMD_SIZE) ? HUGE_INSTALLED : HUGE_START;
}
/* huge.c */
/* The 2 MiB entry is locked. HUGE_INSTALLED: mapped; anything else: single pages have to do, *entry
 * is what is locked now (0: nothing, no memory). */
enum huge_result huge_fault(struct dax_inode *inode, struct vm_fault *vmf, uint64_t *entry);
/* Counts what became of a fault, and notes it for `trace`. */
void huge_note(const struct dax_inode *inode, const struct vm_fault *vmf, enum huge_result result);

/* Sleeps until lifetime->busy(page) is false, with the fault lock given up meanwhile; the reason
 * and the holders show in `ps`. Woken by: lifetime->last_put (text `waker`). 0, or -EINTR (signal).
 */
int layout_sleep(struct dax_inode *inode, struct page *page, const char *waker);
bool mapping_mapped(struct mapping *m); /* does any VMA show the file? */

/* private.c: a store to a private mapping, or any access to a page that is a copy already. The
 * entry is locked and stays as it is; `entry` is its value. */
int dax_private_fault(struct dax_inode *inode, struct vm_fault *vmf, uint64_t entry);

/* cmd_map.c: `sync MAPPING [OFF LEN]`. */
int dax_sync_mapping(int argc, char **argv);

/* inode.c; fs->lock held. */
struct dax_inode *inode_find(struct dax_fs *fs, struct ext4_inode *ip);
int inode_attach(struct dax_fs *fs, struct ext4_inode *ip, const char *name,
		 struct dax_inode **out);
void inode_drop(
	struct dax_inode *inode); /* no references: entries deleted, ext4 reference given back */

/* ext4_glue.c */
struct ext4_env dax_ext4_env(struct dax_fs *fs);
extern const struct dax_layer_ops dax_ext4_ops;
void dax_free_twice(struct dax_fs *fs); /* the museum's double free, if it is on; fs->lock held */

#endif
