// SPDX-License-Identifier: MIT
/*
 * Rows about the last put of a page that a truncate waits for.
 *
 * The module holds the page. A child truncates and sleeps in ext4_break_layouts(); the parent, on
 * the same CPU, has the module put the page: the clock is read around the put (wake.put). The child
 * then runs, and a probe reads the clock when ext4_break_layouts() has returned in it
 * (wake.waiter).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hfwork.h"

#define REPEATS	 51
#define FUNCTION "ext4_break_layouts"

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

static void one_round(struct file *f, unsigned i, bool marked)
{
	struct hfp_probe p = {.name = FUNCTION};
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
	need(p.returned > d.start, "%s did not return after the put", FUNCTION);
	put_ticks[i] = d.end - d.start;
	wake_ticks[i] = p.returned - d.start;
}

void rows_wake(void)
{
	struct hfp_probe p = {.name = FUNCTION};
	struct file f;
	uint64_t delay;

	need(!ioctl(device, HFP_DELAY, &delay), "HFP_DELAY");
	need(!ioctl(device, HFP_PROBE, &p), "a probe on " FUNCTION);
	file_start(&f, "wake", 16);
	file_map(&f, false);
	for (unsigned i = 0; i < REPEATS; i++)
		one_round(&f, i, false);
	one_round(&f, REPEATS, true);
	report("wake.put", "insns", put_ticks, REPEATS, kernel_gap, 1, true);
	report("wake.waiter", "insns", wake_ticks, REPEATS, kernel_gap + delay, 1, false);
	need(!ioctl(device, HFP_PROBES_GO), "HFP_PROBES_GO");
	file_end(&f);
}
