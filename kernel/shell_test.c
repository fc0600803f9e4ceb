/* SPDX-License-Identifier: MIT */
/* Self-tests of the shell where it needs the kernel: statuses, jobs, signals, the registry. */
#include "kernel/shell_private.h"

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

SELFTEST(shell_sleep, "shell.sleep", "sleep takes the time it was told, and not twice")
{
	uint64_t start = clock_ns(), ms;
	int err = shell_run_line("sleep 20");

	ms = (clock_ns() - start) / 1000000;
	EXPECT(!err && ms >= 20, "%s after %llu ms", errno_name(err), (unsigned long long)ms);
	EXPECT(ms < 5000, "20 ms took %llu", (unsigned long long)ms);
}

/* Waits until no job runs; false: one still does after `ms`. */
static bool jobs_gone(unsigned ms)
{
	return wait_event_until(&shell_events, !jobs_running(), clock_ns() + ms * 1000000ull,
				"test jobs to end", "the jobs");
}

SELFTEST(shell_job, "shell.job", "a command with '&' runs beside its starter")
{
	unsigned before = jobs_running();
	uint64_t start = clock_ns();

	if (before)
		SKIP("%u jobs of the user are running", before);
	EXPECT(shell_run_line("sleep 50 & sleep 50 &") == 0, "two jobs must start");
	EXPECT(clock_ns() - start < 50000000, "starting them waited for them");
	EXPECT(jobs_running() == 2, "%u run", jobs_running());
	EXPECT(jobs_gone(5000), "they do not end");
	EXPECT(clock_ns() - start >= 50000000, "they ended too soon");
	EXPECT(clock_ns() - start < 4000000000ull, "their end woke nobody");
	jobs_report();
}

struct mm_search {
	const char *name;
	void *mm;
};

static void look_for_mm(struct thread *th, void *arg)
{
	struct mm_search *search = arg;

	if (!strcmp(th->name, search->name))
		search->mm = th->mm;
}

SELFTEST(shell_job_mm, "shell.job-mm", "a job runs in the address space of who started it")
{
	struct mm_search search = {"sleep 61", NULL};
	void *mine = current_thread()->mm;
	uint64_t deadline = clock_ns() + 50000000;

	if (!mine)
		SKIP("this thread has no address space");
	EXPECT(shell_run_line("sleep 61 &") == 0, "the job must start");
	while (search.mm != mine && clock_ns() < deadline) {
		thread_for_each(look_for_mm, &search);
		thread_yield();
	}
	EXPECT(jobs_gone(5000), "it does not end");
	jobs_report();
	EXPECT(search.mm == mine, "its address space is %p, its starter's %p", search.mm, mine);
}

SELFTEST(shell_job_status, "shell.job-status", "wait for a job that is not there is refused")
{
	EXPECT(shell_run_line("wait %99999") == -ESRCH, "-ESRCH is needed");
	EXPECT(shell_run_line("kill %99999") == -ESRCH, "-ESRCH is needed");
	EXPECT(shell_run_line("kill 4000000000") == -ESRCH, "-ESRCH is needed");
	EXPECT(shell_run_line("kill") == -EINVAL, "usage is needed");
}

static int nap_status;

static void nap(void *arg __attribute__((unused)))
{
	nap_status = shell_run_line("sleep 10000");
}

SELFTEST(shell_kill, "shell.kill", "kill ends an interruptible wait with EINTR")
{
	struct thread *th = thread_create("napper", nap, NULL, 0);
	uint64_t start = clock_ns();
	char line[32];
	int err;

	EXPECT(th, "no thread");
	nap_status = 1;
	snprintf(line, sizeof(line), "kill %u", th->tid);
	while (!th->waiting && clock_ns() - start < 5000000000ull)
		thread_yield();
	err = shell_run_line(line);
	thread_join(th);
	EXPECT(!err, "kill says %s", errno_name(err));
	EXPECT(nap_status == -EINTR, "the sleeper says %s", errno_name(nap_status));
	EXPECT(clock_ns() - start < 8000000000ull, "it slept on");
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
