/* SPDX-License-Identifier: MIT */
/*
 * The kernel floor's public face: the machine, without memory management.
 *
 * Each header below is the face of one folder and is written to be read; the other floors include
 * only this file. Nothing in kernel/ knows what mm/, drivers/ or dax/ are: they register
 * themselves, through the linker-section registries of this file, shell.h and selftest.h, or hand a
 * function down (thread_set_stack_ops(), trap_set_page_fault()).
 */
#ifndef KERNEL_KERNEL_H
#define KERNEL_KERNEL_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/tree.h>

#include "boot/boot.h"

#define ARRAY_SIZE(a)	      (sizeof(a) / sizeof((a)[0]))
#define ALIGN_DOWN(x, a)      ((x) & ~((__typeof__(x))(a)-1))
#define ALIGN_UP(x, a)	      ALIGN_DOWN((x) + ((__typeof__(x))(a)-1), a)
#define IS_ALIGNED(x, a)      (((x) & ((__typeof__(x))(a)-1)) == 0)
#define container_of(p, t, m) ((t *)((char *)(p)-offsetof(t, m)))
#define MIN(a, b)	      ((a) < (b) ? (a) : (b))
#define MAX(a, b)	      ((a) > (b) ? (a) : (b))
#define likely(x)	      __builtin_expect(!!(x), 1)
#define unlikely(x)	      __builtin_expect(!!(x), 0)
#define __printf(f, a)	      __attribute__((format(printf, f, a)))
#define __noreturn	      __attribute__((noreturn))
#define KIB		      1024ul
#define MIB		      (1024 * KIB)
#define GIB		      (1024 * MIB)

#include "kernel/lib/lib.h"
#include "kernel/cpu/cpu.h"
#include "kernel/console/console.h"
#include "kernel/trap/trap.h"
#include "kernel/sync/sync.h"
#include "kernel/sched/sched.h"
#include "kernel/time/time.h"
#include "kernel/selftest/selftest.h"
#include "kernel/shell/shell.h"

/*
 * Boot stages. A floor registers its stages with INITCALL; kernel_main() runs them in order of
 * `level`, prints each one's name before it starts, and stops with a sentence when one fails that
 * must not. A level is a number; each floor names its own, in its public header.
 */
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
