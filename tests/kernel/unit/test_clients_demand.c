/* SPDX-License-Identifier: MIT */
/*
 * Self-tests of notifiers (notifier.*) and of the regions that live by them (clients.odp-*): who is
 * told, when, and what a device that was told late does to another file's bytes.
 */
#include "drivers/iommu/internal.h"
#include "tests/kernel/lib/places.h"

MUSEUM_DECLARE(odp_deaf);

/* ---- who is told ---------------------------------------------------------------------------- */

struct told {
	struct mm_notifier n;
	unsigned calls;
	uint64_t start, end; /* of the last call */
	bool before;	     /* the first call came while its first page was still mapped */
};

static void note_told(struct mm_notifier *n, uint64_t start, uint64_t end)
{
	struct told *told = container_of(n, struct told, n);

	if (!told->calls++)
		told->before = fx_va_to_page(start) != NULL;
	told->start = start;
	told->end = end;
}

static void listen(struct told *told, uint64_t start, uint64_t end)
{
	*told = (struct told){.n = {.invalidate = note_told, .start = start, .end = end}};
	mm_notifier_add(&told->n, current_mm());
}

/* Was exactly [start, end) told by one call at least since the last time, before it went? */
static bool heard(struct told *told, uint64_t start, uint64_t end)
{
	bool yes = told->calls && told->start == start && told->end == end && told->before;

	told->calls = 0;
	return yes;
}

/* Breaks it: a call behind the entries' end, or one for what lies beside the range. */
SELFTEST(notifier_unmap, "notifier.told-before",
	 "a notifier is told of what is taken away in its own range, while it is still mapped, and "
	 "of nothing beside it; a change of rights and a copy at fork count, a grant does not")
{
	struct told told;
	struct place p;
	struct mm *child;
	bool beside, part, rights, grant, forked, gone;
	uint64_t state;

	PLACE(&p, PLACE_ANON, 6);
	listen(&told, p.va + PAGE_SIZE, p.va + 4 * PAGE_SIZE);
	mm_unmap(current_mm(), p.va + 5 * PAGE_SIZE, PAGE_SIZE);
	beside = !told.calls;
	mm_unmap(current_mm(), p.va, 2 * PAGE_SIZE);
	part = heard(&told, p.va + PAGE_SIZE, p.va + 2 * PAGE_SIZE);
	p.va += 2 * PAGE_SIZE;
	p.pages = 3;
	mm_protect(current_mm(), p.va, PAGE_SIZE, VM_READ);
	rights = heard(&told, p.va, p.va + PAGE_SIZE);
	mm_protect(current_mm(), p.va, PAGE_SIZE, VM_READ | VM_WRITE);
	grant = !told.calls;
	*at(p.va) = 'c';
	child = mm_fork(current_mm(), "child");
	forked = child && told.calls;
	told.calls = 0;
	state = mm_notifier_read_begin(&told.n);
	*at(p.va) = 'd'; /* shared with the child: it gets a copy */
	gone = heard(&told, p.va, p.va + PAGE_SIZE) && mm_notifier_read_retry(&told.n, state);
	if (child)
		mm_put(child);
	mm_notifier_remove(&told.n);
	place_end(&p);
	EXPECT(beside && part, "beside the range %d, a part of it %d", !beside, part);
	EXPECT(rights && grant, "taken rights %d, granted ones %d", rights, !grant);
	EXPECT(forked && gone, "fork %d, a copy on write %d", forked, gone);
}

/* Breaks it: truncate or fsync of the file that asks its mappings past the bracket. */
SELFTEST(
	notifier_file, "notifier.told-by-file",
	"what a file does to its mappings is told as well: truncate, punch, and fsync, which takes "
	"the right to write; and mremap of private copies")
{
	struct told told;
	struct place p;
	uint64_t private, to = 0;
	bool synced, punched, cut, moved;

	PLACE(&p, PLACE_FILE, 4);
	listen(&told, p.va, p.va + 4 * PAGE_SIZE);
	dax_fsync(p.fx.inode[0]);
	synced = told.calls;
	told.calls = 0;
	dax_punch(p.fx.inode[0], PAGE_SIZE, PAGE_SIZE);
	punched = heard(&told, p.va + PAGE_SIZE, p.va + 2 * PAGE_SIZE);
	dax_truncate(p.fx.inode[0], 3 * PAGE_SIZE);
	cut = heard(&told, p.va + 3 * PAGE_SIZE, p.va + 4 * PAGE_SIZE);
	mm_notifier_remove(&told.n);
	dax_get(p.fx.inode[0]);
	private = fx_map_private(&p.fx, p.fx.inode[0], 2);
	*at(private) = 'p';
	listen(&told, private, private + PAGE_SIZE);
	moved = !mm_remap(current_mm(), private, 2 * PAGE_SIZE, &to) && told.calls && told.before;
	mm_notifier_remove(&told.n);
	p.fx.va[1] = to;
	place_end(&p);
	EXPECT(synced && punched && cut, "fsync %d, punch %d, truncate %d", synced, punched, cut);
	EXPECT(moved, "mremap of copies was not told, or told late");
}

/* ---- regions on demand ---------------------------------------------------------------------- */

#define DOMAIN(e)                                                                                  \
	struct edu *e = scratch_choose_edus(1) ? NULL : scratch_edu(0);                            \
	if (!e)                                                                                    \
		SKIP("%s", refusal());                                                             \
	if (!edu_dma(e)->domain)                                                                   \
	SKIP("%s: %s (QEMU: -device intel-iommu)", edu_name(e), edu_dma(e)->direct)

static uint64_t reached(struct edu *e)
{
	return slpt_leaves(&edu_dma(e)->domain->tables);
}

/* Breaks it: a region that keeps references, or drops its translations after each transfer. */
SELFTEST(odp_keeps, "clients.odp-keeps-translations",
	 "between transfers a region on demand holds no page and its device reaches them still; a "
	 "page that is unmapped is out of reach at once, the others are not; the next transfer "
	 "brings back what it needs")
{
	struct region *r = NULL;
	uint64_t none, all, less, again;
	struct place p;
	unsigned held;
	int err;

	DOMAIN(e);
	PLACE(&p, PLACE_FILE, 3);
	none = reached(e);
	err = region_register(e, p.va, 3, REGION_ON_DEMAND, NULL, &r);
	EXPECT_OR(out, !err && reached(e) == none, "error %d", err);
	err = region_receive(r, "ODP1");
	all = reached(e) - none;
	held = place_held(&p);
	err = err ?: dax_punch(p.fx.inode[0], PAGE_SIZE, PAGE_SIZE);
	less = reached(e) - none;
	err = err ?: region_receive(r, "ODP2");
	again = reached(e) - none;
	region_deregister(r);
	EXPECT_OR(out, !err && place_shows(&p, "ODP2"), "error %d: %s", err, refusal());
	EXPECT_OR(out, !held && all == 3 && less == 2 && again == 3 && reached(e) == none,
		  "%u held; reached %lu, %lu after the punch, %lu again, %lu left", held, all, less,
		  again, reached(e) - none);
out:
	place_end(&p);
}

/* The device goes on to write where it was told to, and another file has the block by now. Value:
 * bytes of that file that are not its own; negative: it did not come to that. */
static int late_write(struct edu *e, struct place *p, uint64_t *faults)
{
	uint64_t before = faults_of(e);
	struct dax_inode *g = NULL;
	struct region *r = NULL;
	char *const buf = scratch_bytes;
	int foreign = -1;

	if (region_register(e, p->va, p->pages, REGION_ON_DEMAND, NULL, &r))
		return -1;
	if (!region_receive(r, "ODP1") && !scratch_fill("fill") &&
	    !dax_punch(p->fx.inode[0], 0, PAGE_SIZE))
		g = scratch_file("G", 1, 'G');
	if (g && !region_late(r, "LATE") && dax_read(g, 0, buf, PAGE_SIZE) == (int64_t)PAGE_SIZE)
		for (unsigned i = foreign = 0; i < PAGE_SIZE; i++)
			foreign += buf[i] != 'G';
	*faults = faults_of(e) - before;
	if (g)
		dax_put(g);
	region_deregister(r);
	return foreign;
}

/* Breaks it: museum odp-deaf, which is run here as well. */
SELFTEST(
	odp_follows, "clients.odp-follows",
	"the block of a page that a region on demand had is given to another file while the device "
	"writes: the device's bytes are recorded faults and the file is as it was written; a "
	"region that does not listen (museum odp-deaf) writes into it")
{
	int safe, deaf;
	uint64_t faults, none;
	struct place p;

	DOMAIN(e);
	PLACE(&p, PLACE_FILE, 2);
	safe = late_write(e, &p, &faults);
	place_end(&p);
	PLACE(&p, PLACE_FILE, 2);
	museum_odp_deaf.on = true;
	deaf = late_write(e, &p, &none);
	museum_odp_deaf.on = false;
	place_end(&p);
	EXPECT(!safe && faults, "%d bytes of G are the device's, %lu faults", safe, faults);
	EXPECT(deaf == (int)PAGE_SIZE && !none, "deaf: %d bytes of G are the device's, %lu faults",
	       deaf, none);
}

/* A transfer in a thread of its own, which stops where its pages are known and not filled in. */
struct receiver {
	struct mm *mm;
	struct region *r;
	struct step_stop stop;
	int err;
	bool done;
};

static void receive_and_stop(void *arg)
{
	struct receiver *rc = arg;
	bool armed;

	mm_use(rc->mm);
	armed = !step_stop(&rc->stop);
	rc->err = region_receive(rc->r, "anew");
	if (armed)
		step_unstop(&rc->stop);
	mm_use(NULL);
	__atomic_store_n(&rc->done, true, __ATOMIC_RELEASE);
}

/* Punches the region's first page while the receiver stands there. False: it never stood. */
static bool punch_between(struct receiver *rc, struct place *p)
{
	struct thread *th = thread_create("receiver", receive_and_stop, rc, 1);
	bool stopped;

	if (!th)
		return false;
	AWAIT(step_stopped(&rc->stop) || __atomic_load_n(&rc->done, __ATOMIC_ACQUIRE),
	      "a receiver to look its pages up");
	stopped = step_stopped(&rc->stop);
	if (stopped)
		rc->err = dax_punch(p->fx.inode[0], 0, PAGE_SIZE);
	step_go(&rc->stop);
	thread_join(th);
	return stopped && !rc->stop.timed_out;
}

/* Breaks it: a fill that does not ask mm_notifier_read_retry(). */
SELFTEST(odp_retries, "clients.odp-looks-again",
	 "a page that is punched after the region looked it up and before its device is told is "
	 "not filled in: it is looked up again, and the bytes are in what the file has now")
{
	struct receiver rc = {.mm = current_mm(),
			      .stop = {.name = "odp_looked_up", .deadline = PATIENCE_END()}};
	struct place p;
	bool stood = false;
	int err;

	DOMAIN(e);
	PLACE(&p, PLACE_FILE, 2);
	err = region_register(e, p.va, 2, REGION_ON_DEMAND, NULL, &rc.r);
	EXPECT_OR(out, !err, "%s", refusal());
	stood = punch_between(&rc, &p);
	region_deregister(rc.r);
	EXPECT_OR(out, stood && !rc.err && place_shows(&p, "anew"),
		  "stood there %d, error %d, bytes \"%.4s\"", stood, rc.err, (char *)p.va);
out:
	place_end(&p);
}
