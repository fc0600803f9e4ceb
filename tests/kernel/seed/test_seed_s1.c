/* SPDX-License-Identifier: MIT */
/*
 * Seed tests, series s1, patches 1 to 6 and 8 to 10: the mapping type that validates, MAP_DIRECT
 * and its lease. "MAP_DIRECT for DAX userspace flush", version 8 (October 2017); not merged.
 */
#include "dax/file/internal.h"
#include "tests/kernel/lib/tinyfs.h"
#include "tests/kernel/seed/seed.h"

#define PAGES	2u
#define SHORTLY 20000000ull /* ns; what a deaf holder has in these tests */
#define STRANGE 0x800000u   /* a flag that nobody knows */
#define RW	(VM_READ | VM_WRITE | VM_SHARED)

static int leases_of(struct dax_inode *f)
{
	return (int)lease_count(&f->leases, LEASE_LAYOUT);
}

static const char *state_at(uint64_t va)
{
	const char *s = dax_direct_state(current_mm(), va, NULL);

	return s ? s : "not direct";
}

static void unmap_pages(uint64_t va)
{
	if (va)
		mm_unmap(current_mm(), va, PAGES * PAGE_SIZE);
}

/* Maps by a type and flags and unmaps again; the error. */
static int try_type(struct dax_inode *f, unsigned flags)
{
	struct dax_map rq = {.flags = flags, .pages = 1};
	uint64_t va = 0;
	int err = dax_map(current_mm(), f, &rq, &va);

	if (!err)
		mm_unmap(current_mm(), va, PAGE_SIZE);
	return err;
}

/* Breaks it: validate() that masks the flags of all types; known_flags() with a constant. */
SELFTEST(seed_s1_01, "seed.s1.01",
	 "a flag that nobody knows is refused by MAP_SHARED_VALIDATE and ignored by MAP_SHARED; a "
	 "new flag is refused for a file whose layer does not know it")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = scratch_file("f", 1, 'a');
	struct dax_layer_ops ops;
	int strange = 0, legacy = -1, known = -1, unknown = 0;

	EXPECT_OR(out, f, "%s", refusal());
	strange = try_type(f, MAP_SHARED_VALIDATE | STRANGE);
	legacy = try_type(f, MAP_SHARED | STRANGE);
	known = try_type(f, MAP_SHARED_VALIDATE | MAP_SYNC);
	ops = *f->ops;
	ops.map_flags = 0;
	f->ops = &ops;
	unknown = try_type(f, MAP_SHARED_VALIDATE | MAP_SYNC);
	f->ops = fx.fs->ops;
	EXPECT_OR(out, strange == -EOPNOTSUPP && !legacy && !known && unknown == -EOPNOTSUPP,
		  "strange %d, legacy %d, known %d, unknown %d", strange, legacy, known, unknown);
out:
	if (f)
		dax_put(f);
	fixture_end(&fx);
}

/* Breaks it: print_name() that gives the lease no name; notify() without the file. */
SELFTEST(seed_s1_02, "seed.s1.02",
	 "the notice of a break names the file, and the mapping as the shell calls it")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = scratch_file("f", 1, 'a');
	char text[NOTICE_TEXT] = "";
	int mapped = -1, unmapped = -1;
	unsigned n = 0;

	EXPECT_OR(out, f, "%s", refusal());
	mapped = shell_run_line("map " SCRATCH_PATH "/f direct");
	lease_break(&f->leases, LEASE_LAYOUT, false);
	n = fx_take_notices(text, sizeof(text));
	unmapped = shell_run_line("unmap m1");
	EXPECT_OR(out, !mapped && !unmapped && n == 1, "map %d, unmap %d, %u notice(s)", mapped,
		  unmapped, n);
	EXPECT_OR(out, strstr(text, SCRATCH_PATH "/f") && strstr(text, "m1 ("), "'%s'", text);
out:
	if (f)
		dax_put(f);
	fixture_end(&fx);
}

/* Breaks it: direct_open() that counts nothing; direct_close() that frees with any VMA. */
SELFTEST(seed_s1_03, "seed.s1.03",
	 "one object stands for a mapping, its copy by fork and its pieces; it is closed while its "
	 "lease is being broken, and the breaker goes on")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = scratch_file("f", PAGES, 'a');
	struct fx_op op = {.inode = f, .fn = seed_punch_first};
	struct mm *child = NULL;
	uint64_t va = 0;
	int forked = -1, cut = -1, there = -1;
	bool slept = false, ended = false;

	EXPECT_OR(out, f && !fx_map_flags(f, PAGES, MAP_DIRECT, false, &va), "%s", refusal());
	child = mm_fork(current_mm(), "child");
	EXPECT_OR(out, child, "no child");
	mm_unmap(current_mm(), va, PAGES * PAGE_SIZE);
	forked = leases_of(f);
	mm_unmap(child, va, PAGE_SIZE);
	cut = leases_of(f);
	slept = fx_start(&op) && seed_sleeps_for_lease(&op);
	there = leases_of(f);
	mm_put(child);
	child = NULL;
	ended = seed_ends(&op);
	EXPECT_OR(out, forked == 1 && cut == 1 && there == 1 && slept,
		  "leases %d, %d, %d, slept %d", forked, cut, there, slept);
	EXPECT_OR(out, ended && !op.err && !leases_of(f), "ended %d, error %d, leases %d", ended,
		  op.err, leases_of(f));
out:
	if (child)
		mm_put(child);
	fx_take_notices(NULL, 0);
	if (f)
		dax_put(f);
	fixture_end(&fx);
}

static unsigned served; /* the pNFS server's lease was told */

static bool serve_told(struct lease *l)
{
	(void)l;
	served++;
	return false;
}

static const struct lease_ops server_ops = {.what = "a pNFS server", .told = serve_told};

/* Breaks it: layout_break_leases() that keeps a lock; a break that stops at the first lease. */
SELFTEST(seed_s1_04, "seed.s1.04",
	 "a pNFS server's lease and a MAP_DIRECT one are broken by the same call, which keeps "
	 "neither lock of the file while it waits, and goes on when both have gone")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = scratch_file("f", PAGES, 'a');
	struct lease l = {.class = LEASE_LAYOUT, .ops = &server_ops};
	struct fx_op op = {.inode = f, .fn = seed_punch_first};
	bool slept = false, io = false, fault = false, one = true, ended = false;
	unsigned told = 0;
	uint64_t va = 0;

	served = 0;
	EXPECT_OR(out, f && !fx_map_flags(f, PAGES, MAP_DIRECT, false, &va), "%s", refusal());
	EXPECT_OR(out, !layout_lease_set(f, &l, true), "%s", refusal());
	slept = fx_start(&op) && seed_sleeps_for_lease(&op);
	told = fx_take_notices(NULL, 0);
	io = down_read_trylock(&f->io_lock);
	if (io)
		up_read(&f->io_lock);
	fault = down_read_trylock(&f->fault_lock);
	if (fault)
		up_read(&f->fault_lock);
	lease_unlock(&l);
	quiet_wait();
	one = fx_done(&op);
	unmap_pages(va);
	va = 0;
	ended = seed_ends(&op);
	EXPECT_OR(out, slept && told == 1 && served == 1 && io && fault,
		  "slept %d, told %u and %u, io_lock free %d, fault_lock free %d", slept, told,
		  served, io, fault);
	EXPECT_OR(out, !one && ended && !op.err, "with one lease left %d, ended %d, error %d", one,
		  ended, op.err);
out:
	lease_unlock(&l);
	unmap_pages(va);
	if (f)
		dax_put(f);
	fixture_end(&fx);
}

/* Breaks it: map() of the file layer without layout_break_fault(), or with one that waits. */
SELFTEST(seed_s1_05, "seed.s1.05",
	 "in every lifetime a store into a hole of a leased file fails at once, its holder is "
	 "told, no block is made; when the lease has gone the same store makes one")
{
	for (unsigned n = 0; lifetime_nth(n) && !t->failed; n++) {
		FIXTURE(fx, lifetime_nth(n));
		struct dax_inode *f = scratch_file("f", 1, 'a');
		struct dax_run run = {0};
		uint64_t va = 0, plain = 0;
		int store = 0, then = -1;
		unsigned told = 0;

		EXPECT_OR(out, f && !dax_truncate(f, PAGES * PAGE_SIZE), "%s", refusal());
		EXPECT_OR(out,
			  !fx_map_flags(f, PAGES, 0, false, &plain) &&
				  !fx_map_flags(f, PAGES, MAP_DIRECT, false, &va),
			  "%s", refusal());
		store = store_checked((uint64_t *)(plain + PAGE_SIZE), 1);
		told = fx_take_notices(NULL, 0);
		mutex_lock(&fx.fs->lock);
		f->ops->lookup(fx.fs, f->layer, 1, 1, &run);
		mutex_unlock(&fx.fs->lock);
		unmap_pages(va);
		va = 0;
		then = store_checked((uint64_t *)(plain + PAGE_SIZE), 1);
		EXPECT_OR(out, store == -EFAULT && told == 1 && !run.pfn && !then,
			  "%s: store %d, told %u, pfn 0x%lx, then %d", lifetime_nth(n)->name, store,
			  told, run.pfn, then);
	out:
		unmap_pages(va);
		unmap_pages(plain);
		if (f)
			dax_put(f);
		fixture_end(&fx);
	}
}

/* Breaks it: refuse_shared() left out; direct_fault() without its test. */
SELFTEST(
	seed_s1_06, "seed.s1.06",
	"a stranger is refused; a fault is served while the lease is being broken and not when its "
	"time is over, while a plain mapping of the same file works on")
{
	const uint64_t before = lease_break_time_ns;
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = scratch_file("f", PAGES, 'a');
	uint64_t va = 0, plain = 0, none;
	int stranger = 0, during = -1, after = 0, other = -1;

	EXPECT_OR(out,
		  f && !fx_map_flags(f, PAGES, MAP_DIRECT, false, &va) &&
			  !fx_map_flags(f, PAGES, 0, false, &plain),
		  "%s", refusal());
	stranger = fx_map_flags(f, PAGES, MAP_DIRECT, true, &none);
	lease_break_time_ns = SHORTLY;
	lease_break(&f->leases, LEASE_LAYOUT, false);
	during = store_checked((uint64_t *)va, 1);
	AWAIT_POLLS(!leases_of(f), "the revocation");
	after = store_checked((uint64_t *)va, 1);
	other = store_checked((uint64_t *)plain, 1);
	EXPECT_OR(out, stranger == -EACCES && !during && after == -EFAULT && !other,
		  "stranger %d, during the break %d, after it %d, plain %d", stranger, during,
		  after, other);
	EXPECT_OR(out, !strcmp(state_at(va), "revoked"), "%s", state_at(va));
out:
	lease_break_time_ns = before;
	unmap_pages(va);
	unmap_pages(plain);
	fx_take_notices(NULL, 0);
	if (f)
		dax_put(f);
	fixture_end(&fx);
}

/* ---- ->lease_direct() --------------------------------------------------------------------------
 */

static struct {
	struct direct_lease lease;
	unsigned told, revoked;
	uint64_t due_ns, revoked_ns;
} subscriber;

static void subscriber_told(struct direct_lease *l)
{
	subscriber.told++;
	subscriber.due_ns = l->lease.until_ns;
}

static void subscriber_revoke(struct direct_lease *l)
{
	(void)l;
	subscriber.revoked_ns = clock_ns();
	thread_sleep_ns(SHORTLY); /* a breaker that does not wait for this is back before its end */
	__atomic_fetch_add(&subscriber.revoked, 1, __ATOMIC_RELEASE);
}

static const struct direct_lease_ops subscriber_ops = {
	.what = "a subscriber", .told = subscriber_told, .revoke = subscriber_revoke};

static int subscribe(uint64_t va)
{
	struct mm *mm = current_mm();
	int err;

	memset(&subscriber, 0, sizeof(subscriber));
	subscriber.lease.ops = &subscriber_ops;
	down_read(&mm->mmap_lock);
	err = direct_lease_take(mm_find_vma(mm, va), &subscriber.lease);
	up_read(&mm->mmap_lock);
	return err;
}

/* Breaks it: a lease that leaves the list before its revoke; a revoke by whoever looks. */
SELFTEST(seed_s1_08, "seed.s1.08",
	 "a subscriber's callback runs once, when lease_break_time is over and before the break "
	 "returns")
{
	const uint64_t before = lease_break_time_ns;
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = scratch_file("f", PAGES, 'a');
	uint64_t va = 0, start = 0;
	unsigned then = 0;
	int err = -1;

	EXPECT_OR(out, f && !fx_map_flags(f, PAGES, MAP_DIRECT, false, &va) && !subscribe(va), "%s",
		  refusal());
	lease_break_time_ns = SHORTLY;
	start = clock_ns();
	err = lease_break(&f->leases, LEASE_LAYOUT, true);
	then = subscriber.revoked;
	lease_break(&f->leases, LEASE_LAYOUT, true);
	direct_lease_end(&subscriber.lease);
	EXPECT_OR(out, !err && then == 1 && subscriber.revoked == 1 && subscriber.told == 1,
		  "error %d, revoked %u then, %u in all, told %u", err, then, subscriber.revoked,
		  subscriber.told);
	EXPECT_OR(out,
		  subscriber.due_ns >= start + SHORTLY &&
			  subscriber.revoked_ns >= subscriber.due_ns,
		  "due after %lu ns, revoked after %lu", subscriber.due_ns - start,
		  subscriber.revoked_ns - start);
out:
	lease_break_time_ns = before;
	unmap_pages(va);
	fx_take_notices(NULL, 0);
	if (f)
		dax_put(f);
	fixture_end(&fx);
}

/* Breaks it: .lease_direct in dax_vma_ops. */
SELFTEST(
	seed_s1_09, "seed.s1.09",
	"a plain mapping of a file offers no lease to a client, -EOPNOTSUPP; a MAP_DIRECT one does")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = scratch_file("f", PAGES, 'a');
	uint64_t va = 0, plain = 0;
	int no = 0, yes = -1, count = -1;

	EXPECT_OR(out,
		  f && !fx_map_flags(f, PAGES, MAP_DIRECT, false, &va) &&
			  !fx_map_flags(f, PAGES, 0, false, &plain),
		  "%s", refusal());
	no = subscribe(plain);
	yes = subscribe(va);
	count = leases_of(f);
	direct_lease_end(&subscriber.lease);
	EXPECT_OR(out, no == -EOPNOTSUPP && !yes && count == 2 && leases_of(f) == 1,
		  "plain %d, direct %d, leases %d and %d", no, yes, count, leases_of(f));
out:
	unmap_pages(va);
	unmap_pages(plain);
	if (f)
		dax_put(f);
	fixture_end(&fx);
}

static int unbind_thread(struct dax_inode *unused, uint64_t region)
{
	(void)unused;
	return dax_unbind((struct pmem_region *)region, true);
}

/* Breaks it: devdax_remove() or devdax_killed() that breaks no lease; devdax_lease_direct() that
 * does not look at the device's state. */
SELFTEST(seed_s1_10, "seed.s1.10",
	 "device-dax gives a client a lease without one of the mapping; a kill begins to break it "
	 "and gives no new one, a removal waits until it is revoked, and then the mapping fails")
{
	const uint64_t before = lease_break_time_ns;
	const char *why;
	struct pmem_region *r = scratch_region(&why);
	struct fx_op op = {.fn = unbind_thread, .arg = (uint64_t)r};
	uint64_t va = 0, v;
	unsigned killed, gone;
	int kill, again, dead, unbound;

	if (!r)
		SKIP("%s", why);
	EXPECT(!devdax_mmap(current_mm(), r, PMD_SIZE, 0, PMD_SIZE, RW, &va), "%s", refusal());
	lease_break_time_ns = SHORTLY;
	*at(va) = 'd';
	kill = subscribe(va);
	kill = kill ?: pmem_kill(r);
	AWAIT_POLLS(__atomic_load_n(&subscriber.revoked, __ATOMIC_ACQUIRE), "the revocation");
	killed = subscriber.revoked;
	direct_lease_end(&subscriber.lease);
	again = subscribe(va);
	dead = pmem_revive(r) ?: subscribe(va);
	unbound = fx_start(&op) && fx_ends(&op) ? op.err : -ETIMEDOUT;
	gone = subscriber.revoked;
	direct_lease_end(&subscriber.lease);
	fx_join(&op);
	lease_break_time_ns = before;
	again = again == -ENXIO ? load_checked((uint64_t *)va, &v) : -EIO;
	mm_unmap(current_mm(), va, PMD_SIZE);
	EXPECT(!pmem_bind(r), "%s", refusal());
	EXPECT(!kill && killed == 1 && !dead && !unbound && gone == 1,
	       "kill %d, revoked %u; lease %d, unbind %d, revoked %u", kill, killed, dead, unbound,
	       gone);
	EXPECT(again == -EFAULT, "a client or a load after it: %d", again);
}
