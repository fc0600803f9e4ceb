/* SPDX-License-Identifier: MIT */
/*
 * Self-tests: moments in which another CPU may come between: a birth that finds the page born or
 * its last use gone, a folio that is taken or split meanwhile, and a reference that is counted
 * while its killer folds the counters. A step point makes the moment; nothing depends on chance.
 */
#include "mm/device/internal.h"

/* ---- births ---------------------------------------------------------------------------------- */

static struct pgmap pgmap; /* of the running test; fake memory at rest 0 */

static void born_by_a_mapping(void *page)
{
	page_map_get(page);
}

static void made_busy(void *page)
{
	__atomic_fetch_or(&((struct page *)page)->state, PAGE_BUSY, __ATOMIC_ACQ_REL);
}

/* page_get_first(p), where `other` is done between its hold of the device and its look at the page.
 * False: refused. *sum: the device's references, its own among them. */
static bool birth(struct page *p, void (*other)(void *), unsigned *fired, int64_t *sum)
{
	bool got;

	preempt_disable();
	step_arm("page_birth_held", other, p);
	got = page_get_first(p, 1);
	*fired = step_disarm();
	preempt_enable();
	*sum = percpu_ref_sum(&pgmap.ref);
	return got;
}

/* What is too much would be waited for by the unbinding for ever. */
static void end_extra(int64_t extra)
{
	if (extra > 0)
		percpu_ref_put_many(&pgmap.ref, extra);
}

static void end(int64_t extra)
{
	end_extra(extra);
	memunmap_pages(&pgmap);
}

SELFTEST(
	mm_birth_twice, "mm.birth-twice",
	"two births of one page at once hold the device once; one that the busy mark refuses holds "
	"it not at all")
{
	unsigned fired[2];
	int64_t sum[2], at_last;
	struct page *p;
	bool got[2];
	int err = fake_bound(&pgmap, 0, NULL, &p);

	EXPECT(!err, "error %d", err);
	got[0] = birth(p, born_by_a_mapping, &fired[0], &sum[0]);
	page_map_put(p);
	if (got[0])
		page_put(p, 1);
	got[1] = birth(p + 1, made_busy, &fired[1], &sum[1]);
	__atomic_store_n(&p[1].state, 0, __ATOMIC_RELEASE);
	at_last = percpu_ref_sum(&pgmap.ref);
	end(at_last - 1);
	EXPECT(fired[0] == 1 && fired[1] == 1, "the step point fired %u and %u times", fired[0],
	       fired[1]);
	EXPECT(got[0] && !got[1], "got %d beside a mapping, %d of a busy page", got[0], got[1]);
	EXPECT(sum[0] == 2 && sum[1] == 1 && at_last == 1, "%ld, %ld, at last %ld", (long)sum[0],
	       (long)sum[1], (long)at_last);
}

/* ---- mappings -------------------------------------------------------------------------------- */

/* page_map_get_counted(p), where `other` is done to its head between the look at the word and the
 * change. *sum: the device's references, its own among them. */
static struct page *mapped(struct page *p, void (*other)(void *), unsigned *fired, int64_t *sum)
{
	struct page *counted;

	preempt_disable();
	step_arm("page_map_looked", other, page_to_record(p));
	counted = page_map_get_counted(p);
	*fired = step_disarm();
	preempt_enable();
	*sum = percpu_ref_sum(&pgmap.ref);
	return counted;
}

static void last_put(void *page)
{
	page_put(page, 1);
}

static void taken(void *head)
{
	page_get_first(head, 1);
}

static void split(void *head)
{
	page_folio_split(head);
}

SELFTEST(mm_map_birth, "mm.map-at-last-put",
	 "a mapping that found the page in use, and its last use gone, holds the device all the "
	 "same")
{
	struct page *p, *counted;
	unsigned fired;
	int64_t sum;
	int err = fake_bound(&pgmap, 0, NULL, &p);

	EXPECT(!err, "error %d", err);
	page_get_first(p, 1);
	counted = mapped(p, last_put, &fired, &sum);
	if (sum == 1) /* else the unmapping brings the device to zero, while it is bound */
		percpu_ref_get(&pgmap.ref);
	page_map_put(p);
	memunmap_pages(&pgmap);
	EXPECT(counted == p && fired == 1, "%u times at the step point", fired);
	EXPECT(sum == 2, "%ld references of the device, not 2", (long)sum);
}

SELFTEST(mm_map_folio_meanwhile, "mm.map-folio-meanwhile",
	 "a mapping of a resting folio that is taken, or split, meanwhile holds the device once, "
	 "and counts where the page is counted now")
{
	struct page *head, *counted[2] = {NULL};
	unsigned fired[2] = {0};
	int64_t sum[2] = {0};
	int err = fake_bound(&pgmap, 0, NULL, &head);

	EXPECT(!err, "error %d", err);
	err = page_records_populate(pgmap.range[0].start, FOLIO_PAGES);
	if (!err)
		err = page_folio_make(head);
	if (!err) {
		counted[0] = mapped(head + 3, taken, &fired[0], &sum[0]);
		page_map_put(head);
		page_put(head, 1);
		end_extra(sum[0] - 2);
		counted[1] = mapped(head + 3, split, &fired[1], &sum[1]);
		page_map_put(counted[1]);
		end_extra(sum[1] - 2);
	}
	memunmap_pages(&pgmap);
	EXPECT(!err && fired[0] == 1 && fired[1] == 1,
	       "error %d, %u and %u times at the step point", err, fired[0], fired[1]);
	EXPECT(counted[0] == head && counted[1] == head + 3,
	       "counted %ld and %ld records behind the head", (long)(counted[0] - head),
	       (long)(counted[1] - head));
	EXPECT(sum[0] == 2 && sum[1] == 2, "%ld and %ld references of the device, not 2",
	       (long)sum[0], (long)sum[1]);
}

/* ---- counting and killing -------------------------------------------------------------------- */

static struct fold {
	struct percpu_ref ref;
	unsigned found; /* the counter stands between "live" and its count */
	bool live, asked;
	int err;
} fold;

/* With interrupts off, between "live" and the count: until the killer asks for this CPU's
 * acknowledgement, or has folded without one. By the clock, if there is no killer. */
static void await_killer(void *unused)
{
	const uint64_t end = PATIENCE_END();

	(void)unused;
	__atomic_store_n(&fold.found, 1, __ATOMIC_RELEASE);
	while (percpu_ref_phase(&fold.ref) != REF_FOLDED && clock_ns() < end) {
		fold.asked = percpu_ref_phase(&fold.ref) == REF_DYING && cpu_call_waits();
		if (fold.asked)
			return;
		cpu_pause();
	}
}

static void count_one(void *unused)
{
	(void)unused;
	preempt_disable();
	fold.err = step_arm("ref_found_live", await_killer, NULL);
	fold.live = percpu_ref_tryget_live(&fold.ref);
	step_disarm();
	preempt_enable();
}

static void kill_it(void *unused)
{
	(void)unused;
	if (comes_true(&fold.found, 1))
		percpu_ref_kill(&fold.ref);
}

SELFTEST(mm_kill_acknowledged, "mm.ref-kill-acknowledged",
	 "whoever found a reference live when it was killed is counted before the counters are "
	 "folded")
{
	struct thread *counter, *killer;
	int64_t shared;

	if (nr_cpus < 2)
		SKIP("needs two CPUs (SMP=2)");
	memset(&fold, 0, sizeof(fold));
	percpu_ref_init(&fold.ref);
	killer = thread_create("kill", kill_it, NULL, 1u << 0);
	counter = thread_create("count", count_one, NULL, 1u << 1);
	ASSERT(counter && killer, "no memory for threads");
	thread_join(counter);
	thread_join(killer);
	EXPECT(!fold.err && fold.found && fold.ref.phase == REF_FOLDED, "error %d, found %u",
	       fold.err, fold.found);
	shared = fold.ref.shared; /* what the last put would bring to zero */
	EXPECT(fold.live && fold.asked && shared == 1,
	       "counted %d, acknowledged %d, the folded counter says %ld, not 1", fold.live,
	       fold.asked, (long)shared);
	percpu_ref_put(&fold.ref);
	EXPECT(fold.ref.shared == 0, "%ld are left", (long)fold.ref.shared);
}
