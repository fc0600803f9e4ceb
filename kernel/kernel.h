/* SPDX-License-Identifier: MIT */
/*
 * The kernel floor's public face: the machine, without memory management.
 *
 * Each header below is one concept and is written to be read; the other floors include only this
 * file. Nothing in kernel/ knows what mm/, drivers/ or dax/ are: they register themselves, through
 * the linker-section registries of init.h, shell.h, selftest.h and museum.h, or hand a function
 * down (thread_set_stack_ops(), trap_set_page_fault()).
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

#include "kernel/cpu/insn.h"
#include "kernel/console/console.h"
#include "kernel/trap/panic.h"
#include "kernel/cpu/cpu.h"
#include "kernel/sync/lock.h"
#include "kernel/sync/wait.h"
#include "kernel/sched/thread.h"
#include "kernel/time/time.h"
#include "kernel/trap/trap.h"
#include "kernel/init.h"
#include "kernel/selftest/museum.h"
#include "kernel/shell/shell.h"
#include "kernel/selftest/selftest.h"
#include "kernel/lib/memdebug.h"
#include "kernel/selftest/step.h"
#include "kernel/sched/watch.h"

#endif
