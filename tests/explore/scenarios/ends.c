/* SPDX-License-Identifier: MIT */
/*
 * Ends: the last close of an unlinked file, an unmount, an unbinding, while somebody still holds a
 * page of it.
 *
 * The page is pinned when nothing maps it any more and nobody has the file open. What goes on is
 * the put, against what takes the ground from under it.
 */
#include "dax/mount/internal.h"
#include "tests/explore/scenarios/files.h"

static struct pmem_region *region;

/* F is mapped, touched, pinned, unmapped; `close`: and nobody has it open. */
static int pinned(void)
{
	int err = files_setup(1, FILES_TOUCHED);
	long n;

	if (err)
		return err;
	region = files.fx.fs->region;
	n = get_user_pages_fast(files.va, 1, FOLL_PIN | FOLL_WRITE, &files.held);
	if (n != 1) {
		files_teardown();
		return refuse(-EFAULT, "F's page cannot be held");
	}
	mm_unmap(files.mm, files.va, PAGE_SIZE);
	files.va = 0;
	return 0;
}

static void end_pinned(void)
{
	put_user_page(files.held);
	files_teardown();
}

static int unlinked(void)
{
	int err = pinned();

	return err ?: dax_unlink(SCRATCH_PATH "/F");
}

static int closed(void)
{
	int err = pinned();

	if (err)
		return err;
	dax_put(files.f);
	dax_put(files.g);
	files.f = files.g = NULL;
	return 0;
}

static int unmounted(void)
{
	int err = closed();

	return err ?: dax_umount(SCRATCH_PATH);
}

static void end_unmounted(void)
{
	put_user_page(files.held);
}

/* ---- threads ----------------------------------------------------------------------------------
 */

static void put(void)
{
	put_user_page(files.held);
}

/* The last close: the blocks go, and G is written. */
static void evict(void)
{
	int64_t n;

	dax_put(files.f);
	n = dax_write(files.g, 0, "G", 1);
	x_observe(n == 1);
	X_EXPECT("I1", n != 1 || page_refs(files.page) <= files.fx.fs->lifetime->rest,
		 "G has the block of a file that is gone, which is held");
}

static void unmount(void)
{
	int err = dax_umount(SCRATCH_PATH);

	X_EXPECT("I4", !err, "umount: error %d, %s", err, refusal());
}

static void unbind(void)
{
	int err = dax_unbind(region, false);

	x_observe((uint64_t)-err);
	X_EXPECT("I2", err || !page_record_exists(files.page),
		 "an unbinding leaves records behind");
}

static void unbind_and_wait(void)
{
	int err = dax_unbind(region, true);

	X_EXPECT("I4", !err, "unbind: error %d, %s", err, refusal());
}

EXPLORE_SCENARIO(
	evict_put, "file.evict-put",
	"the last close of an unlinked file whose page is held: its block waits for the put",
	.setup = unlinked, .teardown = end_pinned, .thread = {{"close", evict}, {"put", put}},
	.interrupts = true, .lifetimes = true, .large = true);
EXPLORE_SCENARIO(umount_put, "mount.umount-put", "an unmount beside the put of a held page",
		 .setup = closed, .teardown = end_pinned,
		 .thread = {{"umount", unmount}, {"put", put}}, .interrupts = true,
		 .lifetimes = true, .large = true);
EXPLORE_SCENARIO(unbind_put, "device.unbind-put",
		 "an unbinding is refused while a page is held, or goes when it was put",
		 .setup = unmounted, .teardown = end_unmounted,
		 .thread = {{"unbind", unbind}, {"put", put}}, .interrupts = true,
		 .lifetimes = true, .large = true);
EXPLORE_SCENARIO(unbind_wait_put, "device.unbind-wait-put",
		 "an unbinding that waits is woken by the last put, and goes", .setup = unmounted,
		 .teardown = end_unmounted, .thread = {{"unbind", unbind_and_wait}, {"put", put}},
		 .interrupts = true, .lifetimes = true, .large = true);
