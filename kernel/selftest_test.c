/* SPDX-License-Identifier: MIT */
/*
 * Tests of the test runner: bad tests, made here and never registered, must be seen to fail.
 */
#include "kernel/kernel.h"

MUSEUM_DECLARE(selftest_fails);

/* Runs fn as if it were a registered test. */
static struct selftest_run run_fake(void (*fn)(struct selftest_run *))
{
	struct selftest fake = {"selftest.fake", "a test made for a test", fn};
	struct selftest_run run;

	selftest_run_one(&fake, &run);
	run.test = NULL;
	return run;
}

SELFTEST(selftest_can_fail, "selftest.can-fail", "all exhibits of the museum are off by default")
{
	EXPECT(!museum_on(selftest_fails), "the exhibit selftest-fails is on");
}

static void fake_passes(struct selftest_run *t)
{
	EXPECT(true, "never printed");
}

static void fake_fails(struct selftest_run *t)
{
	int x = 3;

	EXPECT(x == 4, "x is %d", x);
	selftest_fail(t, "no file", 0, "no condition", "must not be reached");
}

static void fake_skips(struct selftest_run *t)
{
	SKIP("no %s here", "unicorn");
}

static void fake_fails_twice(struct selftest_run *t)
{
	selftest_fail(t, "a", 1, "first", "one");
	selftest_fail(t, "b", 2, "second", "two");
}

SELFTEST(selftest_verdicts, "selftest.verdicts", "pass, failure and skip are told apart")
{
	struct selftest_run run = run_fake(fake_passes);

	EXPECT(!run.failed && !run.skipped, "a test that passes: '%s'", run.text);
	run = run_fake(fake_skips);
	EXPECT(run.skipped && !run.failed, "a test that skips");
	EXPECT(!strcmp(run.text, "no unicorn here"), "its reason is '%s'", run.text);
	run = run_fake(fake_fails);
	EXPECT(run.failed && !run.skipped, "a test that fails");
}

SELFTEST(selftest_explains, "selftest.explains",
	 "a failure names file, condition and values, and the first one counts")
{
	struct selftest_run run = run_fake(fake_fails);

	EXPECT(strstr(run.text, "selftest_test.c:"), "no file in '%s'", run.text);
	EXPECT(strstr(run.text, "x == 4"), "no condition in '%s'", run.text);
	EXPECT(strstr(run.text, "x is 3"), "no value in '%s'", run.text);
	run = run_fake(fake_fails_twice);
	EXPECT(!strcmp(run.text, "a:1: expected first: one"), "'%s'", run.text);
}

static void fake_long(struct selftest_run *t)
{
	selftest_fail(t, "file", 1, "cond", "%300s", "x");
}

SELFTEST(selftest_long_text, "selftest.long-text", "a failure text of any length is cut, not spilt")
{
	struct selftest_run run = run_fake(fake_long);

	EXPECT(run.failed, "it failed, but the run says it did not");
	EXPECT(strlen(run.text) == sizeof(run.text) - 1, "its text has %zu bytes",
	       strlen(run.text));
}

static void fake_leaks_preempt(struct selftest_run *t __attribute__((unused)))
{
	preempt_disable();
	preempt_disable();
}

SELFTEST(selftest_preempt_leak, "selftest.preempt-leak",
	 "a test that leaves preemption disabled fails, and it is enabled again")
{
	struct selftest_run run = run_fake(fake_leaks_preempt);

	EXPECT(run.failed && strstr(run.text, "depth 2"), "'%s'", run.text);
	thread_yield(); /* panics if preemption were still disabled */
}

static void fake_leaks_irq(struct selftest_run *t __attribute__((unused)))
{
	irq_disable();
}

SELFTEST(selftest_irq_leak, "selftest.irq-leak",
	 "a test that leaves interrupts disabled fails, and they are enabled again")
{
	struct selftest_run run = run_fake(fake_leaks_irq);

	EXPECT(run.failed && strstr(run.text, "interrupts"), "'%s'", run.text);
	EXPECT(irqs_enabled(), "they are still disabled");
}

static void fake_turns_on(struct selftest_run *t __attribute__((unused)))
{
	museum_selftest_fails.on = !museum_selftest_fails.on;
}

SELFTEST(selftest_museum_leak, "selftest.museum-leak",
	 "a test that leaves an exhibit switched fails, and the switch goes back")
{
	bool before = museum_selftest_fails.on;
	struct selftest_run run = run_fake(fake_turns_on);

	EXPECT(run.failed && strstr(run.text, "museum"), "'%s'", run.text);
	EXPECT(museum_selftest_fails.on == before, "the switch stayed where it was put");
}

static void fake_warns(struct selftest_run *t __attribute__((unused)))
{
	warn_count++; /* as warn() does, without frightening the reader of the log */
}

SELFTEST(selftest_warning, "selftest.warning", "a warning while a test runs fails the test")
{
	struct selftest_run run = run_fake(fake_warns);

	warn_count--;
	EXPECT(run.failed && strstr(run.text, "warning"), "'%s'", run.text);
}

SELFTEST(selftest_no_match, "selftest.no-match", "a pattern without a match is an error")
{
	EXPECT(selftest_run("no-such-area.*") == -ENOENT, "-ENOENT is needed");
	EXPECT(shell_run_line("selftest -l no-such-area.*") == -ENOENT, "and with -l too");
}

SELFTEST(selftest_no_nesting, "selftest.no-nesting", "a run inside a run is refused")
{
	EXPECT(selftest_run("selftest.can-fail") == -EBUSY, "-EBUSY is needed");
}
