/* SPDX-License-Identifier: MIT */
/*
 * Boot stages. A floor registers its stages with INITCALL; kernel_main() runs them in order of
 * `level`, prints each one's name before it starts, and stops with a sentence when one fails that
 * must not. A level is a number; each floor names its own, in its public header.
 */
#ifndef KERNEL_INIT_H
#define KERNEL_INIT_H

#include <stdbool.h>

#include "boot/boot.h"

enum {
	INIT_GROUND = 10, /* up to here no stage may fail: frames, page tables, heap, stacks */
	INIT_CPUS = 30,	  /* interrupt controllers, other CPUs */
	INIT_LATE = 90,	  /* last */
};

struct initcall {
	int level;
	const char *name;
	int (*fn)(const struct boot_info *bi); /* negative errno: this stage failed, boot goes on */
};
#define INITCALL(lvl, ident, text, func)                                                           \
	static const struct initcall initcall_##ident                                              \
		__attribute__((used, section("hf_initcalls"), aligned(8))) = {lvl, text, func}

/* The kernel command line: words separated by blanks. Value of "name=value" copied to buf (cut to
 * n - 1); false if the word is absent. "name" alone gives an empty value. */
bool cmdline_get(const char *name, char *buf, unsigned n);
const struct boot_info *boot_info(void);
/* Stages that failed, and were gone on without. Zero: the machine is what it was meant to be. */
unsigned boot_stages_failed(void);

#endif
