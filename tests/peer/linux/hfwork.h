/* SPDX-License-Identifier: MIT */
/*
 * The Linux column, program side: how a row is measured and printed. The rows are in rows_*.c.
 *
 * The same protocol as Holdfast's own `bench`: the median of timed sections, less what an empty one
 * costs, divided by the operations in it; then the operation once more between two marks, where the
 * plugin count.c counts what it did. A row whose JSON line has "marked":1 has run exactly one pair
 * of marks since the row before it, so the plugin's n-th line belongs to the n-th marked row.
 */
#ifndef HFWORK_H
#define HFWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hfpeer.h"

#define PAGE	    4096ul
#define HUGE	    (2ul << 20)
#define HUGE_PAGES  (HUGE / PAGE)
#define MAX_REPEATS HFP_MAX_REPEATS
#define FILE_FOLDER "/dax/"

extern int device;	    /* /dev/hfpeer */
extern uint64_t empty;	    /* ticks of a timed section without contents, through measure() */
extern uint64_t kernel_gap; /* ticks between two reads of the clock in the module */

/* Ends the program with a sentence and errno: a half-measured column is none. */
void need(bool ok, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* One row. `ticks` is sorted here; `less` is taken off each value before it is divided by `per`. */
void report(const char *bench, const char *unit, uint64_t *ticks, unsigned nr, uint64_t less,
	    uint64_t per, bool marked);
/* A row whose value is known, in hundredths of the unit. */
void report_value(const char *bench, const char *unit, uint64_t hundredths, uint64_t n);

struct work {
	void (*before)(void *arg), (*op)(void *arg),
		(*after)(void *arg); /* before, after: or NULL */
	void *arg;
};
/* `repeats` times before, op (timed), after; and once more with marks around op. */
void measure(const char *bench, const char *unit, const struct work *w, unsigned repeats,
	     uint64_t per);

/* ---- files and mappings ---- */

struct file {
	int fd;
	uint64_t pages;
	char *map; /* NULL: not mapped */
};
/* FILE_FOLDER/name, made anew, `pages` pages allocated and written with write(); not mapped. */
void file_start(struct file *f, const char *name, uint64_t pages);
void file_write(struct file *f); /* allocates and writes all pages (again) */
void file_end(struct file *f);
/*
 * Maps the file shared and writable. huge: at a 2 MiB boundary, so that 2 MiB entries are possible;
 * otherwise one page behind one, so that they are not, and every entry is 4 KiB.
 */
char *map_at(int fd, uint64_t pages, bool huge);
void file_map(struct file *f, bool huge);
void file_unmap(struct file *f);
void file_dirty(struct file *f); /* stores to every page */
long faults(void);		 /* minor faults of this process so far */

/* ---- sysfs ---- */

void put_text(const char *text, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* False: there is no such file. */
bool get_text(char *buf, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
uint64_t meminfo(const char *field); /* bytes */
uint64_t free_memory(void);	     /* bytes that nobody uses, in the lists of CPUs too */
/* The number of the smallest, or of the largest, NVDIMM region. */
int region_find(bool largest, uint64_t *size);
/* Region `region` becomes /dev/daxN.0 of this alignment, its records in RAM; and is let go again.
 */
void devdax_make(int region, uint64_t align);
void devdax_end(void);

/* ---- the rows ---- */

void rows_calibrate(void);
void rows_gup(void);
void rows_fault(void);
void rows_layout(void);
void rows_wake(void);
void rows_boot(void);
void rows_devdax(void);
void rows_memremap(void);
void rows_compound(void);
void rows_split(void);
void rows_dir(void);
void rows_fallocate(void);
void rows_io(void);
void rows_map(void);
void rows_mount(void);
void rows_dma(void);
void rows_region(void);

#endif
