// SPDX-License-Identifier: MIT
/*
 * Questions about the device: it is unmounted, or unbound from its driver, while a page is held.
 *
 * What is held when its device has gone is never given back, and a sleeper is left asleep: either
 * would reach for a record that is no memory any more, and could take the machine down. Each
 * question has a DIMM of its own, and nothing is asked there afterwards.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "hftruth.h"

static int do_umount(void *f)
{
	return umount(((struct f *)f)->folder) ? errno : 0;
}

/* The hold is of the time before the unmount; `touch`: F is mapped again after the mount. */
static void ask_umount(const char *name, bool touch)
{
	const char *next = "the block is not free";
	struct f f;
	struct op op;
	enum wait w, after;

	f_make(&f, "/d1", 1);
	f_map(&f);
	hold(0, f.map, HFH_PIN);
	f_unmap(&f);
	f_close(&f);
	w = op_start(&op, do_umount, &f);
	need(w == RETURNS && !op_end(&op), "umount");
	mount_dimm(1);
	f.fd = open(f.path, O_RDWR);
	need(f.fd >= 0, "%s", f.path);
	if (touch)
		f_map(&f);
	after = op_start(&op, do_truncate, &f);
	if (g_make(&f)) {
		device_writes(0);
		next = g_reads(&f);
	}
	put(0);
	op_end(&op);
	answer(name, "returns at once; after the next mount truncate %s; %s",
	       after == RETURNS ? "returns at once" : "sleeps", next);
	f_end(&f);
}

/* The driver of the device below pmemN lets it go. */
static int do_unbind(void *f)
{
	char path[80], target[256] = "";
	unsigned n = ((struct f *)f)->folder[2] - '0';

	snprintf(path, sizeof(path), "/sys/block/pmem%u/device", n);
	if (readlink(path, target, sizeof(target) - 1) < 0)
		return errno;
	snprintf(path, sizeof(path), "/sys/block/pmem%u/device/driver/unbind", n);
	write_text(path, basename(target));
	return 0;
}

static const char *record_text(unsigned holder)
{
	return look(holder).record ? "the record stays" : "the record goes";
}

static const char *unbound(struct op *op, struct f *f)
{
	enum wait w = op_start(op, do_unbind, f);

	if (w == RETURNS && op_end(op))
		return "fails";
	return w == RETURNS  ? "returns at once"
	       : w == SLEEPS ? "sleeps, interruptibly"
			     : "sleeps, uninterruptibly";
}

/* Pinned, open, not mapped; or closed as well. */
static void ask_unbind_held(const char *name, const char *folder, unsigned holder, bool closed)
{
	const char *how;
	struct f f;
	struct op op;

	f_make(&f, folder, 1);
	f_map(&f);
	hold(holder, f.map, HFH_PIN);
	f_unmap(&f);
	if (closed)
		f_close(&f);
	how = unbound(&op, &f);
	answer(name, "%s; %s", how, record_text(holder));
}

static void ask_unbind_sleeper(void)
{
	const char *how;
	struct f f;
	struct op sleeper, op;
	enum wait before, after;

	f_make(&f, "/d4", 1);
	f_map(&f);
	hold(3, f.map, HFH_PIN);
	before = op_start(&sleeper, do_truncate, &f);
	how = unbound(&op, &f);
	after = op_look(&sleeper);
	answer("unbind.sleeper", "truncate %s; unbind %s; %s; truncate %s",
	       before == RETURNS ? "returns" : "sleeps", how, record_text(3),
	       after == RETURNS ? "goes on" : "sleeps on");
}

static struct f stale; /* its mapping is that of a device that has gone */

static int do_hold_stale(void *how)
{
	return try_hold(5, stale.map, HFH_PIN | *(unsigned *)how);
}

static void ask_stale(const char *name, unsigned how)
{
	struct op op;

	if (op_start_here(&op, do_hold_stale, &how) != RETURNS)
		answer(name, "does not come to its end");
	else
		answer(name, "%s", op_end(&op) ? strerrorname_np(op_end(&op)) : "succeeds");
}

/* The last one: a call may not come to its end. A page that nobody holds, for the first part. */
static void ask_unbind_mapped(void)
{
	const char *how;
	int pipes[2];
	bool stays;
	struct op op;

	f_make(&stale, "/d5", 1);
	f_map(&stale);
	hold(4, stale.map, 0);
	put(4);
	how = unbound(&op, &stale);
	need(!pipe(pipes), "pipe");
	stays = write(pipes[1], stale.map, 1) == 1;
	answer("unbind.mapped", "%s; %s; the mapping %s", how, record_text(4),
	       stays ? "stays" : "goes");
	ask_stale("unbind.gup-write", 0);
	ask_stale("unbind.gup-read", HFH_READ);
}

void ask_device(void)
{
	ask_umount("umount", false);
	ask_umount("umount.touched", true);
	ask_unbind_held("unbind.open", "/d2", 1, false);
	ask_unbind_held("unbind.closed", "/d3", 2, true);
	ask_unbind_sleeper();
	ask_unbind_mapped();
}
