/* SPDX-License-Identifier: MIT */
/*
 * Self-tests: everything at once, bounded by operations (stress.*).
 *
 * Each file has a letter, and only that letter is ever stored or written to it, by whatever path.
 * So every byte that is read from it must be its letter or zero; another letter means that a block
 * had two owners for a moment. Half of the threads share one address space, the others have their
 * own. References are given back before the mapping goes: what happens otherwise is C-1, which the
 * lifetime is known for.
 */
#include "tests/kernel/lib/fixture.h"

#define FILES	    3
#define PAGES	    12 /* of a file, at most */
#define MAX_WORKERS 8
#define OPERATIONS  400 /* of a worker */

struct worker {
	struct mm *mm; /* shared, or NULL: it makes one of its own */
	uint64_t seed;
	unsigned file; /* the one it works on now */
	struct dax_inode *inode;
	uint64_t va;	/* its mapping, PAGES pages; zero: none */
	unsigned wrong; /* bytes that were neither the letter nor zero; zero: all is well */
	unsigned short_of_memory;
	struct thread *thread;
};

static unsigned dice(struct worker *w, unsigned sides)
{
	w->seed = w->seed * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)((w->seed >> 33) % sides);
}

static char letter(const struct worker *w)
{
	return (char)('A' + w->file);
}

static const char *path(const struct worker *w)
{
	static const char *const names[FILES] = {SCRATCH_PATH "/a", SCRATCH_PATH "/b",
						 SCRATCH_PATH "/c"};

	return names[w->file];
}

static void look_at(struct worker *w, const char *bytes, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		w->wrong += bytes[i] != 0 && bytes[i] != letter(w);
}

static void let_go(struct worker *w)
{
	if (w->va)
		mm_unmap(current_mm(), w->va, PAGES * PAGE_SIZE);
	if (w->inode)
		dax_put(w->inode);
	w->va = 0;
	w->inode = NULL;
}

static void turn_to_a_file(struct worker *w)
{
	let_go(w);
	w->file = dice(w, FILES);
	if (dax_open(path(w), true, &w->inode))
		w->inode = NULL;
	else if (dax_mmap(current_mm(), w->inode, 0, PAGES, true, &w->va))
		w->va = 0;
	w->short_of_memory += !w->va;
}

static void touch(struct worker *w)
{
	uint64_t *at = (uint64_t *)(w->va + dice(w, PAGES * PAGE_SIZE / 8) * 8), v;

	if (dice(w, 2))
		store_checked(at, 0x0101010101010101ull * (uint8_t)letter(w));
	else if (!load_checked(at, &v))
		look_at(w, (char *)&v, sizeof(v));
}

static void hold(struct worker *w)
{
	struct page *pages[4];
	unsigned first = dice(w, PAGES - 3);
	long n = get_user_pages_fast(w->va + first * PAGE_SIZE, 1 + dice(w, 4),
				     FOLL_PIN | (dice(w, 2) ? FOLL_WRITE : 0), pages);

	if (n <= 0)
		return;
	if (!dice(w, 4))
		thread_yield();
	for (long i = 0; i < n; i++) /* held, so still this file's */
		look_at(w, page_to_virt(pages[i]), 64);
	unpin_user_pages(pages, n);
}

static void write_some(struct worker *w)
{
	char buf[200];

	memset(buf, letter(w), sizeof(buf));
	dax_write(w->inode, dice(w, PAGES * PAGE_SIZE - sizeof(buf)), buf, sizeof(buf));
}

static void read_some(struct worker *w)
{
	char buf[200];
	int64_t n = dax_read(w->inode, dice(w, PAGES * PAGE_SIZE), buf, sizeof(buf));

	if (n > 0)
		look_at(w, buf, (unsigned)n);
}

static void change_layout(struct worker *w)
{
	uint64_t off = dice(w, PAGES * PAGE_SIZE);

	switch (dice(w, 5)) {
	case 0: dax_truncate(w->inode, off); break;
	case 1: dax_punch(w->inode, off, 1 + dice(w, 3 * PAGE_SIZE)); break;
	case 2: dax_fallocate(w->inode, off, 1 + dice(w, 2 * PAGE_SIZE), false); break;
	case 3: dax_fsync(w->inode); break;
	case 4: dax_unlink(path(w)); break;
	}
}

static void work(void *arg)
{
	struct worker *w = arg;
	struct mm *own = w->mm ? NULL : mm_create("stress");

	w->short_of_memory += !w->mm && !own;
	mm_use(w->mm ? w->mm : own);
	if (own)
		mm_put(own); /* the thread holds it now */
	for (unsigned i = 0; i < OPERATIONS && !w->short_of_memory; i++) {
		if (!w->inode || !dice(w, 8))
			turn_to_a_file(w);
		else
			switch (dice(w, 8)) {
			case 0: write_some(w); break;
			case 1: read_some(w); break;
			case 2: change_layout(w); break;
			case 3:
			case 4: hold(w); break;
			default: touch(w);
			}
	}
	let_go(w);
	mm_use(NULL);
}

SELFTEST(stress_everything, "stress.everything",
	 "threads that map, touch, pin, write, truncate, punch and unlink the same files never see "
	 "another file's bytes, and leave every invariant intact")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct worker w[MAX_WORKERS] = {0};
	unsigned n = MIN(MAX(2 * nr_cpus, 3), MAX_WORKERS), wrong = 0, short_of_memory = 0,
		 violated;
	uint64_t before = fx_free_blocks(&fx);
	static uint64_t round; /* another order of events at every run */

	round++;
	for (unsigned i = 0; i < n; i++) {
		w[i] = (struct worker){.mm = i % 2 ? NULL : current_mm(), .seed = (round << 8) + i};
		w[i].thread = thread_create("stress", work, &w[i], 0);
		short_of_memory += !w[i].thread;
	}
	for (unsigned i = 0; i < n; i++)
		if (w[i].thread)
			thread_join(w[i].thread);
	for (unsigned i = 0; i < n; i++) {
		wrong += w[i].wrong;
		short_of_memory += w[i].short_of_memory;
	}
	violated = check_all();
	for (unsigned i = 0; i < FILES; i++)
		dax_unlink(path(&(struct worker){.file = i}));
	EXPECT_OR(out, !short_of_memory, "%u threads or mappings could not be made",
		  short_of_memory);
	EXPECT_OR(out, !wrong, "%u bytes of another file were seen", wrong);
	EXPECT_OR(out, !violated, "%u violation(s)", violated);
	EXPECT_OR(out, fx_free_blocks(&fx) == before, "%ld block(s) lost",
		  (long)(before - fx_free_blocks(&fx)));
out:
	fixture_end(&fx);
}

#define ROUNDS 25

/* One toucher and one writer, on a page that a third mapping shows as a hole. */
struct meeting {
	struct mm *mm;
	uint64_t va;
	unsigned round, done; /* the toucher does `round` when it changes; UINT32_MAX: it goes */
};

static void touch_every_round(void *arg)
{
	struct meeting *m = arg;
	uint64_t v;

	mm_use(m->mm);
	for (unsigned r = 0; r != UINT32_MAX;) {
		while (__atomic_load_n(&m->round, __ATOMIC_ACQUIRE) == r)
			cpu_pause();
		r = __atomic_load_n(&m->round, __ATOMIC_ACQUIRE);
		for (unsigned i = 0; i < 40 && r != UINT32_MAX; i++)
			load_checked((uint64_t *)(m->va + i % 4 * PAGE_SIZE), &v);
		__atomic_store_n(&m->done, r, __ATOMIC_RELEASE);
	}
	mm_use(NULL);
}

/* One round: pages 0 to 3 are holes, shown as zeroes at `va`; write fills them while others fault.
 */
static unsigned stale_after_write(struct dax_inode *f, uint64_t va, struct meeting *m, unsigned r)
{
	unsigned stale = 0;
	char buf[PAGE_SIZE];

	memset(buf, 'w', sizeof(buf));
	if (dax_truncate(f, 0) || dax_truncate(f, 4 * PAGE_SIZE))
		return 1;
	for (unsigned i = 0; i < 4; i++)
		stale += at(va)[i * PAGE_SIZE] != 0;
	__atomic_store_n(&m->round, r, __ATOMIC_RELEASE);
	for (unsigned i = 0; i < 4; i++)
		stale += dax_write(f, i * PAGE_SIZE, buf, PAGE_SIZE) != (int64_t)PAGE_SIZE;
	for (unsigned i = 0; i < 4; i++)
		stale += at(va)[i * PAGE_SIZE] != 'w';
	while (__atomic_load_n(&m->done, __ATOMIC_ACQUIRE) != r)
		thread_yield();
	return stale;
}

SELFTEST(stress_write_into_hole, "stress.write-into-hole",
	 "write into a hole is seen by a mapping that showed zeroes, while another mapping faults "
	 "the same page")
{
	struct meeting m = {.mm = current_mm()};
	struct thread *th = NULL;
	struct dax_inode *f;
	unsigned stale = 0;
	uint64_t va;

	if (nr_cpus < 2)
		SKIP("needs two CPUs (SMP=2)");
	FIXTURE(fx, LIFETIME_DEFAULT);
	f = scratch_file("f", 0, 0);
	EXPECT_OR(out, f, "no file");
	va = fx_map_as_is(&fx, f, 4, true);
	dax_get(f);
	m.va = fx_map_as_is(&fx, f, 4, true);
	if (va && m.va)
		th = thread_create("toucher", touch_every_round, &m, 0);
	EXPECT_OR(out, th, "no memory");
	for (unsigned r = 1; r <= ROUNDS; r++)
		stale += stale_after_write(f, va, &m, r);
	__atomic_store_n(&m.round, UINT32_MAX, __ATOMIC_RELEASE);
	thread_join(th);
	EXPECT_OR(out, !stale, "%u pages went on showing zeroes", stale);
out:
	fixture_end(&fx);
}

struct opener {
	bool stop;
	unsigned long opened, refused;
	struct thread *thread;
};

static void open_and_close(void *arg)
{
	struct opener *o = arg;
	struct dax_inode *inode;

	while (!__atomic_load_n(&o->stop, __ATOMIC_ACQUIRE)) {
		if (dax_open(SCRATCH_PATH "/f", true, &inode)) {
			o->refused++;
			thread_yield();
			continue;
		}
		dax_unlink(SCRATCH_PATH "/f");
		dax_put(inode);
		if (++o->opened % 4 == 0) /* let umount through: it needs a moment without opens */
			thread_sleep_ns(50000);
	}
}

SELFTEST(stress_umount, "stress.umount-against-opens",
	 "umount takes a file system away only while nobody opens, removes or frees a file on it")
{
	struct opener o[2] = {0};
	unsigned mounted = 0, failed = 0;
	const char *why;

	if (!scratch_region(&why))
		SKIP("%s", why);
	for (unsigned i = 0; i < 2; i++) {
		o[i].thread = thread_create("opener", open_and_close, &o[i], 0);
		failed += !o[i].thread;
	}
	for (unsigned i = 0; i < 12; i++) {
		struct dax_fs *fs;

		if (scratch_mount(SCRATCH_SMALL, LIFETIME_DEFAULT, &fs, &why)) {
			failed++;
			continue;
		}
		mounted++;
		thread_sleep_ns(i * 200000);
		while (dax_umount(SCRATCH_PATH) == -EBUSY)
			thread_yield();
	}
	for (unsigned i = 0; i < 2; i++) {
		__atomic_store_n(&o[i].stop, true, __ATOMIC_RELEASE);
		if (o[i].thread)
			thread_join(o[i].thread);
	}
	EXPECT(mounted == 12 && !failed, "%u of 12 mounts, %u failures", mounted, failed);
	EXPECT(o[0].opened + o[1].opened, "nothing was opened");
}
