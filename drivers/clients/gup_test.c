/* SPDX-License-Identifier: MIT */
/*
 * get_user_pages over a range: the loop behind the command gup_test.
 *
 * The range is taken in chunks, as a driver takes a buffer: get, look, give back, go on. The time
 * to get and the time to give back are kept apart, since they are different work. After a pin every
 * page must show a reference, else a truncate would not wait for the device; after a long-term pin
 * every page must also be of a kind that nobody may want back.
 */
#include "drivers/clients/internal.h"

const char *const gup_mode_names[GUP_MODES] = {"get-fast", "pin-fast", "pin-longterm", "get",
					       "pin"};

struct worker {
	const struct gup_test *t;
	struct mm *mm;
	struct page **pages;
	struct gup_test got; /* its own results */
	bool dumps, first;
	bool *stop; /* of all workers of a run */
	struct thread *thread;
};

static bool is_pin(const struct gup_test *t)
{
	return t->mode != GUP_GET_FAST && t->mode != GUP_GET;
}

static unsigned flags_of(const struct gup_test *t)
{
	return t->flags | (is_pin(t) ? FOLL_PIN : FOLL_GET) |
	       (t->mode == GUP_PIN_LONGTERM ? FOLL_LONGTERM : 0);
}

uint64_t gup_test_touch(const struct gup_test *t)
{
	uint64_t present = 0;

	for (uint64_t i = 0; i < t->pages; i++)
		present += !mm_fault(current_mm(), t->addr + i * PAGE_SIZE, t->flags & FOLL_WRITE);
	return present;
}

/* One call for `nr` pages from page `first` on. */
static long take(struct worker *w, uint64_t first, uint64_t nr)
{
	const struct gup_test *t = w->t;
	uint64_t addr = t->addr + first * PAGE_SIZE;

	if (t->mode == GUP_GET || t->mode == GUP_PIN)
		return get_user_pages(w->mm, addr, nr, flags_of(t), w->pages);
	return get_user_pages_fast(addr, nr, flags_of(t), w->pages);
}

static void give_back(struct worker *w, uint64_t nr)
{
	if (is_pin(w->t))
		unpin_user_pages(w->pages, nr);
	else
		put_user_pages(w->pages, nr);
}

/* Held by us, so neither the record nor its pgmap goes. */
static void look(struct worker *w, uint64_t nr)
{
	for (uint64_t i = 0; i < nr && is_pin(w->t); i++) {
		const struct page *head = page_to_record(w->pages[i]);

		w->got.unpinned += page_refs(head) <= head->pgmap->rest;
		w->got.unfit += w->t->mode == GUP_PIN_LONGTERM && head->pgmap->type == PGMAP_FS_DAX;
	}
}

static void dump_one(const struct worker *w, uint64_t first, uint64_t nr, uint64_t number)
{
	const struct page *page, *head;

	if (number <= first || number > first + nr)
		return;
	page = w->pages[number - 1 - first];
	head = page_to_record(page);
	kprintf("page %lu: pfn 0x%lx of %s, %u reference(s), at rest %u, %u mapping(s)\n", number,
		page_to_pfn(page), head->pgmap->name, page_refs(head), head->pgmap->rest,
		page_maps(head));
}

/* One pass over the range; false: it ended early. */
static bool pass(struct worker *w)
{
	uint64_t done = 0, want, start, got_at;
	const struct gup_test *t = w->t;
	long n;

	do {
		want = MIN(t->per_call, t->pages - done);
		start = clock_ns();
		n = take(w, done, want);
		got_at = clock_ns();
		w->got.get_ns += got_at - start;
		if (n <= 0) {
			w->got.err = n ? (int)n : -EFAULT;
			return false;
		}
		look(w, n);
		for (unsigned i = 0; i < t->nr_dump && w->dumps; i++)
			dump_one(w, done, n, t->dump[i]);
		start = clock_ns();
		give_back(w, n);
		w->got.put_ns += clock_ns() - start;
		w->got.calls++;
		done += n;
		w->got.covered += n;
	} while ((uint64_t)n == want && done < t->pages);
	return done == t->pages;
}

/* Ctrl-C reaches the caller's thread, the first worker; the others hear of it from there. */
static bool stopped(struct worker *w)
{
	if (w->first && signal_pending())
		__atomic_store_n(w->stop, true, __ATOMIC_RELAXED);
	return __atomic_load_n(w->stop, __ATOMIC_RELAXED);
}

static void work(void *arg)
{
	struct worker *w = arg;
	bool whole = true;

	for (uint64_t i = 0; i < w->t->repeat && whole && !stopped(w); i++) {
		whole = pass(w);
		w->dumps = false;
	}
	if (!whole && !w->got.err)
		w->got.err = -EFAULT;
}

static void work_in_thread(void *arg)
{
	struct worker *w = arg;

	mm_use(w->mm);
	work(w);
	mm_use(NULL);
}

static void add(struct gup_test *t, const struct gup_test *got)
{
	t->covered += got->covered;
	t->calls += got->calls;
	t->unpinned += got->unpinned;
	t->unfit += got->unfit;
	t->get_ns += got->get_ns;
	t->put_ns += got->put_ns;
	t->err = t->err ? t->err : got->err;
}

/* All but the first in threads of their own. */
static int run_workers(struct worker *w, uint64_t n)
{
	int err = 0;

	for (uint64_t i = 1; i < n; i++) {
		w[i].thread = thread_create("gup_test", work_in_thread, &w[i], 0);
		err = w[i].thread ? err : -ENOMEM;
	}
	work(&w[0]);
	for (uint64_t i = 1; i < n; i++)
		if (w[i].thread)
			thread_join(w[i].thread);
	return err;
}

int gup_test_run(struct gup_test *t)
{
	struct worker *w;
	bool stop = false;
	int err = 0;

	if (t->mode >= GUP_MODES || !t->pages || !t->per_call || t->per_call > GUP_MAX_CALL ||
	    !t->repeat || !t->threads || t->threads > GUP_MAX_THREADS ||
	    t->nr_dump > GUP_MAX_DUMP || !current_mm())
		return -EINVAL;
	w = calloc(t->threads, sizeof(*w));
	if (!w)
		return -ENOMEM;
	for (uint64_t i = 0; i < t->threads; i++) {
		w[i] = (struct worker){
			.t = t, .mm = current_mm(), .dumps = !i, .first = !i, .stop = &stop};
		w[i].pages = malloc(t->per_call * sizeof(struct page *));
		err = w[i].pages ? err : -ENOMEM;
	}
	t->covered = t->calls = t->unpinned = t->unfit = t->get_ns = t->put_ns = 0;
	t->err = 0;
	if (!err)
		err = run_workers(w, t->threads);
	for (uint64_t i = 0; i < t->threads; i++) {
		add(t, &w[i].got);
		free(w[i].pages);
	}
	free(w);
	return stop ? -EINTR : err ? err : t->err;
}
