/* SPDX-License-Identifier: MIT */
/*
 * A lease beside the end of its device (`pmem kill`): who sets one looks at the device's state
 * then, and who kills the device marks it and looks for leases then. So a lease is refused, or its
 * owner is told; never is one kept of a device that is gone.
 */
#include "dax/device/internal.h"
#include "tests/explore/scenarios/files.h"

static struct pmem_region *region;
static struct mm *mm;
static uint64_t va, before;
static struct lease lease;
static struct direct_lease client;
static bool kept, told;

static bool tell(struct lease *l)
{
	(void)l;
	told = true;
	return false;
}

static void tell_client(struct direct_lease *l)
{
	(void)l;
	told = true;
}

static void revoke_client(struct direct_lease *l)
{
	(void)l; /* it has no page so far */
}

static const struct lease_ops ops = {.what = "a scenario", .told = tell};
static const struct direct_lease_ops client_ops = {
	.what = "a client", .told = tell_client, .revoke = revoke_client};

static void start(void)
{
	kept = told = false;
	lease = (struct lease){.class = LEASE_LAYOUT, .ops = &ops};
	client = (struct direct_lease){.ops = &client_ops};
}

/* With a break time that nobody lives to see. */
static void long_break_time(void)
{
	before = lease_break_time_ns;
	lease_break_time_ns = 3600ull * 1000000000;
}

static void kill_device(void)
{
	int err = pmem_kill(region);

	X_EXPECT("I4", !err, "kill: error %d, %s", err, refusal());
}

static void end(void)
{
	x_observe(kept);
	x_observe(told);
	X_EXPECT("L", !kept || told,
		 "a lease of a device that was killed, and its owner knows nothing");
}

/* ---- of a file --------------------------------------------------------------------------------
 */

static int file(void)
{
	int err = files_setup(1, FILES_UNMAPPED);

	region = err ? NULL : files.fx.fs->region;
	long_break_time();
	return err;
}

static void end_file(void)
{
	lease_break_time_ns = before;
	files_teardown();
}

static void lease_file(void)
{
	kept = !layout_lease_set(files.f, &lease, true);
}

/* ---- of a device ------------------------------------------------------------------------------
 */

static int device(void)
{
	const char *why;

	region = scratch_region(&why);
	if (!region)
		return refuse(-ENODEV, "%s", why);
	long_break_time();
	mm = current_mm();
	va = 0;
	return devdax_mmap(mm, region, PMD_SIZE, 0, PMD_SIZE, VM_READ | VM_SHARED, &va);
}

static void end_device(void)
{
	lease_break_time_ns = before;
	if (va)
		mm_unmap(mm, va, PMD_SIZE);
}

static void lease_device(void)
{
	down_read(&mm->mmap_lock);
	kept = !direct_lease_take(mm_find_vma(mm, va), &client);
	up_read(&mm->mmap_lock);
}

EXPLORE_SCENARIO(lease_kill_file, "lease.kill-file",
		 "a lease of a file is refused when its device was killed, or its owner is told",
		 .setup = file, .teardown = end_file, .start = start, .end = end, .large = true,
		 .thread = {{"lease", lease_file}, {"kill", kill_device}});
EXPLORE_SCENARIO(
	lease_kill_device, "lease.kill-device",
	"a client's lease of a device is refused when that was killed, or the client is told",
	.setup = device, .teardown = end_device, .start = start, .end = end, .large = true,
	.thread = {{"lease", lease_device}, {"kill", kill_device}});
