/* SPDX-License-Identifier: MIT */
/*
 * generic/503: direct I/O on a mapped file, against truncate, punch and fallocate of that file.
 *
 * Linux has this test since 2018 (xfstests generic/503, "t_mmap_collision"); there it looks for a
 * crash. Here the bytes are looked at.
 *
 *   two disk threads    direct I/O between the disk and the mapping of F, until `ops` transfers are
 *                       done; the first reads by way of a bounce buffer, the second at random
 *   one edu thread      has a device write into pages of the same mapping
 *   one layout thread   lets F's blocks go in one way or another, and writes them into G, which no
 *                       device was ever told of: G may hold nothing but 'G'
 *
 * All other blocks belong to "fill", so what F gives up is what G gets. F holds 'f', the disk's
 * letter, the edu's letter or zeroes. What went from F to the disk may be nothing else either: a
 * 'G' there is a block read after it had changed hands.
 *
 * Under lease-poll F is only punched: truncate(2) was never wired to its leases (B-7, shown by
 * `race bio-truncate`), so that would be another way to see the same.
 *
 * Each round arms bio_delay and waits until all disk threads have a completion held back: then the
 * window is open, however fast or slow anything is. Under a lifetime that does not care, the
 * first reader's bytes then land in G, in the first round in which its page went to G.
 *
 * The last round comes when nobody holds a page any more, and its change succeeds under every
 * lifetime. Before that a lifetime that refuses may have refused every one, however many there
 * were.
 */
#include "tests/kernel/lib/fake_disk.h"
#include "tests/kernel/lib/scratch.h"
#include "tests/kernel/lib/soak.h"

#define F_PAGES	     16u
#define G_PAGES	     20u
#define IO_PAGES     4u /* of a transfer, at most */
#define DISK_THREADS 2u
#define WINDOW_NS    (150ull * 1000 * 1000)
#define DISK_LETTER  'D'
#define EDU_TEXT     "E"
#define SOURCE	     69632u		    /* sectors full of DISK_LETTER */
#define TARGET	     (SOURCE + F_PAGES * 8) /* where the disk threads write */

struct soak {
	struct soak_result *r;
	struct block_device *disk;
	struct dax_inode *f, *g;
	struct mm *mm;
	uint64_t va;
	unsigned ops;	  /* transfers still to be begun (atomic) */
	unsigned all;	  /* how many there are */
	uint64_t told_ns; /* when that was told last; zero: it never is */
	bool punch_only;
	struct page *pinned; /* a page of F that stays held until the last round; NULL: none does */
	bool changing;	     /* the layout thread is letting blocks go */
	unsigned busy;	     /* disk threads that are not done (atomic) */
	struct spinlock lock; /* protects r's evidence */
};

struct disk_thread {
	struct soak *s;
	unsigned n;
	uint64_t seed;
	struct thread *thread;
};

static unsigned dice(uint64_t *seed, unsigned sides)
{
	*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)((*seed >> 33) % sides);
}

static void count(unsigned *what)
{
	__atomic_add_fetch(what, 1, __ATOMIC_RELAXED);
}

/* Bytes that none of `letters` (a text) and not zero: evidence. */
static void look_at(struct soak *s, const char *where, uint64_t off, const char *bytes, unsigned n,
		    const char *letters)
{
	unsigned foreign = 0, first = 0;

	for (unsigned i = 0; i < n; i++)
		if (bytes[i] && !strchr(letters, bytes[i]) && foreign++ == 0)
			first = i;
	if (!foreign)
		return;
	spin_lock(&s->lock);
	if (!s->r->foreign)
		snprintf(s->r->text, sizeof(s->r->text), "'%c' at offset %lu of %s",
			 bytes[first] > 32 && bytes[first] < 127 ? bytes[first] : '?', off + first,
			 where);
	s->r->foreign += foreign;
	spin_unlock(&s->lock);
}

/* Reads pages of a file through the file layer and looks at them. */
static void look_at_file(struct soak *s, struct dax_inode *inode, const char *name, unsigned pages,
			 const char *letters)
{
	char *buf = malloc(PAGE_SIZE);

	for (unsigned i = 0; i < pages && buf; i++) {
		int64_t n = dax_read(inode, i * PAGE_SIZE, buf, PAGE_SIZE);

		if (n > 0)
			look_at(s, name, i * PAGE_SIZE, buf, (unsigned)n, letters);
	}
	free(buf);
}

/* Forgets the mapping's translations. A lifetime in which a mapping holds its page waits until the
 * last one goes, and does not take them away a second time (C-6). */
static void forget(struct soak *s)
{
	mm_advise(s->mm, s->va, F_PAGES * PAGE_SIZE, MM_DONT_NEED);
}

/*
 * Lets a layout change that is under way end, one time in `times`. Without it most lifetimes starve
 * the change: it waits for a page, and before it wakes the page is held anew (C-6).
 */
static void give_way(struct soak *s, uint64_t *seed, unsigned times)
{
	if (dice(seed, times))
		return;
	forget(s);
	wait_event(&s->changing, !__atomic_load_n(&s->changing, __ATOMIC_ACQUIRE),
		   "a layout change of F", "the layout thread of the soak");
}

/* ---- disk threads --------------------------------------------------------------------------- */

static bool take_one(struct soak *s)
{
	unsigned left = __atomic_load_n(&s->ops, __ATOMIC_RELAXED);

	while (left && !__atomic_compare_exchange_n(&s->ops, &left, left - 1, false,
						    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
	return left;
}

/* One transfer; false: the pages could not be had, as they are beyond the end of F just now. */
static bool transfer(struct disk_thread *t)
{
	struct soak *s = t->s;
	unsigned pages = 1 + dice(&t->seed, IO_PAGES);
	unsigned page = dice(&t->seed, F_PAGES - IO_PAGES + 1);
	bool in = !t->n || dice(&t->seed, 2);
	struct dio_request rq = {.disk = s->disk,
				 .dir = in ? DIO_READ : DIO_WRITE,
				 .sector = (in ? SOURCE : TARGET + t->n * IO_PAGES * 8),
				 .addr = s->va + page * PAGE_SIZE,
				 .len = pages * PAGE_SIZE,
				 .bounce = !t->n,
				 .place = "F"};
	int err;
	struct dio *d = dio_start(&rq, &err);

	if (!d) {
		count(&s->r->refused);
		return false;
	}
	err = dio_wait(d);
	dio_free(d);
	count(err ? &s->r->failed : &s->r->transfers);
	return true;
}

static void disk_thread(void *arg)
{
	struct disk_thread *t = arg;

	mm_use(t->s->mm);
	while (take_one(t->s)) {
		while (!transfer(t)) /* the layout thread makes F long again in its next round */
			thread_sleep_ns(200000);
		give_way(t->s, &t->seed, 2);
	}
	forget(t->s);
	mm_use(NULL);
	__atomic_sub_fetch(&t->s->busy, 1, __ATOMIC_RELEASE);
}

static unsigned busy_threads(const struct soak *s)
{
	return __atomic_load_n(&s->busy, __ATOMIC_ACQUIRE);
}

/* ---- the edu thread ------------------------------------------------------------------------- */

static void edu_thread(void *arg)
{
	struct soak *s = arg;
	uint64_t seed = 503;
	struct page *page;
	struct dma_job *job;
	int err;

	mm_use(s->mm);
	while (busy_threads(s)) {
		uint64_t addr = s->va + dice(&seed, F_PAGES) * PAGE_SIZE;

		if (get_user_pages_fast(addr, 1, FOLL_PIN | FOLL_WRITE, &page) != 1) {
			thread_sleep_ns(1000000);
			continue;
		}
		job = dma_start(scratch_edu(0), &page, 1, DMA_IN, EDU_TEXT, 1, &err);
		if (!job) {
			unpin_user_pages(&page, 1);
			break;
		}
		dma_wait(job);
		dma_free(job);
		count(&s->r->dmas);
		give_way(s, &seed, 1);
	}
	mm_use(NULL);
}

/* ---- the layout thread (who called) --------------------------------------------------------- */

/* F is long and has all its blocks again, as far as there are any. */
static void refill_f(struct soak *s, unsigned round)
{
	char buf[256];

	memset(buf, 'f', sizeof(buf));
	dax_truncate(s->g, 0);
	dax_truncate(s->f, F_PAGES * PAGE_SIZE);
	dax_fallocate(s->f, 0, F_PAGES * PAGE_SIZE, false);
	dax_write(s->f, round % F_PAGES * PAGE_SIZE, buf, sizeof(buf));
}

/* Every disk thread that is left has a completion held back. False: the timer was faster. */
static bool wait_for_window(struct soak *s)
{
	unsigned busy;

	bio_delay_arm(WINDOW_NS << MIN(s->r->rounds / 4, 4u));
	while (bio_delay_armed() && (busy = busy_threads(s))) {
		if (bio_delay_held() >= busy)
			return true;
		disk_moment();
	}
	return false;
}

static void let_blocks_go(struct soak *s, unsigned round)
{
	int err;

	__atomic_store_n(&s->changing, true, __ATOMIC_RELEASE);
	switch (s->punch_only ? 1 + round % 2 * 2 : round % 4) {
	case 0: err = dax_truncate(s->f, 0); break;
	case 1: err = dax_punch(s->f, 0, F_PAGES * PAGE_SIZE); break;
	case 2: err = dax_truncate(s->f, F_PAGES / 2 * PAGE_SIZE + 100); break;
	default:
		err = dax_punch(s->f, 0, F_PAGES / 2 * PAGE_SIZE);
		err = err ?: dax_punch(s->f, F_PAGES / 2 * PAGE_SIZE, F_PAGES / 2 * PAGE_SIZE);
	}
	__atomic_store_n(&s->changing, false, __ATOMIC_RELEASE);
	wake_up(&s->changing);
	s->r->changes += !err;
	s->r->waits += s->f->last_break.busy_seen != 0;
}

/* G takes every block that is free. */
static void write_g(struct soak *s)
{
	char *buf = malloc(PAGE_SIZE);

	if (buf)
		memset(buf, 'G', PAGE_SIZE);
	for (unsigned i = 0; i < G_PAGES && buf; i++)
		if (dax_write(s->g, i * PAGE_SIZE, buf, PAGE_SIZE) != (int64_t)PAGE_SIZE)
			break;
	free(buf);
}

static void play_round(struct soak *s)
{
	unsigned round = s->r->rounds;
	bool open;

	refill_f(s, round);
	open = wait_for_window(s);
	let_blocks_go(s, round);
	write_g(s);
	s->r->windows += open;
	bio_delay_off();
	look_at_file(s, s->g, "G", G_PAGES, "G");
	s->r->rounds++;
}

/* How far it is, in a line every two seconds, for who asked for it. */
static void tell(struct soak *s)
{
	uint64_t now = clock_ns();

	if (!s->told_ns || now - s->told_ns < 2000000000)
		return;
	s->told_ns = now;
	kprintf("  %u of %u transfers begun, %u rounds\n",
		s->all - __atomic_load_n(&s->ops, __ATOMIC_RELAXED), s->all, s->r->rounds);
}

static void play_rounds(struct soak *s)
{
	while (busy_threads(s)) {
		if (batch_stopped()) /* no transfer begins any more; those under way end */
			__atomic_store_n(&s->ops, 0, __ATOMIC_RELAXED);
		play_round(s);
		tell(s);
	}
}

/* ---- the whole ------------------------------------------------------------------------------ */

/* What the disk threads wrote to the disk. */
static void look_at_disk(struct soak *s)
{
	uint64_t frame = frame_alloc(3);
	unsigned pages = DISK_THREADS * IO_PAGES;

	_Static_assert(DISK_THREADS * IO_PAGES <= 8, "fits 2^3 frames");
	if (!frame || disk_move(s->disk, BIO_READ, TARGET, phys_to_virt(frame), pages))
		count(&s->r->failed);
	else
		look_at(s, "the disk", 0, phys_to_virt(frame), pages * PAGE_SIZE, "fDE");
	if (frame)
		frame_free(frame, 3);
}

static void run_threads(struct soak *s)
{
	struct disk_thread t[DISK_THREADS] = {0};
	struct thread *edu = NULL;

	for (unsigned i = 0; i < DISK_THREADS; i++) {
		t[i] = (struct disk_thread){.s = s, .n = i, .seed = 503 + i};
		__atomic_add_fetch(&s->busy, 1, __ATOMIC_RELEASE);
		t[i].thread = thread_create("soak disk", disk_thread, &t[i], 0);
		if (!t[i].thread)
			__atomic_sub_fetch(&s->busy, 1, __ATOMIC_RELEASE);
	}
	if (edu_count()) /* idle ones: soak_503() chose */
		edu = thread_create("soak edu", edu_thread, s, 0);
	play_rounds(s);
	for (unsigned i = 0; i < DISK_THREADS; i++)
		if (t[i].thread)
			thread_join(t[i].thread);
	if (edu)
		thread_join(edu);
}

static void unpin(struct soak *s)
{
	if (s->pinned)
		unpin_user_pages(&s->pinned, 1);
	s->pinned = NULL;
}

/* What is written at the end is looked at once more, when no device has anything left to do. */
static void look_at_all(struct soak *s)
{
	look_at_file(s, s->g, "G", G_PAGES, "G");
	look_at_file(s, s->f, "F", F_PAGES, "fDE");
	look_at_disk(s);
	if (!s->r->foreign)
		s->r->violations = check_all();
}

static void mounted(struct soak *s, bool held)
{
	struct soak_result *r = s->r;

	s->f = scratch_file("F", F_PAGES, 'f');
	s->g = scratch_file("G", 0, 0);
	if (!s->f || !s->g || dax_mmap(s->mm, s->f, 0, F_PAGES, true, &s->va) ||
	    scratch_fill("fill")) {
		r->skip = "no memory for the files";
	} else if (held && get_user_pages_fast(s->va + (F_PAGES - 1) * PAGE_SIZE, 1,
					       FOLL_PIN | FOLL_WRITE, &s->pinned) != 1) {
		r->skip = "the last page of F cannot be pinned";
	} else {
		run_threads(s);
		unpin(s);
		play_round(s);
		look_at_all(s);
	}
	if (s->va)
		mm_unmap(s->mm, s->va, F_PAGES * PAGE_SIZE);
	if (s->g)
		dax_put(s->g);
	if (s->f)
		dax_put(s->f);
}

void soak_503(const struct lifetime *lt, unsigned ops, bool held, struct soak_result *r)
{
	struct soak s = {.r = r,
			 .disk = block_nth(0),
			 .mm = current_mm(),
			 .punch_only = lt == &lifetime_lease_poll,
			 .ops = ops,
			 .all = ops,
			 .told_ns = r->tells ? clock_ns() : 0,
			 .lock = SPINLOCK_INIT("soak evidence")};
	const char *why = NULL;
	struct dax_fs *fs;

	*r = (struct soak_result){0};
	r->err = scratch_choose_disk();
	if (!r->err && edu_count())
		r->err = scratch_choose_edus(1);
	if (r->err)
		r->skip = refusal();
	else if (!scratch_region(&why))
		r->skip = why;
	else if (disk_fill(s.disk, SOURCE, "D", F_PAGES) ||
		 disk_fill(s.disk, TARGET, "D", DISK_THREADS * IO_PAGES))
		r->skip = "the disk cannot be written";
	else if (scratch_mount(SCRATCH_SMALL, lt, &fs, &why))
		r->skip = why;
	if (r->skip)
		return;
	bio_delay_off();
	mounted(&s, held);
	bio_delay_off();
	scratch_umount();
}

#define TEST_OPS 4

SELFTEST(soak_503_safe, "soak.503",
	 "generic/503: under every lifetime but unaware no byte of a device reaches a file that it "
	 "was not told of, and the invariants hold")
{
	const struct lifetime *lt;
	struct soak_result r = {0};

	for (unsigned n = 0; (lt = lifetime_nth(n)); n++) {
		if (lt == &lifetime_unaware)
			continue;
		soak_503(lt, TEST_OPS, false, &r);
		if (r.skip)
			SKIP("%s", r.skip);
		EXPECT(!r.foreign, "%s: %u bytes were another file's, first %s", lt->name,
		       r.foreign, r.text);
		EXPECT(!r.failed && !r.violations, "%s: %u disk errors, %u violation(s)", lt->name,
		       r.failed, r.violations);
		EXPECT(r.transfers == TEST_OPS && r.changes, "%s: %u transfers, %u layout changes",
		       lt->name, r.transfers, r.changes);
	}
}

SELFTEST(soak_503_held, "soak.503-refused-until-let-go",
	 "generic/503 under refuse-busy with a page of the file held throughout: each layout "
	 "change is "
	 "refused, and the one behind the last put succeeds")
{
	struct soak_result r = {0};

	soak_503(&lifetime_refuse_busy, 1, true, &r);
	if (r.skip)
		SKIP("%s", r.skip);
	EXPECT(r.rounds > 1 && r.changes == 1, "%u layout changes in %u rounds", r.changes,
	       r.rounds);
	EXPECT(!r.foreign && !r.failed && !r.violations, "%u foreign bytes, %u violation(s)",
	       r.foreign, r.violations);
}

SELFTEST(soak_503_unaware, "soak.503-unaware-corrupts",
	 "generic/503 under the lifetime unaware: a file holds bytes that a device wrote for "
	 "another")
{
	struct soak_result r = {0};

	/* A window in which the first reader was done, or had a page that stayed, shows nothing. */
	for (unsigned ops = TEST_OPS; ops <= 16 * TEST_OPS; ops *= 4) {
		soak_503(&lifetime_unaware, ops, false, &r);
		if (r.skip)
			SKIP("%s", r.skip);
		if (r.foreign)
			break;
	}
	EXPECT(r.windows, "no round had every completion held back");
	EXPECT(r.foreign, "%u windows, and no byte was out of place", r.windows);
}
