/* SPDX-License-Identifier: MIT */
/*
 * Races B-1 … B-7: the weaknesses of lease-poll (docs/weaknesses.md B), where what stands for a
 * held page is not the page but a lease of the call that got it. Whoever has a page without a lease
 * is not waited for (B-1, B-4, B-7); a lease without a page is waited for (B-2, B-3); and its end
 * is noticed by a look once a second, not by the put.
 *
 * B-1, B-5, B-7 were deduced from the patches and not claimed by their author; so was B-2. Each can
 * be made to happen here: none is wrong.
 */
#include "tests/kernel/race/internal.h"

/* ---- B-1: only the first VMA of a call is asked ------------------------------------------- */

static long gup_two(struct script *s, struct page **page)
{
	struct page *got[2];
	long n = get_user_pages(s->mm, BORN_BASE, 2, FOLL_PIN | FOLL_WRITE, got);

	if (n == 2)
		*page = got[1];
	if (n > 0)
		put_user_page(got[0]); /* the anonymous one: nobody is interested */
	return n == 2 ? 1 : n > 0 ? -EFAULT : n;
}

static int pin_through_anon(struct script *s)
{
	struct page *p;
	long n = gup_two(s, &p);

	if (n != 1)
		return (int)n;
	race_hold(s, p);
	return 0;
}

static void b1_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0),
		     *t3 = script_actor(s, "T3", 0);

	if (script_f(s, 1) ||
	    !script_run(t1, piece_map_behind_anon, "maps F behind anonymous memory, stores to F") ||
	    !script_run(t1, pin_through_anon,
			"pins both by one call: the first VMA is the anonymous one"))
		return;
	script_step(t2, piece_punch, "punches the page out of F");
	script_g_after(s, t2, t3, t1);
}
SCRIPT(b1, "B-1", b1_play, "one gup call over anonymous memory and a file asks only the first",
       WANTS(.edus = 1), {"unaware", RACE_BROKEN_I1}, {"lease-poll", RACE_BROKEN_I1},
       {"idle-at-one", RACE_SAFE}, {"zap-to-zero", RACE_SAFE}, {"counted-map", RACE_SAFE},
       {"refuse-busy", RACE_SAFE}, {"busy-extent", RACE_SAFE});

/* ---- B-2: a call that a signal ends ------------------------------------------------------- */

/* What it got, it puts at once: nobody holds anything afterwards. */
static int gup_signalled(struct script *s)
{
	struct page *got[2];
	long n;

	thread_signal(current_thread());
	n = get_user_pages(s->mm, s->va, 2, FOLL_PIN | FOLL_WRITE, got);
	signal_clear();
	if (n <= 0)
		return n ? (int)n : -EFAULT;
	s->page = got[0];
	put_user_pages(got, n);
	return 0;
}

static void b2_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0),
		     *t3 = script_actor(s, "T3", 0);

	if (script_f(s, 2) || !script_run(t1, piece_map, "maps F and stores to it") ||
	    !script_run(t1, gup_signalled,
			"pins two pages, a signal ends the call early; puts what it got") ||
	    !script_run(t2, piece_punch, "punches the pages out of F: nobody holds them"))
		return;
	if (script_run(t3, piece_make_g, "creates G and writes it"))
		script_judge_g(s);
}
SCRIPT(b2, "B-2", b2_play, "a gup call that a signal ends, and what it leaves behind", WANTS(0),
       {"unaware", RACE_SAFE}, {"lease-poll", RACE_SAFE}, {"idle-at-one", RACE_SAFE},
       {"zap-to-zero", RACE_SAFE}, {"counted-map", RACE_SAFE}, {"refuse-busy", RACE_SAFE},
       {"busy-extent", RACE_SAFE});
RACE_EXHIBIT(b2_lost, "B-2", "lease-poll", "gup-lost-lease", RACE_HUNG);

/* ---- B-3: a storm of short calls ----------------------------------------------------------------
 *
 * The bound is one of operations, not of time: nobody holds a page when the punch begins, so it has
 * nobody to meet, and every put lies behind it. Whoever sleeps all the same is woken by something
 * that is no put (I4).
 */

static unsigned met; /* leases in the punch's way */

static int storm(struct script *s)
{
	struct page *got[SCRIPT_PAGES];
	long n = 0;

	while (n < (long)SCRIPT_PAGES &&
	       get_user_pages_fast(s->va, 1, FOLL_PIN | FOLL_WRITE, &got[n]) == 1)
		n++;
	put_user_pages(got, n);
	return n == SCRIPT_PAGES ? 0 : -EFAULT;
}

static int storm_and_punch(struct script *s)
{
	int err = storm(s);

	met = lease_count(&s->f->leases, LEASE_ALL);
	return err ? err : piece_punch(s);
}

/* False: the machine was so slow that a poll had taken the leases away before. */
static bool storm_shows(const struct script *s)
{
	return met || !s->lt->no_fast_gup;
}

static void b3_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0);

	if (script_f(s, 1) || !script_run(t1, piece_map, "maps F and stores to it"))
		return;
	do {
		if (!script_run(t1, piece_rewrite, "writes F") ||
		    !script_run(
			    t2, storm_and_punch,
			    "8 calls each pin the page; all are put; punches the page out of F"))
			return;
	} while (!storm_shows(s));
	if (s->f->last_break.busy_seen)
		script_verdict(s, RACE_BROKEN_I4,
			       "every page was put before, and the punch slept %u time(s), for %u "
			       "lease(s): a look once a second wakes it, no put",
			       s->f->last_break.busy_seen, met);
	else
		script_verdict(s, RACE_SAFE, "%s", "");
}
SCRIPT(b3, "B-3", b3_play, "a storm of calls that are over: nobody holds a page, and who waits?",
       WANTS(0), {"unaware", RACE_SAFE}, {"lease-poll", RACE_BROKEN_I4}, {"idle-at-one", RACE_SAFE},
       {"zap-to-zero", RACE_SAFE}, {"counted-map", RACE_SAFE}, {"refuse-busy", RACE_SAFE},
       {"busy-extent", RACE_SAFE});

/* ---- B-4: a reference without a lease, while leases are polled ---------------------------- */

static void b4_play(struct script *s)
{
	race_born_meanwhile(s, gup_two, "pins page 0 by a call that begins in anonymous memory");
}
SCRIPT(b4, "B-4", b4_play, "a page is pinned by a call without a lease, while leases are polled",
       WANTS(.edus = 1), {"unaware", RACE_BROKEN_I1}, {"lease-poll", RACE_BROKEN_I1},
       {"idle-at-one", RACE_SAFE}, {"zap-to-zero", RACE_SAFE}, {"counted-map", RACE_SAFE},
       {"refuse-busy", RACE_SAFE}, {"busy-extent", RACE_SAFE});

/* ---- B-5: the error of the wait ----------------------------------------------------------- */

static void b5_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0),
		     *t3 = script_actor(s, "T3", 0);

	if (script_f(s, 1) || !script_run(t1, piece_map, "maps F and stores to it") ||
	    !script_run(t1, piece_pin, "pins the page for a device"))
		return;
	if (script_step(t2, piece_punch, "punches the page out of F") == ACTOR_ASLEEP) {
		thread_signal(t2->thread);
		if (!script_await(t2, "a signal ends the wait"))
			return;
		if (t2->err == -EINTR) {
			script_verdict(s, RACE_SAFE, "%s", "");
			return;
		}
	}
	script_g_after(s, t2, t3, t1);
}
SCRIPT(b5, "B-5", b5_play, "a signal ends the wait for a held page: the punch must not go on",
       WANTS(.edus = 1), {"unaware", RACE_BROKEN_I1}, {"lease-poll", RACE_SAFE},
       {"idle-at-one", RACE_SAFE}, {"zap-to-zero", RACE_SAFE}, {"counted-map", RACE_SAFE},
       {"refuse-busy", RACE_SAFE}, {"busy-extent", RACE_SAFE});
RACE_EXHIBIT(b5_lost, "B-5", "lease-poll", "lease-error-lost", RACE_BROKEN_I1);

/* ---- B-6: I/O without a gap ---------------------------------------------------------------------
 *
 * C-6 lets the page be idle for a moment; here the next call has it before the last one has put it.
 * The bound, in operations: a layout change must end once every reference is put that was there
 * when it unmapped the page. Here that one is put in the first round of four.
 */

#define ROUNDS 4u

static int pin_anew(struct script *s)
{
	struct page *next;
	int err = store_checked((uint64_t *)s->va, 'f');
	long got = err ? err : get_user_pages_fast(s->va, 1, FOLL_PIN | FOLL_WRITE, &next);

	if (got != 1)
		return got ? (int)got : -EFAULT;
	put_user_page(s->held[0]);
	s->held[0] = next;
	return 0;
}

static void b6_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0),
		     *t3 = script_actor(s, "T3", 0);
	unsigned n = 0;

	if (script_f(s, 1) || !script_run(t1, piece_map, "maps F and stores to it") ||
	    !script_run(t1, piece_pin, "pins the page: I/O 0"))
		return;
	if (script_step(t2, piece_punch, "punches the page out of F") == ACTOR_DONE) {
		script_g_after(s, t2, t3, t1);
		return;
	}
	for (; n < ROUNDS && script_at_work(t2); n++) {
		if (!script_run(t1, pin_anew, "pins it for I/O %u, then puts it for I/O %u", n + 1,
				n))
			return;
		script_pass_time(s, 3000000000ull);
		script_look(t2);
	}
	if (script_at_work(t2))
		script_hung(t2, "4 I/Os ended that began before the last one did, and what was "
				"there at first is long put");
	else
		script_verdict(s, RACE_SAFE, "%s", "");
}
SCRIPT(b6, "B-6", b6_play, "who starts the next I/O before the last one ends starves the waiter",
       WANTS(.edus = 1), {"unaware", RACE_BROKEN_I1}, {"lease-poll", RACE_HUNG},
       {"idle-at-one", RACE_HUNG}, {"zap-to-zero", RACE_HUNG}, {"counted-map", RACE_HUNG},
       {"refuse-busy", RACE_HUNG}, {"busy-extent", RACE_SAFE});

/* ---- B-7: truncate(2) was forgotten ------------------------------------------------------- */

static void b7_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0),
		     *t3 = script_actor(s, "T3", 0);

	if (script_f(s, 1) || !script_run(t1, piece_map, "maps F and stores to it") ||
	    !script_run(t1, piece_pin, "pins the page for a device"))
		return;
	if (script_step(t2, piece_punch, "punches the page out of F") == ACTOR_ASLEEP) {
		thread_signal(t2->thread);
		if (!script_await(t2, "a signal ends the wait: F has its page still"))
			return;
		script_step(t2, piece_truncate, "truncates F instead");
	}
	script_g_after(s, t2, t3, t1);
}
SCRIPT(b7, "B-7", b7_play, "punch waits for a held page; does truncate?", WANTS(.edus = 1),
       {"unaware", RACE_BROKEN_I1}, {"lease-poll", RACE_BROKEN_I1}, {"idle-at-one", RACE_SAFE},
       {"zap-to-zero", RACE_SAFE}, {"counted-map", RACE_SAFE}, {"refuse-busy", RACE_SAFE},
       {"busy-extent", RACE_SAFE});
