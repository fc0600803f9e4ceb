// SPDX-License-Identifier: MIT
/*
 * Rows about read and write, and about large mappings: one system call each, entry and return
 * included.
 *
 * Of a read or write most is the copy. It is one function of the kernel's, which a probe times; the
 * probe's own cost, measured on a function that does nothing, is taken off.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hfwork.h"

#define MIB  (1ul << 20)
#define GIB  (1ul << 30)
#define PART 101

struct io {
	struct file f;
	char *buffer;
	size_t size;
	off_t at;
};

static void read_it(void *arg)
{
	struct io *io = arg;

	need(pread(io->f.fd, io->buffer, io->size, io->at) == (ssize_t)io->size, "pread");
}

static void write_it(void *arg)
{
	struct io *io = arg;

	need(pwrite(io->f.fd, io->buffer, io->size, io->at) == (ssize_t)io->size, "pwrite");
}

/* Each call a piece further: nothing but the blocks is new to it. */
static void further(void *arg)
{
	struct io *io = arg;

	io->at = (io->at + io->size) % (io->f.pages * PAGE);
}

static void rows_of(struct io *io, const char *bench, void (*op)(void *), size_t size)
{
	const struct work w = {.op = op, .after = further, .arg = io};

	io->size = size;
	io->at = 0;
	measure(bench, "insns", &w, PART, 1);
}

void rows_io(void)
{
	struct io io;

	file_start(&io.f, "io", 16 * MIB / PAGE);
	io.buffer = aligned_alloc(PAGE, MIB);
	memset(io.buffer, 'i', MIB);
	rows_of(&io, "pread.4k", read_it, PAGE);
	rows_of(&io, "pread.1m", read_it, MIB);
	rows_of(&io, "pwrite.4k", write_it, PAGE);
	rows_of(&io, "pwrite.1m", write_it, MIB);
	free(io.buffer);
	file_end(&io.f);
}

/* ---- 1 GiB mapped ---- */

struct map {
	struct file f;
	bool huge;
	char *area, *at;
};

/* Address space, so that the mapping lies where its entries are to be. */
static void reserve(struct map *m)
{
	m->area = mmap(NULL, GIB + 2 * HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	need(m->area != MAP_FAILED, "mmap of address space");
	m->at = (char *)(((uintptr_t)m->area + HUGE - 1) & ~(HUGE - 1)) + (m->huge ? 0 : PAGE);
	munmap(m->area, GIB + 2 * HUGE);
}

static void map_it(struct map *m)
{
	char *at = mmap(m->at, GIB, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_POPULATE | MAP_FIXED_NOREPLACE, m->f.fd, 0);

	need(at == m->at, "mmap of 1 GiB");
}

static void map_and_unmap(void *arg)
{
	struct map *m = arg;

	map_it(m);
	munmap(m->at, GIB);
}

struct fork {
	pid_t child;
	int gate[2];
	uint64_t start, end;
	volatile uint64_t *child_at;
};

/*
 * The child waits at the gate: what it does is outside, its exit too. False: the scheduler let it
 * run before the parent had returned, so the time is not the fork's.
 */
static bool fork_once(struct fork *k)
{
	char c = 0;
	int status;

	need(!pipe(k->gate), "pipe");
	k->start = hfp_ticks();
	k->child = fork();
	k->end = hfp_ticks();
	if (!k->child) {
		*k->child_at = hfp_ticks();
		_exit(read(k->gate[0], &c, 1) == 1 ? 0 : 1);
	}
	need(k->child > 0, "fork");
	need(write(k->gate[1], &c, 1) == 1, "write to the child");
	need(waitpid(k->child, &status, 0) == k->child && !status, "the child");
	close(k->gate[0]);
	close(k->gate[1]);
	return *k->child_at > k->end;
}

static void rows_fork(struct map *m, const char *bench)
{
	static uint64_t ticks[PART];
	unsigned n = 0;
	struct fork k = {.child_at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
					  MAP_SHARED | MAP_ANONYMOUS, -1, 0)};

	need(k.child_at != MAP_FAILED, "mmap");
	*k.child_at = 0;
	map_it(m);
	for (unsigned tries = 0; tries < 3 * PART && n < PART; tries++)
		if (fork_once(&k))
			ticks[n++] = k.end - k.start;
	errno = 0;
	need(n > PART / 2, "%s: the child ran inside all but %u forks", bench, n);
	report(bench, "insns/page", ticks, n, empty, GIB / PAGE, false);
	munmap(m->at, GIB);
}

static void rows_map_of(bool huge, const char *map, const char *forked)
{
	struct map m = {.huge = huge};
	const struct work w = {.op = map_and_unmap, .arg = &m};

	file_start(&m.f, "map", GIB / PAGE);
	reserve(&m);
	map_and_unmap(&m);
	measure(map, "insns/page", &w, 3, GIB / PAGE);
	rows_fork(&m, forked);
	file_end(&m.f);
}

void rows_map(void)
{
	rows_map_of(false, "map.1g.4k", "fork.1g.4k");
	rows_map_of(true, "map.1g.2m", "fork.1g.2m");
}
