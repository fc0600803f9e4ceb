/* SPDX-License-Identifier: MIT */
/*
 * A command at the prompt that takes long says what it waits for: after 2 seconds, 4, 8, and so on.
 *
 * A timer of the shell's looks at the command's thread and prints a line of its own; it never moves
 * the cursor, so what the command prints stays as it is. What is made of pieces (a batch) tells of
 * them itself, and its races ask whether a timer is armed at all: there this one is not armed
 * again. Between two pieces a batch may say how many are done, at most once in two seconds; a list
 * of commands, whose output is read by programs, does not.
 */
#include "kernel/shell/internal.h"
#include "kernel/sched/internal.h"

#define FIRST_S 2u

static struct {
	struct timer timer;
	bool on; /* atomic; zero: the command is over, and the timer's look says nothing */
	const struct thread *thread;
	const char *text; /* of the command, len bytes */
	size_t len;
	uint64_t began_ns, next_s;
} waiting;

struct seen {
	const struct thread *thread;
	char what[100]; /* empty: it does not sleep */
};

/* Under the run-queue lock, where the waiter on the thread's stack cannot go away. */
static void copy_what(struct thread *t, void *arg)
{
	struct seen *s = arg;

	if (t == s->thread && t->state == THREAD_SLEEPING && t->waiting)
		snprintf(s->what, sizeof(s->what), "%s", t->waiting->what);
}

static void arm(void (*fn)(struct timer *t))
{
	timer_arm(&waiting.timer, waiting.began_ns + waiting.next_s * 1000000000, fn);
}

static void tell(struct timer *t)
{
	struct seen s = {.thread = waiting.thread};

	(void)t;
	if (!__atomic_load_n(&waiting.on, __ATOMIC_ACQUIRE) ||
	    __atomic_load_n(&waiting.thread->batch, __ATOMIC_RELAXED))
		return;
	thread_for_each(copy_what, &s);
	kprintf("[%lu s] %.*s: %s%s\n", waiting.next_s, (int)MIN(waiting.len, (size_t)100),
		waiting.text, s.what[0] ? "waits for " : "at work", s.what);
	waiting.next_s *= 2;
	arm(tell);
}

void waiting_begin(const char *text, size_t len)
{
	waiting.thread = current_thread();
	waiting.text = text;
	waiting.len = len;
	waiting.began_ns = clock_ns();
	waiting.next_s = FIRST_S;
	__atomic_store_n(&waiting.on, true, __ATOMIC_RELEASE);
	arm(tell);
}

void waiting_end(void)
{
	__atomic_store_n(&waiting.on, false, __ATOMIC_RELEASE);
	/* A look that was under way may have armed the timer once more; the next one cannot. */
	timer_cancel_wait(&waiting.timer);
	timer_cancel_wait(&waiting.timer);
}

/* ---- a batch and its pieces */

static struct {
	const struct thread *thread; /* NULL: no batch runs at the prompt */
	uint64_t next_ns;
} pieces;

void pieces_begin(void)
{
	pieces.next_ns = clock_ns() + FIRST_S * 1000000000ull;
	__atomic_store_n(&pieces.thread, current_thread(), __ATOMIC_RELEASE);
}

void pieces_done(unsigned done, unsigned of)
{
	if (__atomic_load_n(&pieces.thread, __ATOMIC_ACQUIRE) != current_thread() ||
	    clock_ns() < pieces.next_ns)
		return;
	kprintf("# %u of %u\n", done, of);
	pieces.next_ns = clock_ns() + FIRST_S * 1000000000ull;
}

void pieces_end(void)
{
	__atomic_store_n(&pieces.thread, NULL, __ATOMIC_RELEASE);
}
