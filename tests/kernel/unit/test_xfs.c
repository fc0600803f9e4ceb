/* SPDX-License-Identifier: MIT */
/*
 * Self-tests after the cases of xfstests that have to do with DAX mappings; generic/NNN is xfs.NNN.
 * Restated, not translated: what each is about is in its claim.
 */
#include "tests/kernel/lib/fixture.h"

static void file_bytes(struct dax_inode *f, uint64_t off, char *buf, unsigned n)
{
	memset(buf, '?', n);
	dax_read(f, off, buf, n);
}

/* First byte of [off, off + len) that is not `c`, in the mapping or in the file; off + len: none.
 */
static uint64_t differs(struct fixture *fx, uint64_t va, uint64_t off, uint64_t len, char c)
{
	for (uint64_t i = off; i < off + len; i++) {
		char got;

		file_bytes(fx->inode[0], i, &got, 1);
		if (at(va)[i] != c || got != c)
			return i;
	}
	return off + len;
}

SELFTEST(xfs_029, "xfs.029",
	 "stores behind the end of the file, in its last page, are not in the file when it grows")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = fx_map(&fx, "f", 2, 'X'), bad;

	EXPECT_OR(out, va && !dax_truncate(fx.inode[0], 512), "%s", refusal());
	memset((void *)(va + 512), 'Z', 512); /* behind the end: to memory, not to the file */
	EXPECT_OR(out, !dax_truncate(fx.inode[0], 512), "%s", refusal());
	EXPECT_OR(out, !dax_truncate(fx.inode[0], 2 * PAGE_SIZE), "%s", refusal());
	bad = differs(&fx, va, 0, 512, 'X');
	EXPECT_OR(out, bad == 512, "byte %lu of the kept part", bad);
	bad = differs(&fx, va, 512, 2 * PAGE_SIZE - 512, 0);
	EXPECT_OR(out, bad == 2 * PAGE_SIZE, "byte %lu is 0x%x", bad, at(va)[bad]);
out:
	fixture_end(&fx);
}

SELFTEST(xfs_030, "xfs.030",
	 "the tail of a page is zero after truncate down and up, for each of several sizes")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = fx_map(&fx, "f", 4, 'X'), bad;

	EXPECT_OR(out, va, "not mapped");
	for (uint64_t size = 4 * PAGE_SIZE - 3; size > 1500; size -= 1499) {
		at(va)[size - 1] = 'e';
		EXPECT_OR(out, !dax_truncate(fx.inode[0], size), "%s", refusal());
		EXPECT_OR(out, !dax_truncate(fx.inode[0], 4 * PAGE_SIZE), "%s", refusal());
		bad = differs(&fx, va, size, MIN(2000ul, 4 * PAGE_SIZE - size), 0);
		EXPECT_OR(out,
			  bad == size + MIN(2000ul, 4 * PAGE_SIZE - size) &&
				  at(va)[size - 1] == 'e',
			  "size %lu, byte %lu", size, bad);
	}
out:
	fixture_end(&fx);
}

/* Copies `len` bytes from a mapping into file `to` the way direct I/O does: through the pinned
 * pages of the mapping, by write; or back, by read. Value: pages that could not be had. */
static unsigned through_pages(uint64_t va, struct dax_inode *to, uint64_t len, bool write)
{
	for (uint64_t off = 0; off < len; off += PAGE_SIZE) {
		uint64_t n = MIN(len - off, PAGE_SIZE);
		struct page *p;
		void *kaddr;

		if (get_user_pages_fast(va + off, 1, FOLL_PIN | (write ? 0 : FOLL_WRITE), &p) != 1)
			return 1;
		kaddr = page_to_virt(p);
		if (write)
			dax_write(to, off, kaddr, n);
		else
			dax_read(to, off, kaddr, n);
		unpin_user_pages(&p, 1);
	}
	return 0;
}

SELFTEST(xfs_413, "xfs.413",
	 "a mapping of one file is source and target of read and write of another, in four sizes")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	static const uint64_t size[] = {1024, PAGE_SIZE, 17 * PAGE_SIZE + 5, MIB};
	uint64_t va = fx_map(&fx, "from", MIB / PAGE_SIZE, 'f');
	struct dax_inode *to = scratch_file("to", 0, 0);
	char *copy = malloc(MIB);

	EXPECT_OR(out, va && to && copy, "no files");
	for (unsigned i = 0; i < ARRAY_SIZE(size); i++) {
		for (uint64_t b = 0; b < size[i]; b += 509)
			at(va)[b] = (char)(b / 509 + i);
		EXPECT_OR(out, !through_pages(va, to, size[i], true), "no page");
		dax_read(to, 0, copy, size[i]);
		EXPECT_OR(out, !memcmp(copy, (void *)va, size[i]), "out, size %lu", size[i]);
		memset((void *)va, 0, size[i]);
		EXPECT_OR(out, !through_pages(va, to, size[i], false), "no page");
		EXPECT_OR(out, !memcmp(copy, (void *)va, size[i]), "in, size %lu", size[i]);
	}
out:
	free(copy);
	if (to)
		dax_put(to);
	fixture_end(&fx);
}

SELFTEST(xfs_428, "xfs.428",
	 "a hole that was read through mappings shows what is written to the file after it")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = scratch_file("f", 0, 0);
	uint64_t shared, private;
	char a, b;

	EXPECT_OR(out, f && !dax_truncate(f, 3 * PAGE_SIZE), "no sparse file");
	shared = fx_map_as_is(&fx, f, 3, true);
	dax_get(f);
	private = fx_map_private(&fx, f, 3);
	a = at(shared)[PAGE_SIZE];
	b = at(private)[PAGE_SIZE];
	dax_write(f, PAGE_SIZE, "W", 1);
	EXPECT_OR(out, !a && !b && at(shared)[PAGE_SIZE] == 'W' && at(private)[PAGE_SIZE] == 'W',
		  "shared 0x%x, private 0x%x", at(shared)[PAGE_SIZE], at(private)[PAGE_SIZE]);
	b = at(private)[0];
	at(shared)[0] = 'S'; /* the hole is filled by a fault */
	EXPECT_OR(out, !b && at(private)[0] == 'S', "private 0x%x after a store", at(private)[0]);
out:
	fixture_end(&fx);
}

/* ---- races -------------------------------------------------------------------------------- */

/* Three threads race; each further CPU only makes a flush longer, which asks them all. */
#define ROUNDS (nr_cpus > 4 ? 100u : 300u)

struct race {
	struct mm *mm;
	struct dax_inode *f;
	uint64_t private, shared;
	uint64_t stored, lost; /* of the thread that stores */
	unsigned wrong;	       /* bytes that nobody ever put there; zero: all is well */
	bool stop;
};

/* Makes and drops private copies of a page that comes and goes. */
static void copy_and_forget(void *arg)
{
	struct race *r = arg;

	mm_use(r->mm);
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t *p = (uint64_t *)r->private, v;

		store_checked(&p[1], 0x7070707070707070ull); /* "pppppppp" */
		if (!load_checked(&p[0], &v)) /* the rest of the copied page: the file's, or zero */
			r->wrong += v != 0 && v != 0x6666666666666666ull;
		if (!load_checked(&p[1], &v))
			r->wrong += v != 0x7070707070707070ull;
		mm_advise(r->mm, r->private, PAGE_SIZE, MM_DONT_NEED);
	}
	__atomic_store_n(&r->stop, true, __ATOMIC_RELEASE);
	mm_use(NULL);
}

static void read_on(void *arg)
{
	struct race *r = arg;
	uint64_t v;

	mm_use(r->mm);
	while (!__atomic_load_n(&r->stop, __ATOMIC_ACQUIRE)) {
		if (!load_checked((uint64_t *)r->shared, &v))
			r->wrong += v != 0 && v != 0x6666666666666666ull;
		thread_yield();
	}
	mm_use(NULL);
}

SELFTEST(xfs_437, "xfs.437",
	 "private copies race with the discard of their page: no stale byte, no foreign one")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct race r = {.mm = current_mm(), .shared = fx_map(&fx, "f", 1, 'f')};
	struct thread *copier = NULL, *reader = NULL;
	int64_t before = anon_pages();
	char text[PAGE_SIZE / 8];

	memset(text, 'f', sizeof(text));
	EXPECT_OR(out, r.shared, "not mapped");
	r.f = fx.inode[0];
	dax_get(r.f);
	r.private = fx_map_private(&fx, r.f, 1);
	copier = thread_create("copier", copy_and_forget, &r, 0);
	reader = copier ? thread_create("reader", read_on, &r, 0) : NULL;
	while (copier && !__atomic_load_n(&r.stop, __ATOMIC_ACQUIRE)) {
		dax_punch(r.f, 0, PAGE_SIZE);
		dax_write(r.f, 0, text, 8);
	}
	if (copier)
		thread_join(copier);
	if (reader)
		thread_join(reader);
	EXPECT_OR(out, reader && !r.wrong, "%u words were wrong", r.wrong);
	EXPECT_OR(out, anon_pages() == before, "%ld pages lost", (long)(anon_pages() - before));
	EXPECT_OR(out, !check_all(), "an invariant is violated");
out:
	fixture_end(&fx);
}

#define GROWTH 64 /* pages */

/* Stores to each page as soon as the file reaches it. */
static void store_at_end(void *arg)
{
	struct race *r = arg;

	mm_use(r->mm);
	for (unsigned i = 0; i < GROWTH; i++) {
		while (store_checked((uint64_t *)(r->shared + i * PAGE_SIZE), i + 1)) {
			r->lost++; /* refused: the file is too short */
			if (__atomic_load_n(&r->stop, __ATOMIC_ACQUIRE))
				break;
			thread_yield();
		}
		r->stored++;
	}
	mm_use(NULL);
}

SELFTEST(xfs_438, "xfs.438",
	 "faults behind the end race with fallocate that extends: a store that succeeded is in the "
	 "file")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = scratch_file("f", 0, 0);
	struct race r = {.mm = current_mm(), .f = f};
	struct thread *th;
	unsigned missing = 0;
	int err = 0;

	EXPECT_OR(out, f, "no file");
	r.shared = fx_map_as_is(&fx, f, GROWTH, true);
	th = thread_create("stores", store_at_end, &r, 0);
	for (unsigned i = 0; i < GROWTH && th && !err; i++) {
		err = dax_fallocate(f, i * PAGE_SIZE, PAGE_SIZE, false);
		thread_yield();
	}
	if (err)
		__atomic_store_n(&r.stop, true, __ATOMIC_RELEASE);
	if (th)
		thread_join(th);
	EXPECT_OR(out, th && !err, "error %d", err);
	for (unsigned i = 0; i < GROWTH; i++) {
		uint64_t v = 0;

		dax_read(f, i * PAGE_SIZE, &v, sizeof(v));
		missing += v != i + 1;
	}
	EXPECT_OR(out, r.stored == GROWTH && !missing, "%lu stored, %u not in the file", r.stored,
		  missing);
out:
	fixture_end(&fx);
}

SELFTEST(xfs_567, "xfs.567",
	 "stores across a punched hole and across the end leave no stale byte when the file grows")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = fx_map(&fx, "f", 3, 'X'), bad;
	struct dax_inode *f;

	EXPECT_OR(out, va, "not mapped");
	f = fx.inode[0];
	memset((void *)va, 'Y', 3 * PAGE_SIZE);
	EXPECT_OR(out, !dax_punch(f, PAGE_SIZE / 2, 2 * PAGE_SIZE), "%s", refusal());
	bad = differs(&fx, va, PAGE_SIZE / 2, 2 * PAGE_SIZE, 0);
	EXPECT_OR(out, bad == 5 * PAGE_SIZE / 2, "byte %lu of the hole", bad);
	memset((void *)(va + PAGE_SIZE / 2), 'Z', PAGE_SIZE); /* over the edge of the hole */
	bad = differs(&fx, va, PAGE_SIZE / 2, PAGE_SIZE, 'Z');
	EXPECT_OR(out, bad == 3 * PAGE_SIZE / 2, "byte %lu of the store into the hole", bad);
	EXPECT_OR(out, !dax_truncate(f, PAGE_SIZE + 100), "%s", refusal());
	memset((void *)(va + PAGE_SIZE + 50), 'E', 200); /* across the end */
	EXPECT_OR(out, !dax_truncate(f, 3 * PAGE_SIZE), "%s", refusal());
	bad = differs(&fx, va, PAGE_SIZE + 50, 50, 'E');
	EXPECT_OR(out, bad == PAGE_SIZE + 100, "byte %lu before the end", bad);
	bad = differs(&fx, va, PAGE_SIZE + 100, 2 * PAGE_SIZE - 100, 0);
	EXPECT_OR(out, bad == 3 * PAGE_SIZE, "byte %lu behind the old end is 0x%x", bad,
		  at(va)[bad]);
out:
	fixture_end(&fx);
}
