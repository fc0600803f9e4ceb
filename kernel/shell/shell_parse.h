/* SPDX-License-Identifier: MIT */
/*
 * The words of a command line. Pure code: no kernel service, also tested on the host.
 *
 * A line is commands separated by ';', a newline or '&' (which also sends the command before it to
 * the background). Words are separated by blanks and quoted as in sh: '…' takes everything, "…" all
 * but \" \\ \$ \`, a backslash outside quotes takes the next byte. Nothing is expanded: no
 * variables, no patterns, so `*` needs no quoting.
 */
#ifndef KERNEL_SHELL_SHELL_PARSE_H
#define KERNEL_SHELL_SHELL_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

#endif
