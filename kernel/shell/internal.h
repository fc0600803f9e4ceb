/* SPDX-License-Identifier: MIT */
/* What the parts of the shell share with each other and with nobody else. */
#ifndef KERNEL_SHELL_INTERNAL_H
#define KERNEL_SHELL_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/shell/shell.h"

/* Also read on the host: what the kernel has is only named here. */
struct mutex;
struct shell_command;
struct thread;

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

/* Asks the person at the prompt: a line into buf[0, n), terminated. -EINTR: Ctrl-C or Ctrl-D.
 * -ENOTTY: a list of commands or a job, and nobody is there. */
int shell_ask(const char *prompt, char *buf, size_t n);

/* ---- book.c */

/* A command has printed a refusal: its sentence, and the code that printed it. */
void book_note(const char *command, const char *text, uintptr_t from);
/* Was one printed since the last call, and is it of a chapter? */
bool book_has_more(void);

/* ---- shell_poweroff.c */
/* Runs what shell_at_poweroff() collected, last first. Stops at the first refusal unless `force`;
 * value: how many refused, each named. */
int poweroff_prepare(bool force);

/* ---- shell_input.c: the console's bytes */
void input_start(void);
int input_byte(void); /* next byte, or -1: none yet */
bool input_ready(void);
/* While a thread is in the foreground, Ctrl-C signals it instead of being input. NULL: none is. */
void input_set_foreground(struct thread *t);
/* ---- shell_waiting.c: the current thread runs this command at the prompt, until waiting_end(),
 * which may come more than once, and without a beginning. */
void waiting_begin(const char *text, size_t len);
void waiting_end(void);
/* The current thread runs a batch at the prompt, until pieces_end(). In between, pieces_done() says
 * now and then how many of its pieces are done; it says nothing of a batch elsewhere. */
void pieces_begin(void);
void pieces_done(unsigned done, unsigned of);
void pieces_end(void);

/*
 * The words of a command line. Pure code: no kernel service, also tested on the host.
 *
 * A line is commands separated by ';', a newline or '&' (which also sends the command before it to
 * the background). Words are separated by blanks and quoted as in sh: '…' takes everything, "…" all
 * but \" \\ \$ \`, a backslash outside quotes takes the next byte. Nothing is expanded: no
 * variables, no patterns, so `*` needs no quoting.
 */

#define SHELL_MAX_ARGS 32 /* words of one command, its name included */

struct shell_words {
	const char *text; /* the command as it was typed, inside the line; not terminated */
	size_t text_len;  /* without blanks around it and without its '&' */
	bool background;
	int argc;
	char *argv[SHELL_MAX_ARGS + 1]; /* into the caller's buffer; argv[argc] is NULL */
};

/*
 * Takes the next command of line[0, len) from *pos on. `buf` receives the words and must have room
 * for len + 1 bytes. 1: `w` holds a command, *pos is behind it. 0: the line is at its end. -EINVAL:
 * a sentence with the column (counted from 1) is in why[0, n); *pos is unchanged.
 */
int shell_parse_next(const char *line, size_t len, size_t *pos, char *buf, struct shell_words *w,
		     char *why, size_t n);

/* Checks a whole line before anything of it runs: number of commands, or -EINVAL and a sentence.
 * `buf` as above. */
int shell_parse_check(const char *line, size_t len, char *buf, char *why, size_t n);

/* Where the cursor at `pos` stands, for completion: the start of its command and of its word, the
 * word's number (0: the command's name), and the quote that is open there. */
struct shell_context {
	size_t command, word;
	int argno;
	char quote; /* 0: none */
};
struct shell_context shell_context_at(const char *line, size_t pos);
/* What line[word, pos), a word that may not be at its end yet, stands for so far; `out` needs room
 * for pos - word + 1 bytes. False: its last byte is a backslash, which waits for another one. */
bool shell_word_typed(const char *line, size_t word, size_t pos, char *out);
/* Writes `text` so that it stands for itself behind an open `quote` (0: none), terminated. `out`
 * needs room for 4 * strlen(text) + 1 bytes. Returns its length. */
size_t shell_word_quote(const char *text, char quote, char *out);

/*
 * A number that explains itself: decimal or 0x…, then optionally K, M, G or T (powers of 1024). 0
 * and *out, or -EINVAL and a sentence that starts with `what`.
 */
int number_parse(const char *what, const char *text, uint64_t *out, char *why, size_t n);

/*
 * Edits that turn `word` into something `text` stands for: insert, delete, replace, swap
 * neighbours, 1 each; letter case costs nothing. With `wild`, '*' in text stands for anything and
 * '?' for one byte. UINT_MAX when either is longer than 64 bytes.
 */
unsigned edit_distance(const char *text, const char *word, bool wild);

/*
 * The line editor: a state machine fed one byte at a time. Pure code: it knows no console, so that
 * the host can feed it random bytes and check with a small terminal what the screen shows.
 *
 * The line stays on one row of a terminal with SHELL_COLUMNS columns, whatever its length: what
 * does not fit scrolls sideways. Text is UTF-8; one code point is taken for one column.
 */

#define SHELL_HISTORY	64 /* lines remembered */
#define SHELL_COLUMNS	80
#define SHELL_WORD_MAX	255  /* bytes of one completion candidate; longer ones are not offered */
#define SHELL_MAX_OFFER 1000 /* candidates looked at for one TAB */

/* Lines typed before, oldest first; zeroed means empty. The lines are malloc'ed copies. */
struct shell_history {
	char *line[SHELL_HISTORY];
	unsigned count;
};
/* Remembers a line, but not a blank one and not the same one twice in a row. The oldest goes when
 * all places are taken. Without memory the line is not remembered, which harms nobody. */
void shell_history_add(struct shell_history *h, const char *line);
void shell_history_clear(struct shell_history *h);

struct shell_edit_ops {
	void (*out)(void *arg, const char *s, size_t n); /* '\n' starts a new row */
	/*
	 * What could stand at the cursor: candidate number n (from 0 on) for line[0, pos), or NULL
	 * after the last. Sets *typed to how many bytes of each candidate, unquoted, are in the
	 * line already. The text is good until the next call.
	 */
	const char *(*candidate)(void *arg, const char *line, size_t pos, size_t *typed,
				 unsigned n);
	void *arg;
};

enum shell_edit_event {
	EDIT_MORE,   /* nothing yet */
	EDIT_LINE,   /* Enter: `line` holds the text, until shell_edit_start() */
	EDIT_CANCEL, /* Ctrl-C: the line was dropped */
	EDIT_EOF,    /* Ctrl-D on an empty line */
};

enum shell_edit_escape { ESC_NONE, ESC_SEEN, ESC_CSI, ESC_SS3 };

struct shell_edit {
	const struct shell_edit_ops *ops;
	const char *prompt; /* plain ASCII, shorter than half a row */
	struct shell_history *history;

	char line[SHELL_LINE_MAX + 1]; /* always terminated */
	size_t len, pos;	       /* pos: the cursor, before line[pos] */
	size_t first;		       /* first byte shown; zero means not scrolled */

	unsigned walk;			/* lines back in history; zero means the line being typed */
	char draft[SHELL_LINE_MAX + 1]; /* that line, while history is shown */

	enum shell_edit_escape escape; /* what part of an escape sequence has been read */
	unsigned escape_len, param;    /* bytes of it so far, its first number */
	bool param_done;	       /* a ';' ended the first number */
	bool after_cr;		       /* a '\n' now belongs to the '\r' before */

	char pending[256]; /* output not handed over yet */
	size_t nr_pending;
};

void shell_edit_init(struct shell_edit *e, const struct shell_edit_ops *ops, const char *prompt,
		     struct shell_history *h);
/* Empties the line and shows the prompt. */
void shell_edit_start(struct shell_edit *e);
/* Takes one byte of input. */
enum shell_edit_event shell_edit_byte(struct shell_edit *e, unsigned char c);
/* Clears the row, so that something else can be printed on it; and draws it again. */
void shell_edit_hide(struct shell_edit *e);
void shell_edit_show(struct shell_edit *e);

/* What the two halves of the line editor share: shell_edit.c and shell_complete.c. */

void edit_put(struct shell_edit *e, const char *s, size_t n);
void edit_bell(struct shell_edit *e);
/* Puts n bytes at the cursor; false, after a bell and without a change: the line would be too long.
 */
bool edit_insert(struct shell_edit *e, const char *s, size_t n);
/* TAB. */
void edit_complete(struct shell_edit *e);

/*
 * What a usage line allows at the next word: TAB reads the same text that `help` prints, so the two
 * cannot differ. Pure code, tested on the host.
 *
 *	mount [DEV PATH [lifetime=L] [era=E]]	in brackets: may be left out
 *	dma PIN|MAPPING[+OFF] in|out		one of these words
 *	museum NAME [on|off] | all off		one of these rows of words
 *	help [COMMAND ...]			once more
 *
 * A word in capitals is a kind of word (what it can be, shell_offer.c knows); behind KEY= or '%' it
 * is a part of one. Anything else stands for itself. Adjacent brackets that begin with a word which
 * stands for itself are options: any order.
 */

/* One possibility: key[0, key_len) and behind it text[0, len), all inside the usage line. */
struct shell_usage_word {
	const char *key; /* "lifetime=", "%"; key_len 0: none */
	size_t key_len;
	const char *text; /* "unbind"; of a kind its name alone: "FILE" for FILE2, "MAPPING" */
	size_t len;
	bool kind;
};

/*
 * Hands each possibility for the word behind argv[0, argc) to found(), in the usage's order; the
 * same one may come twice. argv[0] is the command's name. Words that the usage does not allow are
 * followed by nothing.
 */
void shell_usage_next(const char *usage, int argc, const char *const *argv,
		      void (*found)(void *arg, const struct shell_usage_word *w), void *arg);

/*
 * The first of the words argv[1, argc) that gives an option a second time, 0: none does. Options
 * are what the usage writes as KEY=, and single words in brackets of their own ([deaf]).
 */
int shell_usage_repeated(const char *usage, int argc, const char *const *argv);

#endif
