/* SPDX-License-Identifier: MIT */
/*
 * settle: what was started goes as far as it can go by itself.
 *
 * A list of commands that starts jobs cannot say with `sleep` when they have come to their waits:
 * that depends on the host. This waits for the state itself.
 */
#include "kernel/kernel.h"

#define POLLS	  3u /* rounds of those that look again once a second */
#define SECOND_NS 1000000000ull

static int interrupted(void)
{
	return shell_fail(-EINTR, "interrupted");
}

static int cmd_settle(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "threads"))
		return quiet_wait_threads() ? 0 : interrupted();
	if (argc != 1)
		return shell_usage();
	for (unsigned polls = 0; quiet_wait(); polls++) {
		if (polls == POLLS || quiet_look(NULL, NULL) == QUIET_DEAD)
			return 0;
		clock_skip(SECOND_NS);
	}
	return interrupted();
}
SHELL_COMMAND(settle, cmd_settle, "settle [threads]",
	      "waits until nothing goes on by itself: jobs have ended, or sleep for somebody\n"
	      "Devices finish what they do. Where timers are armed the clock is moved on by three "
	      "seconds,\n"
	      "one by one, so that whoever looks again once a second does.\n"
	      "threads: devices go on, and the clock is left alone: for a look at those that sleep "
	      "for a device");
