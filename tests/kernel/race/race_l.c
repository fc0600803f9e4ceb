/* SPDX-License-Identifier: MIT */
/*
 * L: leases and MAP_DIRECT, as the series of 2017 had them when it was posted, and was not merged.
 *
 * T1 is the holder of a mapping with MAP_DIRECT, T2 changes the file's blocks. Every design of a
 * page's lifetime is safe, since leases are asked before pages are; the bugs are the series' own,
 * each behind a switch of the museum. L-5 (the callback that cuts a device off) is with the
 * clients.
 *
 * What breaks, by the rules of check: that nobody waits for ever (I4: a lease that stays without a
 * holder is one to wait for), and that no reference is born when it cannot be any more (I5: after
 * its revocation no page is reached through a mapping).
 */
#include "dax/file/internal.h"
#include "tests/kernel/race/internal.h"

#define SHORT_TIME 1000000000ull /* break time, in virtual time: it costs nothing */

#define EVERYWHERE_SAFE                                                                            \
	{"unaware", RACE_SAFE}, {"lease-poll", RACE_SAFE}, {"idle-at-one", RACE_SAFE},             \
		{"zap-to-zero", RACE_SAFE}, {"counted-map", RACE_SAFE},                            \
		{"refuse-busy", RACE_SAFE},                                                        \
	{                                                                                          \
		"busy-extent", RACE_SAFE                                                           \
	}

static int map_direct_only(struct script *s)
{
	struct dax_map rq = {
		.flags = MAP_SHARED_VALIDATE | MAP_DIRECT, .pages = s->pages, .write = true};

	return dax_map(current_mm(), s->f, &rq, &s->va);
}

static int piece_map_direct(struct script *s)
{
	int err = map_direct_only(s);

	for (unsigned i = 0; !err && i < s->pages; i++)
		err = store_checked((uint64_t *)(s->va + i * PAGE_SIZE), 'f');
	return err;
}

/* The holder's notice. */
static int piece_read_notice(struct script *s)
{
	char text[NOTICE_TEXT];

	(void)s;
	return notice_take(text, sizeof(text))
		       ? 0
		       : refuse(-ENOENT, "no notice was posted to the holder's thread");
}

static int punch_first(struct script *s)
{
	return dax_punch(s->f, 0, PAGE_SIZE);
}

static int map_refused(struct script *s)
{
	uint64_t va = s->va;
	int err = map_direct_only(s);

	s->va = va;
	return err == -EAGAIN ? 0 : err ? err : refuse(-EIO, "it was mapped");
}

static void end_lost(struct script *s)
{
	(void)s;
	direct_map_lost(true);
}

/* T2 punches F's first page, and sleeps for the lease; T1 is told. False: the verdict is set. */
static bool break_begins(struct script *s, struct actor *t1, struct actor *t2)
{
	s->rescue = end_lost;
	if (script_step(t2, punch_first, "punches the first page out of F") != ACTOR_ASLEEP) {
		script_verdict(s, RACE_BROKEN_I5, "the punch did not wait for the lease");
		return false;
	}
	return script_run(t1, piece_read_notice, "reads its notice: F's blocks are to change");
}

/* ---- L-1: closed in time -------------------------------------------------------------------- */

static void l1_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0);

	if (script_f(s, 1) || !script_run(t1, piece_map_direct, "maps F with MAP_DIRECT") ||
	    !break_begins(s, t1, t2) ||
	    !script_run(t1, piece_unmap, "unmaps F, long before its time is over"))
		return;
	if (script_await(t2, "goes on at once: nobody holds the lease"))
		script_verdict(s, RACE_SAFE, "%s", "");
	direct_map_lost(true);
}
SCRIPT(l1, "L-1", l1_play, "a holder that is told unmaps in time", WANTS(0), EVERYWHERE_SAFE);
RACE_EXHIBIT(l1_null, "L-1", "busy-extent", "direct-null-vma", RACE_HUNG);

/* ---- L-2: closed without a break ------------------------------------------------------------ */

/* Is F open by nobody but the script? Else it can never be unmounted. */
static void judge_open(struct script *s, unsigned refs)
{
	if (s->f->refs == refs)
		script_verdict(s, RACE_SAFE, "%s", "");
	else
		script_verdict(s, RACE_BROKEN_I4,
			       "F has %u opens and nobody to close them, so an unmount waits for "
			       "ever: %u object(s) of mappings that are gone are left",
			       s->f->refs - refs, direct_map_lost(false));
	direct_map_lost(true);
}

static void l2_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0);
	unsigned refs;

	if (script_f(s, 1))
		return;
	refs = s->f->refs;
	if (script_run(t1, piece_map_direct, "maps F with MAP_DIRECT") &&
	    script_run(t1, piece_unmap, "unmaps it; nobody broke its lease"))
		judge_open(s, refs);
}
SCRIPT(l2, "L-2", l2_play, "a mapping is closed that nobody broke: is anything left of it?",
       WANTS(0), EVERYWHERE_SAFE);
RACE_EXHIBIT(l2_leak, "L-2", "busy-extent", "direct-leak", RACE_BROKEN_I4);

/* ---- L-3: a fault under way ----------------------------------------------------------------- */

static int touch_second(struct script *s)
{
	return store_checked((uint64_t *)(s->va + PAGE_SIZE), 'f');
}

static int map_and_touch_first(struct script *s)
{
	int err = map_direct_only(s);

	return err ? err : store_checked((uint64_t *)s->va, 'f');
}

/* A revoked mapping gives no page any more, whichever that is. */
static int pin_second(struct script *s)
{
	return script_hold(
		s, get_user_pages_fast(s->va + PAGE_SIZE, 1, FOLL_PIN | FOLL_WRITE, s->held));
}

static void judge_pin(struct script *s, struct actor *a, piece_fn pin, const char *what)
{
	if (!script_try(a, pin, "pins %s through the mapping that was revoked", what))
		return;
	if (a->err)
		script_verdict(s, RACE_SAFE, "%s", "");
	else
		script_verdict(s, RACE_BROKEN_I5,
			       "%s is mapped after the revocation, and a reference was born: the "
			       "file's blocks may change under a holder who counts on them",
			       what);
	script_put_held(s);
}

static void l3_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0),
		     *t3 = script_actor(s, "T3", 0);
	const uint64_t before = lease_break_time_ns;

	if (script_f(s, 2) ||
	    !script_run(t1, map_and_touch_first, "maps F with MAP_DIRECT, stores to page 0"))
		return;
	lease_break_time_ns = SHORT_TIME;
	if (!break_begins(s, t1, t2))
		goto out;
	script_stop_at(t3, "fault_entry_made", 0);
	if (script_step(t3, touch_second, "stores to page 1: the fault finds the lease set") !=
	    ACTOR_STOPPED) {
		script_verdict(s, RACE_SKIP, "the fault was not stopped");
		goto out;
	}
	script_pass_time(s, 2 * SHORT_TIME);
	script_say(t2, "(the break time is over: the mapping is revoked)");
	script_go(t3, "maps page 1");
	if (script_await(t3, "is through") && script_await(t2, "goes on: the lease has gone"))
		judge_pin(s, t1, pin_second, "page 1");
out:
	lease_break_time_ns = before;
}
SCRIPT(l3, "L-3", l3_play, "a fault has seen that the lease stands, and maps its page after that",
       WANTS(0), EVERYWHERE_SAFE);
RACE_EXHIBIT(l3_no_lock, "L-3", "busy-extent", "direct-no-lock", RACE_BROKEN_I5);

/* ---- L-4: pieces ---------------------------------------------------------------------------- */

static int unmap_middle(struct script *s)
{
	return mm_unmap(current_mm(), s->va + PAGE_SIZE, PAGE_SIZE);
}

/* Not the page at the cut, which the cut itself unmaps. */
static int pin_last(struct script *s)
{
	return script_hold(
		s, get_user_pages_fast(s->va + 3 * PAGE_SIZE, 1, FOLL_PIN | FOLL_WRITE, s->held));
}

static void l4_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0);
	const uint64_t before = lease_break_time_ns;

	if (script_f(s, 4) || !script_run(t1, piece_map_direct, "maps F with MAP_DIRECT") ||
	    !script_run(t1, unmap_middle, "unmaps page 1: two VMAs are left"))
		return;
	lease_break_time_ns = SHORT_TIME;
	if (break_begins(s, t1, t2)) {
		script_pass_time(s, 2 * SHORT_TIME);
		script_say(t2, "(the break time is over: the mapping is revoked)");
		if (script_await(t2, "goes on: the lease has gone"))
			judge_pin(s, t1, pin_last, "page 3");
	}
	lease_break_time_ns = before;
}
SCRIPT(l4, "L-4", l4_play, "a mapping was cut in two: is every piece revoked?", WANTS(0),
       EVERYWHERE_SAFE);
RACE_EXHIBIT(l4_one, "L-4", "busy-extent", "direct-one-vma", RACE_BROKEN_I5);

/* ---- L-6: the error path -------------------------------------------------------------------- */

static void l6_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0);
	unsigned refs;

	if (script_f(s, 1))
		return;
	refs = s->f->refs;
	if (!script_run(t1, piece_map_direct, "maps F with MAP_DIRECT") ||
	    !break_begins(s, t1, t2) ||
	    !script_run(t1, map_refused, "maps F once more: refused, its lease is being broken") ||
	    !script_run(t1, piece_unmap, "unmaps F") ||
	    !script_await(t2, "goes on: nobody holds the lease"))
		return;
	judge_open(s, refs);
}
SCRIPT(l6, "L-6", l6_play, "a lease is refused: is anything left of the mapping?", WANTS(0),
       EVERYWHERE_SAFE);
RACE_EXHIBIT(l6_leak, "L-6", "busy-extent", "direct-error-leak", RACE_BROKEN_I4);
