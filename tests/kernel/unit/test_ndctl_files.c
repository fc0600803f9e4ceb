/* SPDX-License-Identifier: MIT */
/*
 * Self-tests: what ndctl's suite asks of files on DAX and of page records (ndctl.*). Devices:
 * test_ndctl.c.
 */
#include "mm/device/internal.h"
#include "tests/kernel/lib/daxcases.h"
#include "tests/kernel/lib/huge.h"

#define PIECES 5u /* of 2 MiB, mapped twice: ten faults */

/* ---- dax-pmd, dax-ext4 ---------------------------------------------------------------------- */

static uint64_t map_file(void *fixture, uint64_t len)
{
	struct fixture *fx = fixture;
	uint64_t va = 0;

	return dax_mmap(current_mm(), fx->inode[0], 0, len >> PAGE_SHIFT, true, &va) ? 0 : va;
}

static bool file_at_rest(void *fixture)
{
	struct fixture *fx = fixture;

	return !pmem_held(fx->fs->region, NULL);
}

static uint64_t not_installed(void)
{
	uint64_t n = 0;

	for (unsigned i = HUGE_SERVED; i < HUGE_RESULTS; i++)
		n += huge_count(i);
	return n;
}

/* A file whose blocks are 2 MiB aligned: ten faults are served by 2 MiB, none is not. */
static const char *ten_installed(struct fixture *fx)
{
	uint64_t installed = huge_count(HUGE_INSTALLED), others = not_installed();
	uint64_t va = map_huge(fx, "f", PIECES), again = va ? map_file(fx, PIECES * PMD_SIZE) : 0;

	for (unsigned i = 0; again && i < PIECES; i++)
		*at(PAGE(again, i * N)) = (char)('a' + i);
	unmap(again, PIECES * N);
	return !again ? "no file of whole 2 MiB"
	       : huge_count(HUGE_INSTALLED) - installed < 2 * PIECES
		       ? "a fault was not served by 2 MiB"
	       : not_installed() != others ? "a fault fell back to single pages"
					   : NULL;
}

SELFTEST(ndctl_pmd, "ndctl.dax-pmd",
	 "of a file on ext4 with aligned blocks the first ten faults are served by 2 MiB and none "
	 "falls back; direct I/O in five ways, a moved page and a moved piece of 2 MiB, verified "
	 "stores; and no warning")
{
	const unsigned long warned = warn_count;
	struct block_device *d = block_nth(0);
	const char *wrong;

	if (scratch_choose_disk())
		SKIP("%s", refusal());
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_case large = {&fx, PMD_SIZE, map_file, file_at_rest, true};
	struct dax_case small = {&fx, PAGE_SIZE, map_file, file_at_rest, true};

	wrong = ten_installed(&fx);
	wrong = wrong ?: dax_direct_io(&large, d);
	wrong = wrong ?: dax_moved(&small);
	wrong = wrong ?: dax_moved(&large);
	wrong = wrong ?: dax_verified(&large, 1024);
	if (!wrong && check_all())
		wrong = "an invariant is violated";
	fixture_end(&fx);
	EXPECT(!wrong, "%s", wrong);
	EXPECT(warn_count == warned, "%lu warning(s)", warn_count - warned);
}

/* One access that must fall back for this reason, and for no other. */
static bool falls_back(enum huge_result reason, uint64_t va, bool store)
{
	uint64_t before = huge_count(reason), all = not_installed();

	if (store)
		*at(va) = 's';
	else
		(void)*at(va);
	return huge_count(reason) == before + 1 && not_installed() == all + 1 && level_at(va) == 1;
}

SELFTEST(ndctl_pmd_not, "ndctl.dax-pmd-not",
	 "single pages, each for its reason, where address and offset differ modulo 2 MiB, where "
	 "the mapping is shorter, where the blocks begin elsewhere, and for a store to a private "
	 "mapping")
{
	const char *wrong = NULL;
	uint64_t va, other = 0, own = 0;
	struct dax_inode *odd = NULL;

	FIXTURE(fx, LIFETIME_DEFAULT);
	va = map_huge(&fx, "f", 2);
	EXPECT_OR(out, va, "no file of whole 2 MiB");
	other = map_again(&fx, 1, N, 0);
	if (!other || !falls_back(HUGE_ALIGNMENT, other, false))
		wrong = "an offset that differs";
	unmap(other, N);
	other = map_again(&fx, 0, N / 2, 0);
	if (!other || !falls_back(HUGE_LENGTH, other, false))
		wrong = "a mapping that is shorter";
	unmap(other, N / 2);
	if (dax_mmap_private(current_mm(), fx.inode[0], 0, N, true, &own) ||
	    !falls_back(HUGE_PRIVATE, own, true))
		wrong = "a private store";
	unmap(own, N);
	odd = scratch_file("odd", 1, 'o'); /* its first block was given out alone */
	own = 0;
	if (!odd || dax_truncate(odd, N * PAGE_SIZE) ||
	    dax_mmap(current_mm(), odd, 0, N, true, &own) || !falls_back(HUGE_EXTENT, own, false))
		wrong = "blocks that begin elsewhere";
	unmap(own, N);
	EXPECT_OR(out, !wrong, "%s", wrong);
out:
	if (odd)
		dax_put(odd);
	fixture_end(&fx);
}

/* ---- mmap ----------------------------------------------------------------------------------- */

/* What one mapping of a file's four pages shows after mm_populate(), if it was asked for. */
static const char *mapped_as(struct fixture *fx, bool private, bool write, bool populate)
{
	const uint64_t all = 4 * PAGE_SIZE, copies = private && write && populate ? all : 0;
	struct mm *mm = current_mm();
	const char *wrong = NULL;
	struct vma_shown s;
	uint64_t va = 0;

	if ((private ? dax_mmap_private : dax_mmap)(mm, fx->inode[0], 0, 4, write, &va))
		return "refused";
	if (populate && mm_populate(mm, va, all))
		wrong = "not populated";
	down_read(&mm->mmap_lock);
	s = vma_shown(mm_find_vma(mm, va));
	up_read(&mm->mmap_lock);
	if (s.ram != copies || s.device[1] != (populate ? all - copies : 0))
		wrong = "another part of it is there";
	if (!wrong && *at(va + PAGE_SIZE) != 'm')
		wrong = "it shows other bytes";
	if (!wrong && (store_checked((uint64_t *)va, 0x6d6d6d6d6d6d6d6dull) ? write : !write))
		wrong = "a store is allowed, or is not, against its rights";
	mm_unmap(mm, va, all);
	return wrong;
}

SELFTEST(
	ndctl_mmap, "ndctl.mmap",
	"shared or private, read-only or not, populated or not: after the call just that is mapped "
	"which was asked for, and its rights hold (there is no mlock)")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	EXPECT_OR(out, fx_map(&fx, "f", 4, 'm'), "no file");
	fx_unmap(&fx, fx.va[0]);
	for (unsigned i = 0; i < 8; i++) {
		const char *wrong = mapped_as(&fx, i & 1, i & 2, i & 4);

		EXPECT_OR(out, !wrong, "%s, %s, %s: %s", i & 1 ? "private" : "shared",
			  i & 2 ? "writable" : "read-only", i & 4 ? "populated" : "not populated",
			  wrong);
	}
	EXPECT_OR(out, !check_all(), "an invariant is violated");
out:
	fixture_end(&fx);
}

/* ---- several in one section ----------------------------------------------------------------- */

#define PARTS 8u /* of 16 MiB, in one section of 128 MiB */

static struct pgmap part[PARTS];

/* Of every part: is its first and its last page there, and, of single pages, its record as it was
 * left? */
static bool parts_are(unsigned there, bool compound)
{
	for (unsigned i = 0; i < PARTS; i++) {
		const struct pgmap_range *g = &part[i].range[0];
		const bool is = there & 1u << i;

		if (pfn_valid(g->start) != is || pfn_valid(g->end - 1) != is)
			return false;
		if (is && !compound &&
		    (!page_record_exists(pfn_to_page(g->start)) ||
		     pfn_to_page(g->start)->pgmap != &part[i] ||
		     page_refs(pfn_to_page(g->start)) != 1))
			return false;
	}
	return true;
}

/* All are bound, then all taken away in this order of steps; NULL, or what was wrong. */
static const char *in_order(unsigned step, bool compound)
{
	unsigned there = 0;
	const char *wrong = NULL;

	for (unsigned i = 0; i < PARTS && !wrong; i++) {
		part[i] = compound ? fake_compound(16 * i, 16, 9) : fake_pgmap(16 * i, 16);
		part[i].rest = 1;
		if (memremap_pages(&part[i]))
			return "one beside others is refused";
		there |= 1u << i;
		if (!compound && page_records_populate(part[i].range[0].start, 1))
			wrong = "no record";
	}
	if (!wrong && !parts_are(there, compound))
		wrong = "not all of them are there";
	for (unsigned n = 0, i = 0; n < PARTS; n++, i = (i + step) % PARTS) {
		memunmap_pages(&part[i]);
		there &= ~(1u << i);
		if (!wrong && pfn_valid(part[i].range[0].start))
			wrong = "one that went is there";
		else if (!wrong && !parts_are(there, compound))
			wrong = "one that goes takes pages or records of its neighbours along";
	}
	return wrong;
}

SELFTEST(
	ndctl_multi, "ndctl.multi-dax",
	"eight devices of 16 MiB with records of 2 MiB share one section of 128 MiB: all come, and "
	"go in any order")
{
	for (unsigned step = 1; step < PARTS; step += 2) {
		const char *wrong = in_order(step, true);

		EXPECT(!wrong, "by steps of %u: %s", step, wrong);
	}
}

SELFTEST(ndctl_sub, "ndctl.sub-section",
	 "eight ranges of 16 MiB for file systems in one section: whichever goes, the pages of its "
	 "neighbours are valid and their records as they were, and its own are not valid any more")
{
	for (unsigned step = 1; step < PARTS; step += 2) {
		const char *wrong = in_order(step, false);

		EXPECT(!wrong, "by steps of %u: %s", step, wrong);
	}
}
