/* SPDX-License-Identifier: MIT */
/*
 * Self-tests: the five direct-I/O cases, the mremap case and the private-mapping case of the ndctl
 * `dax` suite at every size of page (dio.*, remap.*).
 *
 * The device is played by the CPU: it pins a page for as long as it copies through the direct map,
 * as a device would by its physical address. Each case starts from a fresh mapping of two pages of
 * the size under test. Another mapping of the same object stays in place meanwhile, so that the
 * records can still be looked at after the case: no reference may be left, and no mapping.
 */
#include "tests/kernel/lib/huge.h"

#define TEXT "direct I/O text"

struct object {
	uint64_t align;
	unsigned level;		    /* page-table level that its pages are mapped at */
	struct pmem_region *region; /* a whole device, or … */
	struct dax_inode *f;	    /* … a file of two pages of that size */
	struct page *seen[4];	    /* pages that were pinned */
	unsigned nr_seen;
};

static uint64_t map_object(struct object *o)
{
	uint64_t va = 0;
	int err = o->f ? dax_mmap(current_mm(), o->f, 0, 2 * o->align / PAGE_SIZE, true, &va)
		       : devdax_mmap(current_mm(), o->region, o->align, 0, 2 * o->align,
				     VM_READ | VM_WRITE | VM_SHARED, &va);

	return err ? 0 : va;
}

/* What the device does with the page at va: takes `n` bytes from it, or puts them there. */
static bool transfer(struct object *o, uint64_t va, bool in, char *bytes, size_t n)
{
	struct page *p;
	char *at_page;

	if (get_user_pages_fast(ALIGN_DOWN(va, PAGE_SIZE), 1, FOLL_PIN | (in ? FOLL_WRITE : 0),
				&p) != 1)
		return false;
	if (o->nr_seen < ARRAY_SIZE(o->seen))
		o->seen[o->nr_seen++] = p;
	at_page = (char *)page_to_virt(p) + va % PAGE_SIZE;
	memcpy(in ? at_page : bytes, in ? bytes : at_page, n);
	unpin_user_pages(&p, 1);
	return true;
}

static bool device_reads(struct object *o, uint64_t va, const char *want)
{
	char got[sizeof(TEXT)] = "";

	return transfer(o, va, false, got, sizeof(got)) && !memcmp(got, want, strlen(want));
}

static bool device_writes(struct object *o, uint64_t va, const char *text)
{
	char bytes[sizeof(TEXT)];

	memcpy(bytes, text, sizeof(bytes));
	return transfer(o, va, true, bytes, sizeof(bytes));
}

/* Each gets a fresh mapping. NULL, or what went wrong. */
static const char *untouched_out_read_faulted_in(struct object *o, uint64_t va)
{
	volatile char c;

	if (!device_reads(o, va, ""))
		return "a device could not read an untouched page";
	c = *at(va + o->align);
	(void)c;
	if (!device_writes(o, va + o->align, TEXT))
		return "a device could not write a page that was only read";
	return memcmp((void *)(va + o->align), TEXT, sizeof(TEXT)) ? "its text is not there" : NULL;
}

static const char *out_and_into_memory(struct object *o, uint64_t va)
{
	const char *wrong = NULL;
	uint64_t buf = 0;

	memcpy((void *)va, TEXT, sizeof(TEXT));
	if (!device_reads(o, va, TEXT))
		return "a device read something else than was stored";
	if (mm_map_anon(current_mm(), &buf, PAGE_SIZE, true))
		return "no memory";
	if (!device_writes(o, buf, TEXT) || memcmp((void *)buf, (void *)va, sizeof(TEXT)))
		wrong = "what came back into memory is not equal";
	o->nr_seen--; /* the page of memory goes with its mapping */
	mm_unmap(current_mm(), buf, PAGE_SIZE);
	return wrong;
}

static const char *fork_sees_text(struct object *o, uint64_t va)
{
	struct mm *self = current_mm(), *child;
	bool same, read;

	memcpy((void *)va, TEXT, sizeof(TEXT));
	child = mm_fork(self, "child");
	if (!child)
		return "no memory";
	mm_get(self);
	mm_use(child);
	same = !memcmp((void *)va, TEXT, sizeof(TEXT));
	read = device_reads(o, va, TEXT);
	mm_use(self);
	mm_put(self);
	mm_put(child);
	return same && read ? NULL : "the child does not see the text";
}

static const char *read_then_write(struct object *o, uint64_t va)
{
	volatile char c = *at(va + 2048);

	*at(va + 2049) = 'w';
	if (*at(va + 2048) != c || *at(va + 2049) != 'w')
		return "the upgrade lost a byte";
	return device_reads(o, va + 2049, "w") ? NULL : "a device does not see the store";
}

static const char *into_untouched(struct object *o, uint64_t va)
{
	if (!device_writes(o, va + o->align + 64, TEXT))
		return "a device could not write an untouched page";
	return memcmp((void *)(va + o->align + 64), TEXT, sizeof(TEXT)) ? "its text is not there"
									: NULL;
}

static const struct {
	const char *name;
	const char *(*run)(struct object *o, uint64_t va);
} cases[] = {{"case 0", untouched_out_read_faulted_in},
	     {"case 1", out_and_into_memory},
	     {"case 2", fork_sees_text},
	     {"case 3", read_then_write},
	     {"case 4", into_untouched}};

static unsigned level_of(uint64_t va)
{
	unsigned level;
	uint64_t *pte = pte_walk(current_mm()->root, va, 1, false, &level);

	if (!pte)
		pte = pte_walk(current_mm()->root, va, level, false, NULL);
	return pte && (*pte & PTE_P) ? level : 0;
}

/* A page that was pinned and is mapped nowhere any more. */
static bool at_rest(const struct page *p)
{
	const struct page *head = page_to_record(p);

	return page_refs(head) == head->pgmap->rest && !page_maps(head);
}

/* All cases; a mapping that nobody touches keeps the object as it is until the end. */
static void run_cases(struct selftest_run *t, struct object *o)
{
	uint64_t keep = map_object(o), va = 0;
	const char *wrong;

	EXPECT(keep, "%s", refusal());
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		o->nr_seen = 0;
		va = map_object(o);
		EXPECT_OR(out, va, "%s: %s", cases[i].name, refusal());
		wrong = cases[i].run(o, va);
		EXPECT_OR(out, !wrong, "%s: %s", cases[i].name, wrong);
		EXPECT_OR(out, MAX(level_of(va), level_of(va + o->align)) == o->level,
			  "%s: mapped at level %u and %u", cases[i].name, level_of(va),
			  level_of(va + o->align));
		mm_unmap(current_mm(), va, 2 * o->align);
		va = 0;
		EXPECT_OR(out, o->nr_seen, "%s: nothing was pinned", cases[i].name);
		for (unsigned k = 0; k < o->nr_seen; k++)
			EXPECT_OR(out, at_rest(o->seen[k]), "%s: page %u is not at rest",
				  cases[i].name, k);
	}
out:
	if (va)
		mm_unmap(current_mm(), va, 2 * o->align);
	mm_unmap(current_mm(), keep, 2 * o->align);
}

static void device_cases(struct selftest_run *t, uint64_t align, unsigned level)
{
	const char *why;
	struct object o = {.align = align, .level = level, .region = scratch_region(&why)};

	if (!o.region)
		SKIP("%s", why);
	if (level == 3 && (!cpu_features.page1g || o.region->len < 4 * GIB))
		SKIP("needs a CPU with 1 GiB pages and a second DIMM of 4 GiB");
	if (o.region->len < 4 * align)
		SKIP("needs a second DIMM of at least 0x%lx bytes", 4 * align);
	if (o.region->shadow)
		SKIP("the scratch device has a power-cut model");
	run_cases(t, &o);
}

SELFTEST(directio_device_4k, "dio.device-4k",
	 "the five direct-I/O cases on a device mapped by 4 KiB leave every record at rest")
{
	device_cases(t, PAGE_SIZE, 1);
}

SELFTEST(directio_device_2m, "dio.device-2m",
	 "the five direct-I/O cases on a device mapped by 2 MiB leave every record at rest")
{
	device_cases(t, PMD_SIZE, 2);
}

SELFTEST(directio_device_1g, "dio.device-1g",
	 "the five direct-I/O cases on a device mapped by 1 GiB leave every record at rest")
{
	device_cases(t, PUD_SIZE, 3);
}

SELFTEST(directio_file_2m, "dio.file-2m",
	 "the five direct-I/O cases on a file served by 2 MiB leave every record at rest")
{
	struct object o = {.align = PMD_SIZE, .level = 2};

	FIXTURE(fx, LIFETIME_DEFAULT);
	o.f = sparse("f", 2 * N);
	EXPECT_OR(out, o.f, "no file");
	/* Stored to once, so that it has its blocks and 2 MiB entries. */
	for (unsigned i = 0; i < 2; i++) {
		uint64_t va = map_object(&o);

		EXPECT_OR(out, va, "%s", refusal());
		*at(va + i * PMD_SIZE) = 'f';
		mm_unmap(current_mm(), va, 2 * PMD_SIZE);
	}
	run_cases(t, &o);
out:
	if (o.f)
		dax_put(o.f);
	fixture_end(&fx);
}

SELFTEST(remap_file, "remap.file-at-rest",
	 "a file's page moved onto a buffer of memory takes a store, and its counts are at rest "
	 "after unmap")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = fx_map(&fx, "f", 2, 'd'), buf = 0, to;
	struct mm *mm = current_mm();
	struct page *p = NULL;

	EXPECT_OR(out, va && !mm_map_anon(mm, &buf, 4 * PAGE_SIZE, true), "not mapped");
	memset((void *)buf, 'b', 4 * PAGE_SIZE);
	*at(va) = 'x';
	p = fx_va_to_page(va);
	to = buf;
	EXPECT_OR(unmap, !mm_remap(mm, va, PAGE_SIZE, &to) && to == buf, "refused, or at 0x%lx",
		  to);
	*at(to + 1) = 'S';
	EXPECT_OR(unmap, *at(to) == 'x' && *at(to + 1) == 'S' && fx_va_to_page(to) == p && p,
		  "the new place shows '%c'", *at(to));
	EXPECT_OR(unmap, page_maps(p) == 1 && page_refs(p) == p->pgmap->rest,
		  "%u mappings, %u references", page_maps(p), page_refs(p));
unmap:
	mm_unmap(mm, buf, 4 * PAGE_SIZE);
	EXPECT_OR(out, !p || at_rest(p), "%u mappings, %u references are left", page_maps(p),
		  page_refs(p));
out:
	fixture_end(&fx);
}

SELFTEST(directio_private, "dio.private",
	 "what a device writes through a private mapping stays in the copy, and the file's page is "
	 "at rest")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct object o = {.align = PAGE_SIZE};
	struct page *file_page = NULL;
	uint64_t shared, va;
	char c = 0;

	o.f = scratch_file("f", 1, 'a');
	EXPECT_OR(out, o.f, "no file");
	shared = fx_map_as_is(&fx, o.f, 1, true);
	EXPECT_OR(out, shared && *at(shared) == 'a', "not mapped");
	file_page = fx_va_to_page(shared);
	dax_get(o.f);
	va = fx_map_private(&fx, o.f, 1);
	EXPECT_OR(out, va && device_reads(&o, va, "a"), "a device could not read it");
	EXPECT_OR(out, o.seen[0] == file_page, "it was not the file's page that was read");
	EXPECT_OR(out, device_writes(&o, va, TEXT), "a device could not write it");
	EXPECT_OR(out, o.seen[1] != file_page && !memcmp((void *)va, TEXT, sizeof(TEXT)),
		  "the text is not in a copy");
	dax_read(o.f, 0, &c, 1);
	EXPECT_OR(out, c == 'a' && *at(shared) == 'a', "the file reads '%c'", c);
	fx_unmap(&fx, va);
	fx_unmap(&fx, shared);
	EXPECT_OR(out, at_rest(file_page), "%u references, %u mappings are left",
		  page_refs(file_page), page_maps(file_page));
out:
	fixture_end(&fx);
}
