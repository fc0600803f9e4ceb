/* SPDX-License-Identifier: MIT */
/*
 * Seed tests, series s0, patches 9 to 15: who holds pages, who is told when they come back. "dax:
 * fix dma vs truncate", the lead-in (2017).
 */
#include "tests/kernel/seed/seed.h"

/* ---- 9: bio_delay ------------------------------------------------------------------------- */

#define HOUR (3600ull * 1000000000)

/* A read from the disk into F's only page, done and not told: F's is the only free block. */
struct late {
	struct dio *io;
	struct page *page;
	struct dax_inode *f;
};

static const char *late_begin(struct late *l, struct fixture *fx, uint64_t hold_ns)
{
	uint64_t va = fx_map(fx, "F", 1, 'f');
	struct dio_request rq = {.disk = block_nth(0),
				 .dir = DIO_READ,
				 .addr = va,
				 .len = PAGE_SIZE,
				 .bounce = true};
	int err;

	if (!va || store_checked((uint64_t *)va, 0) || scratch_fill("fill"))
		return "no file that has the last block";
	l->f = fx->inode[0];
	l->page = fx_va_to_page(va);
	bio_delay_off();
	bio_delay_arm(hold_ns);
	l->io = dio_start(&rq, &err);
	while (l->io && bio_delay_armed() && !bio_delay_held())
		disk_moment();
	return l->io ? NULL : refusal();
}

static int late_end(struct late *l)
{
	int err = 0;

	bio_delay_off();
	if (l->io) {
		err = dio_wait(l->io);
		dio_free(l->io);
	}
	return err;
}

/* G's bytes that are not G's; negative: it has no block, or cannot be read. */
static int foreign_in_g(struct late *l)
{
	struct dax_inode *g = scratch_file("G", 1, 'G');
	char *const buf = scratch_bytes;
	int n = 0;

	if (late_end(l) || !g || dax_read(g, 0, buf, PAGE_SIZE) != (int64_t)PAGE_SIZE)
		n = -1;
	for (unsigned i = 0; !n && i < PAGE_SIZE; i++)
		n = buf[i] != 'G';
	if (g)
		dax_put(g);
	return n;
}

/* The block is freed and G gets it while the completion is held: A-1. */
static void late_unaware(struct selftest_run *t)
{
	FIXTURE(fx, &lifetime_unaware);
	struct late l = {0};
	const char *why = late_begin(&l, &fx, HOUR);
	uint32_t busy = l.page ? page_refs(l.page) : 0;
	int err = 0, foreign = 0;

	if (!why) {
		err = dax_truncate(l.f, 0);
		foreign = foreign_in_g(&l);
	}
	fixture_end(&fx);
	EXPECT(!why && busy == 2, "%s; %u references while it is held", why ?: "", busy);
	EXPECT(!err && foreign == 1, "truncate %d; G has foreign bytes: %d", err, foreign);
}

/* The truncate sleeps as long as the completion is held. */
static void late_waits(struct selftest_run *t, const struct lifetime *lt)
{
	FIXTURE(fx, lt);
	struct late l = {0};
	const char *why = late_begin(&l, &fx, HOUR);
	struct fx_op op = {.inode = fx.inode[0], .fn = fx_truncate};
	bool slept = false, ended = false;
	int foreign = 0;

	if (!why && fx_start(&op)) {
		slept = fx_asleep(&op, l.page) && !fx_done(&op);
		bio_delay_off();
		ended = seed_ends(&op);
		foreign = foreign_in_g(&l);
	} else {
		late_end(&l);
	}
	fixture_end(&fx);
	EXPECT(!why && slept && ended && !op.err, "%s: %s; slept %d, woken %d, error %d", lt->name,
	       why ?: "", slept, ended, op.err);
	EXPECT(!foreign, "%s: G has foreign bytes: %d", lt->name, foreign);
}

/* The timer alone lets it go, not before its time, and the switch is off then. */
static void late_by_timer(struct selftest_run *t)
{
	FIXTURE(fx, &lifetime_unaware);
	struct late l = {0};
	uint64_t start = clock_ns(), took;
	const char *why = late_begin(&l, &fx, 20000000);
	int err = l.io ? dio_wait(l.io) : 0;
	bool armed = bio_delay_armed();

	took = clock_ns() - start;
	err = late_end(&l) ?: err;
	fixture_end(&fx);
	EXPECT(!why && !err && took >= 20000000 && !armed, "%s; error %d, %lu ns, still armed %d",
	       why ?: "", err, took, armed);
}

/* Breaks it: museum skip-wake (idle-at-one sleeps on), or a completion that is not held. */
SELFTEST(seed_s0_09, "seed.s0.09",
	 "while bio_delay holds a disk's completion its page stays busy: unaware gives the block "
	 "to another file, which gets the disk's bytes; the designs that count make truncate wait")
{
	if (scratch_choose_disk())
		SKIP("%s", refusal());
	late_unaware(t);
	for (unsigned i = 2; i < 5 && !t->failed && !t->skipped; i++)
		late_waits(t, lifetime_nth(i));
	if (!t->failed && !t->skipped)
		late_by_timer(t);
}

/* ---- 10, 11: registration ----------------------------------------------------------------- */

/* Breaks it: FOLL_LONGTERM without vma_is_fsdax(), or a refusal that keeps what it got. */
SELFTEST(seed_s0_10, "seed.s0.10",
	 "registering a memory region on a DAX file is refused (-EOPNOTSUPP) with every page back "
	 "at rest; on a device it is allowed, and the device's bytes arrive")
{
	seed_region_refused(t, LIFETIME_DEFAULT);
	if (!t->failed && !t->skipped)
		seed_region_of_device(t);
}

/* Two neighbours, the first one of RAM. 0: no room. */
static uint64_t anon_and_file(struct fixture *fx, uint64_t *file)
{
	struct dax_inode *f = scratch_file("f", 1, 'a');
	uint64_t va = 0;

	if (!f)
		return 0;
	fx->inode[fx->nr++] = f;
	if (mm_map_anon(current_mm(), &va, 2 * PAGE_SIZE, true) ||
	    mm_unmap(current_mm(), PAGE(va, 1), PAGE_SIZE))
		return 0;
	*file = PAGE(va, 1);
	if (dax_mmap(current_mm(), f, 0, 1, true, file))
		*file = 0;
	return va;
}

/* Breaks it: longterm_pin() that keeps the pages of a short count. */
SELFTEST(seed_s0_11, "seed.s0.11",
	 "a frame grabber's buffer that is half anonymous memory and half a DAX file is refused, "
	 "and the anonymous page is let go; a buffer of anonymous memory gets its frame")
{
	static struct grabber g;
	uint64_t va, file = 0;
	int mixed, slot, frame = -ENODEV;
	uint32_t refs;

	if (scratch_choose_edus(1))
		SKIP("%s", refusal());
	FIXTURE(fx, LIFETIME_DEFAULT);
	va = anon_and_file(&fx, &file);
	EXPECT_OR(out, va && file, "not mapped side by side");
	*at(va) = *at(file) = 'm';
	mixed = grabber_queue(&g, scratch_edu(0), va, 2);
	refs = page_refs(fx_va_to_page(va));
	slot = grabber_queue(&g, scratch_edu(0), va, 1);
	if (slot >= 0)
		frame = grabber_dequeue(&g, slot, "frame ");
	grabber_stop(&g);
	EXPECT_OR(out, mixed == -EOPNOTSUPP && !refs && !seed_unrest(file, 1, 0),
		  "error %d, the anonymous page has %u references", mixed, refs);
	EXPECT_OR(out, slot >= 0 && !frame && !memcmp((char *)va, "frame ", 6),
		  "RAM alone: slot %d, frame %d", slot, frame);
out:
	unmap(va, 1);
	unmap(file, 1);
	fixture_end(&fx);
}

/* ---- 12, 13: the hook --------------------------------------------------------------------- */

static unsigned told; /* calls of the hook */

static void count_idle(struct page *page)
{
	(void)page;
	__atomic_add_fetch(&told, 1, __ATOMIC_RELAXED);
}
static const struct pgmap_ops counting = {.page_idle = count_idle};

/* Breaks it: a mount that does not check who has the region, or an umount that keeps the claim. */
SELFTEST(seed_s0_12, "seed.s0.12",
	 "a mount claims the device's pgmap for itself and its page-idle hook: a second one is "
	 "refused, an unmount gives it back, and a device that is gone cannot be claimed")
{
	FIXTURE(fx, &lifetime_idle_at_one);
	struct pmem_region *r = fx.fs->region;
	const void *owner = r->pgmap.owner;
	bool hook = r->pgmap.ops == &lifetime_idle_at_one.pgmap_ops;
	int second = dax_mount(r, "/second", &lifetime_idle_at_one, NULL), gone;
	const void *still = r->pgmap.owner, *released;

	fixture_end(&fx);
	released = r->pgmap.owner;
	EXPECT(owner == fx.fs && hook, "owner %p, hook %d", owner, hook);
	EXPECT(second == -EBUSY && still == owner, "the second claim: %d", second);
	EXPECT(!released, "after the unmount the owner is %p", released);
	pmem_unbind(r);
	gone = dax_mount(r, SCRATCH_PATH, &lifetime_idle_at_one, NULL);
	pmem_bind(r);
	EXPECT(gone == -ENODEV, "the claim of a device that is gone: %d", gone);
	EXPECT(!fixture_start(&fx, &lifetime_idle_at_one), "claimed again: %s", fx.why);
	fixture_end(&fx);
}

/* Gives the only reference of a page back, in one of these ways. */
static void put_one(struct page *p, unsigned way)
{
	struct page *twice[2] = {p, p};

	switch (way) {
	case 0: put_user_page(p); break;
	case 1: put_user_pages(&p, 1); break;
	case 2: unpin_user_pages(&p, 1); break;
	case 3: put_user_page_range(p, 1); break;
	case 4: page_put(p, 1); break;
	case 5: /* two at once, by n */
		page_get(p, 1);
		page_put(p, 2);
		break;
	default: /* two at once, by a list */ page_get(p, 1); put_user_pages(twice, 2);
	}
}

/* Breaks it: a way to put that takes the count down by itself, or a put that asks nobody whether
 * somebody listens. */
SELFTEST(seed_s0_13, "seed.s0.13",
	 "while nobody manages the device's pages no put enters the hook; with one who does, each "
	 "way to put ends in exactly one call, when the count falls from 2 to 1")
{
	FIXTURE(fx, &lifetime_idle_at_one);
	struct pgmap *pgmap = &fx.fs->region->pgmap;
	uint64_t va = fx_map(&fx, "f", 1, 'a');
	unsigned without = 0, wrong = 0;
	struct page *p;

	EXPECT_OR(out, va, "not mapped");
	pgmap->ops = &counting;
	for (unsigned way = 0; way < 7; way++) {
		told = 0;
		p = seed_pin(va);
		put_one(p, way);
		without += told;
		pgmap_listen(pgmap);
		p = seed_pin(va);
		put_one(p, way);
		pgmap_unlisten(pgmap);
		if (told != 1 && !wrong)
			wrong = 1 + way;
	}
	pgmap->ops = &lifetime_idle_at_one.pgmap_ops;
	EXPECT_OR(out, !without, "%u calls while nobody listens", without);
	EXPECT_OR(out, !wrong, "way %u to put does not end in one call", wrong - 1);
	EXPECT_OR(out, !seed_unrest(va, 1, 0), "the page is not at rest");
out:
	fixture_end(&fx);
}

/* ---- 14: association ---------------------------------------------------------------------- */

/* G's entry names F's page, for the time of one check. Value: violations it finds. */
static unsigned named_twice(struct dax_inode *g, uint64_t value)
{
	unsigned found;

	entry_lock(g, 0);
	entry_unlock(g, 0, value);
	found = check_i6_association();
	entry_lock(g, 0);
	entry_unlock(g, 0, 0);
	return found;
}

/* Breaks it: page_disassociate() that leaves the link, or collisions that are not counted. */
SELFTEST(seed_s0_14, "seed.s0.14",
	 "a page names its file and offset from the insertion of its entry to the deletion; "
	 "deleting the entry of a held page is counted; a page named by two files is found out")
{
	FIXTURE(fx, &lifetime_idle_at_one);
	uint64_t va = fx_map(&fx, "f", 3, 'a'), index;
	struct dax_inode *f = fx.inode[0], *g = scratch_file("g", 1, 'g');
	const struct mapping *link, *unlinked;
	unsigned before, twice;
	struct page *p, *q;

	EXPECT_OR(out, va && g, "no files");
	*at(PAGE(va, 1)) = *at(PAGE(va, 2)) = 'b';
	p = fx_va_to_page(PAGE(va, 1));
	link = p->mapping;
	index = p->index;
	before = check_i6_association();
	twice = named_twice(g, seed_entry(f, 1) & ~ENTRY_DIRTY);
	EXPECT_OR(out, link == &f->mapping && index == 1, "index %lu, or another file", index);
	EXPECT_OR(out, !before && twice, "violations: %u, then %u", before, twice);
	EXPECT_OR(out, !dax_punch(f, PAGE_SIZE, PAGE_SIZE), "%s", refusal());
	unlinked = p->mapping;
	q = seed_pin(PAGE(va, 2));
	fx_unmap(&fx, va); /* then this design asks nobody (C-1), and truncate goes on */
	EXPECT_OR(put, !dax_truncate(f, 0), "%s", refusal());
	EXPECT_OR(put, !unlinked && f->collisions == 1, "link %p, %u collision(s)",
		  (const void *)unlinked, f->collisions);
put:
	unpin_user_pages(&q, 1);
out:
	if (g)
		dax_put(g);
	fixture_end(&fx);
}

/* ---- 15: hashed waits --------------------------------------------------------------------- */

static uint32_t words[1024]; /* the counts waited for: idle at 1 */
static int ended[2];

static void wait_for(uint32_t *count, int *err)
{
	*err = wait_event_interruptible(count, __atomic_load_n(count, __ATOMIC_ACQUIRE) == 1,
					"a count of 1", "the test");
}

static void wait_first(void *arg)
{
	wait_for(arg, &ended[0]);
}

static void wait_second(void *arg)
{
	wait_for(arg, &ended[1]);
}

/* Another word whose waiters stand in the same queue. */
static uint32_t *same_bucket(const uint32_t *word)
{
	for (unsigned i = 1; i < ARRAY_SIZE(words); i++)
		if (&words[i] != word && wait_bucket(&words[i]) == wait_bucket(word))
			return &words[i];
	return NULL;
}

/* Breaks it: wake_up() that wakes its whole bucket for good, or a wait that looks only once. */
SELFTEST(seed_s0_15, "seed.s0.15",
	 "of two waiters whose keys share a bucket only the one whose count became 1 returns; a "
	 "wake without that is survived, a signal ends the wait with -EINTR, and a count of 1 is "
	 "not waited for")
{
	uint32_t *a = &words[0], *b = same_bucket(a);
	struct thread *first, *second;
	bool gathered, stays;
	int woken, idle = -1;

	EXPECT(b, "no two of 1024 words share a bucket");
	*a = *b = 2;
	first = thread_create("first", wait_first, a, 0);
	second = thread_create("second", wait_second, b, 0);
	EXPECT(first && second, "no memory for threads");
	gathered = gather_on(a, 1) && gather_on(b, 1);
	__atomic_store_n(b, 1, __ATOMIC_RELEASE);
	woken = wake_up(b);
	thread_join(second);
	wake_up(a); /* for nothing: it looks, and sleeps again */
	stays = gather_on(a, 1);
	wait_for(b, &idle);
	thread_signal(first);
	thread_join(first);
	EXPECT(gathered && woken == 1 && !ended[1], "gathered %d, woke %d, ended with %d", gathered,
	       woken, ended[1]);
	EXPECT(stays && ended[0] == -EINTR, "the other one stays %d, ended with %d", stays,
	       ended[0]);
	EXPECT(!idle, "a wait for what is true: %d", idle);
}
