/* SPDX-License-Identifier: MIT */
/*
 * The shell's own small commands: help, history, echo, sleep, time.
 *
 * `help` groups commands by the folder that defines them: the house's plan is the table of
 * contents.
 */
#include "kernel/kernel.h"
#include "kernel/shell/internal.h"

extern const struct shell_group __start_hf_groups[], __stop_hf_groups[];

/* The group whose place begins the command's file name, and is the longest of those. */
static const struct shell_group *group_of(const struct shell_command *c)
{
	const struct shell_group *best = NULL;

	for (const struct shell_group *g = __start_hf_groups; g < __stop_hf_groups; g++)
		if (!strncmp(c->file, g->place, strlen(g->place)) &&
		    (!best || strlen(g->place) > strlen(best->place)))
			best = g;
	return best;
}

/* The title that comes behind `turn`, in the order of the groups' turns; NULL: no more. */
static const struct shell_group *next_group(unsigned turn)
{
	const struct shell_group *next = NULL;

	for (const struct shell_group *g = __start_hf_groups; g < __stop_hf_groups; g++)
		if (g->turn > turn && (!next || g->turn < next->turn))
			next = g;
	return next;
}

static void list_group(const struct shell_group *g, const struct shell_command *const *all,
		       unsigned n)
{
	bool titled = false;

	for (unsigned i = 0; i < n; i++) {
		if (group_of(all[i])->turn != g->turn)
			continue;
		if (!titled)
			kprintf("%s\n", g->title);
		titled = true;
		kprintf("  %-12s %.*s\n", all[i]->name, (int)strcspn(all[i]->help, "\n"),
			all[i]->help);
	}
}

static int help_one(const char *name)
{
	const struct shell_command *c = shell_find(name);

	if (!c)
		return shell_unknown_command(name);
	kprintf("usage: %s\n", c->usage);
	for (const char *s = c->help; *s; s += strcspn(s, "\n"), s += *s == '\n')
		kprintf("  %.*s\n", (int)strcspn(s, "\n"), s);
	return 0;
}

static int cmd_help(int argc, char **argv)
{
	const struct shell_command *const *all;
	int first = 0;
	unsigned n;

	for (int i = 1; i < argc; i++) {
		int err = help_one(argv[i]);

		first = first ? first : err;
	}
	if (argc > 1)
		return first;
	all = shell_commands(&n);
	for (const struct shell_group *g = next_group(0); g; g = next_group(g->turn))
		list_group(g, all, n);
	kprintf("\n`help NAME` explains one. a; b runs two, a & runs one in the background.\n");
	return 0;
}

SHELL_GROUP(machine, 90, "", "shell and machine");
SHELL_COMMAND(
	help, cmd_help, "help [COMMAND ...]",
	"lists the commands, or explains the ones named\n"
	"TAB completes what the usage line allows at the cursor: commands, words of the line,\n"
	"paths of mounted files, mappings and pins (m1, p1), jobs (%1), regions, names, values\n"
	"(lifetime=zap-to-zero). A second TAB lists what it could be.");

static int cmd_history(int argc, char **argv)
{
	char number[16];

	(void)argv;
	if (argc != 1)
		return shell_usage();
	mutex_lock(&shell_history_lock);
	for (unsigned i = 0; i < shell_history.count; i++) {
		snprintf(number, sizeof(number), "%4u  ", i + 1);
		shell_print_line(number, shell_history.line[i], strlen(shell_history.line[i]), "");
	}
	mutex_unlock(&shell_history_lock);
	return 0;
}
SHELL_COMMAND(history, cmd_history, "history",
	      "the last 64 lines typed; the up arrow brings them back");

static int cmd_echo(int argc, char **argv)
{
	size_t size = 1, at = 0;
	char *line;

	for (int i = 1; i < argc; i++)
		size += strlen(argv[i]) + 1;
	line = malloc(size);
	if (!line)
		return shell_fail(-ENOMEM, "no memory for %zu bytes", size);
	line[0] = '\0';
	for (int i = 1; i < argc; i++)
		at += (size_t)snprintf(line + at, size - at, "%s%s", i > 1 ? " " : "", argv[i]);
	shell_print_line("", line, at, "");
	free(line);
	return 0;
}
SHELL_COMMAND(echo, cmd_echo, "echo [WORD ...]", "prints its words");

/* 0, or -EINTR. */
static int sleep_until(uint64_t deadline)
{
	struct waiter w = {0};
	bool over = false;

	while (!over && !signal_pending()) {
		wait_prepare(&w, &w, "time to pass", "a timer, or `kill`");
		w.interruptible = true;
		over = !wait_sleep_until(&w, deadline);
	}
	wait_finish(&w);
	return over ? 0 : -EINTR;
}

static int cmd_sleep(int argc, char **argv)
{
	uint64_t ms;
	int err;

	if (argc != 2)
		return shell_usage();
	err = shell_number("MILLISECONDS", argv[1], &ms);
	if (err)
		return err;
	if (ms > 86400000)
		return shell_fail(-EINVAL, "MILLISECONDS %s is more than a day (86400000)",
				  argv[1]);
	return sleep_until(clock_ns() + ms * 1000000);
}
SHELL_COMMAND(sleep, cmd_sleep, "sleep MILLISECONDS", "waits; Ctrl-C or `kill` ends it");

static int cmd_time(int argc, char **argv)
{
	uint64_t start = clock_ns(), us;
	int status;

	if (argc < 2)
		return shell_usage();
	status = shell_run_argv(argc - 1, argv + 1);
	us = (clock_ns() - start) / 1000;
	kprintf("time: %llu.%03u ms\n", (unsigned long long)(us / 1000), (unsigned)(us % 1000));
	return status;
}
SHELL_COMMAND(time, cmd_time, "time COMMAND [ARG ...]",
	      "runs a command and prints how long it took, in virtual milliseconds\n"
	      "The status is the command's.");
