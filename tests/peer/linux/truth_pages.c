// SPDX-License-Identifier: MIT
/* Questions about the page itself: how it is counted, who may hold it, what else touches it. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hftruth.h"

#define MAIN "/d0"
/* Its completions come 3 s after the request (insmod's arguments, truth.py). */
#define DISK "/dev/nullb0"

/* So that holder n knows its page. */
static void touch_by(unsigned holder, const char *at)
{
	hold(holder, at, 0);
	put(holder);
}

/* ---- counts --------------------------------------------------------------------------------- */

static void ask_counts(void)
{
	int refs[4];
	char *again;
	struct f f;

	f_make(&f, MAIN, 1);
	f_map(&f);
	touch_by(0, f.map);
	refs[1] = look(0).refs;
	again = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, f.fd, 0);
	need(again != MAP_FAILED, "mmap");
	*(volatile char *)again = 'f';
	refs[2] = look(0).refs;
	hold(0, f.map, HFH_PIN);
	refs[3] = look(0).refs;
	put(0);
	munmap(again, PAGE);
	f_unmap(&f);
	refs[0] = look(0).refs;
	answer("counts.4k", "unmapped %d, mapped once %d, twice %d, and pinned %d", refs[0],
	       refs[1], refs[2], refs[3]);
	f_end(&f);
}

static void ask_counts_huge(void)
{
	struct hfh_look head, fifth;
	struct f f;

	f_make(&f, MAIN, HUGE / PAGE);
	f_map(&f);
	touch_by(1, f.map);
	hold(0, f.map + 5 * PAGE, HFH_PIN);
	head = look(1);
	fifth = look(0);
	put(0);
	answer("counts.2m", "order %u; page 5 pinned: %d, the first page: %d", fifth.order,
	       fifth.refs, head.refs);
	f_end(&f);
}

/* ---- long-term holders ---------------------------------------------------------------------- */

static const char *longterm(const char *at, unsigned how)
{
	int err = try_hold(0, at, HFH_PIN | HFH_LONGTERM | how);

	if (!err)
		put(0);
	return !err ? "succeeds" : err == EOPNOTSUPP ? "EOPNOTSUPP" : strerror(err);
}

static void ask_longterm(void)
{
	const char *shared, *untouched, *fast, *slow;
	char *private;
	struct f f;

	f_make(&f, MAIN, 1);
	f_map(&f);
	shared = longterm(f.map, 0);
	private = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, f.fd, 0);
	need(private != MAP_FAILED, "mmap");
	untouched = longterm(private, 0);
	*(volatile char *)private = 'p';
	fast = longterm(private, 0);
	slow = longterm(private, HFH_SLOW);
	answer("longterm",
	       "shared: %s; private, untouched: %s; private copy: fast path %s, slow path %s",
	       shared, untouched, fast, slow);
	munmap(private, PAGE);
	f_end(&f);
}

/* ---- what others do meanwhile --------------------------------------------------------------- */

static int do_write(void *f)
{
	return pwrite(((struct f *)f)->fd, "w", 1, 0) == 1 ? 0 : errno;
}

static int do_read(void *f)
{
	char c;

	return pread(((struct f *)f)->fd, &c, 1, 0) == 1 ? 0 : errno;
}

static void ask_write(void)
{
	struct f f;
	struct op op;
	enum wait w;

	f_make(&f, MAIN, 1);
	f_map(&f);
	hold(0, f.map, HFH_PIN);
	w = op_start(&op, do_write, &f);
	put(0);
	answer("write", "%s", w == RETURNS ? "returns at once" : "sleeps");
	op_end(&op);
	f_end(&f);
}

static void ask_refault(void)
{
	struct f f;
	struct op op, reader;
	bool sees;
	enum wait w, r;
	int end;

	f_make(&f, MAIN, 2);
	f_map(&f);
	hold(0, f.map, HFH_PIN);
	w = op_start(&op, do_truncate, &f);
	device_writes(0);
	sees = !memcmp(f.map, HFH_TEXT, strlen(HFH_TEXT));
	r = op_start(&reader, do_read, &f);
	put(0);
	end = op_end(&op);
	answer("refault", "truncate %s; a load %s the device's bytes; read(2) %s; truncate %s",
	       w == SLEEPS ? "sleeps" : "does not sleep", sees ? "sees" : "does not see",
	       r == RETURNS ? "returns" : "sleeps",
	       end ? "does not end at the put" : "ends at the put, though F is mapped");
	op_end(&reader);
	f_end(&f);
}

static int do_pause(void *unused)
{
	(void)unused;
	pause();
	return 0;
}

/* Held by the parent, then forked, then stored to by the parent: is what the device writes there?
 */
static const char *forked(struct f *f, unsigned how)
{
	char *private = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, f->fd, 0);
	struct op child;
	bool kept;

	need(private != MAP_FAILED, "mmap");
	*(volatile char *)private = 'p';
	hold(0, private, how);
	op_start(&child, do_pause, NULL);
	*(volatile char *)(private + PAGE - 1) = 'x';
	device_writes(0);
	kept = !memcmp(private, HFH_TEXT, strlen(HFH_TEXT));
	put(0);
	op_kill(&child, SIGKILL);
	op_end(&child);
	munmap(private, PAGE);
	return kept ? "the parent keeps the page" : "the parent loses the page";
}

static void ask_fork(void)
{
	const char *pinned, *plain;
	struct f f;

	f_make(&f, MAIN, 1);
	pinned = forked(&f, HFH_PIN);
	plain = forked(&f, 0);
	answer("fork", "pinned: %s; a plain reference: %s at its next store", pinned, plain);
	f_end(&f);
}

static void ask_advice(void)
{
	bool locked, moved, dropped;
	char *to;
	struct f f;
	int refs;

	f_make(&f, MAIN, 1);
	f_map(&f);
	hold(0, f.map, HFH_PIN);
	locked = !mlock(f.map, PAGE) && !munlock(f.map, PAGE);
	to = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	moved = mremap(f.map, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to;
	if (moved)
		f.map = to;
	dropped = !madvise(f.map, PAGE, MADV_DONTNEED);
	refs = look(0).refs;
	put(0);
	answer("advice", "mlock %s, mremap %s, MADV_DONTNEED %s; count %d",
	       locked ? "succeeds" : "fails", moved ? "succeeds" : "fails",
	       dropped ? "succeeds" : "fails", refs);
	f_end(&f);
}

static void ask_drop_caches(void)
{
	struct f f;
	struct op op;
	enum wait w;

	f_make(&f, MAIN, 1);
	f_map(&f);
	hold(0, f.map, HFH_PIN);
	f_unmap(&f);
	f_close(&f);
	write_text("/proc/sys/vm/drop_caches", "3");
	f.fd = open(f.path, O_RDWR);
	need(f.fd >= 0, "%s", f.path);
	f_map(&f);
	w = op_start(&op, do_truncate, &f);
	put(0);
	op_end(&op);
	answer("drop-caches", "truncate %s",
	       w == RETURNS ? "returns: the hold is forgotten"
			    : "sleeps: the hold is not forgotten");
	f_end(&f);
}

/* ---- a disk's completion -------------------------------------------------------------------- */

static int do_truncate_later(void *f)
{
	pass(2500);
	return do_truncate(f);
}

/* Read from 1 s to 4 s, truncate from 2.5 s on. */
static void ask_disk(void)
{
	int disk = open(DISK, O_RDONLY | O_DIRECT), refs;
	enum wait w;
	struct f f;
	struct op op;

	need(disk >= 0, DISK);
	f_make(&f, MAIN, 1);
	f_map(&f);
	touch_by(0, f.map);
	op_start(&op, do_truncate_later, &f);
	need(read(disk, f.map, PAGE) == (ssize_t)PAGE, "direct read of the disk");
	for (unsigned i = 0; i < 5; i++)
		w = op_look(&op);
	refs = look(0).refs;
	answer("disk", "truncate %s after the read is complete; count %d",
	       w == RETURNS ? "has ended 5 s" : "sleeps on 5 s", refs);
	op_kill(&op, SIGKILL);
	op_end(&op);
	close(disk);
	f_end(&f);
}

void ask_pages(void)
{
	ask_counts();
	ask_counts_huge();
	ask_longterm();
	ask_write();
	ask_refault();
	ask_fork();
	ask_advice();
	ask_drop_caches();
	ask_disk();
}
