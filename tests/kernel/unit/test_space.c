/* SPDX-License-Identifier: MIT */
/* Self-tests: cutting, protecting, moving and forgetting what is mapped (space.*). */
#include "tests/kernel/lib/fixture.h"

#define RW (VM_READ | VM_WRITE)

static bool reaches(uint64_t va)
{
	uint64_t v;

	return !load_checked((uint64_t *)va, &v);
}

/* A file whose page n holds the letter 'A' + n, all of it mapped; 0: it could not be done. */
static uint64_t alphabet(struct fixture *fx, unsigned pages)
{
	uint64_t va = fx_map(fx, "abc", pages, '-');

	for (unsigned i = 0; va && i < pages; i++)
		dax_write(fx->inode[0], i * PAGE_SIZE, &(char){'A' + i}, 1);
	return va;
}

SELFTEST(space_bad_arguments, "space.bad-arguments",
	 "ranges, rights and advice that make no sense are refused")
{
	struct mm *mm = current_mm();
	uint64_t to = 0x30000, over = 0x21000;

	EXPECT(mm_unmap(mm, 0x20001, PAGE_SIZE) == -EINVAL, "unmap: unaligned");
	EXPECT(mm_unmap(mm, 0x20000, 0) == -EINVAL, "unmap: no length");
	EXPECT(mm_unmap(mm, 0x20000, PAGE_SIZE) == -EINVAL, "unmap: nothing is there");
	EXPECT(mm_protect(mm, 0x20000, 100, RW) == -EINVAL, "protect: half a page");
	EXPECT(mm_protect(mm, 0x20000, PAGE_SIZE, VM_WRITE) == -EINVAL, "protect: write only");
	EXPECT(mm_protect(mm, 0x20000, PAGE_SIZE, VM_READ | VM_SHARED) == -EINVAL, "other flags");
	EXPECT(mm_protect(mm, 0x20000, PAGE_SIZE, RW) == -ENOMEM, "protect: nothing is there");
	EXPECT(mm_protect(mm, DIRECT_BASE, PAGE_SIZE, RW) == -EINVAL, "protect: kernel memory");
	EXPECT(mm_remap(mm, 0x20000, PAGE_SIZE, &to) == -EFAULT, "remap: nothing is there");
	EXPECT(mm_remap(mm, 0x20000, 2 * PAGE_SIZE, &over) == -EINVAL, "remap onto itself");
	EXPECT(mm_advise(mm, 0x20000, PAGE_SIZE, 77) == -EINVAL, "unknown advice");
	EXPECT(mm_advise(mm, 0x20000, PAGE_SIZE, MM_HUGE) == -ENOMEM, "advice: nothing is there");
	EXPECT(mm_sync(mm, 0x20000, PAGE_SIZE) == -ENOMEM, "sync: nothing is there");
}

SELFTEST(space_unmap_middle, "space.unmap-middle",
	 "a piece out of the middle goes, and both sides still show their own file pages")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = alphabet(&fx, 6);

	EXPECT_OR(out, va, "not mapped");
	for (unsigned i = 0; i < 6; i += 2)
		EXPECT_OR(out, reaches(va + i * PAGE_SIZE), "page %u is not there", i);
	EXPECT_OR(out, !mm_unmap(current_mm(), va + 2 * PAGE_SIZE, 2 * PAGE_SIZE), "refused");
	for (unsigned i = 0; i < 6; i++) {
		bool gone = i == 2 || i == 3;

		EXPECT_OR(out, reaches(va + i * PAGE_SIZE) != gone, "page %u: gone %d", i, !gone);
		EXPECT_OR(out, gone || at(va)[i * PAGE_SIZE] == 'A' + (char)i, "page %u shows '%c'",
			  i, at(va)[i * PAGE_SIZE]);
	}
out:
	fixture_end(&fx);
}

SELFTEST(space_split_pgoff, "space.split-pgoff",
	 "each part of a mapping that was cut begins at the file page where the one before ends")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct mm *mm = current_mm();
	uint64_t va = alphabet(&fx, 8), pgoff[4] = {0};
	unsigned before = mm->nr_vmas;

	EXPECT_OR(out, va, "not mapped");
	EXPECT_OR(out, !mm_protect(mm, va + 2 * PAGE_SIZE, PAGE_SIZE, VM_READ), "first cut");
	EXPECT_OR(out, !mm_protect(mm, va + 5 * PAGE_SIZE, 3 * PAGE_SIZE, VM_READ), "second cut");
	down_read(&mm->mmap_lock);
	for (unsigned i = 0; i < 4; i++)
		pgoff[i] = mm_find_vma(mm, va + (uint64_t[]){0, 2, 3, 5}[i] * PAGE_SIZE)->pgoff;
	up_read(&mm->mmap_lock);
	EXPECT_OR(out, mm->nr_vmas == before + 3, "%u parts", mm->nr_vmas - before + 1);
	EXPECT_OR(out, pgoff[0] == 0 && pgoff[1] == 2 && pgoff[2] == 3 && pgoff[3] == 5,
		  "%lu %lu %lu %lu", pgoff[0], pgoff[1], pgoff[2], pgoff[3]);
	for (unsigned i = 0; i < 8; i++)
		EXPECT_OR(out, at(va)[i * PAGE_SIZE] == 'A' + (char)i, "page %u shows '%c'", i,
			  at(va)[i * PAGE_SIZE]);
out:
	fixture_end(&fx);
}

SELFTEST(space_unmap_across, "space.unmap-across",
	 "one unmap takes the end of one mapping, a gap, and the beginning of another")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t a = 0x40000000, b = a + 8 * PAGE_SIZE;
	struct mm *mm = current_mm();
	bool left, right, gone;

	EXPECT_OR(out, !mm_map_anon(mm, &a, 4 * PAGE_SIZE, true), "not mapped");
	EXPECT_OR(first, !mm_map_anon(mm, &b, 4 * PAGE_SIZE, true), "not mapped twice");
	EXPECT_OR(both, !mm_unmap(mm, a + 3 * PAGE_SIZE, 6 * PAGE_SIZE), "refused");
	left = reaches(a + 2 * PAGE_SIZE);
	right = reaches(b + PAGE_SIZE);
	gone = !reaches(a + 3 * PAGE_SIZE) && !reaches(b);
	EXPECT_OR(both, left && right && gone, "left %d, right %d, gone %d", left, right, gone);
both:
	mm_unmap(mm, b, 4 * PAGE_SIZE);
first:
	mm_unmap(mm, a, 4 * PAGE_SIZE);
out:
	fixture_end(&fx);
}

SELFTEST(space_parts_hold_the_file, "space.parts-hold-the-file",
	 "every part of a mapping holds the file once, and gives it back when it goes")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = alphabet(&fx, 5);
	unsigned whole, cut, one;

	EXPECT_OR(out, va, "not mapped");
	whole = fx.inode[0]->refs;
	EXPECT_OR(out, !mm_unmap(current_mm(), va + 2 * PAGE_SIZE, PAGE_SIZE), "refused");
	cut = fx.inode[0]->refs;
	EXPECT_OR(out, !mm_unmap(current_mm(), va, 2 * PAGE_SIZE), "refused");
	one = fx.inode[0]->refs;
	fx_unmap(&fx, va);
	EXPECT_OR(out, whole == 2 && cut == 3 && one == 2 && fx.inode[0]->refs == 1,
		  "whole %u, in two %u, one left %u, at the end %u", whole, cut, one,
		  fx.inode[0]->refs);
out:
	fixture_end(&fx);
}

SELFTEST(space_truncate_finds_parts, "space.truncate-finds-parts",
	 "truncate takes its pages from every part of a mapping that was cut")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = alphabet(&fx, 6);

	EXPECT_OR(out, va, "not mapped");
	EXPECT_OR(out, !mm_protect(current_mm(), va + 2 * PAGE_SIZE, PAGE_SIZE, VM_READ), "no cut");
	for (unsigned i = 0; i < 6; i++)
		EXPECT_OR(out, reaches(va + i * PAGE_SIZE), "page %u is not there", i);
	EXPECT_OR(out, !dax_truncate(fx.inode[0], PAGE_SIZE), "%s", refusal());
	for (unsigned i = 0; i < 6; i++)
		EXPECT_OR(out, reaches(va + i * PAGE_SIZE) == !i, "page %u", i);
out:
	fixture_end(&fx);
}

/* ---- rights ---------------------------------------------------------------------------------- */

SELFTEST(space_protect, "space.protect",
	 "a right that is taken is gone at once, for the piece only, and comes back when it is "
	 "given")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = alphabet(&fx, 3);
	struct mm *mm = current_mm();
	int middle, side;

	EXPECT_OR(out, va, "not mapped");
	for (unsigned i = 0; i < 3; i++)
		at(va)[i * PAGE_SIZE] = 'x';
	EXPECT_OR(out, !mm_protect(mm, va + PAGE_SIZE, PAGE_SIZE, VM_READ), "refused");
	middle = store_checked((uint64_t *)(va + PAGE_SIZE), 0);
	side = store_checked((uint64_t *)(va + 2 * PAGE_SIZE), 0);
	EXPECT_OR(out, middle == -EFAULT && !side, "in the piece %d, behind it %d", middle, side);
	EXPECT_OR(out, at(va)[PAGE_SIZE] == 'x', "the piece cannot be read, or was changed");
	EXPECT_OR(out, !mm_protect(mm, va, 3 * PAGE_SIZE, RW), "refused");
	EXPECT_OR(out, !store_checked((uint64_t *)(va + PAGE_SIZE), 0),
		  "the right did not come back");
out:
	fixture_end(&fx);
}

SELFTEST(space_protect_gap, "space.protect-gap",
	 "rights over a range with a gap are refused, and nothing is changed or cut")
{
	struct mm *mm = current_mm();
	uint64_t a = 0x40000000;
	unsigned before = mm->nr_vmas, after;
	int err, store;

	EXPECT(!mm_map_anon(mm, &a, 4 * PAGE_SIZE, true), "not mapped");
	err = mm_protect(mm, a + PAGE_SIZE, 4 * PAGE_SIZE, VM_READ);
	store = store_checked((uint64_t *)(a + PAGE_SIZE), 1);
	after = mm->nr_vmas;
	mm_unmap(mm, a, 4 * PAGE_SIZE);
	EXPECT(err == -ENOMEM && !store && after == before + 1, "%d, store %d, %u new parts", err,
	       store, after - before);
}

static int refuse_fault(struct vm_fault *vmf)
{
	(void)vmf;
	return refuse(-EFAULT, "never");
}

static bool refuse_split(const struct vma *vma, uint64_t at)
{
	(void)vma, (void)at;
	return false;
}

SELFTEST(space_object_decides, "space.object-decides",
	 "an object that may not be written or cut keeps its mapping as it is")
{
	static const struct vma_ops whole = {.fault = refuse_fault, .may_split = refuse_split};
	struct mm *mm = current_mm();
	uint64_t a = 0x40000000, to = 0;
	int write, cut, part, moved;

	EXPECT(!mm_map(mm, &a, 2 * PAGE_SIZE, VM_READ | VM_SHARED, &whole, NULL, NULL, 0),
	       "no map");
	write = mm_protect(mm, a, 2 * PAGE_SIZE, RW);
	cut = mm_protect(mm, a, PAGE_SIZE, VM_READ);
	part = mm_unmap(mm, a, PAGE_SIZE);
	moved = mm_remap(mm, a + PAGE_SIZE, PAGE_SIZE, &to);
	EXPECT(!mm_unmap(mm, a, 2 * PAGE_SIZE), "the whole of it must go");
	EXPECT(write == -EACCES && cut == -EINVAL && part == -EINVAL && moved == -EINVAL,
	       "writable %d, cut %d, unmapped in part %d, moved in part %d", write, cut, part,
	       moved);
}

#define PROTECTED 8 /* pages */

struct writer {
	struct mm *mm;
	uint64_t va;
	bool ready, stop, refused;
};

static void write_on(void *arg)
{
	struct writer *w = arg;
	uint64_t n = 1;

	mm_use(w->mm);
	(void)store_checked((uint64_t *)w->va, n++);
	preempt_disable(); /* no switch, else the TLB forgets: only a flush may have it do so */
	while (!w->refused && !__atomic_load_n(&w->stop, __ATOMIC_ACQUIRE)) {
		__atomic_store_n(&w->refused, store_checked((uint64_t *)w->va, n++) != 0,
				 __ATOMIC_RELEASE);
		__atomic_store_n(&w->ready, true, __ATOMIC_RELEASE);
	}
	preempt_enable();
	mm_use(NULL);
}

/* Stores that another CPU makes by a translation from before, once the page is protected. */
static int protected_beside(struct mm *mm, uint64_t va, unsigned cpu, uint64_t *later)
{
	struct writer w = {.mm = mm, .va = va};
	struct thread *th = thread_create("writer", write_on, &w, 1u << cpu);
	uint64_t seen;
	int err;

	if (!th)
		return -ENOMEM;
	while (!__atomic_load_n(&w.ready, __ATOMIC_ACQUIRE))
		thread_yield();
	err = mm_protect(mm, va, PAGE_SIZE, VM_READ);
	seen = *(volatile uint64_t *)va;
	/* Its next store is refused, or arrives. */
	AWAIT(__atomic_load_n(&w.refused, __ATOMIC_ACQUIRE) || *(volatile uint64_t *)va != seen,
	      "the writer's next store");
	*later = *(volatile uint64_t *)va - seen;
	__atomic_store_n(&w.stop, true, __ATOMIC_RELEASE);
	thread_join(th);
	return err;
}

/* Of several pages, each by itself: a CPU may forget the translation of one by itself, as QEMU's
 * does where a page of the kernel wants the same place in its table. */
SELFTEST(space_protect_everywhere, "space.protect-everywhere",
	 "after protect returns, no CPU stores through a translation from before")
{
	struct mm *mm = current_mm();
	uint64_t va = 0, later = 0;
	unsigned other, n = 0;
	int err = 0;

	if (nr_cpus < 2)
		SKIP("needs two CPUs (SMP=2)");
	EXPECT(!mm_map_anon(mm, &va, PROTECTED * PAGE_SIZE, true), "not mapped");
	preempt_disable();
	other = cpu_id() == 0 ? 1 : 0;
	preempt_enable();
	for (; n < PROTECTED && !err && !later; n++)
		err = protected_beside(mm, va + n * PAGE_SIZE, other, &later);
	mm_unmap(mm, va, PROTECTED * PAGE_SIZE);
	EXPECT(!err && !later, "page %u: error %d, %lu stores came later", n - 1, err, later);
}

/* ---- moving ---------------------------------------------------------------------------------- */

SELFTEST(space_remap_shared, "space.remap-shared",
	 "a piece of a file's mapping that moves shows the same pages there, and nothing here")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = alphabet(&fx, 4), to = 0;
	struct page *p;

	EXPECT_OR(out, va, "not mapped");
	at(va)[PAGE_SIZE + 9] = 'm';
	p = fx_va_to_page(va + PAGE_SIZE);
	EXPECT_OR(out, !mm_remap(current_mm(), va + PAGE_SIZE, 2 * PAGE_SIZE, &to), "refused");
	EXPECT_OR(moved, !reaches(va + PAGE_SIZE) && page_maps(p) == 0, "the old place is mapped");
	EXPECT_OR(moved, at(to)[0] == 'B' && at(to)[9] == 'm' && at(to)[PAGE_SIZE] == 'C',
		  "'%c' '%c' '%c'", at(to)[0], at(to)[9], at(to)[PAGE_SIZE]);
	EXPECT_OR(moved, at(va)[3 * PAGE_SIZE] == 'D' && fx_va_to_page(to) == p,
		  "another page is shown");
moved:
	mm_unmap(current_mm(), to, 2 * PAGE_SIZE);
out:
	fixture_end(&fx);
}

SELFTEST(space_remap_onto_anon, "space.remap-onto-anonymous",
	 "a file's page moved into a buffer of memory: load and store work there, neighbours stay")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = fx_map(&fx, "f", 8, 'd'), buf = 0, to;
	struct mm *mm = current_mm();
	int64_t before = anon_pages();
	char c = 0;

	EXPECT_OR(out, va && !mm_map_anon(mm, &buf, 4 * PAGE_SIZE, true), "not mapped");
	memset((void *)buf, 'b', 4 * PAGE_SIZE);
	to = buf + PAGE_SIZE;
	EXPECT_OR(unmap, !mm_remap(mm, va + 3 * PAGE_SIZE, PAGE_SIZE, &to), "refused");
	EXPECT_OR(unmap, to == buf + PAGE_SIZE && at(to)[7] == 'd', "0x%lx shows '%c'", to,
		  at(to)[7]);
	at(to)[7] = 'S';
	dax_read(fx.inode[0], 3 * PAGE_SIZE + 7, &c, 1);
	EXPECT_OR(unmap, c == 'S', "the file reads '%c'", c);
	EXPECT_OR(unmap, at(buf)[PAGE_SIZE - 1] == 'b' && at(buf)[2 * PAGE_SIZE] == 'b',
		  "a neighbour was changed");
	EXPECT_OR(unmap, anon_pages() == before + 3, "%ld pages of the buffer are left",
		  (long)(anon_pages() - before));
unmap:
	mm_unmap(mm, buf, 4 * PAGE_SIZE);
	EXPECT_OR(out, anon_pages() == before, "%ld pages lost", (long)(anon_pages() - before));
out:
	fixture_end(&fx);
}

SELFTEST(space_remap_private, "space.remap-private",
	 "private copies move along with their mapping, the very same pages, and none is lost")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = scratch_file("f", 80, 'a');
	int64_t before = anon_pages();
	uint64_t va, to = 0;
	struct page *p;

	EXPECT_OR(out, f, "no file");
	va = fx_map_private(&fx, f, 80);
	for (unsigned i = 0; i < 80; i += 2)
		at(va)[i * PAGE_SIZE] = 'p';
	p = fx_va_to_page(va + 78 * PAGE_SIZE);
	EXPECT_OR(out, !mm_remap(current_mm(), va, 80 * PAGE_SIZE, &to), "refused");
	for (unsigned i = 0; i < 80; i++)
		EXPECT_OR(moved, at(to)[i * PAGE_SIZE] == (i % 2 ? 'a' : 'p'), "page %u shows '%c'",
			  i, at(to)[i * PAGE_SIZE]);
	EXPECT_OR(moved, fx_va_to_page(to + 78 * PAGE_SIZE) == p && page_maps(p) == 1,
		  "another page");
	EXPECT_OR(moved, !reaches(va), "the old place is mapped");
moved:
	mm_unmap(current_mm(), to, 80 * PAGE_SIZE);
	EXPECT_OR(out, anon_pages() == before, "%ld pages lost", (long)(anon_pages() - before));
out:
	fixture_end(&fx);
}

/* ---- forgetting and durability --------------------------------------------------------------- */

SELFTEST(space_dont_need, "space.dont-need",
	 "forgetting loses private copies and memory, and nothing of a file")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct mm *mm = current_mm();
	uint64_t shared = fx_map(&fx, "f", 2, 'a'), private, anon = 0;
	int64_t before = anon_pages();

	EXPECT_OR(out, shared && !mm_map_anon(mm, &anon, 2 * PAGE_SIZE, true), "not mapped");
	dax_get(fx.inode[0]);
	private = fx_map_private(&fx, fx.inode[0], 2);
	at(shared)[1] = at(private)[2] = at(anon)[3] = 'x';
	EXPECT_OR(unmap,
		  !mm_advise(mm, shared, PAGE_SIZE, MM_DONT_NEED) &&
			  !mm_advise(mm, private, PAGE_SIZE, MM_DONT_NEED) &&
			  !mm_advise(mm, anon, PAGE_SIZE, MM_DONT_NEED),
		  "refused");
	EXPECT_OR(unmap, anon_pages() == before, "%ld pages are left",
		  (long)(anon_pages() - before));
	EXPECT_OR(unmap, at(shared)[1] == 'x' && at(private)[2] == 'a' && at(anon)[3] == 0,
		  "shared '%c', private '%c', memory 0x%x", at(shared)[1], at(private)[2],
		  at(anon)[3]);
unmap:
	mm_unmap(mm, anon, 2 * PAGE_SIZE);
out:
	fixture_end(&fx);
}

SELFTEST(space_sync_range, "space.sync-range",
	 "sync of a piece of a mapping cleans that piece's entries and leaves the others dirty")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = fx_map(&fx, "f", 6, 'a');

	EXPECT_OR(out, va, "not mapped");
	for (unsigned i = 0; i < 6; i++)
		at(va)[i * PAGE_SIZE] = 'b';
	EXPECT_OR(out, !mm_sync(current_mm(), va + 2 * PAGE_SIZE, 3 * PAGE_SIZE), "%s", refusal());
	for (unsigned i = 0; i < 6; i++) {
		uint64_t pgoff = i;
		bool dirty = entry_next(fx.inode[0], &pgoff, i + 1) & ENTRY_DIRTY;

		EXPECT_OR(out, dirty == (i < 2 || i > 4), "page %u: dirty %d", i, dirty);
	}
out:
	fixture_end(&fx);
}
