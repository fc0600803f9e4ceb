/* SPDX-License-Identifier: MIT */
/* Text from outside, made harmless (console.h). Pure code: the console and the host's tests call
 * it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "kernel/console/console.h"

/* Bytes of a UTF-8 sequence by its first byte; 0: that byte begins none. */
static size_t sequence_length(unsigned char c)
{
	return c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;
}

/* Code points that act on the terminal or on the order of what is shown. */
static bool acts(uint32_t point)
{
	return point < 0xa0 || (point >= 0x2028 && point <= 0x202e) ||
	       (point >= 0x2066 && point <= 0x2069) || point == 0xfeff;
}

/* A sequence of n bytes that all are there; false: too long a form, a surrogate, or out of range.
 */
static bool well_formed(const char *s, size_t n)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	uint32_t point = (unsigned char)s[0] & (0x7f >> n);

	for (size_t i = 1; i < n; i++) {
		if (((unsigned char)s[i] & 0xc0) != 0x80)
			return false;
		point = point << 6 | ((unsigned char)s[i] & 0x3f);
	}
	return point >= smallest[n] && point < 0x110000 && (point < 0xd800 || point > 0xdfff) &&
	       !acts(point);
}

size_t text_plain(const char *s, size_t len)
{
	unsigned char c = len ? (unsigned char)*s : 0;
	size_t n;

	if (c < 0x80)
		return c >= 0x20 && c != 0x7f;
	n = sequence_length(c);
	return n && n <= len && well_formed(s, n) ? n : 0;
}

/* The escaped form of one byte, terminated; returns its length. */
static size_t text_unit(char out[TEXT_UNIT], char byte)
{
	static const char named[] = "\a\b\t\n\v\f\r\\", letters[] = "abtnvfr\\";
	const char *at = byte ? strchr(named, byte) : NULL;

	if (at)
		return (size_t)snprintf(out, TEXT_UNIT, "\\%c", letters[at - named]);
	return (size_t)snprintf(out, TEXT_UNIT, "\\x%02x", (unsigned char)byte);
}

static size_t count_lines(const char *s, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += s[i] == '\n';
	return n;
}

struct text_lines text_own_lines(const char *fmt, const char *out, size_t len, bool cut)
{
	size_t flen = strlen(fmt);
	struct text_lines own = {0};

	while (own.lead < len && fmt[own.lead] == '\n')
		own.lead++;
	while (!cut && own.trail < len - own.lead && own.trail < flen &&
	       fmt[flen - 1 - own.trail] == '\n')
		own.trail++;
	own.inner = !cut && count_lines(fmt, flen) == count_lines(out, len);
	return own;
}

void text_render(const char *s, size_t len, const struct text_lines *lines,
		 void (*put)(void *arg, char c), void *arg)
{
	char escaped[TEXT_UNIT];
	size_t n;

	for (size_t i = 0; i < len; i += n) {
		bool real = s[i] == '\n' &&
			    (lines->inner || i < lines->lead || i >= len - lines->trail);

		n = real ? 1 : text_plain(s + i, len - i);
		for (size_t k = 0; k < n; k++)
			put(arg, s[i + k]);
		if (n)
			continue;
		n = text_unit(escaped, s[i]);
		for (size_t k = 0; k < n; k++)
			put(arg, escaped[k]);
		n = 1;
	}
}

const char *text_escape(char *buf, size_t size, const char *s)
{
	size_t len = strlen(s), at = 0, n;
	char unit[TEXT_UNIT];

	for (; len; s += n, len -= n) {
		const char *from = s;
		size_t wide = n = *s == '\\' ? 0 : text_plain(s, len);

		if (!n) {
			wide = text_unit(unit, *s);
			from = unit;
			n = 1;
		}
		if (at + wide >= size)
			break;
		memcpy(buf + at, from, wide);
		at += wide;
	}
	buf[at] = '\0';
	return buf;
}

bool text_forges(const char *s, size_t len)
{
	static const char *const own[] = {
		"> ",	 "[status", "[job",    "ok ",	"not ok ",  "1..",	  "KTAP",     "# ",
		"race ", "{",	    "TIMEOUT", "PANIC", "warning:", "power-off:", "holdfast>"};

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (len >= strlen(own[i]) && !memcmp(s, own[i], strlen(own[i])))
			return true;
	return false;
}

const char *text_size(uint64_t bytes, char buf[TEXT_SIZE])
{
	static const char *const unit[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	unsigned u = 0;

	while (u < 4 && bytes && !(bytes & 1023)) {
		bytes >>= 10;
		u++;
	}
	snprintf(buf, TEXT_SIZE, "%" PRIu64 " %s", bytes, unit[u]);
	return buf;
}
