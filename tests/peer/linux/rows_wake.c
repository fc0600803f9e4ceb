// SPDX-License-Identifier: MIT
/*
 * Rows about the last put of a page that a truncate waits for.
 *
 * The module holds the page. A child truncates and sleeps in break_layouts; the parent, on the same
 * CPU, has the module put the page: the clock is read around the put (wake.put). The child then
 * runs, and a probe reads the clock when that function has returned in it (wake.waiter).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hfwork.h"

#define REPEATS 51

/* Where the waiter sleeps: since 6.15 in a function of DAX. ext4's is there too, and is inlined
 * into some of its callers, so that a probe on it sees nothing. */
static const char *const functions[] = {"dax_break_layout", "ext4_break_layouts"};

static uint64_t put_ticks[REPEATS + 1], wake_ticks[REPEATS + 1];

static pid_t start_waiter(struct file *f)
{
	pid_t pid = fork();

	need(pid >= 0, "fork");
	if (!pid)
		_exit(ftruncate(f->fd, 0) ? 1 : 0);
	usleep(20000); /* it runs meanwhile, and goes to sleep */
	need(!waitpid(pid, NULL, WNOHANG), "truncate did not wait for the held page");
	return pid;
}

/* A probe on the first of the functions that this kernel has. */
static struct hfp_probe probe_waiting(void)
{
	struct hfp_probe p = {0};
	int err = -1;

	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]) && err; i++) {
		strcpy(p.name, functions[i]);
		err = ioctl(device, HFP_PROBE, &p);
	}
	need(!err, "a probe on %s", p.name);
	return p;
}

static void one_round(struct file *f, struct hfp_probe p, unsigned i, bool marked)
{
	struct hfp_drop d = {.marked = marked};
	uint64_t at;
	int status;
	pid_t pid;

	file_write(f);
	*(volatile char *)f->map = 'w';
	at = (uintptr_t)f->map;
	need(!ioctl(device, HFP_HOLD, &at), "HFP_HOLD");
	pid = start_waiter(f);
	need(!ioctl(device, HFP_DROP, &d), "HFP_DROP");
	need(waitpid(pid, &status, 0) == pid && !status, "the truncate that waited");
	need(!ioctl(device, HFP_PROBED, &p), "HFP_PROBED");
	need(p.returned > d.start, "%s did not return after the put", p.name);
	put_ticks[i] = d.end - d.start;
	wake_ticks[i] = p.returned - d.start;
}

void rows_wake(void)
{
	struct hfp_probe p;
	struct file f;
	uint64_t delay;

	need(!ioctl(device, HFP_DELAY, &delay), "HFP_DELAY");
	p = probe_waiting();
	file_start(&f, "wake", 16);
	file_map(&f, false);
	for (unsigned i = 0; i < REPEATS; i++)
		one_round(&f, p, i, false);
	one_round(&f, p, REPEATS, true);
	report("wake.put", "insns", put_ticks, REPEATS, kernel_gap, 1, true);
	report("wake.waiter", "insns", wake_ticks, REPEATS, kernel_gap + delay, 1, false);
	need(!ioctl(device, HFP_PROBES_GO), "HFP_PROBES_GO");
	file_end(&f);
}
