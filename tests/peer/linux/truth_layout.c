// SPDX-License-Identifier: MIT
/* Questions about a file that lets a block go while its page is held: who sleeps, and for whom. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hftruth.h"

#define MAIN "/d0"

static const struct operation {
	const char *name;
	int (*run)(void *f);
} operations[] = {{"truncate", do_truncate},
		  {"punch", do_punch},
		  {"collapse", do_collapse},
		  {"zero", do_zero},
		  {"insert", do_insert}};
#define OPERATIONS (sizeof(operations) / sizeof(operations[0]))

static const char *slept(enum wait w)
{
	return w == RETURNS  ? "returns at once"
	       : w == SLEEPS ? "sleeps, interruptibly"
			     : "sleeps, uninterruptibly";
}

/* F of `pages`, mapped, with page `at` held. */
static void held_f(struct f *f, uint64_t pages, uint64_t at)
{
	f_make(f, MAIN, pages);
	f_map(f);
	hold(0, f->map + at * PAGE, HFH_PIN);
}

static const char *ending(int err)
{
	return err < 0 ? "does not end at the put"
	       : err   ? "fails after the put"
		       : "ends at the put";
}

static void ask_mapped(const struct operation *o)
{
	char name[32];
	struct f f;
	struct op op;
	enum wait w;
	bool free;

	held_f(&f, 2, 0);
	w = op_start(&op, o->run, &f);
	free = g_make(&f);
	put(0);
	snprintf(name, sizeof(name), "%s.mapped", o->name);
	answer(name, "%s; %s; the block is %s meanwhile", slept(w), ending(op_end(&op)),
	       free ? "free" : "not free");
	f_end(&f);
}

/* Nobody maps F. */
static void ask_unmapped(const struct operation *o)
{
	const char *next = "the block is still the file's";
	char name[32];
	struct f f;
	struct op op;
	enum wait w;

	held_f(&f, 2, 0);
	f_unmap(&f);
	w = op_start(&op, o->run, &f);
	if (g_make(&f)) {
		device_writes(0);
		next = g_reads(&f);
	}
	put(0);
	op_end(&op);
	snprintf(name, sizeof(name), "%s.unmapped", o->name);
	answer(name, "%s; %s", slept(w), next);
	f_end(&f);
}

/* The last reference of an unlinked file goes. */
static int do_evict(void *arg)
{
	const struct f *f = arg;
	int fd = open(f->path, O_RDWR);

	if (fd < 0 || unlink(f->path))
		return errno;
	close(fd);
	return 0;
}

static void ask_evict(void)
{
	const char *next = "the block is not free";
	struct f f;
	struct op op;
	enum wait w;

	held_f(&f, 1, 0);
	f_unmap(&f);
	f_close(&f);
	w = op_start(&op, do_evict, &f);
	if (g_make(&f)) {
		device_writes(0);
		next = g_reads(&f);
	}
	put(0);
	op_end(&op);
	answer("evict", "%s; %s", slept(w), next);
	f_end(&f);
}

/* ---- signals -------------------------------------------------------------------------------- */

static void ask_signal(const char *name, int sig)
{
	struct stat st;
	struct f f;
	struct op op;
	enum wait w;
	int end;

	held_f(&f, 2, 0);
	w = op_start(&op, do_truncate, &f);
	op_kill(&op, sig);
	end = op_end(&op);
	need(!fstat(f.fd, &st), "fstat");
	put(0);
	answer(name, "%s; the signal %s; the file is %s", slept(w),
	       end == 100 + sig ? "ends it" : "does not end it",
	       st.st_size == 2 * (off_t)PAGE ? "unchanged" : "changed");
	if (end < 0)
		op_end(&op);
	f_end(&f);
}

static int restart;

static void nothing(int sig)
{
	(void)sig;
}

static int do_truncate_handled(void *f)
{
	const struct sigaction sa = {.sa_handler = nothing, .sa_flags = restart};

	sigaction(SIGUSR1, &sa, NULL);
	return do_truncate(f);
}

static void ask_handler(const char *name, int flags)
{
	struct f f;
	struct op op;
	int end;

	restart = flags;
	held_f(&f, 2, 0);
	op_start(&op, do_truncate_handled, &f);
	op_kill(&op, SIGUSR1);
	end = op_look(&op) == RETURNS ? op_end(&op) : -1;
	put(0);
	answer(name, "%s", end == EINTR ? "EINTR" : end < 0 ? "sleeps on" : "another end");
	if (end < 0)
		op_end(&op);
	f_end(&f);
}

/* ---- what is asked, and how often ------------------------------------------------------------ */

static void ask_range(const char *name, uint64_t pages, uint64_t held, bool unmap)
{
	struct f f;
	struct op op;
	enum wait w;
	int end;

	held_f(&f, pages, held);
	if (unmap)
		f_unmap(&f);
	w = op_start(&op, do_punch, &f);
	put(0);
	end = op_end(&op);
	if (w == RETURNS)
		answer(name, "%s", slept(w));
	else
		answer(name, "%s; %s", slept(w), ending(end));
	f_end(&f);
}

/* A holder that comes back before the waiter has looked, a thousand times. */
static void ask_starved(void)
{
	unsigned rounds = 0;
	struct f f;
	struct op op;
	enum wait w = SLEEPS;

	held_f(&f, 1, 0);
	op_start(&op, do_truncate, &f);
	/* On one CPU this one runs first, so it comes back in time. */
	need(!sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = 1}),
	     "sched_setscheduler");
	for (; rounds < 1000 && w != RETURNS; rounds++) {
		put(0);
		*(volatile char *)f.map = 'x';
		hold(0, f.map, HFH_PIN);
		pass(5);
		if (rounds % 100 == 99)
			w = op_look(&op);
	}
	need(!sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){0}), "sched_setscheduler");
	put(0);
	answer("starved", "%s after 1000 puts; %s",
	       rounds == 1000 && w == SLEEPS ? "still asleep" : "done", ending(op_end(&op)));
	f_end(&f);
}

void ask_layout(void)
{
	for (size_t i = 0; i < OPERATIONS; i++)
		ask_mapped(&operations[i]);
	for (size_t i = 0; i < OPERATIONS; i++)
		ask_unmapped(&operations[i]);
	ask_evict();
	ask_signal("signal.term", SIGTERM);
	ask_signal("signal.kill", SIGKILL);
	ask_handler("signal.handler", 0);
	ask_handler("signal.restart", SA_RESTART);
	ask_range("range.page", 2, 1, false);
	ask_range("range.2m", HUGE / PAGE, 5, false);
	ask_range("range.unmapped", 2, 1, true);
	ask_starved();
}
