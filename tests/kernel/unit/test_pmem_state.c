/* SPDX-License-Identifier: MIT */
/*
 * Self-tests: the states of a region in the machine (pmem.*). The table itself is tested on the
 * host (tests/host/test_pmem_state.c); here each of its moves is made by what a user does, and each
 * state that lasts is met by the others.
 */
#include "tests/kernel/lib/fixture.h"

#define PIN (FOLL_PIN | FOLL_WRITE)

/* A page of a file, pinned; its file system is unmounted. */
static struct page *held_page(struct fixture *fx)
{
	uint64_t va = fx_map(fx, "f", 1, 'a');
	struct page *p;
	bool pinned = va && get_user_pages_fast(va, 1, PIN, &p) == 1;

	fixture_end(fx);
	return pinned ? p : NULL;
}

/* Of a region that is not bound: somebody else has its range. */
static int bind_in_vain(struct pmem_region *r)
{
	struct pgmap other = pmem_fs_pgmap(r);
	int err = memremap_pages(&other) ? 0 : pmem_bind(r);

	if (pgmap_is_live(&other))
		memunmap_pages(&other);
	return err;
}

static uint64_t legal_moves(void)
{
	uint64_t all = 0;

	for (enum pmem_state from = 0; from < PMEM_STATES; from++)
		for (enum pmem_state to = 0; to < PMEM_STATES; to++)
			all |= (uint64_t)pmem_may_step(from, to) << (from * PMEM_STATES + to);
	return all;
}

static void map_as_device(struct pmem_region *r)
{
	uint64_t va = 0;

	if (!devdax_mmap(current_mm(), r, PMD_SIZE, 0, PMD_SIZE, VM_READ | VM_SHARED, &va)) {
		pmem_kill(r); /* so the records are made anew for a killed one */
		mm_unmap(current_mm(), va, PMD_SIZE);
		pmem_revive(r);
	}
}

/* Breaks it: a move that nothing makes, in the table. */
SELFTEST(pmem_moves, "pmem.every-move",
	 "binding, killing, unbinding, refusals of these and another use make every move that the "
	 "table of states has")
{
	int held, killed, in_vain, bound;
	enum pmem_state back[2];
	struct page *p;
	uint64_t seen;

	FIXTURE(fx, &lifetime_busy_extent);
	struct pmem_region *r = fx.fs->region;

	p = held_page(&fx);
	EXPECT(p, "no page is held");
	pmem_moves_seen = 0;
	held = dax_unbind(r, false);
	back[0] = pmem_state(r);
	pmem_kill(r);
	killed = dax_unbind(r, false);
	back[1] = pmem_state(r);
	pmem_revive(r);
	unpin_user_pages(&p, 1);
	map_as_device(r);
	pmem_unbind(r);
	in_vain = bind_in_vain(r);
	bound = pmem_bind(r);
	seen = pmem_moves_seen;
	EXPECT(!bound, "%s cannot be bound again: %s", r->name, refusal());
	EXPECT(held == -EBUSY && back[0] == PMEM_PRESENT, "held: %d, %s", held,
	       pmem_state_name(back[0]));
	EXPECT(killed == -EBUSY && back[1] == PMEM_KILLED, "killed: %d, %s", killed,
	       pmem_state_name(back[1]));
	EXPECT(in_vain == -ENOMEM, "a range that is taken: %d", in_vain);
	EXPECT(seen == legal_moves(), "moves 0x%lx, not 0x%lx", seen, legal_moves());
}

static char said[200];

static void step_at_will(void *unused)
{
	struct pmem_region fake = {.name = "fake", .state = PMEM_UNMAPPED};

	(void)unused;
	assert_expect(said, sizeof(said));
	pmem_step(&fake, PMEM_PRESENT);
	assert_expect(NULL, 0);
}

SELFTEST(pmem_illegal, "pmem.illegal-step",
	 "a region that is unmapped and made present again is a panic that names both states")
{
	struct thread *careless;

	said[0] = '\0';
	careless = thread_create("careless", step_at_will, NULL, 0);
	EXPECT(careless, "no thread");
	thread_join(careless);
	EXPECT(strstr(said, "from unmapped to present"), "it said '%s'", said);
}

/* ---- a state that lasts --------------------------------------------------------------------- */

static struct pmem_region *leaving; /* for the thread that unbinds it */

static int unbind_waiting(struct dax_inode *unused, uint64_t arg)
{
	(void)unused, (void)arg;
	return dax_unbind(leaving, true);
}

/* Which of those who meet a region that is being unbound are not refused for that? A bit each. */
static unsigned not_refused(struct pmem_region *r)
{
	uint64_t va = 0;
	const int err[] = {
		pmem_bind(r),
		pmem_kill(r),
		pmem_revive(r),
		dax_unbind(r, true),
		dax_mount(r, SCRATCH_PATH, LIFETIME_DEFAULT, NULL),
		devdax_mmap(current_mm(), r, PMD_SIZE, 0, PMD_SIZE, VM_READ | VM_SHARED, &va)};
	unsigned bits = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(err); i++)
		bits |= (unsigned)(err[i] != -EBUSY) << i;
	return bits;
}

/* Unbinds a region with a held page, by a thread that waits in `state`. */
static void meet(struct selftest_run *t, const struct lifetime *lt, enum pmem_state state)
{
	struct fx_op op = {.fn = unbind_waiting};
	enum pmem_state in;
	unsigned others;
	struct page *p;
	bool slept;

	FIXTURE(fx, lt);
	leaving = fx.fs->region;
	p = held_page(&fx);
	EXPECT(p, "no page is held");
	fx_start(&op);
	slept = falls_asleep(op.thread);
	in = pmem_state(leaving);
	others = not_refused(leaving);
	shell_run_line("pmem");
	unpin_user_pages(&p, 1);
	fx_join(&op);
	EXPECT(!pmem_bind(leaving), "not bound again: %s", refusal());
	EXPECT(slept && in == state && !op.err, "%s: asleep %d, %s, error %d", lt->name, slept,
	       pmem_state_name(in), op.err);
	EXPECT(!others, "%s: not refused: 0x%x; %s", lt->name, others, refusal());
}

/* Breaks it: a command that looks at the region without a step. */
SELFTEST(pmem_meets, "pmem.leaving-is-met",
	 "while a region is being unbound, and waits for the holder of a page, whoever binds, "
	 "kills, revives, unbinds, mounts or maps it is refused, before its mappings are gone and "
	 "behind that")
{
	meet(t, &lifetime_busy_extent, PMEM_LEAVING);
	if (!t->failed && !t->skipped)
		meet(t, &lifetime_idle_at_one, PMEM_UNMAPPED);
}
