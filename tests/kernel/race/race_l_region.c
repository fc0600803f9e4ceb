/* SPDX-License-Identifier: MIT */
/*
 * Race L-5: a revocation that cuts less than the device was given (docs/weaknesses.md).
 *
 * F is mapped with MAP_DIRECT and registered with a device. Its holder is deaf: when F is to change
 * the region is revoked. What G then holds says which pages the device still reached.
 */
#include "tests/kernel/lib/leased.h"
#include "tests/kernel/race/internal.h"

#define PAGES 3u

static struct region *region; /* of F; one race at a time */

static int map_leased(struct script *s)
{
	s->va = map_direct(s->f, PAGES);
	for (unsigned i = 0; s->va && i < PAGES; i++)
		if (store_checked((uint64_t *)(s->va + i * PAGE_SIZE), i))
			return -EFAULT;
	return s->va ? 0 : -EFAULT;
}

static int register_region(struct script *s)
{
	return region_register(scratch_edu(0), s->va, PAGES, REGION_PINNED, "of F", &region);
}

static int truncate_all(struct script *s)
{
	return dax_truncate(s->f, 0);
}

static int make_large_g(struct script *s)
{
	s->g = scratch_file("G", PAGES, G_BYTE);
	return s->g ? 0 : -ENOSPC;
}

static int device_writes_all(struct script *s)
{
	(void)s;
	leased_notices(); /* T1's own: it was told of both leases, and did nothing */
	return region_late(region, F_TEXT);
}

/* Bytes of G's page that are not G's; negative: it cannot be read. */
static int foreign_bytes(struct script *s, unsigned page)
{
	char *const buf = scratch_bytes;
	int n = 0;

	if (dax_read(s->g, page * PAGE_SIZE, buf, PAGE_SIZE) != (int64_t)PAGE_SIZE)
		return -1;
	for (unsigned i = 0; i < PAGE_SIZE; i++)
		n += buf[i] != G_BYTE;
	return n;
}

static void judge_pages(struct script *s)
{
	int foreign[PAGES];

	for (unsigned i = 0; i < PAGES; i++)
		foreign[i] = foreign_bytes(s, i);
	if (foreign[0] < 0 || foreign[1] < 0 || foreign[2] < 0)
		script_verdict(s, RACE_SKIP, "reading G: %s", refusal());
	else if (foreign[0] || foreign[1] || foreign[2])
		script_verdict(s, RACE_BROKEN_I1,
			       "of the pages of G %d, %d and %d bytes are F's device's: it was cut "
			       "off from the first page alone",
			       foreign[0], foreign[1], foreign[2]);
	else
		script_verdict(s, RACE_SAFE, "%s", "");
}

static void story(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0),
		     *t3 = script_actor(s, "T3", 0);

	if (script_f(s, PAGES) ||
	    !script_run(t1, map_leased, "maps F with MAP_DIRECT and stores to it") ||
	    !script_run(t1, register_region, "registers it with a device"))
		return;
	script_step(t2, truncate_all, "truncates F: the region is told, and T1 does nothing");
	if (!script_await(t2, "goes on: the break time is over, the region was revoked") ||
	    !script_run(t3, make_large_g, "creates G of three pages and writes it") ||
	    !script_run(t1, device_writes_all, "its device writes \"%s\" where it was sent",
			F_TEXT))
		return;
	judge_pages(s);
}

static void l5_play(struct script *s)
{
	region = NULL;
	story(s);
	if (region)
		region_deregister(region);
	faults_of(scratch_edu(0)); /* asked for: not told at the prompt */
}
SCRIPT(l5, "L-5", l5_play, "a revocation counts pages where bytes are wanted",
       WANTS(.edus = 1, .stops = true), {"unaware", RACE_SAFE}, {"lease-poll", RACE_SAFE},
       {"idle-at-one", RACE_SAFE}, {"zap-to-zero", RACE_SAFE}, {"counted-map", RACE_SAFE},
       {"refuse-busy", RACE_SAFE}, {"busy-extent", RACE_SAFE});
RACE_EXHIBIT(l5_pages, "L-5", "busy-extent", "cut-pages-for-bytes", RACE_BROKEN_I1);
