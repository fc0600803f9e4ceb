/* SPDX-License-Identifier: MIT */
/*
 * Page records: making them, finding them, counting on them. The protocol is in page.h.
 */
#include "mm/internal.h"

uint64_t record_frames;

static uint64_t record_va(uint64_t pfn)
{
	return ALIGN_DOWN((uint64_t)pfn_to_page(pfn), PAGE_SIZE);
}

/* A frame of 128 records at rest, for the pfns around `pfn`. */
static uint64_t record_frame_build(struct pgmap *pgmap)
{
	uint64_t phys = frame_alloc(0);
	struct page *p = phys_to_virt(phys);

	if (!phys)
		return 0;
	for (unsigned i = 0; i < RECORDS_PER_FRAME; i++)
		p[i] = (struct page){.state = pgmap->rest, .pgmap = pgmap};
	return phys;
}

static int record_frame_populate(struct pgmap *pgmap, uint64_t pfn)
{
	uint64_t *pte = pte_walk(kernel_root, record_va(pfn), 1, true, NULL);
	uint64_t none = 0, phys;

	if (!pte)
		return -ENOMEM;
	if (__atomic_load_n(pte, __ATOMIC_ACQUIRE) & PTE_P)
		return 0;
	phys = record_frame_build(pgmap);
	if (!phys)
		return -ENOMEM;
	/* Records before the entry (release), else another CPU reads one that has no pgmap yet. */
	if (__atomic_compare_exchange_n(pte, &none, phys | PTE_P | PTE_W | PTE_NX | PTE_G, false,
					__ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		__atomic_fetch_add(&record_frames, 1, __ATOMIC_RELAXED);
	else
		frame_free(phys, 0); /* another CPU was first; its frame is the one */
	return 0;
}

int page_records_populate(uint64_t pfn, uint64_t nr)
{
	struct pgmap *pgmap = pgmap_get(pfn);
	uint64_t end = pfn + nr;
	int err = -ENXIO;

	if (!pgmap)
		return -ENXIO;
	for (unsigned i = 0; i < pgmap->nr_range; i++)
		if (pfn >= pgmap->range[i].start && end <= pgmap->range[i].end)
			err = 0;
	for (pfn = ALIGN_DOWN(pfn, RECORDS_PER_FRAME); pfn < end && !err; pfn += RECORDS_PER_FRAME)
		err = record_frame_populate(pgmap, pfn);
	pgmap_put(pgmap);
	return err;
}

struct page *page_record_if_touched(uint64_t pfn)
{
	uint64_t *pte = pte_walk(kernel_root, record_va(pfn), 1, false, NULL);

	return pte && (__atomic_load_n(pte, __ATOMIC_ACQUIRE) & PTE_P) ? pfn_to_page(pfn) : NULL;
}

int page_records_for_each(uint64_t pfn, uint64_t nr, int (*fn)(struct page *, void *), void *arg)
{
	for (uint64_t end = pfn + nr; pfn < end;) {
		unsigned level;
		uint64_t *pte = pte_walk(kernel_root, record_va(pfn), 1, false, &level);
		uint64_t span = RECORDS_PER_FRAME << (9 * (level - 1));
		uint64_t next = MIN(ALIGN_DOWN(pfn, span) + span, end);

		for (; pte && (*pte & PTE_P) && pfn < next; pfn++) {
			int ret = fn(pfn_to_page(pfn), arg);

			if (ret)
				return ret;
		}
		pfn = next;
	}
	return 0;
}

void page_records_release(uint64_t pfn, uint64_t nr)
{
	uint64_t freed = kernel_unmap((uint64_t)pfn_to_page(pfn), nr * sizeof(struct page), true);

	__atomic_fetch_sub(&record_frames, freed, __ATOMIC_RELAXED);
}

bool page_get(struct page *p, uint32_t n)
{
	uint64_t old = page_state(p);

	do {
		/* Nobody references it and nothing maps it: it may belong to another file already.
		 */
		if (!(old & (PAGE_REF_MASK | PAGE_MAP_MASK)))
			return false;
		ASSERT(state_refs(old) + n > state_refs(old),
		       "reference count of pfn 0x%lx must not overflow: %u + %u", page_to_pfn(p),
		       state_refs(old), n);
	} while (!__atomic_compare_exchange_n(&p->state, &old, old + n * PAGE_REF, true,
					      __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
	return true;
}

static inline void put(struct page *p, uint32_t n)
{
	/* Our own old value decides: another thread may change the word right after. */
	uint64_t old = __atomic_fetch_sub(&p->state, n * PAGE_REF, __ATOMIC_ACQ_REL);
	const struct pgmap *pgmap = p->pgmap;
	uint32_t left = state_refs(old) - n;

	ASSERT(state_refs(old) >= n + pgmap->rest,
	       "put of %u references on pfn 0x%lx, which holds %u and rests at %u", n,
	       page_to_pfn(p), state_refs(old), pgmap->rest);
	if (left == pgmap->rest && pgmap->ops && pgmap->ops->page_idle)
		pgmap->ops->page_idle(p);
}

void page_put(struct page *p, uint32_t n)
{
	put(p, n);
}

void page_put_each(struct page **pages, unsigned long nr)
{
	for (unsigned long i = 0; i < nr; i++)
		put(pages[i], 1);
}

void page_map_get(struct page *p)
{
	__atomic_fetch_add(&p->state, PAGE_MAP, __ATOMIC_ACQ_REL);
}

static inline void map_put(struct page *p)
{
	uint64_t old = __atomic_fetch_sub(&p->state, PAGE_MAP, __ATOMIC_ACQ_REL);

	ASSERT(state_maps(old), "pfn 0x%lx is unmapped more often than it was mapped",
	       page_to_pfn(p));
}

void page_map_put(struct page *p)
{
	map_put(p);
}

void page_map_put_each(struct page **pages, unsigned long nr)
{
	for (unsigned long i = 0; i < nr; i++)
		map_put(pages[i]);
}
