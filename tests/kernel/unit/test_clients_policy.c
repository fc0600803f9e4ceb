/* SPDX-License-Identifier: MIT */
/*
 * Self-tests of who may hold what (policy.*): each client at each kind of place, with its errno,
 * its sentence, the bytes that arrive, and every count at rest afterwards.
 */
#include "drivers/clients/internal.h"
#include "tests/kernel/lib/places.h"

#define PAGES  2u
#define TEXT   "client "
#define AT_BUS 0x10000000ull /* where a guest's page is in the tests */

/* What a client does at a place: 0 after its bytes were asked for, or the refusal. */
typedef int client_fn(const struct place *p, struct edu *e);

static int pinned(const struct place *p, struct edu *e)
{
	struct region *r;
	int err = region_register(e, p->va, p->pages, REGION_PINNED, NULL, &r);

	if (err)
		return err;
	err = region_receive(r, TEXT);
	region_deregister(r);
	return err;
}

static int on_demand(const struct place *p, struct edu *e)
{
	struct region *r;
	int err = region_register(e, p->va, p->pages, REGION_ON_DEMAND, NULL, &r);

	if (err)
		return err;
	err = region_receive(r, TEXT);
	region_deregister(r);
	return err;
}

static int frame(const struct place *p, struct edu *e)
{
	static struct grabber g;
	int slot = grabber_queue(&g, e, p->va, p->pages);
	int err = slot < 0 ? slot : grabber_dequeue(&g, (unsigned)slot, TEXT);

	grabber_stop(&g);
	return err;
}

static int contain(const struct place *p, struct edu *e, struct mm *mm)
{
	struct container *c;
	int err;

	c = container_open(e, &err);
	if (!c)
		return err;
	err = container_map(c, mm, p->va, p->pages, AT_BUS) ?: container_receive(c, AT_BUS, TEXT);
	container_close(c);
	return err;
}

static int own(const struct place *p, struct edu *e)
{
	return contain(p, e, current_mm());
}

struct guest_place {
	const struct place *p;
	struct edu *e;
};

static int contain_guest(struct mm *guest, void *arg)
{
	struct guest_place *g = arg;

	return contain(g->p, g->e, guest);
}

/* The place is in an address space that is not the caller's. */
static int other(const struct place *p, struct edu *e)
{
	struct guest_place g = {p, e};

	return in_another_mm(contain_guest, &g);
}

/* The disk takes the bytes, they are lost, and it brings them back. */
static int direct_io(const struct place *p, struct edu *unused)
{
	struct dio_request rq = {.disk = block_nth(0),
				 .dir = DIO_WRITE,
				 .sector = 2048,
				 .addr = p->va,
				 .len = p->pages * PAGE_SIZE};
	int err;

	(void)unused;
	for (unsigned i = 0; i < p->pages; i++)
		memcpy((char *)p->va + i * PAGE_SIZE, TEXT, strlen(TEXT));
	err = dio_run(&rq);
	for (unsigned i = 0; i < p->pages; i++)
		*at(p->va + i * PAGE_SIZE) = 'x';
	rq.dir = DIO_READ;
	return err ?: dio_run(&rq);
}

/* Memory that is registered for the kernel's own copies, as io_uring's fixed buffers and AF_XDP's
 * are: pinned for ever, and no device. */
static int fixed_buffer(const struct place *p, struct edu *unused)
{
	struct page *pages[DMA_MAX_PAGES];
	int err = longterm_pin(p->va, p->pages, pages);

	(void)unused;
	if (err)
		return err;
	for (unsigned i = 0; i < p->pages; i++)
		memcpy((char *)phys_to_virt(page_to_pfn(pages[i]) << PAGE_SHIFT), TEXT,
		       strlen(TEXT));
	unpin_user_pages(pages, p->pages);
	return 0;
}

static const char *wrong_cell(const struct place *p, struct edu *e, client_fn *client, int want,
			      char *text, unsigned n)
{
	uint64_t mappings = e ? edu_dma(e)->mappings : 0;
	unsigned held = place_held(p);
	int err;

	refusal_clear();
	err = client(p, e);
	snprintf(text, n, "%s: error %d (%s), %u references more, %lu mappings more",
		 place_names[p->kind], err, refusal(), place_held(p) - held,
		 e ? edu_dma(e)->mappings - mappings : 0);
	if (err != want || place_held(p) != held || (e && edu_dma(e)->mappings != mappings))
		return text;
	if (err ? !strstr(refusal(), "a pin without an end") : !place_shows(p, TEXT))
		return text;
	return NULL;
}

/* What a client says to a file's pages, alone or behind others: plainly mapped, and with
 * MAP_DIRECT. */
struct says {
	int file, direct;
};

static int said_at(struct says says, enum place_kind kind)
{
	switch (kind) {
	case PLACE_FILE:
	case PLACE_MIXED: return says.file;
	case PLACE_DIRECT:
	case PLACE_MIXED_DIRECT: return says.direct;
	default: return 0;
	}
}

/* The row of a client. */
static void row(struct selftest_run *t, client_fn *client, struct says says, struct edu *e)
{
	for (unsigned kind = 0; kind < PLACES && !t->failed; kind++) {
		const char *wrong;
		char text[200];
		struct place p;

		if (!place_begin(&p, kind, PAGES))
			SKIP("%s: %s", place_names[kind], p.why);
		wrong = wrong_cell(&p, e, client, said_at(says, kind), text, sizeof(text));
		place_end(&p);
		EXPECT(!wrong, "%s", wrong);
	}
}

static void row_of_edu(struct selftest_run *t, client_fn *client, struct says says, bool domain)
{
	struct edu *e = scratch_choose_edus(1) ? NULL : scratch_edu(0);

	if (!e)
		SKIP("%s", refusal());
	if (domain && !edu_dma(e)->domain)
		SKIP("%s: %s (QEMU: -device intel-iommu)", edu_name(e), edu_dma(e)->direct);
	row(t, client, says, e);
}

/* Breaks it: a pin of a transfer with FOLL_LONGTERM. */
SELFTEST(policy_dio, "policy.direct-io",
	 "direct I/O is allowed on a DAX file, a device, anonymous memory and a range of two, and "
	 "the disk's bytes come back")
{
	if (scratch_choose_disk())
		SKIP("%s", refusal());
	row(t, direct_io, (struct says){0, 0}, NULL);
}

/* Breaks it: a registration without FOLL_LONGTERM, or a refusal that keeps what it got. */
SELFTEST(
	policy_pinned, "policy.rdma-pinned",
	"a pinned region is refused on a DAX file, alone or behind anonymous memory (-EOPNOTSUPP), "
	"and allowed on a device, on anonymous memory, and, by a device that can be stopped, on a "
	"file that is mapped with MAP_DIRECT, alone or behind anonymous memory")
{
	row_of_edu(t, pinned, (struct says){-EOPNOTSUPP, 0}, true);
}

/* Breaks it: a region on demand that pins for ever. */
SELFTEST(policy_demand, "policy.rdma-on-demand",
	 "a region that faults its pages in is allowed everywhere, and holds none of them")
{
	row_of_edu(t, on_demand, (struct says){0, 0}, false);
}

/* As policy.rdma-pinned. */
SELFTEST(policy_frame, "policy.frame-buffer",
	 "a frame grabber's buffer is refused on a DAX file, alone or behind anonymous memory "
	 "(-EOPNOTSUPP), MAP_DIRECT or not, and allowed on a device and on anonymous memory")
{
	row_of_edu(t, frame, (struct says){-EOPNOTSUPP, -EOPNOTSUPP}, false);
}

/* As policy.rdma-pinned. */
SELFTEST(policy_own, "policy.vfio-own",
	 "a container's mapping of its user's own memory is refused on a DAX file, alone or behind "
	 "anonymous memory (-EOPNOTSUPP), MAP_DIRECT or not, and allowed on a device and on "
	 "anonymous memory")
{
	row_of_edu(t, own, (struct says){-EOPNOTSUPP, -EOPNOTSUPP}, true);
}

/* Breaks it: of_a_file() that looks at the first VMA only, or a refusal that keeps the pins. */
SELFTEST(policy_other, "policy.vfio-other",
	 "the same of another address space, where pages are pinned first and its VMAs looked at "
	 "afterwards")
{
	row_of_edu(t, other, (struct says){-EOPNOTSUPP, -EOPNOTSUPP}, true);
}

/* As policy.rdma-pinned. */
SELFTEST(policy_fixed, "policy.fixed-buffers",
	 "memory that is pinned for ever for the kernel's own copies is refused on a DAX file, "
	 "MAP_DIRECT or not, alone or behind anonymous memory (-EOPNOTSUPP), and allowed on a "
	 "device and on anonymous memory")
{
	row(t, fixed_buffer, (struct says){-EOPNOTSUPP, -EOPNOTSUPP}, NULL);
}

static int allow_on(const struct lifetime *lt)
{
	const struct mount_options allow = {.longterm = true};
	int err = dax_mount_with(scratch_device(), SCRATCH_PATH, lt, &allow, NULL);

	if (!err)
		scratch_umount();
	return err;
}

/* Breaks it: a lifetime whose longterm_allowed is set. */
SELFTEST(
	policy_allow, "policy.longterm-allow",
	"longterm=allow is accepted by busy-extent alone: the six others refuse the mount, and say "
	"which lifetime has it; what is mounted without a word refuses")
{
	unsigned accepted = 0, named = 0;
	struct place p;
	struct page *page;
	long n;

	PLACE(&p, PLACE_FILE, PAGES);
	n = get_user_pages_fast(p.va, 1, FOLL_PIN | FOLL_LONGTERM, &page);
	if (n == 1)
		unpin_user_pages(&page, 1);
	place_end(&p);
	EXPECT(n == -EOPNOTSUPP, "the default: %ld", n);
	for (unsigned i = 0; lifetime_nth(i); i++) {
		int err = allow_on(lifetime_nth(i));

		accepted += !err;
		named += err == -EINVAL && strstr(refusal(), "busy-extent");
		EXPECT(!err == (lifetime_nth(i) == &lifetime_busy_extent), "%s: %d",
		       lifetime_nth(i)->name, err);
	}
	EXPECT(accepted == 1 && named == 6, "accepted by %u, refused with the name by %u", accepted,
	       named);
}

/* ---- refused for another reason ---------------------------------------------------------------
 */

/* Those that pin for as long as they like, and one that only looks. */
static const struct {
	const char *name;
	client_fn *client;
	int no_bus; /* when the device has no bus address left */
} pinners[] = {{"region", pinned, -ENOSPC},	  {"frame buffer", frame, -ENOSPC},
	       {"container", own, -EEXIST},	  {"other container", other, -EEXIST},
	       {"fixed buffer", fixed_buffer, 0}, {"on demand", on_demand, -ENOSPC}};

/* Is the client refused at the place, and is nothing left of it? */
static bool refused_whole(const struct place *p, struct edu *e, client_fn *client, int want)
{
	uint64_t mappings = edu_dma(e)->mappings;
	unsigned held = place_held(p);
	int err = client(p, e);

	return err == want && place_held(p) == held && edu_dma(e)->mappings == mappings &&
	       (want != -ENOSPC || strstr(refusal(), "'iommu' lists"));
}

/* Breaks it: pin_all() that keeps what it got before the error. */
SELFTEST(
	policy_short, "policy.range-beyond-its-mapping",
	"a range whose last page is not mapped is refused (-EFAULT) by every client that pins, and "
	"its other pages are let go")
{
	struct place p;

	STOPPABLE(e);
	PLACE(&p, PLACE_ANON, PAGES + 1);
	mm_unmap(current_mm(), p.va + PAGES * PAGE_SIZE, PAGE_SIZE);
	for (unsigned i = 0; i < ARRAY_SIZE(pinners) && !t->failed; i++)
		EXPECT_OR(out, refused_whole(&p, e, pinners[i].client, -EFAULT), "%s: %s, %u held",
			  pinners[i].name, refusal(), place_held(&p));
out:
	place_end(&p);
}

#define MOST 80u
static struct dma_mapping taken[MOST]; /* all bus addresses of a device */

static unsigned take_bus_addresses(struct edu *e)
{
	static struct page *never_looked_at;
	unsigned n = 0;

	for (uint64_t nr = 1ull << 36; nr && n < MOST;) {
		taken[n] = (struct dma_mapping){.what = "all the rest"};
		if (dma_map_later(edu_dma(e), &taken[n], &never_looked_at, nr, DMA_BOTH))
			nr /= 2;
		else
			n++;
	}
	return n;
}

static bool import_refused(struct edu *e, struct page *p)
{
	struct edu_importer imp = {0};
	struct dmabuf buf;
	int err;

	dmabuf_export(&buf, "exported", &p, 1);
	err = edu_importer_open(&imp, e, &buf);
	if (!err)
		edu_importer_close(&imp);
	return err == -ENOSPC && strstr(refusal(), "'iommu' lists") && LIST_EMPTY(&buf.importers) &&
	       !buf.mapped;
}

/* Breaks it: a registration that fails in its last step and keeps its pages, its lease or its
 * place in a list. */
SELFTEST(policy_bus, "policy.no-bus-address",
	 "a device whose bus addresses are all taken: every client is refused (-ENOSPC, or -EEXIST "
	 "at addresses of its choice), on anonymous memory and with a lease, and holds nothing; "
	 "afterwards it is served")
{
	static const enum place_kind kinds[] = {PLACE_ANON, PLACE_DIRECT};
	bool imported = true;
	const char *wrong = NULL;
	struct place p;
	unsigned n;

	STOPPABLE(e);
	for (unsigned k = 0; k < 2 && !t->failed; k++) {
		unsigned clients = kinds[k] == PLACE_ANON ? ARRAY_SIZE(pinners) : 1;

		PLACE(&p, kinds[k], PAGES);
		n = take_bus_addresses(e);
		for (unsigned i = 0; i < clients; i++)
			if (!refused_whole(&p, e, pinners[i].client, pinners[i].no_bus))
				wrong = pinners[i].name;
		if (kinds[k] == PLACE_ANON)
			imported = import_refused(e, fx_va_to_page(p.va));
		else if (lease_count(&p.fx.inode[0]->leases, LEASE_LAYOUT) != 1)
			wrong = "its lease";
		for (unsigned i = 0; i < n; i++)
			dma_unmap(&taken[i]);
		if (pinned(&p, e) || !place_shows(&p, TEXT))
			wrong = "what came afterwards";
		place_end(&p);
		EXPECT(!wrong && imported && n && n < MOST, "%s: %s (%s), importer %d, %u pieces",
		       place_names[kinds[k]], wrong ? wrong : "", refusal(), imported, n);
	}
}
