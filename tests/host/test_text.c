/* SPDX-License-Identifier: MIT */
/*
 * Text from outside on its way to the console: whatever bytes it has, no cursor moves, no line
 * ends, and no line of the machine's own can be forged. Sizes have one spelling.
 */
/* LINK: kernel/console/text.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/console/console.h"

static char shown[8192];
static size_t at;

static void put(void *arg, char c)
{
	(void)arg;
	shown[at++] = c;
	shown[at] = '\0';
}

/* What kprintf(fmt, …) shows in a buffer of `size` bytes. */
__attribute__((format(printf, 2, 3))) static const char *print(size_t size, const char *fmt, ...)
{
	struct text_lines own;
	char *out = malloc(size);
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(out, size, fmt, ap);
	va_end(ap);
	at = 0;
	if ((size_t)n >= size)
		own = text_own_lines(fmt, out, size - 1, true);
	else
		own = text_own_lines(fmt, out, (size_t)n, false);
	text_render(out, (size_t)n < size ? (size_t)n : size - 1, &own, put, NULL);
	free(out);
	return shown;
}

static void line_ends_are_the_formats(void **state)
{
	(void)state;
	assert_string_equal(print(99, "a %s\n", "b"), "a b\n");
	assert_string_equal(print(99, "a %s\n", "b\nok 1 x"), "a b\\nok 1 x\n");
	assert_string_equal(print(99, "a %s\n", "b\n"), "a b\\n\n");
	assert_string_equal(print(99, "\n\na %s\nb\n", "c"), "\n\na c\nb\n");
	assert_string_equal(print(99, "\na %s\nb %s\n", "x\n> y", "z"), "\na x\\n> y\\nb z\n");
	assert_string_equal(print(99, "%s", "x\n"), "x\\n");
	assert_string_equal(print(99, "\n%c\n", '\n'), "\n\\n\n");
	assert_string_equal(print(99, "\n%s", "\n\n"), "\n\\n\\n");
	assert_string_equal(print(99, "\n"), "\n");
	assert_string_equal(print(99, "\n\n\n"), "\n\n\n");
}

/* With the format's own end cut off, counting line ends would be right by chance. */
static void a_cut_text_has_no_line_ends(void **state)
{
	(void)state;
	assert_string_equal(print(10, "n %s\n", "a\nok 1 yyyy"), "n a\\nok 1 ");
	assert_string_equal(print(6, "%s\n\n", "a\n\nbcdef"), "a\\n\\nbc");
}

static void only_text_is_printed(void **state)
{
	(void)state;
	assert_string_equal(print(99, "%s", "\x1b[2J\r\a\b\t\x7f"), "\\x1b[2J\\r\\a\\b\\t\\x7f");
	assert_string_equal(print(99, "%s", "\\n \"'"), "\\n \"'");
	assert_string_equal(print(99, "%s", "ä€𝄞…"), "ä€𝄞…");
	/* Not well-formed: alone, cut, too long a form, a surrogate, beyond the last code point. */
	assert_string_equal(print(99, "%s", "\x80"), "\\x80");
	assert_string_equal(print(99, "%s", "\xe2\x82"), "\\xe2\\x82");
	assert_string_equal(print(99, "%s", "\xe2(\xa1"), "\\xe2(\\xa1");
	assert_string_equal(print(99, "%s", "\xc0\xaf"), "\\xc0\\xaf");
	assert_string_equal(print(99, "%s", "\xe0\x80\x8a"), "\\xe0\\x80\\x8a");
	assert_string_equal(print(99, "%s", "\xed\xa0\x80"), "\\xed\\xa0\\x80");
	assert_string_equal(print(99, "%s", "\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");
	assert_string_equal(print(99, "%s", "\xff\xfe"), "\\xff\\xfe");
	/* Well-formed, but the terminal would act: C1 control, new line, right to left. */
	assert_string_equal(print(99, "%s", "\xc2\x9b"), "\\xc2\\x9b");
	assert_string_equal(print(99, "%s", "\xe2\x80\xa8"), "\\xe2\\x80\\xa8");
	assert_string_equal(print(99, "%s", "\xe2\x80\xae"), "\\xe2\\x80\\xae");
}

/* Random bytes: the output is printable ASCII, UTF-8 that comes from the input, and one line. */
static void random_bytes_stay_one_line(void **state)
{
	char name[64];

	(void)state;
	srand(24);
	for (unsigned round = 0; round < 20000; round++) {
		size_t n = (size_t)rand() % 63;

		for (size_t i = 0; i < n; i++)
			name[i] = (char)(1 + rand() % (round % 2 ? 255 : 40));
		name[n] = '\0';
		print(round % 3 ? 300 : 40, "x %s y\n", name);
		for (size_t i = 0; i < at; i++)
			assert_true((unsigned char)shown[i] >= 0x20 || i == at - 1);
		for (size_t i = 0, k; i < at; i += k) {
			k = shown[i] == '\n' ? 1 : text_plain(shown + i, at - i);
			assert_true(k);
		}
	}
}

/* Escaped with backslashes doubled, two names never look the same. */
static void an_escaped_name_is_one_name(void **state)
{
	char a[40], b[40], tiny[5];

	(void)state;
	assert_string_equal(text_escape(a, sizeof(a), "a\nb\\n\x01ä"), "a\\nb\\\\n\\x01ä");
	assert_string_not_equal(text_escape(a, sizeof(a), "x\ny"),
				text_escape(b, sizeof(b), "x\\ny"));
	assert_string_equal(text_escape(tiny, sizeof(tiny), "abc\n"), "abc");
	assert_string_equal(text_escape(tiny, sizeof(tiny), "ab\n"), "ab\\n");
	assert_string_equal(text_escape(tiny, 1, "a"), "");
	assert_string_equal(text_escape(tiny, sizeof(tiny), ""), "");
}

static void lines_of_the_machine_are_known(void **state)
{
	static const char *const forged[] = {
		"> ls",		  "[status 0]",	  "[job 1] done",
		"ok 1 a.b",	  "not ok 1 a.b", "1..5",
		"KTAP version 1", "# SKIP",	  "race A-1 lifetime=x: safe",
		"{\"bench\":1}",  "TIMEOUT",	  "PANIC: x",
		"warning: x",	  "power-off: x", "holdfast> "};
	static const char *const honest[] = {"",   "okay", "o",	      "hello",
					     ">x", "1.",   "racecar", " ok 1"};

	(void)state;
	for (size_t i = 0; i < sizeof(forged) / sizeof(*forged); i++)
		assert_true(text_forges(forged[i], strlen(forged[i])));
	for (size_t i = 0; i < sizeof(honest) / sizeof(*honest); i++)
		assert_false(text_forges(honest[i], strlen(honest[i])));
}

static void sizes_have_one_spelling(void **state)
{
	(void)state;
	assert_string_equal(SIZE_TEXT(0), "0 B");
	assert_string_equal(SIZE_TEXT(100), "100 B");
	assert_string_equal(SIZE_TEXT(4096), "4 KiB");
	assert_string_equal(SIZE_TEXT(1023), "1023 B");
	assert_string_equal(SIZE_TEXT(1ull << 30), "1 GiB");
	assert_string_equal(SIZE_TEXT(1536ull << 20), "1536 MiB");
	assert_string_equal(SIZE_TEXT(4ull << 40), "4 TiB");
	assert_string_equal(SIZE_TEXT(4096ull << 40), "4096 TiB");
	assert_string_equal(SIZE_TEXT(UINT64_MAX), "18446744073709551615 B");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(line_ends_are_the_formats),
		cmocka_unit_test(a_cut_text_has_no_line_ends),
		cmocka_unit_test(only_text_is_printed),
		cmocka_unit_test(random_bytes_stay_one_line),
		cmocka_unit_test(an_escaped_name_is_one_name),
		cmocka_unit_test(lines_of_the_machine_are_known),
		cmocka_unit_test(sizes_have_one_spelling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
