/* SPDX-License-Identifier: MIT */
/*
 * Self-test: everything that changes mappings at once, bounded by operations (stress.space).
 *
 * Each worker has a window of addresses of its own, half of the workers in one shared address
 * space. In its window it maps memory and private copies of one file, and all it ever stores is its
 * own letter. So every byte it reads must be its letter, the file's letter or zero: anything else
 * came through a translation, or from a frame, that belonged to somebody else already. What a
 * pinned page shows is looked at after the mapping has gone. One worker takes blocks from the file
 * all the time.
 */
#include "tests/kernel/lib/fixture.h"

#define PAGES	    16u /* of a window */
#define MAX_WORKERS 8u
#define OPERATIONS  1500u /* of a worker */

struct worker {
	struct mm *mm;
	struct dax_inode *f;
	uint64_t base, seed;
	char letter;
	unsigned wrong; /* bytes of somebody else; zero: all is well */
	struct thread *thread;
};

static unsigned dice(struct worker *w, unsigned sides)
{
	w->seed = w->seed * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)((w->seed >> 33) % sides);
}

static uint64_t some_page(struct worker *w)
{
	return w->base + dice(w, PAGES) * PAGE_SIZE;
}

static void look(struct worker *w, uint64_t v)
{
	for (unsigned i = 0; i < 8; i++, v >>= 8)
		w->wrong += (char)v && (char)v != w->letter && (char)v != 'f';
}

static void touch(struct worker *w)
{
	uint64_t *p = (uint64_t *)(some_page(w) + 8 * dice(w, 512)), v;

	if (dice(w, 2))
		store_checked(p, 0x0101010101010101ull * (uint8_t)w->letter);
	else if (!load_checked(p, &v))
		look(w, v);
}

static void map_something(struct worker *w)
{
	uint64_t at = some_page(w), pages = 1 + dice(w, 4);

	if (dice(w, 2))
		mm_map_anon(current_mm(), &at, pages * PAGE_SIZE, true);
	else
		dax_mmap_private(current_mm(), w->f, dice(w, 4), pages, true, &at);
}

static void change_something(struct worker *w)
{
	uint64_t at = some_page(w), len = (1 + dice(w, 3)) * PAGE_SIZE, to = some_page(w);
	struct mm *mm = current_mm();

	len = MIN(len, w->base + PAGES * PAGE_SIZE - MAX(at, to));
	switch (dice(w, 5)) {
	case 0: mm_unmap(mm, at, len); break;
	case 1: mm_protect(mm, at, len, VM_READ | (dice(w, 3) ? VM_WRITE : 0)); break;
	case 2: mm_advise(mm, at, len, MM_DONT_NEED); break;
	default: mm_remap(mm, at, len, &to);
	}
}

static void hold(struct worker *w)
{
	struct page *p[3];
	long n = get_user_pages_fast(some_page(w), 1 + dice(w, 3), FOLL_PIN | FOLL_WRITE, p);

	if (n <= 0)
		return;
	change_something(w);
	for (long i = 0; i < n; i++)
		look(w, *(volatile uint64_t *)page_to_virt(p[i]));
	unpin_user_pages(p, n);
}

static void fork_and_touch(struct worker *w)
{
	struct mm *self = current_mm(), *child = mm_fork(self, "child");

	if (!child)
		return;
	mm_get(self);
	mm_use(child);
	mm_put(child);
	for (unsigned i = 0; i < 8; i++)
		touch(w);
	mm_use(self); /* the child's last user leaves: all of it goes */
	mm_put(self);
}

static void take_blocks(struct worker *w)
{
	char text[16];

	memset(text, 'f', sizeof(text));
	if (dice(w, 2))
		dax_punch(w->f, dice(w, 8) * PAGE_SIZE, PAGE_SIZE);
	else
		dax_write(w->f, dice(w, 8 * PAGE_SIZE - 16), text, sizeof(text));
	if (!dice(w, 10)) {
		dax_truncate(w->f, dice(w, 8) * PAGE_SIZE);
		dax_truncate(w->f, 8 * PAGE_SIZE);
	}
}

static void work(void *arg)
{
	struct worker *w = arg;

	mm_use(w->mm);
	for (unsigned i = 0; i < OPERATIONS; i++) {
		unsigned what = dice(w, 20);

		if (w->letter == 'A')
			take_blocks(w);
		if (what < 4)
			map_something(w);
		else if (what < 8)
			change_something(w);
		else if (what < 10)
			hold(w);
		else if (what == 10)
			fork_and_touch(w);
		else
			touch(w);
	}
	mm_use(NULL);
}

static void start_worker(struct worker *w, unsigned i, struct mm *shared, struct dax_inode *f)
{
	*w = (struct worker){.f = f,
			     .base = 0x100000000ull + i * GIB,
			     .seed = 77 + i,
			     .letter = (char)('A' + i),
			     .mm = i % 2 ? mm_create("stress") : shared};
	if (w->mm == shared)
		mm_get(shared);
	w->thread = w->mm ? thread_create("stress", work, w, 0) : NULL;
}

static unsigned finish_worker(struct worker *w)
{
	if (w->thread)
		thread_join(w->thread);
	if (w->mm)
		mm_put(w->mm);
	return w->wrong;
}

SELFTEST(stress_space, "stress.space",
	 "map, cut, move, protect, fork, pin, punch and truncate at once: no byte of anybody else")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = scratch_file("f", 8, 'f');
	unsigned n = MIN(MAX(nr_cpus, 2u), MAX_WORKERS), wrong = 0;
	struct worker *w = calloc(MAX_WORKERS, sizeof(*w));
	struct mm *shared = mm_create("stress");
	int64_t before = anon_pages();

	EXPECT_OR(out, f && w && shared, "no memory");
	for (unsigned i = 0; i < n; i++)
		start_worker(&w[i], i, shared, f);
	for (unsigned i = 0; i < n; i++)
		wrong += finish_worker(&w[i]);
	mm_put(shared);
	shared = NULL;
	EXPECT_OR(out, !wrong, "%u bytes belonged to somebody else", wrong);
	EXPECT_OR(out, anon_pages() == before, "%ld pages lost", (long)(anon_pages() - before));
	EXPECT_OR(out, f->refs == 1 && !check_all(), "%u users of the file are left", f->refs);
out:
	if (shared)
		mm_put(shared);
	free(w);
	if (f)
		dax_put(f);
	fixture_end(&fx);
}
