/* SPDX-License-Identifier: MIT */
/* Self-tests: VMAs that want to be asked before their pages are taken (gup.*). */
#include "tests/kernel/lib/fixture.h"

#define PIN (FOLL_PIN | FOLL_WRITE)

static struct {
	unsigned begins, ends, signal_at; /* signal_at: the fault that is followed by a signal */
	unsigned faults, asked;
	unsigned long nr;
	int refuse;
} asked;

static int asked_fault(struct vm_fault *vmf)
{
	if (++asked.faults == asked.signal_at)
		thread_signal(current_thread());
	return vmf_insert_anon(vmf, vmf_entry(vmf), NULL);
}

static int asked_begin(struct vma *vma, unsigned long nr, void **cookie)
{
	*cookie = vma->private;
	asked.begins++;
	asked.asked = nr;
	return asked.refuse;
}

static void asked_end(void *cookie, struct page **pages, unsigned long nr)
{
	(void)pages;
	asked.ends += cookie == &asked;
	asked.nr = nr;
}

static const struct vma_ops asked_ops = {
	.fault = asked_fault, .gup_begin = asked_begin, .gup_end = asked_end};

/* An address space with four such pages. The old one, for asked_leave(). */
static struct mm *asked_enter(uint64_t *va)
{
	struct mm *mm = mm_create("asked"), *old = current_mm();

	memset(&asked, 0, sizeof(asked));
	if (!mm)
		return NULL;
	if (old)
		mm_get(old);
	mm_use(mm);
	mm_put(mm);
	*va = 0;
	if (mm_map(current_mm(), va, 4 * PAGE_SIZE, VM_READ | VM_WRITE | VM_PRIVATE, &asked_ops,
		   &asked, NULL, 0))
		*va = 0;
	return old;
}

static void asked_leave(struct mm *old)
{
	mm_use(old);
	if (old)
		mm_put(old);
}

SELFTEST(gup_asks, "gup.asks-first",
	 "the first VMA of a call is asked before, once, and told what was got; it can refuse")
{
	struct page *p[4];
	uint64_t va;
	struct mm *old = asked_enter(&va);
	long n = 0, refused = 0, beyond = 0;

	if (va) {
		n = get_user_pages(current_mm(), va, 4, PIN, p);
		if (n > 0)
			unpin_user_pages(p, n);
		beyond = get_user_pages(current_mm(), va + 3 * PAGE_SIZE, 2, PIN, p);
		if (beyond > 0)
			unpin_user_pages(p, beyond);
		asked.refuse = -EAGAIN;
		refused = get_user_pages(current_mm(), va, 1, PIN, p);
	}
	asked_leave(old);
	EXPECT(va, "not mapped");
	EXPECT(n == 4 && beyond == 1 && asked.nr == 1, "%ld and %ld pages, told %lu", n, beyond,
	       asked.nr);
	EXPECT(refused == -EAGAIN && asked.begins == 3 && asked.ends == 2,
	       "refused: %ld; asked %u times, told %u times", refused, asked.begins, asked.ends);
}

SELFTEST(gup_signal_ends, "gup.signal-ends-call",
	 "a call that was announced and is ended early by a signal still says that it ended (B-2)")
{
	struct page *p[4];
	uint64_t va;
	struct mm *old = asked_enter(&va);
	long n = 0;

	asked.signal_at = 2;
	if (va)
		n = get_user_pages(current_mm(), va, 4, PIN, p);
	signal_clear();
	if (n > 0)
		unpin_user_pages(p, n);
	asked_leave(old);
	EXPECT(va, "not mapped");
	EXPECT(n == 2 && asked.begins == 1, "%ld pages, asked %u times", n, asked.begins);
	EXPECT(asked.ends == 1 && asked.nr == 2, "told %u times of %lu pages", asked.ends,
	       asked.nr);
}

SELFTEST(gup_slow_only, "gup.slow-only",
	 "fast gup takes nothing of a VMA that wants to be asked, by single pages or by 2 MiB")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = fx_map(&fx, "f", 1, 'a'), big = 0;
	struct dax_inode *f = scratch_file("big", 0, 0);
	struct page *p;
	long n[4] = {0};

	EXPECT_OR(out, va && f && !dax_truncate(f, PMD_SIZE), "no files");
	big = fx_map_as_is(&fx, f, FOLIO_PAGES, true);
	EXPECT_OR(out, big, "not mapped");
	mm_find_vma(current_mm(), va)->flags |= VM_SLOWGUP;
	mm_find_vma(current_mm(), big)->flags |= VM_SLOWGUP;
	at(va)[0] = at(big)[0] = 'b';
	for (unsigned i = 0; i < 4; i++) {
		n[i] = get_user_pages_fast(i & 1 ? big : va, 1, PIN | (i < 2 ? FOLL_FAST_ONLY : 0),
					   &p);
		if (n[i] == 1)
			unpin_user_pages(&p, 1);
	}
	EXPECT_OR(out, !n[0] && !n[1], "fast: %ld, %ld", n[0], n[1]);
	EXPECT_OR(out, n[2] == 1 && n[3] == 1, "slow: %ld, %ld", n[2], n[3]);
out:
	fixture_end(&fx);
}
