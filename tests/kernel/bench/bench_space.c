/* SPDX-License-Identifier: MIT */
/*
 * Rows about blocks that a file gets or loses without anybody storing to them.
 *
 * fallocate.8g: dax_fallocate() of 8 GiB on an empty file: room, runs from the bitmaps, extents,
 * all of it durable. fallocate.8g.remove: dax_unlink() of such a file and the close of its last
 * user, so that name, extents, blocks and inode are gone. The file system has 16 GiB, was made a
 * moment ago, and no page of it was ever touched: there is no page record.
 */
#include "tests/kernel/bench/bench.h"

#define BYTES (8 * GIB)
#define NAME  SCRATCH_PATH "/eight"

struct space {
	struct bench_run *b;
	struct bench_file f;
};

static void make(void *arg)
{
	struct space *s = arg;

	if (dax_open(NAME, true, &s->f.inode))
		bench_skip(s->b, "%s", refusal());
}

static void allocate(void *arg)
{
	struct space *s = arg;

	if (s->f.inode && dax_fallocate(s->f.inode, 0, BYTES, false))
		bench_skip(s->b, "%s", refusal());
}

static void make_full(void *arg)
{
	make(arg);
	allocate(arg);
}

static void unlink_and_close(void *arg)
{
	struct space *s = arg;

	if (!s->f.inode)
		return;
	if (dax_unlink(NAME))
		bench_skip(s->b, "%s", refusal());
	dax_put(s->f.inode);
	s->f.inode = NULL;
}

static void measure(struct bench_run *b, const struct bench_case *c)
{
	struct space *s = c->arg;

	s->b = b;
	if (!bench_fs_start(b, &s->f, SCRATCH_HUGE))
		return;
	bench_measure(b, BENCH_INSNS, c, 5, 1);
	bench_file_end(&s->f);
}

static void fallocate_8g(struct bench_run *b)
{
	static struct space s; /* under bench's lock */
	const struct bench_case c = {
		.before = make, .op = allocate, .after = unlink_and_close, .arg = &s};

	measure(b, &c);
}
BENCH(fallocate_8g, "fallocate.8g", fallocate_8g);

static void fallocate_8g_remove(struct bench_run *b)
{
	static struct space s;
	const struct bench_case c = {.before = make_full, .op = unlink_and_close, .arg = &s};

	measure(b, &c);
}
BENCH(fallocate_8g_remove, "fallocate.8g.remove", fallocate_8g_remove);
