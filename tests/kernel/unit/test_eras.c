/* SPDX-License-Identifier: MIT */
/*
 * Self-tests of eras: which there are, and that each differs where it says so. What an era does to
 * a truncate, an unbinding or a holder is shown by the races (race_eras.c); here are the parts that
 * those would not notice, because another part makes up for them.
 */
#include "mm/device/internal.h"
#include "tests/kernel/lib/scratch.h"

static unsigned told;

static void count(struct page *page)
{
	(void)page;
	told++;
}

/* Breaks it: an era that is in no list, or one that has its design's waker and so its identity. */
SELFTEST(eras_listed, "lifetime.eras-listed",
	 "every design is in the list of variants once, first of its eras; each later era has its "
	 "name, another first release, which its text says, and ops of its own")
{
	const struct lifetime *lt, *design = NULL;
	char text[40], want[40];
	unsigned designs = 0;

	for (unsigned n = 0; (lt = lifetime_variant(n)); n++) {
		if (lt == lifetime_nth(designs)) {
			designs++;
			design = lt;
		} else {
			EXPECT(design && !strcmp(lt->name, design->name) && lt->era &&
				       design->era && strcmp(lt->era, design->era),
			       "variant %u, %s, is no era of the design before it", n, lt->name);
		}
		EXPECT(lifetime_is_first(lt) == (lt == design), "%s %s", lt->name, lt->era);
		snprintf(want, sizeof(want), lt == design ? "%s" : "%s, era %s", lt->name, lt->era);
		EXPECT(!strcmp(lifetime_text(lt, text, sizeof(text)), want), "'%s', not '%s'", text,
		       want);
		for (unsigned m = 0; m < n; m++)
			EXPECT(&lifetime_variant(m)->pgmap_ops != &lt->pgmap_ops, "%s", lt->name);
		if (lt->era)
			EXPECT(lifetime_era(lt->name, lt->era) == lt &&
				       lifetime_era(NULL, lt->era) == lt,
			       "%s era %s is not found", lt->name, lt->era);
	}
	EXPECT(!lifetime_nth(designs), "%s is no variant", lifetime_nth(designs)->name);
	EXPECT(!lifetime_era("unaware", "6.1") && !lifetime_era(NULL, "6.2"),
	       "an era that nobody has was found");
}

/* Is a page of the design busy at rest, and with a reference more? 0 or errno. */
static int ask_busy(const struct lifetime *lt, bool busy[2])
{
	static struct pgmap pgmap;
	struct page *p;
	int err = fake_bound(&pgmap, lt->rest, NULL, &p);

	if (err)
		return err;
	busy[0] = lt->busy(p);
	page_get_first(p, 1);
	busy[1] = lt->busy(p);
	page_put(p, 1);
	memunmap_pages(&pgmap);
	return 0;
}

SELFTEST(designs_busy, "lifetime.busy-beyond-rest",
	 "in each design a page is not busy at rest, and is busy with one reference more")
{
	const struct lifetime *lt;

	for (unsigned n = 0; (lt = lifetime_variant(n)); n++) {
		bool busy[2] = {false, true};
		int err = lt->busy ? ask_busy(lt, busy) : 0;

		EXPECT(!err && !busy[0] && busy[1], "%s: error %d, busy at rest %d, held %d",
		       lt->name, err, busy[0], busy[1]);
	}
}

/* Puts the page of a mount under `ops` once by each way, and says which ways told nobody. */
static int deaf_ways(struct page *p, unsigned deaf, unsigned *silent)
{
	static const unsigned way[] = {0, PUT_BY_UNPIN, PUT_BY_BIO};
	struct pgmap_ops ops = {.page_idle = count, .deaf = deaf};
	struct pgmap *pgmap = p->pgmap;
	const struct pgmap_ops *before = pgmap->ops;
	const uint32_t rest = page_refs(p);
	const bool any = page_any_deaf;
	int err = 0;

	pgmap->ops = &ops;
	page_any_deaf = true;
	*silent = 0;
	pgmap_listen(pgmap);
	for (unsigned i = 0; i < ARRAY_SIZE(way) && !err; i++) {
		told = 0;
		err = page_get(p, 2) ? 0 : -EBUSY;
		if (err)
			break;
		for (unsigned put = 0; put < 2; put++)
			if (way[i] == PUT_BY_BIO)
				bio_put_user_pages(&p, 1);
			else if (way[i] == PUT_BY_UNPIN)
				page_put_each_by(&p, 1, PUT_BY_UNPIN);
			else
				put_user_page(p);
		*silent |= told ? 0 : way[i] ? way[i] : 1u << 31;
		err = page_refs(p) == rest && told <= 1 ? 0 : -EIO;
	}
	pgmap_unlisten(pgmap);
	page_any_deaf = any;
	pgmap->ops = before;
	return err;
}

/* Breaks it: a deaf put that tells, one that does not count, or a way that is taken for another. */
SELFTEST(
	eras_deaf_puts, "mm.deaf-puts",
	"a put by a way that the owner is deaf to brings the page to rest like any other and tells "
	"nobody; every other way tells, once")
{
	unsigned silent[4] = {0};
	struct dax_inode *f;
	uint64_t va = 0;
	struct page *p;
	struct dax_fs *fs;
	const char *why;
	int err;

	if (!scratch_region(&why))
		SKIP("%s", why);
	err = scratch_mount(SCRATCH_SMALL, &lifetime_idle_at_one, &fs, &why);
	if (err == -ENODEV || err == -ENOSPC)
		SKIP("%s", why);
	EXPECT(!err, "mount: %s", why);
	f = scratch_file("F", 1, 'f');
	err = f ? dax_mmap(current_mm(), f, 0, 1, true, &va) : -ENOMEM;
	if (!err && get_user_pages_fast(va, 1, FOLL_GET | FOLL_WRITE, &p) == 1) {
		put_user_page(p);
		for (unsigned deaf = 0; deaf < 4 && !err; deaf++)
			err = deaf_ways(p, deaf, &silent[deaf]);
	} else {
		err = err ? err : -EFAULT;
	}
	if (va)
		mm_unmap(current_mm(), va, PAGE_SIZE);
	if (f)
		dax_put(f);
	scratch_umount();
	EXPECT(!err, "%s", errno_name(err));
	for (unsigned deaf = 0; deaf < 4; deaf++)
		EXPECT(silent[deaf] == deaf, "deaf to 0x%x: silent by 0x%x", deaf, silent[deaf]);
}
