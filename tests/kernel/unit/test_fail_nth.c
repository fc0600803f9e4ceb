/* SPDX-License-Identifier: MIT */
/*
 * Self-tests: every allocation on the way from an address to a page fails once (fail.*), and the
 * instrument itself finds what is lost.
 */
#include "tests/kernel/lib/fail_nth.h"

static int fault(const struct fail_round *r, unsigned n, bool write)
{
	refusal_clear();
	return mm_fault(r->mm, fail_page(r, n), write);
}

static const char *check_sentence(struct fail_round *r)
{
	(void)r;
	return refusal()[0] ? NULL : "the fault was refused without a sentence";
}

/* ---- the instrument -------------------------------------------------------------------------- */

static uint64_t lost_frame;
static void *lost_bytes;

/* Forgets its first frame when the second cannot be had. */
static int leak_frame(struct fail_round *r)
{
	uint64_t second;

	(void)r;
	lost_frame = frame_alloc(0);
	second = lost_frame ? frame_alloc(0) : 0;
	if (!second)
		return -ENOMEM;
	frame_free(second, 0);
	frame_free(lost_frame, 0);
	lost_frame = 0;
	return 0;
}

static int leak_bytes(struct fail_round *r)
{
	void *second;

	(void)r;
	lost_bytes = malloc(24);
	second = lost_bytes ? calloc(3, 8) : NULL;
	if (!second)
		return -ENOMEM;
	free(second);
	free(lost_bytes);
	lost_bytes = NULL;
	return 0;
}

/* Takes a failure for a success. */
static int overlook(struct fail_round *r)
{
	(void)r;
	free(malloc(8));
	return 0;
}

SELFTEST(fail_finds, "fail.finds-what-is-lost",
	 "a lost frame, lost bytes of the heap and an overlooked failure are found, at the right "
	 "allocation")
{
	static const struct fail_case frame = {.op = leak_frame, .unmounted = true},
				      bytes = {.op = leak_bytes, .unmounted = true},
				      over = {.op = overlook, .unmounted = true};
	struct fail_verdict v;

	fail_nth_run(&frame, &v);
	if (v.skipped)
		SKIP("%s", v.text);
	if (lost_frame)
		frame_free(lost_frame, 0);
	lost_frame = 0;
	EXPECT(v.failed && !strcmp(v.text, "allocation 2: 1 frames lost"), "'%s'", v.text);
	fail_nth_run(&bytes, &v);
	free(lost_bytes);
	lost_bytes = NULL;
	EXPECT(v.failed && strstr(v.text, "allocation 2: ") && strstr(v.text, "bytes of the heap"),
	       "'%s'", v.text);
	fail_nth_run(&over, &v);
	EXPECT(v.failed && strstr(v.text, "allocation 1: it said 0"), "'%s'", v.text);
}

/* ---- faults ---------------------------------------------------------------------------------- */

static int read_fault(struct fail_round *r)
{
	return fault(r, 1, false);
}
FAIL_NTH(fail_fault_read, "fail.fault.read",
	 "each allocation of a first read fault fails once: record, entry, page tables",
	 .prepare = fail_prepare_mapped, .op = read_fault, .check = check_sentence,
	 .undo = fail_undo_file, .least = 5);

static int write_fault(struct fail_round *r)
{
	return fault(r, 1, true);
}
FAIL_NTH(fail_fault_write, "fail.fault.write", "each allocation of a first write fault fails once",
	 .prepare = fail_prepare_mapped, .op = write_fault, .check = check_sentence,
	 .undo = fail_undo_file, .least = 5);

static int hole_read(struct fail_round *r)
{
	return fault(r, FAIL_PAGES + 1, false);
}
FAIL_NTH(fail_fault_hole, "fail.fault.hole-read",
	 "each allocation of showing a hole as zeroes fails once", .prepare = fail_prepare_mapped,
	 .op = hole_read, .check = check_sentence, .undo = fail_undo_file, .least = 4);

static int hole_write(struct fail_round *r)
{
	return fault(r, FAIL_PAGES + 1, true);
}
FAIL_NTH(fail_fault_fill, "fail.fault.hole-write",
	 "each allocation of giving a hole a block fails once, and the block is not lost",
	 .prepare = fail_prepare_mapped, .op = hole_write, .check = check_sentence,
	 .undo = fail_undo_file, .least = 5);

static int show_hole(struct fail_round *r)
{
	int err = fail_prepare_mapped(r);

	return err ? err : hole_read(r);
}
FAIL_NTH(fail_fault_replace, "fail.fault.zero-replaced",
	 "each allocation of replacing mapped zeroes by a block fails once", .prepare = show_hole,
	 .op = hole_write, .check = check_sentence, .undo = fail_undo_file, .least = 1);

/* ---- 2 MiB ----------------------------------------------------------------------------------- */

static uint64_t others; /* faults, before, that were not served by 2 MiB for another reason */

static int prepare_huge(struct fail_round *r)
{
	int err;

	others = huge_count(HUGE_HELD) + huge_count(HUGE_DYING) + huge_count(HUGE_EXTENT);
	r->f = scratch_file("f", 0, 0);
	err = r->f ? dax_truncate(r->f, PMD_SIZE) : -ENOMEM;
	return err ? err : dax_mmap(r->mm, r->f, 0, FOLIO_PAGES, true, &r->va);
}

static const char *check_huge(struct fail_round *r)
{
	(void)r;
	return huge_count(HUGE_HELD) + huge_count(HUGE_DYING) + huge_count(HUGE_EXTENT) == others
		       ? NULL
		       : "memory was missing, and the fault names another reason";
}

static void undo_huge(struct fail_round *r)
{
	if (r->va)
		mm_unmap(r->mm, r->va, PMD_SIZE);
	r->va = 0;
	fail_undo_file(r);
}
FAIL_NTH(fail_huge, "fail.huge",
	 "each allocation of a 2 MiB fault fails once: it falls back to a page, or says so",
	 .prepare = prepare_huge, .op = write_fault, .check = check_huge, .undo = undo_huge,
	 .least = 4, .way_round = "a single page serves (HUGE_NO_MEMORY)");

/* ---- gup ------------------------------------------------------------------------------------- */

/* A short count is its way to say that an allocation failed: what it got is valid, and is kept. */
static int gup(struct fail_round *r)
{
	r->got = get_user_pages_fast(r->va, FAIL_PAGES, FOLL_PIN | FOLL_WRITE, r->pages);
	return r->got < 0 ? (int)r->got : r->got < (long)FAIL_PAGES ? -ENOMEM : 0;
}

static const char *check_gup(struct fail_round *r)
{
	for (long i = 0; i < r->got; i++)
		if (page_refs(page_to_record(r->pages[i])) !=
		    page_to_record(r->pages[i])->pgmap->rest + 1)
			return "a page of the short count is not held once";
	return NULL;
}

static void undo_gup(struct fail_round *r)
{
	if (r->got > 0)
		unpin_user_pages(r->pages, r->got);
	fail_undo_file(r);
}
FAIL_NTH(fail_gup, "fail.gup",
	 "each allocation of pinning eight untouched pages fails once: a short count or -ENOMEM",
	 .prepare = fail_prepare_mapped, .op = gup, .check = check_gup, .undo = undo_gup,
	 .least = 5);

/* ---- device-dax ------------------------------------------------------------------------------ */

static int device(struct fail_round *r, uint64_t align)
{
	const char *why = "";
	struct pmem_region *region = scratch_region(&why);
	int err;

	if (!region)
		return -ENODEV;
	err = devdax_mmap(r->mm, region, align, 0, 4 * align, VM_READ | VM_WRITE | VM_SHARED,
			  &r->va);
	return err ? err : fault(r, 0, true);
}

static int device_2m(struct fail_round *r)
{
	int err = device(r, PMD_SIZE);

	return err ? err : gup(r);
}

static void undo_4k(struct fail_round *r)
{
	if (r->got > 0)
		unpin_user_pages(r->pages, r->got);
	if (r->va)
		mm_unmap(r->mm, r->va, 4 * PAGE_SIZE);
}

static void undo_2m(struct fail_round *r)
{
	if (r->got > 0)
		unpin_user_pages(r->pages, r->got);
	if (r->va)
		mm_unmap(r->mm, r->va, 4 * PMD_SIZE);
}
FAIL_NTH(fail_devdax_2m, "fail.devdax.2m",
	 "each allocation of a device's 2 MiB mapping, fault and pin fails once; files get it back",
	 .op = device_2m, .undo = undo_2m, .unmounted = true, .least = 4);

static int device_4k(struct fail_round *r)
{
	int err = device(r, PAGE_SIZE);

	if (err)
		return err;
	r->got = get_user_pages_fast(r->va, 4, FOLL_PIN | FOLL_WRITE, r->pages);
	return r->got < 0 ? (int)r->got : r->got < 4 ? -ENOMEM : 0;
}
FAIL_NTH(fail_devdax_4k, "fail.devdax.4k",
	 "each allocation of a device's 4 KiB mapping, fault and pin fails once; files get it back",
	 .op = device_4k, .undo = undo_4k, .unmounted = true, .least = 5);
