/* SPDX-License-Identifier: MIT */
/*
 * File commands of the shell. Each checks all its arguments before the first change; a refusal is
 * the sentence of the layer that refused.
 */
#include <ctype.h>

#include "dax/file/internal.h"
#include "dax/shell/internal.h"

#define CHUNK 4096

static int failed(int err)
{
	return shell_fail(err, "%s", refusal());
}

static const char *type_name(enum dax_type type)
{
	static const char *const names[] = {"file", "directory", "symbolic link", "special file"};

	return names[type];
}

/* fn of what `path` leads to, under the file layer's lock; its errors are those of the layer. */
static int with_node(const char *path, int (*fn)(struct dax_fs *, struct dax_node *))
{
	const char *rest;
	struct dax_fs *fs = dax_fs_find(path, &rest);
	struct dax_node node;
	int err;

	if (!fs)
		return failed(-ENOENT);
	err = node_walk(fs, path, rest, &node);
	if (err) {
		err = failed(err);
	} else {
		err = fn(fs, &node);
		if (err)
			err = shell_fail(err, "%s: %s", path, refusal());
		fs->ops->put_node(fs, &node);
	}
	mutex_unlock(&fs->lock);
	return err;
}

struct search {
	const struct mapping *mapping;
	char *buf;
	unsigned n;
	bool wait, found;
};

static int search_fs(struct dax_fs *fs, void *arg)
{
	struct search *s = arg;
	struct dax_inode *inode;

	if (s->wait)
		mutex_lock(&fs->lock);
	else if (!mutex_trylock(&fs->lock))
		return 0;
	LIST_FOREACH (inode, &fs->inodes, link)
		if (&inode->mapping == s->mapping) {
			snprintf(s->buf, s->n, "%s", inode->name);
			s->found = true;
		}
	mutex_unlock(&fs->lock);
	return s->found;
}

/* Compares addresses only, so that a file that went meanwhile is not touched. */
static bool file_name(const struct mapping *mapping, bool wait, char *buf, unsigned n)
{
	struct search s = {mapping, buf, n, wait, false};

	dax_fs_for_each(search_fs, &s);
	return s.found;
}

static int file_names_init(const struct boot_info *bi)
{
	(void)bi;
	page_file_name = file_name;
	return 0;
}
INITCALL(INIT_DAX, file_names, "names of files", file_names_init);

/* A row of its own, too, for what cannot be read: its names and the others' are to be seen. */
static int list_one(struct dax_fs *fs, const struct dax_name *d)
{
	char name[4 * sizeof(d->name)];
	struct dax_node node;
	int err = fs->ops->by_number(fs, d->number, &node);

	text_escape(name, sizeof(name), d->name);
	if (err) {
		kprintf("%8u %10s %12s  %s: %s\n", d->number, "?", "?", name, refusal());
		return err;
	}
	kprintf("%8u %10s %12lu  %s\n", d->number, type_name(node.type), node.size, name);
	return fs->ops->put_node(fs, &node);
}

/* Every name; at the end an error, with the errno of the first that could not be read. */
static int list_names(struct dax_fs *fs, struct dax_node *dir)
{
	struct dax_name d;
	uint64_t pos = 0;
	unsigned bad = 0;
	int got, err = 0;

	while ((got = fs->ops->names(fs, dir, &pos, &d)) > 0) {
		int one = list_one(fs, &d);

		bad += one != 0;
		err = err ? err : one;
	}
	if (got < 0)
		return got;
	return err ? refuse(err, "%u of its names could not be read: see their rows", bad) : 0;
}

static int list(struct dax_fs *fs, struct dax_node *node)
{
	if (node->type == DAX_DIRECTORY)
		return list_names(fs, node);
	kprintf("%8u %10s %12lu\n", node->number, type_name(node->type), node->size);
	return 0;
}

static int cmd_ls(int argc, char **argv)
{
	return argc == 2 ? with_node(argv[1], list) : shell_usage();
}
SHELL_COMMAND(ls, cmd_ls, "ls PATH",
	      "list a directory: inode, type, size, name\n"
	      "Bytes of a name that are no text show as in C (\\n, \\x1b), a backslash as two.");

/* The layer learns of stores through mappings that it was not told of yet, and when they were. */
static int settle_times(struct dax_fs *fs, struct dax_node *node)
{
	struct dax_node now;
	int err = node->open ? times_tell(node->open) : 0;

	if (!err)
		err = fs->ops->by_number(fs, node->number, &now);
	if (err)
		return err;
	node->changed = now.changed;
	return fs->ops->put_node(fs, &now);
}

static void print_run(const struct dax_fs *fs, uint64_t at, const struct dax_run *run)
{
	kprintf("  pages %lu - %lu: %s", at, at + run->count - 1,
		!run->pfn      ? "hole"
		: run->written ? "written"
			       : "unwritten");
	if (run->pfn)
		kprintf(", blocks from %lu (pfn 0x%lx)",
			run->pfn - (fs->region->start >> PAGE_SHIFT), run->pfn);
	kprintf("\n");
}

static int print_map(struct dax_fs *fs, struct dax_node *node)
{
	uint64_t end = (node->size + PAGE_SIZE - 1) >> PAGE_SHIFT, at = 0;
	struct dax_run run;
	int err = settle_times(fs, node);

	if (err)
		return err;
	kprintf("inode %u, %s, %lu bytes, %u link(s), mode 0%o\n", node->number,
		type_name(node->type), node->size, node->links, node->permissions);
	if (node->changed)
		kprintf("  contents changed %u seconds after 1970\n", node->changed);
	for (unsigned shown = 0; at < end; at += run.count, shown++) {
		err = fs->ops->lookup(fs, node->layer, at, MIN(end - at, 1ull << 20), &run);
		if (err)
			return err;
		if (shown == 32) {
			kprintf("  … more extents\n");
			break;
		}
		print_run(fs, at, &run);
	}
	return 0;
}

static int cmd_stat(int argc, char **argv)
{
	return argc == 2 ? with_node(argv[1], print_map) : shell_usage();
}
SHELL_COMMAND(stat, cmd_stat, "stat PATH", "size, links, and where each page of a file lies");

/* A piece of one line. One that would pass for a line of the machine's own has its first byte
 * escaped; zeroes of a hole and other unprintable bytes show as dots. */
static void print_piece(char *s, size_t n, bool line_start)
{
	char unit[TEXT_UNIT];
	size_t skip = line_start && text_forges(s, n);

	if (skip)
		console_write(unit,
			      (size_t)snprintf(unit, sizeof(unit), "\\x%02x", (unsigned char)*s));
	for (size_t i = 0; i < n; i++)
		if (!isprint((unsigned char)s[i]) && s[i] != '\n' && s[i] != '\t')
			s[i] = '.';
	console_write(s + skip, n - skip);
}

/* Prints buf[0, n) line by line; how many bytes of it. A line whose first words are not all there
 * yet, as there is more behind them (`end` is false), is left for the next call. */
static size_t print_lines(char *buf, size_t n, bool end, bool *line_start)
{
	size_t at = 0;

	while (at < n && (end || !*line_start || n - at >= TEXT_FORGE_SPAN)) {
		const char *eol = memchr(buf + at, '\n', n - at);
		size_t len = eol ? (size_t)(eol + 1 - (buf + at)) : n - at;

		print_piece(buf + at, len, *line_start);
		*line_start = eol != NULL;
		at += len;
	}
	return at;
}

static int64_t print_file(struct dax_inode *inode, char *buf)
{
	bool line_start = true;
	uint64_t off = 0;
	int64_t n;

	while ((n = dax_read(inode, off, buf, CHUNK)) > 0) {
		off += print_lines(buf, (size_t)n, n < CHUNK, &line_start);
		if (signal_pending())
			return -EINTR;
	}
	return n;
}

static int cmd_cat(int argc, char **argv)
{
	struct dax_inode *inode;
	char *buf;
	int64_t n;
	int err;

	if (argc != 2)
		return shell_usage();
	err = dax_open(argv[1], false, &inode);
	if (err)
		return failed(err);
	buf = malloc(CHUNK);
	n = buf ? print_file(inode, buf) : -ENOMEM;
	kprintf("\n");
	free(buf);
	dax_put(inode);
	return n == -EINTR ? n : n < 0 ? failed(n) : 0;
}
SHELL_COMMAND(
	cat, cmd_cat, "cat FILE",
	"print a file (unprintable bytes as dots)\n"
	"A line that would pass for one of the machine's own ('ok 1 …', '[status 0]', '> …',\n"
	"'race …') begins with the escaped form of its first byte, such as \\x6fk 1.");

static int simple(int argc, char **argv, int (*fn)(const char *))
{
	int err;

	if (argc != 2)
		return shell_usage();
	err = fn(argv[1]);
	return err ? failed(err) : 0;
}

static int cmd_mkdir(int argc, char **argv)
{
	return simple(argc, argv, dax_mkdir);
}
SHELL_COMMAND(mkdir, cmd_mkdir, "mkdir PATH", "make a directory");

static int remove_name(const char *path)
{
	int err = dax_unlink(path);

	return err == -EISDIR ? dax_rmdir(path) : err;
}

static int cmd_rm(int argc, char **argv)
{
	return simple(argc, argv, remove_name);
}
SHELL_COMMAND(rm, cmd_rm, "rm PATH",
	      "remove a file or an empty directory; a mapped file's blocks go with its last user");

static int cmd_write(int argc, char **argv)
{
	struct dax_inode *inode;
	uint64_t off;
	int64_t n;
	int err;

	if (argc != 4)
		return shell_usage();
	err = shell_number("offset", argv[2], &off);
	if (err)
		return err;
	err = dax_open(argv[1], true, &inode);
	if (err)
		return failed(err);
	n = dax_write(inode, off, argv[3], strlen(argv[3]));
	err = n < 0 ? (int)n : dax_fsync(inode);
	if (!err && (uint64_t)n < strlen(argv[3]))
		err = refuse(-ENOSPC, "only %ld of %lu bytes written: the device is full", (long)n,
			     strlen(argv[3]));
	dax_put(inode);
	return err ? failed(err) : 0;
}
SHELL_COMMAND(write, cmd_write, "write FILE OFF TEXT",
	      "write TEXT at byte OFF and make it durable; makes the file if it is absent");

void dax_cmd_waited(const char *command, const struct dax_inode *inode)
{
	const struct layout_break *b = &inode->last_break;

	if (b->waited_ns && b->busy_pfn)
		kprintf("%s: waited %lu ms for %s; saw a busy page %u time(s), last pfn 0x%lx\n",
			command, b->waited_ns / 1000000, inode->name, b->busy_seen, b->busy_pfn);
	else if (b->waited_ns)
		kprintf("%s: waited %lu ms for leases of %s\n", command, b->waited_ns / 1000000,
			inode->name);
}

int dax_cmd_change(int argc, char **argv, unsigned numbers, const char *const *what,
		   int (*fn)(struct dax_inode *, const uint64_t *))
{
	struct dax_inode *inode;
	uint64_t v[2];
	int err;

	if (argc != (int)numbers + 2)
		return shell_usage();
	for (unsigned i = 0; i < numbers; i++) {
		err = shell_number(what[i], argv[2 + i], &v[i]);
		if (err)
			return err;
	}
	err = dax_open(argv[1], false, &inode);
	if (err)
		return failed(err);
	err = fn(inode, v);
	dax_cmd_waited(argv[0], inode);
	dax_put(inode);
	return err ? failed(err) : 0;
}

static int do_truncate(struct dax_inode *inode, const uint64_t *v)
{
	return dax_truncate(inode, v[0]);
}

static int cmd_truncate(int argc, char **argv)
{
	static const char *const what[] = {"size"};

	return dax_cmd_change(argc, argv, 1, what, do_truncate);
}
SHELL_COMMAND(truncate, cmd_truncate, "truncate FILE SIZE",
	      "set a file's size; blocks behind it are freed, as the lifetime allows");

static int do_punch(struct dax_inode *inode, const uint64_t *v)
{
	return dax_punch(inode, v[0], v[1]);
}

static int cmd_punch(int argc, char **argv)
{
	static const char *const what[] = {"offset", "length"};

	return dax_cmd_change(argc, argv, 2, what, do_punch);
}
SHELL_COMMAND(punch, cmd_punch, "punch FILE OFF LEN", "make a hole; the size stays");

static int do_fallocate(struct dax_inode *inode, const uint64_t *v)
{
	return dax_fallocate(inode, v[0], v[1], false);
}

static int do_fallocate_wait(struct dax_inode *inode, const uint64_t *v)
{
	return dax_fallocate_wait(inode, v[0], v[1], false);
}

static int cmd_fallocate(int argc, char **argv)
{
	static const char *const what[] = {"offset", "length"};
	struct dax_inode *inode;
	bool wait = false;
	int err;

	if (argc == 5 && !strcmp(argv[4], "wait")) {
		wait = true;
		argc--;
	}
	if (argc != 4)
		return shell_usage();
	err = dax_open(argv[1], true, &inode); /* as fallocate(1): makes the file */
	if (err)
		return failed(err);
	dax_put(inode);
	return dax_cmd_change(argc, argv, 2, what, wait ? do_fallocate_wait : do_fallocate);
}
SHELL_COMMAND(fallocate, cmd_fallocate, "fallocate FILE OFF LEN [wait]",
	      "allocate blocks for a range, reading as zeroes; makes the file if it is absent");
SHELL_GROUP(files, 10, "dax/shell/cmd_file", "files");
