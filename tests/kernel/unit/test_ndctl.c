/* SPDX-License-Identifier: MIT */
/*
 * Self-tests: what ndctl's suite asks of device-dax (ndctl.*), on the scratch device, which is put
 * into device mode and back. Files: test_ndctl_files.c. What is not asked: CAVEATS.md.
 */
#include "dax/device/internal.h"
#include "mm/tables/internal.h"
#include "tests/kernel/lib/daxcases.h"
#include "tests/kernel/lib/huge.h"

#define RW	   (VM_READ | VM_WRITE | VM_SHARED)
#define NOT_CACHED (1ul << 3 | 1ul << 4) /* write-through, uncached: of any level */
#define PAT_LARGE  (1ul << 12)

static int choose(const struct pmem_region *r)
{
	struct pmem_region *other;

	return scratch_choose(&other) ? -1 : other == r;
}

/* 1: it was chosen in between, though it may not be. */
static unsigned chosen_while_used(struct pmem_region *r, int *mounted)
{
	uint64_t va = 0;
	unsigned wrong = 0;

	devdax_mmap(current_mm(), r, PMD_SIZE, 0, PMD_SIZE, RW, &va);
	wrong += choose(r) == 1;
	mm_unmap(current_mm(), va, PMD_SIZE);
	pmem_kill(r);
	wrong += choose(r) == 1;
	pmem_revive(r);
	dax_device_set_mode(r, PMD_SIZE, false);
	wrong += choose(r) == 1;
	dax_device_set_mode(r, 0, false);
	pmem_unbind(r);
	wrong += choose(r) == 1;
	wrong += pmem_bind(r) != 0;
	*mounted = dax_mount(r, SCRATCH_PATH, LIFETIME_DEFAULT, NULL);
	return wrong;
}

SELFTEST(ndctl_dax_dev, "ndctl.dax-dev",
	 "the victim of tests is the first scratch region that nobody uses: one that is mapped, "
	 "mounted, killed, unbound or in device mode is passed over with a reason, and is taken "
	 "again afterwards")
{
	const char *why = NULL;
	unsigned wrong;
	int mounted, choice;
	struct pmem_region *r = scratch_for_modes(&why);

	if (!r)
		SKIP("%s", why);
	for (unsigned i = 0; pmem_nth(i) != r; i++)
		EXPECT(!pmem_nth(i)->scratch || !pmem_is_present(pmem_nth(i)),
		       "%s is a scratch region before %s", pmem_nth(i)->name, r->name);
	FIXTURE(fx, LIFETIME_DEFAULT);
	choice = choose(r);
	fixture_end(&fx);
	wrong = chosen_while_used(r, &mounted);
	if (!mounted)
		dax_umount(SCRATCH_PATH);
	EXPECT(choice == -1 && strlen(refusal()), "mounted, it is chosen: %d", choice);
	EXPECT(!wrong && choose(r) == 1, "chosen %u time(s) while in use; afterwards %d", wrong,
	       choose(r));
}

/* ---- device-dax ----------------------------------------------------------------------------- */

static uint64_t map_device(void *region, uint64_t len)
{
	struct pmem_region *r = region;
	uint64_t va = 0;

	return devdax_mmap(current_mm(), r, r->info.align, 0, len, RW, &va) ? 0 : va;
}

static bool device_at_rest(void *region)
{
	return !devdax_check_held(region);
}

static uint64_t pattern(uint64_t off)
{
	return off * 31 + 7;
}

/* The page-table entry that shows va. */
static uint64_t entry_of(uint64_t va, unsigned *level)
{
	return *pte_lowest(current_mm()->root, va, level);
}

/* A shared read-only mapping: each `step` shows what was written below, by cached pages of the
 * right size. */
static const char *reads_pattern(struct pmem_region *r, uint64_t step)
{
	const uint64_t align = r->info.align, pat = align > PAGE_SIZE ? PAT_LARGE : 1ul << 7;
	uint64_t va = 0, wrong = 0, entry;
	const char *why = NULL;
	unsigned level;

	if (!devdax_mmap(current_mm(), r, align, 0, align, VM_READ | VM_PRIVATE, &va))
		return "a private mapping is allowed";
	if (devdax_mmap(current_mm(), r, align, 0, 2 * align, VM_READ | VM_SHARED, &va))
		return refusal();
	for (uint64_t off = 0; off < 2 * align; off += step)
		wrong += *(volatile uint64_t *)(va + off) != pattern(off);
	entry = entry_of(va, &level);
	if (wrong)
		why = "the mapping does not show what was written by the region's first byte";
	else if (PAGE_SIZE << (9 * (level - 1)) != align)
		why = "it is mapped by pages of another size";
	else if (entry & (NOT_CACHED | pat))
		why = "its memory type is not write-back";
	mm_unmap(current_mm(), va, 2 * align);
	return why;
}

/* A walk over the entries of every size that are there. */
static const char *walked(struct pmem_region *r)
{
	const uint64_t align = r->info.align;
	uint64_t va = map_device(r, 2 * align);
	struct vma_shown s;
	unsigned level;

	if (!va)
		return refusal();
	*at(va) = *at(va); /* the first page only */
	level = level_at(va);
	down_read(&current_mm()->mmap_lock);
	s = vma_shown(mm_find_vma(current_mm(), va));
	up_read(&current_mm()->mmap_lock);
	mm_unmap(current_mm(), va, 2 * align);
	return level && s.device[level] == align && !s.ram ? NULL : "a walker counts other pages";
}

/* Mapped writable, the namespace goes: the next store is refused and reaches no memory. */
static const char *revoked(struct pmem_region *r)
{
	const uint64_t align = r->info.align, data = r->info.data;
	uint64_t va = map_device(r, 2 * align);
	int err, store, back;
	bool same;

	if (!va)
		return refusal();
	*(volatile uint64_t *)va = 1;
	err = dax_unbind(r, true);
	store = store_checked((uint64_t *)va, 2);
	mm_unmap(current_mm(), va, 2 * align);
	back = pmem_bind(r);
	same = !back && *(volatile uint64_t *)((char *)r->kaddr + data) == 1;
	return err || back	  ? "it cannot be unbound and bound"
	       : store != -EFAULT ? "a store through the old mapping is not refused"
	       : same		  ? NULL
				  : "a store after the tear-down reached memory";
}

static const char *all_cases(struct pmem_region *r, struct block_device *disk, uint64_t align,
			     uint64_t step)
{
	const uint64_t unit = MAX(align, PMD_SIZE);
	const uint64_t data = ALIGN_UP(r->start + 2 * INFO_AT, unit) - r->start;
	const struct dax_case c = {r, align, map_device, device_at_rest, false};
	const char *wrong;

	for (uint64_t off = 0; off < 2 * align; off += step)
		*(volatile uint64_t *)((char *)r->kaddr + data + off) = pattern(off);
	cache_writeback((char *)r->kaddr + data, PAGE_SIZE);
	store_fence();
	if (dax_device_set_mode(r, (uint32_t)align, false))
		return refusal();
	wrong = r->info.data != data ? "its data begin elsewhere" : reads_pattern(r, step);
	wrong = wrong ?: dax_direct_io(&c, disk);
	wrong = wrong ?: dax_moved(&c);
	wrong = wrong ?: walked(r);
	wrong = wrong ?: revoked(r);
	if (dax_device_set_mode(r, 0, false) && !wrong)
		wrong = refusal();
	return wrong;
}

#define DEVICE_AND_DISK(r, d, bytes)                                                               \
	const char *why_ = NULL;                                                                   \
	struct pmem_region *r = scratch_for_modes(&why_);                                          \
	struct block_device *d = block_nth(0);                                                     \
	if (!r)                                                                                    \
		SKIP("%s", why_);                                                                  \
	if (scratch_choose_disk())                                                                 \
		SKIP("%s", refusal());                                                             \
	if (r->len < (bytes))                                                                      \
	SKIP("needs a second DIMM of 0x%lx bytes", (uint64_t)(bytes))

SELFTEST(ndctl_device_4k, "ndctl.device-dax-4k",
	 "by pages of 4 KiB: shows what was written before it was a device, no private mapping, "
	 "direct I/O in five ways, a moved page, a walker, and no store after the tear-down")
{
	DEVICE_AND_DISK(r, d, 8 * MIB);
	const char *wrong = all_cases(r, d, PAGE_SIZE, 64);

	EXPECT(!wrong, "%s", wrong);
}

SELFTEST(ndctl_device_2m, "ndctl.device-dax-2m",
	 "by pages of 2 MiB: the same, each 4 KiB of the pattern, and a piece of a page cannot be "
	 "moved, or not be used where it is")
{
	DEVICE_AND_DISK(r, d, 16 * MIB);
	const char *wrong = all_cases(r, d, PMD_SIZE, PAGE_SIZE);

	EXPECT(!wrong, "%s", wrong);
}

SELFTEST(ndctl_device_1g, "ndctl.device-dax-1g",
	 "by pages of 1 GiB: the same, each 2 MiB of the pattern (each 4 KiB would make 2 GiB of "
	 "the host's memory)")
{
	DEVICE_AND_DISK(r, d, 4 * GIB);
	if (!cpu_features.page1g)
		SKIP("needs a CPU with 1 GiB pages");
	const char *wrong = all_cases(r, d, PUD_SIZE, 16 * MIB);

	EXPECT(!wrong, "%s", wrong);
}

SELFTEST(ndctl_fio, "ndctl.device-dax-fio",
	 "Thousands of stores and their verification through mappings by 4 KiB, 2 MiB and 1 GiB "
	 "pages, each twice: no word differs, and the region goes back to raw mode")
{
	static const uint32_t aligns[] = {PAGE_SIZE, PMD_SIZE, PUD_SIZE};

	DEVICE_AND_DISK(r, d, 16 * MIB);
	(void)d;
	for (unsigned i = 0; i < 3; i++) {
		const char *wrong;
		const struct dax_case c = {r, aligns[i], map_device, device_at_rest, false};

		if (i == 2 && (r->len < 4 * GIB || !cpu_features.page1g))
			break;
		EXPECT(!dax_device_set_mode(r, aligns[i], false), "%s", refusal());
		wrong = dax_verified(&c, i == 2 ? 64 : 4096); /* each of them 4 KiB of the host */
		EXPECT(!dax_device_set_mode(r, 0, false), "%s", refusal());
		EXPECT(!wrong, "pages of 0x%x: %s", aligns[i], wrong);
	}
}

SELFTEST(ndctl_revoke, "ndctl.revoke-devmem",
	 "whoever claims a region anew is its only user: a mapping from before is gone when the "
	 "claim is made, and stays dead though the region is there again; its store reaches no "
	 "memory")
{
	volatile uint64_t *word;
	uint64_t va = 0, seen;
	int store, err;

	DEVICE_AND_DISK(r, d, 8 * MIB);
	(void)d;
	EXPECT(!devdax_mmap(current_mm(), r, PAGE_SIZE, 0, PMD_SIZE, RW, &va), "%s", refusal());
	*(volatile uint64_t *)va = 11;
	err = dax_unbind(r, true) ?: pmem_bind(r);
	word = (uint64_t *)r->kaddr;
	seen = *word;
	store = store_checked((uint64_t *)va, 12);
	mm_unmap(current_mm(), va, PMD_SIZE);
	EXPECT(!err && seen == 11, "error %d, the byte is %lu", err, seen);
	EXPECT(store == -EFAULT && *word == 11, "the store: %d, and the word %lu", store, *word);
}
