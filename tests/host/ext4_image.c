/* SPDX-License-Identifier: MIT */
/*
 * Images for the ext4 host tests; see ext4_image.h.  The file is mapped shared, so the tools see
 * every store of ours without a copy.
 */
#define _GNU_SOURCE /* environ, pipe2 */
#include <fcntl.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "dax/ext4/disk.h"
#include "tests/host/ext4_image.h"

#define GUARD 4096u
#define TOOLS "PATH=/usr/sbin:/sbin:$PATH "

int image_sh(char *out, size_t n, const char *fmt, ...)
{
	char cmd[1024];
	size_t got = 0;
	va_list ap;
	FILE *p;
	int c, status;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	p = popen(cmd, "r");
	assert_non_null(p);
	while ((c = fgetc(p)) != EOF)
		if (out && got + 1 < n)
			out[got++] = (char)c;
	if (out && n)
		out[got] = '\0';
	status = pclose(p);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Start @argv with its output in a pipe, whose reading end is returned; -1: it is not installed. */
static int start_tool(char *const argv[], pid_t *pid)
{
	posix_spawn_file_actions_t files;
	int ends[2], err;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, ends[1], 1);
	posix_spawn_file_actions_adddup2(&files, ends[1], 2);
	err = posix_spawnp(pid, argv[0], &files, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&files);
	close(ends[1]);
	if (!err)
		return ends[0];
	close(ends[0]);
	return -1;
}

/* posix_spawnp looks where our own PATH says. */
static void look_in_sbin(void)
{
	static const char sbin[] = "/usr/sbin:/sbin:";
	const char *path = getenv("PATH") ?: "/usr/bin:/bin";
	char all[4096];

	if (!strncmp(path, sbin, sizeof(sbin) - 1))
		return;
	snprintf(all, sizeof(all), "%s%s", sbin, path);
	setenv("PATH", all, 1);
}

/* As image_sh, but without the shell, whose start costs half as much as e2fsck on a small image. */
static int image_tool(char *out, size_t n, char *const argv[])
{
	size_t have = 0;
	ssize_t got = 1;
	pid_t pid;
	int fd, status;
	char rest[512];

	look_in_sbin();
	fd = start_tool(argv, &pid);
	if (fd < 0)
		fail_msg("%s cannot be started", argv[0]);
	while (got > 0 && have + 1 < n) {
		got = read(fd, out + have, n - 1 - have);
		have += got > 0 ? (size_t)got : 0;
	}
	out[have] = '\0';
	while (got > 0) /* what has no room; the tool must not wait for a reader */
		got = read(fd, rest, sizeof(rest));
	close(fd);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void nothing_back(const void *p, size_t n)
{
	(void)p;
	(void)n;
}

static void nothing(void)
{
}

static uint32_t wall_clock(void)
{
	return (uint32_t)time(NULL);
}

static void collect(void *ctx, const char *line)
{
	struct image *im = ctx;
	size_t have = strlen(im->said);

	snprintf(im->said + have, sizeof(im->said) - have, "%s\n", line);
}

/* The image between two pages that fault: an access outside of it ends the test. */
static uint8_t *map_guarded(int fd, uint64_t size)
{
	uint8_t *all = mmap(NULL, size + 2 * GUARD, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(all, MAP_FAILED);
	assert_ptr_equal(
		mmap(all + GUARD, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0),
		all + GUARD);
	return all + GUARD;
}

void image_make(struct image *im, uint32_t mib, const char *mkfs_args)
{
	const char *dir = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	char out[2000], name[64];
	int fd;

	memset(im, 0, sizeof(*im));
	im->size = (uint64_t)mib << 20;
	snprintf(name, sizeof(name), "%s/hf-ext4-XXXXXX", dir);
	im->fd = fd = mkostemp(name, O_CLOEXEC);
	assert_true(fd >= 0);
	unlink(name); /* so that a test that fails, or is killed, leaves nothing behind */
	snprintf(im->path, sizeof(im->path), "/proc/%d/fd/%d", (int)getpid(), fd);
	assert_int_equal(ftruncate(fd, (off_t)im->size), 0);
	if (image_sh(out, sizeof(out), TOOLS "mkfs.ext4 -F -q %s %s 2>&1", mkfs_args, im->path))
		fail_msg("mkfs.ext4 %s: %s", mkfs_args, out);
	im->base = map_guarded(fd, im->size);
	im->env = (struct ext4_env){.base = im->base,
				    .size = im->size,
				    .writeback = nothing_back,
				    .fence = nothing,
				    .now = wall_clock,
				    .ctx = im,
				    .report = collect};
}

void image_drop(struct image *im)
{
	if (im->fs)
		image_down(im);
	munmap(im->base - GUARD, im->size + 2 * GUARD);
	close(im->fd);
}

int image_mount(struct image *im)
{
	im->said[0] = '\0';
	return ext4_mount(&im->env, &im->fs, im->why, sizeof(im->why));
}

void image_up(struct image *im)
{
	int err = image_mount(im);

	if (err)
		fail_msg("mount: %d: %s", err, im->why);
}

void image_down(struct image *im)
{
	int err = ext4_unmount(im->fs);

	if (err)
		fail_msg("unmount: %d: %s", err, ext4_why(im->fs));
	im->fs = NULL;
}

/*
 * A line that e2fsck -fn prints about a file system without a fault.  "narrower" is advice, not a
 * finding: leaves of a large tree are less than half full, as Linux leaves them too.
 */
static bool usual(const char *line, const char *path)
{
	if (!strncmp(line, "Inode ", 6) && strstr(line, "could be narrower.  Optimize? no"))
		return true;
	return !strncmp(line, "e2fsck ", 7) || !strncmp(line, "Pass ", 5) ||
	       (!strncmp(line, path, strlen(path)) && strstr(line, " files (") &&
		strstr(line, " blocks"));
}

bool image_is_clean(struct image *im)
{
	static char out[65536], copy[65536];
	int status = image_tool(out, sizeof(out), (char *[]){"e2fsck", "-fn", im->path, NULL});
	bool clean = status == 0;

	memcpy(copy, out, sizeof(copy));
	for (char *l = strtok(copy, "\n"); l; l = strtok(NULL, "\n"))
		clean &= usual(l, im->path);
	if (!clean)
		fprintf(stderr, "e2fsck -fn, status %d:\n%s\n", status, out);
	return clean;
}

void image_fsck(struct image *im)
{
	assert_true(image_is_clean(im));
}

void image_check(struct image *im)
{
	int n = ext4_check(im->fs, NULL, NULL);

	if (n)
		fail_msg("ext4_check: %d: %s", n, ext4_why(im->fs));
	image_down(im);
	image_fsck(im);
	image_up(im);
	assert_string_equal(im->said, "");
}

void image_redo_word(struct image *im, uint32_t ino)
{
	struct ext4_redo *redo = &((struct ext4_super *)(im->base + 1024))->s_redo;
	uint32_t sum = 2166136261u;

	for (size_t i = 0; i < sizeof(redo->image); i++)
		sum = (sum ^ ((const uint8_t *)&redo->image)[i]) * 16777619u;
	redo->commit = (uint64_t)sum << 32 | ino;
}

void image_debugfs(struct image *im, bool write, const char *request, char *out, size_t n)
{
	char said[2000];
	int status = image_sh(out ? out : said, out ? n : sizeof(said),
			      TOOLS "debugfs %s -R '%s' %s 2>/dev/null", write ? "-w" : "", request,
			      im->path);

	if (status)
		fail_msg("debugfs %s: status %d", request, status);
}

void image_same(struct image *im, const char *path, const void *data, size_t n)
{
	char cmd[400];
	uint8_t *got = malloc(n + 2);
	size_t have;
	FILE *p;

	snprintf(cmd, sizeof(cmd), TOOLS "debugfs -R 'cat \"%s\"' %s 2>/dev/null", path, im->path);
	p = popen(cmd, "r");
	assert_non_null(p);
	have = fread(got, 1, n + 1, p);
	pclose(p);
	assert_int_equal(have, n);
	assert_same_bytes(got, data, n);
	free(got);
}

static void good(struct image *im, int err, const char *what, const char *path)
{
	if (err < 0)
		fail_msg("%s %s: %d: %s", what, path, err, ext4_why(im->fs));
}

struct ext4_inode *im_open(struct image *im, const char *path)
{
	struct ext4_inode *ip = NULL;

	good(im, ext4_walk(im->fs, path, &ip), "open", path);
	return ip;
}

struct ext4_inode *im_create(struct image *im, const char *path)
{
	struct ext4_inode *dir, *ip = NULL;
	char name[EXT4_NAME_MAX + 1];

	good(im, ext4_walk_parent(im->fs, path, &dir, name), "walk", path);
	good(im, ext4_create(dir, name, 0644, &ip), "create", path);
	ext4_iput(dir);
	return ip;
}

void im_mkdir(struct image *im, const char *path)
{
	struct ext4_inode *dir;
	char name[EXT4_NAME_MAX + 1];

	good(im, ext4_walk_parent(im->fs, path, &dir, name), "walk", path);
	good(im, ext4_mkdir(dir, name, 0755, NULL), "mkdir", path);
	ext4_iput(dir);
}

void im_put(struct ext4_inode *ip)
{
	struct ext4_fs *fs = ip->fs;

	if (ext4_iput(ip) && ext4_evict(ip))
		fail_msg("evict: %s", ext4_why(fs));
}

static void take_away(struct image *im, const char *path,
		      int (*op)(struct ext4_inode *, const char *, struct ext4_inode **))
{
	struct ext4_inode *dir, *victim;
	char name[EXT4_NAME_MAX + 1];

	good(im, ext4_walk_parent(im->fs, path, &dir, name), "walk", path);
	good(im, op(dir, name, &victim), "remove", path);
	ext4_iput(dir);
	im_put(victim);
}

void im_unlink(struct image *im, const char *path)
{
	take_away(im, path, ext4_unlink);
}

void im_rmdir(struct image *im, const char *path)
{
	take_away(im, path, ext4_rmdir);
}

void im_write(struct ext4_inode *ip, uint64_t off, const void *buf, uint64_t len)
{
	int64_t n = ext4_write(ip, off, buf, len);

	if (n != (int64_t)len)
		fail_msg("write: %lld of %llu: %s", (long long)n, (unsigned long long)len,
			 ext4_why(ip->fs));
}

void im_expect(struct image *im, const char *path, const void *data, uint64_t n)
{
	struct ext4_inode *ip = im_open(im, path);
	uint8_t *got = malloc(n + 1);

	assert_int_equal(ip->size, n);
	assert_int_equal(ext4_read(ip, 0, got, n + 1), n);
	assert_same_bytes(got, data, n);
	free(got);
	ext4_iput(ip);
}

/* Megabytes of it: memset() has the sanitizer look at the whole place, so that the loop need not.
 * The low 16 bits of the product are all that is used of it. */
__attribute__((no_sanitize("address", "undefined"), optimize("O3"))) void
im_pattern(uint8_t *buf, uint64_t n, uint32_t seed)
{
	memset(buf, 0, n);
	for (uint64_t page = 0; page < n; page += 4096) {
		const uint8_t add = (uint8_t)(seed * 97 + page / 4096 * 13 + 1);
		const uint32_t len = n - page < 4096 ? (uint32_t)(n - page) : 4096;

		for (uint32_t i = 0; i < len; i++)
			buf[page + i] = (uint8_t)(((uint16_t)(page + i) * 0x79b1u >> 8) + add);
	}
}
