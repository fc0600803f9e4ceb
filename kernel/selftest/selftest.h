/* SPDX-License-Identifier: MIT */
/*
 * Self-tests: run in the kernel by `selftest`, reported as KTAP. A test lives beside what it tests
 * and states one claim. The first failed EXPECT ends the test with file, line and both values;
 * SKIP says which device or feature is missing.
 *
 *     SELFTEST(rwsem_writer_waits, "rwsem.writer-waits", "a writer waits for all readers")
 *     {
 *             EXPECT(x == 2, "two readers, found %d", x);
 *     }
 */
#ifndef KERNEL_SELFTEST_SELFTEST_H
#define KERNEL_SELFTEST_SELFTEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct selftest;
struct selftest_run {
	const struct selftest *test;
	bool failed, skipped;
	char text[240]; /* why */
};
struct selftest {
	const char *name, *claim;
	void (*fn)(struct selftest_run *t);
};

#define SELFTEST(ident, dotted, claim_text)                                                        \
	static void selftest_fn_##ident(struct selftest_run *t);                                   \
	static const struct selftest selftest_##ident                                              \
		__attribute__((used, section("hf_selftests"), aligned(8))) = {                     \
			dotted, claim_text, selftest_fn_##ident};                                  \
	static void selftest_fn_##ident(struct selftest_run *t __attribute__((unused)))

#define EXPECT(cond, ...)                                                                          \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			selftest_fail(t, __FILE__, __LINE__, #cond, __VA_ARGS__);                  \
			return;                                                                    \
		}                                                                                  \
	} while (0)
/* As EXPECT, but cleans up first: jumps to `label` instead of returning. */
#define EXPECT_OR(label, cond, ...)                                                                \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			selftest_fail(t, __FILE__, __LINE__, #cond, __VA_ARGS__);                  \
			goto label;                                                                \
		}                                                                                  \
	} while (0)
#define SKIP(...)                                                                                  \
	do {                                                                                       \
		selftest_skip(t, __VA_ARGS__);                                                     \
		return;                                                                            \
	} while (0)

void selftest_fail(struct selftest_run *t, const char *file, int line, const char *cond,
		   const char *fmt, ...) __attribute__((format(printf, 5, 6)));
void selftest_skip(struct selftest_run *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Runs the tests whose names match the shell pattern ('*', '?'). Failures, or -ENOENT: none
 * matched; -ENODATA: all that did were skipped. */
int selftest_run(const char *glob);
/*
 * Runs one test without a word, and checks what every test must leave as it found it: preemption
 * and interrupts enabled, no new warning, the museum's switches, nothing of SELFTEST_LEAVES. What
 * it left is put right and fails the test. The verdict is in *run.
 */
void selftest_run_one(const struct selftest *test, struct selftest_run *run);
/* Runs fn as if it were a registered test: for tests of what the runner sees. */
struct selftest_run selftest_try(void (*fn)(struct selftest_run *));

/*
 * What a test can leave behind, as a count. It is asked before and after each test, in sleepable
 * context, so it must be quick; lazily grown memory is none of it. `undo` brings the count back to
 * `before`, as far as it can; NULL: that is impossible. Whoever uses something has an earlier turn
 * than what it uses.
 */
enum leaves_turn {
	LEAVES_USERS,
	LEAVES_PAGES,
	LEAVES_MAPPINGS,
	LEAVES_FILES,
	LEAVES_MOUNTS,
	LEAVES_LAST
};
struct selftest_leaves {
	const char *what; /* "page(s) held" */
	enum leaves_turn turn;
	int64_t (*count)(void); /* zero means: none */
	void (*undo)(int64_t before);
};
#define SELFTEST_LEAVES(ident, what_text, turn_, count_, undo_)                                    \
	static const struct selftest_leaves selftest_leaves_##ident                                \
		__attribute__((used, section("hf_leaves"), aligned(8))) = {what_text, turn_,       \
									   count_, undo_}

#endif
