/* SPDX-License-Identifier: MIT */
/* Mounts as dax/ alone deals with them. */
#ifndef DAX_MOUNT_INTERNAL_H
#define DAX_MOUNT_INTERNAL_H

#include "dax/dax.h"

/* mount_list.c. The steps of mount and umount: its place in the list is taken, COMING (-EINVAL,
 * -ENODEV, -EBUSY, with a sentence); LIVE; LEAVING, and nobody walks through it any more (-EINVAL,
 * -EBUSY; sleeps; woken by: the last walker); off the list. */
int mount_enter(struct dax_fs *fs);
void mount_lives(struct dax_fs *fs);
int mount_leaves(const char *path, struct dax_fs **fs);
void mount_remove(struct dax_fs *fs);
int mount_none_on(const struct pmem_region *region); /* -EBUSY: there is one, named */
bool mount_first(char *path, size_t n);		     /* of any; false: none */

/* limited.c: of a region without page records. */
extern const struct vma_ops dax_limited_vma_ops;
/* Its fault, under the file's fault lock for reading. */
int limited_fault_held(struct dax_inode *inode, struct vm_fault *vmf);

#endif
