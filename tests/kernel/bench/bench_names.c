/* SPDX-License-Identifier: MIT */
/*
 * Rows about a directory of 20,000 names, f00000 to f19999, empty files.
 *
 *   dir.lookup.20000        a path's walk to one name, the same again and again
 *   dir.lookup.20000.other  the same, to names that nobody asked for since the mount
 *   dir.lookup.20000.first  the first walk into this directory after the mount
 *   dir.create.20000        dax_open() that makes one further name; its close and its unlink lie
 *                           outside, so there are 20,000 each time
 *   open.10000              dax_open() of every second name, each the first time since the mount
 *   open.10000.warm         the same again, after their close
 *   open.10000.bytes        RAM that one of these open files takes, whatever it is for
 *
 * The file system has 16 GiB. The names stay on the device for the next of these rows, as making
 * them takes longer than all the rest; another row's file system over it takes them away.
 */
#include "tests/kernel/bench/bench.h"

#define FOLDER	SCRATCH_PATH "/names"
#define NAMES	20000u
#define OPEN	10000u
#define REPEATS 101u
#define STRIDE	7919u /* coprime to NAMES: names that are far apart */

struct names {
	struct bench_run *b;
	struct bench_file f;
	unsigned n;
	char path[40];
	struct dax_inode *made;
	struct dax_inode **open; /* OPEN of each, from the heap; NULL: not one of those rows */
	char (*name)[24];
};
static struct names names; /* under bench_lock */

static void name_path(struct names *s, char letter, unsigned n)
{
	snprintf(s->path, sizeof(s->path), FOLDER "/%c%05u", letter, n);
}

/* Finds the path, as a command that shows a file does. False: it is not there. */
static bool find(const char *path)
{
	struct dax_node node;
	const char *rest;
	struct dax_fs *fs = dax_fs_find(path, &rest);
	int err;

	if (!fs)
		return false;
	err = fs->ops->walk(fs, rest, false, &node);
	if (!err)
		fs->ops->put_node(fs, &node);
	mutex_unlock(&fs->lock);
	return !err;
}

static bool make_names(struct names *s)
{
	struct dax_inode *inode;
	int err = dax_mkdir(FOLDER);

	for (unsigned n = 0; !err && n < NAMES; n++) {
		name_path(s, 'f', n);
		err = dax_open(s->path, true, &inode);
		if (!err)
			dax_put(inode);
	}
	if (err)
		bench_skip(s->b, "%s", refusal());
	return !err;
}

/* Mounts what is on the scratch device, as it is. */
static bool mount_it(struct names *s)
{
	return !dax_mount(scratch_device(), SCRATCH_PATH, LIFETIME_DEFAULT, &s->f.fs);
}

static void another_mount(struct names *s)
{
	scratch_umount();
	if (!mount_it(s))
		panic("%s: the scratch file system cannot be mounted again: %s", s->b->name,
		      refusal());
}

/* Is the file system on the device as one of these rows left it? Then it is mounted. */
static bool left_there(struct names *s)
{
	struct pmem_region *r;

	if (scratch_choose(&r) || !mount_it(s))
		return false;
	name_path(s, 'f', NAMES - 1);
	if (find(s->path) && !find(FOLDER "/g00000"))
		return true;
	scratch_umount();
	return false;
}

/* The file system with its 20,000 names is mounted, and nobody has looked into the folder since.
 * False: skipped, nothing to undo. */
static bool start(struct bench_run *b)
{
	struct names *s = &names;

	names = (struct names){.b = b};
	if (left_there(s)) {
		scratch_umount();
		return bench_fs_again(b, &s->f);
	}
	if (!bench_fs_start(b, &s->f, SCRATCH_HUGE))
		return false;
	if (!make_names(s)) {
		bench_file_end(&s->f);
		return false;
	}
	another_mount(s);
	return true;
}

/* ---- look-up, creation ---- */

static void look(void *arg)
{
	struct names *s = arg;

	if (!find(s->path))
		bench_skip(s->b, "%s: %s", s->path, refusal());
}

static void next_name(void *arg)
{
	struct names *s = arg;

	s->n = (s->n + STRIDE) % NAMES;
	name_path(s, 'f', s->n);
}

static void next_mount(void *arg)
{
	another_mount(arg);
	next_name(arg);
}

static void measure(struct bench_run *b, const struct bench_case *c, unsigned repeats)
{
	if (!start(b))
		return;
	if (!c->before)
		next_name(&names);
	bench_measure(b, BENCH_INSNS, c, repeats, 1);
	bench_file_end(&names.f);
}

static void lookup(struct bench_run *b)
{
	const struct bench_case c = {.op = look, .arg = &names};

	measure(b, &c, REPEATS);
}
BENCH(dir_lookup, "dir.lookup.20000", lookup);

static void lookup_other(struct bench_run *b)
{
	const struct bench_case c = {.before = next_name, .op = look, .arg = &names};

	measure(b, &c, REPEATS);
}
BENCH(dir_lookup_other, "dir.lookup.20000.other", lookup_other);

static void lookup_first(struct bench_run *b)
{
	const struct bench_case c = {.before = next_mount, .op = look, .arg = &names};

	measure(b, &c, 5);
}
BENCH(dir_lookup_first, "dir.lookup.20000.first", lookup_first);

static void further_name(void *arg)
{
	struct names *s = arg;

	name_path(s, 'g', ++s->n);
}

static void create_name(void *arg)
{
	struct names *s = arg;

	if (dax_open(s->path, true, &s->made))
		bench_skip(s->b, "%s", refusal());
}

static void forget_name(void *arg)
{
	struct names *s = arg;

	if (s->b->skipped)
		return;
	dax_put(s->made);
	if (dax_unlink(s->path))
		bench_skip(s->b, "%s", refusal());
}

static void create(struct bench_run *b)
{
	const struct bench_case c = {
		.before = further_name, .op = create_name, .after = forget_name, .arg = &names};

	measure(b, &c, REPEATS);
}
BENCH(dir_create, "dir.create.20000", create);

/* ---- many open files ---- */

static void open_all(struct names *s)
{
	for (unsigned n = 0; n < OPEN; n++)
		if (dax_open(s->name[n], false, &s->open[n])) {
			bench_skip(s->b, "%s", refusal());
			s->open[n] = NULL;
		}
}

static void close_all(struct names *s)
{
	for (unsigned n = 0; n < OPEN; n++)
		if (s->open[n])
			dax_put(s->open[n]);
}

/* The counts are those of one: it is single-stepped. */
static void open_one(void *arg)
{
	struct names *s = arg;

	if (dax_open(s->name[0], false, &s->made))
		s->made = NULL;
}

static void close_one(struct names *s)
{
	if (s->made)
		dax_put(s->made);
}

static void end_open(struct names *s)
{
	free(s->open);
	free(s->name);
	bench_file_end(&s->f);
}

static bool start_open(struct bench_run *b)
{
	struct names *s = &names;

	if (!start(b))
		return false;
	s->open = calloc(OPEN, sizeof(*s->open));
	s->name = calloc(OPEN, sizeof(*s->name));
	if (!s->open || !s->name) {
		bench_skip(b, "no memory for the paths of %u files", OPEN);
		end_open(s);
		return false;
	}
	for (unsigned n = 0; n < OPEN; n++) {
		name_path(s, 'f', 2 * n);
		snprintf(s->name[n], sizeof(s->name[n]), "%s", s->path);
	}
	return true;
}

static void open_row(struct bench_run *b, bool warm)
{
	struct names *s = &names;
	uint64_t ticks[3], start;

	if (!start_open(b))
		return;
	for (unsigned i = 0; i < (warm ? 4u : 3u) && !b->skipped; i++) {
		if (!warm)
			another_mount(s);
		start = rdtsc();
		open_all(s);
		ticks[i % 3] = rdtsc() - start; /* warm: the first time was the cold one */
		close_all(s);
	}
	if (!b->skipped) {
		bench_samples(b, BENCH_INSNS, ticks, 3, OPEN);
		if (!warm)
			another_mount(s);
		find(s->name[1]); /* what the first of all does is not one of many's */
		find(s->name[1]);
		bench_count(b, open_one, s, 1);
		close_one(s);
	}
	end_open(s);
}

static void open_cold(struct bench_run *b)
{
	open_row(b, false);
}
BENCH(open_10000, "open.10000", open_cold);

static void open_warm(struct bench_run *b)
{
	open_row(b, true);
}
BENCH(open_10000_warm, "open.10000.warm", open_warm);

/* Of each file two pieces, and before each of them malloc() keeps a word. */
static void open_bytes(struct bench_run *b)
{
	struct names *s = &names;
	int64_t bytes;

	if (!start_open(b))
		return;
	heap_watch();
	open_all(s);
	bytes = heap_unwatch() + (int64_t)(2 * sizeof(size_t) * OPEN);
	bench_bytes(b, 0, OPEN);
	b->value = (uint64_t)bytes * 100 / OPEN;
	close_all(s);
	end_open(s);
}
BENCH(open_10000_bytes, "open.10000.bytes", open_bytes);
