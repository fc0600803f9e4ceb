/* SPDX-License-Identifier: MIT */
/*
 * Numbers as people type them: 4096, 0x1000, 4K. Every refusal is a sentence that says what would
 * pass. Pure code, also tested on the host.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kernel/shell/internal.h"

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 16;
}

/* Power of two that a suffix stands for; 0 for the end of the text, negative for anything else. */
static int suffix_shift(const char *s)
{
	static const char letters[] = "KkMmGgTt";
	const char *at;

	if (!*s)
		return 0;
	at = strchr(letters, *s);
	return at && !s[1] ? 10 * (1 + (int)(at - letters) / 2) : -1;
}

static int too_large(const char *what, const char *text, char *why, size_t n)
{
	snprintf(why, n, "%s '%.40s' does not fit in 64 bits (the largest is 0x%llx)", what, text,
		 (unsigned long long)UINT64_MAX);
	return -EINVAL;
}

static int malformed(const char *what, const char *text, char *why, size_t n)
{
	if (!*text)
		snprintf(why, n, "%s is empty: a number is needed, such as 4096, 0x1000 or 4K",
			 what);
	else if (*text == '-' && digit(text[1]) < 10)
		snprintf(why, n, "%s '%.40s' is negative: 0 or more is needed", what, text);
	else
		snprintf(why, n,
			 "%s '%.40s' is not a number: use decimal or 0x..., with an optional K, M, "
			 "G or T (4096 = 0x1000 = 4K)",
			 what, text);
	return -EINVAL;
}

int number_parse(const char *what, const char *text, uint64_t *out, char *why, size_t n)
{
	bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	uint64_t base = hex ? 16 : 10, v = 0;
	const char *first = text + (hex ? 2 : 0), *s = first;
	bool overflow = false;
	int shift;

	for (; (uint64_t)digit(*s) < base; s++) {
		uint64_t d = (uint64_t)digit(*s);

		overflow |= v > (UINT64_MAX - d) / base;
		v = v * base + d;
	}
	shift = suffix_shift(s);
	if (s == first || shift < 0)
		return malformed(what, text, why, n);
	if (overflow || v > UINT64_MAX >> shift)
		return too_large(what, text, why, n);
	*out = v << shift;
	return 0;
}
