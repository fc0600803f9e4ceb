/* SPDX-License-Identifier: MIT */
/*
 * G: what it costs to refuse instead of waiting (lifetime refuse-busy).
 *
 * G-2, G-3 and G-5 are played with callers that ask once. They break no invariant, and say so: what
 * they show is told in the lines, and a play that does not show it is a skip, which is a surprise.
 * The self-tests lifetime.refuse-busy.* hold it, too.
 */
#include "dax/lifetime/internal.h"
#include "tests/kernel/race/internal.h"

/* ---- G-1: a holder forbids truncate, for ever ---------------------------------------------- */

static int map_to_read(struct script *s)
{
	int err = dax_mmap(current_mm(), s->f, 0, s->pages, false, &s->va);
	uint64_t word;

	return err ? err : load_checked((const uint64_t *)s->va, &word);
}

/* No right to write the file is asked for. */
static int pin_to_read(struct script *s)
{
	return script_hold(s, get_user_pages_fast(s->va, 1, FOLL_PIN, s->held));
}

static void g1_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0);

	if (script_f(s, 1) || !script_run(t1, map_to_read, "maps F to read, and reads it") ||
	    !script_run(t1, pin_to_read, "pins the page to read it, and will never put it"))
		return;
	/* A block that goes under a reader is nobody's damage: its next owner's bytes stay. */
	if (script_step(t2, piece_punch, "punches the page out of F") == ACTOR_DONE)
		script_verdict(s, RACE_SAFE, "%s", "");
	else
		script_await(t2, "is through");
}
SCRIPT(g1, "G-1", g1_play, "a holder that may only read F keeps its owner from truncating it",
       WANTS(0), {"unaware", RACE_SAFE}, {"lease-poll", RACE_HUNG}, {"idle-at-one", RACE_HUNG},
       {"zap-to-zero", RACE_HUNG}, {"counted-map", RACE_HUNG}, {"refuse-busy", RACE_HUNG},
       {"busy-extent", RACE_SAFE});

/* ---- G-2: unmapped, though it failed -------------------------------------------------------- */

static bool f_is_mapped(const struct script *s)
{
	const uint64_t *pte = pte_walk(s->mm->root, s->va, 1, false, NULL);

	return pte && (*pte & PTE_P);
}

/* Refused: F has its page, its bytes and its mapping; but not the page-table entry. */
static void g2_refused(struct script *s, struct actor *t1, struct actor *t2)
{
	if (f_is_mapped(s)) {
		script_verdict(s, RACE_SKIP, "the refused punch has unmapped nothing");
		return;
	}
	script_say(t2, "F's page-table entry is gone all the same");
	if (!script_run(t1, piece_touch_first, "stores to F: one more fault") ||
	    !script_run(t1, piece_unpin, "puts the page"))
		return;
	t2->asks_once = false;
	if (script_run(t2, piece_punch, "punches again, and is not refused"))
		script_verdict(s, RACE_SAFE, "%s", "");
}

static void g2_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0),
		     *t3 = script_actor(s, "T3", 0);

	if (script_f(s, 1) || !script_run(t1, piece_map, "maps F and stores to it") ||
	    !script_run(t1, piece_pin, "pins the page for a device"))
		return;
	t2->asks_once = true;
	if (script_step(t2, piece_punch, "punches the page out of F, once") == ACTOR_DONE &&
	    t2->err == -EAGAIN)
		g2_refused(s, t1, t2);
	else
		script_g_after(s, t2, t3, t1);
}
SCRIPT(g2, "G-2", g2_play, "a punch that is refused: what has it done?", WANTS(.edus = 1),
       {"unaware", RACE_BROKEN_I1}, {"lease-poll", RACE_SAFE}, {"idle-at-one", RACE_SAFE},
       {"zap-to-zero", RACE_SAFE}, {"counted-map", RACE_SAFE}, {"refuse-busy", RACE_SAFE},
       {"busy-extent", RACE_SAFE});

/* ---- G-3: neither old nor new --------------------------------------------------------------- */

static int pin_first(struct script *s)
{
	return script_hold(s, get_user_pages_fast(s->va, 1, FOLL_PIN | FOLL_WRITE, s->held));
}

/* Wants F empty; where that is refused, up to the page that is in the way. */
static int cut_what_goes(struct script *s)
{
	int err = dax_truncate(s->f, 0), then;
	char why[160];

	if (err != -EAGAIN)
		return err;
	snprintf(why, sizeof(why), "%s", refusal());
	then = dax_truncate(s->f, (s->f->last_break.busy_page + 1) * PAGE_SIZE);
	return then ? then : refuse(err, "%s", why);
}

/* The wait ends, by a refusal or by a signal: what is F now? */
static void g3_judge(struct script *s, struct actor *t2)
{
	const uint64_t pages = s->f->size / PAGE_SIZE;

	script_say(t2, "gives up: F had 2 pages, was to have none, and has %lu", pages);
	if (pages != (s->lt->refuses ? 1 : 2))
		script_verdict(s, RACE_SKIP, "F has %lu page(s)", pages);
	else
		script_verdict(s, RACE_SAFE, "%s", "");
}

static void g3_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0),
		     *t3 = script_actor(s, "T3", 0);
	enum actor_state st;

	if (script_f(s, 2) || !script_run(t1, piece_map, "maps F and stores to its two pages") ||
	    !script_run(t1, pin_first, "pins the first page for a device"))
		return;
	t2->asks_once = true;
	st = script_step(t2, cut_what_goes, "truncates F to nothing; refused, to what can go");
	if (st == ACTOR_ASLEEP) {
		thread_signal(t2->thread);
		if (!script_await(t2, "a signal ends the wait"))
			return;
	}
	if (t2->err == -EAGAIN || t2->err == -EINTR)
		g3_judge(s, t2);
	else
		script_g_after(s, t2, t3, t1);
}
SCRIPT(g3, "G-3", g3_play, "who truncates what can go, and gives up, leaves half a file",
       WANTS(.edus = 1), {"unaware", RACE_BROKEN_I1}, {"lease-poll", RACE_BROKEN_I1}, /* B-7 */
       {"idle-at-one", RACE_SAFE}, {"zap-to-zero", RACE_SAFE}, {"counted-map", RACE_SAFE},
       {"refuse-busy", RACE_SAFE}, {"busy-extent", RACE_SAFE});

/* ---- G-4: the put tells nobody -------------------------------------------------------------- */

/* T1 has put the page, and T2 was asleep: is it awake now, before any clock rings? */
static enum actor_state g4_put(struct actor *t1, struct actor *t2)
{
	enum actor_state st = ACTOR_STOPPED;

	race_hold_asks(true);
	if (script_run(t1, piece_unpin, "puts the page: nobody holds it any more"))
		st = script_look(t2);
	race_hold_asks(false);
	return st;
}

static void g4_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0),
		     *t3 = script_actor(s, "T3", 0);
	enum actor_state st;
	unsigned long polls;

	if (script_f(s, 1) || !script_run(t1, piece_map, "maps F and stores to it"))
		return;
	do { /* until no look at a lease, once a second, falls between the put and the judgement */
		if (!script_run(t1, piece_rewrite, "writes F, and stores to it") ||
		    !script_run(t1, piece_pin, "pins the page for a device"))
			return;
		if (script_step(t2, piece_punch, "punches the page out of F") == ACTOR_DONE) {
			script_g_after(s, t2, t3, t1);
			return;
		}
		polls = __atomic_load_n(&lease_polls, __ATOMIC_RELAXED);
		st = g4_put(t1, t2);
	} while (st == ACTOR_DONE && polls != __atomic_load_n(&lease_polls, __ATOMIC_RELAXED));
	if (st == ACTOR_ASLEEP)
		script_verdict(s, RACE_BROKEN_I4,
			       "the last put woke nobody: T2 sleeps until a clock rings");
	else
		script_verdict(s, RACE_SAFE, "%s", "");
	script_await(t2, "goes on when the clock has rung");
}
SCRIPT(g4, "G-4", g4_play, "the last put is over: who tells the one that wants the block?",
       WANTS(.edus = 1), {"unaware", RACE_BROKEN_I1}, {"lease-poll", RACE_BROKEN_I4},
       {"idle-at-one", RACE_SAFE}, {"zap-to-zero", RACE_SAFE}, {"counted-map", RACE_SAFE},
       {"refuse-busy", RACE_BROKEN_I4}, {"busy-extent", RACE_SAFE});

/* ---- G-5: a storm of callers ---------------------------------------------------------------- */

#define ASKS 6u

/* T2 and T3 in turn ask for a page that T1 holds and uses. True: each was refused, and *faults says
 * how often T1 found its mapping gone. Else whoever asked last (*asked) waits, or has the page. */
static bool g5_ask(struct script *s, struct actor *const t[3], struct actor **asked,
		   unsigned *faults)
{
	for (unsigned i = 0; i < ASKS; i++) {
		*asked = t[1 + i % 2];
		if (script_step(*asked, piece_punch, "punches the page out of F, once") !=
			    ACTOR_DONE ||
		    (*asked)->err != -EAGAIN)
			return false;
		*faults += !f_is_mapped(s);
		if (!script_run(t[0], piece_touch_first, "stores to F"))
			return false;
	}
	return true;
}

static void g5_play(struct script *s)
{
	struct actor *t[] = {script_actor(s, "T1", 0), script_actor(s, "T2", 0),
			     script_actor(s, "T3", 0)};
	struct actor *asked = NULL;
	unsigned faults = 0;

	if (script_f(s, 1) || !script_run(t[0], piece_map, "maps F and stores to it") ||
	    !script_run(t[0], piece_pin, "pins the page for a device"))
		return;
	t[1]->asks_once = t[2]->asks_once = true;
	if (!g5_ask(s, t, &asked, &faults)) {
		if (asked == t[1]) /* the first one waits, or has what it wanted */
			script_g_after(s, t[1], t[2], t[0]);
		return;
	}
	script_say(t[0], "has faulted %u times for %u looks, and nobody has the block", faults,
		   ASKS);
	if (faults != ASKS)
		script_verdict(s, RACE_SKIP, "of %u looks %u unmapped the page", ASKS, faults);
	else if (script_run(t[0], piece_unpin, "puts the page") &&
		 script_run(t[2], piece_punch, "punches again, and is not refused"))
		script_verdict(s, RACE_SAFE, "%s", "");
}
SCRIPT(g5, "G-5", g5_play, "callers that were refused ask again: what does each look cost?",
       WANTS(.edus = 1), {"unaware", RACE_BROKEN_I1}, {"lease-poll", RACE_SAFE},
       {"idle-at-one", RACE_SAFE}, {"zap-to-zero", RACE_SAFE}, {"counted-map", RACE_SAFE},
       {"refuse-busy", RACE_SAFE}, {"busy-extent", RACE_SAFE});
