/* SPDX-License-Identifier: MIT */
/* Self-tests of the shell where it needs the kernel: statuses, jobs, signals, the registry. */
#include "kernel/kernel.h"
#include "kernel/shell/internal.h"

#define LOOKS	  20000
#define MINUTE_NS 60000000000ull

SELFTEST(shell_registry, "shell.registry",
	 "each command has a name of its own, a usage line that begins with it, and help")
{
	unsigned n;
	const struct shell_command *const *c = shell_commands(&n);

	EXPECT(c && n > 8, "%u commands", n);
	for (unsigned i = 0; i < n; i++) {
		size_t len = strlen(c[i]->name);

		EXPECT(!i || strcmp(c[i - 1]->name, c[i]->name), "'%s' twice", c[i]->name);
		EXPECT(c[i]->usage && !strncmp(c[i]->usage, c[i]->name, len) &&
			       (!c[i]->usage[len] || c[i]->usage[len] == ' '),
		       "usage of '%s': '%s'", c[i]->name, c[i]->usage);
		EXPECT(c[i]->help && *c[i]->help && c[i]->run, "'%s' without help", c[i]->name);
	}
}

SELFTEST(shell_first_failure, "shell.first-failure",
	 "a line's status is that of its first failing command, and the others run")
{
	EXPECT(shell_run_line("history -") == -EINVAL, "history takes no word");
	EXPECT(shell_run_line("") == 0 && shell_run_line(" ;; ") == 0, "nothing is no failure");
	EXPECT(shell_run_line("sleep 0; no-such-command; sleep x; sleep 0") == -ENOENT,
	       "-ENOENT came first");
	EXPECT(shell_run_line("sleep x; no-such-command") == -EINVAL, "-EINVAL came first");
}

SELFTEST(shell_all_or_nothing, "shell.all-or-nothing",
	 "a line with a mistake in it runs no command")
{
	bool before = museum_find("selftest-fails")->on;
	const char *line = before ? "museum selftest-fails off; echo 'open"
				  : "museum selftest-fails on; echo 'open";

	EXPECT(shell_run_line(line) == -EINVAL, "an open quote is -EINVAL");
	EXPECT(museum_find("selftest-fails")->on == before, "its first command was run");
}

SELFTEST(shell_too_many_words, "shell.too-many-words", "33 words are refused, 32 are not")
{
	char line[SHELL_MAX_ARGS * 2 + 8] = "echo";

	for (int i = 1; i < SHELL_MAX_ARGS; i++)
		strcat(line, " w");
	EXPECT(shell_run_line(line) == 0, "%d words", SHELL_MAX_ARGS);
	strcat(line, " w");
	EXPECT(shell_run_line(line) == -EINVAL, "one more");
}

SELFTEST(shell_numbers, "shell.numbers",
	 "a number is read with its suffix, a wrong one changes nothing")
{
	uint64_t v = 7;

	EXPECT(!shell_number("SIZE", "0x10K", &v) && v == 16384, "0x10K is %llu",
	       (unsigned long long)v);
	EXPECT(shell_number("SIZE", "16777216T", &v) == -EINVAL, "2^64 does not fit");
	EXPECT(v == 16384, "a refusal changed the value to %llu", (unsigned long long)v);
}

SELFTEST(shell_suggests, "shell.suggests", "a mistyped command has the right one as its nearest")
{
	unsigned n;
	const char *const *names = shell_command_names(&n);
	const char *near = shell_nearest("selftset", names, n);

	EXPECT(near && !strcmp(near, "selftest"), "nearest is %s", near ? near : "none");
	EXPECT(!shell_nearest("qqqqqqqqqq", names, n), "nothing is near to noise");
}

SELFTEST(shell_time_nests, "shell.time-nests",
	 "time runs any command, itself included, and keeps its status")
{
	EXPECT(shell_run_line("time time echo nested") == 0, "0 is needed");
	EXPECT(shell_run_line("time time no-such-command") == -ENOENT, "-ENOENT is needed");
	EXPECT(shell_run_line("time") == -EINVAL, "time alone is a wrong usage");
}

/* A line that runs in a thread of its own, so that one that never ends fails its test. */
struct line {
	const char *text;
	int status;
	unsigned over;
};

static void run_line(void *arg)
{
	struct line *l = arg;

	l->status = shell_run_line(l->text);
	__atomic_store_n(&l->over, 1, __ATOMIC_RELEASE);
}

/* Threads called `name` that wait for time to pass. */
struct sleepers {
	const char *name;
	unsigned n;
	void *mm; /* of the last one */
};

static void look_for_sleeper(struct thread *th, void *arg)
{
	struct sleepers *s = arg;

	if (strcmp(th->name, s->name) || !th->waiting || strcmp(th->waiting->what, "time to pass"))
		return;
	s->n++;
	s->mm = th->mm;
}

/* Until n of them sleep: from then on the end of their time is fixed. False: not within a number
 * of looks that any host has time for. */
static bool sleepers_come(struct sleepers *s, unsigned n)
{
	for (unsigned i = 0; i < LOOKS; i++) {
		s->n = 0;
		thread_for_each(look_for_sleeper, s);
		if (s->n == n)
			return true;
		thread_sleep_ns(50000);
	}
	return false;
}

SELFTEST(shell_sleep, "shell.sleep", "sleep takes the time it was told, and not twice")
{
	struct line line = {.text = "sleep 60000"};
	struct sleepers s = {.name = "a minute"};
	struct thread *th = thread_create(s.name, run_line, &line, 0);
	uint64_t start = clock_ns();
	bool asleep, early, over;

	EXPECT(th, "no thread");
	asleep = sleepers_come(&s, 1);
	clock_skip(start + MINUTE_NS / 2 - MIN(clock_ns(), start + MINUTE_NS / 2));
	quiet_wait();
	early = __atomic_load_n(&line.over, __ATOMIC_ACQUIRE) && clock_ns() < start + MINUTE_NS;
	clock_skip(MINUTE_NS);
	over = comes_true(&line.over, 1);
	if (!over)
		thread_signal(th);
	thread_join(th);
	EXPECT(asleep && !early, "asleep %d, over after half its time %d", asleep, early);
	EXPECT(over && !line.status, "over after its time %d, %s", over, errno_name(line.status));
}

/* Waits until no job runs; false: one still does after many looks. */
static bool jobs_gone(void)
{
	for (unsigned i = 0; i < LOOKS && jobs_running(); i++)
		thread_sleep_ns(50000);
	return !jobs_running();
}

static unsigned jobs_heard; /* the last job's end woke who waits for it */

static void hear_jobs(void *unused)
{
	(void)unused;
	if (!wait_event_interruptible(&shell_events, !jobs_running(), "the end of the test's jobs",
				      "each job, when it ends"))
		__atomic_store_n(&jobs_heard, 1, __ATOMIC_RELEASE);
}

SELFTEST(shell_job, "shell.job",
	 "a command with '&' runs beside its starter, and its end wakes who waits for it")
{
	struct line line = {.text = "sleep 60000 & sleep 60000 &"};
	struct sleepers s = {.name = "sleep 60000"};
	struct thread *starter, *hearer;
	unsigned before = jobs_running(), run;
	bool beside, asleep, waits, heard;

	if (before)
		SKIP("%u jobs of the user are running", before);
	jobs_heard = 0;
	starter = thread_create("starter", run_line, &line, 0);
	EXPECT(starter, "no thread");
	/* Both sleep, and the minute is not over unless it is skipped. */
	asleep = sleepers_come(&s, 2);
	beside = comes_true(&line.over, 1);
	run = jobs_running();
	hearer = thread_create("hearer", hear_jobs, NULL, 0);
	waits = hearer && gather_on(&shell_events, 1) && falls_asleep(hearer);
	clock_skip(MINUTE_NS);
	heard = comes_true(&jobs_heard, 1);
	if (hearer && !heard)
		thread_signal(hearer);
	if (hearer)
		thread_join(hearer);
	if (!beside)
		clock_skip(MINUTE_NS);
	thread_join(starter);
	EXPECT(jobs_gone(), "they do not end");
	jobs_report();
	EXPECT(asleep && beside && !line.status, "asleep %d, their starter goes on %d, %s", asleep,
	       beside, errno_name(line.status));
	EXPECT(run == 2, "%u run", run);
	EXPECT(waits && heard, "their end woke nobody (asleep before: %d)", waits);
}

SELFTEST(shell_job_mm, "shell.job-mm", "a job runs in the address space of who started it")
{
	struct sleepers s = {.name = "sleep 60001"};
	void *mine = current_thread()->mm;
	bool asleep;

	if (!mine)
		SKIP("this thread has no address space");
	EXPECT(shell_run_line("sleep 60001 &") == 0, "the job must start");
	asleep = sleepers_come(&s, 1);
	clock_skip(60001000000ull);
	EXPECT(jobs_gone(), "it does not end");
	jobs_report();
	EXPECT(asleep && s.mm == mine, "its address space is %p, its starter's %p", s.mm, mine);
}

SELFTEST(shell_job_status, "shell.job-status", "wait for a job that is not there is refused")
{
	EXPECT(shell_run_line("wait %99999") == -ESRCH, "-ESRCH is needed");
	EXPECT(shell_run_line("kill %99999") == -ESRCH, "-ESRCH is needed");
	EXPECT(shell_run_line("kill 4000000000") == -ESRCH, "-ESRCH is needed");
	EXPECT(shell_run_line("kill") == -EINVAL, "usage is needed");
}

SELFTEST(shell_kill, "shell.kill", "kill ends an interruptible wait with EINTR")
{
	struct line line = {.text = "sleep 60002"};
	struct sleepers s = {.name = "napper"};
	struct thread *th = thread_create(s.name, run_line, &line, 0);
	bool asleep, ended;
	char kill[32];
	int err;

	EXPECT(th, "no thread");
	snprintf(kill, sizeof(kill), "kill %u", th->tid);
	asleep = sleepers_come(&s, 1);
	err = shell_run_line(kill);
	ended = comes_true(&line.over, 1);
	if (!ended)
		clock_skip(60002000000ull);
	thread_join(th);
	EXPECT(asleep && !err, "asleep %d, kill says %s", asleep, errno_name(err));
	EXPECT(ended && line.status == -EINTR, "it slept on %d, and says %s", !ended,
	       errno_name(line.status));
}

SELFTEST(shell_random_lines, "shell.random-lines",
	 "2,000 random lines are refused or run, and nothing breaks")
{
	static const char alphabet[] = "ehco \"'\\;&*%-\x01\xff\t\n";
	uint32_t x = 12345;
	char line[64];
	unsigned good = 0;
	int got;

	for (int i = 0; i < 2000; i++) {
		char buf[sizeof(line) + 1], why[120];
		size_t len = (x >> 8) % sizeof(line);

		for (size_t j = 0; j < len; j++) {
			x = x * 1664525 + 1013904223;
			line[j] = alphabet[(x >> 16) % sizeof(alphabet)]; /* the NUL included */
		}
		x = x * 1664525 + 1013904223;
		got = shell_parse_check(line, len, buf, why, sizeof(why));
		EXPECT(got >= 0 || why[0], "line %d refused without a sentence", i);
		good += got >= 0;
	}
	EXPECT(good > 10 && good < 1990, "%u lines were good: the mix is no test", good);
}
