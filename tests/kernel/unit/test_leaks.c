/* SPDX-License-Identifier: MIT */
/*
 * Tests that leave something behind on purpose: each kind is seen, by name, and put right where it
 * can be. The first half of the proof that the runner's counts can fail.
 */
#include "tests/kernel/lib/fixture.h"

static uint64_t left_frame;
static struct mm *left_mm;
static struct slab_cache left_cache = SLAB_CACHE_INIT("left over", 64);
static void *left_object;

static void leave_memory(struct selftest_run *t)
{
	left_frame = frame_alloc(0);
	left_mm = mm_create("left over");
	left_object = slab_alloc(&left_cache);
	EXPECT(left_frame && left_mm && left_object, "no memory");
}

SELFTEST(leaks_memory, "selftest.memory-left",
	 "a frame, an object and an address space that a test leaves are named")
{
	struct selftest_run run = selftest_try(leave_memory);

	if (left_frame)
		frame_free(left_frame, 0);
	if (left_mm)
		mm_put(left_mm);
	if (left_object)
		slab_free(&left_cache, left_object);
	EXPECT(run.failed && strstr(run.text, "the test left"), "'%s'", run.text);
	EXPECT(strstr(run.text, "1 address space(s)"), "'%s'", run.text);
	EXPECT(strstr(run.text, "1 slab object(s)"), "'%s'", run.text);
	EXPECT(strstr(run.text, "1 frame(s)"), "'%s'", run.text); /* not the heap's, nor tables */
}

static void leave_mapping(struct selftest_run *t)
{
	uint64_t va = 0;

	EXPECT(!mm_map_anon(current_mm(), &va, 2 * PAGE_SIZE, true), "it cannot be mapped");
	*(volatile char *)va = 1;
}

SELFTEST(leaks_mapping, "selftest.mapping-left",
	 "a mapping that a test leaves, and its page, are named and taken away")
{
	uint32_t before = mm_vma_count();
	int64_t pages = anon_pages();
	struct selftest_run run = selftest_try(leave_mapping);

	EXPECT(run.failed && strstr(run.text, "1 mapping(s)"), "'%s'", run.text);
	EXPECT(strstr(run.text, "1 anonymous page(s)"), "'%s'", run.text);
	if (!before) /* else some may be the shell's own, and stay */
		EXPECT(!mm_vma_count() && anon_pages() == pages, "%u mappings are left",
		       mm_vma_count());
}

static void leave_pin(struct selftest_run *t)
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = fx_map(&fx, "f", 1, 'p');
	struct page *page = NULL;

	EXPECT_OR(out, va && get_user_pages_fast(va, 1, FOLL_PIN | FOLL_WRITE, &page) == 1,
		  "no pin");
out:
	fixture_end(&fx);
}

SELFTEST(leaks_pin, "selftest.pin-left",
	 "a page that a test leaves held is named and put, and the next test may change the "
	 "lifetime")
{
	struct selftest_run run = selftest_try(leave_pin);

	if (run.skipped)
		SKIP("%s", run.text);
	EXPECT(run.failed && strstr(run.text, "1 page(s) of a device held"), "'%s'", run.text);
	FIXTURE(fx, &lifetime_idle_at_one);
	fixture_end(&fx);
}

static void leave_mount(struct selftest_run *t)
{
	struct dax_fs *fs;
	const char *why;

	if (scratch_mount(SCRATCH_SMALL, LIFETIME_DEFAULT, &fs, &why))
		SKIP("%s", why);
	EXPECT(scratch_file("f", 1, 'm'), "no file"); /* stays open */
	EXPECT(!shell_run_line("lease set " SCRATCH_PATH "/f"), "no lease");
}

SELFTEST(leaks_mount, "selftest.mount-left",
	 "a mount, an open file and a lease that a test leaves are named, and the mount goes")
{
	struct selftest_run run = selftest_try(leave_mount);
	const char *why;

	if (run.skipped)
		SKIP("%s", run.text);
	EXPECT(run.failed && strstr(run.text, "1 mount(s)"), "'%s'", run.text);
	EXPECT(strstr(run.text, "file(s) open"), "'%s'", run.text);
	EXPECT(strstr(run.text, "1 lease(s)"), "'%s'", run.text);
	EXPECT(strstr(run.text, "1 lease(s) of the shell"), "'%s'", run.text);
	/* The shell forgot it in time: it would close a file here that went with its mount. */
	EXPECT(!shell_run_line("lease"), "the shell's leases cannot be listed");
	EXPECT(scratch_region(&why), "it is still mounted: %s", why);
}

static void leave_names(struct selftest_run *t)
{
	EXPECT(!shell_run_line("map anon 4096"), "it cannot be mapped");
	EXPECT(!shell_run_line("sleep 100000 &"), "no job");
}

SELFTEST(leaks_names, "selftest.job-left",
	 "a job and a named mapping of the shell that a test leaves are named and ended")
{
	struct selftest_run run = selftest_try(leave_names);

	EXPECT(run.failed && strstr(run.text, "1 job(s)"), "'%s'", run.text);
	EXPECT(strstr(run.text, "1 name(s) of mappings"), "'%s'", run.text);
	run = selftest_try(leave_names);
	EXPECT(run.failed, "the same again is seen again");
}
