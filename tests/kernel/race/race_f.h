/* SPDX-License-Identifier: MIT */
/*
 * What the scripts F-1 … F-16 share. They are split by subject: race_f.c (the state word and fast
 * gup), race_f_space.c (allocator and reserve), race_f_disk.c (file, tree and bitmap),
 * race_f_device.c (unmount and unbinding), race_f_stale.c (what is remembered too long).
 */
#ifndef TESTS_KERNEL_RACE_RACE_F_H
#define TESTS_KERNEL_RACE_RACE_F_H

#include "tests/kernel/race/script.h"

/* The one reference of held[0], by the way that has step points. */
int piece_put_one(struct script *s);
/* Pins F's page by the fast path alone; no page is no error (nr_held stays zero). */
int piece_pin_fast(struct script *s);
/* A piece of its own for one block: before script_f() fills the device, and given back later. */
int spare_block(struct script *s);
int piece_free_spare(struct script *s);
int piece_store(struct script *s); /* into F's first page, where it is mapped */
/* Makes G now, where it could not be made before: 0 references are left, so it must go. False: the
 * verdict is set. */
bool make_g_now(struct script *s, struct actor *maker);
/* F or G, its first page, byte by byte: does the device's text show from `off` on? */
bool shows_device_text(struct dax_inode *inode, uint64_t off);

#endif
