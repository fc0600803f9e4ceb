/* SPDX-License-Identifier: MIT */
/* What the two halves of the line editor share: shell_edit.c and shell_complete.c. */
#ifndef KERNEL_SHELL_SHELL_COMPLETE_H
#define KERNEL_SHELL_SHELL_COMPLETE_H

#include "kernel/shell/shell_edit.h"

void edit_put(struct shell_edit *e, const char *s, size_t n);
void edit_bell(struct shell_edit *e);
/* Puts n bytes at the cursor; false, after a bell and without a change: the line would be too long.
 */
bool edit_insert(struct shell_edit *e, const char *s, size_t n);
/* TAB. */
void edit_complete(struct shell_edit *e);

#endif
