/* SPDX-License-Identifier: MIT */
/* Self-tests: lifetime refuse-busy: what is refused, what a refusal says, and what it leaves. */
#include "tests/kernel/lib/huge.h"

#define PIN (FOLL_PIN | FOLL_WRITE)

/* "f" has four pages of 'a', mapped; the one with this number is pinned. NULL: a step failed. */
static struct page *pinned(struct fixture *fx, unsigned nr)
{
	uint64_t va = fx_map(fx, "f", 4, 'a');
	struct page *p = NULL;

	for (unsigned i = 0; va && i < 4; i++)
		*at(PAGE(va, i)) = 'a';
	return va && get_user_pages_fast(PAGE(va, nr), 1, PIN, &p) == 1 ? p : NULL;
}

static unsigned mapped(const struct fixture *fx)
{
	unsigned n = 0;

	for (unsigned i = 0; i < 4; i++)
		n += fx_va_to_page(PAGE(fx->va[0], i)) != NULL;
	return n;
}

SELFTEST(refuse_says_which, "lifetime.refuse-busy.says-which-page",
	 "truncate of a file with a held page fails at once with -EAGAIN, the page's index and its "
	 "holder, and changes neither size nor bytes; after the put it is done")
{
	FIXTURE(fx, &lifetime_refuse_busy);
	struct page *p = pinned(&fx, 2);
	struct holder h = {.what = "a careful holder", .pages = &p, .nr = 1};
	struct dax_inode *f = fx.inode[0];
	char said[240] = "";
	int err;

	EXPECT_OR(out, p, "no pinned page");
	holder_add(&h);
	err = dax_truncate(f, 0);
	snprintf(said, sizeof(said), "%s", refusal());
	holder_remove(&h);
	EXPECT_OR(put, err == -EAGAIN && strstr(said, "page 2 ") && strstr(said, "careful"),
		  "%d, '%s'", err, said);
	EXPECT_OR(put, f->last_break.busy_page == 2 && f->last_break.busy_seen == 1, "page %lu, %u",
		  f->last_break.busy_page, f->last_break.busy_seen);
	EXPECT_OR(put, !f->last_break.waited_ns, "it waited");
	EXPECT_OR(put, f->size == 4 * PAGE_SIZE && *at(PAGE(fx.va[0], 3)) == 'a', "it went on");
put:
	unpin_user_pages(&p, 1);
	err = dax_truncate(f, 0);
	EXPECT_OR(out, !err && !f->size && !f->collisions, "after the put: %d, %lu bytes", err,
		  f->size);
out:
	fixture_end(&fx);
}

SELFTEST(refuse_unmaps, "lifetime.refuse-busy.unmaps-all-the-same",
	 "what the refused truncate was about is unmapped, held or not, and nothing else (G-2)")
{
	FIXTURE(fx, &lifetime_refuse_busy);
	struct page *p = pinned(&fx, 2);
	unsigned before, after;
	int err;

	EXPECT_OR(out, p, "no pinned page");
	before = mapped(&fx);
	err = dax_truncate(fx.inode[0], PAGE_SIZE);
	after = mapped(&fx);
	unpin_user_pages(&p, 1);
	EXPECT_OR(out, err == -EAGAIN && before == 4 && after == 1, "%d: %u mapped, then %u", err,
		  before, after);
	EXPECT_OR(out, *at(PAGE(fx.va[0], 2)) == 'a', "another byte is there");
out:
	fixture_end(&fx);
}

SELFTEST(refuse_range, "lifetime.refuse-busy.asks-the-range",
	 "a page held outside of the range is nobody's concern, and a mapping is no holder")
{
	FIXTURE(fx, &lifetime_refuse_busy);
	struct page *p = pinned(&fx, 1);
	int err;

	EXPECT_OR(out, p, "no pinned page");
	err = dax_truncate(fx.inode[0], 2 * PAGE_SIZE);
	unpin_user_pages(&p, 1);
	EXPECT_OR(out, !err && !fx.inode[0]->last_break.busy_seen, "%d", err);
out:
	fixture_end(&fx);
}

SELFTEST(refuse_every_way, "lifetime.refuse-busy.every-way",
	 "punch, zero, collapse and insert are refused like truncate; a write is not")
{
	FIXTURE(fx, &lifetime_refuse_busy);
	struct page *p = pinned(&fx, 1);
	struct dax_inode *f = fx.inode[0];
	int err[4] = {0};
	int64_t n = 0;

	EXPECT_OR(out, p, "no pinned page");
	err[0] = dax_punch(f, 0, 2 * PAGE_SIZE);
	err[1] = dax_zero_range(f, PAGE_SIZE, PAGE_SIZE, true);
	err[2] = dax_collapse(f, 0, PAGE_SIZE);
	err[3] = dax_insert(f, PAGE_SIZE, PAGE_SIZE);
	n = dax_write(f, 5 * PAGE_SIZE, "w", 1);
	unpin_user_pages(&p, 1);
	for (unsigned i = 0; i < 4; i++)
		EXPECT_OR(out, err[i] == -EAGAIN, "way %u: %d", i, err[i]);
	EXPECT_OR(out, n == 1, "write: %ld", (long)n);
	EXPECT_OR(out, *at(fx.va[0]) == 'a' && !check_i6_association(), "something was changed");
out:
	fixture_end(&fx);
}

SELFTEST(refuse_two_files, "lifetime.refuse-busy.two-files",
	 "an exchange is refused for a held page of either file, and gives all locks back")
{
	FIXTURE(fx, &lifetime_refuse_busy);
	struct page *p = pinned(&fx, 1);
	int first, second, after;

	EXPECT_OR(out, p && fx_map(&fx, "g", 4, 'b'), "no files");
	first = dax_exchange(fx.inode[0], 0, fx.inode[1], 0, 4 * PAGE_SIZE);
	second = dax_exchange(fx.inode[1], 0, fx.inode[0], 0, 4 * PAGE_SIZE);
	unpin_user_pages(&p, 1);
	after = dax_exchange(fx.inode[0], 0, fx.inode[1], 0, 4 * PAGE_SIZE);
	EXPECT_OR(out, first == -EAGAIN && second == -EAGAIN && !after, "%d, %d, then %d", first,
		  second, after);
	EXPECT_OR(out, *at(PAGE(fx.va[0], 1)) == 'b', "it was not exchanged");
out:
	fixture_end(&fx);
}
