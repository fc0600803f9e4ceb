/* SPDX-License-Identifier: MIT */
/*
 * pmem regions: from the firmware's ranges to bound device memory.
 *
 * At boot every accepted persistent range gets page records (none is made yet) and a place in the
 * direct map. A DIMM that is not armed would lose what is written at the next power cut, so its
 * region is read-only, and says so.
 */
#include "drivers/pmem/internal.h"

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

bool pmem_any_usable(void)
{
	for (unsigned i = 0; i < nr_regions; i++)
		if (regions[i].len)
			return true;
	return false;
}

static const struct pmem_above *above;

void pmem_set_above(const struct pmem_above *ops)
{
	above = ops;
}

const struct pmem_above *pmem_above(void)
{
	return above;
}

int pmem_refuse_state(const struct pmem_region *r, enum pmem_state seen)
{
	switch (seen) {
	case PMEM_GONE: return refuse(-ENODEV, "%s is not bound: %s", r->name, r->unbound_why);
	case PMEM_PRESENT: return refuse(-EBUSY, "%s is bound already", r->name);
	case PMEM_KILLED:
		return refuse(-ENODEV, "%s was killed; 'pmem revive %s' ends that", r->name,
			      r->name);
	case PMEM_COMING:
		return refuse(-EBUSY, "%s is being bound; 'ps' tells what that waits for", r->name);
	default:
		return refuse(-EBUSY, "%s is being unbound; 'ps' tells what that waits for",
			      r->name);
	}
}

int pmem_refuse_fault(const struct pmem_region *r)
{
	if (pmem_state(r) == PMEM_KILLED)
		return refuse(-ENXIO, "%s was killed; 'pmem revive %s' ends that (SIGBUS)", r->name,
			      r->name);
	return refuse(-ENXIO, "%s is being unbound (SIGBUS)", r->name);
}

int pmem_check_present(const struct pmem_region *r)
{
	const enum pmem_state seen = pmem_state(r);

	return seen == PMEM_PRESENT ? 0 : pmem_refuse_state(r, seen);
}

/* ---- binding ------------------------------------------------------------------------------ */

struct pgmap pmem_fs_pgmap(const struct pmem_region *r)
{
	struct pgmap p = {.type = PGMAP_FS_DAX,
			  .name = r->name,
			  .node = r->spa->has_proximity ? (int)r->spa->proximity : -1,
			  .nr_range = 1,
			  .rest = 1};

	p.range[0].start = r->start >> PAGE_SHIFT;
	p.range[0].end = (r->start + r->len) >> PAGE_SHIFT;
	return p;
}

/* A device's pages may begin behind the region's start, and end before its end: an info block, or a
 * size that does not fit. What lies there has no records, and can be read all the same. */
static void unmap_rest(const struct pmem_region *r, const struct pgmap_range *g)
{
	const uint64_t first = g->start << PAGE_SHIFT, last = g->end << PAGE_SHIFT;

	if (first > r->start)
		kernel_unmap(DIRECT_BASE + r->start, first - r->start, false);
	if (last < r->start + r->len)
		kernel_unmap(DIRECT_BASE + last, r->start + r->len - last, false);
}

static int map_rest(const struct pmem_region *r)
{
	const struct pgmap_range *g = &r->pgmap.range[0];
	const uint64_t first = g->start << PAGE_SHIFT, last = g->end << PAGE_SHIFT;
	const uint64_t rights = PTE_W | PTE_NX | PTE_G;
	int err = 0;

	if (first > r->start)
		err = kernel_map(DIRECT_BASE + r->start, r->start, first - r->start, rights, 3);
	if (!err && last < r->start + r->len)
		err = kernel_map(DIRECT_BASE + last, last, r->start + r->len - last, rights, 3);
	if (err)
		unmap_rest(r, g);
	return err;
}

/* COMING, and the caller's. */
static int make_records(struct pmem_region *r, const struct pgmap *pgmap)
{
	int err;

	r->pgmap = *pgmap;
	STEP_POINT(pmem_binds);
	err = memremap_pages(&r->pgmap);
	if (!err && map_rest(r)) {
		memunmap_pages(&r->pgmap);
		err = refuse(-ENOMEM, "no memory for the page tables that map it");
	}
	return err;
}

static int make_limited(struct pmem_region *r)
{
	if (kernel_map(DIRECT_BASE + r->start, r->start, r->len, PTE_W | PTE_NX | PTE_G, 3)) {
		kernel_unmap(DIRECT_BASE + r->start, r->len, false);
		return refuse(-ENOMEM, "no memory for the page tables that map it");
	}
	r->pgmap = (struct pgmap){.name = r->name, .node = -1};
	return 0;
}

/* What refusal() says, kept for whoever asks later. Value: err, with the region's name before it.
 */
static int keep_refusal(struct pmem_region *r, int err)
{
	snprintf(r->unbound_why, sizeof(r->unbound_why), "%s", refusal());
	return refuse(err, "%s: %s", r->name, r->unbound_why);
}

/* -EBUSY: it is not GONE. */
static int bind(struct pmem_region *r, bool limited)
{
	const struct pgmap fs = pmem_fs_pgmap(r);
	enum pmem_state seen;
	int err;

	if (!pmem_try_step(r, PMEM_COMING, &seen))
		return pmem_refuse_state(r, seen == PMEM_KILLED ? PMEM_PRESENT : seen);
	r->bindings++;
	err = limited ? make_limited(r) : make_records(r, &fs);
	if (!err) {
		r->kaddr = phys_to_virt(r->start);
		pmem_read_info(r);
	} else {
		keep_refusal(r, err); /* before it can be seen to be GONE */
	}
	pmem_step(r, err ? PMEM_GONE : PMEM_PRESENT);
	return err;
}

int pmem_bind(struct pmem_region *r)
{
	return bind(r, false);
}

int pmem_bind_limited(struct pmem_region *r)
{
	return bind(r, true);
}

/* From LEAVING, which is the caller's, to PINS_GONE, behind which nothing is left. */
static void take_away(struct pmem_region *r)
{
	const struct pgmap_range range = r->pgmap.range[0];

	pmem_step(r, PMEM_UNMAPPED);
	if (!pmem_is_limited(r))
		memunmap_drain(&r->pgmap);
	pmem_step(r, PMEM_PINS_GONE);
	if (pmem_is_limited(r)) {
		kernel_unmap(DIRECT_BASE + r->start, r->len, false);
	} else {
		memunmap_finish(&r->pgmap);
		unmap_rest(r, &range);
	}
}

void pmem_unbind(struct pmem_region *r)
{
	enum pmem_state seen;

	if (!pmem_try_step(r, PMEM_LEAVING, &seen))
		ASSERT(seen == PMEM_LEAVING, "%s is unbound while it is %s", r->name,
		       pmem_state_name(seen));
	take_away(r);
	snprintf(r->unbound_why, sizeof(r->unbound_why), "%s",
		 "it was unbound; 'pmem bind' brings it back");
	pmem_step(r, PMEM_GONE);
}

int pmem_rebind(struct pmem_region *r, const struct pgmap *next)
{
	const struct pgmap fs = pmem_fs_pgmap(r);
	enum pmem_state from;
	int err;

	if (!pmem_try_step(r, PMEM_LEAVING, &from))
		return pmem_refuse_state(r, from);
	take_away(r);
	pmem_step(r, PMEM_COMING);
	err = make_records(r, next);
	if (err)
		keep_refusal(r, err);
	pmem_step(r, err && make_records(r, &fs) ? PMEM_GONE : from);
	return err ? refuse(err, "%s: %s", r->name, r->unbound_why) : 0;
}

/* ---- killing ------------------------------------------------------------------------------ */

int pmem_kill(struct pmem_region *r)
{
	enum pmem_state seen;
	int err;

	if (!pmem_try_step(r, PMEM_KILLED, &seen))
		return seen == PMEM_KILLED ? 0 : pmem_refuse_state(r, seen);
	err = above->killed(r);
	if (err) /* or somebody unbinds or revives it by now */
		pmem_try_step(r, PMEM_PRESENT, &seen);
	return err;
}

int pmem_revive(struct pmem_region *r)
{
	enum pmem_state seen;

	if (pmem_try_step(r, PMEM_PRESENT, &seen) || seen == PMEM_PRESENT)
		return 0;
	return pmem_refuse_state(r, seen);
}

/* ---- at boot ------------------------------------------------------------------------------ */

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
	pmem_print_mode(r, r->name);
}

static void add_region(const struct nfit_spa *spa)
{
	struct pmem_region *r = &regions[nr_regions];

	snprintf(r->name, sizeof(r->name), "pmem%u", nr_regions++);
	r->spa = spa;
	snprintf(r->unbound_why, sizeof(r->unbound_why), "%s", spa->reason);
	if (spa->verdict != NFIT_ACCEPTED) {
		kprintf("%s: not bound: %s\n", r->name, r->unbound_why);
		return;
	}
	r->start = spa->usable_base;
	r->len = spa->usable_length;
	r->readonly = spa->read_only;
	if (r->readonly)
		r->ro_reason = "a DIMM is not armed: it could not save its contents at a power cut";
	if (!pmem_bind(r))
		announce(r);
	else
		kprintf("%s: not bound: %s\n", r->name, r->unbound_why);
}

/* shadow=pmem1[,pmem2] on the kernel command line. */
static void start_shadows(void)
{
	static char list[BOOT_CMDLINE];
	char *rest = list, *name;

	if (!cmdline_get("shadow", list, sizeof(list)))
		return;
	while ((name = strsep(&rest, ","))) {
		struct pmem_region *r = pmem_find(name);

		if (!r || !pmem_is_present(r))
			kprintf("shadow=%s: no such region is bound\n", name);
		else if (pmem_shadow_start(r))
			kprintf("shadow=%s: %s\n", name, refusal());
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
	else if (!err && !pmem_any_usable())
		kprintf("pmem: no persistent memory: the firmware has no usable NFIT range; "
			"start QEMU with -device nvdimm (PMEM=\"file,size=1G\")\n");
	start_shadows();
	return err;
}
INITCALL(INIT_DEVICES, pmem, "persistent memory", pmem_init);
