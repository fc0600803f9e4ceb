/* SPDX-License-Identifier: MIT */
/*
 * Race L-7: a device-dax goes while another device writes into it (docs/weaknesses.md).
 *
 * The region's lease is on the device itself, and its removal is what breaks it. If the break looks
 * for leases elsewhere the removal waits for pins whose holder nobody tells.
 */
#include "tests/kernel/lib/leased.h"
#include "tests/kernel/race/internal.h"

#define PAGES 3u

static struct region *region; /* of pmem1; one race at a time */

static int map_device(struct script *s)
{
	return devdax_mmap(current_mm(), scratch_device(), PMD_SIZE, 0, PMD_SIZE,
			   VM_READ | VM_WRITE | VM_SHARED, &s->va);
}

static int register_region(struct script *s)
{
	return region_register(scratch_edu(0), s->va, PAGES, REGION_PINNED, "of pmem1", &region);
}

static int unbind(struct script *s)
{
	(void)s;
	return dax_unbind(scratch_device(), true);
}

static int bind(struct script *s)
{
	(void)s;
	return pmem_bind(scratch_device());
}

static uint64_t faults; /* that its write came to */

static int device_writes(struct script *s)
{
	uint64_t before = faults_of(scratch_edu(0));
	int err = region_late(region, F_TEXT);

	(void)s;
	faults = faults_of(scratch_edu(0)) - before;
	return err;
}

/* The pins go, so that the removal, which nothing interrupts, comes to its end. */
static void deregister(struct script *s)
{
	(void)s;
	if (region)
		region_deregister(region);
	region = NULL;
}

static int give_back(struct script *s)
{
	leased_notices(); /* T1's own: it was told, if at all, and did nothing */
	return mm_unmap(current_mm(), s->va, PMD_SIZE);
}

static void story(struct script *s, struct actor *t1, struct actor *t2)
{
	if (!script_run(t1, piece_umount, "unmounts the file system") ||
	    !script_run(t1, map_device, "maps the device by 2 MiB") ||
	    !script_run(t1, register_region, "registers three pages of it with another device"))
		return;
	script_step(t2, unbind, "unbinds the device, patiently; T1 does nothing");
	if (!script_await(t2, "the device is gone: the region was told, and revoked") ||
	    !script_run(t1, device_writes, "its device writes \"%s\" where it was sent", F_TEXT))
		return;
	if (faults)
		script_verdict(s, RACE_SAFE, "%s", "");
	else
		script_verdict(s, RACE_BROKEN_I2,
			       "the device is gone, and another one can still write into it");
}

static void l7_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0);

	region = NULL;
	s->rescue = deregister;
	story(s, t1, t2);
	deregister(s);
	if (s->va && script_run(t1, give_back, "unmaps what is left"))
		script_run(t2, bind, "binds the device again");
}
SCRIPT(l7, "L-7", l7_play, "a device goes that another device writes into",
       WANTS(.edus = 1, .stops = true), {"unaware", RACE_SAFE}, {"lease-poll", RACE_SAFE},
       {"idle-at-one", RACE_SAFE}, {"zap-to-zero", RACE_SAFE}, {"counted-map", RACE_SAFE},
       {"refuse-busy", RACE_SAFE}, {"busy-extent", RACE_SAFE});
RACE_EXHIBIT(l7_elsewhere, "L-7", "busy-extent", "device-break-elsewhere", RACE_HUNG);
