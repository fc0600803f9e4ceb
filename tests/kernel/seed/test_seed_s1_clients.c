/* SPDX-License-Identifier: MIT */
/*
 * Seed tests of the clients: patches 7 and 11 to 14 of series s1, "MAP_DIRECT for DAX RDMA and
 * userspace flush" v8 (October 2017), and patch 12 of s2, "vfio: disable filesystem-dax page
 * pinning" (March 2018).
 */
#include "drivers/iommu/internal.h"
#include "tests/kernel/lib/leased.h"

MUSEUM_DECLARE(iommu_stale);
MUSEUM_DECLARE(cut_pages_for_bytes);

/* Breaks it: ask_vma() that does not ask for the device's domain. */
SELFTEST(seed_s1_07, "seed.s1.07",
	 "a device can be asked for its translation domain; one that has none, and so could not "
	 "be stopped, gets no region on a MAP_DIRECT mapping (-EOPNOTSUPP), and the file's lease "
	 "list is as before")
{
	struct iommu_domain *domain;
	struct region *r = NULL;
	unsigned before, after;
	int with, without;

	STOPPABLE(e);
	LEASED(l, LIFETIME_DEFAULT, e, 2);
	with = l.err;
	leased_deregister(&l);
	domain = edu_dma(e)->domain;
	before = lease_count(&l.f->leases, LEASE_ALL);
	edu_dma(e)->domain = NULL;
	edu_dma(e)->direct = "a test took it";
	without = region_register(e, l.va, 2, REGION_PINNED, NULL, &r);
	if (!without)
		region_deregister(r);
	edu_dma(e)->domain = domain;
	edu_dma(e)->direct = NULL;
	after = lease_count(&l.f->leases, LEASE_ALL);
	EXPECT_OR(out, !with && without == -EOPNOTSUPP && strstr(refusal(), "behind an IOMMU"),
		  "with a domain %d, without %d: %s", with, without, refusal());
	EXPECT_OR(out, before == 1 && after == before, "%u leases before, %u after", before, after);
out:
	leased_end(&l);
}

/* Breaks it: a count by length alone, or one that forgets where a piece begins. */
SELFTEST(seed_s1_11, "seed.s1.11",
	 "the pages that a scatter list covers are counted with its offsets: 4095 bytes at offset "
	 "1 are on one page, 2 bytes at offset 4095 on two, a piece without bytes on none")
{
	const struct dma_piece one = {1, 4095}, two = {4095, 2}, none = {17, 0}, far = {0x3fff, 1};
	const struct dma_piece list[] = {one, two, none, far, {0, 3 * PAGE_SIZE}};

	EXPECT(dma_pages(&one, 1) == 1, "%lu", dma_pages(&one, 1));
	EXPECT(dma_pages(&two, 1) == 2, "%lu", dma_pages(&two, 1));
	EXPECT(!dma_pages(&none, 1) && dma_pages(&far, 1) == 1, "%lu and %lu", dma_pages(&none, 1),
	       dma_pages(&far, 1));
	EXPECT(dma_pages(list, ARRAY_SIZE(list)) == 1 + 2 + 0 + 1 + 3, "%lu of the list",
	       dma_pages(list, ARRAY_SIZE(list)));
}

#define PIECES 8u

static uint64_t dice(uint64_t *seed, uint64_t sides)
{
	*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
	return (*seed >> 33) % sides;
}

/* Pieces of up to four pages, at any offset. */
static void random_list(struct dma_piece *list, uint64_t *seed)
{
	for (unsigned i = 0; i < PIECES; i++)
		list[i] = (struct dma_piece){.offset = dice(seed, PAGE_SIZE),
					     .len = 1 + dice(seed, 3 * PAGE_SIZE)};
}

/* Maps the pages of every piece, then cuts the bytes of every piece: leaves there were in between,
 * and *left of them afterwards. All pieces are of the same page of RAM. */
static uint64_t map_and_cut(struct edu *e, struct page *const *pages, const struct dma_piece *list,
			    uint64_t *left)
{
	struct slpt *tables = &edu_dma(e)->domain->tables;
	static struct dma_mapping m[PIECES];
	uint64_t before = slpt_leaves(tables), mapped;
	int err = 0;

	memset(m, 0, sizeof(m));
	for (unsigned i = 0; i < PIECES && !err; i++)
		err = dma_map(edu_dma(e), &m[i], pages, dma_pages(&list[i], 1), DMA_FROM_DEVICE);
	mapped = slpt_leaves(tables) - before;
	for (unsigned i = 0; i < PIECES && m[i].dev; i++)
		dma_cut_bytes(&m[i], list[i].offset, list[i].len);
	*left = slpt_leaves(tables) - before;
	for (unsigned i = 0; i < PIECES && m[i].dev; i++)
		dma_unmap(&m[i]);
	return mapped;
}

/* Breaks it: a cut that counts its pages in another way than the map did. */
SELFTEST(seed_s1_12, "seed.s1.12",
	 "of random scatter lists as many pages are mapped as the list covers, and as many are "
	 "taken away again when the bytes of its pieces are")
{
	struct page *p, *pages[5];
	uint64_t seed = 1, mapped = 0, left = 0;
	struct dma_piece list[PIECES];

	STOPPABLE(e);
	p = plain_page_alloc();
	EXPECT(p, "no memory");
	for (unsigned i = 0; i < ARRAY_SIZE(pages); i++)
		pages[i] = p;
	for (unsigned round = 0; round < 100; round++) {
		random_list(list, &seed);
		mapped = map_and_cut(e, pages, list, &left);
		if (mapped != dma_pages(list, PIECES) || left)
			break;
	}
	plain_page_free(p);
	EXPECT(mapped == dma_pages(list, PIECES) && !left, "%lu mapped of %lu, %lu are left",
	       mapped, dma_pages(list, PIECES), left);
}

/* Registered, revoked, and the late write: bytes of another file that are the device's. */
static int foreign_after_break(struct edu *e, unsigned pages, uint64_t *faults, bool *kept)
{
	struct dma_mapping next = {.what = "next"};
	struct page *p = plain_page_alloc();
	struct leased l = {0};
	int foreign = -1;
	uint64_t bus;

	*faults = faults_of(e);
	*kept = false;
	if (!p || !leased_begin(&l, LIFETIME_DEFAULT, e, pages) || l.err)
		goto out;
	/* So that the unit remembers the way: what it would go on using if nobody told it. */
	foreign = region_receive(l.r, "RDMA") ?: leased_break(&l);
	bus = region_bus(l.r)->bus;
	if (!foreign && !dma_map(edu_dma(e), &next, &p, 1, DMA_BOTH)) {
		*kept = next.bus < bus || next.bus >= bus + pages * PAGE_SIZE;
		dma_unmap(&next);
	}
	foreign = foreign ? -1 : leased_late(&l);
out:
	*faults = faults_of(e) - *faults;
	if (l.fx.fs)
		leased_end(&l);
	if (p)
		plain_page_free(p);
	return foreign;
}

/* Breaks it: museum cut-pages-for-bytes (L-5), which is run here as well. */
SELFTEST(seed_s1_13, "seed.s1.13",
	 "a region is pins, a mapping and a lease; a break cuts every page of it: what the device "
	 "writes to three pages are faults, another file's bytes stay, no bus address of the "
	 "region is given out before deregistration. Cut by pages (L-5) it keeps the second on")
{
	uint64_t faults, fewer;
	int safe, broken;
	bool kept, unused;

	STOPPABLE(e);
	if (!scratch_region(&(const char *){0}))
		SKIP("%s", refusal());
	safe = foreign_after_break(e, 3, &faults, &kept);
	museum_cut_pages_for_bytes.on = true;
	broken = foreign_after_break(e, 3, &fewer, &unused);
	museum_cut_pages_for_bytes.on = false;
	EXPECT(!safe && faults >= 3 && kept, "%d foreign bytes, %lu faults, addresses kept %d",
	       safe, faults, kept);
	EXPECT(broken == 2 * (int)PAGE_SIZE, "cut by pages: %d foreign bytes", broken);
}

/* Breaks it: a unit that is not made to forget (museum iommu-stale), which is run here as well. */
SELFTEST(
	seed_s1_14, "seed.s1.14",
	"the revocation stands on the unit forgetting what it knew: where a cut does not reach it "
	"(museum iommu-stale) the same test finds the device's bytes in another file, and no fault")
{
	uint64_t faults, none;
	int safe, broken;
	bool unused;

	STOPPABLE(e);
	if (!scratch_region(&(const char *){0}))
		SKIP("%s", refusal());
	safe = foreign_after_break(e, 1, &faults, &unused);
	museum_iommu_stale.on = true;
	broken = foreign_after_break(e, 1, &none, &unused);
	museum_iommu_stale.on = false;
	vtd_forget_all(edu_dma(e)->domain->unit);
	EXPECT(!safe && faults, "%d foreign bytes, %lu faults", safe, faults);
	EXPECT(broken == (int)PAGE_SIZE && !none, "not forgotten: %d foreign bytes, %lu faults",
	       broken, none);
}

/* ---- s2: 12 ---------------------------------------------------------------------------------- */

#define GUEST 0x40000000ull

struct guest_memory {
	struct edu *e;
	uint64_t va;
	unsigned pages;
};

static int contain(struct mm *mm, void *arg)
{
	const struct guest_memory *g = arg;
	struct container *c;
	int err;

	c = container_open(g->e, &err);
	if (!c)
		return err;
	err = container_map(c, mm, g->va, g->pages, GUEST);
	container_close(c);
	return err;
}

/* Breaks it: container_map() without FOLL_LONGTERM, or without the look at the VMAs. */
SELFTEST(seed_s2_12, "seed.s2.12",
	 "a guest's memory on a DAX file is refused (-EOPNOTSUPP), the caller's own and another's, "
	 "with every page at rest, so that no truncate ever waits for a guest; on a device both "
	 "are pinned")
{
	int own, remote, dev_own, dev_remote, cut;
	struct guest_memory g;
	struct place p;
	unsigned held;

	STOPPABLE(e);
	PLACE(&p, PLACE_FILE, 2);
	g = (struct guest_memory){e, p.va, 2};
	own = contain(current_mm(), &g);
	remote = in_another_mm(contain, &g);
	held = place_held(&p);
	cut = dax_truncate(p.fx.inode[0], 0);
	held += p.fx.inode[0]->last_break.busy_seen;
	place_end(&p);
	EXPECT(own == -EOPNOTSUPP && remote == -EOPNOTSUPP, "own %d, another's %d", own, remote);
	EXPECT(!held && !cut, "%u references are left, truncate %d", held, cut);
	PLACE(&p, PLACE_DEVICE, 2);
	g.va = p.va;
	dev_own = contain(current_mm(), &g);
	dev_remote = in_another_mm(contain, &g);
	held = place_held(&p);
	place_end(&p);
	EXPECT(!dev_own && !dev_remote && !held, "of a device: own %d, another's %d, %u held",
	       dev_own, dev_remote, held);
}
