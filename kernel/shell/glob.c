/* SPDX-License-Identifier: MIT */
/*
 * Shell patterns: '*', '?', [abc], [a-z], [!a-z]. Pure code, also tested on the host.
 *
 * One star is remembered at a time. When the rest does not fit, that star takes one byte more and
 * the rest is tried again; an earlier star never needs to be reconsidered, since whatever it could
 * take more of, the later one can take instead. So the cost is at most pattern times text, without
 * recursion: a hostile pattern cannot use up the stack.
 */
#include <stddef.h>

#include "kernel/shell/shell.h"

/* Matches one byte against the set after '['; *p is moved behind ']'. An unclosed '[' is itself. */
static bool match_set(const char **p, char c)
{
	const char *s = *p + 1;
	bool negate = *s == '!', found = false;
	const char *first = s + negate;

	for (s = first; *s && (*s != ']' || s == first); s++) {
		bool range = s[1] == '-' && s[2] && s[2] != ']';
		unsigned char lo = (unsigned char)s[0], hi = (unsigned char)(range ? s[2] : s[0]);

		found |= (unsigned char)c >= lo && (unsigned char)c <= hi;
		s += range ? 2 : 0;
	}
	if (*s != ']') {
		bool same = **p == c;

		++*p;
		return same;
	}
	*p = s + 1;
	return found != negate;
}

/* Matches one byte of text against one pattern element that is no star; moves *p behind it. */
static bool match_one(const char **p, char c)
{
	char want = **p;

	if (want == '[')
		return match_set(p, c);
	if (want)
		++*p;
	return want == '?' || (want && want == c);
}

bool glob_match(const char *pattern, const char *text)
{
	const char *star = NULL, *retry = NULL;

	while (*text) {
		if (*pattern == '*') {
			star = ++pattern;
			retry = text;
			continue;
		}
		if (match_one(&pattern, *text)) {
			text++;
			continue;
		}
		if (!star)
			return false;
		pattern = star;
		text = ++retry;
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}
