/* SPDX-License-Identifier: MIT */
/* Self-tests: when nothing goes on any more (quiet.*), and the command that waits for it. */
#include "kernel/kernel.h"
#include "kernel/shell/internal.h"

#define HOUR_NS (3600ull * 1000 * 1000 * 1000)

/* A thread that runs until it is told to sleep, and sleeps until it is told to end. */
struct worker {
	unsigned sleep, end;
};

static void work(void *arg)
{
	struct worker *w = arg;

	while (!__atomic_load_n(&w->sleep, __ATOMIC_ACQUIRE))
		cpu_pause();
	wait_event(w, __atomic_load_n(&w->end, __ATOMIC_ACQUIRE), "the end of a test", "the test");
}

static void set(struct worker *w, unsigned *word)
{
	__atomic_store_n(word, 1, __ATOMIC_RELEASE);
	wake_up(w);
}

static bool never(const struct thread *t, void *arg)
{
	return t == arg;
}

SELFTEST(quiet_thread, "quiet.thread-runs",
	 "it is not quiet while a thread can run that counts, and is when it sleeps")
{
	struct worker w = {0, 0};
	struct gang g;
	bool loud, alone, quiet;

	EXPECT(gang_start(&g, 1, work, &w, false), "no memory for a thread");
	loud = quiet_look(NULL, NULL) == QUIET_NOT && quiet_somebody_runs(NULL, NULL);
	alone = !quiet_somebody_runs(never, g.thread[0]);
	set(&w, &w.sleep);
	quiet = quiet_wait() && g.thread[0]->state == THREAD_SLEEPING;
	set(&w, &w.end);
	gang_join(&g);
	EXPECT(loud && alone && quiet, "it runs: seen %d, left out %d; it sleeps: seen %d", loud,
	       alone, quiet);
}

static void nothing(struct timer *timer)
{
	(void)timer;
}

SELFTEST(quiet_gives_up, "quiet.nothing-can-come",
	 "a wait for what cannot come any more ends where nothing runs, after the last timer")
{
	static struct timer timer;
	struct patience p = {.what = "what a test knows will not come", .polls = true};
	uint64_t due = clock_ns() + PATIENCE_SKIP_NS / 2;
	bool over;

	timer_arm(&timer, due, nothing);
	while (patience_left(&p))
		;
	over = clock_ns() >= due;
	timer_cancel_wait(&timer);
	EXPECT(p.dead == QUIET_SURE && over, "%u looks of %u, timer over %d", p.dead, p.looks,
	       over);
	p = (struct patience){.what = "what comes after a minute", .polls = true};
	timer_arm(&timer, clock_ns() + HOUR_NS, nothing);
	while (patience_left(&p))
		;
	timer_cancel_wait(&timer);
	EXPECT(p.dead < QUIET_SURE && clock_ns() < due + HOUR_NS / 2, "it waited for the hour");
}

SELFTEST(quiet_backs_off, "quiet.backs-off",
	 "a wait looks at once and often at first, then less and less often, up to a bound, and is "
	 "patient for two minutes whatever its first look")
{
	static const uint64_t first[] = {50000, PATIENCE_LOOK_NS, 200000};

	for (unsigned i = 0; i < 3; i++) {
		uint64_t sum = 0, last = 0;

		EXPECT(look_ns(first[i], 0) == first[i] && look_ns(first[i], 15) == first[i],
		       "the first looks wait %lu and %lu ns, not %lu", look_ns(first[i], 0),
		       look_ns(first[i], 15), first[i]);
		for (unsigned n = 0; n < PATIENCE_LOOKS; n++) {
			uint64_t ns = look_ns(first[i], n);

			EXPECT(ns >= last && ns <= LOOK_LONGEST_NS,
			       "look %u waits %lu ns after %lu", n, ns, last);
			EXPECT(n < 16 || n > 100 || ns <= sum / 4, "look %u waits %lu ns of %lu", n,
			       ns, sum);
			last = ns;
			sum += ns;
		}
		EXPECT(sum >= 2 * PATIENCE_SKIP_NS, "its patience ends after %lu ns", sum);
	}
}

SELFTEST(settle_jobs, "shell.settle",
	 "settle returns when jobs have ended or sleep on, whatever the host gave them of its CPUs")
{
	unsigned before = jobs_running();
	int status = shell_run_line("sleep 2500 & sleep 36000000 & settle");
	unsigned left = jobs_running();

	clock_skip(10 * HOUR_NS);
	shell_run_line("wait");
	jobs_report();
	EXPECT(!status && left == before + 1, "status %d, %u job(s) run, %u did before", status,
	       left, before);
}
