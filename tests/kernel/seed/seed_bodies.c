/* SPDX-License-Identifier: MIT */
/* Bodies that seed tests of several series have in common; see seed.h. */
#include "tests/kernel/seed/seed.h"

#define PAGES 4u

/* ---- walkers ------------------------------------------------------------------------------ */

/* What becomes of a page's counts while others walk over its mapping. */
static bool same_counts(uint64_t va, const uint64_t *before)
{
	for (unsigned i = 0; i < PAGES; i++)
		if (!fx_va_to_page(PAGE(va, i)) ||
		    page_state(fx_va_to_page(PAGE(va, i))) != before[i])
			return false;
	return true;
}

/* A copy of the address space has none of the entries, and a fault brings each back. */
static const char *fork_refaults(uint64_t va)
{
	struct mm *mm = mm_fork(current_mm(), "fork");
	const char *wrong = NULL;
	uint64_t *pte;

	if (!mm)
		return "no memory to fork";
	pte = pte_walk(mm->root, va, 1, false, NULL);
	if (pte && (*pte & PTE_P))
		wrong = "the copy has the entry already";
	else if (mm_fault(mm, va, false))
		wrong = "the copy's fault fails";
	else if (page_state(fx_va_to_page(va)) == 0)
		wrong = "the page counts nothing at all";
	mm_put(mm);
	return wrong;
}

static const char *moves_and_comes_back(uint64_t va)
{
	uint64_t to = 0, back = va;

	if (mm_remap(current_mm(), va, PAGES * PAGE_SIZE, &to))
		return "it cannot be moved";
	if (*at(to) != 'b')
		return "it shows other bytes elsewhere";
	return mm_remap(current_mm(), to, PAGES * PAGE_SIZE, &back) ? "it cannot be moved back"
								    : NULL;
}

void seed_walkers(struct selftest_run *t, const struct lifetime *lt)
{
	FIXTURE(fx, lt);
	uint64_t va = fx_map(&fx, "f", PAGES, 'b'), len = PAGES * PAGE_SIZE, before[PAGES];
	struct mm *mm = current_mm();
	const char *wrong;
	int err;

	EXPECT_OR(out, va, "not mapped");
	for (unsigned i = 0; i < PAGES; i++) {
		at(PAGE(va, i))[1] = 'c';
		before[i] = page_state(fx_va_to_page(PAGE(va, i)));
	}
	wrong = fork_refaults(va);
	EXPECT_OR(out, !wrong && same_counts(va, before), "fork: %s", wrong ?: "a count drifted");
	err = mm_advise(mm, va, len, MM_DONT_NEED);
	EXPECT_OR(out, !err && !(seed_pte(va) & PTE_P), "forgetting: error %d, pte 0x%lx", err,
		  seed_pte(va));
	for (unsigned i = 0; i < PAGES; i++)
		EXPECT_OR(out, *at(PAGE(va, i)) == 'b', "page %u lost its bytes", i);
	EXPECT_OR(out, same_counts(va, before), "a count drifted by forgetting");
	err = mm_protect(mm, va, len, VM_READ) ?: mm_protect(mm, va, len, VM_READ | VM_WRITE);
	wrong = moves_and_comes_back(va);
	for (unsigned i = 0; i < PAGES; i++)
		(void)*at(PAGE(va, i));
	EXPECT_OR(out, !err && !wrong && same_counts(va, before), "rights %d; move: %s", err,
		  wrong ?: "a count drifted");
out:
	fixture_end(&fx);
}

void seed_advice(struct selftest_run *t, const struct lifetime *lt)
{
	FIXTURE(fx, lt);
	uint64_t va = map_huge(&fx, "f", 2), odd = va ? map_again(&fx, 1, N, 0) : 0;
	struct mm *mm = current_mm();
	int no, forget, yes;

	EXPECT_OR(out, va && odd, "not mapped");
	EXPECT_OR(out, level_at(va) == 2, "without advice: level %u", level_at(va));
	no = mm_advise(mm, va, PMD_SIZE, MM_NO_HUGE);
	forget = mm_advise(mm, va, PMD_SIZE, MM_DONT_NEED);
	*at(va) = 'n';
	EXPECT_OR(out, !no && !forget && level_at(va) == 2, "'no huge': %d, %d, level %u", no,
		  forget, level_at(va));
	yes = mm_advise(mm, odd, PMD_SIZE, MM_HUGE);
	(void)*at(odd);
	EXPECT_OR(out, !yes && level_at(odd) == 1, "'huge', not aligned: %d, level %u", yes,
		  level_at(odd));
out:
	unmap(odd, N);
	fixture_end(&fx);
}

/* ---- entries ------------------------------------------------------------------------------ */

void seed_dead_flush(struct selftest_run *t, const struct lifetime *lt)
{
	FIXTURE(fx, lt);
	uint64_t va = fx_map(&fx, "f", 2, 'a'), entry, pte;
	struct pmem_region *r = fx.fs->region;
	int err, fault;

	EXPECT_OR(out, va, "not mapped");
	*at(va) = 'd';
	entry = seed_entry(fx.inode[0], 0);
	pmem_kill(r);
	err = dax_fsync(fx.inode[0]);
	fault = load_checked((uint64_t *)PAGE(va, 1), &(uint64_t){0});
	pmem_revive(r);
	pte = seed_pte(va);
	EXPECT_OR(out, entry & ENTRY_DIRTY, "the store left no mark: entry 0x%lx", entry);
	EXPECT_OR(out, !err && !(seed_entry(fx.inode[0], 0) & ENTRY_DIRTY) && !(pte & PTE_W),
		  "fsync of a dead device: %d, pte 0x%lx: %s", err, pte, refusal());
	EXPECT_OR(out, fault, "and yet a dead device serves a fault");
out:
	fixture_end(&fx);
}

void seed_entry_values(struct selftest_run *t, const struct lifetime *lt)
{
	FIXTURE(fx, lt);
	uint64_t va = fx_map(&fx, "f", PAGES, 'a'), most = PTE_PHYS >> PAGE_SHIFT;

	EXPECT_OR(out, va, "not mapped");
	for (unsigned i = 0; i < PAGES; i++) {
		struct dax_run run = {0};
		uint64_t entry;
		int err;

		*at(PAGE(va, i)) = 'b';
		entry = seed_entry(fx.inode[0], i);
		mutex_lock(&fx.fs->lock);
		err = fx.inode[0]->ops->lookup(fx.fs, fx.inode[0]->layer, i, 1, &run);
		mutex_unlock(&fx.fs->lock);
		EXPECT_OR(out, !err && run.pfn && entry_to_pfn(entry) == run.pfn,
			  "page %u: entry 0x%lx, block at pfn 0x%lx, error %d", i, entry, run.pfn,
			  err);
		EXPECT_OR(out, pte_to_pfn(seed_pte(PAGE(va, i))) == run.pfn,
			  "page %u is mapped elsewhere", i);
	}
	/* The largest pfn that a page-table entry can hold, with every flag but the sector's. */
	EXPECT_OR(out,
		  entry_to_pfn(most << PAGE_SHIFT | ((PAGE_SIZE - 1) & ~ENTRY_SECTOR)) == most &&
			  !(most >> (52 - PAGE_SHIFT)),
		  "pfn 0x%lx comes back otherwise", most);
out:
	fixture_end(&fx);
}

/* ---- registration ------------------------------------------------------------------------- */

void seed_region_refused(struct selftest_run *t, const struct lifetime *lt)
{
	if (scratch_choose_edus(1))
		SKIP("%s", refusal());
	FIXTURE(fx, lt);
	uint64_t va = fx_map(&fx, "f", 3, 'a');
	struct region *reg = NULL;
	int err;

	EXPECT_OR(out, va, "not mapped");
	for (unsigned i = 0; i < 3; i++)
		*at(PAGE(va, i)) = 'b';
	err = region_register(scratch_edu(0), va, 3, REGION_PINNED, NULL, &reg);
	if (!err)
		region_deregister(reg);
	EXPECT_OR(out, err == -EOPNOTSUPP, "registering a file's pages: %d", err);
	EXPECT_OR(out, !seed_unrest(va, 3, lt->entry_holds), "%u of 3 pages are still held",
		  seed_unrest(va, 3, lt->entry_holds));
out:
	fixture_end(&fx);
}

void seed_region_of_device(struct selftest_run *t)
{
	const char *why;
	struct pmem_region *r = scratch_region(&why);
	struct region *reg = NULL;
	struct page *record;
	uint64_t va = 0, pinned;
	int err, received;

	if (!r || scratch_choose_edus(1))
		SKIP("%s", r ? refusal() : why);
	EXPECT(!devdax_mmap(current_mm(), r, PMD_SIZE, 0, PMD_SIZE, VM_READ | VM_WRITE | VM_SHARED,
			    &va),
	       "%s", refusal());
	*at(va) = 'a';
	record = pgmap_pfn_to_page(&r->pgmap, r->start >> PAGE_SHIFT);
	err = region_register(scratch_edu(0), PAGE(va, 3), 3, REGION_PINNED, NULL, &reg);
	EXPECT_OR(out, !err, "registering a device's pages: %d", err);
	pinned = page_refs(record);
	received = region_receive(reg, "RDMA");
	region_deregister(reg);
	EXPECT_OR(out, !received && !memcmp((char *)PAGE(va, 5), "RDMARDMA", 8),
		  "the device's bytes did not arrive: %d", received);
	EXPECT_OR(out, pinned == 3 && page_refs(record) == 0, "%lu references, then %u", pinned,
		  page_refs(record));
out:
	mm_unmap(current_mm(), va, PMD_SIZE);
}

/* ---- waiting ------------------------------------------------------------------------------ */

void seed_waits(struct selftest_run *t, const struct lifetime *lt,
		int (*fn)(struct dax_inode *, uint64_t), bool unmapped)
{
	FIXTURE(fx, lt);
	struct page *p = seed_pin(fx_map(&fx, "f", 1, 'a'));
	struct fx_op op = {.inode = fx.inode[0], .fn = fn};
	bool slept, early, ended;

	EXPECT_OR(out, p, "no pinned page");
	if (unmapped)
		fx_unmap(&fx, fx.va[0]);
	EXPECT_OR(out, fx_start(&op), "no memory for a thread");
	slept = fx_asleep(&op, p);
	early = fx_done(&op);
	unpin_user_pages(&p, 1);
	ended = seed_ends(&op);
	EXPECT_OR(out, slept && !early && ended && !op.err,
		  "%s: slept %d, back early %d, woken %d, error %d", lt->name, slept, early, ended,
		  op.err);
	/* One sleep: who takes a busy page for idle would come back and look again and again. */
	EXPECT_OR(out, fx.inode[0]->last_break.busy_seen == 1 && !fx.inode[0]->collisions,
		  "%s: slept %u time(s), %u collision(s)", lt->name,
		  fx.inode[0]->last_break.busy_seen, fx.inode[0]->collisions);
out:
	fixture_end(&fx);
}
