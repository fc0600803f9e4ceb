/* SPDX-License-Identifier: MIT */
/* Places to pin; see places.h. */
#include "drivers/iommu/internal.h"
#include "tests/kernel/lib/places.h"

const char *const place_names[PLACES] = {"fs-dax",	    "device-dax", "anonymous",
					 "[anon | fs-dax]", "MAP_DIRECT", "[anon | MAP_DIRECT]"};

static uint64_t page_at(const struct place *p, unsigned i)
{
	return p->va + i * PAGE_SIZE;
}

static bool failed(struct place *p, const char *why)
{
	p->why = why;
	return false;
}

static int place_map_file(struct dax_inode *f, bool direct, unsigned pages, uint64_t *va)
{
	const struct dax_map rq = {.flags = MAP_SHARED_VALIDATE | (direct ? MAP_DIRECT : 0),
				   .pages = pages,
				   .write = true};

	return dax_map(current_mm(), f, &rq, va);
}

/* Its last page is the only one of a file. */
static bool map_mixed(struct place *p)
{
	struct dax_inode *f = scratch_file("f", 1, 'a');
	uint64_t last;

	if (!f)
		return failed(p, "no file");
	p->fx.inode[p->fx.nr++] = f;
	if (mm_map_anon(current_mm(), &p->va, p->pages * PAGE_SIZE, true))
		return failed(p, "no anonymous memory");
	last = page_at(p, p->pages - 1);
	if (mm_unmap(current_mm(), last, PAGE_SIZE) ||
	    place_map_file(f, p->kind == PLACE_MIXED_DIRECT, 1, &last))
		return failed(p, "not mapped side by side");
	return true;
}

static bool map_place_leased(struct place *p)
{
	struct dax_inode *f = scratch_file("f", p->pages, 'a');

	if (!f)
		return failed(p, "no file");
	p->fx.inode[p->fx.nr++] = f;
	return !place_map_file(f, true, p->pages, &p->va) || failed(p, refusal());
}

static bool map_device(struct place *p)
{
	struct pmem_region *r = scratch_region(&p->why);

	if (!r)
		return false;
	if (devdax_mmap(current_mm(), r, PMD_SIZE, 0, PMD_SIZE, VM_READ | VM_WRITE | VM_SHARED,
			&p->va))
		return failed(p, refusal());
	return true;
}

static bool map(struct place *p)
{
	switch (p->kind) {
	case PLACE_FILE:
		p->va = fx_map(&p->fx, "f", p->pages, 'a');
		return p->va || failed(p, "not mapped");
	case PLACE_MIXED:
	case PLACE_MIXED_DIRECT: return map_mixed(p);
	case PLACE_DIRECT: return map_place_leased(p);
	case PLACE_DEVICE: return map_device(p);
	default:
		return !mm_map_anon(current_mm(), &p->va, p->pages * PAGE_SIZE, true) ||
		       failed(p, "no anonymous memory");
	}
}

bool place_begin(struct place *p, enum place_kind kind, unsigned pages)
{
	*p = (struct place){.kind = kind, .pages = pages};
	p->mounted = kind != PLACE_DEVICE && kind != PLACE_ANON;
	if (p->mounted && (!scratch_region(&p->why) || fixture_start(&p->fx, LIFETIME_DEFAULT))) {
		p->why = p->why ? p->why : p->fx.why;
		return false;
	}
	if (!map(p)) {
		place_end(p);
		return false;
	}
	for (unsigned i = 0; i < pages; i++)
		*at(page_at(p, i)) = 'b';
	return true;
}

void place_end(struct place *p)
{
	if (p->va && p->kind != PLACE_FILE)
		mm_unmap(current_mm(), p->va,
			 p->kind == PLACE_DEVICE ? PMD_SIZE : p->pages * PAGE_SIZE);
	if (p->mounted)
		fixture_end(&p->fx);
}

unsigned place_held(const struct place *p)
{
	const struct page *first = NULL;
	unsigned n = 0;

	if (p->kind == PLACE_DEVICE) {
		first = pgmap_pfn_to_page(&scratch_device()->pgmap,
					  scratch_device()->start >> PAGE_SHIFT);
		return page_refs(first) - first->pgmap->rest;
	}
	for (unsigned i = 0; i < p->pages; i++) {
		const struct page *page = fx_va_to_page(page_at(p, i));

		n += page ? page_refs(page) - page->pgmap->rest : 0;
	}
	return n;
}

bool place_shows(const struct place *p, const char *text)
{
	for (unsigned i = 0; i < p->pages; i++)
		if (memcmp((const char *)page_at(p, i), text, strlen(text)) != 0)
			return false;
	return true;
}

int in_another_mm(int (*fn)(struct mm *guest, void *arg), void *arg)
{
	struct mm *guest = current_mm(), *mine = mm_create("vmm");
	int err;

	if (!mine)
		return -ENOMEM;
	mm_get(guest);
	mm_use(mine);
	err = fn(guest, arg);
	mm_use(guest);
	mm_put(guest);
	mm_put(mine);
	return err;
}

uint64_t faults_of(struct edu *e)
{
	struct vtd *u = edu_dma(e)->domain->unit;

	vtd_take_faults(u);
	u->told = u->log.seen;
	return iommu_faults();
}

int region_late(struct region *r, const char *text)
{
	int err;
	struct dma_job *job = region_start(r, text, 1, &err);

	if (!job)
		return err;
	dma_wait(job);
	dma_free(job);
	return 0;
}
