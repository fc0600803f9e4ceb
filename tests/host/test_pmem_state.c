/* SPDX-License-Identifier: MIT */
/* The states of a region: the table is the one that the header teaches, and a step that is not in
 * it is caught. */
/* LINK: drivers/pmem/state.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "drivers/drivers.h"

/* ---- a failed assertion comes back ---- */

static jmp_buf caught;
static bool expected;
static char said[200];

void assert_failed(const char *file, int line, const char *cond, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(said, sizeof(said), fmt, ap);
	va_end(ap);
	if (expected)
		longjmp(caught, 1);
	fprintf(stderr, "%s:%d: %s: %s\n", file, line, cond, said);
	abort();
}

static bool is_caught(struct pmem_region *r, enum pmem_state to)
{
	expected = true;
	if (setjmp(caught)) {
		expected = false;
		return true;
	}
	pmem_step(r, to);
	expected = false;
	return false;
}

/* ---- the table ---- */

/* Row: from; column: to. As the header's table has it, written once more. */
static const char *const moves[PMEM_STATES] = {
	/* GONE … PINS_GONE */
	".x.....", /* GONE */
	"x.xx...", /* COMING */
	"...xx..", /* PRESENT */
	"..x.x..", /* KILLED */
	"..xx.x.", /* LEAVING */
	"......x", /* UNMAPPED */
	"xx.....", /* PINS_GONE */
};

#define FOR_EACH_MOVE(from, to)                                                                    \
	for (enum pmem_state from = 0; from < PMEM_STATES; from++)                                 \
		for (enum pmem_state to = 0; to < PMEM_STATES; to++)

static bool legal(enum pmem_state from, enum pmem_state to)
{
	return moves[from][to] == 'x';
}

static void test_table(void **unused)
{
	(void)unused;
	FOR_EACH_MOVE(from, to)
	assert_int_equal(pmem_may_step(from, to), legal(from, to));
	assert_false(pmem_may_step(PMEM_GONE, PMEM_STATES));
	assert_false(pmem_may_step(PMEM_STATES, PMEM_GONE));
}

/* From everywhere to everywhere: nothing is stuck. What was unmapped does not come back. */
static void test_paths(void **unused)
{
	bool reach[PMEM_STATES][PMEM_STATES] = {{false}};

	(void)unused;
	FOR_EACH_MOVE(from, to)
	reach[from][to] = pmem_may_step(from, to);
	for (unsigned by = 0; by < PMEM_STATES; by++)
		FOR_EACH_MOVE(from, to)
	reach[from][to] |= reach[from][by] && reach[by][to];
	FOR_EACH_MOVE(from, to)
	assert_true(reach[from][to]);
	assert_false(pmem_may_step(PMEM_UNMAPPED, PMEM_PRESENT));
	assert_false(pmem_may_step(PMEM_UNMAPPED, PMEM_KILLED));
}

static void test_words(void **unused)
{
	(void)unused;
	FOR_EACH_MOVE(a, b)
	assert_true(a == b || (strcmp(pmem_state_name(a), pmem_state_name(b)) &&
			       strcmp(pmem_state_text(a), pmem_state_text(b))));
}

/* ---- the steps ---- */

static void test_steps(void **unused)
{
	(void)unused;
	FOR_EACH_MOVE(from, to)
	{
		struct pmem_region r = {.name = "pmem7", .state = from};
		const uint64_t bit = 1ull << (from * PMEM_STATES + to);

		pmem_moves_seen = 0;
		if (!legal(from, to)) {
			assert_true(is_caught(&r, to));
			assert_non_null(strstr(said, "pmem7"));
			assert_non_null(strstr(said, pmem_state_name(from)));
			assert_non_null(strstr(said, pmem_state_name(to)));
			assert_int_equal(r.state, from);
			assert_int_equal(pmem_moves_seen, 0);
			continue;
		}
		pmem_step(&r, to);
		assert_int_equal(r.state, to);
		assert_int_equal(pmem_moves_seen, bit);
	}
}

/* From a settled state only, and never what the table forbids; the state that was seen is told. */
static void test_tries(void **unused)
{
	(void)unused;
	FOR_EACH_MOVE(from, to)
	{
		struct pmem_region r = {.name = "pmem7", .state = from};
		enum pmem_state seen = PMEM_STATES;
		const bool is_settled =
			from == PMEM_GONE || from == PMEM_PRESENT || from == PMEM_KILLED;
		const bool may = is_settled && legal(from, to);

		assert_int_equal(pmem_try_step(&r, to, &seen), may);
		assert_int_equal(seen, from);
		assert_int_equal(r.state, may ? to : from);
	}
}

static void test_questions(void **unused)
{
	const char *const present = "..x....", *const there = "..xxx..";

	(void)unused;
	for (enum pmem_state s = 0; s < PMEM_STATES; s++) {
		struct pmem_region r = {.state = s};

		assert_int_equal(pmem_is_present(&r), present[s] == 'x');
		assert_int_equal(pmem_is_there(&r), there[s] == 'x');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table), cmocka_unit_test(test_paths),
		cmocka_unit_test(test_words), cmocka_unit_test(test_steps),
		cmocka_unit_test(test_tries), cmocka_unit_test(test_questions),
	};

	return cmocka_run_group_tests_name("pmem states", tests, NULL, NULL);
}
