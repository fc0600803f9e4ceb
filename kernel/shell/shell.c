/* SPDX-License-Identifier: MIT */
/*
 * The shell's core: the registry of commands, and running a line of them.
 *
 * A command is found by name in a linker section, so this file knows none of them. While one runs,
 * a record of it hangs in a list, on the stack of its runner; shell_fail() finds the innermost
 * record of the current thread there and so knows whose complaint it prints. Jobs and `time` need
 * no more.
 *
 * A line is parsed completely before its first command runs: a quote left open at the end must not
 * be found after the disk was changed.
 */
#include "kernel/kernel.h"
#include "kernel/shell/internal.h"

extern const struct shell_command __start_hf_commands[], __stop_hf_commands[];

struct running {
	const struct thread *thread;
	const struct shell_command *command;
	LIST_ENTRY(running) link;
};
static LIST_HEAD(, running) running_list = LIST_HEAD_INITIALIZER(running_list);
static struct spinlock running_lock = SPINLOCK_INIT("shell running");

/* Both arrays are made once, under the lock, and never change afterwards. */
static struct mutex sorted_lock = MUTEX_INIT_GLOBAL("shell commands");
static const struct shell_command **sorted;
static const char **sorted_names;

static unsigned nr_commands(void)
{
	return (unsigned)(__stop_hf_commands - __start_hf_commands);
}

static int by_name(const void *a, const void *b)
{
	const struct shell_command *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

/* Under sorted_lock. */
static void sort_commands(void)
{
	unsigned n = nr_commands();
	const struct shell_command **list = malloc(n * sizeof(*list) + 1);
	const char **names = malloc(n * sizeof(*names) + 1);

	if (!list || !names) {
		free(list);
		free(names);
		return;
	}
	for (unsigned i = 0; i < n; i++)
		list[i] = &__start_hf_commands[i];
	qsort(list, n, sizeof(*list), by_name);
	for (unsigned i = 0; i < n; i++)
		names[i] = list[i]->name;
	sorted = list;
	sorted_names = names;
}

const struct shell_command *const *shell_commands(unsigned *n)
{
	mutex_lock(&sorted_lock);
	if (!sorted)
		sort_commands();
	mutex_unlock(&sorted_lock);
	*n = sorted ? nr_commands() : 0;
	return sorted;
}

const char *const *shell_command_names(unsigned *n)
{
	shell_commands(n);
	return sorted_names;
}

const struct shell_command *shell_find(const char *name)
{
	const struct shell_command *c;

	for (c = __start_hf_commands; c < __stop_hf_commands; c++)
		if (!strcmp(c->name, name))
			return c;
	return NULL;
}

/* What the current thread runs, innermost; NULL: no command. */
static const struct shell_command *running_command(void)
{
	uint64_t flags = spin_lock_irqsave(&running_lock);
	const struct shell_command *found = NULL;
	struct running *r;

	LIST_FOREACH (r, &running_list, link) {
		if (r->thread == current_thread()) {
			found = r->command;
			break;
		}
	}
	spin_unlock_irqrestore(&running_lock, flags);
	return found;
}

static const char *running_name(void)
{
	const struct shell_command *c = running_command();

	return c ? c->name : "shell";
}

int shell_fail(int err, const char *fmt, ...)
{
	char text[320];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	kprintf("%s: %s\n", running_name(), text);
	book_note(running_name(), text, (uintptr_t)__builtin_return_address(0));
	return err;
}

int shell_usage(void)
{
	const struct shell_command *c = running_command();

	if (c)
		kprintf("usage: %s\n", c->usage);
	return -EINVAL;
}

int shell_number(const char *what, const char *text, uint64_t *out)
{
	char why[200];
	int err = number_parse(what, text, out, why, sizeof(why));

	return err ? shell_fail(err, "%s", why) : 0;
}

int shell_unknown(const char *what, const char *text, const char *const *words, unsigned n)
{
	const char *near = shell_nearest(text, words, n);
	char list[200] = "none";
	size_t at = 0;
	unsigned i;

	if (near)
		return shell_fail(-EINVAL, "unknown %s '%.40s': did you mean '%s'?", what, text,
				  near);
	for (i = 0; i < n && at + strlen(words[i]) + 8 < sizeof(list); i++)
		at += (size_t)snprintf(list + at, sizeof(list) - at, "%s%s", i ? ", " : "",
				       words[i]);
	return shell_fail(-EINVAL, "unknown %s '%.40s': known is %s%s", what, text, list,
			  i < n ? ", ..." : "");
}

int shell_unknown_command(const char *name)
{
	unsigned n;
	const char *const *names = shell_command_names(&n);
	const char *near = shell_nearest(name, names, n);

	if (near)
		return shell_fail(-ENOENT, "unknown command '%.40s': did you mean '%s'?", name,
				  near);
	return shell_fail(-ENOENT, "unknown command '%.40s': `help` lists all of them", name);
}

static int run_command(const struct shell_command *c, int argc, char **argv)
{
	int again = shell_usage_repeated(c->usage, argc, (const char *const *)argv);

	return again ? shell_fail(-EINVAL, "'%.40s' says again what an earlier word said",
				  argv[again])
		     : c->run(argc, argv);
}

int shell_run_argv(int argc, char **argv)
{
	struct running r = {current_thread(), shell_find(argv[0]), {NULL, NULL}};
	bool outermost;
	uint64_t flags;
	int status;

	if (!r.command)
		return shell_unknown_command(argv[0]);
	flags = spin_lock_irqsave(&running_lock);
	LIST_INSERT_HEAD(&running_list, &r, link);
	spin_unlock_irqrestore(&running_lock, flags);
	outermost = r.command->batch && batch_begin();
	refusal_clear();
	status = run_command(r.command, argc, argv);
	if (outermost && batch_end())
		status = -EINTR;
	flags = spin_lock_irqsave(&running_lock);
	LIST_REMOVE(&r, link);
	spin_unlock_irqrestore(&running_lock, flags);
	return status;
}

void shell_print_line(const char *before, const char *text, size_t len, const char *after)
{
	size_t head = strlen(before), tail = strlen(after);
	char *line = malloc(head + len + tail + 1);

	if (!line) { /* the start of a long line is better than none */
		kprintf("%s%.*s%s\n", before, (int)MIN(len, (size_t)100), text, after);
		return;
	}
	memcpy(line, before, head);
	for (size_t i = 0; i < len; i++)
		line[head + i] = text[i] == '\n' || text[i] == '\r' ? ' ' : text[i];
	memcpy(line + head + len, after, tail);
	line[head + len + tail] = '\n';
	console_write(line, head + len + tail + 1);
	free(line);
}

static void print_status(int status, enum shell_mode mode)
{
	if (mode == SHELL_SCRIPT)
		kprintf("[status %d]\n", abs(status));
	else if (mode == SHELL_INTERACTIVE && status)
		kprintf("[status %d] %s: %s%s\n", abs(status), errno_name(status),
			errno_text(status), book_has_more() ? " (`why` says more)" : "");
}

/* In the foreground. A signal meant for an earlier command, or come too late, must not end this
 * one. */
static int run_here(const struct shell_words *w, enum shell_mode mode)
{
	const struct shell_command *command;
	bool tells, counts;
	int status;

	if (mode == SHELL_QUIET)
		return shell_run_argv(w->argc, (char **)w->argv);
	signal_clear();
	input_set_foreground(current_thread());
	command = shell_find(w->argv[0]);
	tells = mode == SHELL_INTERACTIVE && command && !command->batch;
	counts = mode == SHELL_INTERACTIVE && command && command->batch;
	if (tells)
		waiting_begin(w->text, w->text_len);
	if (counts)
		pieces_begin();
	status = shell_run_argv(w->argc, (char **)w->argv);
	if (tells)
		waiting_end();
	pieces_end();
	input_set_foreground(NULL);
	signal_clear();
	return status;
}

static int run_one(const struct shell_words *w, enum shell_mode mode)
{
	int status;

	if (mode == SHELL_SCRIPT)
		shell_print_line("> ", w->text, w->text_len, w->background ? " &" : "");
	status = w->background ? job_start(w->text, w->text_len) : run_here(w, mode);
	print_status(status, mode);
	if (mode == SHELL_SCRIPT && !shell_script_status)
		shell_script_status = status;
	if (mode != SHELL_QUIET)
		jobs_report();
	return status;
}

static int run_parsed(const char *text, size_t len, char *buf, enum shell_mode mode)
{
	struct shell_words w;
	int first = 0, status;
	char why[200];
	size_t pos = 0;

	status = shell_parse_check(text, len, buf, why, sizeof(why));
	if (status < 0) {
		if (mode == SHELL_SCRIPT)
			shell_print_line("> ", text, len, "");
		shell_fail(status, "%s; nothing was run", why);
		print_status(status, mode);
		return status;
	}
	while (!shell_script_end &&
	       shell_parse_next(text, len, &pos, buf, &w, why, sizeof(why)) > 0) {
		status = run_one(&w, mode);
		first = first ? first : status;
		if (status == -EINTR && mode == SHELL_INTERACTIVE)
			break; /* Ctrl-C means the whole line */
	}
	if (shell_script_end && shell_parse_next(text, len, &pos, buf, &w, why, sizeof(why)) > 0)
		shell_print_line("power-off: not run: ", w.text, len - (size_t)(w.text - text), "");
	return first;
}

int shell_run_text(const char *text, size_t len, enum shell_mode mode)
{
	char *buf = malloc(len + 1);
	int status;

	if (!buf)
		return shell_fail(-ENOMEM, "no memory for a line of %zu bytes", len);
	status = run_parsed(text, len, buf, mode);
	free(buf);
	return status;
}

int shell_run_line(const char *line)
{
	return shell_run_text(line, strlen(line), SHELL_QUIET);
}
