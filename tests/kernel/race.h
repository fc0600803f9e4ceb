/* SPDX-License-Identifier: MIT */
/*
 * Races: scenarios that are safe under one lifetime and broken under another.
 *
 * A race knows what to expect of every lifetime; a result that differs, in either direction, is
 * unexpected: a historic bug that does not show is a failure too. Races register themselves.
 */
#ifndef TESTS_KERNEL_RACE_H
#define TESTS_KERNEL_RACE_H

#include "dax/dax.h"

enum race_verdict { RACE_SAFE, RACE_BROKEN_I1, RACE_HUNG, RACE_SKIP };

struct race_result {
	enum race_verdict verdict;
	char text[200];
};
struct race_expectation {
	const char *lifetime;
	enum race_verdict verdict;
};
struct race {
	const char *name, *what;
	void (*run)(const struct lifetime *lt, struct race_result *r);
	struct race_expectation expect[8]; /* ends with a NULL lifetime */
};
#define RACE(ident, text, fn, summary, ...)                                                        \
	static const struct race race_##ident __attribute__((                                      \
		used, section("hf_races"), aligned(8))) = {text, summary, fn, {__VA_ARGS__}}

void race_set(struct race_result *r, enum race_verdict v, const char *fmt, ...) __printf(3, 4);
/* A line of the story, indented: column 1 belongs to the verdict. */
void race_say(const char *fmt, ...) __printf(1, 2);
const struct race *race_find(const char *name);
/* Runs one cell; prints its line. */
enum race_verdict race_run(const struct race *race, const struct lifetime *lt);

#endif
