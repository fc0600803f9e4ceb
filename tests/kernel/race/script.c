/* SPDX-License-Identifier: MIT */
/*
 * The engine of scripts: a director who gives turns, actors who take them. See internal.h.
 *
 * An actor waits for a piece, runs it, waits again. The director gives it one and looks, a few
 * times a second of the clock, until it has settled. "Settled asleep" is not a matter of patience:
 * the actor sleeps, and so does everybody else, so nobody is there who could wake it but a device
 * or a timer. The look is taken three times in a row, for what was just about to be woken.
 */
#include <stdarg.h>

#include "drivers/show/show.h"
#include "tests/kernel/race/internal.h"

#define LOOK_NS 200000ull

/* ---- actors --------------------------------------------------------------------------------- */

static void run_piece(struct actor *a)
{
	bool stops = a->stop.name != NULL;

	if (stops && step_stop(&a->stop)) {
		warn("race: '%s' is no step point, or all debug registers are taken", a->stop.name);
		stops = false;
	}
	do
		a->err = a->piece(a->script);
	while (!a->asks_once && race_asks_again(a->script->lt, &a->err));
	if (stops)
		step_unstop(&a->stop);
	snprintf(a->why, sizeof(a->why), "%s", a->err ? refusal() : "");
	signal_clear();
	a->stop.name = NULL;
	/* The result before the end of the piece, else the director reads the last one's. */
	__atomic_store_n(&a->piece, NULL, __ATOMIC_RELEASE);
}

static bool has_turn(struct actor *a)
{
	return __atomic_load_n(&a->piece, __ATOMIC_ACQUIRE) ||
	       __atomic_load_n(&a->quit, __ATOMIC_ACQUIRE);
}

static void act(void *arg)
{
	struct actor *a = arg;

	mm_use(a->mm);
	for (;;) {
		wait_event(a, has_turn(a), "its turn in the script", "the director");
		if (!a->piece)
			break;
		run_piece(a);
	}
	mm_use(NULL);
}

/* A CPU for the next actor: 0, or the next one that nobody has. */
static unsigned choose_cpu(struct script *s, unsigned flags)
{
	unsigned cpu = 1;

	if (!(flags & ACTOR_OWN_CPU))
		return 0;
	for (unsigned i = 0; i < s->nr_actors; i++)
		cpu += (s->actor[i].flags & ACTOR_OWN_CPU) != 0;
	ASSERT(cpu < nr_cpus, "race %s: WANTS(.cpus = %u) is missing", s->race->name, cpu + 1);
	return cpu;
}

struct actor *script_actor(struct script *s, const char *name, unsigned flags)
{
	struct actor *a = &s->actor[s->nr_actors];

	ASSERT(s->nr_actors < SCRIPT_ACTORS && !s->header_printed,
	       "a script has at most %d actors, all known before its first line", SCRIPT_ACTORS);
	*a = (struct actor){.script = s, .flags = flags, .cpu = choose_cpu(s, flags)};
	snprintf(a->name, sizeof(a->name), "%s", name);
	a->mm = flags & ACTOR_OWN_MM ? mm_create(name) : s->mm;
	if (a->mm)
		a->thread = thread_create(name, act, a, 1u << a->cpu);
	ASSERT(a->thread, "race %s: no memory for an actor", s->race->name);
	s->nr_actors++;
	return a;
}

bool script_at_work(const struct actor *a)
{
	return __atomic_load_n(&a->piece, __ATOMIC_ACQUIRE) != NULL;
}

void script_dismiss(struct actor *a)
{
	ASSERT(!script_at_work(a), "race %s ends while %s is still at work", a->script->race->name,
	       a->name);
	__atomic_store_n(&a->quit, true, __ATOMIC_RELEASE);
	wake_up(a);
	thread_join(a->thread);
	if (a->flags & ACTOR_OWN_MM)
		mm_put(a->mm);
}

/* ---- turns ---------------------------------------------------------------------------------- */

/* A stopped actor that others need an answer from (selftest.h): do actors? Interrupts off. */
static bool actors_want(struct step_stop *st)
{
	const struct actor *me = st->arg;
	struct script *s = me->script;

	for (unsigned i = 0; i < s->nr_actors; i++)
		if (&s->actor[i] != me && cpu_call_waits_for(s->actor[i].thread))
			return true;
	return false;
}

void script_stop_at(struct actor *a, const char *point, unsigned pass)
{
	ASSERT(!script_at_work(a), "%s has its piece already", a->name);
	a->stop = (struct step_stop){.name = point,
				     .pass = pass,
				     .deadline = clock_ns() + 2 * SCRIPT_PATIENCE,
				     .wanted = actors_want,
				     .arg = a};
}

static bool asleep(const struct actor *a)
{
	char what[8], waker[8];

	return script_waits_for(a, what, sizeof(what), waker, sizeof(waker));
}

enum actor_state script_look(struct actor *a)
{
	unsigned quiet = 0, looks = 0;

	while (script_at_work(a)) {
		if (a->stop.name && step_stopped(&a->stop))
			return ACTOR_STOPPED;
		quiet = asleep(a) && !script_somebody_runs(a->script) ? quiet + 1 : 0;
		if (quiet == QUIET_SURE)
			return ACTOR_ASLEEP;
		looks += !quiet;
		ASSERT(looks < PATIENCE_LOOKS,
		       "race %s: %s did not come to an end or to a sleep "
		       "within two minutes, and something still runs",
		       a->script->race->name, a->name);
		thread_sleep_ns(look_ns(LOOK_NS, quiet ? 0 : looks));
	}
	return ACTOR_DONE;
}

/* For who watches: what the actor did, and what became of it. */
static void show(const struct actor *a, enum actor_state st, const char *text)
{
	static const char *const became[] = {[ACTOR_DONE] = "",
					     [ACTOR_ASLEEP] = ", and sleeps",
					     [ACTOR_STOPPED] = ", and is stopped"};
	char line[300];

	snprintf(line, sizeof(line), "%s%s", text,
		 st == ACTOR_DONE && a->err ? ", and fails" : became[st]);
	show_step(a->name, line);
}

/* What became of the piece, in its column. */
static enum actor_state tell(struct actor *a, enum actor_state st, const char *text)
{
	char what[200], waker[200];

	if (st == ACTOR_STOPPED)
		script_say(a, "stopped at %s%s", a->stop.name,
			   a->stop.state == STEP_SPINS_DEAF ? ", interrupts off" : "");
	else if (st == ACTOR_ASLEEP &&
		 script_waits_for(a, what, sizeof(what), waker, sizeof(waker)))
		script_say(a, "sleeps: %s", what);
	else if (st == ACTOR_DONE && a->err)
		script_say(a, "= %s: %s", errno_name(a->err), a->why);
	show(a, st, text);
	return st;
}

static enum actor_state start(struct actor *a, piece_fn fn, const char *text)
{
	ASSERT(!script_at_work(a), "%s gets a piece while it has one", a->name);
	script_line(a, true, text);
	__atomic_store_n(&a->piece, fn, __ATOMIC_RELEASE);
	wake_up(a);
	return script_look(a);
}

#define FORMAT(text, fmt)                                                                          \
	do {                                                                                       \
		va_list ap__;                                                                      \
		va_start(ap__, fmt);                                                               \
		vsnprintf(text, sizeof(text), fmt, ap__);                                          \
		va_end(ap__);                                                                      \
	} while (0)

enum actor_state script_step(struct actor *a, piece_fn fn, const char *fmt, ...)
{
	char text[240];

	FORMAT(text, fmt);
	return tell(a, start(a, fn, text), text);
}

enum actor_state script_go(struct actor *a, const char *fmt, ...)
{
	char text[240];
	unsigned stops;

	FORMAT(text, fmt);
	script_line(a, true, text);
	ASSERT(a->stop.name && script_at_work(a), "%s was not stopped", a->name);
	stops = __atomic_load_n(&a->stop.stops, __ATOMIC_ACQUIRE);
	step_go(&a->stop);
	/* It may be stopped again, but not still. */
	while (step_stopped(&a->stop) && stops == __atomic_load_n(&a->stop.stops, __ATOMIC_ACQUIRE))
		thread_sleep_ns(LOOK_NS);
	return tell(a, script_look(a), text);
}

/*
 * Until the piece is done. Where nothing but a timer can help, the clock is moved on to it. False:
 * it never will be, or 60 s of the clock went by.
 */
bool script_finish(struct actor *a, const char **how)
{
	uint64_t deadline = clock_ns() + SCRIPT_PATIENCE;
	unsigned dead = 0, looks = 0;
	bool over = false;

	while (script_at_work(a)) {
		enum quiet q;

		*how = dead == QUIET_SURE ? "nothing runnable, no event pending" : "60 s went by";
		if (dead == QUIET_SURE || over)
			return false;
		ASSERT(looks < PATIENCE_LOOKS,
		       "race %s: %s did not come to an end within two "
		       "minutes, and something still runs",
		       a->script->race->name, a->name);
		q = script_skip(a->script, UINT64_MAX, look_ns(LOOK_NS, dead ? 0 : looks));
		looks += q == QUIET_NOT;
		dead = q == QUIET_DEAD ? dead + 1 : 0;
		over = q == QUIET_TIMER && clock_ns() > deadline;
	}
	return true;
}

static bool must_finish(struct actor *a)
{
	const char *how;

	if (script_finish(a, &how))
		return true;
	script_hung(a, how);
	return false;
}

void script_pass_time(struct script *s, uint64_t ns)
{
	uint64_t end = clock_ns() + ns, now;
	unsigned dead = 0, looks = 0;

	while ((now = clock_ns()) < end && dead < QUIET_SURE)
		dead = script_skip(s, end, look_ns(LOOK_NS, looks++)) == QUIET_DEAD ? dead + 1 : 0;
	if (now < end)
		clock_skip(end - now);
	while (script_somebody_runs(s)) /* the host's time is no time for them */
		thread_sleep_ns(LOOK_NS);
}

bool script_await(struct actor *a, const char *fmt, ...)
{
	char text[240];

	FORMAT(text, fmt);
	if (!must_finish(a))
		return false;
	script_line(a, true, text);
	tell(a, ACTOR_DONE, text);
	return true;
}

static bool try(struct actor *a, piece_fn fn, const char *text)
{
	if (start(a, fn, text) != ACTOR_DONE && !must_finish(a))
		return false;
	tell(a, ACTOR_DONE, text);
	return true;
}

bool script_try(struct actor *a, piece_fn fn, const char *fmt, ...)
{
	char text[240];

	FORMAT(text, fmt);
	return try(a, fn, text);
}

bool script_run(struct actor *a, piece_fn fn, const char *fmt, ...)
{
	char text[240];

	FORMAT(text, fmt);
	if (!try(a, fn, text))
		return false;
	if (a->err)
		script_verdict(a->script, RACE_SKIP, "step %u failed: %s: %s", a->script->line,
			       errno_name(a->err), a->why);
	return a->err == 0;
}
