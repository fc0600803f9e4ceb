/* SPDX-License-Identifier: MIT */
/*
 * A host test with an argument plays the one case of that name (or pattern, with * and ?):
 *
 *     build/host/test_nfit_ranges spa_wraps
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

static void __attribute__((constructor)) one_case(int argc, char **argv)
{
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
}
