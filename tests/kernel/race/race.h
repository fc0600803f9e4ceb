/* SPDX-License-Identifier: MIT */
/*
 * Races: scenarios that are safe under one lifetime and broken under another.
 *
 * A race knows what to expect of every lifetime; a result that differs, in either direction, is
 * unexpected: a historic bug that does not show is a failure too. Races register themselves: RACE()
 * with a function of its own, SCRIPT() with a script (internal.h).
 *
 * An exhibit is the same race with one rule switched off (`museum`): there it must break.
 */
#ifndef TESTS_KERNEL_RACE_RACE_H
#define TESTS_KERNEL_RACE_RACE_H

#include "dax/dax.h"

/* RACE_BROKEN_In is RACE_SAFE + n. */
enum race_verdict {
	RACE_SAFE,
	RACE_BROKEN_I1, /* only from bytes read back through the file layer */
	RACE_BROKEN_I2,
	RACE_BROKEN_I3,
	RACE_BROKEN_I4,
	RACE_BROKEN_I5,
	RACE_BROKEN_I6,
	RACE_BROKEN_I7,
	RACE_HUNG,
	RACE_SKIP
};

struct race_result {
	enum race_verdict verdict;
	bool absent; /* with RACE_SKIP: the machine lacks something, which is nobody's fault */
	int err;     /* with absent: what `race` ends with; zero: -EIO */
	char text[200];
};
struct race_expectation {
	const char *lifetime;
	enum race_verdict verdict;
};
/* What a script needs of the machine, beside the scratch device. Zero: nothing, one CPU. */
struct race_wants {
	unsigned cpus, edus;
	bool large; /* 1 GiB of file system instead of 16 MiB: huge pages */
	bool disk;  /* the first disk, if there is one, must be at rest */
	bool stops; /* the first edu must stand behind an IOMMU, so that it can be stopped */
};
struct script;
struct race {
	const char *name, *what;
	void (*run)(const struct lifetime *lt, struct race_result *r);
	void (*play)(struct script *s); /* NULL: run() */
	struct race_wants wants;
	struct race_expectation expect[8]; /* ends with a NULL lifetime */
};
#define RACE_SECTION(section_) __attribute__((used, section(section_), aligned(8)))
#define RACE(ident, text, fn, summary, ...)                                                        \
	static const struct race race_##ident RACE_SECTION("hf_races") = {                         \
		.name = text, .what = summary, .run = fn, .expect = {__VA_ARGS__}}
#define WANTS(...)                                                                                 \
	{                                                                                          \
		__VA_ARGS__                                                                        \
	}
#define SCRIPT(ident, text, fn, summary, wants_, ...)                                              \
	static const struct race race_##ident RACE_SECTION("hf_races") = {.name = text,            \
									  .what = summary,         \
									  .play = fn,              \
									  .wants = wants_,         \
									  .expect = {__VA_ARGS__}}

/* A race in a later era of a design (race_eras.c). */
struct race_era {
	const char *race, *lifetime, *era;
	enum race_verdict verdict;
};
/* The n-th of the table; NULL: past the last. One at a time: the answer is overwritten. */
const struct race_era *race_era_nth(unsigned n);

/* Under `lifetime`, with the museum's switch on, the race ends like this. */
struct race_exhibit {
	const char *race, *lifetime, *museum;
	enum race_verdict verdict;
};
#define RACE_EXHIBIT(ident, race_, lifetime_, museum_, verdict_)                                   \
	static const struct race_exhibit race_exhibit_##ident RACE_SECTION("hf_exhibits") = {      \
		race_, lifetime_, museum_, verdict_}

void race_set(struct race_result *r, enum race_verdict v, const char *fmt, ...) __printf(3, 4);
/* A skip for want of a device or a CPU: `race all` counts it as skipped, not as a surprise. */
void race_absent(struct race_result *r, const char *fmt, ...) __printf(2, 3);
/* The same for a refusal that has its sentence in refusal() and its errno. */
void race_refused(struct race_result *r, int err);
/* A line of the story, indented: column 1 belongs to the verdict. */
void race_say(const char *fmt, ...) __printf(1, 2);
/* *err is what an operation under `lt` said: does its caller ask again? Then it has slept for a
 * second before; woken by: its own clock, or a signal, which makes *err -EINTR. Thread context. */
bool race_asks_again(const struct lifetime *lt, int *err);
/* Nobody asks between race_hold_asks(true) and (false), however long that takes: a script has its
 * events in between. Director. */
void race_hold_asks(bool hold);
const struct race *race_find(const char *name);
/* In so many next rounds of race C-6 the page is idle for more than a second, as on a host that
 * stands still there. */
extern unsigned c6_stalls;
/* Runs one cell; prints its line, with the era if it was asked for (else NULL). */
struct race_result race_run(const struct race *race, const struct lifetime *lt, const char *era);

#endif
