/* SPDX-License-Identifier: MIT */
/*
 * Self-test: the state table of mappings with MAP_DIRECT, row by row, in every lifetime
 * (direct.state-table). A row is a state, something that happens, and the state behind it:
 *
 *   LIVE      the lease is set
 *   BREAKING  the holder was told, once; who wants the blocks sleeps, or was refused
 *   REVOKED   the time was over: no page is shown, and who waited went on
 *   GONE      the last VMA was closed: no lease, and no reference of the file is left
 *
 * The file has four pages, the second a hole. Nothing here waits for time: the break time is an
 * hour, and the clock is moved on where it is to be over.
 */
#include "dax/file/internal.h"
#include "tests/kernel/lib/fixture.h"

#define HOUR  (3600ull * 1000 * 1000 * 1000)
#define PAGES 4u
#define HOLE  1u
#define BYTES (PAGES * PAGE_SIZE)
#define RW    (VM_READ | VM_WRITE)

enum state { LIVE, BREAKING, REVOKED, GONE };
static const char *const state_text[] = {"lease set", "being broken", "revoked", "not direct"};

static struct {
	struct fixture fx;
	struct dax_inode *f;
	uint64_t va;	 /* with MAP_DIRECT; the state is asked there, also when it is closed */
	bool closed;	 /* va is nobody's any more */
	uint64_t plain;	 /* another mapping of the file */
	struct fx_op op; /* who breaks and waits; thread NULL: nobody does */
	unsigned refs;	 /* of f without the mapping */
	uint64_t break_time;
} it;

static int store(uint64_t va, unsigned page)
{
	return store_checked((uint64_t *)(va + page * PAGE_SIZE), 1);
}

static int load(uint64_t va, unsigned page)
{
	uint64_t word;

	return load_checked((uint64_t *)(va + page * PAGE_SIZE), &word);
}

/* ---- what happens: each returns whether it went as it should --------------------------------- */

static bool store_block(void)
{
	return !store(it.va, 3);
}

static bool load_hole(void)
{
	return !load(it.va, HOLE);
}

static bool fork_that_goes(void)
{
	struct mm *child = mm_fork(current_mm(), "child");

	if (child)
		mm_put(child);
	return child;
}

static bool unmap_piece(void)
{
	return !mm_unmap(current_mm(), it.va + PAGE_SIZE, 2 * PAGE_SIZE);
}

static bool close_last(void)
{
	it.closed = true;
	mm_unmap(current_mm(), it.va, BYTES);
	return true;
}

/* In a thread of its own, which sleeps for the lease. */
static bool sleeps(int (*fn)(struct dax_inode *f, uint64_t arg))
{
	it.op = (struct fx_op){.inode = it.f, .arg = PAGE_SIZE, .fn = fn};
	return fx_start(&it.op) && fx_falls_asleep(&it.op, &it.f->leases);
}

static int do_write(struct dax_inode *f, uint64_t unused)
{
	int64_t n = dax_write(f, 0, "w", 1);

	(void)unused;
	return n < 0 ? (int)n : 0;
}

static bool by_write(void)
{
	return sleeps(do_write);
}

static int do_fallocate(struct dax_inode *f, uint64_t len)
{
	return dax_fallocate(f, BYTES, len, true);
}

static bool by_fallocate(void)
{
	return sleeps(do_fallocate);
}

static bool by_truncate(void)
{
	return sleeps(fx_truncate);
}

static int do_punch(struct dax_inode *f, uint64_t len)
{
	return dax_punch(f, 0, len);
}

static bool by_punch(void)
{
	return sleeps(do_punch);
}

static bool stays_a_hole(void)
{
	struct dax_run run = {0};

	mutex_lock(&it.fx.fs->lock);
	it.fx.fs->ops->lookup(it.fx.fs, it.f->layer, HOLE, 1, &run);
	mutex_unlock(&it.fx.fs->lock);
	return !run.pfn;
}

static bool others_store_into_hole(void)
{
	return store(it.plain, HOLE) == -EFAULT && stays_a_hole();
}

static bool own_store_into_hole(void)
{
	return store(it.va, HOLE) == -EFAULT && stays_a_hole();
}

static bool second_is_refused(void)
{
	uint64_t va;

	return fx_map_flags(it.f, PAGES, MAP_DIRECT, false, &va) == -EAGAIN;
}

static bool rights_taken_and_given(void)
{
	return !mm_protect(current_mm(), it.va, BYTES, VM_READ) &&
	       !mm_protect(current_mm(), it.va, BYTES, RW);
}

static bool time_is_over(void)
{
	clock_skip(HOUR);
	return AWAIT_POLLS(!lease_count(&it.f->leases, LEASE_LAYOUT), "the revocation");
}

static bool accesses_fail(void)
{
	bool fail = store(it.va, 3) == -EFAULT && strstr(refusal(), "revoked");

	return fail && load(it.va, 3) == -EFAULT && load(it.va, HOLE) == -EFAULT;
}

static bool fork_shows_nothing(void)
{
	struct mm *child = mm_fork(current_mm(), "child");
	bool fails = child && mm_fault(child, it.va + 3 * PAGE_SIZE, false) == -EFAULT;

	if (child)
		mm_put(child);
	return fails;
}

static bool second_is_live(void)
{
	uint64_t va;
	bool live;

	if (fx_map_flags(it.f, PAGES, MAP_DIRECT, false, &va))
		return false;
	live = !strcmp(dax_direct_state(current_mm(), va, NULL), state_text[LIVE]) && !store(va, 3);
	mm_unmap(current_mm(), va, BYTES);
	return live;
}

static const struct row {
	enum state from;
	const char *event;
	bool (*happens)(void);
	enum state to;
} rows[] = {
	{LIVE, "a store to a block", store_block, LIVE},
	{LIVE, "a load of a hole", load_hole, LIVE},
	{LIVE, "a copy by fork, which goes", fork_that_goes, LIVE},
	{LIVE, "a piece is unmapped", unmap_piece, LIVE},
	{LIVE, "a loss of rights and a grant", rights_taken_and_given, LIVE},
	{LIVE, "the last close", close_last, GONE},
	{LIVE, "a write", by_write, BREAKING},
	{LIVE, "fallocate", by_fallocate, BREAKING},
	{LIVE, "a truncate", by_truncate, BREAKING},
	{LIVE, "a punch", by_punch, BREAKING},
	{LIVE, "another's store into a hole", others_store_into_hole, BREAKING},
	{LIVE, "the holder's store into a hole", own_store_into_hole, BREAKING},
	{BREAKING, "a store to a block", store_block, BREAKING},
	{BREAKING, "a load of a hole", load_hole, BREAKING},
	{BREAKING, "a store into a hole, which breaks again", others_store_into_hole, BREAKING},
	{BREAKING, "a second mapping with MAP_DIRECT", second_is_refused, BREAKING},
	{BREAKING, "a loss of rights and a grant", rights_taken_and_given, BREAKING},
	{BREAKING, "a copy by fork, which goes", fork_that_goes, BREAKING},
	{BREAKING, "a piece is unmapped", unmap_piece, BREAKING},
	{BREAKING, "the last close", close_last, GONE},
	{BREAKING, "the break time is over", time_is_over, REVOKED},
	{REVOKED, "accesses", accesses_fail, REVOKED},
	{REVOKED, "a copy by fork", fork_shows_nothing, REVOKED},
	{REVOKED, "a second mapping with MAP_DIRECT", second_is_live, REVOKED},
	{REVOKED, "a loss of rights and a grant", rights_taken_and_given, REVOKED},
	{REVOKED, "the last close", close_last, GONE},
};

/* ---- one row --------------------------------------------------------------------------------- */

/* A new mapping, LIVE, each block of it touched. 0 or errno. */
static int map_it(void)
{
	int err;

	it.f = scratch_file("f", PAGES, 'a');
	err = it.f ? dax_punch(it.f, HOLE * PAGE_SIZE, PAGE_SIZE) : -ENOMEM;
	err = err ?: fx_map_flags(it.f, PAGES, 0, false, &it.plain);
	if (err)
		return err;
	it.refs = it.f->refs;
	err = fx_map_flags(it.f, PAGES, MAP_DIRECT, false, &it.va);
	return err ?: store(it.va, 0) ?: store(it.va, 2) ?: store(it.va, 3);
}

/* From LIVE to where the row begins. */
static bool bring_to(enum state from)
{
	return from == LIVE || (by_punch() && (from == BREAKING || time_is_over()));
}

/* What holds in this state, of a mapping that was broken or not; NULL: all of it. */
static const char *wrong_in(enum state s, bool was_broken, unsigned told)
{
	const char *now = it.va ? dax_direct_state(current_mm(), it.va, NULL) : NULL;
	const unsigned leases = lease_count(&it.f->leases, LEASE_LAYOUT);

	quiet_wait();
	if (strcmp(now ? now : state_text[GONE], state_text[s]) != 0)
		return now ? now : state_text[GONE];
	if (leases != (s == LIVE || s == BREAKING))
		return "the number of leases";
	if (told != was_broken)
		return "the number of notices";
	if (it.op.thread && fx_done(&it.op) != (s != BREAKING))
		return s == BREAKING ? "the breaker went on" : "the breaker sleeps on";
	if (it.op.thread && s != BREAKING && it.op.err)
		return "the breaker's error";
	return s == GONE && it.f->refs != it.refs ? "a reference of the file is left" : NULL;
}

static void end_it(void)
{
	if (it.va && !it.closed)
		mm_unmap(current_mm(), it.va, BYTES);
	if (it.op.thread && !fx_ends(&it.op)) /* else it sleeps for ever */
		lease_drop_all(&it.f->leases);
	if (it.op.thread)
		fx_join(&it.op);
	if (it.plain)
		mm_unmap(current_mm(), it.plain, BYTES);
	if (it.f)
		dax_put(it.f);
	fixture_end(&it.fx);
	lease_break_time_ns = it.break_time;
	fx_take_notices(NULL, 0);
}

static void play(struct selftest_run *t, const struct row *r, const struct lifetime *lt)
{
	bool there, went = false;
	const char *wrong = NULL;
	int err;

	memset(&it, 0, sizeof(it));
	it.break_time = lease_break_time_ns;
	EXPECT(!fixture_start(&it.fx, lt), "mounting: %s", it.fx.why);
	lease_break_time_ns = HOUR;
	err = map_it();
	there = !err && bring_to(r->from);
	if (there) {
		went = r->happens();
		wrong = wrong_in(r->to, r->from != LIVE || r->to == BREAKING,
				 fx_take_notices(NULL, 0));
	}
	end_it();
	EXPECT(there, "%s: not brought to '%s': %d, %s", lt->name, state_text[r->from], err,
	       refusal());
	EXPECT(went && !wrong, "%s: in '%s', %s: went as it should %d, wrong: %s", lt->name,
	       state_text[r->from], r->event, went, wrong ? wrong : "nothing");
	EXPECT(!check_all(), "%s: behind %s", lt->name, r->event);
}

/* Breaks it: each of the museum's direct-* that a row can see; tell_next() without its look at
 * `pending`; direct_fault() without its test of `revoked`; an end of the break that another store
 * or a second mapping brings. */
SELFTEST(direct_table, "direct.state-table",
	 "in every lifetime a mapping with MAP_DIRECT goes from each state to the next by what "
	 "should bring it there and by nothing else: set, being broken, revoked, gone")
{
	const char *why;

	if (!scratch_region(&why))
		SKIP("%s", why);
	for (unsigned l = 0; lifetime_nth(l); l++)
		for (unsigned i = 0; i < ARRAY_SIZE(rows) && !t->failed; i++)
			play(t, &rows[i], lifetime_nth(l));
}
