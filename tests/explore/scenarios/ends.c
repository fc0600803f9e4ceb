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

static void close_files(void)
{
	dax_put(files.f);
	dax_put(files.g);
	files.f = files.g = NULL;
}

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
	close_files();
	return 0;
}

/* A page is held, and the unmount that comes next would wait for it (E-3), or is refused, as who
 * holds a page has a lease of its file: of such a lifetime there is no scenario here. */
static bool unmount_needs_the_put(void)
{
	const struct lifetime *lt = files.fx.fs->lifetime;

	return lt->no_fast_gup || lt == &lifetime_zap_to_zero || lt == &lifetime_counted_map ||
	       lt == &lifetime_refuse_busy;
}

static int unmounted(void)
{
	int err = closed();

	if (err)
		return err;
	if (!unmount_needs_the_put())
		return dax_umount(SCRATCH_PATH);
	end_pinned();
	return refuse(-EBUSY, "the file system is not unmounted while a page is held");
}

/* Nobody has the file open or mapped, or holds a page of it. */
static int closed_unheld(void)
{
	int err = files_setup(1, FILES_UNMAPPED);

	if (err)
		return err;
	region = files.fx.fs->region;
	close_files();
	return 0;
}

static void end_unmounted(void)
{
	put_user_page(files.held);
}

static int unmounted_unheld(void)
{
	int err = closed_unheld();

	return err ?: dax_umount(SCRATCH_PATH);
}

/* F is mapped, and nobody has it or G open. */
static int only_mapped(void)
{
	int err = files_setup(1, 0);

	if (err)
		return err;
	close_files();
	return 0;
}

/* F has no name any more, is open, and mapped: touched. */
static int nameless(void)
{
	int err = files_setup(1, FILES_TOUCHED);

	return err ?: dax_unlink(SCRATCH_PATH "/F");
}

/* F alone is open, and has no name any more. */
static int nameless_alone(void)
{
	int err = files_setup(1, FILES_UNMAPPED);

	if (err)
		return err;
	dax_put(files.g);
	files.g = NULL;
	return dax_unlink(SCRATCH_PATH "/F");
}

/* Neither F nor G has a name any more; both have a block, and are open. */
static int both_nameless(void)
{
	int err = files_setup(1, FILES_UNMAPPED | FILES_G_HAS_ONE);

	return err ?: dax_unlink(SCRATCH_PATH "/F") ?: dax_unlink(SCRATCH_PATH "/G");
}

static int mapped(void)
{
	int err = files_setup(1, 0);

	region = err ? NULL : files.fx.fs->region;
	return err;
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

static bool unmounted_it; /* unmount() was not refused */

/* Where each reference is asked for by a lease, one that is held refuses it. */
static void unmount(void)
{
	const bool leased = files.fx.fs->lifetime->no_fast_gup;
	int err = dax_umount(SCRATCH_PATH);

	unmounted_it = !err;
	x_observe((uint64_t)-err);
	X_EXPECT("I4", !err || (leased && err == -EBUSY), "umount: error %d, %s", err, refusal());
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
/* What was held outlives its file, and says so. */
static void names_no_file(void)
{
	X_EXPECT("I6", !unmounted_it || !page_to_record(files.held)->mapping,
		 "a page that was held names a file of a mount that is gone");
}

EXPLORE_SCENARIO(umount_put, "mount.umount-put", "an unmount beside the put of a held page",
		 .setup = closed, .teardown = end_pinned, .end = names_no_file,
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

/* ---- ends beside each other --------------------------------------------------------------------
 */

static uint64_t went; /* atomic: how many ended something; zero: nobody yet */

static void none_went(void)
{
	went = 0;
}

/* Or refused: it is going already, or gone. */
static void count_end(int err, int gone)
{
	x_observe((uint64_t)-err);
	X_EXPECT("I4", !err || err == -EBUSY || err == gone, "error %d: %s", err, refusal());
	if (!err)
		__atomic_fetch_add(&went, 1, __ATOMIC_RELAXED);
}

static void once(void)
{
	X_EXPECT("I6", went == 1, "%lu of two that end one thing say that they did", went);
}

static void unmount_if_unused(void)
{
	count_end(dax_umount(SCRATCH_PATH), -EBUSY);
}

static void unmount_once(void)
{
	count_end(dax_umount(SCRATCH_PATH), -EINVAL);
}

static void unbind_once(void)
{
	count_end(dax_unbind(region, false), -ENODEV);
}

static void unbind_if_unused(void)
{
	int err = dax_unbind(region, false);

	count_end(err, -EBUSY);
	X_EXPECT("I2", err || !region->pgmap.owner, "a device goes while a file system has it");
}

static void close_f(void)
{
	dax_put(files.f);
}

static void close_g(void)
{
	dax_put(files.g);
}

static void never_unmounted(void)
{
	X_EXPECT("I2", !went, "a file system is unmounted under a mapping");
}

/* Nobody has the file any more, whichever went last. */
static void page_is_free(void)
{
	const struct page *page = files_record();

	X_EXPECT("I3", !page || !page_maps(page), "the page of a file that is gone is mapped");
	X_EXPECT("I6", !page || !page->mapping, "the page of a file that is gone names a file");
}

#define ENDS .interrupts = true, .lifetimes = true, .large = true
EXPLORE_SCENARIO(umount_munmap, "mount.umount-munmap",
		 "an unmount beside the last unmapping goes, or is refused", .setup = only_mapped,
		 .teardown = files_teardown, .start = none_went, .mm = files_mm,
		 .thread = {{"umount", unmount_if_unused}, {"munmap", files_munmap}}, ENDS);
EXPLORE_SCENARIO(umount_store, "mount.umount-store",
		 "a file system that somebody maps stays, fault or no fault", .setup = only_mapped,
		 .teardown = files_teardown, .start = none_went, .mm = files_mm,
		 .end = never_unmounted,
		 .thread = {{"umount", unmount_if_unused}, {"store", files_store}}, ENDS);
EXPLORE_SCENARIO(umount_evict, "mount.umount-evict",
		 "an unmount beside the last close of an unlinked file goes, or is refused",
		 .setup = nameless_alone, .teardown = files_teardown, .start = none_went,
		 .thread = {{"umount", unmount_if_unused}, {"close", close_f}}, ENDS);
EXPLORE_SCENARIO(umount_umount, "mount.umount-umount", "of two unmounts one finds the mount",
		 .setup = closed_unheld, .teardown = files_teardown, .start = none_went,
		 .end = once, .thread = {{"first", unmount_once}, {"second", unmount_once}}, ENDS);
EXPLORE_SCENARIO(umount_unbind, "mount.umount-unbind",
		 "an unbinding beside the unmount is refused, or comes behind it",
		 .setup = closed_unheld, .teardown = files_teardown, .start = none_went,
		 .thread = {{"umount", unmount}, {"unbind", unbind_if_unused}}, ENDS);
EXPLORE_SCENARIO(unbind_unbind, "device.unbind-unbind", "of two unbindings one finds the device",
		 .setup = unmounted_unheld, .start = none_went, .end = once,
		 .thread = {{"first", unbind_once}, {"second", unbind_once}}, ENDS);
EXPLORE_SCENARIO(
	evict_munmap, "file.evict-munmap",
	"of the last close and the last unmapping of an unlinked file the second evicts it",
	.setup = nameless, .teardown = files_teardown, .mm = files_mm, .end = page_is_free,
	.thread = {{"close", close_f}, {"munmap", files_munmap}}, ENDS);
EXPLORE_SCENARIO(evict_evict, "file.evict-evict", "two unlinked files go at once",
		 .setup = both_nameless, .teardown = files_teardown, .end = page_is_free,
		 .thread = {{"first", close_f}, {"second", close_g}}, ENDS);

/* ---- a device that is killed -------------------------------------------------------------------
 */

static void kill_device(void)
{
	int err = pmem_kill(region);

	X_EXPECT("I4", !err, "kill: error %d, %s", err, refusal());
	__atomic_store_n(&went, 1, __ATOMIC_SEQ_CST);
}

static void first_store(void)
{
	uint64_t before = __atomic_load_n(&went, __ATOMIC_SEQ_CST);
	bool arrives = x_try_store(files.va, 1);

	x_observe(arrives);
	X_EXPECT("I2", !before || !arrives, "a first store arrives at a device that was killed");
}

EXPLORE_SCENARIO(kill_store, "device.kill-store",
		 "a first store maps its page before the device is killed, or is refused (E-1)",
		 .setup = mapped, .teardown = files_teardown, .mm = files_mm, .start = none_went,
		 .thread = {{"kill", kill_device}, {"store", first_store}}, ENDS);

/* ---- a completion beside the ends --------------------------------------------------------------
 */

static void completed(void *unused)
{
	(void)unused;
	put_user_page(files.held);
}

static void complete(void)
{
	x_interrupt(0, completed, NULL);
}

#define COMPLETION .device = {{"edu", complete}}, ENDS
EXPLORE_SCENARIO(dma_evict, "dma.evict", "the last close beside a completion", .setup = unlinked,
		 .teardown = end_pinned, .thread = {{"close", evict}}, COMPLETION);
EXPLORE_SCENARIO(dma_umount, "dma.umount", "an unmount beside a completion", .setup = closed,
		 .end = names_no_file, .teardown = end_pinned, .thread = {{"umount", unmount}},
		 COMPLETION);
EXPLORE_SCENARIO(dma_unbind, "dma.unbind", "an unbinding beside a completion is refused, or goes",
		 .setup = unmounted, .teardown = end_unmounted, .thread = {{"unbind", unbind}},
		 COMPLETION);
EXPLORE_SCENARIO(dma_unbind_wait, "dma.unbind-wait", "a completion wakes an unbinding that waits",
		 .setup = unmounted, .teardown = end_unmounted,
		 .thread = {{"unbind", unbind_and_wait}}, COMPLETION);
