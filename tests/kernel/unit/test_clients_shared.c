/* SPDX-License-Identifier: MIT */
/*
 * Self-tests of buffers that are exported (dmabuf.*) and of containers (container.*): how they are
 * taken back, and from whom they are not.
 */
#include "drivers/iommu/internal.h"
#include "tests/kernel/lib/places.h"

#define PAGES 2u
#define BOUND (30ull * 1000000000) /* which a cooperative importer never needs */

/* A buffer of RAM pages, and an importer. */
struct shared {
	struct dmabuf buf;
	struct page *pages[PAGES];
	struct edu_importer imp;
	int err;
	bool received;
};
static struct shared shared; /* one test at a time */

static char *bytes(unsigned i)
{
	return page_to_virt(shared.pages[i]);
}

static bool all_pages_show(const char *text)
{
	return !memcmp(bytes(0), text, strlen(text)) && !memcmp(bytes(1), text, strlen(text));
}

static void free_pages(void)
{
	for (unsigned i = 0; i < PAGES; i++)
		if (shared.pages[i])
			plain_page_free(shared.pages[i]);
}

/* Exported, and imported by the edu device. */
static int share(struct edu *e, bool deaf)
{
	shared = (struct shared){.imp.deaf = deaf};
	for (unsigned i = 0; i < PAGES; i++)
		if (!(shared.pages[i] = plain_page_alloc())) {
			free_pages();
			return -ENOMEM;
		}
	dmabuf_export(&shared.buf, "shared buffer", shared.pages, PAGES);
	shared.err = edu_importer_open(&shared.imp, e, &shared.buf);
	return 0;
}

#define DEVICE(e)                                                                                  \
	struct edu *e = scratch_choose_edus(1) ? NULL : scratch_edu(0);                            \
	if (!e)                                                                                    \
	SKIP("%s", refusal())
#define DOMAIN(e)                                                                                  \
	DEVICE(e);                                                                                 \
	if (!edu_dma(e)->domain)                                                                   \
	SKIP("%s: %s (QEMU: -device intel-iommu)", edu_name(e), edu_dma(e)->direct)

static void receive(void *unused)
{
	(void)unused;
	shared.err = edu_importer_receive(&shared.imp, "shared ");
	__atomic_store_n(&shared.received, true, __ATOMIC_RELEASE);
}

/* Breaks it: a revoke that does not wait, an importer that unmaps under its transfer, or one that
 * begins another. */
SELFTEST(dmabuf_told, "dmabuf.told-and-waited-for",
	 "an importer that is told while its device writes ends that transfer and unmaps; the "
	 "exporter has waited for it; nothing new begins, is mapped or attached afterwards")
{
	struct edu_importer second = {0};
	struct thread *thread;
	int revoked, after, other;
	bool before = false;

	DEVICE(e);
	EXPECT(!share(e, false), "no memory");
	EXPECT_OR(out, !shared.err, "%s", refusal());
	thread = thread_create("importer", receive, NULL, 0);
	EXPECT_OR(close, thread, "no memory");
	AWAIT(edu_pending(e) || shared.received, "a transfer to begin");
	revoked = dmabuf_revoke(&shared.buf, BOUND);
	before = __atomic_load_n(&shared.received, __ATOMIC_ACQUIRE) || !edu_pending(e);
	thread_join(thread);
	after = edu_importer_receive(&shared.imp, "again");
	other = edu_importer_open(&second, e, &shared.buf);
	EXPECT_OR(close, !revoked && before && !shared.err && all_pages_show("shared "),
		  "revoked %d, transfer over %d, error %d", revoked, before, shared.err);
	EXPECT_OR(close, after == -ENODEV && other == -ENODEV && !shared.imp.imp.map.dev,
		  "another transfer %d, another importer %d", after, other);
close:
	edu_importer_close(&shared.imp);
out:
	free_pages();
}

/* Breaks it: a revoke that leaves the translation, or gives the bus addresses back. */
SELFTEST(dmabuf_deaf, "dmabuf.deaf-is-cut-and-named",
	 "an importer that does not unmap within the bound is named with its device and cut off: "
	 "what the device still writes is a fault, and the exporter's new bytes stay")
{
	uint64_t before, faults, bus;
	struct dma_mapping next = {.what = "another buffer"};
	bool named, kept;
	int revoked, err;

	DOMAIN(e);
	EXPECT(!share(e, true), "no memory");
	EXPECT_OR(out, !shared.err, "%s", refusal());
	err = edu_importer_receive(&shared.imp, "first ") ?: all_pages_show("first ") ? 0 : -EIO;
	bus = shared.imp.imp.map.bus;
	before = faults_of(e);
	revoked = dmabuf_revoke(&shared.buf, 1000000);
	named = strstr(refusal(), "edu importer on edu0 (cut off)") != NULL;
	for (unsigned i = 0; i < PAGES; i++)
		memset(bytes(i), 'G', PAGE_SIZE);
	err = err ?: dma_map(edu_dma(e), &next, shared.pages, PAGES, DMA_FROM_DEVICE);
	kept = next.bus != bus;
	err = err ?: edu_importer_receive(&shared.imp, "late ");
	faults = faults_of(e) - before;
	if (next.dev)
		dma_unmap(&next);
	edu_importer_close(&shared.imp);
	EXPECT_OR(out, revoked == -ETIMEDOUT && named, "%d: %s", revoked, refusal());
	EXPECT_OR(out, !err && faults && kept && all_pages_show("GGGG"),
		  "error %d, %lu faults, bus address kept %d, bytes \"%.4s\"", err, faults, kept,
		  bytes(0));
	EXPECT_OR(out, !shared.buf.mapped, "%u mappings are left", shared.buf.mapped);
out:
	free_pages();
}

static void ignore(struct dmabuf_importer *imp)
{
	(void)imp;
}

/* Breaks it: a revoke that calls pages free which a device without a domain reaches. */
SELFTEST(dmabuf_direct, "dmabuf.without-iommu-pages-stay",
	 "a late importer whose device nothing can stop: the exporter is told to keep the pages, "
	 "and gets them once it has unmapped; one that cannot be told is not attached at all")
{
	static struct dma_device model = DMA_DIRECT("model");
	struct dmabuf_importer imp = {.name = "driver", .dev = &model};
	int mute, late, done = 0;
	bool named = false;
	struct page *p = plain_page_alloc();

	EXPECT(p, "no memory");
	dmabuf_export(&shared.buf, "shared buffer", &p, 1);
	mute = dmabuf_attach(&shared.buf, &imp);
	imp.invalidate = ignore;
	late = dmabuf_attach(&shared.buf, &imp) ?: dmabuf_map(&imp);
	if (!late) {
		late = dmabuf_revoke(&shared.buf, 1000000);
		named = strstr(refusal(), "have to stay: driver on model") != NULL;
		dmabuf_unmap(&imp);
		done = dmabuf_revoke(&shared.buf, 1000000);
		dmabuf_detach(&imp);
	}
	plain_page_free(p);
	EXPECT(mute == -EOPNOTSUPP, "without a method to be told by: %d", mute);
	EXPECT(late == -EBUSY && named && !done, "late %d: %s; then %d", late, refusal(), done);
}

/* ---- containers ------------------------------------------------------------------------------ */

#define BUS 0x20000000ull

/* Breaks it: an unmap that takes the ranges it finds before it looks for one that is cut. */
SELFTEST(
	container_ranges, "container.ranges",
	"a guest's pages are at the bus addresses it chose and its device's bytes arrive there; an "
	"address in use, a page's middle and one for interrupts are refused; what is unmapped is "
	"whole ranges, or nothing")
{
	int err, taken, middle, msi, zero;
	int64_t cut, first, rest;
	struct container *c;
	uint64_t at_rest;
	struct place p;

	DOMAIN(e);
	at_rest = edu_dma(e)->mappings;
	PLACE(&p, PLACE_ANON, 4);
	c = container_open(e, &err);
	EXPECT_OR(out, c, "%s", refusal());
	err = container_map(c, current_mm(), p.va, 1, BUS)
		      ?: container_map(c, current_mm(), p.va + PAGE_SIZE, 3, BUS + PAGE_SIZE);
	taken = container_map(c, current_mm(), p.va, 2, BUS + 3 * PAGE_SIZE);
	middle = container_map(c, current_mm(), p.va, 1, BUS + 0x10800);
	msi = container_map(c, current_mm(), p.va, 1, 0xfee00000);
	zero = container_map(c, current_mm(), p.va, 1, 0);
	err = err ?: container_receive(c, BUS, "guest") ?: container_receive(c, BUS + PAGE_SIZE, "guest");
	cut = container_unmap(c, BUS, 2 * PAGE_SIZE);
	first = container_unmap(c, BUS, PAGE_SIZE);
	rest = container_unmap(c, BUS, 16 * PAGE_SIZE);
	container_close(c);
	EXPECT_OR(out, !err && place_shows(&p, "guest"), "error %d: %s", err, refusal());
	EXPECT_OR(out, taken == -EEXIST && middle == -EINVAL && msi == -EEXIST && zero == -EINVAL,
		  "taken %d, a page's middle %d, interrupts %d, zero %d", taken, middle, msi, zero);
	EXPECT_OR(out, cut == -EINVAL && first == 1 && rest == 3, "cut %ld, then %ld and %ld pages",
		  cut, first, rest);
	EXPECT_OR(out, !place_held(&p) && edu_dma(e)->mappings == at_rest, "%u pages are held",
		  place_held(&p));
out:
	place_end(&p);
}

/* The device as it is on a machine without an IOMMU, for one test. */
struct without {
	struct iommu_domain *domain;
	const char *direct;
};

static struct without take_domain(struct dma_device *dev)
{
	struct without w = {dev->domain, dev->direct};

	dev->direct = w.domain ? "there is no IOMMU" : dev->direct;
	dev->domain = NULL;
	return w;
}

static void give_domain(struct dma_device *dev, struct without w)
{
	dev->domain = w.domain;
	dev->direct = w.direct;
}

/* Breaks it: a container or a cut that goes on without a domain. */
SELFTEST(clients_identity, "clients.without-iommu",
	 "without a translation regions on demand hold their pages for the time of a transfer and "
	 "pinned ones are registered as they are; a container is refused with the reason")
{
	struct region *demand = NULL;
	struct container *c;
	struct without w;
	bool named;
	struct place p;
	int err, refused = 0;

	DEVICE(e);
	PLACE(&p, PLACE_FILE, 2);
	w = take_domain(edu_dma(e));
	c = container_open(e, &refused);
	named = strstr(refusal(), edu_dma(e)->direct) != NULL;
	err = region_register(e, p.va, 2, REGION_ON_DEMAND, NULL, &demand);
	give_domain(edu_dma(e), w);
	/* The unit does translate, so the bytes are moved with it again. */
	err = err ?: region_receive(demand, "held");
	if (demand)
		region_deregister(demand);
	EXPECT_OR(out, !c && refused == -EOPNOTSUPP && named, "container: %d, %s", refused,
		  refusal());
	EXPECT_OR(out, !err && place_shows(&p, "held") && !place_held(&p), "on demand: %d, %u held",
		  err, place_held(&p));
out:
	if (c)
		container_close(c);
	place_end(&p);
}
