/* SPDX-License-Identifier: MIT */
/* Self-tests: what memremap_pages() refuses and why, ranges, sections, unwinding (mm.memremap-*).
 */
#include "mm/device/internal.h"

struct refusal {
	const char *what;
	void (*spoil)(struct pgmap *p); /* of a good pgmap of 64 MiB */
	int err;
	const char *says; /* a word of the sentence that names the condition */
};

#define SPOIL(name, statement)                                                                     \
	static void name(struct pgmap *p)                                                          \
	{                                                                                          \
		statement;                                                                         \
	}
SPOIL(no_range, p->nr_range = 0)
SPOIL(five_ranges, p->nr_range = 5)
SPOIL(no_type, p->type = 0)
SPOIL(type_private, p->type = PGMAP_PRIVATE)
SPOIL(type_coherent, p->type = PGMAP_COHERENT)
SPOIL(type_p2p, p->type = PGMAP_P2PDMA)
SPOIL(type_unknown, p->type = 77)
SPOIL(odd_shift, (p->type = PGMAP_GENERIC, p->vmemmap_shift = 4))
SPOIL(compound_fs, p->vmemmap_shift = SHIFT_2M)
SPOIL(rest_two, p->rest = 2)
SPOIL(empty, p->range[0].end = p->range[0].start)
SPOIL(inverted, p->range[0].end = p->range[0].start - SUBSECTION_PAGES)
SPOIL(start_odd, p->range[0].start++)
SPOIL(end_odd, p->range[0].end--)
SPOIL(cut_1g, (p->type = PGMAP_GENERIC, p->vmemmap_shift = SHIFT_1G))
SPOIL(beyond, (p->range[0].start = 1ull << 36, p->range[0].end = p->range[0].start + 512))
SPOIL(in_ram, (p->range[0].start = 16 * MIB >> 12, p->range[0].end = 18 * MIB >> 12))
SPOIL(apic, (p->range[0].start = 0xfee00000 >> 12, p->range[0].end = 0xff000000 >> 12))

/* The last RAM below 4 GiB ends inside the first sub-section of this range, or at its middle. */
static void touches_ram(struct pgmap *p)
{
	const struct boot_info *bi = boot_info();
	uint64_t end = 0;

	for (unsigned i = 0; i < bi->nr_ranges; i++)
		if (bi->ranges[i].type == BOOT_RAM && bi->ranges[i].base < 4 * GIB)
			end = bi->ranges[i].base + bi->ranges[i].len;
	p->range[0].start = ALIGN_DOWN(end - PAGE_SIZE, PMD_SIZE) >> PAGE_SHIFT;
	p->range[0].end = p->range[0].start + 2 * SUBSECTION_PAGES;
}

static void set_altmap(struct pgmap *p, uint64_t reserve, uint64_t nr_free)
{
	p->flags |= PGMAP_ALTMAP_VALID;
	p->altmap = (struct altmap){p->range[0].start, reserve, nr_free, 0, 0};
}
SPOIL(altmap_two, (set_altmap(p, 0, 512), p->nr_range = 2))
SPOIL(altmap_base, (set_altmap(p, 0, 512), p->altmap.base_pfn++))
SPOIL(altmap_all, set_altmap(p, 1, p->range[0].end - p->range[0].start - 1))
SPOIL(altmap_odd, set_altmap(p, 5, 512))
SPOIL(altmap_huge, set_altmap(p, ~0ull, 2))
SPOIL(altmap_used, (set_altmap(p, 0, 512), p->altmap.alloc = 1))
SPOIL(altmap_cut, (p->type = PGMAP_GENERIC, p->vmemmap_shift = 9, set_altmap(p, 5, 6)))
/* 16384 pages, of which 512 are taken: the records of 15872 need 124 frames, one more than given.
 */
SPOIL(altmap_small, set_altmap(p, 389, 123))

static const struct refusal refusals[] = {
	{"no range", no_range, -EINVAL, "there are 0 ranges"},
	{"five ranges", five_ranges, -EINVAL, "there are 5 ranges"},
	{"type unset", no_type, -EINVAL, "not set"},
	{"type PRIVATE", type_private, -EINVAL, "PRIVATE"},
	{"type COHERENT", type_coherent, -EINVAL, "COHERENT"},
	{"type P2PDMA", type_p2p, -EINVAL, "P2PDMA"},
	{"type 77", type_unknown, -EINVAL, "unknown"},
	{"shift 4", odd_shift, -EINVAL, "vmemmap_shift is 4"},
	{"compound FS_DAX", compound_fs, -EINVAL, "compound records are for GENERIC"},
	{"rest 2", rest_two, -EINVAL, "rest is 2"},
	{"empty", empty, -EINVAL, "empty"},
	{"end before start", inverted, -EINVAL, "empty"},
	{"start one page off", start_odd, -EINVAL, "multiple of 2 MiB"},
	{"end one page off", end_odd, -EINVAL, "multiple of 2 MiB"},
	{"64 MiB of 1 GiB compounds", cut_1g, -EINVAL, "multiple of 1 GiB"},
	{"beyond the CPU", beyond, -EINVAL, "physical address bits"},
	{"inside RAM", in_ram, -ENXIO, "overlaps RAM"},
	{"RAM at one end", touches_ram, -ENXIO, "overlaps RAM"},
	{"device registers", apic, -EBUSY, "device registers"},
	{"altmap, two ranges", altmap_two, -EINVAL, "single range"},
	{"altmap elsewhere", altmap_base, -EINVAL, "must begin where the range"},
	{"altmap takes all", altmap_all, -EINVAL, "at least one must be left"},
	{"altmap overflows", altmap_huge, -EINVAL, "at least one must be left"},
	{"altmap used before", altmap_used, -EINVAL, "taken before"},
	{"altmap cuts a folio", altmap_odd, -EINVAL, "multiple of 512"},
	{"altmap cuts a compound", altmap_cut, -EINVAL, "cuts a folio or compound"},
	{"altmap one page too small", altmap_small, -ENOMEM, "need 124"},
};

SELFTEST(mm_memremap_errors, "mm.memremap-errors",
	 "every refusal of memremap_pages has its errno and a sentence that names the condition, "
	 "and changes nothing")
{
	uint64_t before = frames_kept();

	for (unsigned i = 0; i < ARRAY_SIZE(refusals); i++) {
		const struct refusal *r = &refusals[i];
		struct pgmap p = fake_pgmap(0, 64);
		int err;

		p.range[1] = p.range[0];
		r->spoil(&p);
		err = memremap_pages(&p);
		EXPECT(err == r->err, "%s: %d, not %d (%s)", r->what, err, r->err, refusal());
		EXPECT(strstr(refusal(), r->says), "%s: the sentence is '%s'", r->what, refusal());
		EXPECT(!pgmap_is_live(&p) && !pfn_valid(fake_pgmap(0, 64).range[0].start),
		       "%s left a range", r->what);
	}
	EXPECT(frames_kept() == before, "%ld frames lost", (long)(before - frames_kept()));
}

SELFTEST(mm_memremap_conflict, "mm.memremap-conflict",
	 "a range inside, around or across another one is refused, beside it is not")
{
	static const struct {
		int64_t off;
		uint64_t mib;
		int want;
	} c[] = {{16, 8, -ENOMEM},  {18, 2, -ENOMEM}, {14, 4, -ENOMEM}, {22, 4, -ENOMEM},
		 {14, 16, -ENOMEM}, {24, 2, 0},	      {14, 2, 0}};
	struct pgmap base = fake_pgmap(16, 8), other;
	int got[ARRAY_SIZE(c)];

	EXPECT(!memremap_pages(&base), "the first range is refused");
	for (unsigned i = 0; i < ARRAY_SIZE(c); i++) {
		other = fake_pgmap(c[i].off, c[i].mib);
		got[i] = memremap_pages(&other);
		if (!got[i])
			memunmap_pages(&other);
	}
	memunmap_pages(&base);
	for (unsigned i = 0; i < ARRAY_SIZE(c); i++)
		EXPECT(got[i] == c[i].want, "case %u: %d, not %d", i, got[i], c[i].want);
}

SELFTEST(mm_memremap_dying, "mm.memremap-dying-neighbour",
	 "the pages of a pgmap that is being torn down are refused with -EEXIST until it is gone")
{
	static struct pgmap p;
	struct pgmap other = fake_pgmap(2, 2);
	struct thread *thread;
	char why[REFUSAL_TEXT];
	int during, after;
	bool valid;

	p = fake_pgmap(0, 8);
	EXPECT(!memremap_pages(&p) && pgmap_get(p.range[0].start) == &p, "not bound");
	thread = start_unmap(&p);
	EXPECT(thread && falls_asleep(thread), "unbinding does not wait for the reference");
	during = memremap_pages(&other);
	snprintf(why, sizeof(why), "%s", refusal());
	valid = pfn_valid(p.range[0].start) && !pfn_is_device(p.range[0].start);
	pgmap_put(&p);
	thread_join(thread);
	after = memremap_pages(&other);
	if (!after)
		memunmap_pages(&other);
	EXPECT(during == -EEXIST && strstr(why, "torn down"), "%d: %s", during, why);
	EXPECT(valid, "a dying pgmap's pfn must be valid and no device any more");
	EXPECT(!after, "%d after it was gone", after);
}

SELFTEST(mm_memremap_own_overlap, "mm.memremap-own-overlap",
	 "two ranges of one pgmap that share a sub-section are refused with -EEXIST")
{
	struct pgmap p = fake_pgmap(0, 8);
	int err;

	p.nr_range = 2;
	p.range[1] = fake_pgmap(6, 8).range[0];
	err = memremap_pages(&p);
	EXPECT(err == -EEXIST && strstr(refusal(), "ranges 0 and 1 overlap"), "%d: %s", err,
	       refusal());
	EXPECT(!pfn_valid(p.range[0].start), "it left a range");
}

/* Four ranges of 4 MiB with holes between them. */
static struct pgmap four_ranges(void)
{
	struct pgmap p = fake_pgmap(0, 4);

	p.nr_range = 4;
	for (int i = 1; i < 4; i++)
		p.range[i] = fake_pgmap(8 * i, 4).range[0];
	return p;
}

SELFTEST(mm_memremap_ranges, "mm.memremap-several-ranges",
	 "four ranges are one device: each pfn finds it, offsets run on, the holes are not in it")
{
	static struct pgmap p;
	unsigned bad = 0, holes = 0;
	uint64_t want = 0;
	int err;

	p = four_ranges();
	err = memremap_pages(&p);
	EXPECT(!err, "error %d", err);
	for (unsigned i = 0; i < 4; i++) {
		for (uint64_t pfn = p.range[i].start; pfn < p.range[i].end; pfn++, want++) {
			bad += pgmap_pfn_to_offset(&p, pfn) != want || !pfn_is_device(pfn) ||
			       !pgmap_pfn_valid(&p, pfn);
		}
		holes += pfn_valid(p.range[i].end) || pgmap_pfn_valid(&p, p.range[i].end);
	}
	memunmap_pages(&p);
	EXPECT(!bad && !holes && want == 4096, "%u wrong, %u holes found, %lu pages", bad, holes,
	       want);
}

SELFTEST(mm_memremap_unwind, "mm.memremap-unwind",
	 "when range k is refused, ranges 0 to k-1 are as free as before")
{
	static struct pgmap p, again;
	uint64_t before = frames_kept();
	struct pgmap base;
	unsigned left = 0;
	int err[4], retry[4];

	for (unsigned k = 0; k < 4; k++) {
		p = again = four_ranges();
		base = fake_pgmap(8 * k + 2, 2); /* inside range k */
		EXPECT(!memremap_pages(&base), "no range");
		err[k] = memremap_pages(&p);
		for (unsigned i = 0; i < 4; i++)
			left += pfn_valid(p.range[i].start);
		memunmap_pages(&base);
		retry[k] = memremap_pages(&again);
		if (!retry[k])
			memunmap_pages(&again);
	}
	for (unsigned k = 0; k < 4; k++)
		EXPECT(err[k] == -ENOMEM && !retry[k], "range %u: %d, then %d", k, err[k],
		       retry[k]);
	EXPECT(!left, "%u ranges were left", left);
	EXPECT(frames_kept() == before, "%ld frames lost", (long)(before - frames_kept()));
}

SELFTEST(mm_memremap_section, "mm.memremap-shared-section",
	 "two devices share a section of 128 MiB, and either may leave first")
{
	static struct pgmap p[2];
	uint64_t both, one[2], none[2];
	int err = 0;

	for (unsigned order = 0; order < 2; order++) {
		p[0] = fake_pgmap(0, 2);
		p[1] = fake_pgmap(2, 6);
		err |= memremap_pages(&p[0]) | memremap_pages(&p[1]);
		EXPECT(!err, "error %d", err);
		both = pfn_subsections(p[1].range[0].start);
		memunmap_pages(&p[order]);
		one[order] = pfn_subsections(p[0].range[0].start);
		memunmap_pages(&p[!order]);
		none[order] = pfn_subsections(p[0].range[0].start);
		EXPECT(both == 0xf, "sub-sections 0x%lx", both);
	}
	EXPECT(one[0] == 0xe && one[1] == 1, "0x%lx after the first left, 0x%lx after the second",
	       one[0], one[1]);
	EXPECT(!none[0] && !none[1], "0x%lx and 0x%lx at the end", none[0], none[1]);
}

SELFTEST(mm_memremap_full, "mm.memremap-table-full",
	 "when the table of ranges or the windows of compounds are full it says so, and nothing is "
	 "lost")
{
	enum { N = COMPOUND_SLOTS / 2 + 1 };
	uint64_t before;
	struct pgmap *p = calloc(N, sizeof(*p));
	unsigned done;
	int err = 0;

	EXPECT(p, "no memory");
	before = frames_kept();
	for (done = 0; done < N; done++) {
		p[done] = fake_compound(4 * done, 2, SHIFT_2M);
		err = memremap_pages(&p[done]);
		if (err)
			break;
	}
	EXPECT_OR(out, done == N - 1 && err == -ENOMEM && strstr(refusal(), "windows"),
		  "%u bound, then %d: %s", done, err, refusal());
	while (done-- > 0)
		memunmap_pages(&p[done]);
	for (done = 0, err = 0; done < N && !err; done += !err) {
		p[done] = fake_pgmap(16 * done, 2);
		p[done].nr_range = 4;
		for (int i = 1; i < 4; i++)
			p[done].range[i] = fake_pgmap(16 * done + 4 * i, 2).range[0];
		err = memremap_pages(&p[done]);
	}
	EXPECT_OR(out, done < N && err == -ENOMEM && strstr(refusal(), "the table holds"),
		  "%u bound, then %d: %s", done, err, refusal());
out:
	while (done-- > 0)
		memunmap_pages(&p[done]);
	EXPECT_OR(end, frames_kept() == before, "%ld frames lost", (long)(before - frames_kept()));
end:
	free(p);
}

SELFTEST(mm_memremap_4t, "mm.memremap-4t", "binding and unbinding 4 TiB takes no frame of RAM")
{
	unsigned bits = MIN(cpu_features.phys_bits, MAX_PHYS_BITS);
	struct pgmap p = fake_pgmap(0, 2);
	uint64_t before, bound;
	int err;

	if (bits < 44 || !cpu_features.page1g)
		SKIP("%u physical address bits; try CPU=max,phys-bits=46", cpu_features.phys_bits);
	p.range[0].end = 1ull << (bits - PAGE_SHIFT);
	p.range[0].start = p.range[0].end - (4096 * GIB >> PAGE_SHIFT);
	before = frame_stats().free;
	err = memremap_pages(&p);
	bound = frame_stats().free;
	if (!err)
		memunmap_pages(&p);
	EXPECT(!err && bound == before, "error %d, %ld frames", err, (long)(before - bound));
	EXPECT(frame_stats().free == before, "%ld frames lost",
	       (long)(before - frame_stats().free));
}

SELFTEST(mm_memremap_returns, "mm.memremap-returns",
	 "bind and unbind a hundred times, records included: not a frame is lost")
{
	static struct pgmap p;
	uint64_t before = 0, after, records = record_frames;
	int err = 0;

	for (unsigned i = 0; i < 101 && !err; i++) {
		p = i & 1 ? fake_pgmap(0, 64) : fake_compound(0, 64, SHIFT_2M);
		err = memremap_pages(&p);
		if (err)
			break;
		err = page_records_populate(p.range[0].start + i, 300);
		memunmap_pages(&p);
		if (i == 1) /* kernel page tables made on the way stay for the next time */
			before = frame_stats().free;
	}
	after = frame_stats().free;
	EXPECT(!err, "error %d", err);
	EXPECT(after == before, "%ld frames lost", (long)(before - after));
	EXPECT(record_frames == records, "%ld record frames lost", (long)(record_frames - records));
}

/* Binds `p` and populates `nr` pages with the nth allocation failing. True: none was left to fail.
 */
static bool try_failing(struct pgmap *p, uint64_t nth, uint64_t nr, int *err)
{
	bool failed;

	refusal_clear();
	alloc_fail_nth(nth);
	*err = memremap_pages(p);
	if (!*err) {
		*err = page_records_populate(pgmap_first_pfn(p, &p->range[0]), nr);
		refuse(*err, "records");
	}
	alloc_fail_count(&failed);
	alloc_fail_nth(0);
	if (pgmap_is_live(p))
		memunmap_pages(p);
	return !failed;
}

static bool direct_mapped(const struct pgmap *p)
{
	bool any = false;

	for (unsigned i = 0; i < p->nr_range; i++) {
		const struct pgmap_range *r = &p->range[i];

		any |= kernel_is_mapped(DIRECT_BASE + (r->start << PAGE_SHIFT),
					(r->end - r->start) << PAGE_SHIFT);
	}
	return any;
}

SELFTEST(mm_memremap_fail_nth, "mm.memremap-fail-nth",
	 "each allocation of binding and populating fails once: -ENOMEM with a sentence, nothing "
	 "leaks")
{
	uint64_t before = frames_kept(), records = record_frames, nth = 0;
	static struct pgmap p;
	bool through = false;
	int err = 0;

	/* Every round another GiB, where no kernel table was made yet: 14 … 2. */
	for (int64_t gib = 14; gib >= 2 && !through; gib--) {
		p = fake_pgmap(gib * 1024 - 6, 4);
		p.nr_range = 2;
		p.range[1] = fake_pgmap(gib * 1024 - 2, 64).range[0];
		through = try_failing(&p, ++nth, 800, &err);
		EXPECT(through ? !err : err == -ENOMEM && *refusal(),
		       "allocation %lu: error %d '%s'", nth, err, refusal());
		EXPECT(!pfn_valid(p.range[0].start) && !pfn_valid(p.range[1].start),
		       "allocation %lu: a range stayed", nth);
		EXPECT(!direct_mapped(&p), "allocation %lu: the direct map of a range stayed", nth);
		EXPECT(frames_kept() == before && record_frames == records,
		       "allocation %lu: %ld frames lost", nth, (long)(before - frames_kept()));
	}
	EXPECT(through && nth > 5, "%lu allocations failed, the last gave %d", nth, err);
}
