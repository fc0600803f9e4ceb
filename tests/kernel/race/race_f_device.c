/* SPDX-License-Identifier: MIT */
/*
 * Races F-8, F-14: the device goes, and a page of it is held (docs/weaknesses.md).
 *
 * The file system is unmounted first, in order, as `pmem unbind` wants it; what is without notice
 * is in race_unbind.c. Where the device is gone while somebody still needs a record of it, that is
 * the verdict (I2); then it is bound again, and the record put back as it was.
 */
#include "tests/kernel/race/internal.h"

static struct page saved; /* the record, before the device goes; one race at a time */

static struct pmem_region *region(void)
{
	return scratch_device();
}

static int unbind(struct script *s)
{
	(void)s;
	return dax_unbind(region(), false);
}

static int unbind_patiently(struct script *s)
{
	(void)s;
	return dax_unbind(region(), true);
}

static int bind(struct script *s)
{
	(void)s;
	return pmem_bind(region());
}

/* Bound again as the lifetime had it, with the record as it was. At rest 0 a page in use has a
 * reference of its device. */
static void mend(struct script *s, struct actor *binder, bool in_use)
{
	struct pgmap *pgmap = &region()->pgmap;
	const struct pgmap before = *pgmap;

	if (!script_run(binder, bind, "binds the device again"))
		return;
	pgmap->rest = before.rest;
	pgmap->ops = before.ops;
	pgmap->mapped_holds = before.mapped_holds;
	if (page_records_populate(page_to_pfn(s->page), 1)) {
		panic("no memory for the record that the script has to put back");
		return;
	}
	*s->page = saved;
	if (in_use)
		percpu_ref_get(&pgmap->ref);
}

/* F's page is held by T1, mapped by nobody, and F is closed. */
static bool held_and_closed(struct script *s, struct actor *t1)
{
	return !script_f(s, 1) && script_run(t1, piece_map, "maps F and stores to it") &&
	       script_run(t1, piece_pin, "pins the page") &&
	       script_run(t1, piece_unmap, "unmaps F: the pin is all") &&
	       script_run(t1, piece_close, "closes F");
}

/* Nobody holds anything any more: in order, and back again. */
static void unbind_and_bind(struct script *s, struct actor *t2)
{
	if (script_run(t2, unbind, "unbinds the device") && script_run(t2, bind, "binds it again"))
		script_verdict(s, RACE_SAFE, "%s", "");
}

/* ---- F-8: unmount, then another driver ---------------------------------------------------- */

/* The unmount waits for the holder, or is refused because of it. False: the verdict is set. */
static bool f8_let_go(struct script *s, struct actor *t1, struct actor *t2)
{
	bool refused = !script_at_work(t2);

	if (!script_run(t1, piece_unpin, "puts the page"))
		return false;
	if (!refused)
		return script_await(t2, "wakes: the file system is unmounted");
	script_pass_time(s, 3000000000ull);
	return script_run(t2, piece_umount, "unmounts it now");
}

static int bind_as_device(struct script *s)
{
	uint64_t va = 0;
	int err = devdax_mmap(current_mm(), region(), PMD_SIZE, 0, PMD_SIZE, VM_READ | VM_SHARED,
			      &va);

	(void)s;
	return err ? err : mm_unmap(current_mm(), va, PMD_SIZE);
}

static void f8_held(struct script *s, struct actor *t1, struct actor *t2)
{
	saved = *s->page;
	if (!script_try(t2, bind_as_device, "maps the device as a device, which binds it anew"))
		return;
	if (script_step(t2, unbind, "unbinds the device") != ACTOR_DONE) {
		if (script_run(t1, piece_unpin, "puts the page") &&
		    script_await(t2, "wakes: the device is gone now") &&
		    script_run(t2, bind, "binds it again"))
			script_verdict(s, RACE_SAFE, "%s", "");
		return;
	}
	if (!t2->err) {
		script_verdict(s, RACE_BROKEN_I2,
			       "the device is gone while pfn 0x%lx has a pin: its put would write "
			       "to freed memory",
			       page_to_pfn(s->page));
		mend(s, t2, !region()->pgmap.rest);
	} else if (script_run(t1, piece_unpin, "puts the page")) {
		unbind_and_bind(s, t2);
	}
}

static void f8_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0);

	if (!held_and_closed(s, t1))
		return;
	if (script_step(t2, piece_umount, "unmounts the file system") == ACTOR_DONE && !t2->err)
		f8_held(s, t1, t2);
	else if (f8_let_go(s, t1, t2))
		unbind_and_bind(s, t2);
}
/* Those that have a holder at that point: unaware and idle-at-one, whose unbinding waits, and
 * busy-extent, which refuses. The others' unmount has waited for him, or was refused. */
SCRIPT(f8, "F-8", f8_play, "unmounted, unbound, and bound as another mode, with a holder", WANTS(0),
       {"unaware", RACE_SAFE}, {"lease-poll", RACE_SAFE}, {"idle-at-one", RACE_SAFE},
       {"zap-to-zero", RACE_SAFE}, {"counted-map", RACE_SAFE}, {"refuse-busy", RACE_SAFE},
       {"busy-extent", RACE_SAFE});
RACE_EXHIBIT(f8_ignored, "F-8", "busy-extent", "unbind-ignores-holders", RACE_BROKEN_I2);

/* ---- F-14: the last release against the end of the device --------------------------------- */

/* T1 has cleared the mark, and nobody has been told. Whoever looks at the page finds it at rest. */
static void f14_race(struct script *s, struct actor *t1, struct actor *t2)
{
	saved = *s->page;
	if (script_step(t2, unbind_patiently, "unbinds the device: every page is at rest") ==
	    ACTOR_DONE) {
		script_verdict(s, RACE_BROKEN_I2,
			       "the device is gone while the put of pfn 0x%lx is still to tell "
			       "its release",
			       page_to_pfn(s->page));
		mend(s, t2, false);
		script_go(t1, "goes on: tells the release of a record that was gone");
		return;
	}
	script_go(t1, "goes on: tells the release, then gives the device back");
	if (script_await(t2, "wakes: the device is gone now") &&
	    script_run(t2, bind, "binds it again"))
		script_verdict(s, RACE_SAFE, "%s", "");
}

static void f14_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", ACTOR_OWN_CPU), *t2 = script_actor(s, "T2", 0);

	if (script_f(s, 1) || !script_run(t1, piece_map, "maps F and stores to it") ||
	    !script_run(t1, piece_pin, "pins the page"))
		return;
	if (script_step(t2, piece_punch, "punches the page out of F") != ACTOR_DONE &&
	    (!script_run(t1, piece_unpin, "puts the page") || !script_await(t2, "wakes")))
		return;
	if (!script_run(t1, piece_unmap, "unmaps F") || !script_run(t1, piece_close, "closes F"))
		return;
	script_pass_time(s, 3000000000ull); /* lease-poll: a lease holds F until it was polled */
	if (!script_run(t2, piece_umount, "unmounts the file system"))
		return;
	script_stop_at(t1, "page_busy_released", 0);
	t1->stop.wanted = NULL; /* its CPU answers: the order of two steps must do, without that */
	if (s->nr_held &&
	    script_step(t1, piece_put_one, "puts the page: the block is released") == ACTOR_STOPPED)
		f14_race(s, t1, t2);
	else
		unbind_and_bind(s, t2);
}
/* Elsewhere no page is busy, so nobody releases: waited for before, or (unaware) freed under the
 * holder, who does no harm without a device that writes. */
SCRIPT(f14, "F-14", f14_play, "the put that releases a block races the end of the device",
       WANTS(.cpus = 2), {"unaware", RACE_SAFE}, {"lease-poll", RACE_SAFE},
       {"idle-at-one", RACE_SAFE}, {"zap-to-zero", RACE_SAFE}, {"counted-map", RACE_SAFE},
       {"refuse-busy", RACE_SAFE}, {"busy-extent", RACE_SAFE});
RACE_EXHIBIT(f14_early, "F-14", "busy-extent", "device-before-release", RACE_BROKEN_I2);
