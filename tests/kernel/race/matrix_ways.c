/* SPDX-License-Identifier: MIT */
/*
 * The matrix's ways for a block to go, and ways to hold a page. The one way that leaves no record
 * behind, unbinding, is in matrix_unbind.c.
 */
#include "tests/kernel/race/internal.h"

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
	memcpy(s->buf, page_to_virt(s->page), PAGE_SIZE);
	return err;
}

int matrix_operation(struct stage *s)
{
	static int (*const way[WAYS])(struct stage *) = {
		way_truncate, way_punch,  way_zero,	     way_collapse, way_insert,
		way_evict,    way_umount, matrix_way_unbind, way_exchange, way_cow};

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
	s->page = pfn_to_page(pte_to_pfn(*pte)) + s->at;
	s->nr_held = page_get(page_to_record(s->page), 1);
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
	case HOLD_UNDO: page_put(page_to_record(s->page), 1); break;
	case HOLD_SLOW:
	case HOLD_FAST: put_user_page(s->held[0]); break;
	case HOLD_BULK: put_user_pages(s->held, nr); break;
	default: unpin_user_pages(s->held, nr); break;
	}
}
