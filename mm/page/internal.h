/* SPDX-License-Identifier: MIT */
/* Page records as mm/ alone deals with them. */
#ifndef MM_PAGE_INTERNAL_H
#define MM_PAGE_INTERNAL_H

#include "mm/mm.h"

/* busy.c */
void page_release_busy(struct page *record);

#endif
