/* SPDX-License-Identifier: MIT */
/*
 * Turning the machine off: first what was registered to be done before, last registered first,
 * since what came later may stand on what came earlier. Nothing is turned off behind a refusal,
 * unless the user insists.
 */
#include "kernel/kernel.h"
#include "kernel/shell/internal.h"

#define MAX_STEPS 16

struct poweroff_step {
	int (*fn)(void);
	const char *name;
};
static struct poweroff_step steps[MAX_STEPS]; /* written during boot only */
static unsigned nr_steps;
static void (*off)(void);

void shell_at_poweroff(int (*fn)(void), const char *name)
{
	ASSERT(nr_steps < MAX_STEPS, "at most %d things to do before power-off, '%s' is one more",
	       MAX_STEPS, name);
	steps[nr_steps++] = (struct poweroff_step){fn, name};
}

void shell_set_poweroff(void (*fn)(void))
{
	off = fn;
}

static int prepare(const struct poweroff_step *list, unsigned n, bool force)
{
	int refused = 0;

	while (n-- && (force || !refused)) {
		int err = list[n].fn();

		if (!err)
			continue;
		kprintf("power-off: %s refused (%s: %s)\n", list[n].name, errno_name(err),
			errno_text(err));
		refused++;
	}
	return refused;
}

int poweroff_prepare(bool force)
{
	return prepare(steps, nr_steps, force);
}

static void machine_poweroff(void)
{
	kprintf("power off\n");
	if (off)
		off();
	machine_exit(EXIT_OK); /* no ACPI, or it did not act */
}

void shell_stop_here(void)
{
	if (shell_in_script)
		kprintf("[status 0]\n");
	machine_exit(shell_script_status || jobs_failed || boot_stages_failed() ? EXIT_FAILED
										: EXIT_OK);
}

static int refuse_running(unsigned n)
{
	jobs_name_running();
	return shell_fail(-EBUSY,
			  "%u job%s still running: `wait` for it, `kill` it, or `poweroff -f`", n,
			  n == 1 ? " is" : "s are");
}

static int cmd_poweroff(int argc, char **argv)
{
	static const char *const options[] = {"-f"};
	bool force = argc == 2 && !strcmp(argv[1], "-f");
	unsigned running = jobs_running();

	if (argc > 2)
		return shell_usage();
	if (argc == 2 && !force)
		return shell_unknown("option", argv[1], options, 1);
	if (in_job())
		return shell_fail(-EINVAL, "works in the foreground only: leave the '&' away");
	if (running && !force)
		return refuse_running(running);
	if (poweroff_prepare(force) && !force)
		return shell_fail(-EBUSY,
				  "the machine stays on; `poweroff -f` turns it off anyway");
	if (!shell_in_script)
		machine_poweroff();
	shell_script_end = true; /* the list's own end turns the machine off, with its verdict */
	return 0;
}

SHELL_COMMAND(poweroff, cmd_poweroff, "poweroff [-f]",
	      "unmounts everything and turns the machine off\n"
	      "Refused while a job runs or something cannot be unmounted; -f turns it off anyway.");

static char order[8];

static int step_a(void)
{
	strcat(order, "a");
	return 0;
}

static int step_b(void)
{
	strcat(order, "b");
	return -EBUSY;
}

SELFTEST(shell_poweroff_order, "shell.poweroff-order",
	 "before power-off the last registered acts first, and a refusal stops the rest")
{
	const struct poweroff_step list[] = {{step_a, "test step a"}, {step_b, "test step b"}};
	int refused;

	order[0] = '\0';
	refused = prepare(list, 2, true);
	EXPECT(refused == 1 && !strcmp(order, "ba"), "forced: '%s', %d refused", order, refused);
	order[0] = '\0';
	refused = prepare(list, 2, false);
	EXPECT(refused == 1 && !strcmp(order, "b"), "polite: '%s', %d refused", order, refused);
}
