/* SPDX-License-Identifier: MIT */
/*
 * Jobs: commands that run as threads of their own, because a '&' followed them.
 *
 * A job runs in the address space of the thread that started it, so that `touch … &` touches what
 * `map` mapped. Its thread only runs the command, leaves the status and wakes the shell. Printing
 * the end, joining the thread and freeing the record is the shell's part (jobs_report()), done
 * where no other line is half printed. A job that was not reported is still in the list.
 */
#include "kernel/kernel.h"
#include "kernel/shell/internal.h"

#define MAX_JOBS 16

struct job {
	unsigned id;
	char *text, *words; /* the command; a buffer for parsing it */
	struct thread *thread;
	void *mm; /* address space of the starter, with a reference; NULL: it has none */
	uint64_t started_ns;
	bool go; /* set once "[job N] started" is on the console */
	/* Under jobs_lock. */
	int status;
	bool done;
	TAILQ_ENTRY(job) link;
};

static struct mutex jobs_lock = MUTEX_INIT_GLOBAL("jobs");
static TAILQ_HEAD(, job) jobs = TAILQ_HEAD_INITIALIZER(jobs); /* all below: under jobs_lock */
static unsigned nr_jobs, last_id;
unsigned jobs_failed;
char shell_events;
static const struct shell_mm_ops *mm_ops; /* NULL means there are no address spaces (yet) */

void shell_set_mm_ops(const struct shell_mm_ops *ops)
{
	mm_ops = ops;
}

static void job_free(struct job *j)
{
	if (j->mm)
		mm_ops->put(j->mm);
	free(j->text);
	free(j->words);
	free(j);
}

/* The record of the current thread, or NULL. Under jobs_lock. */
static struct job *own_job(void)
{
	struct job *j;

	TAILQ_FOREACH (j, &jobs, link)
		if (j->thread == current_thread())
			return j;
	return NULL;
}

bool in_job(void)
{
	bool found;

	mutex_lock(&jobs_lock);
	found = own_job() != NULL;
	mutex_unlock(&jobs_lock);
	return found;
}

static int run_job(struct job *j)
{
	size_t pos = 0, len = strlen(j->text);
	struct shell_words w;
	char why[160];

	if (shell_parse_next(j->text, len, &pos, j->words, &w, why, sizeof(why)) <= 0)
		return -EINVAL; /* cannot be: it was parsed once already */
	return shell_run_argv(w.argc, w.argv);
}

static void job_thread(void *arg)
{
	struct job *j = arg;
	int status;

	wait_event(&j->go, __atomic_load_n(&j->go, __ATOMIC_ACQUIRE), "the job's start line",
		   "job_start()");
	if (j->mm)
		mm_ops->use(j->mm);
	status = run_job(j);
	if (j->mm)
		mm_ops->use(NULL);
	mutex_lock(&jobs_lock);
	j->status = status;
	j->done = true;
	mutex_unlock(&jobs_lock);
	wake_up(&shell_events);
	thread_exit(abs(status));
}

/* The record of a new job, not yet in the list, without a thread. NULL: no memory. */
static struct job *job_alloc(const char *text, size_t len)
{
	struct job *j = calloc(1, sizeof(*j));

	if (!j)
		return NULL;
	j->text = malloc(len + 1);
	j->words = malloc(len + 1);
	if (!j->text || !j->words) {
		job_free(j);
		return NULL;
	}
	memcpy(j->text, text, len);
	j->text[len] = '\0';
	j->mm = mm_ops ? current_thread()->mm : NULL;
	if (j->mm)
		mm_ops->get(j->mm);
	j->started_ns = clock_ns();
	return j;
}

/* Gives the job its number, thread and place in the list. Under jobs_lock. */
static int job_enlist(struct job *j)
{
	if (nr_jobs == MAX_JOBS)
		return shell_fail(-EAGAIN,
				  "%d jobs are running already: `wait` for one, or `kill %%N`",
				  MAX_JOBS);
	j->thread = thread_create(j->text, job_thread, j, 0);
	if (!j->thread)
		return shell_fail(-ENOMEM, "no memory for the thread of a job");
	j->id = ++last_id;
	nr_jobs++;
	TAILQ_INSERT_TAIL(&jobs, j, link);
	return 0;
}

int job_start(const char *text, size_t len)
{
	struct job *j = job_alloc(text, len);
	int err;

	if (!j)
		return shell_fail(-ENOMEM, "no memory for a job");
	mutex_lock(&jobs_lock);
	err = job_enlist(j);
	mutex_unlock(&jobs_lock);
	if (err) {
		job_free(j);
		return err;
	}
	kprintf("[job %u] started\n", j->id);
	__atomic_store_n(&j->go, true, __ATOMIC_RELEASE);
	wake_up(&j->go);
	return 0;
}

/* Takes the first finished job out of the list; NULL: none. */
static struct job *take_finished(void)
{
	struct job *j;

	mutex_lock(&jobs_lock);
	TAILQ_FOREACH (j, &jobs, link)
		if (j->done)
			break;
	if (j) {
		TAILQ_REMOVE(&jobs, j, link);
		nr_jobs--;
		jobs_failed += j->status != 0;
	}
	mutex_unlock(&jobs_lock);
	return j;
}

#define MAX_BESIDE 4
static struct {
	bool (*ready)(void);
	void (*report)(void);
} beside[MAX_BESIDE];
static unsigned nr_beside; /* grows at boot only */

void shell_at_prompt(bool (*ready)(void), void (*report)(void))
{
	ASSERT(nr_beside < MAX_BESIDE, "at most %d kinds of things end beside the shell",
	       MAX_BESIDE);
	beside[nr_beside].ready = ready;
	beside[nr_beside++].report = report;
}

void shell_wake(void)
{
	wake_up(&shell_events);
}

/* Jobs in the state `done`, the caller's own not counted. */
static unsigned count(bool done)
{
	unsigned n = 0;
	struct job *j;

	mutex_lock(&jobs_lock);
	TAILQ_FOREACH (j, &jobs, link)
		n += j->done == done && j->thread != current_thread();
	mutex_unlock(&jobs_lock);
	return n;
}

/* is there a job to report? */
static bool jobs_finished(void)
{
	return count(true) != 0;
}

bool anything_to_report(void)
{
	for (unsigned i = 0; i < nr_beside; i++)
		if (beside[i].ready())
			return true;
	return jobs_finished();
}

void jobs_report(void)
{
	struct job *j;
	char head[48];

	for (unsigned i = 0; i < nr_beside; i++)
		if (beside[i].ready())
			beside[i].report();

	while ((j = take_finished())) {
		snprintf(head, sizeof(head), "[job %u] done: status %d: ", j->id, abs(j->status));
		shell_print_line(head, j->text, strlen(j->text), "");
		thread_join(j->thread);
		job_free(j);
	}
}

unsigned jobs_running(void)
{
	return count(false);
}

unsigned jobs_drain(uint64_t ns)
{
	uint64_t deadline = clock_ns() + ns;
	bool in_time = true;

	for (;;) {
		jobs_report();
		if (!in_time || !jobs_running())
			return jobs_running();
		in_time = wait_event_until(&shell_events, jobs_finished(), deadline,
					   "the end of the jobs", "each job, when it ends");
	}
}

/* What a thread waits for; empty strings: for nothing. */
struct wait_text {
	const struct thread *thread;
	char what[160], waker[256];
};

/* Copied under the run-queue lock: the waiter and its texts lie on the stack of the thread. */
static void copy_wait(struct thread *t, void *arg)
{
	struct wait_text *x = arg;

	if (t != x->thread || !t->waiting)
		return;
	snprintf(x->what, sizeof(x->what), "%s", t->waiting->what);
	snprintf(x->waker, sizeof(x->waker), "%s", t->waiting->waker);
}

/* One line on a job: number, thread, state, command, and what it waits for. Under jobs_lock. */
static void describe(const struct job *j)
{
	struct wait_text x = {.thread = j->thread};
	uint64_t ms = (clock_ns() - j->started_ns) / 1000000;

	thread_for_each(copy_wait, &x);
	kprintf("[job %u] tid %u, %s, for %llu ms: %.60s%s%s%s%s\n", j->id, j->thread->tid,
		j->done ? "done" : thread_state_name(j->thread), (unsigned long long)ms, j->text,
		x.what[0] ? ": waits for " : "", x.what, x.what[0] ? ", woken by: " : "", x.waker);
}

void jobs_name_running(void)
{
	struct job *j;

	mutex_lock(&jobs_lock);
	TAILQ_FOREACH (j, &jobs, link)
		if (!j->done && j->thread != current_thread())
			describe(j);
	mutex_unlock(&jobs_lock);
}

static int cmd_jobs(int argc, char **argv)
{
	struct job *j;

	(void)argv;
	if (argc != 1)
		return shell_usage();
	mutex_lock(&jobs_lock);
	TAILQ_FOREACH (j, &jobs, link)
		describe(j);
	mutex_unlock(&jobs_lock);
	return 0;
}
SHELL_COMMAND(jobs, cmd_jobs, "jobs", "what runs in the background, and what each job waits for");

/* The job numbered `id`, or NULL. Under jobs_lock. */
static struct job *find_job(uint64_t id)
{
	struct job *j;

	TAILQ_FOREACH (j, &jobs, link)
		if (j->id == id)
			return j;
	return NULL;
}

static int kill_job(const char *text)
{
	struct job *j;
	uint64_t id;
	int err = shell_number("job", text, &id);

	if (err)
		return err;
	mutex_lock(&jobs_lock);
	j = find_job(id);
	if (j && !j->done)
		thread_signal(j->thread);
	mutex_unlock(&jobs_lock);
	return j ? 0 : shell_fail(-ESRCH, "no job %%%s: `jobs` lists them", text);
}

static int kill_thread(const char *text)
{
	struct thread *t = NULL;
	uint64_t tid;
	int err = shell_number("TID", text, &tid);

	if (err)
		return err;
	if (tid <= UINT32_MAX)
		t = thread_find((unsigned)tid);
	if (!t)
		return shell_fail(-ESRCH, "no thread %s: `ps` lists them", text);
	thread_signal(t);
	thread_detach(t);
	return 0;
}

static int cmd_kill(int argc, char **argv)
{
	if (argc != 2)
		return shell_usage();
	return argv[1][0] == '%' ? kill_job(argv[1] + 1) : kill_thread(argv[1]);
}
static void offer_jobs(struct shell_offers *o)
{
	char id[12];
	struct job *j;

	mutex_lock(&jobs_lock);
	TAILQ_FOREACH (j, &jobs, link) {
		snprintf(id, sizeof(id), "%u", j->id);
		shell_offer(o, id);
	}
	mutex_unlock(&jobs_lock);
}
SHELL_KIND(job, "JOB", NULL, offer_jobs);
SHELL_COMMAND(kill, cmd_kill, "kill %JOB|TID",
	      "signals a thread: a wait that can be interrupted ends with EINTR\n"
	      "A thread in a wait that cannot be interrupted keeps waiting; `ps` shows for what.");

/* Is the job numbered `id` still running? False too when there is none. */
static bool job_runs(uint64_t id)
{
	struct job *j;
	bool runs;

	mutex_lock(&jobs_lock);
	j = find_job(id);
	runs = j && !j->done && j->thread != current_thread();
	mutex_unlock(&jobs_lock);
	return runs;
}

static int wait_for(const char *text)
{
	struct job *j;
	uint64_t id;
	int status = shell_number("job", *text == '%' ? text + 1 : text, &id);

	if (status)
		return status;
	mutex_lock(&jobs_lock);
	j = find_job(id);
	mutex_unlock(&jobs_lock);
	if (!j)
		return shell_fail(-ESRCH, "no job '%s': `jobs` lists them", text);
	return wait_event_interruptible(&shell_events, !job_runs(id), "the end of a job",
					"the job, when it ends");
}

static int cmd_wait(int argc, char **argv)
{
	if (argc > 2)
		return shell_usage();
	if (argc == 2)
		return wait_for(argv[1]);
	return wait_event_interruptible(&shell_events, !jobs_running(), "the end of all jobs",
					"each job, when it ends");
}
SHELL_COMMAND(wait, cmd_wait, "wait [%JOB]",
	      "waits until a job, or every job, has ended\n"
	      "The jobs' own lines with their statuses follow when it returns.");

/* ---- what a self-test can leave behind (selftest_leaks.c): jobs of which nobody was told yet, too
 */

static int64_t count_jobs(void)
{
	mutex_lock(&jobs_lock);
	int64_t n = nr_jobs;
	mutex_unlock(&jobs_lock);
	return n;
}

/* They end by our signal: that is the test's failure, and not the command list's. */
static void end_jobs(int64_t before)
{
	unsigned failed = jobs_failed;
	struct job *j;

	mutex_lock(&jobs_lock);
	TAILQ_FOREACH (j, &jobs, link)
		if (!before && !j->done)
			thread_signal(j->thread);
	mutex_unlock(&jobs_lock);
	AWAIT(!jobs_running(), "the end of the jobs that a test left");
	jobs_drain(0);
	jobs_failed = failed;
}
SELFTEST_LEAVES(jobs, "job(s)", LEAVES_USERS, count_jobs, end_jobs);
