/* SPDX-License-Identifier: MIT */
/*
 * The museum: bugs on purpose, each behind a run-time switch (`museum NAME on`).
 *
 * A test that has never been seen to fail proves nothing. Each exhibit breaks one rule of the code
 * in one place; `make test` turns it on and demands that a named test notices. All are off at boot.
 */
#ifndef KERNEL_SELFTEST_MUSEUM_H
#define KERNEL_SELFTEST_MUSEUM_H

#include <stdbool.h>
#include <stdint.h>

struct museum {
	const char *name, *what; /* what goes wrong, and the test that shows it */
	bool on;
};
/* Defines exhibit `ident`; test it with museum_on(ident) where the rule is broken. */
#define MUSEUM(ident, name, what)                                                                  \
	struct museum museum_##ident                                                               \
		__attribute__((used, section("hf_museum"), aligned(8))) = {name, what, false}
#define MUSEUM_DECLARE(ident) extern struct museum museum_##ident
#define museum_on(ident)      __builtin_expect(museum_##ident.on, 0)

struct museum *museum_find(const char *name); /* NULL: none */
struct museum *museum_at(unsigned n);	      /* NULL behind the last */
/* Which are on: bit n is exhibit n, the first 64. Zero: the code is as it should be. */
uint64_t museum_mask(void);
void museum_set_mask(uint64_t mask);

#endif
