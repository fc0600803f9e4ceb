/* SPDX-License-Identifier: MIT */
/* Self-tests: private mappings of files, and direct I/O by a device (private.*, dio.*). */
#include "tests/kernel/lib/fixture.h"

#define PIN (FOLL_PIN | FOLL_WRITE)

static char file_byte(struct dax_inode *inode, uint64_t off)
{
	char c = '?';

	dax_read(inode, off, &c, 1);
	return c;
}

SELFTEST(private_copies, "private.copies",
	 "a store to a private mapping is seen there alone: not by the file, not by another one")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = scratch_file("f", 2, 'a');
	int64_t before = anon_pages();
	uint64_t a, b;

	EXPECT_OR(out, f, "no file");
	a = fx_map_private(&fx, f, 2);
	dax_get(f);
	b = fx_map_private(&fx, f, 2);
	at(a)[PAGE_SIZE + 3] = 'x';
	EXPECT_OR(out, at(a)[PAGE_SIZE + 3] == 'x' && at(a)[PAGE_SIZE + 4] == 'a',
		  "not copied whole");
	EXPECT_OR(out, at(b)[PAGE_SIZE + 3] == 'a' && file_byte(f, PAGE_SIZE + 3) == 'a',
		  "the other '%c', the file '%c'", at(b)[PAGE_SIZE + 3],
		  file_byte(f, PAGE_SIZE + 3));
	EXPECT_OR(out, anon_pages() == before + 1, "%ld copies", (long)(anon_pages() - before));
	EXPECT_OR(out, !check_all(), "an invariant is violated");
	fx_unmap(&fx, a);
	EXPECT_OR(out, anon_pages() == before, "%ld pages lost", (long)(anon_pages() - before));
out:
	fixture_end(&fx);
}

SELFTEST(private_shows_file, "private.shows-file",
	 "until it is stored to, a private page is the file's own, and shows what others write")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t shared = fx_map(&fx, "f", 2, 'a'), private;
	char was;

	EXPECT_OR(out, shared, "not mapped");
	dax_get(fx.inode[0]);
	private = fx_map_private(&fx, fx.inode[0], 2);
	was = at(private)[0];
	at(shared)[0] = 'b';
	EXPECT_OR(out, was == 'a' && at(private)[0] == 'b', "'%c', then '%c'", was, at(private)[0]);
	EXPECT_OR(out, fx_va_to_page(private) == fx_va_to_page(shared), "two pages");
	at(private)[1] = 'p';
	at(shared)[0] = 'c';
	EXPECT_OR(out, at(private)[0] == 'b' && at(shared)[1] == 'a',
		  "'%c' and '%c' after the copy", at(private)[0], at(shared)[1]);
out:
	fixture_end(&fx);
}

SELFTEST(private_count_dropped, "private.count-dropped",
	 "the copy takes the mapping count of the file's page away, and leaves it at rest")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = scratch_file("f", 1, 'a');
	uint64_t va;
	struct page *p;
	uint32_t maps;

	EXPECT_OR(out, f, "no file");
	va = fx_map_private(&fx, f, 1);
	EXPECT_OR(out, at(va)[0] == 'a', "'%c'", at(va)[0]);
	p = fx_va_to_page(va);
	maps = page_maps(p);
	at(va)[0] = 'x';
	EXPECT_OR(out, maps == 1 && page_maps(p) == 0 && page_refs(p) == p->pgmap->rest,
		  "%u mapping(s), then %u", maps, page_maps(p));
out:
	fixture_end(&fx);
}

SELFTEST(private_hole, "private.hole", "a store to a private hole copies zeroes and takes no block")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = scratch_file("f", 0, 0);
	uint64_t va, before;
	char read_first;

	EXPECT_OR(out, f && !dax_truncate(f, 4 * PAGE_SIZE), "no sparse file");
	va = fx_map_private(&fx, f, 4);
	before = fx_free_blocks(&fx);
	read_first = at(va)[0];
	at(va)[0] = at(va)[PAGE_SIZE] = 'x'; /* one after a read, one at once */
	EXPECT_OR(out, !read_first && at(va)[0] == 'x' && !at(va)[1] && !at(va)[PAGE_SIZE + 1],
		  "0x%x 0x%x", at(va)[1], at(va)[PAGE_SIZE + 1]);
	EXPECT_OR(out, fx_free_blocks(&fx) == before && file_byte(f, 0) == 0, "%ld blocks taken",
		  (long)(before - fx_free_blocks(&fx)));
out:
	fixture_end(&fx);
}

SELFTEST(private_sync, "private.sync",
	 "fsync and msync leave private copies and the file as they are")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = scratch_file("f", 1, 'a');
	struct page *p;
	uint64_t va;

	EXPECT_OR(out, f, "no file");
	va = fx_map_private(&fx, f, 1);
	at(va)[0] = 'x';
	p = fx_va_to_page(va);
	EXPECT_OR(out, !dax_fsync(f) && !mm_sync(current_mm(), va, PAGE_SIZE), "%s", refusal());
	EXPECT_OR(out, file_byte(f, 0) == 'a' && at(va)[0] == 'x' && fx_va_to_page(va) == p,
		  "the file '%c', the mapping '%c'", file_byte(f, 0), at(va)[0]);
out:
	fixture_end(&fx);
}

SELFTEST(
	private_truncate, "private.truncate",
	"a punched hole leaves private copies; truncate takes those beyond the end, and only those")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = scratch_file("f", 4, 'a');
	int64_t before = anon_pages();
	uint64_t va, v;

	EXPECT_OR(out, f, "no file");
	va = fx_map_private(&fx, f, 4);
	at(va)[0] = at(va)[PAGE_SIZE] = at(va)[3 * PAGE_SIZE] = 'x';
	EXPECT_OR(out, at(va)[2 * PAGE_SIZE] == 'a', "'%c'", at(va)[2 * PAGE_SIZE]);
	EXPECT_OR(out, !dax_punch(f, PAGE_SIZE, 2 * PAGE_SIZE), "%s", refusal());
	EXPECT_OR(out, at(va)[PAGE_SIZE] == 'x' && at(va)[2 * PAGE_SIZE] == 0,
		  "the copy 0x%x, the file's page 0x%x", at(va)[PAGE_SIZE], at(va)[2 * PAGE_SIZE]);
	EXPECT_OR(out, !dax_truncate(f, 2 * PAGE_SIZE), "%s", refusal());
	EXPECT_OR(out, load_checked((uint64_t *)(va + 3 * PAGE_SIZE), &v) == -EFAULT,
		  "still there");
	EXPECT_OR(out, at(va)[0] == 'x' && at(va)[PAGE_SIZE] == 'x',
		  "a copy before the end is lost");
	EXPECT_OR(out, anon_pages() == before + 2, "%ld copies", (long)(anon_pages() - before));
	EXPECT_OR(out, !dax_truncate(f, 4 * PAGE_SIZE) && at(va)[3 * PAGE_SIZE] == 0,
		  "the old copy is back: 0x%x", at(va)[3 * PAGE_SIZE]);
out:
	fixture_end(&fx);
}

SELFTEST(private_gup, "private.gup",
	 "gup for writing gets a copy, and what a device writes there is not in the file")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = scratch_file("f", 1, 'a');
	struct page *file_page, *p;
	uint64_t va;
	long n;

	EXPECT_OR(out, f, "no file");
	va = fx_map_private(&fx, f, 1);
	EXPECT_OR(out, at(va)[0] == 'a', "'%c'", at(va)[0]);
	file_page = fx_va_to_page(va);
	EXPECT_OR(out, get_user_pages_fast(va, 1, PIN | FOLL_FAST_ONLY, &p) == 0,
		  "the fast path gave the file's page to a writer");
	n = get_user_pages_fast(va, 1, PIN, &p);
	EXPECT_OR(out, n == 1 && p != file_page && p == fx_va_to_page(va),
		  "%ld page(s), the file's: %d", n, p == file_page);
	memset(page_to_virt(p), 'D', 8); /* the device */
	unpin_user_pages(&p, 1);
	EXPECT_OR(out, at(va)[0] == 'D' && file_byte(f, 0) == 'a',
		  "the mapping '%c', the file '%c'", at(va)[0], file_byte(f, 0));
	EXPECT_OR(out, get_user_pages_fast(va, 1, PIN | FOLL_LONGTERM, &p) == -EOPNOTSUPP,
		  "a long-term pin of a file's mapping");
out:
	fixture_end(&fx);
}

SELFTEST(private_no_break, "private.no-wait",
	 "truncate does not wait for a pinned private copy, and the pin keeps the copy")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = scratch_file("f", 1, 'a');
	int64_t before = anon_pages(), held;
	struct page *p;
	uint64_t va;
	char c;

	EXPECT_OR(out, f, "no file");
	va = fx_map_private(&fx, f, 1);
	EXPECT_OR(out, get_user_pages_fast(va, 1, PIN, &p) == 1, "no page");
	EXPECT_OR(put, !dax_truncate(f, 0), "%s", refusal());
	held = anon_pages() - before;
	c = *(char *)page_to_virt(p);
	EXPECT_OR(put, held == 1 && c == 'a' && !f->last_break.waited_ns, "%ld held, '%c'",
		  (long)held, c);
put:
	unpin_user_pages(&p, 1);
	EXPECT_OR(out, anon_pages() == before, "%ld pages lost", (long)(anon_pages() - before));
out:
	fixture_end(&fx);
}

SELFTEST(private_fork, "private.fork",
	 "after fork parent and child share the copies and the file, until each stores")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = scratch_file("f", 2, 'a');
	struct mm *self = current_mm(), *child;
	int64_t before = anon_pages();
	char seen, copied, parent;
	uint64_t va;

	EXPECT_OR(out, f, "no file");
	va = fx_map_private(&fx, f, 2);
	at(va)[0] = 'x';
	child = mm_fork(self, "child");
	EXPECT_OR(out, child, "no memory");
	mm_get(self);
	mm_use(child);
	seen = at(va)[0];
	at(va)[0] = 'k';
	at(va)[PAGE_SIZE] = 'k';
	copied = at(va)[0];
	mm_use(self);
	mm_put(self);
	parent = at(va)[0];
	at(va)[0] = 'y';
	mm_put(child);
	EXPECT_OR(out, seen == 'x' && copied == 'k' && parent == 'x' && at(va)[PAGE_SIZE] == 'a',
		  "the child '%c', its copy '%c', the parent '%c'", seen, copied, parent);
	EXPECT_OR(out, file_byte(f, 0) == 'a' && anon_pages() == before + 1, "%ld copies",
		  (long)(anon_pages() - before));
out:
	fixture_end(&fx);
}

/* ---- every allocation fails once ------------------------------------------------------------- */

static bool private_round(struct dax_inode *f, uint64_t nth)
{
	struct mm *mm = mm_create("test"), *child;
	uint64_t va = 0;
	bool failed = true;

	if (!mm)
		return false;
	alloc_fail_nth(nth);
	if (!dax_mmap_private(mm, f, 0, 4, true, &va)) {
		mm_fault(mm, va, false);
		mm_fault(mm, va, true);
		mm_fault(mm, va + PAGE_SIZE, true);
		mm_unmap(mm, va + 2 * PAGE_SIZE, PAGE_SIZE);
		child = mm_fork(mm, "child");
		mm_fault(mm, va, true);
		if (child)
			mm_put(child);
	}
	alloc_fail_count(&failed);
	alloc_fail_nth(0);
	mm_put(mm);
	return failed;
}

SELFTEST(
	private_no_memory, "private.no-memory",
	"each allocation of a private mapping, its copies and its fork fails once; nothing is lost")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = scratch_file("f", 4, 'a');
	int64_t before = anon_pages();
	uint64_t n = 1;

	EXPECT_OR(out, f, "no file");
	fx_map_as_is(&fx, f, 4, true);
	while (n < 1000 && private_round(f, n))
		n++;
	EXPECT_OR(out, n > 8 && n < 1000, "%lu allocations failed", n - 1);
	EXPECT_OR(out, anon_pages() == before && f->refs == 2,
		  "%ld pages lost, %u users of the file", (long)(anon_pages() - before), f->refs);
	EXPECT_OR(out, file_byte(f, 0) == 'a' && !check_all(), "the file was changed");
out:
	fixture_end(&fx);
}

/* ---- direct I/O: a device in the place of a file opened with O_DIRECT --------------------- */

/* One transfer of the page at va; value: what the device got of it (DMA_OUT), "" or NULL: failed.
 */
static const char *transfer(uint64_t va, enum dma_dir dir, const char *text, char *got)
{
	struct dma_job *job;
	struct page *p;
	int err;

	if (get_user_pages_fast(va, 1, FOLL_PIN | (dir == DMA_IN ? FOLL_WRITE : 0), &p) != 1)
		return NULL;
	job = dma_start(scratch_edu(0), &p, 1, dir, text, 1, &err);
	if (!job) {
		unpin_user_pages(&p, 1);
		return NULL;
	}
	dma_wait(job);
	got[0] = '\0';
	if (dir == DMA_OUT) {
		memcpy(got, dma_received(job), 8);
		got[8] = '\0';
	}
	dma_free(job);
	return got;
}

#define DIRECT(fx)                                                                                 \
	char got[9];                                                                               \
	if (scratch_choose_edus(1))                                                                \
		SKIP("%s", refusal());                                                             \
	FIXTURE(fx, LIFETIME_DEFAULT)

/* At the end of each case: no reference is left on any page of the mapping. */
static bool at_rest(struct fixture *fx, unsigned pages)
{
	for (unsigned i = 0; i < pages; i++) {
		const struct page *p = fx_va_to_page(fx->va[0] + i * PAGE_SIZE);

		if (p && page_refs(p) != p->pgmap->rest)
			return false;
	}
	return true;
}

SELFTEST(directio_0, "dio.untouched-then-read-faulted",
	 "a device reads a page nobody touched, then writes one that was only read")
{
	DIRECT(fx);
	uint64_t va = fx_map(&fx, "f", 2, 'a');
	char c;

	EXPECT_OR(out, va && transfer(va, DMA_OUT, NULL, got), "not transferred");
	EXPECT_OR(out, !strcmp(got, "aaaaaaaa"), "the device got '%s'", got);
	c = at(va)[PAGE_SIZE];
	EXPECT_OR(out, c == 'a' && transfer(va + PAGE_SIZE, DMA_IN, "device ", got),
		  "not transferred");
	EXPECT_OR(out, !memcmp((void *)(va + PAGE_SIZE), "device device", 13), "'%.8s'",
		  (char *)va + PAGE_SIZE);
	EXPECT_OR(out, at_rest(&fx, 2), "references are left");
out:
	fixture_end(&fx);
}

SELFTEST(
	directio_1, "dio.out-and-into-memory",
	"text stored through a mapping is what a device reads, and it comes back into memory equal")
{
	DIRECT(fx);
	uint64_t va = fx_map(&fx, "f", 1, 'a'), buf = 0;
	struct mm *mm = current_mm();
	int64_t before = anon_pages();

	EXPECT_OR(out, va && !mm_map_anon(mm, &buf, PAGE_SIZE, true), "not mapped");
	memcpy((void *)va, "known :)", 8);
	EXPECT_OR(unmap, transfer(va, DMA_OUT, NULL, got) && !strcmp(got, "known :)"), "'%s'", got);
	EXPECT_OR(unmap, transfer(buf, DMA_IN, "known :)", got), "not transferred");
	EXPECT_OR(unmap, !memcmp((void *)buf, (void *)va, 8), "'%.8s'", (char *)buf);
	EXPECT_OR(unmap, at_rest(&fx, 1) && page_refs(fx_va_to_page(buf)) == 0,
		  "references are left");
unmap:
	mm_unmap(mm, buf, PAGE_SIZE);
	EXPECT_OR(out, anon_pages() == before, "%ld pages lost", (long)(anon_pages() - before));
out:
	fixture_end(&fx);
}

SELFTEST(directio_2, "dio.fork-sees-text",
	 "a child sees the text that was stored before the fork, and a device reads it from both")
{
	DIRECT(fx);
	uint64_t va = fx_map(&fx, "f", 1, 'a');
	struct mm *self = current_mm(), *child;
	bool same, sent;

	EXPECT_OR(out, va, "not mapped");
	memcpy((void *)va, "forktext", 8);
	child = mm_fork(self, "child");
	EXPECT_OR(out, child, "no memory");
	mm_get(self);
	mm_use(child);
	same = !memcmp((void *)va, "forktext", 8);
	sent = transfer(va, DMA_OUT, NULL, got) && !strcmp(got, "forktext");
	mm_use(self);
	mm_put(self);
	mm_put(child);
	EXPECT_OR(out, same && sent, "seen %d, the device got '%s'", same, got);
	EXPECT_OR(out, transfer(va, DMA_OUT, NULL, got) && !strcmp(got, "forktext"), "'%s'", got);
	EXPECT_OR(out, at_rest(&fx, 1), "references are left");
out:
	fixture_end(&fx);
}

SELFTEST(directio_3, "dio.read-then-write",
	 "a read-only entry becomes writable by a store or a device, and no byte is lost")
{
	DIRECT(fx);
	uint64_t va = fx_map(&fx, "f", 1, 'a');
	char c;

	EXPECT_OR(out, va, "not mapped");
	c = at(va)[2048];
	at(va)[2049] = 'w';
	EXPECT_OR(out, c == 'a' && at(va)[2048] == 'a' && at(va)[2049] == 'w', "'%c' '%c'",
		  at(va)[2048], at(va)[2049]);
	EXPECT_OR(out, !dax_fsync(fx.inode[0]), "%s", refusal()); /* read-only again */
	EXPECT_OR(out, transfer(va, DMA_IN, "dddddddd", got), "not transferred");
	EXPECT_OR(out, at(va)[0] == 'd' && file_byte(fx.inode[0], 2049) == 'd', "'%c' '%c'",
		  at(va)[0], file_byte(fx.inode[0], 2049));
	EXPECT_OR(out, at_rest(&fx, 1), "references are left");
out:
	fixture_end(&fx);
}

SELFTEST(directio_4, "dio.into-untouched",
	 "a device writes into a page nobody touched, a hole: it gets a block, and the file has "
	 "the bytes")
{
	DIRECT(fx);
	struct dax_inode *f = scratch_file("f", 0, 0);
	uint64_t va;

	EXPECT_OR(out, f && !dax_truncate(f, 2 * PAGE_SIZE), "no sparse file");
	va = fx_map_as_is(&fx, f, 2, true);
	EXPECT_OR(out, transfer(va + PAGE_SIZE, DMA_IN, "straight", got), "not transferred");
	EXPECT_OR(out, file_byte(f, PAGE_SIZE) == 's' && at(va)[PAGE_SIZE + 1] == 't' && !at(va)[0],
		  "'%c' '%c'", file_byte(f, PAGE_SIZE), at(va)[PAGE_SIZE + 1]);
	EXPECT_OR(out, at_rest(&fx, 2), "references are left");
out:
	fixture_end(&fx);
}
