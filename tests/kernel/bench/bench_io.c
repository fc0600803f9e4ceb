/* SPDX-License-Identifier: MIT */
/*
 * Rows about copies from and to a file: dax_read() and dax_write() of 4 KiB and 1 MiB.
 *
 * One call each, of a file of 16 MiB whose blocks are written; nobody maps it and it has no page
 * record. Each call works on the piece after the one before, at page boundaries. The buffer was
 * touched. Inside are the locks, the look at the tree of extents, the copy, and of a write the
 * write-back of its lines; the fence that makes it durable is fsync's.
 */
#include "tests/kernel/bench/bench.h"

#define FILE_BYTES   (16 * MIB)
#define BUFFER_ORDER 8 /* 1 MiB, aligned to it */
#define REPEATS	     101

struct io {
	struct bench_run *b;
	struct bench_file f;
	char *buffer;
	uint64_t at, size;
};

static void check(struct io *io, int64_t got)
{
	if (got != (int64_t)io->size)
		bench_skip(io->b, "%ld bytes of %lu were copied", got, io->size);
}

static void read_it(void *arg)
{
	struct io *io = arg;

	check(io, dax_read(io->f.inode, io->at, io->buffer, io->size));
}

static void write_it(void *arg)
{
	struct io *io = arg;

	check(io, dax_write(io->f.inode, io->at, io->buffer, io->size));
}

static void further(void *arg)
{
	struct io *io = arg;

	io->at = (io->at + io->size) % FILE_BYTES;
}

static void measure(struct bench_run *b, void (*op)(void *), uint64_t size)
{
	struct io io = {.b = b, .size = size};
	const struct bench_case c = {.op = op, .after = further, .arg = &io};
	uint64_t phys;

	if (!bench_file_start(b, &io.f, FILE_BYTES >> PAGE_SHIFT))
		return;
	phys = frame_alloc(BUFFER_ORDER);
	if (phys) {
		io.buffer = phys_to_virt(phys);
		memset(io.buffer, 'i', size);
		bench_measure(b, BENCH_INSNS, &c, REPEATS, 1);
		frame_free(phys, BUFFER_ORDER);
	} else {
		bench_skip(b, "no memory for a buffer of 1 MiB");
	}
	bench_file_end(&io.f);
}

static void pread_4k(struct bench_run *b)
{
	measure(b, read_it, PAGE_SIZE);
}
BENCH(pread_4k, "pread.4k", pread_4k);

static void pread_1m(struct bench_run *b)
{
	measure(b, read_it, MIB);
}
BENCH(pread_1m, "pread.1m", pread_1m);

static void pwrite_4k(struct bench_run *b)
{
	measure(b, write_it, PAGE_SIZE);
}
BENCH(pwrite_4k, "pwrite.4k", pwrite_4k);

static void pwrite_1m(struct bench_run *b)
{
	measure(b, write_it, MIB);
}
BENCH(pwrite_1m, "pwrite.1m", pwrite_1m);
