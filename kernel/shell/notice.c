/* SPDX-License-Identifier: MIT */
/*
 * Notices: a sentence for a thread about something that it holds, in place of a signal.
 *
 * Whoever is about to take something away from a thread that does not wait for it (the lease of a
 * mapping) posts a notice to that thread. It interrupts nothing: the thread takes it when it likes.
 * A command's thread is the shell, which prints its notices between commands and at the prompt, and
 * those of threads that have ended: what they made may live on, and somebody has to be told.
 *
 * There is room for a fixed number, so that posting cannot fail; if nobody takes them the oldest
 * goes, and that one is missing is told with the next.
 */
#include "kernel/kernel.h"
#include "kernel/shell/internal.h"

#define NOTICES 32u

static struct {
	struct spinlock lock; /* with interrupts off */
	struct notice {
		unsigned tid;
		char text[NOTICE_TEXT];
	} at[NOTICES]; /* oldest first */
	unsigned nr;   /* zero: none is posted; read without the lock by who only wants to know */
	unsigned lost; /* zero: none since the last one was taken */
} notices = {.lock = SPINLOCK_INIT("notices")};

/* lock held. */
static void shift_out(unsigned i)
{
	notices.nr--;
	memmove(&notices.at[i], &notices.at[i + 1], (notices.nr - i) * sizeof(notices.at[0]));
}

void notice_post(unsigned tid, const char *fmt, ...)
{
	uint64_t flags = spin_lock_irqsave(&notices.lock);
	struct notice *n;
	va_list ap;

	if (notices.nr == NOTICES) {
		shift_out(0);
		notices.lost++;
	}
	n = &notices.at[notices.nr];
	n->tid = tid;
	va_start(ap, fmt);
	vsnprintf(n->text, sizeof(n->text), fmt, ap);
	va_end(ap);
	notices.nr++;
	spin_unlock_irqrestore(&notices.lock, flags);
	shell_wake();
}

struct wanted_thread {
	unsigned tid;
	bool found;
};

static void look_for(struct thread *t, void *arg)
{
	struct wanted_thread *w = arg;

	w->found = w->found || (t->tid == w->tid && !t->done);
}

static bool has_ended(unsigned tid)
{
	struct wanted_thread w = {.tid = tid};

	thread_for_each(look_for, &w);
	return !w.found;
}

/* The first notice of thread `tid`, or, `orphans`, of one that has ended; NOTICES: none. lock held.
 */
static unsigned find(unsigned tid, bool orphans)
{
	unsigned i = 0;

	while (i < notices.nr && notices.at[i].tid != tid &&
	       !(orphans && has_ended(notices.at[i].tid)))
		i++;
	return i < notices.nr ? i : NOTICES;
}

static bool any(void)
{
	return __atomic_load_n(&notices.nr, __ATOMIC_ACQUIRE) != 0;
}

/* Into buf. *lost: how many went before anybody took them. */
static bool take(bool orphans, char *buf, unsigned n, unsigned *lost)
{
	uint64_t flags;
	unsigned i;

	if (!any())
		return false;
	flags = spin_lock_irqsave(&notices.lock);
	i = find(current_thread()->tid, orphans);
	if (i < NOTICES) {
		snprintf(buf, n, "%s", notices.at[i].text);
		shift_out(i);
		*lost = notices.lost;
		notices.lost = 0;
	}
	spin_unlock_irqrestore(&notices.lock, flags);
	return i < NOTICES;
}

bool notice_take(char *buf, unsigned n)
{
	unsigned lost;

	return take(false, buf, n, &lost);
}

/* ---- the shell's */

static bool is_ready(void)
{
	uint64_t flags;
	bool ready;

	if (!any())
		return false;
	flags = spin_lock_irqsave(&notices.lock);
	ready = find(current_thread()->tid, true) < NOTICES;
	spin_unlock_irqrestore(&notices.lock, flags);
	return ready;
}

static void report(void)
{
	char text[NOTICE_TEXT];
	unsigned lost = 0;

	while (take(true, text, sizeof(text), &lost)) {
		if (lost)
			kprintf("notice: %u older one(s) are lost\n", lost);
		kprintf("notice: %s\n", text);
	}
}

/* ---- what a self-test leaves */

static int64_t count_notices(void)
{
	return __atomic_load_n(&notices.nr, __ATOMIC_ACQUIRE);
}

static void drop_newest(int64_t before)
{
	uint64_t flags = spin_lock_irqsave(&notices.lock);

	notices.nr = MIN(notices.nr, (unsigned)before);
	spin_unlock_irqrestore(&notices.lock, flags);
}
SELFTEST_LEAVES(notices, "notice(s) that nobody took", LEAVES_LAST, count_notices, drop_newest);

static int notices_init(const struct boot_info *bi)
{
	(void)bi;
	shell_at_prompt(is_ready, report);
	return 0;
}
INITCALL(INIT_LATE, notices, "notices", notices_init);
