/* SPDX-License-Identifier: MIT */
/*
 * Self-tests: blocks that several files have, on the tiny file layer (tinyfs.*). Every page carries
 * a number; two files a and b, and a third now and then.
 */
#include <stdarg.h>

#include "tests/kernel/lib/fixture.h"
#include "tests/kernel/lib/tinyfs.h"

#define PIN   (FOLL_PIN | FOLL_WRITE)
#define PAGES 4u

/* The fixture's files are those of a tiny mount. */
static bool start(struct fixture *fx, const struct lifetime *lt)
{
	*fx = (struct fixture){0};
	return !tiny_mount(lt, &fx->fs, &fx->why);
}

static void end(struct fixture *fx)
{
	while (fx->nr) {
		fx->nr--;
		fx_unmap(fx, fx->va[fx->nr]);
		dax_put(fx->inode[fx->nr]);
	}
	tiny_umount();
}

#define TINY(fx, lt)                                                                               \
	struct fixture fx;                                                                         \
	if (!scratch_region(&fx.why))                                                              \
		SKIP("%s", fx.why);                                                                \
	EXPECT(start(&fx, lt), "mounting the tiny file system: %s", fx.why)

static volatile uint64_t *word(uint64_t va, unsigned page)
{
	return (volatile uint64_t *)(va + page * PAGE_SIZE);
}

/* Another file, mapped; its pages are holes. */
static uint64_t map_file(struct fixture *fx, const char *name)
{
	struct dax_inode *f = tiny_file(fx->fs, name, PAGES);

	return f ? fx_map_as_is(fx, f, PAGES, true) : 0;
}

/* Two files, a with numbered pages that b has as well; both mapped. False: failed. */
static bool two_sharing(struct fixture *fx, uint64_t *a, uint64_t *b)
{
	*a = map_file(fx, "a");
	*b = map_file(fx, "b");
	for (unsigned i = 0; *a && i < PAGES; i++)
		*word(*a, i) = 100 + i;
	return *a && *b && !dax_reflink(fx->inode[0], 0, fx->inode[1], 0, PAGES * PAGE_SIZE);
}

static unsigned wrong(uint64_t va, unsigned first, unsigned last, uint64_t base)
{
	unsigned n = 0;

	for (unsigned i = first; i < last; i++)
		n += *word(va, i) != base + i - first;
	return n;
}

SELFTEST(tiny_maps, "tinyfs.maps",
	 "a file of another layer: faults, stores, entries, holes, and its blocks go with it")
{
	TINY(fx, LIFETIME_DEFAULT);
	uint64_t a = map_file(&fx, "a");
	unsigned free = tiny_free_blocks(fx.fs);

	EXPECT_OR(out, a, "not mapped: %s", refusal());
	EXPECT_OR(out, *word(a, 1) == 0 && tiny_free_blocks(fx.fs) == free, "a hole took a block");
	*word(a, 1) = 7;
	EXPECT_OR(out, *word(a, 1) == 7 && tiny_free_blocks(fx.fs) == free - 1, "no block taken");
	EXPECT_OR(out, fx_va_to_page(a + PAGE_SIZE)->mapping == &fx.inode[0]->mapping,
		  "no association");
	EXPECT_OR(out, !dax_fsync(fx.inode[0]) && !check_all(), "an invariant is violated");
	EXPECT_OR(out, !dax_punch(fx.inode[0], PAGE_SIZE, PAGE_SIZE), "%s", refusal());
	EXPECT_OR(out, *word(a, 1) == 0 && tiny_free_blocks(fx.fs) == free, "the hole");
	EXPECT_OR(out, dax_truncate(fx.inode[0], 100) == -EINVAL && !check_all(),
		  "a part of a page");
out:
	end(&fx);
}

SELFTEST(tiny_refuses, "tinyfs.refusals",
	 "what a layer cannot do is refused by name: moves on tinyfs, sharing on ext4")
{
	TINY(fx, LIFETIME_DEFAULT);
	uint64_t a = map_file(&fx, "a"), b = map_file(&fx, "b");
	struct dax_inode *f = fx.inode[0], *g = fx.inode[1];

	EXPECT_OR(out, a && b, "not mapped");
	EXPECT_OR(out, dax_collapse(f, 0, PAGE_SIZE) == -EOPNOTSUPP && strstr(refusal(), "tinyfs"),
		  "collapse: %s", refusal());
	EXPECT_OR(out, dax_exchange(f, 0, g, 0, PAGE_SIZE) == -EOPNOTSUPP, "%s", refusal());
	EXPECT_OR(out, dax_reflink(f, 0, g, 1, PAGE_SIZE) == -EINVAL, "%s", refusal());
	EXPECT_OR(out, dax_reflink(f, 0, g, PAGE_SIZE, PAGES * PAGE_SIZE) == -EINVAL, "%s",
		  refusal());
	EXPECT_OR(out, dax_reflink(f, 0, f, PAGE_SIZE, PAGE_SIZE) == -EINVAL, "%s", refusal());
	*word(b, 0) = 1;
	EXPECT_OR(out, dax_reflink(f, 0, g, 0, PAGE_SIZE) == -EEXIST, "%s", refusal());
out:
	end(&fx);
}

SELFTEST(tiny_reflink, "tinyfs.reflink",
	 "two files show one page; its record counts two entries and belongs to neither")
{
	TINY(fx, LIFETIME_DEFAULT);
	unsigned free = tiny_free_blocks(fx.fs);
	uint64_t a, b;
	struct page *p;

	EXPECT_OR(out, two_sharing(&fx, &a, &b), "%s", refusal());
	EXPECT_OR(out, !fx_va_to_page(a),
		  "the first file's pages are still mapped, for stores as well");
	EXPECT_OR(out, !wrong(a, 0, PAGES, 100) && !wrong(b, 0, PAGES, 100), "contents");
	p = fx_va_to_page(a);
	EXPECT_OR(out, p && p == fx_va_to_page(b), "two pages");
	EXPECT_OR(out, page_share_count(p) == 2, "share count %lu", page_share_count(p));
	EXPECT_OR(out, page_maps(p) == 2 && page_refs(p) == fx.fs->lifetime->rest, "counts");
	EXPECT_OR(out, tiny_owners(fx.fs, page_to_pfn(p)) == 2, "owners");
	EXPECT_OR(out, tiny_free_blocks(fx.fs) == free - PAGES, "blocks were copied");
	EXPECT_OR(out, !check_all(), "an invariant is violated");
out:
	end(&fx);
}

SELFTEST(tiny_cow, "tinyfs.copy-on-write",
	 "a store gets its file a copy, which its other mappings show; the last owner gets none")
{
	TINY(fx, LIFETIME_DEFAULT);
	uint64_t a, b, again = 0;
	struct page *was, *copy;

	EXPECT_OR(out, two_sharing(&fx, &a, &b), "%s", refusal());
	dax_get(fx.inode[1]);
	again = fx_map_as_is(&fx, fx.inode[1], PAGES, true);
	EXPECT_OR(out, again && !wrong(a, 0, PAGES, 100) && !wrong(again, 0, PAGES, 100), "reads");
	was = fx_va_to_page(a + PAGE_SIZE);
	*word(b, 1) = 7;
	copy = fx_va_to_page(b + PAGE_SIZE);
	EXPECT_OR(out, *word(a, 1) == 101 && *word(b, 1) == 7 && *word(again, 1) == 7,
		  "%lu, %lu, %lu", *word(a, 1), *word(b, 1), *word(again, 1));
	EXPECT_OR(out, copy != was && fx_va_to_page(again + PAGE_SIZE) == copy, "pages");
	EXPECT_OR(out, copy->mapping == &fx.inode[1]->mapping && page_share_count(was) == 1,
		  "the copy is not b's, or the old page counts %lu", page_share_count(was));
	EXPECT_OR(out, tiny_owners(fx.fs, page_to_pfn(was)) == 1, "owners");
	EXPECT_OR(out, !check_all(), "an invariant is violated");
	*word(a, 1) = 8; /* the only owner by now */
	EXPECT_OR(out, fx_va_to_page(a + PAGE_SIZE) == was && was->mapping == &fx.inode[0]->mapping,
		  "the last owner got a copy, or the page does not know it");
	EXPECT_OR(out, *word(b, 1) == 7 && *word(a, 1) == 8 && !check_all(), "contents");
out:
	end(&fx);
}

SELFTEST(tiny_owners_go, "tinyfs.owners-go",
	 "three files have a block: it is free when the last of them lets it go, and not before")
{
	TINY(fx, LIFETIME_DEFAULT);
	unsigned free = tiny_free_blocks(fx.fs);
	uint64_t a, b, c;
	struct page *p;

	EXPECT_OR(out, two_sharing(&fx, &a, &b), "%s", refusal());
	c = map_file(&fx, "c");
	EXPECT_OR(out, c && !dax_reflink(fx.inode[1], 0, fx.inode[2], PAGE_SIZE, PAGE_SIZE), "%s",
		  refusal());
	EXPECT_OR(out, *word(a, 0) == 100 && *word(b, 0) == 100 && *word(c, 1) == 100, "reads");
	p = fx_va_to_page(a);
	EXPECT_OR(out, page_share_count(p) == 3 && tiny_owners(fx.fs, page_to_pfn(p)) == 3,
		  "share count %lu", page_share_count(p));
	EXPECT_OR(out, !dax_truncate(fx.inode[0], 0), "%s", refusal());
	EXPECT_OR(out, page_share_count(p) == 2 && *word(b, 0) == 100, "after a: %lu",
		  page_share_count(p));
	EXPECT_OR(out, !dax_punch(fx.inode[1], 0, PAGES * PAGE_SIZE), "%s", refusal());
	EXPECT_OR(out, tiny_free_blocks(fx.fs) == free - 1 && *word(c, 1) == 100, "after b");
	EXPECT_OR(out, !check_all(), "an invariant is violated");
	EXPECT_OR(out, !dax_punch(fx.inode[2], PAGE_SIZE, PAGE_SIZE), "%s", refusal());
	EXPECT_OR(out, tiny_free_blocks(fx.fs) == free && !p->mapping && !p->index, "after c");
	EXPECT_OR(out, !check_all(), "an invariant is violated");
out:
	end(&fx);
}

SELFTEST(tiny_full, "tinyfs.copy-without-a-block",
	 "a store that needs a copy on a full device fails in a sentence; both files are as before")
{
	TINY(fx, LIFETIME_DEFAULT);
	struct dax_inode *fill[4] = {NULL};
	uint64_t a, b, va, taken = 0;
	int err;

	EXPECT_OR(out, two_sharing(&fx, &a, &b), "%s", refusal());
	for (unsigned i = 0; i < ARRAY_SIZE(fill); i++) {
		va = 0;
		fill[i] = tiny_file(fx.fs, "fill", TINY_PAGES);
		if (!fill[i] || dax_mmap(current_mm(), fill[i], 0, TINY_PAGES, true, &va))
			continue;
		for (unsigned n = 0; n < TINY_PAGES; n++)
			taken += !store_checked((uint64_t *)(va + n * PAGE_SIZE), 1);
		mm_unmap(current_mm(), va, TINY_PAGES * PAGE_SIZE);
	}
	EXPECT_OR(drop, !tiny_free_blocks(fx.fs), "%u blocks left, %lu taken",
		  tiny_free_blocks(fx.fs), taken);
	EXPECT_OR(drop, *word(b, 0) == 100, "b shows %lu", *word(b, 0)); /* has a shared entry */
	err = store_checked((uint64_t *)b, 7);
	EXPECT_OR(drop, !check_i3_entries(), "it is mapped, and its entry is gone");
	EXPECT_OR(drop, err == -EFAULT && strstr(refusal(), "no free block"), "%d: %s", err,
		  refusal());
	EXPECT_OR(drop, !wrong(a, 0, PAGES, 100) && !wrong(b, 0, PAGES, 100), "contents");
	EXPECT_OR(drop, !check_all(), "an invariant is violated");
drop:
	for (unsigned i = 0; i < ARRAY_SIZE(fill); i++)
		if (fill[i])
			dax_put(fill[i]);
out:
	end(&fx);
}

/* ---- both at once ------------------------------------------------------------------------ */

#define ROUNDS 100u

static struct mm *both_mm; /* what the two threads store through */

static int store_all(struct dax_inode *inode, uint64_t va)
{
	(void)inode;
	mm_use(both_mm);
	for (unsigned i = 0; i < PAGES; i++)
		*word(va, i) = va + i;
	mm_use(NULL);
	return 0;
}

SELFTEST(tiny_both_store, "tinyfs.both-store",
	 "stores to the same shared pages from both files at once: each finds its own bytes")
{
	TINY(fx, LIFETIME_DEFAULT);
	unsigned free = tiny_free_blocks(fx.fs), bad = 0;
	uint64_t a, b;

	EXPECT_OR(out, two_sharing(&fx, &a, &b), "%s", refusal());
	both_mm = current_mm();
	for (unsigned i = 0; i < ROUNDS && !bad; i++) {
		struct fx_op one = {.fn = store_all, .arg = a}, two = {.fn = store_all, .arg = b};

		bad += wrong(a, 0, PAGES, *word(a, 0)) + !fx_start(&one);
		if (bad)
			break;
		if (fx_start(&two))
			fx_join(&two);
		else
			bad++;
		fx_join(&one);
		bad += wrong(a, 0, PAGES, a) + wrong(b, 0, PAGES, b);
		bad += tiny_free_blocks(fx.fs) != free - 2 * PAGES;
		bad += dax_punch(fx.inode[1], 0, PAGES * PAGE_SIZE) != 0;
		bad += dax_reflink(fx.inode[0], 0, fx.inode[1], 0, PAGES * PAGE_SIZE) != 0;
	}
	EXPECT_OR(out, !bad && !check_all(), "%u thing(s) wrong: %s", bad, refusal());
out:
	end(&fx);
}

/* ---- held pages --------------------------------------------------------------------------- */

SELFTEST(tiny_held_refused, "tinyfs.held-is-not-shared",
	 "busy-extent: a held page is not shared, its holder is named; afterwards it is")
{
	TINY(fx, &lifetime_busy_extent);
	uint64_t a = map_file(&fx, "a"), b = map_file(&fx, "b");
	struct page *p = NULL;
	int err;

	EXPECT_OR(out, a && b, "not mapped");
	*word(a, 1) = 5;
	EXPECT_OR(out, get_user_pages_fast(a + PAGE_SIZE, 1, PIN, &p) == 1, "no pin");
	err = dax_reflink(fx.inode[0], 0, fx.inode[1], 0, PAGES * PAGE_SIZE);
	unpin_user_pages(&p, 1);
	EXPECT_OR(out, err == -EBUSY && strstr(refusal(), "held"), "%d: %s", err, refusal());
	EXPECT_OR(out, *word(a, 1) == 5 && *word(b, 1) == 0, "contents");
	EXPECT_OR(out, !dax_reflink(fx.inode[0], 0, fx.inode[1], 0, PAGE_SIZE), "%s", refusal());
	EXPECT_OR(out, !check_all(), "an invariant is violated");
out:
	end(&fx);
}

static struct dax_inode *target; /* of do_reflink() */

static int do_reflink(struct dax_inode *inode, uint64_t arg)
{
	return dax_reflink(inode, 0, target, 0, arg);
}

SELFTEST(tiny_held_waits, "tinyfs.held-is-waited-for",
	 "idle-at-one: sharing waits for the holder of a page, whose last store both files show")
{
	TINY(fx, &lifetime_idle_at_one);
	uint64_t a = map_file(&fx, "a"), b = map_file(&fx, "b");
	struct fx_op op = {.inode = fx.inode[0], .fn = do_reflink, .arg = PAGES * PAGE_SIZE};
	struct page *p = NULL;
	bool asleep;

	EXPECT_OR(out, a && b, "not mapped");
	target = fx.inode[1];
	*word(a, 1) = 5;
	EXPECT_OR(out, get_user_pages_fast(a + PAGE_SIZE, 1, PIN, &p) == 1, "no pin");
	asleep = fx_start(&op);
	EXPECT_OR(unpin, asleep, "no thread");
	asleep = fx_asleep(&op, p);
	*(uint64_t *)page_to_virt(p) = 6; /* the device */
	unpin_user_pages(&p, 1);
	fx_join(&op);
	EXPECT_OR(out, asleep && !op.err, "asleep %d, error %d", asleep, op.err);
	EXPECT_OR(out, *word(a, 1) == 6 && *word(b, 1) == 6 && !check_all(), "contents");
	goto out;
unpin:
	unpin_user_pages(&p, 1);
out:
	end(&fx);
}

SELFTEST(tiny_held_freed, "tinyfs.held-and-freed",
	 "busy-extent: a block whose last owner goes while its page is held has no new one before "
	 "the put")
{
	TINY(fx, &lifetime_busy_extent);
	unsigned handed = 0;
	uint64_t a, b, c, held;
	struct page *p = NULL;

	EXPECT_OR(out, two_sharing(&fx, &a, &b), "%s", refusal());
	EXPECT_OR(out, *word(a, 0) == 100 && get_user_pages_fast(a, 1, FOLL_PIN, &p) == 1,
		  "no pin");
	held = page_to_pfn(p);
	EXPECT_OR(put, !dax_truncate(fx.inode[0], 0), "%s", refusal());
	EXPECT_OR(put, !(page_state(p) & PAGE_BUSY) && *word(b, 0) == 100, "b still has it");
	EXPECT_OR(put, !dax_truncate(fx.inode[1], 0), "%s", refusal());
	EXPECT_OR(put, page_state(p) & PAGE_BUSY, "it is not marked");
	c = map_file(&fx, "c");
	for (unsigned i = 0; c && i < PAGES; i++) {
		*word(c, i) = i;
		handed += page_to_pfn(fx_va_to_page(c + i * PAGE_SIZE)) == held;
	}
	EXPECT_OR(put, c && !handed && !check_all(), "the held block was given away");
put:
	unpin_user_pages(&p, 1);
	EXPECT_OR(out, !dax_block_blocked(fx.fs, held), "it is still out of reach after the put");
out:
	end(&fx);
}

static int do_punch(struct dax_inode *inode, uint64_t page)
{
	return dax_punch(inode, page * PAGE_SIZE, PAGE_SIZE);
}

SELFTEST(tiny_zap_shared, "tinyfs.zap-spares-shared",
	 "zap-to-zero: zapping an entry of a shared page does not give back its holder's reference "
	 "(D-4)")
{
	TINY(fx, &lifetime_zap_to_zero);
	struct fx_op op = {.fn = do_punch, .arg = PAGES - 1};
	struct page *p = NULL;
	bool asleep, started;
	uint64_t a, b;
	unsigned refs;

	EXPECT_OR(out, two_sharing(&fx, &a, &b), "%s", refusal());
	EXPECT_OR(out, *word(b, 0) == 100 && get_user_pages_fast(a, 1, FOLL_PIN, &p) == 1,
		  "no pin");
	op.inode = fx.inode[1]; /* a hole elsewhere in b: all of b is zapped, and looked at */
	started = fx_start(&op);
	asleep = started && fx_asleep(&op, p);
	refs = page_refs(p);
	if (refs)
		unpin_user_pages(&p, 1);
	if (started)
		fx_join(&op);
	if (!refs) { /* given back for us; a's entry will want one to give back as well */
		fx_unmap(&fx, b);
		dax_put(fx.inode[--fx.nr]);
		page_get_first(p, 1);
	}
	EXPECT_OR(out, refs == 1 && asleep, "%u reference(s) of a held page, waited for: %d", refs,
		  asleep);
	EXPECT_OR(out, !op.err && !check_all(), "error %d, or an invariant is violated", op.err);
out:
	end(&fx);
}

/* ---- every lifetime ----------------------------------------------------------------------- */

static int count_used(struct page *p, void *arg)
{
	*(unsigned *)arg += page_refs(p) != p->pgmap->rest || page_maps(p) || p->mapping;
	return 0;
}

/* Sharing, a copy, and the end of both files. A sentence if something is wrong. */
static const char *whole_life(struct fixture *fx)
{
	uint64_t a, b;

	if (!two_sharing(fx, &a, &b))
		return "not shared";
	if (wrong(a, 0, PAGES, 100) || wrong(b, 0, PAGES, 100))
		return "the files differ";
	*word(b, 2) = 7;
	if (*word(a, 2) != 102 || *word(b, 2) != 7)
		return "the copy is none";
	if (check_all())
		return "an invariant is violated";
	return NULL;
}

SELFTEST(tiny_every_lifetime, "tinyfs.every-lifetime",
	 "sharing and copying under each lifetime; afterwards every count is back at rest")
{
	const struct lifetime *lt;

	for (unsigned n = 0; (lt = lifetime_nth(n)); n++) {
		struct pmem_region *r;
		const char *wrong;
		unsigned used = 0;

		TINY(fx, lt);
		r = fx.fs->region;
		wrong = whole_life(&fx);
		end(&fx);
		EXPECT(!wrong, "%s: %s", lt->name, wrong);
		page_records_for_each(r->start >> PAGE_SHIFT, TINY_BLOCKS, count_used, &used);
		EXPECT(!used, "%s: %u record(s) not at rest", lt->name, used);
	}
}
