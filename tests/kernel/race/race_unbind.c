/* SPDX-License-Identifier: MIT */
/*
 * Races C-4, C-7, C-8: the device goes while its pages are mapped or pinned (docs/weaknesses.md C).
 *
 * The driver's teardown is called as at a surprise removal, with the file system still mounted:
 * nobody unmaps anything first, so what keeps a record in place is the lifetime alone. Where the
 * teardown comes to its end while somebody still needs a record, that is the verdict (I2); the
 * device is then bound again and the record put back as it was, so that the cell can be cleared up.
 * Where it waits, a reference of the director's (the guard) keeps the device until the file system
 * is unmounted.
 */
#include "tests/kernel/race/internal.h"

/* One race at a time. */
static struct page saved; /* F's record, before the teardown */

static struct pgmap *race_pgmap(void)
{
	return &scratch_device()->pgmap;
}

void race_device_guard(void)
{
	percpu_ref_get(&race_pgmap()->ref);
}

static int piece_unbind(struct script *s)
{
	(void)s;
	dax_remove_device(scratch_device());
	return 0;
}

static bool refused; /* by dax_unbind(), as it must be while F's file system is mounted */

/* First as a user asks for it, which no design may do under a mount. Designs whose answer that is
 * are through with it; from the others the device is pulled out. */
int piece_remove_device(struct script *s)
{
	int err;

	refused = false;
	err = dax_unbind(scratch_device(), false);
	refused = err == -EBUSY && strstr(refusal(), "mounted");
	return s->lt->unbind == UNBIND_REFUSES || !refused ? err : piece_unbind(s);
}

bool race_unbind_refused(struct script *s)
{
	if (!refused)
		script_verdict(s, RACE_SKIP,
			       "%s is mounted, and its unbinding was not refused for that",
			       scratch_device()->name);
	return refused;
}

static int piece_bind(struct script *s)
{
	(void)s;
	return memremap_pages(race_pgmap());
}

/* F's record, found through the mapping: nobody need hold the page. */
int piece_look_up(struct script *s)
{
	uint64_t *pte = pte_walk(current_mm()->root, s->va, 1, false, NULL);

	if (!pte || !(*pte & PTE_P))
		return -EFAULT;
	s->page = pfn_to_page(pte_to_pfn(*pte));
	return 0;
}

static bool still_mapped(const struct script *s)
{
	const uint64_t *pte = pte_walk(s->mm->root, s->va, 1, false, NULL);

	return pte && (*pte & PTE_P);
}

/* The teardown is over. Binds again; F's record is as it was. False: the verdict is set. */
bool race_device_mend(struct script *s, struct actor *t2, const struct page *was)
{
	if (!script_run(t2, piece_bind, "binds the device again"))
		return false;
	if (page_records_populate(page_to_pfn(s->page), 1)) {
		panic("no memory for the record that the script has to put back");
		return false;
	}
	*s->page = *was;
	/* At rest 0 a page in use holds its device, and the put will give that back. */
	if (!race_pgmap()->rest && (page_refs(was) || page_maps(was)))
		percpu_ref_get(&race_pgmap()->ref);
	return true;
}

/* Everything goes in order: file system, guard, device; then it comes again. */
void race_device_leave(struct script *s, struct actor *t1, struct actor *unbinder)
{
	script_put_held(s);
	if (s->g)
		dax_put(s->g);
	s->g = NULL;
	script_pass_time(s, 3000000000ull);
	if ((!s->f || script_run(t1, piece_close, "closes F")) &&
	    script_run(t1, piece_umount, "unmounts the file system")) {
		percpu_ref_put(&race_pgmap()->ref);
		script_await(unbinder, "the device is gone now");
		script_run(unbinder, piece_bind, "binds it again");
	}
}

/* ---- C-4: only mapped --------------------------------------------------------------------- */

static void c4_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0);

	if (script_f(s, 1) || !script_run(t1, piece_map, "maps F and stores to it") ||
	    !script_run(t1, piece_look_up, "(is at rest: nobody pins the page)"))
		return;
	saved = *s->page;
	if (script_step(t2, piece_unbind, "the driver removes the device") == ACTOR_DONE) {
		if (still_mapped(s) && !page_record_exists(s->page))
			script_verdict(s, RACE_BROKEN_I2,
				       "pfn 0x%lx is still mapped at 0x%lx, and its record is "
				       "gone: the next gup there %s",
				       page_to_pfn(s->page), s->va,
				       s->lt->measured && s->lt->rest
					       ? "for reading finds no device, and does not end"
					       : "would walk freed memory");
		else
			script_verdict(s, RACE_SAFE, "%s", "");
		race_device_mend(s, t2, &saved);
		return;
	}
	race_device_guard();
	script_verdict(s, RACE_SAFE, "%s", "");
	if (script_run(t1, piece_unmap, "unmaps F"))
		race_device_leave(s, t1, t2);
}
SCRIPT(c4, "C-4", c4_play, "the device goes while a file's page is mapped and nobody pins it",
       WANTS(0), {"unaware", RACE_BROKEN_I2}, {"lease-poll", RACE_BROKEN_I2},
       {"idle-at-one", RACE_BROKEN_I2}, {"zap-to-zero", RACE_SAFE}, {"counted-map", RACE_SAFE},
       {"refuse-busy", RACE_SAFE}, {"busy-extent", RACE_SAFE});

/* ---- C-7: the teardown's own decrement wakes ---------------------------------------------- */

/* The teardown waits for nobody: T2 was not woken, and what it waits on is gone. */
static void c7_record_goes(struct script *s, struct actor *t1, struct actor *t2, struct actor *t3)
{
	script_say(t2, "was told nothing, and sleeps on");
	script_verdict(
		s, RACE_BROKEN_I2,
		"the device is gone, and the record of pfn 0x%lx with it: T1 holds the page, "
		"and T2 sleeps for it",
		page_to_pfn(s->page));
	if (race_device_mend(s, t3, &saved) && script_run(t1, piece_unpin, "puts the page"))
		script_await(t2, "wakes; the page is gone from F");
}

static void c7_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0),
		     *t3 = script_actor(s, "T3", 0), *t4 = script_actor(s, "T4", 0);

	if (script_f(s, 1) || !script_run(t1, piece_map, "maps F and stores to it") ||
	    !script_run(t1, piece_pin, "pins the page for a device"))
		return;
	script_step(t2, piece_punch, "punches the page out of F");
	saved = *s->page;
	/* Where nobody is waited for, no guard keeps the device either. */
	if (s->lt->unbind != UNBIND_WAITS_FOR_NOBODY)
		race_device_guard();
	if (script_step(t3, piece_unbind, "the driver removes the device") == ACTOR_DONE) {
		c7_record_goes(s, t1, t2, t3);
		return;
	}
	script_pass_time(s, 3000000000ull);
	if (script_look(t2) == ACTOR_DONE)
		script_say(t2, "goes on: for it, the page is idle");
	script_g_after(s, t2, t4, t1);
	if (script_run(t1, piece_unmap, "unmaps F"))
		race_device_leave(s, t1, t3);
}
/* At rest 1 the record's own reference goes first: two become one, with the pin still there. */
SCRIPT(c7, "C-7", c7_play, "the device's teardown lets a pinned page look idle", WANTS(.edus = 1),
       {"unaware", RACE_BROKEN_I1}, {"lease-poll", RACE_BROKEN_I1}, {"idle-at-one", RACE_BROKEN_I1},
       {"zap-to-zero", RACE_SAFE}, {"counted-map", RACE_SAFE}, {"refuse-busy", RACE_SAFE},
       {"busy-extent", RACE_SAFE});

/* ---- C-8: pinned, and the teardown does not wait ------------------------------------------ */

void race_device_goes_pinned(struct script *s, struct actor *t1, struct actor *t2)
{
	saved = *s->page;
	if (script_step(t2, piece_unbind, "the driver removes the device") == ACTOR_DONE) {
		script_verdict(s, RACE_BROKEN_I2,
			       "the device is gone while pfn 0x%lx has a pin: its put would write "
			       "to freed memory",
			       page_to_pfn(s->page));
		race_device_mend(s, t2, &saved);
		return;
	}
	race_device_guard();
	script_verdict(s, RACE_SAFE, "%s", "");
	if (script_run(t1, piece_unpin, "puts the page"))
		race_device_leave(s, t1, t2);
}

static void c8_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0);

	if (!script_f(s, 1) && script_run(t1, piece_map, "maps F and stores to it") &&
	    script_run(t1, piece_pin, "pins the page") &&
	    script_run(t1, piece_unmap, "unmaps F: the pin is all"))
		race_device_goes_pinned(s, t1, t2);
}
SCRIPT(c8, "C-8", c8_play, "the device goes while a page is pinned and nothing maps it", WANTS(0),
       {"unaware", RACE_SAFE}, {"lease-poll", RACE_SAFE}, {"idle-at-one", RACE_SAFE},
       {"zap-to-zero", RACE_SAFE}, {"counted-map", RACE_BROKEN_I2}, {"refuse-busy", RACE_SAFE},
       {"busy-extent", RACE_SAFE});
/* idle-at-one waits for each page in its first era; in later ones their counts are taken in bulk.
 */
RACE_EXHIBIT(c8_bulk, "C-8", "idle-at-one", "bulk-page-refs", RACE_BROKEN_I2);
