/* SPDX-License-Identifier: MIT */
/*
 * Where boot ends: the prompt, or a list of commands from outside.
 *
 * A list comes from firmware (opt/holdfast/cmd) and is for scripts: each command stands between a
 * line "> command" and a line "[status N]", a failing one does not stop the next, and the machine
 * ends with a verdict: every boot stage did its work, everything had status 0, every job came to
 * its end, everything could be unmounted. The prompt is for people: no status when all is well, and
 * Ctrl-C.
 */
#include "kernel/kernel.h"
#include "kernel/shell/internal.h"

#define SCRIPT_FILE   "opt/holdfast/cmd"
#define JOBS_GRACE_NS 10000000000ull /* how long jobs may go on after the last command */

struct shell_history shell_history;
struct mutex shell_history_lock = MUTEX_INIT("shell history");
bool shell_in_script, shell_script_end;
int shell_script_status;
static struct shell_edit editor, asker;

/* ---- a list of commands */

static void script_finish(int status)
{
	unsigned waiting = jobs_drain(JOBS_GRACE_NS);

	if (waiting) {
		kprintf("power-off: %u job%s not ended:\n", waiting,
			waiting == 1 ? " has" : "s have");
		jobs_name_running();
	}
	if (boot_stages_failed())
		kprintf("power-off: %u boot stage%s failed, so this run fails: see the warnings "
			"above\n",
			boot_stages_failed(), boot_stages_failed() == 1 ? "" : "s");
	if (poweroff_prepare(true) || waiting || status || jobs_failed || boot_stages_failed())
		machine_exit(EXIT_FAILED);
	machine_exit(EXIT_OK);
}

static void run_script(char *text, size_t len)
{
	while (len && text[len - 1] == '\0') /* some tools hand over the terminator as well */
		len--;
	shell_in_script = true;
	script_finish(shell_run_text(text, len, SHELL_SCRIPT));
}

/* Returns only when there is no list. */
static void try_script(void)
{
	char *text = NULL;
	size_t len = 0;
	int err = fwcfg_read(SCRIPT_FILE, SHELL_SCRIPT_MAX, &text, &len);

	if (err == -ENOENT || err == -ENODEV)
		return;
	if (!err)
		run_script(text, len);
	shell_fail(err, "%s has %zu bytes, %lu are allowed (%s)", SCRIPT_FILE, len,
		   SHELL_SCRIPT_MAX, errno_name(err));
	kprintf("[status %d]\n", abs(err));
	machine_exit(EXIT_FAILED);
}

/* ---- the prompt */

static void edit_out(void *arg, const char *s, size_t n)
{
	(void)arg;
	console_keys(s, n);
}

static const struct shell_edit_ops edit_ops = {edit_out, shell_candidate, NULL};

/* Next byte of input; lines about jobs that end meanwhile are printed above the prompt. */
static unsigned char prompt_byte(struct shell_edit *e)
{
	int c;

	while ((c = input_byte()) < 0) {
		wait_event(&shell_events, input_ready() || anything_to_report(), "a key",
			   "the console reader, or a job or transfer that ends");
		if (!anything_to_report())
			continue;
		shell_edit_hide(e);
		jobs_report();
		shell_edit_show(e);
	}
	return (unsigned char)c;
}

static void run_typed(void)
{
	mutex_lock(&shell_history_lock);
	shell_history_add(&shell_history, editor.line);
	mutex_unlock(&shell_history_lock);
	shell_run_text(editor.line, editor.len, SHELL_INTERACTIVE);
}

static enum shell_edit_event edit_line(struct shell_edit *e)
{
	enum shell_edit_event event;

	shell_edit_start(e);
	do {
		event = shell_edit_byte(e, prompt_byte(e));
	} while (event == EDIT_MORE);
	return event;
}

static const char *no_candidate(void *arg, const char *line, size_t pos, size_t *typed, unsigned n)
{
	(void)arg, (void)line, (void)pos, (void)typed, (void)n;
	return NULL;
}

/* A command asks: Ctrl-C drops the line then, and does not signal the thread that reads it. */
int shell_ask(const char *prompt, char *buf, size_t n)
{
	static const struct shell_edit_ops ops = {edit_out, no_candidate, NULL};
	static struct shell_history none;
	enum shell_edit_event event;

	if (shell_in_script || in_job())
		return -ENOTTY;
	waiting_end(); /* who asks is not silent */
	input_set_foreground(NULL);
	shell_edit_init(&asker, &ops, prompt, &none);
	event = edit_line(&asker);
	input_set_foreground(current_thread());
	snprintf(buf, n, "%s", asker.line);
	return event == EDIT_LINE ? 0 : -EINTR;
}

static void prompt_once(void)
{
	enum shell_edit_event event;

	jobs_report();
	event = edit_line(&editor);
	if (event == EDIT_LINE)
		run_typed();
	else if (event == EDIT_EOF)
		kprintf("`poweroff` unmounts and turns the machine off\n");
}

void shell_main(void)
{
	try_script();
	input_start();
	shell_edit_init(&editor, &edit_ops, "holdfast> ", &shell_history);
	kprintf("\nHoldfast holds persistent memory. `help` lists the commands, `help NAME` "
		"explains one,\n"
		"TAB completes, a trailing '&' runs a command in the background, Ctrl-C interrupts "
		"one.\n\n");
	for (;;)
		prompt_once();
}
