/* SPDX-License-Identifier: MIT */
/*
 * Asking Linux who waits for whom: the program's tools (truth_tools.c), and its questions
 * (truth_*.c). Each question prints one line, {"truth":"name","answer":"in words"}; whether the
 * answer is the expected one is decided outside (truth.py).
 */
#ifndef HFTRUTH_H
#define HFTRUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "hfhold.h"

#define PAGE 4096ul
#define HUGE (2ul << 20)

/* Ends the program with a sentence and errno: a half-asked question has no answer. */
void need(bool ok, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void answer(const char *name, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* ---- F: `pages` pages of 'f', mapped or not, on a full file system ---- */

struct f {
	const char *folder; /* where its file system is mounted */
	char path[64];
	int fd;
	uint64_t pages;
	char *map; /* NULL: not mapped */
};
/* Every other block belongs to "fill", so whoever writes a new file gets F's blocks or none. */
void f_make(struct f *f, const char *folder, uint64_t pages);
void f_map(struct f *f); /* a child process does not inherit the mapping */
void f_unmap(struct f *f);
void f_close(struct f *f);
void f_end(struct f *f); /* all of it goes: mapping, F, "fill", G */
/* Are there blocks for G, a file of F's size? Then those that there are, are written. */
bool g_make(struct f *f);
/* "the block's next owner reads the device's bytes", or its own. */
const char *g_reads(struct f *f);

/* ---- holders ---- */

void hold(unsigned holder, const char *at, unsigned how);
int try_hold(unsigned holder, const char *at, unsigned how); /* 0 or an errno */
void put(unsigned holder);
void device_writes(unsigned holder);
struct hfh_look look(unsigned holder);

/* ---- an operation in a process of its own ---- */

struct op {
	pid_t pid;
	int status; /* of waitpid(), once it is over */
	bool over;
};
enum wait { RETURNS, SLEEPS, SLEEPS_UNINTERRUPTIBLY };
/* Starts fn(arg), whose value (an errno, 0 … 99) is the process's status, and gives it a second: it
 * is over, or it sleeps. */
enum wait op_start(struct op *o, int (*fn)(void *arg), void *arg);
/* In this address space: a mapping's page-table entries are not inherited. One at a time. */
enum wait op_start_here(struct op *o, int (*fn)(void *arg), void *arg);
enum wait op_look(struct op *o); /* the same, one second later */
/* It must end by itself within 10 s: its errno; or -1, it did not. */
int op_end(struct op *o);
void op_kill(struct op *o, int sig);

/* Pieces for op_start(): arg is a struct f. */
int do_truncate(void *f);
int do_punch(void *f);
int do_zero(void *f);
int do_collapse(void *f);
int do_insert(void *f);

void pass(unsigned ms);	     /* of the guest's clock, which jumps when nobody runs */
void mount_dimm(unsigned n); /* pmemN at /dN */
void write_text(const char *path, const char *text); /* sysfs */

/* ---- questions ---- */
void ask_layout(void); /* truth_layout.c: truncate and its like, signals, ranges */
void ask_pages(void);  /* truth_pages.c: counts, long-term, fork, disk, refault */
void ask_device(void); /* truth_device.c: unmount, unbind; last, as devices go */

#endif
