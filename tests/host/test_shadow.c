/* SPDX-License-Identifier: MIT */
/*
 * The shadow memory of `make host-check`, beside a model that has a flag for each byte.
 *
 * That build takes minutes, and is not part of `make test`; what decides in it whether an access is
 * a mistake is these few functions, and they are.
 */
/* LINK: boot/host/check/shadow.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "boot/host/check/shadow.h"

#define BYTES 64u

uintptr_t shadow_offset;
static uint8_t shadow[BYTES / 8 + 2]; /* zero at the end: what lies behind is open */
static bool closed[BYTES];

static void reset(void)
{
	memset(shadow, 0, sizeof(shadow));
	memset(closed, 0, sizeof(closed));
	shadow_offset = (uintptr_t)shadow;
}

/* As the model has it: the first byte that may not be touched. */
static uintptr_t first_closed(unsigned at, unsigned n)
{
	for (; n-- > 0; at++)
		if (at < BYTES && closed[at])
			return at;
	return 0;
}

static void every_access_agrees(void)
{
	for (unsigned at = 8; at < BYTES; at++) /* a finding at 0 would look like none */
		for (unsigned n = 1; at + n <= BYTES; n++)
			assert_int_equal(shadow_bad(at, n), first_closed(at, n));
}

static void test_closed_to_the_byte(void **state)
{
	(void)state;
	for (unsigned from = 8; from < 40; from++) {
		for (unsigned to = 8 * (from / 8 + 1); to <= 48; to += 8) {
			reset();
			shadow_close(from, to - from, SHADOW_RED);
			memset(closed + from, true, to - from);
			every_access_agrees();
			if (to > (from + 7) / 8 * 8)
				assert_int_equal(shadow_why(from), SHADOW_RED);
		}
	}
}

static void test_opened_to_the_byte(void **state)
{
	(void)state;
	for (unsigned from = 8; from < 40; from += 8) {
		for (unsigned n = 0; from + n <= 48; n++) {
			reset();
			shadow_close(8, 48, SHADOW_FREED);
			memset(closed + 8, true, 48);
			shadow_open(from, n);
			memset(closed + from, false, n);
			every_access_agrees();
		}
	}
}

/* A block of each size as the heap makes it, and as it is freed. */
static void test_life_of_a_block(void **state)
{
	(void)state;
	for (unsigned n = 1; n <= 24; n++) {
		reset();
		shadow_close(8, 8, SHADOW_RED);
		shadow_open(16, n);
		shadow_close(16 + n, (n + 7) / 8 * 8 - n + 8, SHADOW_RED);
		memset(closed + 8, true, 8);
		memset(closed + 16 + n, true, (n + 7) / 8 * 8 - n + 8);
		every_access_agrees();
		assert_int_equal(shadow_why(16 + n), SHADOW_RED);
		shadow_close(16, (n + 7) / 8 * 8, SHADOW_FREED);
		memset(closed + 16, true, n);
		every_access_agrees();
		assert_int_equal(shadow_why(16), SHADOW_FREED);
	}
}

/* What was open in part does not get opened further by closing less of it. */
static void test_closing_opens_nothing(void **state)
{
	(void)state;
	reset();
	shadow_close(19, 5, SHADOW_RED);
	shadow_close(21, 3, SHADOW_FREED);
	memset(closed + 19, true, 5);
	every_access_agrees();
	shadow_close(16, 8, SHADOW_FREED);
	shadow_close(18, 6, SHADOW_RED);
	memset(closed + 16, true, 8);
	every_access_agrees();
}

/* No shadow is looked at where none can be. */
static void test_no_such_address(void **state)
{
	(void)state;
	assert_int_equal(shadow_bad(SHADOW_LIMIT, 8), 0);
	assert_int_equal(shadow_bad(UINTPTR_MAX - 3, 8), 0);
	assert_int_equal(shadow_bad(UINTPTR_MAX / 2 + 9, 1), 0);
}

static void test_every_reason_has_words(void **state)
{
	static const uint8_t whys[] = {
		SHADOW_STACK_LEFT, SHADOW_STACK_MIDDLE, SHADOW_STACK_RIGHT, SHADOW_SCOPE,
		SHADOW_GLOBAL,	   SHADOW_RED,		SHADOW_FREED,	    0xee};

	(void)state;
	for (unsigned i = 0; i < sizeof(whys); i++)
		for (unsigned k = 0; k < i; k++)
			assert_string_not_equal(shadow_text(whys[i]), shadow_text(whys[k]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_closed_to_the_byte),
		cmocka_unit_test(test_opened_to_the_byte),
		cmocka_unit_test(test_life_of_a_block),
		cmocka_unit_test(test_closing_opens_nothing),
		cmocka_unit_test(test_no_such_address),
		cmocka_unit_test(test_every_reason_has_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
