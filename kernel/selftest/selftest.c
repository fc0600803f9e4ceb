/* SPDX-License-Identifier: MIT */
/*
 * The self-test runner: `selftest` picks tests by pattern, runs them in order of name in the
 * calling thread, and prints KTAP (internal.h) as they finish.
 *
 * A test that passes but leaves the machine different has not passed, and the damage would be put
 * down to the next one. So after each test the runner looks at what every test must leave alone,
 * puts it right and fails the test that did it.
 */
#include "kernel/kernel.h"
#include "kernel/selftest/internal.h"
#include "kernel/shell/internal.h"

#define SLOW_NS 2000000000ull /* after this long a running test is named */

extern const struct selftest __start_hf_selftests[], __stop_hf_selftests[];

MUSEUM(selftest_fails, "selftest-fails",
       "a self-test fails that should not; seen by selftest.can-fail");

static struct mutex run_lock = MUTEX_INIT("selftest run");
static struct timer slow_timer;			  /* under run_lock; static: it may outlive a run */
static const struct selftest *volatile slow_test; /* what the timer names */

static unsigned nr_tests(void)
{
	return (unsigned)(__stop_hf_selftests - __start_hf_selftests);
}

void selftest_fail(struct selftest_run *t, const char *file, int line, const char *cond,
		   const char *fmt, ...)
{
	va_list ap;
	int n;

	if (t->failed)
		return; /* the first failure is the one to look at */
	t->failed = true;
	n = snprintf(t->text, sizeof(t->text), "%s:%d: expected %s: ", file, line, cond);
	if (n < 0 || (size_t)n >= sizeof(t->text))
		return;
	va_start(ap, fmt);
	vsnprintf(t->text + n, sizeof(t->text) - (size_t)n, fmt, ap);
	va_end(ap);
}

void selftest_skip(struct selftest_run *t, const char *fmt, ...)
{
	va_list ap;

	t->skipped = true;
	va_start(ap, fmt);
	vsnprintf(t->text, sizeof(t->text), fmt, ap);
	va_end(ap);
}

/* One load, so that it is right even if the thread moves to another CPU before or behind it. */
static uint32_t preempt_depth(void)
{
	return CPU_GET(preempt);
}

static void check_preempt(struct selftest_run *t)
{
	uint32_t depth = preempt_depth();

	if (!depth)
		return;
	selftest_fail(t, __FILE__, __LINE__, "preemption enabled afterwards",
		      "the test left it disabled, depth %u", depth);
	while (depth--)
		preempt_enable();
}

static void check_irqs(struct selftest_run *t)
{
	if (irqs_enabled())
		return;
	irq_enable();
	selftest_fail(t, __FILE__, __LINE__, "interrupts enabled afterwards",
		      "the test left them disabled");
}

static void check_warnings(struct selftest_run *t, unsigned long before)
{
	if (warn_count != before)
		selftest_fail(t, __FILE__, __LINE__, "no new warning", "%lu while the test ran",
			      warn_count - before);
}

static void check_museum(struct selftest_run *t, const struct museum_set *before)
{
	const struct museum *m = museum_changed(before);

	if (!m)
		return;
	selftest_fail(t, __FILE__, __LINE__, "museum switches unchanged", "the test left '%s' %s",
		      m->name, m->on ? "on" : "off");
	museum_restore(before);
}

static void run_checked(const struct selftest *test, struct selftest_run *run)
{
	unsigned long warnings = warn_count;
	struct museum_set museum;
	struct leaks leaks;

	museum_save(&museum);
	leaks_before(&leaks);
	*run = (struct selftest_run){.test = test};
	watch_touch();
	test->fn(run);
	mem_check();
	check_irqs(run);
	check_preempt(run);
	check_warnings(run, warnings);
	check_museum(run, &museum);
	leaks_after(&leaks, run);
}

void selftest_run_one(const struct selftest *test, struct selftest_run *run)
{
	run_checked(test, run);
}

struct selftest_run selftest_try(void (*fn)(struct selftest_run *))
{
	struct selftest fake = {"selftest.fake", "a test made for a test", fn};
	struct selftest_run run;

	run_checked(&fake, &run);
	run.test = NULL;
	return run;
}

/* ---- choosing */

struct selection {
	const struct selftest **test; /* in order of name */
	unsigned count;
};

static int by_name(const void *a, const void *b)
{
	const struct selftest *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

/* What comes nearest to a pattern that matches nothing. */
static int no_match(const char *glob)
{
	const struct selftest *t, *nearest = NULL;
	unsigned best = UINT32_MAX;
	size_t len = strlen(glob);

	for (t = __start_hf_selftests; t < __stop_hf_selftests; t++) {
		unsigned d = edit_distance(glob, t->name, true);

		if (!strncmp(t->name, glob, len) && t->name[len] == '.')
			return shell_fail(-ENOENT,
					  "no test matches '%.40s': did you mean '%.40s.*'?", glob,
					  glob);
		if (d < best) {
			best = d;
			nearest = t;
		}
	}
	return shell_fail(-ENOENT, "no test matches '%.60s': %s%s", glob,
			  nearest ? "the nearest name is " : "see `selftest -l`",
			  nearest ? nearest->name : "");
}

/* "!PATTERN" takes its tests out of what the others choose; alone, of all. */
static bool chosen(const struct selftest *t, int n, char **globs)
{
	bool in = false, wants = false;

	for (int i = 0; i < n; i++) {
		if (globs[i][0] == '!' && glob_match(globs[i] + 1, t->name))
			return false;
		wants |= globs[i][0] != '!';
		in |= globs[i][0] != '!' && glob_match(globs[i], t->name);
	}
	return in || !wants;
}

static bool matches_any(const char *glob)
{
	const struct selftest *t;

	for (t = __start_hf_selftests; t < __stop_hf_selftests; t++)
		if (glob_match(glob, t->name))
			return true;
	return false;
}

/* The tests that match one of the patterns (none given: all), but for those of a "!PATTERN". The
 * caller frees s->test. */
static int choose(struct selection *s, int n, char **globs)
{
	const struct selftest *t;

	for (int i = 0; i < n; i++) {
		const char *glob = globs[i] + (globs[i][0] == '!');

		if (!matches_any(glob))
			return no_match(glob);
	}
	s->count = 0;
	s->test = malloc((nr_tests() + 1) * sizeof(*s->test));
	if (!s->test)
		return shell_fail(-ENOMEM, "no memory for a list of %u tests", nr_tests());
	for (t = __start_hf_selftests; t < __stop_hf_selftests; t++)
		if (chosen(t, n, globs))
			s->test[s->count++] = t;
	qsort(s->test, s->count, sizeof(*s->test), by_name);
	if (s->count)
		return 0;
	free(s->test);
	return shell_fail(-ENOENT, "every test that was chosen is taken out again");
}

/* Two tests of one name: a result line would not say whose it is. */
static int refuse_twins(const struct selection *s)
{
	for (unsigned i = 1; i < s->count; i++)
		if (!strcmp(s->test[i - 1]->name, s->test[i]->name))
			return shell_fail(-EEXIST,
					  "two tests are named '%s': each needs its own name",
					  s->test[i]->name);
	return 0;
}

/* ---- running */

static void say_slow(struct timer *timer)
{
	const struct selftest *t = slow_test;

	(void)timer;
	if (t)
		kprintf("# running %s\n", t->name);
}

static void report(unsigned number, const struct selftest_run *run)
{
	enum ktap_result r = run->failed ? KTAP_NOT_OK : run->skipped ? KTAP_SKIP : KTAP_OK;
	char comment[300], line[360];

	comment[0] = '\0';
	if (run->failed)
		ktap_comment(comment, sizeof(comment), run->text);
	ktap_line(line, sizeof(line), number, run->test->name, r, run->text);
	console_write(comment, strlen(comment));
	console_write(line, strlen(line));
}

struct tally {
	unsigned run, failed, skipped;
};

static void run_chosen(const struct selection *s, struct tally *tally)
{
	struct selftest_run run;
	char plan[48];

	ktap_plan(plan, sizeof(plan), s->count);
	console_write(plan, strlen(plan));
	for (unsigned i = 0; i < s->count && !batch_stopped(); i++) {
		slow_test = s->test[i];
		timer_arm(&slow_timer, clock_ns() + SLOW_NS, say_slow);
		console_quote(true);
		selftest_run_one(s->test[i], &run);
		console_quote(false);
		slow_test = NULL;
		timer_cancel(&slow_timer);
		report(i + 1, &run);
		tally->failed += run.failed;
		tally->skipped += !run.failed && run.skipped;
		tally->run++;
		pieces_done(tally->run, s->count);
	}
	if (tally->run < s->count)
		kprintf("# interrupted: %u of %u tests were not run\n", s->count - tally->run,
			s->count);
	kprintf("# %u passed, %u failed, %u skipped\n", tally->run - tally->failed - tally->skipped,
		tally->failed, tally->skipped);
}

/* Failures, or -ENODATA after a sentence: every test was skipped, so that nothing was shown. */
static int outcome(const struct tally *tally)
{
	if (tally->skipped && tally->skipped == tally->run)
		return shell_fail(-ENODATA, "nothing was run: all %u were skipped, each says why",
				  tally->skipped);
	return (int)tally->failed;
}

/* Number of failures, or a negative errno after a sentence. */
static int run_globs(int n, char **globs)
{
	struct tally tally = {0};
	struct selection s;
	int err = choose(&s, n, globs);

	if (err)
		return err;
	err = refuse_twins(&s);
	if (!err && !mutex_trylock(&run_lock))
		err = shell_fail(-EBUSY, "a run is under way already: `ps` shows whose");
	if (!err) {
		run_chosen(&s, &tally);
		mutex_unlock(&run_lock);
	}
	free(s.test);
	return err ? err : outcome(&tally);
}

int selftest_run(const char *glob)
{
	char *globs[] = {(char *)glob};

	return run_globs(1, globs);
}

static int list(int n, char **globs, bool statements)
{
	struct selection s;
	int err = choose(&s, n, globs);

	if (err)
		return err;
	for (unsigned i = 0; i < s.count; i++)
		kprintf(statements ? "%-36s  %s\n" : "%s\n", s.test[i]->name, s.test[i]->statement);
	free(s.test);
	return 0;
}

static int cmd_selftest(int argc, char **argv)
{
	static const char *const options[] = {"-l", "-v"};
	bool only_list = false, statements = false;
	int i = 1, failed;

	for (; i < argc && argv[i][0] == '-'; i++) {
		if (!strcmp(argv[i], "-l"))
			only_list = true;
		else if (!strcmp(argv[i], "-v"))
			statements = true;
		else
			return shell_unknown("option", argv[i], options, ARRAY_SIZE(options));
	}
	if (statements && !only_list)
		return shell_fail(-EINVAL, "-v shows the statements in a list: use it with -l");
	if (only_list)
		return list(argc - i, argv + i, statements);
	failed = run_globs(argc - i, argv + i);
	return failed > 0 ? -EIO : failed;
}

static void offer_tests(struct shell_offers *o)
{
	for (unsigned i = 0; i < nr_tests(); i++)
		shell_offer(o, __start_hf_selftests[i].name);
}
SHELL_KIND(test, "PATTERN", "selftest", offer_tests);
SHELL_COMMAND(
	selftest, cmd_selftest, "selftest [-l [-v]] [PATTERN ...]",
	"runs the tests built into the kernel and reports in KTAP\n"
	"PATTERN picks by name: rwsem.*, *.wait* (no quotes needed); !PATTERN takes out what the\n"
	"others pick, or of all: !stress.*. -l lists the names, -l -v also what each one states.\n"
	"Status EIO when one failed, ENOENT when none matched, ENODATA when all were skipped.",
	true);
