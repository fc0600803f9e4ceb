/* SPDX-License-Identifier: MIT */
/*
 * Race A-2: a device is killed while a file has stores that were not synced yet (docs/weaknesses.md
 * A).
 *
 * The bytes lie in memory that is still there, and all that fsync has to do is to write their cache
 * lines back. An entry that holds a page frame says where they are. One that holds a sector, as
 * before Linux 4.15 (mount option entries=sectors, which only unaware has), has to ask the device,
 * which does not answer any more: fsync fails, and what was stored goes with the power. The same
 * race with page frames in every lifetime is A-2-pfns.
 *
 * Seen by an observer of the wrappers that write lines back, not by what fsync says of itself.
 */
#include "tests/kernel/race/internal.h"

#define LINES (PAGE_SIZE / 64)

/* One race at a time. */
static struct {
	const struct persist_observer *before;
	uint64_t at;	/* F's page, as the kernel reaches it */
	uint64_t noted; /* lines written back, a bit each, and not fenced yet */
	uint64_t lines; /* … and fenced: durable */
} seen;
_Static_assert(LINES == 64, "a bit for each line of a page");

static void see(const void *p, size_t n)
{
	const uint64_t start = ALIGN_DOWN((uint64_t)p, 64), end = ALIGN_UP((uint64_t)p + n, 64);

	for (unsigned i = 0; i < LINES; i++)
		if (seen.at + i * 64 >= start && seen.at + i * 64 < end)
			seen.noted |= 1ull << i;
	if (seen.before && seen.before->wrote_back)
		seen.before->wrote_back(p, n);
}

static void see_fence(void)
{
	seen.lines |= seen.noted;
	if (seen.before && seen.before->fenced)
		seen.before->fenced();
}

static int piece_fsync(struct script *s)
{
	static const struct persist_observer observer = {see, see_fence};
	int err;

	seen.before = persist_get_observer();
	seen.at = (uint64_t)page_to_virt(s->page);
	seen.noted = seen.lines = 0;
	persist_set_observer(&observer);
	err = dax_fsync(s->f);
	persist_set_observer(seen.before);
	return err;
}

static int piece_kill(struct script *s)
{
	return pmem_kill(s->fs->region);
}

static int piece_revive(struct script *s)
{
	return pmem_revive(s->fs->region);
}

static int piece_mount_sectors(struct script *s)
{
	const struct mount_options o = {.sectors = true};

	return dax_mount_with(scratch_region(&(const char *){NULL}), SCRATCH_PATH, s->lt, &o,
			      &s->fs);
}

static void judge(struct script *s, const struct actor *t1)
{
	unsigned durable = __builtin_popcountll(seen.lines);

	if (t1->err || durable < LINES)
		script_verdict(s, RACE_BROKEN_I7,
			       "%u of 64 lines of F's page are durable, the others go with the "
			       "power; fsync said: %s",
			       durable, t1->err ? errno_name(t1->err) : "done");
	else
		script_verdict(s, RACE_SAFE, "%s", "");
}

static void killed_before_fsync(struct script *s, struct actor *t1, struct actor *t2)
{
	if (script_f(s, 1) || !script_run(t1, piece_map, "maps F and stores to it") ||
	    !script_run(t1, piece_look_up, "(F's page is dirty; nobody pins it)"))
		return;
	script_run(t2, piece_kill, "the device is killed; its memory is still there");
	if (script_try(t1, piece_fsync, "fsync(F)"))
		judge(s, t1);
	script_run(t2, piece_revive, "the device lives again");
	/* A failed fsync left its entries dirty, else this one finds nothing to do. */
	if (s->result->verdict == RACE_BROKEN_I7 && script_run(t1, piece_fsync, "fsync(F)"))
		script_say(t1, "%u of 64 lines are durable now", __builtin_popcountll(seen.lines));
}

static void sectors_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0);

	if (s->lt == &lifetime_unaware &&
	    (!script_run(t1, piece_umount, "(unmounts, for another option)") ||
	     !script_run(t1, piece_mount_sectors, "(mounts with entries=sectors)")))
		return;
	killed_before_fsync(s, t1, t2);
}
SCRIPT(a2, "A-2", sectors_play,
       "a device is killed before the fsync of a file; unaware with entries=sectors", WANTS(0),
       {"unaware", RACE_BROKEN_I7}, {"lease-poll", RACE_SAFE}, {"idle-at-one", RACE_SAFE},
       {"zap-to-zero", RACE_SAFE}, {"counted-map", RACE_SAFE}, {"refuse-busy", RACE_SAFE},
       {"busy-extent", RACE_SAFE});

static void pfns_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0);

	killed_before_fsync(s, t1, t2);
}
SCRIPT(a2_pfns, "A-2-pfns", pfns_play,
       "the same with page frames in the entries, as every later design has them", WANTS(0),
       {"unaware", RACE_SAFE}, {"lease-poll", RACE_SAFE}, {"idle-at-one", RACE_SAFE},
       {"zap-to-zero", RACE_SAFE}, {"counted-map", RACE_SAFE}, {"refuse-busy", RACE_SAFE},
       {"busy-extent", RACE_SAFE});
RACE_EXHIBIT(a2_skip_fsync, "A-2-pfns", "busy-extent", "skip-fsync", RACE_BROKEN_I7);
