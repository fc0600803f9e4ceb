/* SPDX-License-Identifier: MIT */
/* Every allocation of a registration fails once (fail.client-*); see fail_nth.h. */
#include "tests/kernel/lib/fail_nth.h"

#define BUS 0x30000000ull

static struct edu *engine(void)
{
	return scratch_choose_edus(1) ? NULL : scratch_edu(0);
}

static int prepare_anon(struct fail_round *r)
{
	return mm_map_anon(r->mm, &r->va, FAIL_PAGES * PAGE_SIZE, true);
}

static void drop(struct fail_round *r)
{
	if (r->va)
		mm_unmap(r->mm, r->va, FAIL_PAGES * PAGE_SIZE);
}

/* The region, the pages it faults in, their tables and the device's. */
static int register_pinned(struct fail_round *r)
{
	struct region *reg;
	int err = region_register(engine(), r->va, FAIL_PAGES, REGION_PINNED, &reg);

	if (!err)
		region_deregister(reg);
	return err;
}

static int receive_on_demand(struct fail_round *r)
{
	struct region *reg;
	int err = region_register(engine(), r->va, 1, REGION_ON_DEMAND, &reg);

	if (err)
		return err;
	err = region_receive(reg, "once");
	region_deregister(reg);
	return err;
}

static int queue_frame(struct fail_round *r)
{
	static struct grabber g;
	int slot = grabber_queue(&g, engine(), r->va, FAIL_PAGES);

	grabber_stop(&g);
	return slot < 0 ? slot : 0;
}

static int map_in_container(struct fail_round *r)
{
	struct container *c;
	int err;

	c = container_open(engine(), &err);
	if (!c)
		return err;
	err = container_map(c, r->mm, r->va, 2, BUS)
		      ?: container_map(c, r->mm, r->va + 2 * PAGE_SIZE, 2, BUS + 2 * PAGE_SIZE);
	container_close(c);
	return err;
}

/* What every case needs. False: the test is skipped. */
static bool may_run(struct selftest_run *t, bool domain)
{
	if (!engine())
		selftest_skip(t, "%s", refusal());
	else if (domain && !edu_dma(engine())->domain)
		selftest_skip(t, "%s", edu_dma(engine())->direct);
	return !t->skipped;
}

/* No mapping of the device is left, whatever failed. */
static void run_case(struct selftest_run *t, int (*op)(struct fail_round *), bool domain,
		     unsigned least)
{
	const struct fail_case c = {.prepare = prepare_anon,
				    .op = op,
				    .undo = drop,
				    .unmounted = true,
				    .way_round =
					    "behind a short count the rest is asked for once more",
				    .least = least};
	struct fail_verdict v;
	uint64_t before;

	if (!may_run(t, domain))
		return;
	before = edu_dma(engine())->mappings;
	fail_nth_run(&c, &v);
	if (v.skipped)
		SKIP("%s", v.text);
	EXPECT(!v.failed, "%s", v.text);
	EXPECT(edu_dma(engine())->mappings == before, "%lu mappings are left",
	       edu_dma(engine())->mappings - before);
}

SELFTEST(fail_pinned, "fail.client-region",
	 "each allocation of the registration of a pinned region fails once")
{
	run_case(t, register_pinned, false, 1 + FAIL_PAGES);
}

SELFTEST(fail_demand, "fail.client-on-demand",
	 "each allocation of a region on demand and of a transfer fails once")
{
	run_case(t, receive_on_demand, true, 4);
}

SELFTEST(fail_frame, "fail.client-frame-buffer",
	 "each allocation of queueing a frame buffer fails once")
{
	run_case(t, queue_frame, false, FAIL_PAGES);
}

SELFTEST(fail_container, "fail.client-container",
	 "each allocation of a container and two ranges in it fails once")
{
	run_case(t, map_in_container, true, 1 + 2 + 4);
}
