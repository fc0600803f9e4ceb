/* SPDX-License-Identifier: MIT */
/*
 * Seed tests, series s0, patches 1 to 8: who may do DAX at all, what a mapping looks like, what an
 * entry holds. "dax: fix dma vs truncate", the lead-in (2017).
 */
#include "tests/kernel/seed/seed.h"

/* Breaks it: a line printed by dax_probe(), or a disk without access taken for a device. */
SELFTEST(seed_s0_01, "seed.s0.01",
	 "asking a disk and a range of RAM for DAX is answered by an error and a sentence, and "
	 "prints nothing")
{
	char said[REFUSAL_TEXT];
	unsigned long before, after, warned;
	uint64_t pfn = 7, nr = 7;
	struct fake_disk fd;
	int disk, ram;

	EXPECT(!fake_disk_init(&fd), "no memory");
	warned = warn_count;
	before = console_written;
	disk = dax_probe_disk(&fd.dev, &pfn, &nr);
	snprintf(said, sizeof(said), "%s", refusal());
	ram = dax_probe(NULL, virt_to_phys(fd.data) >> PAGE_SHIFT, 1);
	after = console_written;
	fake_disk_free(&fd);
	EXPECT(disk == -EOPNOTSUPP && ram == -EOPNOTSUPP, "disk %d, RAM %d", disk, ram);
	EXPECT(strstr(said, "requests only") && strstr(refusal(), "no record"), "'%s', '%s'", said,
	       refusal());
	EXPECT(after == before && warn_count == warned, "%lu characters were printed",
	       after - before);
	EXPECT(pfn == 7 && nr == 7, "a refusal says pfn 0x%lx", pfn);
}

/* The two bits that say what kind of pfn is mapped. */
static uint64_t kind(uint64_t pte)
{
	return pte & (PTE_P | PTE_DEVMAP | PTE_SPECIAL);
}

/* Breaks it: vmf_insert_special() with PTE_DEVMAP; gup that does not look at the kind. */
SELFTEST(seed_s0_02, "seed.s0.02",
	 "a page with a record is mapped as DEVMAP and gup gets it; one without is mapped as "
	 "SPECIAL and gup fails with -EFAULT, by the fast and the slow path")
{
	struct page *p = NULL, *q = NULL;
	uint64_t with, without, va;
	long got, fast, slow;

	FIXTURE(fx, &lifetime_unaware);
	va = fx_map(&fx, "f", 1, 'a');
	p = seed_pin(va);
	with = va ? kind(seed_pte(va)) : 0;
	got = p && page_to_pfn(p) == pte_to_pfn(seed_pte(va));
	if (p)
		unpin_user_pages(&p, 1);
	fixture_end(&fx);
	EXPECT(with == (PTE_P | PTE_DEVMAP) && got, "with a record: kind 0x%lx, got %ld", with,
	       got);
	EXPECT(!fixture_limited_start(&fx), "limited: %s", fx.why);
	va = fx_map(&fx, "f", 1, 'a');
	*at(va) = 's';
	without = kind(seed_pte(va));
	fast = get_user_pages_fast(va, 1, PIN, &q);
	slow = get_user_pages(current_mm(), va, 1, FOLL_GET, &q);
	fixture_limited_end(&fx);
	EXPECT(without == (PTE_P | PTE_SPECIAL), "without a record: kind 0x%lx", without);
	EXPECT(fast == -EFAULT && slow == -EFAULT, "gup: fast %ld, slow %ld", fast, slow);
}

/* Breaks it: no check_records() at mount: then a region that only says it is bound is mounted. */
SELFTEST(seed_s0_03, "seed.s0.03",
	 "a mount with DAX is refused if the region's first and last page have no live record; a "
	 "limited region is mounted, its files can be stored to, and every gup of them fails")
{
	struct fixture fx;
	struct pmem_region *r = scratch_region(&fx.why);
	struct page *p[4];
	unsigned got = 0;
	char byte = 0;
	uint64_t va;
	int err;

	if (!r)
		SKIP("%s", fx.why);
	dax_remove_device(r); /* as of a driver that forgot to make the records */
	err = dax_mount(r, SCRATCH_PATH, LIFETIME_DEFAULT, NULL);
	if (!err)
		scratch_umount();
	EXPECT(!memremap_pages(&r->pgmap), "the records cannot be made again");
	EXPECT(err == -EOPNOTSUPP && strstr(refusal(), "no record"), "%d: %s", err, refusal());
	EXPECT(!fixture_limited_start(&fx), "limited: %s", fx.why);
	va = fx_map(&fx, "f", 4, 'a');
	for (unsigned i = 0; i < 4; i++) {
		*at(PAGE(va, i)) = 'l';
		got += get_user_pages_fast(PAGE(va, i), 1, PIN, p) != -EFAULT;
		got += get_user_pages(current_mm(), PAGE(va, i), 1, FOLL_GET, p) != -EFAULT;
	}
	err = dax_fsync(fx.inode[0]) ?: dax_read(fx.inode[0], 3 * PAGE_SIZE, &byte, 1) != 1;
	fixture_limited_end(&fx);
	EXPECT(!got && !err && byte == 'l', "%u gup calls got through, error %d, byte 0x%x", got,
	       err, byte);
}

static uint64_t offered; /* by the disk below */

static int offer(struct block_device *dev, uint64_t *pfn, uint64_t *nr)
{
	(void)dev;
	*pfn = offered;
	*nr = 16;
	return 0;
}

/* Breaks it: dax_probe_disk() that believes the driver and does not look for records. */
SELFTEST(seed_s0_04, "seed.s0.04",
	 "a RAM disk gets no DAX handle (-EOPNOTSUPP), though it offers its frames; a disk that "
	 "offers a device's pages gets one")
{
	const char *why_not = "";
	struct pmem_region *r = scratch_region(&why_not);
	uint64_t pfn = 0, nr = 0;
	struct fake_disk fd;
	int none, ram, device;

	if (!r)
		SKIP("%s", why_not);
	EXPECT(!fake_disk_init(&fd), "no memory");
	none = dax_probe_disk(&fd.dev, &pfn, &nr);
	fd.dev.direct_access = offer;
	offered = virt_to_phys(fd.data) >> PAGE_SHIFT;
	ram = dax_probe_disk(&fd.dev, &pfn, &nr);
	offered = r->start >> PAGE_SHIFT;
	device = dax_probe_disk(&fd.dev, &pfn, &nr);
	fake_disk_free(&fd);
	EXPECT(none == -EOPNOTSUPP && ram == -EOPNOTSUPP, "without access %d, with frames %d", none,
	       ram);
	EXPECT(!device && pfn == offered && nr == 16, "a device's pages: %d, pfn 0x%lx", device,
	       pfn);
}

/* Breaks it: a fork that copies the entries, or counts dropped twice by a move. */
SELFTEST(seed_s0_05, "seed.s0.05",
	 "fork, forgetting, a change of rights and a move know DAX pages by their entries alone: "
	 "the copy refaults, and no count drifts")
{
	seed_walkers(t, LIFETIME_DEFAULT);
}

/* Breaks it: huge_fits() that asks for advice, or that forgets alignment. */
SELFTEST(seed_s0_06, "seed.s0.06",
	 "2 MiB faults of a DAX mapping follow from alignment, whatever was advised before")
{
	seed_advice(t, LIFETIME_DEFAULT);
}

/* Breaks it: an fsync that asks the device, as that of entries=sectors does, which is the second
 * half: there the same fsync fails. */
SELFTEST(seed_s0_07, "seed.s0.07",
	 "fsync of a killed device writes its dirty pages back without an error; with sectors in "
	 "the entries, as before the patch, it cannot")
{
	const struct mount_options sectors = {.sectors = true};
	struct dax_inode *f = NULL;
	uint64_t va = 0;
	int err, fsync = 0;

	seed_dead_flush(t, &lifetime_unaware);
	if (t->failed || t->skipped)
		return;
	FIXTURE(fx, &lifetime_unaware);
	err = dax_umount(SCRATCH_PATH)
		      ?: dax_mount_with(scratch_device(), SCRATCH_PATH, &lifetime_unaware, &sectors,
					&fx.fs);
	EXPECT(!err, "%s", refusal());
	f = scratch_file("f", 1, 'a');
	EXPECT_OR(out, f && (va = fx_map_as_is(&fx, f, 1, true)), "not mapped");
	*at(va) = 'd';
	pmem_kill(fx.fs->region);
	fsync = dax_fsync(f);
	pmem_revive(fx.fs->region);
	EXPECT_OR(out, fsync < 0, "sectors: fsync %d", fsync);
out:
	fixture_end(&fx);
}

/* Breaks it: an entry that holds anything but the pfn, such as a file's block number. */
SELFTEST(seed_s0_08, "seed.s0.08",
	 "an entry's value is the pfn of the file's block and flags, for every pfn that a "
	 "page-table entry can hold")
{
	seed_entry_values(t, LIFETIME_DEFAULT);
}
