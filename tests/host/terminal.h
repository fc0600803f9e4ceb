/* SPDX-License-Identifier: MIT */
/*
 * A small terminal: one row of 80 code points, moved by the few escape sequences that the line
 * editor sends. Anything else that arrives fails the test.
 */
#ifndef TESTS_HOST_TERMINAL_H
#define TESTS_HOST_TERMINAL_H

#include <stddef.h>

#include "kernel/shell/internal.h"

/* What scrolled away is only counted. */
struct terminal {
	char row[SHELL_COLUMNS][5];
	unsigned column, rows, bells, screens;
	char escape[16];
	size_t nr_escape;
};
extern struct terminal term;

#define LOG_MAX 65536
extern char log_text[LOG_MAX]; /* every byte that arrived, up to that many less one */

void term_reset(void);				   /* empty row, counters and log */
void term_out(void *arg, const char *s, size_t n); /* an editor's output function */
const char *row_text(void);			   /* until the next call */

#endif
