/* SPDX-License-Identifier: MIT */
/*
 * Lines of KTAP (internal.h). A result must stay one line in column 1 whatever text a test
 * supplies, and a comment must never look like a result, so line ends inside texts are dealt with
 * here, once.
 */
#include <stdio.h>
#include <string.h>

#include "kernel/selftest/internal.h"

void ktap_plan(char *buf, size_t n, unsigned tests)
{
	snprintf(buf, n, "KTAP version 1\n1..%u\n", tests);
}

/* Makes buf[0, n) one line: blanks for line ends, and a line end where the text stops. */
static void one_line(char *buf, size_t n)
{
	size_t len = strlen(buf);

	for (size_t i = 0; i < len; i++)
		if (buf[i] == '\n' || buf[i] == '\r')
			buf[i] = ' ';
	if (len + 1 >= n)
		len = n - 2;
	buf[len] = '\n';
	buf[len + 1] = '\0';
}

void ktap_line(char *buf, size_t n, unsigned number, const char *name, enum ktap_result r,
	       const char *reason)
{
	snprintf(buf, n, "%sok %u %s%s%s", r == KTAP_NOT_OK ? "not " : "", number, name,
		 r == KTAP_SKIP ? " # SKIP " : "", r == KTAP_SKIP ? reason : "");
	one_line(buf, n);
}

void ktap_comment(char *buf, size_t n, const char *text)
{
	size_t at = 0;

	while (*text && at + 4 < n) {
		size_t len = strcspn(text, "\n"), fits = n - at - 4;

		len = len < fits ? len : fits;
		memcpy(buf + at, "# ", 2);
		memcpy(buf + at + 2, text, len);
		at += 2 + len;
		buf[at++] = '\n';
		text += len;
		text += strcspn(text, "\n");
		text += *text == '\n';
	}
	buf[at] = '\0';
}
