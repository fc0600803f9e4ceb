/* SPDX-License-Identifier: MIT */
/*
 * Self-tests: a device that was killed (kill.*). No fault gets a page of it, by whatever way the
 * fault would find the page; what is mapped already stays, and a revived device serves again. A
 * device that was removed does not: what comes in its place is another one.
 */
#include "tests/kernel/lib/huge.h"

#define RW (VM_READ | VM_WRITE | VM_SHARED)

static int say(const char *word, const struct pmem_region *r)
{
	char line[40];

	snprintf(line, sizeof(line), "pmem %s %s", word, r->name);
	return shell_run_line(line);
}

/* Does a load from `va` fail while the device is killed? It works afterwards. */
static const char *refused(const struct pmem_region *r, uint64_t va)
{
	uint64_t v;
	int err, dead, again;

	err = say("kill", r);
	dead = load_checked((uint64_t *)va, &v);
	err = err ?: say("revive", r);
	again = load_checked((uint64_t *)va, &v);
	return err ? "not killed, or not revived" : !dead ? "served" : again ? "not revived" : NULL;
}

/* Two pages of `align` of the device, whose records share a frame: the second one is not touched
 * yet. */
static const char *device_refused(struct pmem_region *r, uint64_t align)
{
	uint64_t va = 0;
	const char *wrong;

	if (devdax_mmap(current_mm(), r, align, 0, 2 * align, RW, &va))
		return "not mapped";
	*at(va) = 'k';
	wrong = refused(r, va + align);
	if (!wrong && *at(va) != 'k')
		wrong = "what was mapped has gone";
	mm_unmap(current_mm(), va, 2 * align);
	return wrong;
}

/* Breaks it: a kill that does not make the frame of records forgotten, or a fault that asks only
 * whether the device was removed. */
SELFTEST(
	kill_device, "kill.device",
	"a killed device that is mapped as a whole serves no fault, though the records of the page "
	"are known to exist, and none whose records are not")
{
	const char *why, *small, *large;
	struct pmem_region *r = scratch_region(&why);

	if (!r)
		SKIP("%s", why);
	small = device_refused(r, PAGE_SIZE);
	large = device_refused(r, PMD_SIZE);
	EXPECT(!small, "pages of 4 KiB: %s", small);
	EXPECT(!large, "pages of 2 MiB: %s", large);
}

/* Breaks it: a fault that asks for the region's state only. */
SELFTEST(kill_removed, "kill.removed-for-good",
	 "a mapping of a device that was removed serves no fault though the region is bound again, "
	 "and until it is gone nobody maps the new one")
{
	const char *why;
	struct pmem_region *r = scratch_region(&why);
	uint64_t va = 0, other = 0, v;
	int old, second, third;

	if (!r)
		SKIP("%s", why);
	EXPECT(!devdax_mmap(current_mm(), r, PMD_SIZE, 0, PMD_SIZE, RW, &va), "%s", refusal());
	*at(va) = 'o';
	EXPECT(!dax_unbind(r, true) && !pmem_bind(r), "%s", refusal());
	old = load_checked((uint64_t *)va, &v);
	second = devdax_mmap(current_mm(), r, PMD_SIZE, 0, PMD_SIZE, RW, &other);
	mm_unmap(current_mm(), va, PMD_SIZE);
	third = devdax_mmap(current_mm(), r, PMD_SIZE, 0, PMD_SIZE, RW, &other);
	if (!third)
		mm_unmap(current_mm(), other, PMD_SIZE);
	EXPECT(old == -EFAULT && second == -EBUSY && !third, "a fault %d, a mapping %d, then %d",
	       old, second, third);
}

static uint64_t map_private(struct fixture *fx, unsigned pages)
{
	dax_get(fx->inode[0]);
	return fx_map_private(fx, fx->inode[0], pages);
}

/* Breaks it: a fault that asks only where it makes an entry. */
SELFTEST(kill_file, "kill.file",
	 "a killed device serves no fault of a file: neither of a page without an entry nor of one "
	 "that has one, shared or private")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct pmem_region *r = fx.fs->region;
	uint64_t va = fx_map(&fx, "f", 3, 'a'), other = 0, own;
	const char *none, *present, *private;

	EXPECT_OR(out, va, "not mapped");
	*at(va) = *at(PAGE(va, 1)) = 'k';
	other = map_again(&fx, 0, 3, 0);
	own = map_private(&fx, 3);
	EXPECT_OR(out, other && own, "not mapped again");
	none = refused(r, PAGE(va, 2));
	present = refused(r, PAGE(other, 1));
	private = refused(r, PAGE(own, 1));
	EXPECT_OR(out, !none, "no entry: %s", none);
	EXPECT_OR(out, !present, "an entry: %s", present);
	EXPECT_OR(out, !private, "private: %s", private);
	EXPECT_OR(out, *at(va) == 'k', "what was mapped has gone");
out:
	unmap(other, 3);
	fixture_end(&fx);
}

SELFTEST(kill_huge, "kill.file-2m",
	 "a killed device serves no fault of 2 MiB, with an entry or without")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct pmem_region *r = fx.fs->region;
	uint64_t va = map_huge(&fx, "f", 2), again;
	const char *present, *none;

	EXPECT_OR(out, va, "not mapped: %s", refusal());
	again = map_again(&fx, 0, 2 * N, 0);
	EXPECT_OR(out, again, "not mapped again");
	present = refused(r, again);
	dax_fsync(fx.inode[0]);
	unmap(again, 2 * N);
	fx_unmap(&fx, va);
	dax_punch(fx.inode[0], 0, PMD_SIZE);
	again = map_again(&fx, 0, 2 * N, 0);
	none = again ? refused(r, again) : "not mapped";
	unmap(again, 2 * N);
	EXPECT_OR(out, !present, "an entry: %s", present);
	EXPECT_OR(out, !none, "a hole: %s", none);
out:
	fixture_end(&fx);
}

/* Breaks it: a refusal of every fault of a private mapping. */
SELFTEST(kill_copy, "kill.private-copy",
	 "a private mapping's own copies are no pages of the device: a store to one that a fork "
	 "shares is served though the device is killed")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct pmem_region *r = fx.fs->region;
	struct mm *child = NULL;
	uint64_t va, own;
	int err = 0;

	va = fx_map(&fx, "f", 1, 'a');
	own = va ? map_private(&fx, 1) : 0;
	EXPECT_OR(out, own, "not mapped");
	*at(own) = 'c';
	child = mm_fork(current_mm(), "child");
	EXPECT_OR(out, child && !say("kill", r), "no memory");
	err = store_checked((uint64_t *)own, 'd');
	say("revive", r);
	EXPECT_OR(out, !err && *at(own) == 'd', "the store: %d, %s", err, refusal());
out:
	if (child)
		mm_put(child);
	fixture_end(&fx);
}

/* Breaks it: as kill.file, in limited.c. */
SELFTEST(kill_limited, "kill.limited",
	 "nor does a killed device without page records serve a fault of a page that has an entry")
{
	struct fixture fx;
	const char *wrong;
	uint64_t va, other;

	if (!scratch_region(&fx.why))
		SKIP("%s", fx.why);
	EXPECT(!fixture_limited_start(&fx), "limited: %s", fx.why);
	va = fx_map(&fx, "f", 2, 'a');
	*at(va) = 'k';
	other = va ? map_again(&fx, 0, 2, 0) : 0;
	wrong = other ? refused(fx.fs->region, other) : "not mapped";
	unmap(other, 2);
	fixture_limited_end(&fx);
	EXPECT(!wrong, "%s", wrong);
}
