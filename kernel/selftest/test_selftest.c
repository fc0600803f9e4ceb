/* SPDX-License-Identifier: MIT */
/*
 * Tests of the test runner: bad tests, made here and never registered, must be seen to fail.
 */
#include "kernel/kernel.h"

MUSEUM_DECLARE(selftest_fails);

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
	struct selftest_run run = selftest_try(fake_passes);

	EXPECT(!run.failed && !run.skipped, "a test that passes: '%s'", run.text);
	run = selftest_try(fake_skips);
	EXPECT(run.skipped && !run.failed, "a test that skips");
	EXPECT(!strcmp(run.text, "no unicorn here"), "its reason is '%s'", run.text);
	run = selftest_try(fake_fails);
	EXPECT(run.failed && !run.skipped, "a test that fails");
}

SELFTEST(selftest_explains, "selftest.explains",
	 "a failure names file, condition and values, and the first one counts")
{
	struct selftest_run run = selftest_try(fake_fails);

	EXPECT(strstr(run.text, "test_selftest.c:"), "no file in '%s'", run.text);
	EXPECT(strstr(run.text, "x == 4"), "no condition in '%s'", run.text);
	EXPECT(strstr(run.text, "x is 3"), "no value in '%s'", run.text);
	run = selftest_try(fake_fails_twice);
	EXPECT(!strcmp(run.text, "a:1: expected first: one"), "'%s'", run.text);
}

static void fake_long(struct selftest_run *t)
{
	selftest_fail(t, "file", 1, "cond", "%300s", "x");
}

SELFTEST(selftest_long_text, "selftest.long-text", "a failure text of any length is cut, not spilt")
{
	struct selftest_run run = selftest_try(fake_long);

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
	struct selftest_run run = selftest_try(fake_leaks_preempt);

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
	struct selftest_run run = selftest_try(fake_leaks_irq);

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
	struct selftest_run run = selftest_try(fake_turns_on);

	EXPECT(run.failed && strstr(run.text, "museum"), "'%s'", run.text);
	EXPECT(museum_selftest_fails.on == before, "the switch stayed where it was put");
}

static void fake_warns(struct selftest_run *t __attribute__((unused)))
{
	warn_count++; /* as warn() does, without frightening the reader of the log */
}

SELFTEST(selftest_warning, "selftest.warning", "a warning while a test runs fails the test")
{
	struct selftest_run run = selftest_try(fake_warns);

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

static void linger(void *arg)
{
	wait_event(arg, __atomic_load_n((bool *)arg, __ATOMIC_ACQUIRE), "the end of the test",
		   "selftest.thread-left");
	thread_exit(0);
}

static bool may_end;
static struct thread *left_over;

static void fake_leaves_thread(struct selftest_run *t)
{
	left_over = thread_create("left over", linger, &may_end, 0);
	EXPECT(left_over, "no memory");
}

static void fake_ends_thread(struct selftest_run *t)
{
	may_end = true;
	fake_leaves_thread(t);
	thread_detach(left_over); /* it ends when it has run, which may be after us */
}

SELFTEST(selftest_thread_left, "selftest.thread-left",
	 "a test that leaves a thread fails, one whose thread ends by itself does not")
{
	struct selftest fake = {"selftest.fake", "its thread ends a little later",
				fake_ends_thread};
	struct selftest_run run;

	may_end = false;
	run = selftest_try(fake_leaves_thread);
	__atomic_store_n(&may_end, true, __ATOMIC_RELEASE);
	wake_up(&may_end);
	thread_join(left_over);
	EXPECT(run.failed && strstr(run.text, "left 1 thread"), "'%s'", run.text);
	selftest_run_one(&fake, &run);
	EXPECT(!run.failed, "'%s'", run.text);
}
