/* SPDX-License-Identifier: MIT */
/* What stands for a byte in a JSON string is read back as that byte, and ends no string. */
/* LINK: tests/explore/json.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/explore/json.h"

/* As RFC 8259 reads it; -1: not what may stand in a string. */
static int read_back(const char *text)
{
	char *end;
	long n;

	if (text[0] == '\\' && text[1] == 'u' && strlen(text) == 6) {
		n = strtol(text + 2, &end, 16);
		return *end ? -1 : (int)n;
	}
	if (text[0] == '\\')
		return (text[1] == '"' || text[1] == '\\') && !text[2] ? text[1] : -1;
	return (unsigned char)text[0] >= ' ' && text[0] != '"' && !text[1] ? (unsigned char)text[0]
									   : -1;
}

static void every_byte_is_read_back(void **state)
{
	char buf[JSON_BYTE];

	(void)state;
	for (int c = 1; c < 256; c++) {
		assert_int_equal(read_back(json_byte((char)c, buf)), c);
		for (const char *p = buf; *p; p++)
			assert_in_range(*p, ' ', '~');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(every_byte_is_read_back)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
