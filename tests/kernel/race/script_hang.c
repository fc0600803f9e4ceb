/* SPDX-License-Identifier: MIT */
/*
 * The watchdog: when is it certain that a sleeper will never wake, and who is to blame?
 *
 * A thread is woken by another thread, by a device or by a timer. So when no thread can run, no
 * device is at work and no timer is armed, nothing will ever happen again: no patience is needed to
 * say so. What the sleeper waits for it says itself (sync.h); who holds the page it waits for, and
 * where in the code that was taken, is in the lists of holders.
 */
#include "tests/kernel/race/internal.h"

/* ---- who runs, who sleeps ------------------------------------------------------------------- */

static bool is_stopped_actor(const struct thread *t, void *arg)
{
	const struct script *s = arg;

	for (unsigned i = 0; i < s->nr_actors; i++)
		if (s->actor[i].thread == t)
			return s->actor[i].stop.name && step_stopped(&s->actor[i].stop);
	return false;
}

bool script_somebody_runs(struct script *s)
{
	return quiet_somebody_runs(is_stopped_actor, s);
}

/* Of kernel/sched/sched.h; actors that are stopped at a step point do not count. */
static enum quiet script_quiet(struct script *s)
{
	return quiet_look(is_stopped_actor, s);
}

/*
 * After a skip: until whatever was due has run, and whoever it woke sleeps again. A sleep of our
 * own instead would be one more timer and two more halts of a CPU for each of the 6,000 looks that
 * a poll by the tick has in a minute. But not for ever: a device may be at work by now.
 */
static void catch_up(struct script *s, uint64_t look_ns)
{
	for (unsigned i = 0; i < 100; i++) {
		if (timer_first() > clock_ns() && script_quiet(s) != QUIET_NOT)
			return;
		thread_yield();
	}
	thread_sleep_ns(look_ns);
}

enum quiet script_skip(struct script *s, uint64_t end, uint64_t look_ns)
{
	enum quiet q = script_quiet(s);
	uint64_t next = timer_first(), now = clock_ns();

	if (q == QUIET_TIMER && next != UINT64_MAX && next > now && now < end) {
		clock_skip(MIN(next, end) - now);
		catch_up(s, look_ns);
	} else {
		thread_sleep_ns(look_ns);
	}
	return q;
}

struct sleeper {
	const struct thread *thread;
	char *what, *waker;
	unsigned n, m;
	const void *key;
	uint64_t since;
	bool found;
};

/* Under the run-queue lock: the waiter on the sleeper's stack cannot go away. */
static void copy_waiter(struct thread *t, void *arg)
{
	struct sleeper *sl = arg;

	if (t != sl->thread || t->state != THREAD_SLEEPING || !t->waiting)
		return;
	snprintf(sl->what, sl->n, "%s", t->waiting->what);
	snprintf(sl->waker, sl->m, "%s", t->waiting->waker);
	sl->key = t->waiting->key;
	sl->since = t->waiting->since_ns;
	sl->found = true;
}

bool script_waits_for(const struct actor *a, char *what, unsigned n, char *waker, unsigned m)
{
	struct sleeper sl = {.thread = a->thread, .what = what, .waker = waker, .n = n, .m = m};

	thread_for_each(copy_waiter, &sl);
	return sl.found;
}

/* ---- the report ----------------------------------------------------------------------------- */

static void report_sleeper(const struct actor *a)
{
	char what[200], waker[200];
	struct sleeper sl = {.thread = a->thread,
			     .what = what,
			     .waker = waker,
			     .n = sizeof(what),
			     .m = sizeof(waker)};

	thread_for_each(copy_waiter, &sl);
	if (sl.found)
		race_say("%s waits for %s, for %lu ms; would be woken by %s", a->name, what,
			 (clock_ns() - sl.since) / 1000000, waker);
	else
		race_say("%s runs, and does not come to an end", a->name);
}

static void report_page(const struct script *s)
{
	char who[300];

	if (!s->page || !page_record_exists(s->page))
		return;
	holders_describe_where(page_to_record(s->page), who, sizeof(who));
	race_say("pfn 0x%lx: %u reference(s), %u mapping(s), rest %u; held by: %s",
		 page_to_pfn(s->page), page_refs(page_to_record(s->page)),
		 page_maps(page_to_record(s->page)), s->lt->rest, who);
}

void script_hung(struct actor *a, const char *how)
{
	struct script *s = a->script;
	char what[120] = "nothing", waker[120] = "";

	race_say("watchdog: %s", how);
	for (unsigned i = 0; i < s->nr_actors; i++)
		if (script_at_work(&s->actor[i]))
			report_sleeper(&s->actor[i]);
	report_page(s);
	script_waits_for(a, what, sizeof(what), waker, sizeof(waker));
	script_verdict(s, RACE_HUNG, "%s: %s waits for %s", how, a->name, what);
	script_free_actors(s);
}

/* ---- ending what hangs ---------------------------------------------------------------------- */

static bool all_done(const struct script *s)
{
	for (unsigned i = 0; i < s->nr_actors; i++)
		if (script_at_work(&s->actor[i]))
			return false;
	return true;
}

/* Wakes whoever sleeps, whatever for: those whose condition has come true go on. */
static void wake_sleepers(struct script *s, bool interrupt)
{
	char none[2];

	for (unsigned i = 0; i < s->nr_actors; i++) {
		struct actor *a = &s->actor[i];
		struct sleeper sl = {.thread = a->thread, .what = none, .waker = none};

		if (!script_at_work(a))
			continue;
		a->stop.again = false;
		if (a->stop.name)
			step_go(&a->stop);
		if (interrupt)
			thread_signal(a->thread);
		thread_for_each(copy_waiter, &sl);
		if (sl.found)
			wake_up(sl.key);
	}
}

/* The stage stays as it is, actors and all: no later race may be set up on it (lacks()). */
static void give_up(struct script *s)
{
	s->stuck = true;
	for (unsigned i = 0; i < s->nr_actors; i++)
		if (script_at_work(&s->actor[i]))
			report_sleeper(&s->actor[i]);
	report_page(s);
	script_verdict(s, RACE_HUNG, "an actor cannot be ended; no race runs until the next boot");
}

/*
 * First what a person would do: a signal. Then everything is given back, so that who cannot be
 * interrupted finds what it waits for. Then the play's own rescue.
 */
void script_free_actors(struct script *s)
{
	for (unsigned round = 0; !all_done(s); round++) {
		uint64_t next = timer_first(), now = clock_ns();

		if (round == 20)
			script_put_held(s);
		if (round >= 40 && s->rescue)
			s->rescue(s);
		if (round == 2000) {
			give_up(s);
			return;
		}
		wake_sleepers(s, true);
		if (script_quiet(s) == QUIET_TIMER && next != UINT64_MAX && next > now)
			clock_skip(next - now);
		thread_sleep_ns(1000000);
	}
}
