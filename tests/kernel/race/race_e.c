/* SPDX-License-Identifier: MIT */
/*
 * Races E-1 … E-7: the weaknesses of counted-map (docs/weaknesses.md E), and which other designs
 * have them.
 *
 * E-1 and E-2 are the same forgetting at the two ends of a page's life: nobody asks whether the
 * device lives when it is born, nobody looks at its references when the device goes. E-3 is the
 * price of an eviction that waits. E-4 to E-6 were mended on the way; museum switches bring them
 * back. E-7 is the price of counting a mapping like a reference. E-1, E-2 and E-5 were deduced from
 * the source; none is wrong. E-7 was seen on Linux 7.3 first.
 */
#include "tests/kernel/lib/huge.h"
#include "tests/kernel/race/internal.h"

/* ---- E-1: birth without a look at the device ---------------------------------------------- */

/* T1 is between the entry and the mapping. */
static void e1_remove(struct script *s, struct actor *t1, struct actor *t2)
{
	struct page was = *s->page;
	enum actor_state st = script_step(t2, piece_remove_device, "removes the device");
	bool gone = st == ACTOR_DONE && !t2->err;

	race_unbind_refused(s);
	if (gone)
		script_verdict(s, RACE_BROKEN_I2,
			       "the device is gone, and a fault is about to count a mapping of pfn "
			       "0x%lx in a record that is gone, too",
			       page_to_pfn(s->page));
	if (gone && !race_device_mend(s, t2, &was))
		return;
	script_verdict(s, RACE_SAFE, "%s", "");
	if (st != ACTOR_DONE)
		race_device_guard();
	script_go(t1, "maps the page");
	if (st != ACTOR_DONE && script_run(t1, piece_unmap, "unmaps F"))
		race_device_leave(s, t1, t2);
}

static void e1_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0);

	if (script_f(s, 1) || !script_run(t1, piece_map, "maps F and stores to it") ||
	    !script_run(t1, piece_look_up, "(so that the page has a record)") ||
	    !script_run(t1, piece_invalidate, "the entry goes, and the mapping; the record stays"))
		return;
	script_stop_at(t1, "fault_entry_made", 0);
	if (script_step(t1, piece_touch_first, "stores to it again: makes the entry") ==
	    ACTOR_STOPPED)
		e1_remove(s, t1, t2);
	else
		script_verdict(s, RACE_SKIP, "the fault did not come by");
}
/* zap-to-zero: the entry holds the device before the mapping does. busy-extent: a device is not
 * removed under a mount. At rest 1 not even the mapping would hold it: C-4. */
SCRIPT(e1, "E-1", e1_play, "the device goes between a fault's entry and its mapping", WANTS(0),
       {"unaware", RACE_BROKEN_I2}, {"lease-poll", RACE_BROKEN_I2}, {"idle-at-one", RACE_BROKEN_I2},
       {"zap-to-zero", RACE_SAFE}, {"counted-map", RACE_BROKEN_I2}, {"refuse-busy", RACE_SAFE},
       {"busy-extent", RACE_SAFE});

/* ---- E-2: pinned, and the device goes ----------------------------------------------------- */

/* As C-8, by the slow path. */
static void e2_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0);

	if (!script_f(s, 1) && script_run(t1, piece_map, "maps F and stores to it") &&
	    script_run(t1, piece_pin_slow, "pins the page by the slow path") &&
	    script_run(t1, piece_unmap, "unmaps F: the driver sees no mapping"))
		race_device_goes_pinned(s, t1, t2);
}
SCRIPT(e2, "E-2", e2_play, "the device goes while a page is pinned: the driver must have asked",
       WANTS(0), {"unaware", RACE_SAFE}, {"lease-poll", RACE_SAFE}, {"idle-at-one", RACE_SAFE},
       {"zap-to-zero", RACE_SAFE}, {"counted-map", RACE_BROKEN_I2}, {"refuse-busy", RACE_SAFE},
       {"busy-extent", RACE_SAFE});

/* ---- E-3: an unmount and a pin that was forgotten ----------------------------------------- */

static int mount_and_punch(struct script *s)
{
	int err = piece_mount(s);

	if (!err)
		err = dax_open(SCRATCH_PATH "/F", false, &s->f);
	return err ? err : piece_punch(s);
}

static void e3_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0),
		     *t3 = script_actor(s, "T3", 0);

	if (script_f(s, 1) || !script_run(t1, piece_map, "maps F and stores to it") ||
	    !script_run(t1, piece_pin, "pins the page, and will forget it") ||
	    !script_run(t1, piece_unmap, "unmaps F") || !script_run(t1, piece_close, "closes F"))
		return;
	if (script_step(t2, piece_umount, "unmounts the file system") == ACTOR_ASLEEP) {
		thread_signal(t2->thread);
		script_await(t2, "a signal ends the wait");
	} else if (t2->err) {
		script_verdict(s, RACE_SAFE, "%s", ""); /* refused by name: nobody is stuck */
	} else {
		script_step(t2, mount_and_punch, "mounts it again and punches the page out of F");
		script_g_after(s, t2, t3, t1);
	}
}
SCRIPT(e3, "E-3", e3_play, "a forgotten pin, and an unmount that no signal ends", WANTS(.edus = 1),
       {"unaware", RACE_BROKEN_I1}, {"lease-poll", RACE_SAFE}, {"idle-at-one", RACE_BROKEN_I1},
       {"zap-to-zero", RACE_HUNG}, {"counted-map", RACE_HUNG}, {"refuse-busy", RACE_HUNG},
       {"busy-extent", RACE_SAFE});

/* ---- E-3, the same by an unbinding ---------------------------------------------------------- */

static void e3_unbind_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0);
	enum actor_state st;
	struct page was;
	const char *how;

	if (script_f(s, 1) || !script_run(t1, piece_map, "maps F and stores to it") ||
	    !script_run(t1, piece_pin, "pins the page, and will forget it") ||
	    !script_run(t1, piece_unmap, "unmaps F") || !script_run(t1, piece_close, "closes F"))
		return;
	was = *s->page;
	st = script_step(t2, piece_remove_device, "removes the device");
	race_unbind_refused(s);
	if (st == ACTOR_DONE) {
		script_verdict(s, t2->err ? RACE_SAFE : RACE_BROKEN_I2,
			       "the device is gone while pfn 0x%lx has a pin: its put would write "
			       "to freed memory",
			       page_to_pfn(s->page));
		if (!t2->err)
			race_device_mend(s, t2, &was);
		return;
	}
	race_device_guard();
	thread_signal(t2->thread);
	if (script_finish(t2, &how))
		script_verdict(s, RACE_SAFE, "%s", "");
	else
		script_verdict(
			s, RACE_HUNG,
			"%s: T2 removes the device, sleeps for pfn 0x%lx, and no signal ends "
			"that",
			how, page_to_pfn(s->page));
	race_device_leave(s, t1, t2);
}
/* Whoever cannot refuse waits, or does not: the removal for references itself (rest 1 in its first
 * era, zap-to-zero), or an eviction on its way (counted-map, era 7.3). */
SCRIPT(e3_unbind, "E-3-unbind", e3_unbind_play,
       "a forgotten pin of a closed file, and an unbinding that no signal ends", WANTS(0),
       {"unaware", RACE_HUNG}, {"lease-poll", RACE_HUNG}, {"idle-at-one", RACE_HUNG},
       {"zap-to-zero", RACE_HUNG}, {"counted-map", RACE_BROKEN_I2}, {"refuse-busy", RACE_SAFE},
       {"busy-extent", RACE_SAFE});

/* ---- E-4: "to the end of the file" -------------------------------------------------------- */

static void e4_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0),
		     *t3 = script_actor(s, "T3", 0);

	if (script_f(s, 1) || !script_run(t1, piece_map, "maps F and stores to it") ||
	    !script_run(t1, piece_pin, "pins the page for a device"))
		return;
	script_step(t2, piece_truncate, "truncates F: every page from 0 to the end goes");
	script_g_after(s, t2, t3, t1);
}
SCRIPT(e4, "E-4", e4_play, "a break of 'everything to the end' looks at everything",
       WANTS(.edus = 1), {"unaware", RACE_BROKEN_I1}, {"lease-poll", RACE_BROKEN_I1}, /* B-7 */
       {"idle-at-one", RACE_SAFE}, {"zap-to-zero", RACE_SAFE}, {"counted-map", RACE_SAFE},
       {"refuse-busy", RACE_SAFE}, {"busy-extent", RACE_SAFE});
RACE_EXHIBIT(e4_zero, "E-4", "counted-map", "break-end-zero", RACE_BROKEN_I1);

/* ---- E-5: a part of 2 MiB ----------------------------------------------------------------- */

#define ODD (BORN_BASE + PAGE_SIZE) /* where 2 MiB cannot be mapped at once */

static uint64_t odd; /* one race at a time */

static int map_twice(struct script *s)
{
	int err = dax_mmap(current_mm(), s->f, 0, N, true, &s->va);
	uint64_t v;

	if (!err)
		err = store_checked((uint64_t *)s->va, 'f');
	odd = ODD;
	if (!err)
		err = dax_mmap(current_mm(), s->f, 0, N, true, &odd);
	return err ? err : load_checked((uint64_t *)PAGE(odd, 400), &v);
}

static int punch_first(struct script *s)
{
	return dax_punch(s->f, 0, PAGE_SIZE);
}

static int touch_neighbour(struct script *s)
{
	uint64_t v;

	return load_checked((uint64_t *)PAGE(s->va, 400), &v);
}

static int unmap_odd(struct script *s)
{
	(void)s;
	return mm_unmap(current_mm(), odd, PMD_SIZE);
}

static bool huge_f(struct script *s)
{
	s->f = sparse("F", N);
	s->pages = N;
	if (!s->f)
		script_verdict(s, RACE_SKIP, "creating F: %s", refusal());
	return s->f;
}

static void e5_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0);
	uint64_t at = 400;

	if (!huge_f(s) ||
	    !script_run(t1, map_twice,
			"maps F by 2 MiB and stores to it; maps it once more, by single pages"))
		return;
	if (level_at(s->va) != 2)
		script_verdict(s, RACE_SKIP, "the fault was not served by 2 MiB");
	if (!script_run(t2, punch_first, "punches page 0 out of F: the entry of all 512 goes"))
		return;
	if (level_at(PAGE(odd, 400)) && !entry_next(s->f, &at, 401))
		script_verdict(s, RACE_BROKEN_I3,
			       "page 400 is mapped at 0x%lx, and has no entry: no truncate would "
			       "look for it",
			       PAGE(odd, 400));
	if (script_run(t1, unmap_odd, "unmaps the second mapping") &&
	    script_run(t1, touch_neighbour, "loads from page 400: faults cleanly"))
		script_verdict(s, RACE_SAFE, "%s", "");
}
SCRIPT(e5, "E-5", e5_play, "one page of 2 MiB is punched out: its neighbours have no entry",
       WANTS(0), {"unaware", RACE_SAFE}, {"lease-poll", RACE_SAFE}, {"idle-at-one", RACE_SAFE},
       {"zap-to-zero", RACE_SAFE}, {"counted-map", RACE_SAFE}, {"refuse-busy", RACE_SAFE},
       {"busy-extent", RACE_SAFE});
RACE_EXHIBIT(e5_narrow, "E-5", "counted-map", "break-narrow", RACE_BROKEN_I3);

/* ---- E-6: an entry goes and leaves a folio ------------------------------------------------ */

static int map_and_store(struct script *s)
{
	int err = dax_mmap(current_mm(), s->f, 0, N, true, &s->va);

	return err ? err : store_checked((uint64_t *)s->va, 'f');
}

static void e6_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0);
	struct page *head;

	if (!huge_f(s) || !script_run(t1, map_and_store, "maps F by 2 MiB and stores to it"))
		return;
	if (level_at(s->va) != 2) {
		script_verdict(s, RACE_SKIP, "the fault was not served by 2 MiB");
		return;
	}
	head = va_to_head(s->va);
	if (!script_run(t2, piece_punch, "punches all of it out of F"))
		return;
	if (page_state(head) & PAGE_FOLIO) {
		script_verdict(
			s, RACE_BROKEN_I6,
			"pfn 0x%lx counts for 512 pages, and there is no entry of 2 MiB: "
			"each file that gets one of them finds its record in the wrong place",
			page_to_pfn(head));
		page_folio_split(head);
	}
	script_verdict(s, RACE_SAFE, "%s", "");
}
SCRIPT(e6, "E-6", e6_play, "an entry of 2 MiB goes: its record counts for one page again", WANTS(0),
       {"unaware", RACE_SAFE}, {"lease-poll", RACE_SAFE}, {"idle-at-one", RACE_SAFE},
       {"zap-to-zero", RACE_SAFE}, {"counted-map", RACE_SAFE}, {"refuse-busy", RACE_SAFE},
       {"busy-extent", RACE_SAFE});
RACE_EXHIBIT(e6_kept, "E-6", "counted-map", "keep-order", RACE_BROKEN_I6);

/* ---- E-7: a mapping that comes back keeps the waiter asleep --------------------------------- */

/* The page has no holder any more. T2 ends by itself, or only when T1 unmaps F. */
static void e7_after_the_put(struct script *s, struct actor *t1, struct actor *t2, struct actor *t3)
{
	const char *how;

	if (script_finish(t2, &how)) {
		script_say(t2, "goes on; the page is gone from F");
		if (script_run(t3, piece_make_g, "creates G and writes it"))
			script_judge_g(s);
		return;
	}
	script_say(t2, "sleeps on: %s", how);
	script_verdict(s, RACE_HUNG,
		       "%s: nobody pins pfn 0x%lx, T1 maps it again, and T2 sleeps until T1 "
		       "unmaps it",
		       how, page_to_pfn(s->page));
	if (script_run(t1, piece_unmap, "unmaps F"))
		script_await(t2, "wakes; the page is gone from F");
}

/* Unlike C-6 the holder comes once and goes: what comes back is the mapping alone. */
static void e7_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0),
		     *t3 = script_actor(s, "T3", 0);

	if (script_f(s, 1) || !script_run(t1, piece_map, "maps F and stores to it") ||
	    !script_run(t1, piece_pin, "pins the page for a device"))
		return;
	if (script_step(t2, piece_punch, "punches the page out of F") == ACTOR_DONE) {
		script_g_after(s, t2, t3, t1);
		return;
	}
	if (script_run(t1, piece_touch_first, "stores to F again: the page is mapped once more") &&
	    script_run(t1, piece_device_unpin,
		       "tells the device to write \"%s\" into the page; then puts it: the last put",
		       F_TEXT))
		e7_after_the_put(s, t1, t2, t3);
}
SCRIPT(e7, "E-7", e7_play, "the last put is over, and a mapping made meanwhile keeps the waiter",
       WANTS(.edus = 1), {"unaware", RACE_BROKEN_I1}, {"lease-poll", RACE_SAFE},
       {"idle-at-one", RACE_SAFE}, {"zap-to-zero", RACE_SAFE}, {"counted-map", RACE_HUNG},
       {"refuse-busy", RACE_SAFE}, {"busy-extent", RACE_SAFE});
