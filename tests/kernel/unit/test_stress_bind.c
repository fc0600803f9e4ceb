/* SPDX-License-Identifier: MIT */
/*
 * Self-test: devices come and go while files are mapped, faulted, pinned and cut (stress.bind).
 *
 * Each worker has a device of its own that only it binds and unbinds, four of them in one section
 * of 128 MiB; it looks at those of the others at any moment. Nothing is behind these devices:
 * binding, records and references touch none of their bytes. Each worker has pages of its own in
 * one file that all of them map, fault, pin and punch. Three things must hold at every look: a
 * device that was found is the one bound there; a record that exists belongs to it; a byte of the
 * file is its page owner's letter or zero. When all have gone no device, no record of one and no
 * frame is left. The number of operations is fixed; how they meet is the scheduler's.
 */
#include "mm/device/internal.h"
#include "tests/kernel/lib/fixture.h"

#define MAX_WORKERS 8u
#define OWN	    4u	 /* pages of the file, each worker's */
#define OPERATIONS  600u /* of all workers together, in each of two rounds */
#define DEVICE_MIB  32
#define DEVICE_PFNS (DEVICE_MIB * MIB / PAGE_SIZE)

struct worker {
	struct mm *mm;
	struct dax_inode *f;
	unsigned id;
	uint64_t seed, va; /* va: its mapping of the whole file; zero: none */
	unsigned wrong;	   /* looks that saw what cannot be; zero: all is well */
	unsigned bound;	   /* times it bound its device */
	unsigned pinned;   /* pages */
	struct thread *thread;
};
static struct pgmap device[MAX_WORKERS]; /* live: bound now; written by its owner */
static unsigned nr_workers;

static unsigned dice(struct worker *w, unsigned sides)
{
	w->seed = w->seed * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)((w->seed >> 33) % sides);
}

/* ---- devices --------------------------------------------------------------------------------- */

static void bind_or_unbind(struct worker *w)
{
	struct pgmap *d = &device[w->id];

	if (pgmap_is_live(d)) {
		memunmap_pages(d);
		w->wrong += pfn_valid(fake_pgmap(w->id * DEVICE_MIB, DEVICE_MIB).range[0].start);
		return;
	}
	*d = fake_pgmap(w->id * DEVICE_MIB, DEVICE_MIB);
	if (memremap_pages(d))
		w->wrong++;
	else
		w->bound++;
}

static void populate(struct worker *w)
{
	struct pgmap *d = &device[w->id];
	uint64_t pfn = d->range[0].start + dice(w, DEVICE_PFNS - 200);

	if (pgmap_is_live(d))
		w->wrong += page_records_populate(pfn, 200) || !pgmap_pfn_to_record(d, pfn);
}

/* Somebody's device, through the table of ranges, as whoever has a bare pfn finds it. */
static void look_up(struct worker *w)
{
	unsigned whose = dice(w, nr_workers);
	uint64_t first = fake_pgmap(whose * DEVICE_MIB, DEVICE_MIB).range[0].start;
	uint64_t pfn = first + dice(w, DEVICE_PFNS);
	struct pgmap *d = pgmap_get(pfn);
	struct page *p;

	if (!d)
		return;
	w->wrong += d != &device[whose];
	p = pgmap_pfn_to_record(d, pfn); /* unbinding waits for our reference to the device */
	if (p) {
		w->wrong += p->pgmap != d || page_to_pfn(p) != pfn;
		if (page_get(p, 1))
			page_put(p, 1);
	}
	pgmap_put(d);
}

/* ---- the file -------------------------------------------------------------------------------- */

static uint64_t own_page(struct worker *w)
{
	return w->va + (w->id * OWN + dice(w, OWN)) * PAGE_SIZE;
}

static void look(struct worker *w, uint64_t v)
{
	w->wrong += v && v != 0x0101010101010101ull * ('A' + w->id);
}

static void touch(struct worker *w)
{
	uint64_t *p = (uint64_t *)(own_page(w) + 8 * dice(w, 512)), v = 0;

	if (dice(w, 2))
		store_checked(p, 0x0101010101010101ull * ('A' + w->id));
	else if (!load_checked(p, &v))
		look(w, v);
}

static void hold(struct worker *w)
{
	struct page *p[OWN];
	long n = get_user_pages_fast(w->va + w->id * OWN * PAGE_SIZE, OWN,
				     FOLL_PIN | (dice(w, 2) ? FOLL_WRITE : 0), p);

	if (!dice(w, 4))
		thread_yield();
	for (long i = 0; i < n; i++) {
		look(w, *(volatile uint64_t *)page_to_virt(p[i]));
		w->wrong += page_refs(page_to_record(p[i])) <= page_to_record(p[i])->pgmap->rest;
	}
	if (n > 0) {
		unpin_user_pages(p, n);
		w->pinned += n;
	}
}

static void map_or_unmap(struct worker *w)
{
	if (w->va) {
		mm_unmap(current_mm(), w->va, nr_workers * OWN * PAGE_SIZE);
		w->va = 0;
	} else if (dax_mmap(current_mm(), w->f, 0, nr_workers * OWN, true, &w->va)) {
		w->va = 0;
		w->wrong++;
	}
}

static void step(struct worker *w)
{
	unsigned what = dice(w, 16);

	if (what == 0)
		bind_or_unbind(w);
	else if (what == 1)
		populate(w);
	else if (what < 5)
		look_up(w);
	else if (what == 5 || !w->va)
		map_or_unmap(w);
	else if (what == 6)
		dax_punch(w->f, (w->id * OWN + dice(w, OWN)) * PAGE_SIZE, PAGE_SIZE);
	else if (what < 10)
		hold(w);
	else
		touch(w);
}

static void work(void *arg)
{
	struct worker *w = arg;

	mm_use(w->mm);
	for (unsigned i = 0; i < OPERATIONS / nr_workers; i++)
		step(w);
	if (w->va)
		map_or_unmap(w);
	if (pgmap_is_live(&device[w->id]))
		bind_or_unbind(w);
	mm_use(NULL);
}

/* ---- a round --------------------------------------------------------------------------------- */

static void start(struct worker *w, unsigned id, struct dax_inode *f, uint64_t round)
{
	*w = (struct worker){.f = f, .id = id, .seed = round * 100 + id};
	w->mm = id % 2 ? mm_create("stress") : current_mm();
	if (w->mm && !(id % 2))
		mm_get(w->mm);
	w->thread = w->mm ? thread_create("stress", work, w, 0) : NULL;
	w->wrong += !w->thread;
}

static void finish(struct worker *w, struct worker *sum)
{
	if (w->thread)
		thread_join(w->thread);
	if (w->mm)
		mm_put(w->mm);
	sum->wrong += w->wrong;
	sum->bound += w->bound;
	sum->pinned += w->pinned;
}

/* Free frames, and those in caches that keep them: page tables, the heap. Device records count:
 * none may be left. */
static uint64_t frames_back(void)
{
	return frame_stats().free + page_table_frames() + heap_frames();
}

/* What the workers saw, and what they left behind in *violated. */
static struct worker run_round(struct fixture *fx, uint64_t round, unsigned *violated)
{
	static struct worker w[MAX_WORKERS];
	struct worker sum = {0};
	struct dax_inode *f = scratch_file("f", 0, 0);

	(void)fx;
	sum.wrong = !f || dax_truncate(f, nr_workers * OWN * PAGE_SIZE);
	for (unsigned i = 0; i < nr_workers && !sum.wrong; i++)
		start(&w[i], i, f, round);
	for (unsigned i = 0; i < nr_workers && w[i].f; i++) {
		finish(&w[i], &sum);
		w[i].f = NULL;
	}
	*violated += check_all();
	if (f)
		dax_put(f);
	dax_unlink(SCRATCH_PATH "/f");
	return sum;
}

SELFTEST(stress_bind, "stress.bind",
	 "devices are bound and unbound while files are mapped, faulted, pinned and punched: every "
	 "look finds the right device, record and byte, and nothing is left")
{
	static uint64_t round; /* another order of events at every run */
	struct worker sum[2];
	uint64_t frames[2] = {0, 0};
	unsigned violated = 0;

	FIXTURE(fx, LIFETIME_DEFAULT);
	nr_workers = MIN(MAX(nr_cpus, 2u), MAX_WORKERS);
	for (unsigned i = 0; i < 2; i++) { /* stacks and the file's records stay after the first */
		sum[i] = run_round(&fx, ++round, &violated);
		frames[i] = frames_back();
	}
	fixture_end(&fx);
	for (unsigned i = 0; i < 2; i++) {
		EXPECT(!sum[i].wrong, "%u looks saw what cannot be", sum[i].wrong);
		EXPECT(sum[i].bound > nr_workers && sum[i].pinned,
		       "%u devices were bound, %u pages pinned", sum[i].bound, sum[i].pinned);
	}
	EXPECT(!violated, "%u violation(s)", violated);
	for (unsigned i = 0; i < nr_workers; i++)
		EXPECT(!pfn_valid(fake_pgmap(i * DEVICE_MIB, DEVICE_MIB).range[0].start),
		       "device %u is still bound", i);
	EXPECT(frames[0] == frames[1], "%ld frames lost", (long)(frames[0] - frames[1]));
}
