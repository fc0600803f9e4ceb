/* SPDX-License-Identifier: MIT */
/*
 * Races C-1 … C-3, C-6: the weaknesses of idle-at-one (docs/weaknesses.md C), and who else has
 * them. Punch and not truncate, where either would do: under lease-poll truncate has a bug of its
 * own (B-7). C-5, the puts that have to wake, is in race_put.c; those about the device that goes,
 * C-4, C-7 and C-8, are in race_unbind.c.
 */
#include "dax/lifetime/internal.h"
#include "tests/kernel/race/internal.h"

/* ---- C-1: held, and not mapped any more --------------------------------------------------- */

static void c1_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0),
		     *t3 = script_actor(s, "T3", 0);

	if (script_f(s, 1) || !script_run(t1, piece_map, "maps F and stores to it") ||
	    !script_run(t1, piece_pin, "pins the page for a device") ||
	    !script_run(t1, piece_unmap, "unmaps F: nothing maps it now"))
		return;
	script_step(t2, piece_punch, "punches the page out of F");
	script_g_after(s, t2, t3, t1);
}
/* lease-poll: a lease outlives the mapping it was made for. */
SCRIPT(c1, "C-1", c1_play, "a file that nothing maps loses a page that is still pinned",
       WANTS(.edus = 1), {"unaware", RACE_BROKEN_I1}, {"lease-poll", RACE_SAFE},
       {"idle-at-one", RACE_BROKEN_I1}, {"zap-to-zero", RACE_SAFE}, {"counted-map", RACE_SAFE},
       {"refuse-busy", RACE_SAFE}, {"busy-extent", RACE_SAFE});

/* ---- C-2: an entry locked while the scan passes ------------------------------------------- */

static uint64_t c2_entry; /* one race at a time */

/* Whoever handles an error of the page locks its entry, without the file's fault lock. */
static int lock_entry(struct script *s)
{
	c2_entry = entry_lock(s->f, 0);
	return c2_entry ? 0 : -ENOMEM;
}

static int unlock_entry(struct script *s)
{
	entry_unlock(s->f, 0, c2_entry);
	return 0;
}

static void c2_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0),
		     *t3 = script_actor(s, "T3", 0), *t4 = script_actor(s, "T4", 0);

	if (script_f(s, 1) || !script_run(t1, piece_map, "maps F and stores to it") ||
	    !script_run(t1, piece_pin, "pins the page for a device") ||
	    !script_run(t3, lock_entry, "locks the entry of the page, to look at it"))
		return;
	script_stop_at(t2, "layout_broken", 0);
	if (script_step(t2, piece_punch, "punches the page out of F") == ACTOR_STOPPED)
		script_say(t2, "found nobody busy");
	if (!script_run(t3, unlock_entry, "unlocks it"))
		return;
	if (step_stopped(&t2->stop))
		script_go(t2, "deletes the entry, frees the block");
	else
		t2->stop.go = true; /* it sleeps, and need not stop on its way */
	script_g_after(s, t2, t4, t1);
}
SCRIPT(c2, "C-2", c2_play, "the scan for busy pages passes over an entry that is locked",
       WANTS(.edus = 1), {"unaware", RACE_BROKEN_I1}, {"lease-poll", RACE_SAFE},
       {"idle-at-one", RACE_BROKEN_I1}, {"zap-to-zero", RACE_BROKEN_I1}, {"counted-map", RACE_SAFE},
       {"refuse-busy", RACE_SAFE}, {"busy-extent", RACE_SAFE});

/* ---- C-3: eviction and unmount ------------------------------------------------------------ */

static void c3_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0),
		     *t3 = script_actor(s, "T3", 0);

	if (script_f(s, 1) || !script_run(t1, piece_map, "maps F and stores to it") ||
	    !script_run(t1, piece_pin, "pins the page for a device") ||
	    !script_run(t1, piece_unmap, "unmaps F") || !script_run(t2, piece_unlink, "unlinks F"))
		return;
	script_step(t2, piece_close, "closes F: its last reference, its blocks go");
	script_g_after(s, t2, t3, t1);
}
/* lease-poll: a lease holds its file, so that the last reference goes with the last poll. */
SCRIPT(c3, "C-3", c3_play, "an unlinked file's last reference goes while its page is pinned",
       WANTS(.edus = 1), {"unaware", RACE_BROKEN_I1}, {"lease-poll", RACE_SAFE},
       {"idle-at-one", RACE_BROKEN_I1}, {"zap-to-zero", RACE_SAFE}, {"counted-map", RACE_SAFE},
       {"refuse-busy", RACE_SAFE}, {"busy-extent", RACE_SAFE});

static int mount_and_punch(struct script *s)
{
	int err = piece_mount(s);

	if (!err)
		err = dax_open(SCRATCH_PATH "/F", false, &s->f);
	return err ? err : piece_punch(s);
}

/* The holder lets go before the file system does: where an unmount waits for it, or is refused. */
static void c3_umount_waits(struct script *s, struct actor *t1, struct actor *t2, struct actor *t3)
{
	bool refused = !script_at_work(t2);

	if (!script_run(t1, piece_device_unpin,
			"tells the device to write \"%s\" into the page; then puts it", F_TEXT))
		return;
	if (refused)
		script_pass_time(s, 3000000000ull);
	if (refused ? !script_run(t2, piece_umount, "unmounts it now")
		    : !script_await(t2, "wakes: the file system is unmounted"))
		return;
	if (script_run(t2, mount_and_punch, "mounts it again and punches the page out of F") &&
	    script_run(t3, piece_make_g, "creates G and writes it"))
		script_judge_g(s);
}

static void c3_umount_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0),
		     *t3 = script_actor(s, "T3", 0);

	if (script_f(s, 1) || !script_run(t1, piece_map, "maps F and stores to it") ||
	    !script_run(t1, piece_pin, "pins the page for a device") ||
	    !script_run(t1, piece_unmap, "unmaps F") || !script_run(t1, piece_close, "closes F"))
		return;
	if (script_step(t2, piece_umount, "unmounts the file system") != ACTOR_DONE || t2->err) {
		c3_umount_waits(s, t1, t2, t3);
		return;
	}
	script_step(t2, mount_and_punch, "mounts it again and punches the page out of F");
	script_g_after(s, t2, t3, t1);
}
SCRIPT(c3_umount, "C-3-umount", c3_umount_play,
       "unmount and mount, and nobody remembers that a page is pinned", WANTS(.edus = 1),
       {"unaware", RACE_BROKEN_I1}, {"lease-poll", RACE_SAFE}, {"idle-at-one", RACE_BROKEN_I1},
       {"zap-to-zero", RACE_SAFE}, {"counted-map", RACE_SAFE}, {"refuse-busy", RACE_SAFE},
       {"busy-extent", RACE_SAFE});

/* ---- C-6: who comes back in time starves the waiter ---------------------------------------
 *
 * lease-poll's waiter is woken by the clock: on a slow host a look may fall between the put and the
 * next pin. Then nobody came back in time, which says nothing, and the waiter is sent off again.
 */

#define ROUNDS 4u
#define TRIES  8u

unsigned c6_stalls;

struct c6 {
	struct actor *t1, *t2;
	bool looked; /* a poll had its turn while the page was idle */
};

static int touch_and_pin(struct script *s)
{
	int err = store_checked((uint64_t *)s->va, 'f');

	return err ? err : piece_pin(s);
}

static int put_and_pin(struct script *s)
{
	script_put_held(s);
	return touch_and_pin(s);
}

static void stall(struct script *s)
{
	if (c6_stalls) {
		c6_stalls--;
		script_pass_time(s, 1500000000);
	}
}

/* The page is idle for a moment, and held again before the waiter has its locks. */
static bool c6_gap(struct script *s, struct c6 *c)
{
	/* Who is woken by the clock is not to be there by chance: both at once, a moment's work. */
	if (s->lt->gup_begin && !c6_stalls)
		return script_run(c->t1, put_and_pin,
				  "puts the page, touches F again and pins the page");
	if (!script_run(c->t1, piece_unpin, "puts the page: it is idle"))
		return false;
	if (script_look(c->t2) == ACTOR_STOPPED)
		script_say(c->t2, "is woken, and about to take the fault lock");
	stall(s);
	return script_run(c->t1, touch_and_pin, "touches F again and pins the page");
}

/* One round. Who is refused and asks again is not let do so in the gap. */
static bool c6_round(struct script *s, struct c6 *c)
{
	unsigned long polls = lease_polls;
	bool held;

	race_hold_asks(true);
	held = c6_gap(s, c);
	race_hold_asks(false);
	if (!held)
		return false;
	c->looked |= lease_polls != polls;
	if (step_stopped(&c->t2->stop))
		script_go(c->t2, "has the lock: looks at the page once more");
	script_pass_time(s, SCRIPT_PATIENCE / ROUNDS + 1000000000);
	return true;
}

/* False: the waiter is through, by a poll that came at the wrong time. */
static bool c6_starve(struct script *s, struct c6 *c)
{
	unsigned n = 0;

	c->looked = false;
	while (n < ROUNDS && script_at_work(c->t2) && c6_round(s, c))
		n++;
	c->t2->stop.again = false;
	if (n == ROUNDS && script_at_work(c->t2))
		script_hung(c->t2, "more than 60 s, the page was put 4 times, and each time T1 had "
				   "it again first");
	else if (!c->looked)
		script_verdict(s, RACE_SAFE, "%s", "");
	return s->decided;
}

static void c6_play(struct script *s)
{
	struct c6 c = {.t1 = script_actor(s, "T1", 0), .t2 = script_actor(s, "T2", 0)};
	struct actor *t3 = script_actor(s, "T3", 0);

	if (script_f(s, 1) || !script_run(c.t1, piece_map, "maps F and stores to it") ||
	    !script_run(c.t1, piece_pin, "pins the page for a device"))
		return;
	for (unsigned try = 0; try < TRIES; try++) {
		script_stop_at(c.t2, "layout_woken", 0);
		c.t2->stop.again = true;
		if (script_step(c.t2, piece_punch, "punches the page out of F") == ACTOR_DONE) {
			script_g_after(s, c.t2, t3, c.t1);
			return;
		}
		if (c6_starve(s, &c))
			return;
	}
	script_verdict(s, RACE_SKIP, "in %u tries a poll came each time between put and pin",
		       TRIES);
}
SCRIPT(c6, "C-6", c6_play, "a holder that always comes back in time starves who waits for it",
       WANTS(.edus = 1), {"unaware", RACE_BROKEN_I1}, {"lease-poll", RACE_HUNG}, /* B-6 */
       {"idle-at-one", RACE_HUNG}, {"zap-to-zero", RACE_HUNG}, {"counted-map", RACE_HUNG},
       {"refuse-busy", RACE_HUNG}, {"busy-extent", RACE_SAFE});

/* ---- C-6, without a holder that comes back: what else is asked ------------------------------ */

static int pin_second(struct script *s)
{
	return script_hold(
		s, get_user_pages_fast(s->va + PAGE_SIZE, 1, FOLL_PIN | FOLL_WRITE, s->held));
}

static int punch_first(struct script *s)
{
	return dax_punch(s->f, 0, PAGE_SIZE);
}

static void c6_range_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0),
		     *t3 = script_actor(s, "T3", 0);

	if (script_f(s, 2) || !script_run(t1, piece_map, "maps F and stores to both pages") ||
	    !script_run(t1, pin_second, "pins page 1, and keeps it"))
		return;
	if (script_step(t2, punch_first, "punches page 0 out of F") == ACTOR_DONE) {
		if (script_run(t3, piece_make_g, "creates G and writes it") &&
		    script_run(t1, piece_device_unpin, "tells the device to write into page 1"))
			script_judge_g(s);
		return;
	}
	script_pass_time(s, SCRIPT_PATIENCE + 1000000000);
	script_look(t2);
	if (script_at_work(t2))
		script_verdict(s, RACE_HUNG,
			       "more than 60 s, and no put: T2 waits for pfn 0x%lx, page 1 of F, "
			       "and punches page 0",
			       page_to_pfn(s->page));
	if (script_run(t1, piece_unpin, "puts page 1"))
		script_await(t2, "wakes; page 0 is gone from F");
}
/* lease-poll: a lease is of the file, not of pages. */
SCRIPT(c6_range, "C-6-range", c6_range_play, "a punch waits for a page that is not in its range",
       WANTS(.edus = 1), {"unaware", RACE_SAFE}, {"lease-poll", RACE_HUNG},
       {"idle-at-one", RACE_HUNG}, {"zap-to-zero", RACE_HUNG}, {"counted-map", RACE_SAFE},
       {"refuse-busy", RACE_SAFE}, {"busy-extent", RACE_SAFE});
