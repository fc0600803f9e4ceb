/* SPDX-License-Identifier: MIT */
/*
 * The line editor: a state machine fed one byte at a time. Pure code: it knows no console, so that
 * the host can feed it random bytes and check with a small terminal what the screen shows.
 *
 * The line stays on one row of a terminal with SHELL_COLUMNS columns, whatever its length: what
 * does not fit scrolls sideways. Text is UTF-8; one code point is taken for one column.
 */
#ifndef KERNEL_SHELL_SHELL_EDIT_H
#define KERNEL_SHELL_SHELL_EDIT_H

#include <stdbool.h>
#include <stddef.h>

#define SHELL_LINE_MAX	1023 /* bytes of one line */
#define SHELL_HISTORY	64   /* lines remembered */
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

#endif
