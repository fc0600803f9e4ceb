/* SPDX-License-Identifier: MIT */
/* Every allocation of a registration fails once (fail.client-*); see fail_nth.h. */
#include "drivers/clients/internal.h"
#include "tests/kernel/lib/fail_nth.h"
#include "tests/kernel/lib/leased.h"

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
	int err = region_register(engine(), r->va, FAIL_PAGES, REGION_PINNED, NULL, &reg);

	if (!err)
		region_deregister(reg);
	return err;
}

static int receive_on_demand(struct fail_round *r)
{
	struct region *reg;
	int err = region_register(engine(), r->va, 1, REGION_ON_DEMAND, NULL, &reg);

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

/* Another address space's pages. */
static int prepare_other(struct fail_round *r)
{
	int err = prepare_anon(r);

	for (unsigned i = 0; !err && i < 2; i++)
		err = mm_fault(r->mm, fail_page(r, i), true);
	if (err)
		return err;
	r->child = mm_fork(r->mm, "other");
	return r->child ? 0 : -ENOMEM;
}

static int map_of_other(struct fail_round *r)
{
	struct container *c;
	int err;

	c = container_open(engine(), &err);
	if (!c)
		return err;
	err = container_map(c, r->child, r->va, 4, BUS);
	container_close(c);
	return err;
}

static void drop_other(struct fail_round *r)
{
	if (r->child)
		mm_put(r->child);
	r->child = NULL;
	drop(r);
}

/* ---- a buffer that is exported ----------------------------------------------------------------
 */

#define SHARED	 2u
#define BOUND_NS 1000000ull

/* Exported, imported, written by the device; `revoked`: then taken back. */
static int share(struct fail_round *r, bool deaf, bool revoked)
{
	static struct dmabuf buf;
	struct edu_importer imp = {.deaf = deaf};
	int err = longterm_pin(r->va, SHARED, r->pages);

	if (err)
		return err;
	dmabuf_export(&buf, "of a test", r->pages, SHARED);
	err = edu_importer_open(&imp, engine(), &buf);
	if (!err) {
		err = edu_importer_receive(&imp, "once");
		if (!err && revoked && dmabuf_revoke(&buf, BOUND_NS) != (deaf ? -ETIMEDOUT : 0))
			err = -EFAULT;
		edu_importer_close(&imp);
	}
	if (!LIST_EMPTY(&buf.importers) || buf.mapped)
		err = -EFAULT; /* an importer that failed is still there */
	unpin_user_pages(r->pages, SHARED);
	return err;
}

static int export_and_close(struct fail_round *r)
{
	return share(r, false, false);
}

static int export_and_revoke(struct fail_round *r)
{
	return share(r, false, true);
}

static int export_to_deaf(struct fail_round *r)
{
	return share(r, true, true);
}

/* ---- of a device ------------------------------------------------------------------------------
 */

static int map_device(struct fail_round *r)
{
	return devdax_mmap(r->mm, scratch_device(), PAGE_SIZE, 0, FAIL_PAGES * PAGE_SIZE,
			   VM_READ | VM_WRITE | VM_SHARED, &r->va);
}

/* Registered, and revoked by the device's removal, which leaves the mapping dead. */
static int remove_registered(struct fail_round *r)
{
	uint64_t before = lease_break_time_ns;
	struct region *reg;
	int err = region_register(engine(), r->va, FAIL_PAGES, REGION_PINNED, NULL, &reg);

	if (err)
		return err;
	lease_break_time_ns = 1;
	err = dax_unbind(scratch_device(), true);
	lease_break_time_ns = before;
	if (!err && region_state(reg) != REGION_REVOKED)
		err = -EFAULT;
	region_deregister(reg);
	return err;
}

static void drop_device(struct fail_round *r)
{
	drop(r);
	leased_notices();
	if (pmem_state(scratch_device()) == PMEM_GONE)
		pmem_bind(scratch_device());
}

/* ---- of a file, with a lease ------------------------------------------------------------------
 */

static int map_leased(struct fail_round *r)
{
	int err = fail_prepare_file(r);

	if (err)
		return err;
	r->va = map_direct(r->f, 2 * FAIL_PAGES);
	return r->va ? 0 : -ENOMEM;
}

static void drop_leased(struct fail_round *r)
{
	fail_undo_file(r);
	leased_notices();
}

static int register_leased(struct fail_round *r)
{
	struct region *reg;
	int err = region_register(engine(), r->va, FAIL_PAGES, REGION_PINNED, NULL, &reg);

	if (!err)
		region_deregister(reg);
	return err;
}

/* Registered, told, revoked, the file truncated under it, deregistered. */
static int revoke_leased(struct fail_round *r)
{
	uint64_t before = lease_break_time_ns;
	struct region *reg;
	int err = region_register(engine(), r->va, FAIL_PAGES, REGION_PINNED, NULL, &reg);

	if (err)
		return err;
	lease_break_time_ns = 1; /* a holder that is too late for any time */
	err = dax_truncate(r->f, 0);
	lease_break_time_ns = before;
	if (!err && region_state(reg) != REGION_REVOKED)
		err = -EFAULT;
	region_deregister(reg);
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
static void run_case(struct selftest_run *t, const struct fail_case *c, bool domain)
{
	struct fail_verdict v;
	uint64_t before;

	if (!may_run(t, domain))
		return;
	before = edu_dma(engine())->mappings;
	fail_nth_run(c, &v);
	if (v.skipped)
		SKIP("%s", v.text);
	EXPECT(!v.failed, "%s", v.text);
	EXPECT(edu_dma(engine())->mappings == before, "%lu mappings are left",
	       edu_dma(engine())->mappings - before);
}

#define SHORT_COUNT "behind a short count the rest is asked for once more"
#define ANON(op_, least_)                                                                          \
	&(const struct fail_case)                                                                  \
	{                                                                                          \
		.prepare = prepare_anon, .op = op_, .undo = drop, .unmounted = true,               \
		.way_round = SHORT_COUNT, .least = least_                                          \
	}
#define LEASED_FILE(op_, least_)                                                                   \
	&(const struct fail_case)                                                                  \
	{                                                                                          \
		.prepare = map_leased, .op = op_, .undo = drop_leased, .way_round = SHORT_COUNT,   \
		.least = least_                                                                    \
	}

SELFTEST(fail_pinned, "fail.client-region",
	 "each allocation of the registration of a pinned region fails once")
{
	run_case(t, ANON(register_pinned, 1 + FAIL_PAGES), false);
}

SELFTEST(fail_demand, "fail.client-on-demand",
	 "each allocation of a region on demand and of a transfer fails once")
{
	run_case(t, ANON(receive_on_demand, 4), true);
}

SELFTEST(fail_frame, "fail.client-frame-buffer",
	 "each allocation of queueing a frame buffer fails once")
{
	run_case(t, ANON(queue_frame, FAIL_PAGES), false);
}

SELFTEST(fail_container, "fail.client-container",
	 "each allocation of a container and two ranges in it fails once")
{
	run_case(t, ANON(map_in_container, 1 + 2 + 4), true);
}

SELFTEST(fail_leased, "fail.client-leased-region",
	 "each allocation of the registration of a region on a MAP_DIRECT mapping fails once, and "
	 "no lease is left")
{
	run_case(t, LEASED_FILE(register_leased, 3), true);
}

SELFTEST(fail_revoked, "fail.client-revocation",
	 "each allocation between the registration of a region and its revocation by a truncate "
	 "fails once")
{
	run_case(t, LEASED_FILE(revoke_leased, 3), true);
}

SELFTEST(fail_other, "fail.client-container-other",
	 "each allocation of a container and a range in it of another address space's pages, some "
	 "of "
	 "which are not there yet, fails once")
{
	static const struct fail_case c = {.prepare = prepare_other,
					   .op = map_of_other,
					   .undo = drop_other,
					   .unmounted = true,
					   .way_round = SHORT_COUNT,
					   .least = 1 + 2};

	run_case(t, &c, true);
}

SELFTEST(fail_dmabuf, "fail.client-dmabuf",
	 "each allocation of a buffer's export, its import and a transfer fails once")
{
	run_case(t, ANON(export_and_close, SHARED + 2), false);
}

SELFTEST(fail_dmabuf_revoked, "fail.client-dmabuf-revoked",
	 "each allocation up to the revocation of an exported buffer, whose importer unmaps, fails "
	 "once; the revocation itself needs none")
{
	run_case(t, ANON(export_and_revoke, SHARED + 2), false);
}

SELFTEST(fail_dmabuf_deaf, "fail.client-dmabuf-deaf",
	 "each allocation up to the revocation of a buffer whose importer is deaf, and is cut off, "
	 "fails once")
{
	run_case(t, ANON(export_to_deaf, SHARED + 2), true);
}

SELFTEST(fail_device, "fail.client-removal",
	 "each allocation between the registration of a region on a device and its revocation by "
	 "the "
	 "device's removal fails once; the device can be bound again")
{
	static const struct fail_case c = {.prepare = map_device,
					   .op = remove_registered,
					   .undo = drop_device,
					   .unmounted = true,
					   .way_round = SHORT_COUNT,
					   .helper = "lease revoker",
					   .least = 3};

	run_case(t, &c, true);
}
