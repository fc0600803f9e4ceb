/* SPDX-License-Identifier: MIT */
/*
 * The matrix's ways for a block to go, and ways to hold a page. The one way that leaves no record
 * behind, unbinding, is at the end with what it takes to go on afterwards.
 */
#include "tests/kernel/matrix.h"

static uint64_t length(const struct stage *s)
{
	return s->unit * PAGE_SIZE;
}

/* ---- ways ----------------------------------------------------------------------------------- */

static int way_truncate(struct stage *s)
{
	return dax_truncate(s->f, 0);
}

static int way_punch(struct stage *s)
{
	return dax_punch(s->f, 0, length(s));
}

static int way_zero(struct stage *s)
{
	return dax_zero_range(s->f, 0, length(s), true);
}

static int way_collapse(struct stage *s)
{
	return dax_collapse(s->f, 0, length(s));
}

static int way_insert(struct stage *s)
{
	return dax_insert(s->f, 0, length(s));
}

/* F was unlinked: this is its last reference. */
static int way_evict(struct stage *s)
{
	struct dax_inode *f = s->f;

	s->f = NULL;
	dax_put(f);
	return 0;
}

/* And mounted again; then the block goes by a punch, which must know of the old holder. */
static int way_umount(struct stage *s)
{
	const char *why;
	int err = dax_umount(SCRATCH_PATH);

	if (err)
		return err;
	s->fs = NULL;
	err = dax_mount(scratch_region(&why), SCRATCH_PATH, s->lt, &s->fs);
	if (!err)
		err = dax_open(SCRATCH_PATH "/F", false, &s->f);
	return err ? err : way_punch(s);
}

/* A removal that nobody can refuse. Where the lifetime can: unbind_in_order(). */
static int way_unbind(struct stage *s)
{
	(void)s;
	dax_remove_device(scratch_device());
	return 0;
}

static int way_exchange(struct stage *s)
{
	return dax_exchange(s->f, 0, s->h, 0, length(s));
}

/* H gets F's block as well, and then a store to F a copy: the block is H's alone. */
static int way_cow(struct stage *s)
{
	uint64_t va = 0;
	int err = dax_reflink(s->f, 0, s->h, 0, length(s));

	if (!err)
		err = dax_mmap(s->mm, s->f, 0, 1, true, &va);
	if (!err)
		err = store_checked((uint64_t *)va, 'x');
	if (va)
		mm_unmap(s->mm, va, PAGE_SIZE);
	/* What H has got: this, and nothing that is written later. */
	memcpy(s->buf, phys_to_virt(page_to_pfn(s->page) << PAGE_SHIFT), PAGE_SIZE);
	return err;
}

int matrix_operation(struct stage *s)
{
	static int (*const way[WAYS])(struct stage *) = {
		way_truncate, way_punch,  way_zero,   way_collapse, way_insert,
		way_evict,    way_umount, way_unbind, way_exchange, way_cow};

	return way[s->cell.way](s);
}

bool matrix_frees(enum way w)
{
	return w == WAY_TRUNCATE || w == WAY_PUNCH || w == WAY_COLLAPSE || w == WAY_EVICT ||
	       w == WAY_UMOUNT;
}

/* ---- holds ---------------------------------------------------------------------------------- */

static long hold_one(struct stage *s, struct page **page)
{
	const uint64_t va = s->va + s->at * PAGE_SIZE;

	if (s->cell.hold == HOLD_SLOW)
		return get_user_pages(s->mm, va, 1, FOLL_GET | FOLL_WRITE, page);
	if (s->cell.hold == HOLD_FAST)
		return get_user_pages_fast(va, 1, FOLL_GET | FOLL_WRITE, page);
	return get_user_pages_fast(va, 1, FOLL_PIN | FOLL_WRITE, page);
}

/* What fast gup takes between its two looks at the entry. */
static bool hold_for_undo(struct stage *s)
{
	const uint64_t va = s->va + s->at * PAGE_SIZE;
	unsigned level = 0;
	const uint64_t *pte = pte_walk(s->mm->root, va, 1, false, &level);

	if (s->cell.huge)
		pte = pte_walk(s->mm->root, va, 2, false, NULL);
	if (!pte || !(*pte & PTE_P))
		return false;
	s->page = pfn_to_page((*pte & PTE_PHYS) >> PAGE_SHIFT) + s->at;
	s->nr_held = page_get(page_head(s->page), 1);
	return s->nr_held;
}

/* H gets a page as well, where F's is held, and a device holds that. */
static bool hold_h(struct stage *s)
{
	return !dax_mmap(s->mm, s->h, s->at, 1, true, &s->va_h) &&
	       store_checked((uint64_t *)s->va_h, 'h') == 0 &&
	       get_user_pages_fast(s->va_h, 1, FOLL_PIN | FOLL_WRITE, &s->held_h) == 1;
}

bool matrix_hold(struct stage *s)
{
	unsigned want = s->cell.hold == HOLD_BULK ? MATRIX_BULK : 1;

	if (s->side == SIDE_BOTH && !hold_h(s))
		return false;
	if (s->cell.hold == HOLD_UNDO)
		return hold_for_undo(s);
	while (s->nr_held < want && hold_one(s, &s->held[s->nr_held]) == 1)
		s->nr_held++;
	s->page = s->held[0];
	return s->nr_held == want;
}

void matrix_put(struct stage *s)
{
	struct page *h = s->held_h;
	unsigned nr = s->nr_held;

	s->held_h = NULL;
	s->nr_held = 0;
	if (h)
		unpin_user_pages(&h, 1);
	if (!nr)
		return;
	switch (s->cell.hold) {
	case HOLD_UNDO: page_put(page_head(s->page), 1); break;
	case HOLD_SLOW:
	case HOLD_FAST: put_user_page(s->held[0]); break;
	case HOLD_BULK: put_user_pages(s->held, nr); break;
	default: unpin_user_pages(s->held, nr); break;
	}
}

/* ---- unbinding ------------------------------------------------------------------------------ */

/* F's records, as they were while its page was held: one cell at a time. */
static struct page records[FOLIO_PAGES];
static struct page *counting; /* the record that counts for the page */

static struct pgmap *the_pgmap(void)
{
	return &scratch_device()->pgmap;
}

static struct page *first_record(const struct stage *s)
{
	return s->page - s->at;
}

/* Of the tails of a folio not all have one. */
static void take_down(const struct stage *s)
{
	counting = page_head(s->page);
	for (unsigned i = 0; i < s->unit; i++)
		records[i] = page_record_exists(first_record(s) + i) ? first_record(s)[i]
								     : (struct page){0};
}

/* The device is bound again, with F's records as they were, with `put` references less of the one
 * that was held. Whoever is in use at rest 0 holds the device. */
static void mend(struct stage *s, unsigned put)
{
	const char *why = "";
	struct page *was = records;

	if (memremap_pages(the_pgmap(), &why))
		panic("the matrix cannot bind its device again: %s", why);
	was[counting - first_record(s)].state -= put * PAGE_REF;
	for (unsigned i = 0; i < s->unit; i++) {
		if (!was[i].pgmap)
			continue;
		if (page_records_populate(page_to_pfn(first_record(s)) + i, 1))
			panic("no memory for the records that the matrix has to put back");
		first_record(s)[i] = was[i];
		if (!the_pgmap()->rest && (page_refs(&was[i]) || page_maps(&was[i])))
			percpu_ref_get(&the_pgmap()->ref);
	}
}

static void unmap_f(struct stage *s)
{
	if (s->va)
		mm_unmap(s->mm, s->va, length(s));
	s->va = 0;
}

/* The put was not enough, rightly: what else holds the device goes in order. False: its teardown
 * sleeps on. */
static bool leave(struct stage *s)
{
	percpu_ref_get(&the_pgmap()->ref); /* else the device goes under the mount */
	unmap_f(s);
	dax_put(s->f);
	s->f = NULL;
	if (dax_umount(SCRATCH_PATH))
		panic("the matrix's file system is busy: %s", dax_why());
	s->fs = NULL;
	percpu_ref_put(&the_pgmap()->ref);
	if (!matrix_settle(s, true))
		return false;
	if (memremap_pages(the_pgmap(), NULL))
		panic("the matrix cannot bind its device again");
	return true;
}

static bool unbound(struct stage *s, int want, const char *when)
{
	int err = dax_unbind(scratch_device(), false);

	if (err == want)
		return true;
	s->verdict = err ? RACE_BROKEN_I4 : RACE_BROKEN_I2;
	snprintf(s->why, sizeof(s->why), "%s: %s", when, err ? errno_name(err) : "unbound");
	return false;
}

/* The records have gone with the device: it comes again, with F's as they were, for the put. */
static void rebind(struct stage *s)
{
	const struct pgmap before = *the_pgmap();

	if (scratch_device()->bound)
		return;
	if (pmem_bind(scratch_device()))
		panic("the matrix cannot bind its device again");
	the_pgmap()->rest = before.rest; /* as the lifetime had it */
	the_pgmap()->ops = before.ops;
	the_pgmap()->mapped_holds = before.mapped_holds;
	for (unsigned i = 0; i < s->unit; i++) {
		if (!records[i].pgmap)
			continue;
		if (page_records_populate(page_to_pfn(first_record(s)) + i, 1))
			panic("no memory for the records that the matrix has to put back");
		first_record(s)[i] = records[i];
		if (page_refs(&records[i]) || page_maps(&records[i]))
			percpu_ref_get(&the_pgmap()->ref);
	}
}

/*
 * What can be refused is refused while F is mounted, and again, unmounted, while its page is held;
 * behind the put it is done.
 */
static void unbind_in_order(struct stage *s)
{
	bool stays = unbound(s, -EBUSY, "mounted");

	if (stays) {
		unmap_f(s);
		dax_put(s->f);
		s->f = NULL;
		if (dax_umount(SCRATCH_PATH)) {
			matrix_failed(s, "unmounting: %s", dax_why());
			return;
		}
		s->fs = NULL;
		take_down(s);
		stays = unbound(s, -EBUSY, "unmounted, and a page is held");
	}
	if (!stays) {
		rebind(s);
		return;
	}
	matrix_put(s);
	if (!unbound(s, 0, "nobody holds a page any more"))
		return;
	if (pmem_bind(scratch_device()))
		panic("the matrix cannot bind its device again");
	s->verdict = RACE_SAFE;
}

void matrix_unbind(struct stage *s)
{
	const unsigned held = s->nr_held;

	if (s->lt->unbind == UNBIND_REFUSES) {
		unbind_in_order(s);
		return;
	}
	take_down(s);
	matrix_start(s);
	if (matrix_settle(s, false)) {
		s->verdict = RACE_BROKEN_I2;
		mend(s, 0); /* for the put */
		return;
	}
	matrix_put(s);
	if (!matrix_settle(s, false)) {
		s->verdict = leave(s) ? RACE_SAFE : RACE_HUNG;
		return;
	}
	/* Nobody holds a page: is one mapped, though its record is gone? */
	s->verdict = s->va && !page_record_exists(first_record(s)) ? RACE_BROKEN_I2 : RACE_SAFE;
	mend(s, held);
}
