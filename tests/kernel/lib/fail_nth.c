/* SPDX-License-Identifier: MIT */
/* What runs the cases of fail.*; see fail_nth.h. */
#include "dax/layer/internal.h"
#include "mm/frames/internal.h"
#include "tests/kernel/lib/fail_nth.h"

#define MAX_ROUNDS 400u
#define FILE_PATH  SCRATCH_PATH "/f"

/* What must be as before when a round is over. */
struct weight {
	uint64_t frames; /* free, and those that the heap and RAM's own records keep */
	uint64_t tables, records, objects;
	int64_t anon;
};

static struct weight weigh(void)
{
	return (struct weight){.frames = frame_stats().free + heap_frames() + record_frames_of_ram,
			       .tables = page_table_frames(),
			       .records = record_frames - record_frames_of_ram,
			       .objects = slab_objects(),
			       .anon = anon_pages()};
}

static void __printf(3, 4) fail(struct fail_verdict *v, uint64_t nth, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (v->failed) /* the first reason stays */
		return;
	v->failed = true;
	n = snprintf(v->text, sizeof(v->text), "allocation %lu: ", nth);
	va_start(ap, fmt);
	vsnprintf(v->text + n, sizeof(v->text) - n, fmt, ap);
	va_end(ap);
}

static void compare(struct fail_verdict *v, uint64_t nth, const struct weight *a,
		    const struct weight *b)
{
	if (a->objects != b->objects)
		fail(v, nth, "%ld objects of the slabs lost", (long)(b->objects - a->objects));
	if (a->anon != b->anon)
		fail(v, nth, "%ld anonymous pages lost", (long)(b->anon - a->anon));
	if (a->tables != b->tables)
		fail(v, nth, "%ld page tables lost", (long)(b->tables - a->tables));
	/* In the debug build a frame that was freed rests, so the next one is another one, and its
	 * records are new; those of RAM stay. */
	if (a->records != b->records && !DEBUG_BUILD)
		fail(v, nth, "%ld frames of records lost", (long)(b->records - a->records));
	if (a->frames != b->frames)
		fail(v, nth, "%ld frames lost", (long)(a->frames - b->frames));
}

static struct ext4_statfs space_on(struct dax_fs *fs)
{
	struct ext4_statfs st;

	mutex_lock(&fs->lock);
	ext4_statfs(ext4_of(fs), &st);
	mutex_unlock(&fs->lock);
	return st;
}

struct called {
	const char *name;
	struct thread *thread; /* NULL: none is called so */
};

static void look_at_name(struct thread *t, void *arg)
{
	struct called *c = arg;

	if (!strcmp(t->name, c->name))
		c->thread = t;
}

/* Of a thread that lives as long as the machine. */
static struct thread *thread_called(const char *name)
{
	struct called c = {.name = name};

	thread_for_each(look_at_name, &c);
	ASSERT(c.thread, "a thread is called %s", name);
	return c.thread;
}

/* True: an allocation did fail. */
static bool run_op(const struct fail_case *c, struct fail_round *r, uint64_t nth,
		   struct fail_verdict *v)
{
	uint32_t held = current_thread()->nr_held;
	const char *sentence;
	bool failed;
	int err;

	alloc_fail_nth(nth);
	if (c->helper)
		alloc_fail_also(thread_called(c->helper));
	err = c->op(r);
	alloc_fail_count(&failed);
	alloc_fail_nth(0);
	if (failed ? err != -ENOMEM && !(c->way_round && !err) : err)
		fail(v, nth, failed ? "it said %d, not -ENOMEM" : "it said %d without a failure",
		     err);
	sentence = (err || failed) && c->check ? c->check(r) : NULL;
	if (sentence)
		fail(v, nth, "%s", sentence);
	ASSERT(current_thread()->nr_held == held,
	       "an operation gives its locks back when its allocation %lu fails", nth);
	return failed;
}

static bool run_prepared(const struct fail_case *c, struct fail_round *r, uint64_t nth,
			 struct fail_verdict *v)
{
	struct ext4_statfs before = {0}, after = {0};
	bool failed = false;
	unsigned violated;
	int err;

	if (r->fs)
		before = space_on(r->fs);
	err = c->prepare ? c->prepare(r) : 0;
	if (err)
		fail(v, nth, "it could not be prepared: %d, %s", err, refusal());
	else
		failed = run_op(c, r, nth, v);
	violated = check_all();
	if (violated)
		fail(v, nth, "%u violation(s) of the rules", violated);
	if (c->undo)
		c->undo(r);
	if (r->fs)
		after = space_on(r->fs);
	if (after.free_blocks != before.free_blocks || after.free_inodes != before.free_inodes)
		fail(v, nth, "%ld blocks and %ld inodes lost",
		     (long)(before.free_blocks - after.free_blocks),
		     (long)before.free_inodes - (long)after.free_inodes);
	return failed;
}

/* An address space and a file system for one round. True: an allocation did fail. */
static bool run_mounted(const struct fail_case *c, uint64_t nth, struct fail_verdict *v)
{
	struct fail_round r = {.mm = mm_create("fail")};
	struct mm *self = current_mm();
	const char *why = "";
	bool failed = false;

	if (!r.mm || (!c->unmounted && scratch_mount(SCRATCH_SMALL, LIFETIME_DEFAULT, &r.fs, &why)))
		fail(v, nth, "no file system to begin with: %s", why);
	mm_get(self);
	mm_use(r.mm);
	if (r.mm)
		mm_put(r.mm); /* the thread holds it now */
	if (!v->failed)
		failed = run_prepared(c, &r, nth, v);
	mm_use(self);
	mm_put(self);
	if (r.fs && dax_umount(SCRATCH_PATH))
		fail(v, nth, "%s", refusal());
	return failed;
}

/* True: an allocation did fail, and all is well. */
static bool one_round(const struct fail_case *c, uint64_t nth, bool weighed, struct fail_verdict *v)
{
	struct weight before = weigh(), after;
	int64_t heap;
	bool failed;

	heap_watch();
	failed = run_mounted(c, nth, v);
	if (!v->failed && scratch_forget_records())
		fail(v, nth, "the region was not free at the end: %s", refusal());
	heap = heap_unwatch();
	if (weighed && heap)
		fail(v, nth, "%ld bytes of the heap lost", (long)heap);
	after = weigh();
	if (weighed)
		compare(v, nth, &before, &after);
	return failed && !v->failed;
}

void fail_nth_run(const struct fail_case *c, struct fail_verdict *v)
{
	const char *why;
	uint64_t nth = 1;

	*v = (struct fail_verdict){0};
	if (!scratch_region(&why)) {
		v->skipped = true;
		snprintf(v->text, sizeof(v->text), "%s", why);
		return;
	}
	if (scratch_forget_records()) {
		v->skipped = true; /* with a power-cut model, for one */
		snprintf(v->text, sizeof(v->text), "%s", refusal());
		return;
	}
	/* Kernel page tables and records of RAM are made at first use, and stay. */
	one_round(c, MAX_ROUNDS, false, v);
	while (nth < MAX_ROUNDS && one_round(c, nth, true, v))
		nth++;
	v->allocations = nth - 1;
	if (v->allocations < c->least || nth == MAX_ROUNDS)
		fail(v, nth, "%lu allocations failed, at least %u and less than %u are known",
		     v->allocations, c->least, MAX_ROUNDS);
}

/* ---- moves ----------------------------------------------------------------------------------- */

int fail_prepare_file(struct fail_round *r)
{
	r->f = scratch_file("f", FAIL_PAGES, 'a');
	return r->f ? dax_truncate(r->f, 2 * FAIL_PAGES * PAGE_SIZE) : -ENOMEM;
}

int fail_prepare_mapped(struct fail_round *r)
{
	int err = fail_prepare_file(r);

	return err ? err : dax_mmap(r->mm, r->f, 0, 2 * FAIL_PAGES, true, &r->va);
}

void fail_undo_file(struct fail_round *r)
{
	if (r->va)
		mm_unmap(r->mm, r->va, 2 * FAIL_PAGES * PAGE_SIZE);
	if (r->f)
		dax_put(r->f);
	dax_unlink(FILE_PATH);
}
