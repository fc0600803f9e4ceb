/* SPDX-License-Identifier: MIT */
/* Files that QEMU hands to the guest (-fw_cfg name=…); the same on every boot path. */
#ifndef KERNEL_LIB_FWCFG_H
#define KERNEL_LIB_FWCFG_H

#include <stddef.h>

/*
 * Reads the whole file `name` into a new buffer, a NUL behind it; *data is the caller's to free().
 * Thread context. 0, or: -ENODEV this machine has no fw_cfg; -ENOENT no such file; -EFBIG it is
 * longer than `max` bytes (*len says how long); -ENOMEM.
 */
int fwcfg_read(const char *name, size_t max, char **data, size_t *len);

#endif
