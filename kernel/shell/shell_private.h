/* SPDX-License-Identifier: MIT */
/* What the parts of the shell share with each other and with nobody else. */
#ifndef KERNEL_SHELL_SHELL_PRIVATE_H
#define KERNEL_SHELL_SHELL_PRIVATE_H

#include "kernel/kernel.h"
#include "kernel/shell/shell_edit.h"
#include "kernel/shell/shell_parse.h"

#define SHELL_SCRIPT_MAX (64 * KIB) /* bytes of a command list from firmware */

/* How a line's commands are reported. */
enum shell_mode {
	SHELL_QUIET,	   /* not at all: the caller looks at the value */
	SHELL_INTERACTIVE, /* "[status N] NAME: text" when a command fails */
	SHELL_SCRIPT,	   /* "> command" before and "[status N]" after each one */
};

/* ---- shell.c: registry and running */

/* All commands in order of name; *n: how many. NULL: no memory. */
const struct shell_command *const *shell_commands(unsigned *n);
const char *const *shell_command_names(unsigned *n);
const struct shell_command *shell_find(const char *name);
/* Names the nearest command; -ENOENT. */
int shell_unknown_command(const char *name);
int shell_run_argv(int argc, char **argv);
/* Parses text[0, len), runs its commands; value: first failing status or 0. */
int shell_run_text(const char *text, size_t len, enum shell_mode mode);
/* Prints before + text[0, len) + after as one line; line ends inside the text become blanks. */
void shell_print_line(const char *before, const char *text, size_t len, const char *after);

/* ---- shell_offer.c: struct shell_edit_ops' candidates, for the prompt only */
const char *shell_candidate(void *arg, const char *line, size_t pos, size_t *typed, unsigned n);

/* ---- shell_jobs.c: commands in the background */

/* The shell's thread sleeps on this. Woken by: a job's end, an input byte. */
extern char shell_events;
/* Starts text[0, len), one command without its '&'. 0, or a negative errno after a sentence. */
int job_start(const char *text, size_t len);
/* Prints "[job N] done: …" for each job that ended since the last call and forgets it. Called
 * between commands and at the prompt, so that the line is never inside another one. */
void jobs_report(void);
bool jobs_finished(void);      /* is there a job to report? */
bool anything_to_report(void); /* … or something else that ended, shell_at_prompt() */
/* Jobs running, the caller's own not counted. Zero: nobody would be left behind by a power-off. */
unsigned jobs_running(void);
/* Reports jobs as they end, no longer than `ns`; returns how many still run. */
unsigned jobs_drain(uint64_t ns);
/* Says of each running job what it waits for. */
void jobs_name_running(void);
/* Jobs that ended with a status other than 0, since boot. Zero: all went well. */
extern unsigned jobs_failed;
bool in_job(void); /* does the caller run as a job? */

/* ---- shell_main.c */
extern struct shell_history shell_history; /* under shell_history_lock */
extern struct mutex shell_history_lock;
extern bool shell_in_script;	/* a command list from firmware is running */
extern bool shell_script_end;	/* set by `poweroff`: the list ends here */
extern int shell_script_status; /* first failing status of the list so far; zero: none failed */

/* ---- shell_poweroff.c */
/* Runs what shell_at_poweroff() collected, last first. Stops at the first refusal unless `force`;
 * value: how many refused, each named. */
int poweroff_prepare(bool force);
void machine_poweroff(void) __attribute__((noreturn));

/* ---- shell_input.c: the console's bytes */
void input_start(void);
int input_byte(void); /* next byte, or -1: none yet */
bool input_ready(void);
/* While a thread is in the foreground, Ctrl-C signals it instead of being input. NULL: none is. */
void input_set_foreground(struct thread *t);

#endif
