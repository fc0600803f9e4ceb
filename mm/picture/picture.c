/* SPDX-License-Identifier: MIT */
/*
 * Taking the picture. Records are walked in the order of their pfns, so rows are begun and ended
 * one after the other; the names of files are asked for when the walk is over, since that takes
 * locks of a floor above.
 */
#include "mm/mm.h"

static bool no_name(const struct mapping *mapping, bool wait, char *buf, unsigned n)
{
	(void)mapping, (void)wait, (void)buf, (void)n;
	return false;
}
bool (*page_file_name)(const struct mapping *mapping, bool wait, char *buf, unsigned n) = no_name;

struct taking {
	struct picture *p;
	uint64_t left_until; /* the first pfn behind a row that there was no room for */
};

/* ---- rows */

static struct picture_row *last_row(struct picture *p)
{
	return p->nr_rows ? &p->row[p->nr_rows - 1] : NULL;
}

/* There is no room: the last row at rest makes some. False: all are in use. */
static bool drop_an_unused_row(struct picture *p)
{
	for (unsigned i = p->nr_rows; i-- > 0;) {
		if (p->row[i].used)
			continue;
		p->nr_rows--;
		memmove(&p->row[i], &p->row[i + 1], (p->nr_rows - i) * sizeof(p->row[0]));
		return true;
	}
	return false;
}

/* A row for a cell of `unit` pages at pfn; NULL: there is no room, and none can be made. */
static struct picture_row *begin_row(struct taking *t, const struct pgmap *pgmap, uint64_t pfn,
				     uint32_t unit)
{
	struct picture *p = t->p;
	struct picture_row *row;

	if (p->nr_rows == PICTURE_ROWS) {
		p->rows_left++;
		if (!drop_an_unused_row(p)) {
			t->left_until = unit == 1 ? ALIGN_DOWN(pfn, PICTURE_CELLS) + PICTURE_CELLS
						  : pfn + unit;
			return NULL;
		}
	}
	row = &p->row[p->nr_rows++];
	memset(row, 0, sizeof(*row));
	snprintf(row->device, sizeof(row->device), "%s", pgmap->name);
	row->pfn = unit == 1 ? ALIGN_DOWN(pfn, PICTURE_CELLS) : pfn;
	row->unit = unit;
	return row;
}

/* Does the cell belong to the row that is being filled? */
static bool fits(const struct picture_row *row, const struct pgmap *pgmap, uint64_t pfn,
		 uint32_t unit)
{
	uint64_t at = row ? (pfn - row->pfn) / unit : 0;

	return row && row->unit == unit && pfn >= row->pfn && at < PICTURE_CELLS &&
	       (unit == 1 || at == row->nr) && !strcmp(row->device, pgmap->name);
}

static void set_cell(struct picture_row *row, uint64_t pfn, char cell)
{
	uint32_t at = (uint32_t)((pfn - row->pfn) / row->unit);

	while (row->nr < at)
		row->cell[row->nr++] = CELL_NONE;
	row->cell[at] = cell;
	row->nr = at + 1;
	row->used += cell != CELL_REST;
}

/* ---- pages */

static char cell_of(uint64_t state, uint32_t rest)
{
	if (state & PAGE_BUSY)
		return CELL_BUSY;
	if (state_refs(state) > rest)
		return CELL_HELD;
	return state_maps(state) ? CELL_MAPPED : CELL_REST;
}

/* All places are taken: the last page that is mapped only gives way. False: all are held. */
static bool drop_a_mapped_page(struct picture *p)
{
	for (unsigned i = p->nr_pages; i-- > 0;) {
		if (p->page[i].cell != CELL_MAPPED)
			continue;
		p->nr_pages--;
		memmove(&p->page[i], &p->page[i + 1], (p->nr_pages - i) * sizeof(p->page[0]));
		return true;
	}
	return false;
}

static void describe(struct picture *p, const struct page *record, uint64_t state, char cell)
{
	struct picture_page *page;

	if (p->nr_pages == PICTURE_PAGES) {
		p->pages_left++;
		if (cell == CELL_MAPPED || !drop_a_mapped_page(p))
			return;
	}
	page = &p->page[p->nr_pages++];
	*page = (struct picture_page){.pfn = page_to_pfn(record),
				      .index = record->index,
				      .cell = cell,
				      .refs = state_refs(state),
				      .maps = state_maps(state)};
	page->mapping = __atomic_load_n(&record->mapping, __ATOMIC_RELAXED);
	if (cell != CELL_MAPPED)
		holders_describe(record, page->holders, sizeof(page->holders));
}

static uint32_t unit_of(const struct page *record, uint64_t state)
{
	return state & PAGE_FOLIO ? FOLIO_PAGES : 1u << record_shift((uint64_t)record);
}

static int add_record(struct page *record, void *arg)
{
	struct taking *t = arg;
	struct picture *p = t->p;
	uint64_t state = page_state(record), pfn = page_to_pfn(record);
	uint32_t unit = unit_of(record, state);
	char cell = cell_of(state, record->pgmap->rest);
	struct picture_row *row = last_row(p);

	p->mapped += cell == CELL_MAPPED;
	p->held += cell == CELL_HELD;
	p->busy += cell == CELL_BUSY;
	if (pfn < t->left_until)
		row = NULL;
	else if (!fits(row, record->pgmap, pfn, unit))
		row = begin_row(t, record->pgmap, pfn, unit);
	if (row)
		set_cell(row, pfn, cell);
	if (cell != CELL_REST)
		describe(p, record, state, cell);
	return 0;
}

static int add_pgmap(struct pgmap *pgmap, void *arg)
{
	for (unsigned i = 0; i < pgmap->nr_range; i++) {
		const struct pgmap_range *r = &pgmap->range[i];

		page_records_for_each(r->start, r->end - r->start, add_record, arg);
	}
	return 0;
}

/* ---- sleepers */

/* What somebody says who waits for a page, and nobody else. */
static bool about_pages(const char *what)
{
	static const char *const words[] = {"pfn ",  "block", "DMA",
					    "pgmap", "pages", "index entry"};

	for (unsigned i = 0; i < ARRAY_SIZE(words); i++)
		if (strstr(what, words[i]))
			return true;
	return false;
}

/* Under the run-queue lock: the waiter on the sleeper's stack cannot go away. */
static void add_sleeper(struct thread *t, void *arg)
{
	struct picture *p = arg;
	struct picture_sleeper *s = &p->sleeper[p->nr_sleepers];

	if (p->nr_sleepers == PICTURE_SLEEPERS || t->state != THREAD_SLEEPING || !t->waiting ||
	    !about_pages(t->waiting->what))
		return;
	p->nr_sleepers++;
	s->tid = t->tid;
	strcpy(s->name, t->name);
	snprintf(s->what, sizeof(s->what), "%s", t->waiting->what);
	snprintf(s->waker, sizeof(s->waker), "%s", t->waiting->waker);
}

void picture_take(struct picture *p)
{
	struct taking t = {.p = p};

	memset(p, 0, sizeof(*p));
	pgmap_for_each(add_pgmap, &t);
	for (unsigned i = 0; i < p->nr_pages; i++)
		if (p->page[i].mapping)
			page_file_name(p->page[i].mapping, false, p->page[i].file,
				       sizeof(p->page[i].file));
	thread_for_each(add_sleeper, p);
}
