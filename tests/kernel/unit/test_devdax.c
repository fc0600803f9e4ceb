/* SPDX-License-Identifier: MIT */
/*
 * Self-tests: device-dax (devdax.*), on pmem1, whose contents they overwrite. The pattern is
 * written and checked through the direct map, which shows the same bytes whatever the records are
 * like.
 */
#include "dax/device/internal.h"
#include "tests/kernel/lib/fixture.h"

#define PIN (FOLL_PIN | FOLL_WRITE)
#define RW  (VM_READ | VM_WRITE | VM_SHARED)

#define DEVICE(r)                                                                                  \
	const char *why_;                                                                          \
	struct pmem_region *r = scratch_region(&why_);                                             \
	if (!r)                                                                                    \
	SKIP("%s", why_)
#define BIG_DEVICE(r)                                                                              \
	DEVICE(r);                                                                                 \
	if (!cpu_features.page1g || r->len < 4 * GIB)                                              \
	SKIP("needs a CPU with 1 GiB pages and a second DIMM of 4 GiB")

static uint64_t map(struct pmem_region *r, uint64_t align, uint64_t len)
{
	uint64_t va = 0;

	return devdax_mmap(current_mm(), r, align, 0, len, RW, &va) ? 0 : va;
}

static void unmap(uint64_t va, uint64_t len)
{
	if (va)
		mm_unmap(current_mm(), va, len);
}

static uint64_t *entry_at(uint64_t va, unsigned *level)
{
	uint64_t *pte = pte_walk(current_mm()->root, va, 1, false, level);

	return pte ? pte : pte_walk(current_mm()->root, va, *level, false, NULL);
}

static unsigned level_at(uint64_t va)
{
	unsigned level;

	return *entry_at(va, &level) & PTE_P ? level : 0;
}

/* The first word of each `step` bytes of two pages of `align`: written below, read in the mapping,
 * changed there, read below. */
static void check_pattern(struct selftest_run *t, struct pmem_region *r, uint64_t align,
			  uint64_t step, unsigned level)
{
	char *base = (char *)r->kaddr + (ALIGN_UP(r->start, align) - r->start);
	uint64_t va, wrong = 0, lost = 0;

	for (uint64_t off = 0; off < 2 * align; off += step)
		*(volatile uint64_t *)(base + off) = off * 31 + 7;
	va = map(r, align, 2 * align);
	EXPECT(va, "%s", refusal());
	for (uint64_t off = 0; off < 2 * align; off += step) {
		volatile uint64_t *p = (uint64_t *)(va + off);

		wrong += *p != off * 31 + 7;
		*p = ~off;
		lost += *(volatile uint64_t *)(base + off) != ~off;
	}
	EXPECT_OR(out, !wrong && !lost, "%lu words read otherwise, %lu stores lost", wrong, lost);
	EXPECT_OR(out, level_at(va) == level && level_at(va + align) == level, "level %u",
		  level_at(va));
out:
	unmap(va, 2 * align);
}

SELFTEST(devdax_4k, "devdax.pattern-4k", "a device mapped by 4 KiB shows its bytes")
{
	DEVICE(r);
	check_pattern(t, r, PAGE_SIZE, 64, 1);
}

SELFTEST(devdax_2m, "devdax.pattern-2m", "a device mapped by 2 MiB shows its bytes, each 4 KiB")
{
	DEVICE(r);
	check_pattern(t, r, PMD_SIZE, PAGE_SIZE, 2);
}

SELFTEST(devdax_1g, "devdax.pattern-1g", "a device mapped by 1 GiB shows its bytes, each 2 MiB")
{
	BIG_DEVICE(r);
	check_pattern(t, r, PUD_SIZE, PMD_SIZE, 3);
}

SELFTEST(devdax_private, "devdax.private-refused",
	 "a private mapping of a device is refused, and says so")
{
	uint64_t va = 0;
	int err;

	DEVICE(r);
	err = devdax_mmap(current_mm(), r, PMD_SIZE, 0, PMD_SIZE, VM_READ | VM_PRIVATE, &va);
	EXPECT(err == -EINVAL && strstr(refusal(), "not private"), "%d: %s", err, refusal());
	EXPECT(r->pgmap.type == PGMAP_FS_DAX, "the region was bound anew for nothing");
}

SELFTEST(devdax_read_only, "devdax.read-only",
	 "a read-only mapping shows the bytes and takes no store")
{
	uint64_t va = 0, v = 0;
	int err, load;

	DEVICE(r);
	*(volatile uint64_t *)r->kaddr = 4711;
	err = devdax_mmap(current_mm(), r, PMD_SIZE, 0, PMD_SIZE, VM_READ | VM_SHARED, &va);
	EXPECT(!err, "%s", refusal());
	load = load_checked((uint64_t *)va, &v);
	err = store_checked((uint64_t *)va, 1);
	unmap(va, PMD_SIZE);
	EXPECT(!load && v == 4711 && err == -EFAULT, "load %d (%lu), store %d", load, v, err);
}

SELFTEST(devdax_bad, "devdax.arguments", "sizes, offsets and lengths that no page fits are refused")
{
	struct mm *mm = current_mm();
	uint64_t va = 0, odd = 8 * GIB + PAGE_SIZE;

	DEVICE(r);
	EXPECT(devdax_mmap(mm, r, 8192, 0, PMD_SIZE, RW, &va) == -EINVAL, "pages of 8 KiB");
	EXPECT(devdax_mmap(mm, r, PMD_SIZE, PAGE_SIZE, PMD_SIZE, RW, &va) == -EINVAL, "offset");
	EXPECT(devdax_mmap(mm, r, PMD_SIZE, 0, PAGE_SIZE, RW, &va) == -EINVAL, "length");
	EXPECT(devdax_mmap(mm, r, PMD_SIZE, 0, 0, RW, &va) == -EINVAL, "no length");
	EXPECT(devdax_mmap(mm, r, PMD_SIZE, 0, PMD_SIZE, RW, &odd) == -EINVAL, "address");
	EXPECT(devdax_mmap(mm, r, PMD_SIZE, 0, r->len + PMD_SIZE, RW, &va) == -EINVAL, "too long");
	EXPECT(devdax_mmap(mm, r, PMD_SIZE, r->len, DEVDAX_ALL, RW, &va) == -EINVAL,
	       "nothing left");
	EXPECT(r->pgmap.type == PGMAP_FS_DAX, "the region stays a device");
}

SELFTEST(devdax_mounted, "devdax.mounted-refused", "a mounted region is not mapped as a device")
{
	uint64_t va = 0;
	int err;

	FIXTURE(fx, LIFETIME_DEFAULT);
	err = devdax_mmap(current_mm(), fx.fs->region, PMD_SIZE, 0, PMD_SIZE, RW, &va);
	EXPECT_OR(out, err == -EBUSY && strstr(refusal(), "is mounted"), "%d: %s", err, refusal());
out:
	fixture_end(&fx);
}

SELFTEST(devdax_no_mount, "devdax.mapped-is-not-mounted",
	 "a region that is mapped as a device is not mounted")
{
	uint64_t va;
	int err;

	DEVICE(r);
	va = map(r, PMD_SIZE, PMD_SIZE);
	EXPECT(va, "%s", refusal());
	err = dax_mount(r, SCRATCH_PATH, LIFETIME_DEFAULT, NULL);
	unmap(va, PMD_SIZE);
	EXPECT(err == -EBUSY && strstr(refusal(), "mapped as a device"), "%d: %s", err, refusal());
}

SELFTEST(devdax_back, "devdax.back-to-files",
	 "after the last unmap the region can be mounted again")
{
	uint64_t va;
	enum pgmap_type during;

	DEVICE(r);
	va = map(r, PMD_SIZE, PMD_SIZE);
	EXPECT(va, "%s", refusal());
	during = r->pgmap.type;
	unmap(va, PMD_SIZE);
	EXPECT(during == PGMAP_GENERIC && r->pgmap.type == PGMAP_FS_DAX, "type %d, then %d", during,
	       r->pgmap.type);
	FIXTURE(fx, LIFETIME_DEFAULT);
	EXPECT_OR(out, fx_map(&fx, "f", 1, 'a') && *at(fx.va[0]) == 'a', "no file");
out:
	fixture_end(&fx);
}

SELFTEST(devdax_one_size, "devdax.one-size", "all mappings of a device have pages of one size")
{
	uint64_t va, again = 0, other = 0;
	int err;

	DEVICE(r);
	va = map(r, PMD_SIZE, PMD_SIZE);
	EXPECT(va, "%s", refusal());
	err = devdax_mmap(current_mm(), r, PAGE_SIZE, 0, PAGE_SIZE, RW, &other);
	again = map(r, PMD_SIZE, 2 * PMD_SIZE);
	EXPECT_OR(out, err == -EBUSY, "pages of 4 KiB: %d", err);
	EXPECT_OR(out, again, "a second mapping of the same size: %s", refusal());
	at(va)[99] = 'x';
	EXPECT_OR(out, at(again)[99] == 'x', "the other one shows 0x%x", at(again)[99]);
out:
	unmap(again, 2 * PMD_SIZE);
	unmap(va, PMD_SIZE);
}

SELFTEST(devdax_gup, "devdax.gup-names",
	 "gup inside a compound names each page, and counts them on its one record")
{
	struct page *p[4], *record;
	unsigned level;
	uint64_t va, pfn;
	long n;

	DEVICE(r);
	va = map(r, PMD_SIZE, 2 * PMD_SIZE);
	EXPECT(va, "%s", refusal());
	*at(va) = *at(va + PMD_SIZE) = 'g';
	pfn = pte_to_pfn(*entry_at(va, &level));
	record = pgmap_pfn_to_page(&r->pgmap, pfn);
	n = get_user_pages_fast(va + PMD_SIZE - 2 * PAGE_SIZE, 4, PIN | FOLL_FAST_ONLY, p);
	EXPECT_OR(out, n == 4, "%ld pages", n);
	for (unsigned i = 0; i < 4; i++)
		EXPECT_OR(put,
			  page_to_pfn(p[i]) == pfn + 510 + i &&
				  page_to_record(p[i]) == record + i / 2,
			  "page %u is pfn 0x%lx", i, page_to_pfn(p[i]));
	EXPECT_OR(put,
		  page_refs(record) == 2 && page_refs(record + 1) == 2 && page_maps(record) == 1,
		  "%u and %u references, %u mapping(s)", page_refs(record), page_refs(record + 1),
		  page_maps(record));
put:
	unpin_user_pages(p, 4);
	EXPECT_OR(out, page_refs(record) == 0 && page_refs(record + 1) == 0, "%u and %u left",
		  page_refs(record), page_refs(record + 1));
out:
	unmap(va, 2 * PMD_SIZE);
}

SELFTEST(devdax_gup_slow, "devdax.gup-faults-in",
	 "slow gup on an untouched device faults whole pages in")
{
	struct page *p[3];
	uint64_t va;
	long n;

	DEVICE(r);
	va = map(r, PMD_SIZE, PMD_SIZE);
	EXPECT(va, "%s", refusal());
	n = get_user_pages(current_mm(), va + 77 * PAGE_SIZE, 3, PIN, p);
	EXPECT_OR(out, n == 3 && level_at(va) == 2, "%ld pages, level %u", n, level_at(va));
	EXPECT_OR(put, p[2] == p[0] + 2, "the pages are no neighbours");
put:
	put_user_page_range(p[0], 3);
out:
	unmap(va, PMD_SIZE);
}

SELFTEST(devdax_longterm, "devdax.longterm-allowed",
	 "long-term pins of a device are allowed, with pages of 4 KiB and of 2 MiB")
{
	const uint64_t sizes[] = {PAGE_SIZE, PMD_SIZE};
	struct page *p;

	DEVICE(r);
	for (unsigned i = 0; i < 2; i++) {
		uint64_t va = map(r, sizes[i], PMD_SIZE);
		long n;

		EXPECT(va, "%s", refusal());
		n = get_user_pages_fast(va + PAGE_SIZE, 1, PIN | FOLL_LONGTERM, &p);
		if (n == 1)
			unpin_user_pages(&p, 1);
		unmap(va, PMD_SIZE);
		EXPECT(n == 1, "pages of 0x%lx: %ld", sizes[i], n);
	}
}

SELFTEST(devdax_pinned, "devdax.pinned-stays-device",
	 "a region with a pinned page stays a device after unmap: mount is refused, until the last "
	 "put")
{
	struct page *p;
	uint64_t va;
	int held;

	DEVICE(r);
	va = map(r, PMD_SIZE, PMD_SIZE);
	EXPECT(va && get_user_pages_fast(va + 5 * PAGE_SIZE, 1, PIN, &p) == 1, "%s", refusal());
	unmap(va, PMD_SIZE);
	held = dax_device_mount(r);
	if (!held)
		dax_device_umount(r);
	unpin_user_pages(&p, 1);
	EXPECT(held == -EBUSY && strstr(refusal(), "is held"), "%d: %s", held, refusal());
	EXPECT(!dax_device_mount(r), "refused afterwards: %s", refusal());
	dax_device_umount(r);
	EXPECT(r->pgmap.type == PGMAP_FS_DAX, "type %d", r->pgmap.type);
}

SELFTEST(devdax_records, "devdax.one-record-per-page",
	 "128 pages of 2 MiB have their records in one frame, or two at an odd place")
{
	uint64_t va, before, used, left;

	DEVICE(r);
	if (r->len < 256 * MIB)
		SKIP("needs a second DIMM of 256 MiB");
	va = map(r, PMD_SIZE, 256 * MIB);
	EXPECT(va, "%s", refusal());
	before = __atomic_load_n(&record_frames, __ATOMIC_RELAXED);
	for (uint64_t off = 0; off < 256 * MIB; off += PMD_SIZE)
		(void)*at(va + off);
	used = __atomic_load_n(&record_frames, __ATOMIC_RELAXED) - before;
	unmap(va, 256 * MIB);
	EXPECT(used >= 1 && used <= 2, "%lu frames", used);
	left = __atomic_load_n(&record_frames, __ATOMIC_RELAXED) - before;
	EXPECT(!left, "%ld frames are left", (long)left);
}

SELFTEST(devdax_upgrade, "devdax.upgrade", "a store after a load upgrades the same large page")
{
	unsigned level;
	uint64_t va, first, second;
	char c;

	DEVICE(r);
	((char *)r->kaddr)[3000] = 'u';
	va = map(r, PMD_SIZE, PMD_SIZE);
	EXPECT(va, "%s", refusal());
	c = at(va)[3000];
	first = *entry_at(va, &level);
	at(va)[3001] = 'v';
	second = *entry_at(va, &level);
	EXPECT_OR(out, c == 'u' && at(va)[3000] == 'u' && level == 2, "0x%x, level %u", c, level);
	EXPECT_OR(out, !(first & PTE_W) && (second & PTE_W), "0x%lx, then 0x%lx", first, second);
out:
	unmap(va, PMD_SIZE);
}

SELFTEST(devdax_cut, "devdax.no-cut", "a mapping of 2 MiB pages is not cut inside one")
{
	uint64_t va;
	int err, whole;

	DEVICE(r);
	va = map(r, PMD_SIZE, 2 * PMD_SIZE);
	EXPECT(va, "%s", refusal());
	*at(va) = *at(va + PMD_SIZE) = 'c';
	err = mm_unmap(current_mm(), va + PAGE_SIZE, PAGE_SIZE);
	whole = mm_unmap(current_mm(), va, PMD_SIZE);
	EXPECT_OR(out, err == -EINVAL && !whole, "a page: %d, 2 MiB: %d", err, whole);
	EXPECT_OR(out, at(va + PMD_SIZE)[0] == 'c', "the other half is gone");
out:
	unmap(va, 2 * PMD_SIZE);
}

SELFTEST(devdax_sigbus, "devdax.misplaced-faults",
	 "a large page that was moved to an address where it does not fit is refused with a "
	 "sentence")
{
	uint64_t va, to = 24 * GIB + PAGE_SIZE, v;
	int moved, err;

	DEVICE(r);
	va = map(r, PMD_SIZE, PMD_SIZE);
	EXPECT(va, "%s", refusal());
	*at(va) = 'm';
	moved = mm_remap(current_mm(), va, PMD_SIZE, &to);
	if (moved) { /* a refusal is as good */
		unmap(va, PMD_SIZE);
		return;
	}
	err = load_checked((uint64_t *)to, &v);
	unmap(to, PMD_SIZE);
	EXPECT(err == -EFAULT && strstr(refusal(), "alignment"), "%d: %s", err, refusal());
}

SELFTEST(devdax_counts, "devdax.counts",
	 "two mappings are two counts on the record, and none after unmap")
{
	struct page *record;
	unsigned level;
	uint64_t a, b;

	DEVICE(r);
	a = map(r, PMD_SIZE, PMD_SIZE);
	b = map(r, PMD_SIZE, PMD_SIZE);
	EXPECT_OR(out, a && b, "%s", refusal());
	*at(a) = *at(b) = 'c';
	record = pgmap_pfn_to_page(&r->pgmap, pte_to_pfn(*entry_at(a, &level)));
	EXPECT_OR(out, page_maps(record) == 2, "%u mapping(s)", page_maps(record));
	unmap(a, PMD_SIZE);
	a = 0;
	EXPECT_OR(out, page_maps(record) == 1, "%u after unmapping one", page_maps(record));
out:
	unmap(a, PMD_SIZE);
	unmap(b, PMD_SIZE);
}
