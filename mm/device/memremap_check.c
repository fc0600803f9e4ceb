/* SPDX-License-Identifier: MIT */
/*
 * What memremap_pages() refuses: each check is one function, with its errno and a sentence that
 * says what failed and what would pass.
 *
 * Two checks are stronger than those of Linux 6.1 (its memremap.c). Linux looks at the
 * pgmaps of the first and the last pfn only and overlooks one strictly inside; here the whole span
 * is looked at. There an unknown type warns and goes on; here it is refused. Two of its steps
 * cannot fail: the reference is embedded in the pgmap, and there is no managed-pages switch,
 * because every put looks at the rest count.
 */
#include "mm/device/internal.h"
#include "mm/frames/internal.h"

static uint64_t bytes(uint64_t pfn)
{
	return pfn << PAGE_SHIFT;
}

/* The type, and the size of its records. */
static int check_type(struct pgmap *m)
{
	static const char *const absent[] = {
		[0] = NULL,
		[PGMAP_PRIVATE] = "PRIVATE (memory that the CPU cannot reach)",
		[PGMAP_COHERENT] = "COHERENT (another processor's memory)",
		[PGMAP_P2PDMA] = "PCI_P2PDMA (a PCI device's own memory)",
	};

	if (m->type == PGMAP_FS_DAX || m->type == PGMAP_GENERIC)
		return 0;
	if (m->type < ARRAY_SIZE(absent) && absent[m->type])
		return refuse(-EINVAL, "type %s is not built in; use FS_DAX (3) or GENERIC (4)",
			      absent[m->type]);
	return refuse(-EINVAL, "type %u is %s; use FS_DAX (3) or GENERIC (4)", m->type,
		      m->type ? "unknown" : "not set");
}

static int check_records(struct pgmap *m)
{
	if (m->vmemmap_shift != SHIFT_4K && m->vmemmap_shift != SHIFT_2M &&
	    m->vmemmap_shift != SHIFT_1G)
		return refuse(-EINVAL,
			      "vmemmap_shift is %u; a record stands for 4 KiB (0), 2 MiB (9) or "
			      "1 GiB (18)",
			      m->vmemmap_shift);
	if (m->type == PGMAP_FS_DAX && m->vmemmap_shift)
		return refuse(-EINVAL,
			      "vmemmap_shift is %u; FS_DAX needs one record per 4 KiB page (0), "
			      "compound records are for GENERIC",
			      m->vmemmap_shift);
	if (m->rest > 1)
		return refuse(-EINVAL, "rest is %u; a page rests at 0 or 1 references", m->rest);
	return 0;
}

/* Whose the range is already. A dying neighbour still owns its records; of one being bound by
 * another thread the same is said as of a live one. */
static int check_conflict(struct pgmap *m, unsigned i)
{
	const struct pgmap_range *r = &m->range[i];
	const struct range_entry *e = range_find(pgmap_table(), r->start, r->end);
	const struct pgmap *other = e ? e->owner : NULL;

	if (other && percpu_ref_phase(&other->ref) > REF_LIVE)
		return refuse(-EEXIST,
			      "range %u holds sub-sections of pgmap %s, which is being torn down; "
			      "wait until its last user is gone",
			      i, other->name);
	if (other)
		return refuse(-ENOMEM,
			      "pgmap %s (0x%lx - 0x%lx) lies in range %u; unbind its device first",
			      other->name, bytes(e->start), bytes(e->end), i);
	for (unsigned k = 0; k < i; k++)
		if (m->range[k].start < r->end && r->start < m->range[k].end)
			return refuse(-EEXIST,
				      "ranges %u and %u overlap; a page has one record, so they "
				      "must not",
				      k, i);
	return 0;
}

const char *memremap_place_taken(uint64_t start, uint64_t end, int *err)
{
	*err = -ENXIO;
	if (ram_overlaps(start, end))
		return "overlaps RAM; device memory must lie outside of it, every page";
	*err = -EBUSY;
	if (mmio_overlaps(start, end))
		return "holds device registers that are mapped uncached; memory must be "
		       "write-back under every name";
	if (kernel_is_mapped(DIRECT_BASE + start, end - start))
		return "holds firmware data that is mapped; device memory must lie beside it";
	return NULL;
}

/* What lies there: RAM, what the kernel has mapped, beyond what the CPU can name. */
static int check_place(struct pgmap *m, unsigned i)
{
	const struct pgmap_range *r = &m->range[i];
	unsigned bits = MIN(cpu_features.phys_bits, MAX_PHYS_BITS);
	const char *why;
	int err;

	if (r->end > 1ull << (bits - PAGE_SHIFT))
		return refuse(-EINVAL,
			      "range %u ends at 0x%lx, beyond the %u physical address bits that "
			      "can be mapped; it must end at or below 0x%lx",
			      i, bytes(r->end), bits, 1ul << bits);
	why = memremap_place_taken(bytes(r->start), bytes(r->end), &err);
	return why ? refuse(err, "range %u (0x%lx - 0x%lx) %s", i, bytes(r->start), bytes(r->end),
			    why)
		   : 0;
}

/* Borders. */
static int check_alignment(struct pgmap *m, unsigned i)
{
	const struct pgmap_range *r = &m->range[i];
	uint64_t align = MAX(SUBSECTION_PAGES, 1ull << m->vmemmap_shift);

	if (r->start >= r->end)
		return refuse(-EINVAL, "range %u is empty (0x%lx - 0x%lx); give at least 2 MiB", i,
			      bytes(r->start), bytes(r->end));
	if (IS_ALIGNED(r->start | r->end, align))
		return 0;
	return refuse(-EINVAL,
		      "range %u, 0x%lx - 0x%lx, must start and end at a multiple of %s; "
		      "0x%lx - 0x%lx would do",
		      i, bytes(r->start), bytes(r->end), SIZE_TEXT(bytes(align)),
		      bytes(ALIGN_UP(r->start, align)), bytes(ALIGN_DOWN(r->end, align)));
}

static uint64_t pages_of(const struct pgmap_range *r)
{
	return r->end - r->start;
}

/* The altmap lies in its range; and no compound is cut, nor the 2 MiB of pages that a folio may
 * count for. */
static int check_altmap(struct pgmap *m)
{
	const struct pgmap_range *r = &m->range[0];
	struct altmap *a = &m->altmap;
	uint64_t taken = a->reserve + a->free, unit = MAX(FOLIO_PAGES, 1ull << m->vmemmap_shift);

	if (a->base_pfn != r->start)
		return refuse(-EINVAL,
			      "the altmap begins at pfn 0x%lx; it must begin where the range "
			      "does, at 0x%lx",
			      a->base_pfn, r->start);
	if (taken < a->reserve || taken >= pages_of(r))
		return refuse(-EINVAL,
			      "the altmap takes %lu + %lu pages of a range of %lu; at least one "
			      "must be left to have a record",
			      a->reserve, a->free, pages_of(r));
	if (!IS_ALIGNED(taken, unit))
		return refuse(-EINVAL,
			      "the altmap takes %lu pages, which cuts a folio or compound; it "
			      "must take a multiple of %lu",
			      taken, unit);
	if (a->alloc || a->align)
		return refuse(-EINVAL,
			      "the altmap counts %lu pages as taken before it is bound; alloc "
			      "and align must be 0",
			      a->alloc + a->align);
	return 0;
}

/* Memory for records, the part that can be known before: the records of every page have to find
 * room. */
static int check_altmap_room(struct pgmap *m)
{
	uint64_t first = altmap_first_pfn(&m->altmap);
	/* All windows begin at a multiple of a frame, so any of them gives the number. */
	uint64_t need =
		record_frames_for(RECORD_BASE, m->vmemmap_shift, first, m->range[0].end - first);

	if (m->altmap.free >= need)
		return 0;
	return refuse(-ENOMEM,
		      "the altmap has %lu free pages, and the records of %lu pages need %lu; "
		      "give it that many, or none and let the records take RAM",
		      m->altmap.free, m->range[0].end - first, need);
}

static int check_range(struct pgmap *m, unsigned i)
{
	int err = 0;

	if (pgmap_has_altmap(m) && m->nr_range > 1)
		return refuse(-EINVAL,
			      "there are %u ranges and an altmap; records on the device need a "
			      "single range",
			      m->nr_range);
	if (m->range[i].start < m->range[i].end)
		err = check_conflict(m, i);
	if (!err)
		err = check_alignment(m, i);
	return err ? err : check_place(m, i);
}

int pgmap_check(struct pgmap *m)
{
	int err;

	if (!m->nr_range || m->nr_range > PGMAP_MAX_RANGES)
		return refuse(-EINVAL, "there are %u ranges; a pgmap has 1 to %u", m->nr_range,
			      PGMAP_MAX_RANGES);
	err = check_type(m);
	if (!err)
		err = check_records(m);
	for (unsigned i = 0; i < m->nr_range && !err; i++)
		err = check_range(m, i);
	if (!err && pgmap_has_altmap(m)) {
		err = check_altmap(m);
		if (!err)
			err = check_altmap_room(m);
	}
	return err;
}
