/* SPDX-License-Identifier: MIT */
/*
 * The lines typed before, oldest first. Pure code. The caller serialises: the prompt loop adds
 * lines under the lock that `history` takes for printing them.
 */
#include <stdlib.h>
#include <string.h>

#include "kernel/shell/internal.h"

static bool blank_line(const char *s)
{
	return s[strspn(s, " \t")] == '\0';
}

void shell_history_add(struct shell_history *h, const char *line)
{
	size_t size = strlen(line) + 1;
	char *copy;

	if (blank_line(line) || (h->count && !strcmp(h->line[h->count - 1], line)))
		return;
	copy = malloc(size);
	if (!copy)
		return;
	memcpy(copy, line, size);
	if (h->count == SHELL_HISTORY) {
		free(h->line[0]);
		memmove(&h->line[0], &h->line[1], sizeof(h->line) - sizeof(h->line[0]));
		h->count--;
	}
	h->line[h->count++] = copy;
}

void shell_history_clear(struct shell_history *h)
{
	while (h->count)
		free(h->line[--h->count]);
}
