// SPDX-License-Identifier: MIT
/* Asking Linux who waits for whom: files, holders, and operations that may sleep. See hftruth.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hftruth.h"

#define FOLDERS 6 /* /d0 … : one for each DIMM */

static int device;

void need(bool ok, const char *fmt, ...)
{
	int err = errno;
	va_list ap;

	if (ok)
		return;
	va_start(ap, fmt);
	printf("{\"error\":\"");
	vprintf(fmt, ap);
	printf("%s%s\"}\n", err ? ": " : "", err ? strerror(err) : "");
	fflush(stdout);
	_exit(99);
}

void answer(const char *name, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	printf("{\"truth\":\"%s\",\"answer\":\"", name);
	vprintf(fmt, ap);
	printf("\"}\n");
	fflush(stdout);
}

void pass(unsigned ms)
{
	usleep(ms * 1000);
}

void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	need(fd >= 0, "%s", path);
	need(write(fd, text, strlen(text)) == (ssize_t)strlen(text), "%s < '%s'", path, text);
	close(fd);
}

/* ---- files ---- */

static void path_of(const struct f *f, const char *name, char *buf, size_t n)
{
	snprintf(buf, n, "%s/%s", f->folder, name);
}

/* Halving the request until one block does not fit leaves none free. */
static void fill(const struct f *f)
{
	off_t off = 0, chunk = 64 << 20;
	char path[64];
	int fd;

	path_of(f, "fill", path, sizeof(path));
	fd = open(path, O_RDWR | O_CREAT, 0600);
	need(fd >= 0, "%s", path);
	while (chunk >= (off_t)PAGE) {
		if (!fallocate(fd, 0, off, chunk)) {
			off += chunk;
			continue;
		}
		need(errno == ENOSPC, "fallocate");
		chunk /= 2;
	}
	close(fd);
}

void f_make(struct f *f, const char *folder, uint64_t pages)
{
	static char buf[PAGE];

	*f = (struct f){.folder = folder, .pages = pages};
	path_of(f, "F", f->path, sizeof(f->path));
	f->fd = open(f->path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	need(f->fd >= 0, "%s", f->path);
	memset(buf, 'f', sizeof(buf));
	need(!fallocate(f->fd, 0, 0, pages * PAGE), "fallocate of F");
	for (uint64_t i = 0; i < pages; i++)
		need(pwrite(f->fd, buf, PAGE, i * PAGE) == (ssize_t)PAGE, "write of F");
	need(!fsync(f->fd), "fsync");
	sync();
	fill(f);
	sync();
}

void f_map(struct f *f)
{
	char *area = mmap(NULL, f->pages * PAGE + 2 * HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	char *at = (char *)(((uintptr_t)area + HUGE - 1) & ~(HUGE - 1));

	need(area != MAP_FAILED, "mmap of address space");
	f->map =
		mmap(at, f->pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, f->fd, 0);
	need(f->map == at, "mmap of F");
	need(!madvise(f->map, f->pages * PAGE, MADV_DONTFORK), "MADV_DONTFORK");
	for (uint64_t i = 0; i < f->pages; i++)
		*(volatile char *)(f->map + i * PAGE) = 'f';
}

void f_unmap(struct f *f)
{
	if (f->map)
		need(!munmap(f->map, f->pages * PAGE), "munmap");
	f->map = NULL;
}

void f_close(struct f *f)
{
	close(f->fd);
	f->fd = -1;
}

void f_end(struct f *f)
{
	char path[64];

	f_unmap(f);
	f_close(f);
	unlink(f->path);
	path_of(f, "fill", path, sizeof(path));
	unlink(path);
	path_of(f, "G", path, sizeof(path));
	unlink(path);
	sync();
}

bool g_make(struct f *f)
{
	static char buf[PAGE];
	uint64_t pages = 0;
	char path[64];
	bool ok = true;
	int fd;

	sync(); /* ext4 gives a freed block away once its journal has committed that */
	path_of(f, "G", path, sizeof(path));
	fd = open(path, O_RDWR | O_CREAT, 0600);
	need(fd >= 0, "%s", path);
	memset(buf, 'G', sizeof(buf));
	for (; pages < f->pages && ok; pages += ok) {
		ok = pwrite(fd, buf, PAGE, pages * PAGE) == (ssize_t)PAGE;
		need(ok || errno == ENOSPC, "write of G");
	}
	close(fd);
	return pages;
}

const char *g_reads(struct f *f)
{
	static char buf[2 * PAGE];
	char path[64];
	ssize_t got;
	int fd;

	path_of(f, "G", path, sizeof(path));
	fd = open(path, O_RDONLY);
	need(fd >= 0, "%s", path);
	got = pread(fd, buf, sizeof(buf), 0);
	need(got >= (ssize_t)PAGE, "read of G");
	close(fd);
	return memmem(buf, got, HFH_TEXT, strlen(HFH_TEXT))
		       ? "the block's next owner reads the device's bytes"
		       : "the block's next owner reads its own bytes";
}

/* ---- holders ---- */

int try_hold(unsigned holder, const char *at, unsigned how)
{
	struct hfh_hold h = {.addr = (uintptr_t)at, .holder = holder, .how = how};

	return ioctl(device, HFH_HOLD, &h) ? errno : 0;
}

void hold(unsigned holder, const char *at, unsigned how)
{
	errno = try_hold(holder, at, how);
	need(!errno, "holding a page");
}

void put(unsigned holder)
{
	uint64_t n = holder;

	need(!ioctl(device, HFH_PUT, &n), "HFH_PUT");
}

void device_writes(unsigned holder)
{
	uint64_t n = holder;

	need(!ioctl(device, HFH_WRITE, &n), "HFH_WRITE");
}

struct hfh_look look(unsigned holder)
{
	struct hfh_look l = {.holder = holder};

	need(!ioctl(device, HFH_LOOK, &l), "HFH_LOOK");
	return l;
}

/* ---- operations ---- */

static char state_of(pid_t pid)
{
	char path[64], text[256] = "", *at;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY);
	if (fd >= 0 && read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(fd);
	at = strrchr(text, ')');
	return at ? at[2] : '?';
}

static enum wait look_now(struct op *o)
{
	if (!o->over)
		o->over = waitpid(o->pid, &o->status, WNOHANG) == o->pid;
	if (o->over)
		return RETURNS;
	return state_of(o->pid) == 'D' ? SLEEPS_UNINTERRUPTIBLY : SLEEPS;
}

enum wait op_look(struct op *o)
{
	for (unsigned i = 0; i < 50 && look_now(o) != RETURNS; i++)
		pass(20);
	return look_now(o);
}

enum wait op_start(struct op *o, int (*fn)(void *arg), void *arg)
{
	fflush(stdout);
	*o = (struct op){.pid = fork()};
	need(o->pid >= 0, "fork");
	if (!o->pid)
		_exit(fn(arg));
	return op_look(o);
}

enum wait op_start_here(struct op *o, int (*fn)(void *arg), void *arg)
{
	static char stack[64 << 10] __attribute__((aligned(16)));

	fflush(stdout);
	*o = (struct op){.pid = clone(fn, stack + sizeof(stack), CLONE_VM | SIGCHLD, arg)};
	need(o->pid >= 0, "clone");
	return op_look(o);
}

int op_end(struct op *o)
{
	for (unsigned i = 0; i < 10 && op_look(o) != RETURNS; i++)
		;
	if (!o->over)
		return -1;
	return WIFEXITED(o->status) ? WEXITSTATUS(o->status) : 100 + WTERMSIG(o->status);
}

void op_kill(struct op *o, int sig)
{
	if (!o->over)
		kill(o->pid, sig);
}

int do_truncate(void *f)
{
	return ftruncate(((struct f *)f)->fd, 0) ? errno : 0;
}

static int reshape(const struct f *f, int mode)
{
	return fallocate(f->fd, mode, 0, PAGE) ? errno : 0;
}

int do_punch(void *f)
{
	return reshape(f, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE);
}

int do_zero(void *f)
{
	return reshape(f, FALLOC_FL_ZERO_RANGE);
}

int do_collapse(void *f)
{
	return reshape(f, FALLOC_FL_COLLAPSE_RANGE);
}

int do_insert(void *f)
{
	return reshape(f, FALLOC_FL_INSERT_RANGE);
}

/* ---- main ---- */

void mount_dimm(unsigned n)
{
	char disk[32], folder[32], path[64];

	snprintf(disk, sizeof(disk), "/dev/pmem%u", n);
	snprintf(folder, sizeof(folder), "/d%u", n);
	mkdir(folder, 0755);
	need(!mount(disk, folder, "ext4", 0, "dax=always"), "mount of %s", disk);
	/* Else some blocks stay free on a full file system, and G gets one of those or none. */
	snprintf(path, sizeof(path), "/sys/fs/ext4/pmem%u/reserved_clusters", n);
	write_text(path, "0");
}

int main(void)
{

	device = open("/dev/hfhold", O_RDWR);
	need(device >= 0, "/dev/hfhold");
	for (unsigned i = 0; i < FOLDERS; i++)
		mount_dimm(i);
	ask_layout();
	ask_pages();
	ask_device();
	printf("{\"end\":1}\n");
	fflush(stdout);
	/* At once: an orderly end would write to devices that have gone. */
	reboot(RB_POWER_OFF);
	return 0;
}
