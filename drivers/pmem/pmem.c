/* SPDX-License-Identifier: MIT */
/*
 * pmem regions: from the firmware's ranges to bound device memory.
 *
 * At boot every accepted persistent range gets page records (none is made yet) and a place in the
 * direct map. A DIMM that is not armed would lose what is written at the next power cut, so its
 * region is read-only, and says so.
 */
#include "drivers/drivers.h"

STEP_POINT_DECLARE(pmem_binds); /* the pgmap is filled in, and not yet live */

static struct pmem_region *regions; /* nr_regions of them; made once at boot, never moved */
static unsigned nr_regions;

unsigned pmem_count(void)
{
	return nr_regions;
}

struct pmem_region *pmem_nth(unsigned n)
{
	return n < nr_regions ? &regions[n] : NULL;
}

struct pmem_region *pmem_find(const char *name)
{
	for (unsigned i = 0; i < nr_regions; i++)
		if (!strcmp(regions[i].name, name))
			return &regions[i];
	return NULL;
}

struct pmem_region *pfn_to_region(uint64_t pfn)
{
	for (unsigned i = 0; i < nr_regions; i++)
		if ((pfn << PAGE_SHIFT) - regions[i].start < regions[i].len)
			return &regions[i];
	return NULL;
}

const char *pmem_change_begin(struct pmem_region *r, const char *what)
{
	const char *other = NULL;

	__atomic_compare_exchange_n(&r->changing, &other, what, false, __ATOMIC_ACQUIRE,
				    __ATOMIC_RELAXED);
	return other;
}

void pmem_change_end(struct pmem_region *r)
{
	__atomic_store_n(&r->changing, NULL, __ATOMIC_RELEASE);
}

static void bind(struct pmem_region *r)
{
	r->pgmap = (struct pgmap){.type = PGMAP_FS_DAX,
				  .name = r->name,
				  .node = r->spa->has_proximity ? (int)r->spa->proximity : -1,
				  .nr_range = 1,
				  .rest = 1};
	r->pgmap.range[0].start = r->start >> PAGE_SHIFT;
	r->pgmap.range[0].end = (r->start + r->len) >> PAGE_SHIFT;
	STEP_POINT(pmem_binds);
	if (memremap_pages(&r->pgmap, &r->unbound_why))
		return;
	r->bound = true;
	r->kaddr = phys_to_virt(r->start);
}

int pmem_bind(struct pmem_region *r)
{
	bind(r);
	return r->bound ? 0 : -ENXIO;
}

int pmem_bind_limited(struct pmem_region *r)
{
	if (kernel_map(DIRECT_BASE + r->start, r->start, r->len, PTE_W | PTE_NX | PTE_G, 3)) {
		r->unbound_why = "no memory for the page tables that map it";
		kernel_unmap(DIRECT_BASE + r->start, r->len, false);
		return -ENOMEM;
	}
	r->pgmap = (struct pgmap){.name = r->name, .node = -1};
	r->limited = r->bound = true;
	r->kaddr = phys_to_virt(r->start);
	return 0;
}

void pmem_unbind(struct pmem_region *r)
{
	r->bound = false;
	r->unbound_why = "it was unbound; 'pmem bind' brings it back";
	if (r->limited)
		kernel_unmap(DIRECT_BASE + r->start, r->len, false);
	else
		memunmap_pages(&r->pgmap);
	r->limited = false;
}

static bool any_usable(void)
{
	for (unsigned i = 0; i < nr_regions; i++)
		if (regions[i].len)
			return true;
	return false;
}

static void announce(struct pmem_region *r)
{
	char cut[100];

	pmem_look_at_cut_parts(r);
	kprintf("%s: %s at 0x%lx%s%s\n", r->name, SIZE_TEXT(r->len), r->start,
		r->readonly ? ", read-only: " : "", r->readonly ? r->ro_reason : "");
	if (pmem_trimmed(r, cut, sizeof(cut)))
		kprintf("%s: %s, to multiples of 2 MiB; align=2M would do%s%s\n", r->name, cut,
			r->whole_contents ? "; it holds " : "",
			r->whole_contents ? r->whole_contents : "");
}

static void add_region(const struct nfit_spa *spa)
{
	struct pmem_region *r = &regions[nr_regions];

	snprintf(r->name, sizeof(r->name), "pmem%u", nr_regions++);
	r->spa = spa;
	r->unbound_why = spa->reason;
	if (spa->verdict != NFIT_ACCEPTED) {
		kprintf("%s: not bound: %s\n", r->name, r->unbound_why);
		return;
	}
	r->start = spa->usable_base;
	r->len = spa->usable_length;
	r->readonly = spa->read_only;
	if (r->readonly)
		r->ro_reason = "a DIMM is not armed: it could not save its contents at a power cut";
	bind(r);
	if (r->bound)
		announce(r);
	else
		kprintf("%s: not bound: %s\n", r->name, r->unbound_why);
}

/* shadow=pmem1[,pmem2] on the kernel command line. */
static void start_shadows(void)
{
	static char list[BOOT_CMDLINE];
	char *rest = list, *name;
	const char *why;

	if (!cmdline_get("shadow", list, sizeof(list)))
		return;
	while ((name = strsep(&rest, ","))) {
		struct pmem_region *r = pmem_find(name);

		if (!r || !r->bound)
			kprintf("shadow=%s: no such region is bound\n", name);
		else if (pmem_shadow_start(r, &why))
			kprintf("shadow=%s: %s\n", name, why);
		else
			kprintf("%s: power-cut model on, %s copied\n", name, SIZE_TEXT(r->len));
	}
}

static int add_regions(void)
{
	unsigned nr = nfit_in_order(nfit_get(), NULL, 0);
	const struct nfit_spa **spas = calloc(nr, sizeof(*spas));

	regions = calloc(nr, sizeof(*regions));
	if (nr && (!spas || !regions)) {
		free(spas);
		kprintf("pmem: no memory for %u regions\n", nr);
		return -ENOMEM;
	}
	nfit_in_order(nfit_get(), spas, nr);
	for (unsigned i = 0; i < nr; i++)
		add_region(spas[i]);
	free(spas);
	return 0;
}

static int pmem_init(const struct boot_info *bi)
{
	int err = add_regions();

	(void)bi;
	if (nfit_missing())
		kprintf("pmem: no NFIT was found where there should be one: no region is bound\n");
	else if (!err && !any_usable())
		kprintf("pmem: no persistent memory: the firmware has no usable NFIT range; "
			"start QEMU with -device nvdimm (PMEM=\"file,size=1G\")\n");
	start_shadows();
	return err;
}
INITCALL(INIT_DEVICES, pmem, "persistent memory", pmem_init);

static void print_dimms(const struct nfit_spa *spa)
{
	char health[120];

	for (unsigned i = 0; i < spa->nr_memdevs; i++) {
		const struct nfit_memdev *m = &spa->memdev[i];

		nfit_flags_text(m->flags, health, sizeof(health));
		kprintf("  DIMM handle 0x%x (node %u socket %u controller %u channel %u dimm %u)",
			m->handle, m->dimm->node, m->dimm->socket, m->dimm->controller,
			m->dimm->channel, m->dimm->dimm);
		if (m->dcr)
			kprintf(", serial 0x%x, vendor 0x%04x", m->dcr->serial, m->dcr->vendor);
		kprintf(", %s\n", health);
	}
}

static void print_contents(const struct pmem_region *r)
{
	char text[300];

	if (r->bound)
		kprintf("  contents: %s%s\n",
			pmem_contents(r, text, sizeof(text)) ? text : "nothing known",
			r->scratch ? "; given as scratch" : "");
}

static void print_region(const struct pmem_region *r)
{
	const struct nfit_spa *spa = r->spa;

	if (!r->len) {
		kprintf("%s: not usable: %s\n", r->name, r->unbound_why);
		print_dimms(spa);
		return;
	}
	kprintf("%s: 0x%lx - 0x%lx, %s, %s\n", r->name, r->start, r->start + r->len,
		SIZE_TEXT(r->len),
		!r->bound			? "not bound"
		: r->limited			? "bound (limited: no page records)"
		: r->pgmap.type == PGMAP_FS_DAX ? "bound (FS_DAX)"
						: "bound (GENERIC: a device)");
	if (!r->bound)
		kprintf("  why: %s\n", r->unbound_why);
	if (r->dead)
		kprintf("  killed: no fault gets a page of it; 'pmem revive %s' ends that\n",
			r->name);
	print_dimms(spa);
	if (spa->has_proximity)
		kprintf("  node %u, ", spa->proximity);
	else
		kprintf("  node unknown, ");
	kprintf("%s%s%s\n", r->readonly ? "read-only (" : "armed, writable",
		r->readonly ? r->ro_reason : "", r->readonly ? ")" : "");
	kprintf("  persistence domain: %s; flush with %s\n",
		nfit_persistence_name(spa->table->persistence), cache_writeback_name());
	if (nfit_pages_lost(spa))
		kprintf("  trimmed: %lu page(s) lost to 2 MiB alignment (%lu bytes at the start, "
			"%lu "
			"at the end); give the DIMM align=2M\n",
			nfit_pages_lost(spa), spa->lost_start, spa->lost_end);
	else
		kprintf("  trimmed: nothing, start and end are 2 MiB aligned\n");
	print_contents(r);
	if (r->shadow)
		kprintf("  power-cut model: on\n");
}

/* ---- who holds pages (F-13) --------------------------------------------------------------- */

#define SHOWN 8u /* holders that are named one by one */

struct held {
	uint64_t pages, busy;
	bool name; /* print who holds what is busy */
	unsigned shown;
	char last[200];
};

static uint64_t pages_of(const struct page *p)
{
	return page_state(p) & PAGE_FOLIO ? FOLIO_PAGES : 1;
}

/* A line for who holds a busy page, unless it is the one of the line before. */
static void name_holder(const struct page *p, struct held *h)
{
	char who[sizeof(h->last)];

	holders_describe(p, who, sizeof(who));
	if (h->shown >= SHOWN || !strcmp(who, h->last))
		return;
	strcpy(h->last, who);
	kprintf("    pfn 0x%lx, %u reference(s): %s\n", page_to_pfn(p), page_refs(p), who);
	if (++h->shown == SHOWN)
		kprintf("    … and more\n");
}

static int count_held(struct page *p, void *arg)
{
	struct held *h = arg;
	bool busy = page_state(p) & PAGE_BUSY;

	h->pages += page_refs(p) > p->pgmap->rest ? pages_of(p) : 0;
	h->busy += busy ? pages_of(p) : 0;
	if (busy && h->name)
		name_holder(p, h);
	return 0;
}

static void for_each_record(const struct pmem_region *r, struct held *h)
{
	if (r->bound && r->pgmap.type == PGMAP_FS_DAX)
		page_records_for_each(r->start >> PAGE_SHIFT, r->len >> PAGE_SHIFT, count_held, h);
}

uint64_t pmem_held(const struct pmem_region *r, uint64_t *busy)
{
	struct held h = {0};

	for_each_record(r, &h);
	if (busy)
		*busy = h.busy;
	return h.pages;
}

static void print_held(const struct pmem_region *r)
{
	struct held h = {0};

	for_each_record(r, &h);
	if (h.pages)
		kprintf("  held: %lu page(s)\n", h.pages);
	if (!h.busy)
		return;
	kprintf("  busy: %lu block(s), %s, freed by their files and out of reach until the "
		"last put:\n",
		h.busy, SIZE_TEXT(h.busy * PAGE_SIZE));
	h = (struct held){.name = true};
	for_each_record(r, &h);
}

/* Behind the threads of `ps`. */
static void report_busy(void)
{
	for (unsigned i = 0; i < nr_regions; i++)
		if (__atomic_load_n(&regions[i].busy, __ATOMIC_RELAXED)) {
			kprintf("%s:\n", regions[i].name);
			print_held(&regions[i]);
		}
}

static int report_init(const struct boot_info *bi)
{
	(void)bi;
	ps_also(report_busy);
	return 0;
}
INITCALL(INIT_LATE, pmem_report, "who holds pages", report_init);

/* ---- binding ------------------------------------------------------------------------------ */

static const struct pmem_above *above;

void pmem_set_above(const struct pmem_above *ops)
{
	above = ops;
}

static int cmd_unbind(int argc, char **argv)
{
	struct pmem_region *r = argc > 2 ? pmem_find(argv[2]) : NULL;
	bool wait = argc == 4 && !strcmp(argv[3], "wait");

	if (argc < 3 || argc > 4 || (argc == 4 && !wait))
		return shell_usage();
	if (!r)
		return shell_fail(-ENODEV, "no region '%s'; 'pmem' lists them", argv[2]);
	if (!r->bound)
		return shell_fail(-ENODEV, "%s is not bound: %s", r->name, r->unbound_why);
	return above->unbind(r, wait);
}

/* The transition is the caller's. */
static int bind_unbound(struct pmem_region *r, bool limited)
{
	int err;

	if (r->bound)
		return shell_fail(-EBUSY, "%s is bound already", r->name);
	err = limited ? pmem_bind_limited(r) : pmem_bind(r);
	return err ? shell_fail(err, "%s: %s", r->name, r->unbound_why) : 0;
}

static int cmd_bind(int argc, char **argv)
{
	struct pmem_region *r = argc > 2 ? pmem_find(argv[2]) : NULL;
	bool limited = argc == 4 && !strcmp(argv[3], "limited");
	const char *other;
	int err;

	if (argc != 3 && !limited)
		return shell_usage();
	if (!r)
		return shell_fail(-ENODEV, "no region '%s'; 'pmem' lists them", argv[2]);
	if (!r->len)
		return shell_fail(-ENXIO, "%s cannot be bound: %s", r->name, r->unbound_why);
	other = pmem_change_begin(r, "bound");
	if (other)
		return shell_fail(-EBUSY, "%s is being %s; 'ps' tells what that waits for", r->name,
				  other);
	err = bind_unbound(r, limited);
	pmem_change_end(r);
	return err;
}

int pmem_kill(struct pmem_region *r)
{
	int err;

	__atomic_store_n(&r->dead, true, __ATOMIC_SEQ_CST);
	err = above->killed(r);
	if (err)
		pmem_revive(r);
	return err;
}

void pmem_revive(struct pmem_region *r)
{
	__atomic_store_n(&r->dead, false, __ATOMIC_RELEASE);
}

static int cmd_kill(int argc, char **argv, bool dead)
{
	struct pmem_region *r = argc == 3 ? pmem_find(argv[2]) : NULL;

	if (argc != 3)
		return shell_usage();
	if (!r)
		return shell_fail(-ENODEV, "no region '%s'; 'pmem' lists them", argv[2]);
	if (!dead)
		pmem_revive(r);
	else if (pmem_kill(r))
		return shell_fail(-ENOMEM, "%s", refusal());
	return 0;
}

static int cmd_pmem(int argc, char **argv)
{
	const struct pmem_region *r = argc > 1 ? pmem_find(argv[1]) : NULL;

	if (argc > 1 && !strcmp(argv[1], "unbind"))
		return cmd_unbind(argc, argv);
	if (argc > 1 && !strcmp(argv[1], "bind"))
		return cmd_bind(argc, argv);
	if (argc > 1 && (!strcmp(argv[1], "kill") || !strcmp(argv[1], "revive")))
		return cmd_kill(argc, argv, argv[1][0] == 'k');
	if (argc > 2)
		return shell_usage();
	if (!nr_regions && nfit_missing())
		return shell_fail(-ENODEV, "%s", nfit_missing());
	if (argc > 1 && !r)
		return shell_fail(-ENODEV, "no region '%s'; there %s %u: pmem0 … (see 'pmem')",
				  argv[1], nr_regions == 1 ? "is" : "are", nr_regions);
	if (!any_usable())
		kprintf("no persistent memory: start QEMU with -device nvdimm "
			"(PMEM=\"file,size=1G\")\n");
	for (unsigned i = 0; i < nr_regions; i++)
		if (!r || r == &regions[i]) {
			print_region(&regions[i]);
			print_held(&regions[i]);
		}
	return 0;
}
static void offer_regions(struct shell_offers *o)
{
	for (unsigned i = 0; i < nr_regions; i++)
		shell_offer(o, regions[i].name);
}
SHELL_KIND(region, "REGION", NULL, offer_regions);
SHELL_KIND(dev, "DEV", NULL, offer_regions);
SHELL_COMMAND(
	pmem, cmd_pmem,
	"pmem [REGION] | pmem unbind REGION [wait] | pmem bind REGION [limited] | pmem kill|revive "
	"REGION",
	"persistent memory: ranges, DIMMs, persistence, what alignment cost, who holds pages\n"
	"unbind takes a region's page records away, bind brings them back. It is refused while\n"
	"the region is mounted or mapped; a page that is held is treated as the lifetime of the\n"
	"last mount has it: busy-extent names the holders and refuses, or waits if told to; wait\n"
	"also removes a region that is mapped as a device, and waits for its pins. limited: "
	"without\n"
	"page records, so that files can be mapped and nothing of them pinned (lifetime=unaware).\n"
	"kill: no fault gets a page of the region any more, until revive.");
