/* SPDX-License-Identifier: MIT */
/*
 * Self-tests: mappings with MAP_DIRECT (direct.*): every state of dax/file/direct.c and every way
 * from one to the next, in every lifetime where a page may be held.
 */
#include "dax/file/internal.h"
#include "tests/kernel/lib/fixture.h"
#include "tests/kernel/lib/tinyfs.h"

#define SOON	20000000ull /* ns: how long a test lets a deaf holder have its lease */
#define F_PAGES 4u

/* One mapping with MAP_DIRECT of a file of four pages, and what is given back at the end. */
struct direct {
	struct fixture fx;
	struct dax_inode *f;
	uint64_t va;
	uint64_t break_time;
	int err;
};

static int map_as(struct dax_inode *f, unsigned flags, bool stranger, uint64_t *va)
{
	return fx_map_flags(f, F_PAGES, flags, stranger, va);
}

static int direct_start(struct direct *d, const struct lifetime *lt)
{
	*d = (struct direct){.break_time = lease_break_time_ns};
	d->err = fixture_start(&d->fx, lt);
	if (d->err)
		return d->err;
	d->f = scratch_file("f", F_PAGES, 'a');
	d->err = d->f ? map_as(d->f, MAP_DIRECT, false, &d->va) : -ENOMEM;
	return 0;
}

/* Value: notices that were left. */
static unsigned direct_end(struct direct *d)
{
	lease_break_time_ns = d->break_time;
	if (d->va)
		mm_unmap(current_mm(), d->va, F_PAGES * PAGE_SIZE); /* may be gone */
	if (d->f)
		dax_put(d->f);
	fixture_end(&d->fx);
	return fx_take_notices(NULL, 0);
}

#define DIRECT(d, lt)                                                                              \
	struct direct d;                                                                           \
	const char *why_not;                                                                       \
	if (!scratch_region(&why_not))                                                             \
		SKIP("%s", why_not);                                                               \
	EXPECT(!direct_start(&d, lt), "mounting: %s", d.fx.why);                                   \
	EXPECT_OR(out, !d.err, "not mapped: %d, %s", d.err, refusal())

static int store(uint64_t va)
{
	return store_checked((uint64_t *)va, 1);
}

static const char *state(const struct direct *d)
{
	const char *s = dax_direct_state(current_mm(), d->va, NULL);

	return s ? s : "not direct";
}

static unsigned leases(const struct direct *d)
{
	return lease_count(&d->f->leases, LEASE_LAYOUT);
}

static int punch(struct dax_inode *f, uint64_t page)
{
	return dax_punch(f, page * PAGE_SIZE, PAGE_SIZE);
}

/* Starts a punch of page 0, and waits until it sleeps for the lease. */
static bool punch_sleeps(struct direct *d, struct fx_op *op)
{
	*op = (struct fx_op){.inode = d->f, .fn = punch};
	return fx_start(op) && fx_falls_asleep(op, &d->f->leases);
}

SELFTEST(direct_cooperative, "direct.holder-unmaps",
	 "in every lifetime: a punch of a mapped file waits, the holder's thread is told, the "
	 "mapping works on; the holder unmaps it, and the punch goes on long before the break time "
	 "is over")
{
	for (unsigned l = 0; lifetime_nth(l) && !t->failed; l++) {
		const char *name = lifetime_nth(l)->name;
		struct fx_op op = {0};
		bool slept = false, ended = false;
		unsigned told = 0;
		int works = -1;

		DIRECT(d, lifetime_nth(l));
		slept = punch_sleeps(&d, &op);
		told = fx_take_notices(NULL, 0);
		works = store(d.va);
		EXPECT_OR(join, slept && told == 1, "%s: slept %d, told %u", name, slept, told);
		EXPECT_OR(join, !works && !strcmp(state(&d), "being broken"), "%s: store %d, %s",
			  name, works, state(&d));
	join:
		mm_unmap(current_mm(), d.va, F_PAGES * PAGE_SIZE);
		quiet_wait();
		ended = fx_done(&op);
		fx_join(&op);
		EXPECT_OR(out, t->failed || (ended && !op.err && !leases(&d)),
			  "%s: ended %d, error %d", name, ended, op.err);
	out:
		direct_end(&d);
	}
}

SELFTEST(
	direct_deaf, "direct.deaf-holder",
	"in every lifetime: a holder that does nothing loses every page when the time is over; its "
	"accesses fail from then on, the change is made, and a plain mapping of the file works")
{
	for (unsigned l = 0; lifetime_nth(l) && !t->failed; l++) {
		const char *name = lifetime_nth(l)->name;
		uint64_t plain = 0, word;
		int stored, err, after, read, other;

		DIRECT(d, lifetime_nth(l));
		lease_break_time_ns = SOON;
		stored = store(d.va) ? -1 : store(d.va + PAGE_SIZE);
		err = dax_punch(d.f, 0, PAGE_SIZE);
		after = store(d.va + PAGE_SIZE);
		read = load_checked((uint64_t *)(d.va + 2 * PAGE_SIZE), &word);
		EXPECT_OR(out, !stored && !err, "%s: store %d, punch %d", name, stored, err);
		EXPECT_OR(out, after == -EFAULT && read == -EFAULT && strstr(refusal(), "revoked"),
			  "%s: store %d, load %d: %s", name, after, read, refusal());
		EXPECT_OR(out, !strcmp(state(&d), "revoked") && !leases(&d), "%s: %s, %u lease(s)",
			  name, state(&d), leases(&d));
		other = map_as(d.f, 0, false, &plain);
		if (!other)
			other = store(plain + PAGE_SIZE);
		mm_unmap(current_mm(), plain, F_PAGES * PAGE_SIZE);
		EXPECT_OR(out, !other && !check_all(), "%s: plain mapping %d", name, other);
	out:
		direct_end(&d);
	}
}

SELFTEST(direct_fork, "direct.fork-and-split",
	 "every piece and copy of a mapping is revoked with it, in each address space, and the "
	 "lease lasts until the last of them is closed")
{
	struct mm *child = NULL;
	unsigned two = 0, one = 0;
	int in_child[2] = {-1, -1}, here[2] = {-1, -1}, err = -1;

	DIRECT(d, LIFETIME_DEFAULT);
	/* The parent keeps page 3 of it, the child pages 0, 1 and 3. */
	EXPECT_OR(out, !store(d.va + 3 * PAGE_SIZE), "%s", refusal());
	child = mm_fork(current_mm(), "child");
	EXPECT_OR(out,
		  child && !mm_fault(child, d.va, true) && !mm_fault(child, d.va + PAGE_SIZE, true),
		  "no child, or no page in it");
	mm_unmap(child, d.va + 2 * PAGE_SIZE, PAGE_SIZE);
	mm_unmap(current_mm(), d.va, 3 * PAGE_SIZE);
	two = leases(&d);
	lease_break_time_ns = SOON;
	err = dax_punch(d.f, 0, PAGE_SIZE);
	for (unsigned i = 0; i < 2; i++) {
		const uint64_t *pte = pte_walk(child->root, d.va + i * PAGE_SIZE, 1, false, NULL);

		here[i] = pte && (*pte & PTE_P);
		in_child[i] = mm_fault(child, d.va + i * PAGE_SIZE, false);
	}
	one = leases(&d);
	EXPECT_OR(out, two == 1 && !one && !err, "leases %u, then %u; punch %d", two, one, err);
	EXPECT_OR(out, !here[0] && !here[1], "mapped in the child: %d, %d", here[0], here[1]);
	EXPECT_OR(out,
		  in_child[0] == -EFAULT && in_child[1] == -EFAULT &&
			  store(d.va + 3 * PAGE_SIZE) == -EFAULT,
		  "faults of the child %d, %d", in_child[0], in_child[1]);
out:
	if (child)
		mm_put(child);
	direct_end(&d);
}

/* Is page i of the mapping at va in the page tables? */
static bool shown(uint64_t va, unsigned i)
{
	const uint64_t *pte = pte_walk(current_mm()->root, va + i * PAGE_SIZE, 1, false, NULL);

	return pte && (*pte & PTE_P);
}

SELFTEST(
	direct_others, "direct.others-keep",
	"a plain mapping of the file keeps the pages that a revoked one never showed: those before "
	"its first one, and those from the one behind its last one on")
{
	struct dax_map middle = {.flags = MAP_SHARED_VALIDATE | MAP_DIRECT,
				 .pgoff = 2,
				 .pages = F_PAGES,
				 .write = true};
	uint64_t plain = 0, va = 0;
	struct dax_inode *g = NULL;
	unsigned left = 0;
	int err = 0;

	DIRECT(d, LIFETIME_DEFAULT);
	g = scratch_file("g", 2 + F_PAGES + 2, 'g');
	EXPECT_OR(out,
		  g && !fx_map_flags(g, 2 + F_PAGES + 2, 0, false, &plain) &&
			  !dax_map(current_mm(), g, &middle, &va),
		  "%s", refusal());
	for (unsigned i = 0; i < 2 + F_PAGES + 2; i++)
		err = err ?: store(plain + i * PAGE_SIZE);
	lease_break_time_ns = SOON;
	err = err ?: dax_punch(g, 3 * PAGE_SIZE, PAGE_SIZE);
	for (unsigned i = 0; i < 2 + F_PAGES + 2; i++)
		left |= (unsigned)shown(plain, i) << i;
	EXPECT_OR(out, !err && store(va) == -EFAULT, "punch %d, %s", err, refusal());
	EXPECT_OR(out, left == 0xc3, "another mapping shows pages 0x%x, not 0xc3", left);
out:
	mm_unmap(current_mm(), plain, (2 + F_PAGES + 2) * PAGE_SIZE); /* may be gone */
	mm_unmap(current_mm(), va, F_PAGES * PAGE_SIZE);
	if (g)
		dax_put(g);
	direct_end(&d);
}

SELFTEST(direct_last_close, "direct.last-close",
	 "the lease goes with the last piece or copy that is closed, and not before")
{
	struct mm *child = NULL;
	unsigned left[4] = {0};

	DIRECT(d, LIFETIME_DEFAULT);
	child = mm_fork(current_mm(), "child");
	EXPECT_OR(out, child, "no child");
	left[0] = leases(&d);
	mm_unmap(current_mm(), d.va, F_PAGES * PAGE_SIZE);
	left[1] = leases(&d);
	mm_unmap(child, d.va + PAGE_SIZE, PAGE_SIZE);
	left[2] = leases(&d);
	mm_put(child);
	child = NULL;
	left[3] = leases(&d);
	EXPECT_OR(out, left[0] == 1 && left[1] == 1 && left[2] == 1 && !left[3],
		  "leases %u, %u, %u, %u", left[0], left[1], left[2], left[3]);
out:
	if (child)
		mm_put(child);
	direct_end(&d);
}

SELFTEST(direct_often, "direct.no-leak",
	 "a thousand mappings that nobody breaks leave no object, no lease and no reference")
{
	unsigned refs, n = 0;

	DIRECT(d, LIFETIME_DEFAULT);
	refs = d.f->refs;
	for (; n < 1000; n++) {
		uint64_t va;

		if (map_as(d.f, MAP_DIRECT, false, &va))
			break;
		mm_unmap(current_mm(), va, F_PAGES * PAGE_SIZE);
	}
	EXPECT_OR(out, n == 1000 && d.f->refs == refs && leases(&d) == 1,
		  "%u times, %u references (%u before), %u leases", n, d.f->refs, refs, leases(&d));
out:
	direct_end(&d);
}

SELFTEST(direct_allocating, "direct.store-that-allocates",
	 "a store into a hole, the holder's own too, does not wait: it fails, the break is begun, "
	 "the file has no new block; when the lease has gone the same store makes one")
{
	struct dax_run run = {0};
	uint64_t plain = 0;
	unsigned told = 0, again = 0;
	int own = 0, others = 0, then = -1;

	DIRECT(d, LIFETIME_DEFAULT);
	EXPECT_OR(out, !map_as(d.f, 0, false, &plain), "%s", refusal());
	mm_unmap(current_mm(), d.va, F_PAGES * PAGE_SIZE);
	d.va = 0;
	EXPECT_OR(unmap, !dax_punch(d.f, PAGE_SIZE, PAGE_SIZE), "%s", refusal());
	EXPECT_OR(unmap, !map_as(d.f, MAP_DIRECT, false, &d.va), "%s", refusal());
	own = store(d.va + PAGE_SIZE);
	told = fx_take_notices(NULL, 0);
	others = store(plain + PAGE_SIZE);
	again = fx_take_notices(NULL, 0);
	mutex_lock(&d.fx.fs->lock);
	d.fx.fs->ops->lookup(d.fx.fs, d.f->layer, 1, 1, &run);
	mutex_unlock(&d.fx.fs->lock);
	EXPECT_OR(unmap, own == -EFAULT && others == -EFAULT && told == 1 && !again && !run.pfn,
		  "own store %d, another's %d, told %u and %u, pfn 0x%lx", own, others, told, again,
		  run.pfn);
	EXPECT_OR(unmap, !store(d.va) && !strcmp(state(&d), "being broken"), "%s", state(&d));
	mm_unmap(current_mm(), d.va, F_PAGES * PAGE_SIZE);
	d.va = 0;
	then = store(plain + PAGE_SIZE);
	EXPECT_OR(unmap, !then, "%d: %s", then, refusal());
unmap:
	mm_unmap(current_mm(), plain, F_PAGES * PAGE_SIZE);
out:
	direct_end(&d);
}

/* ---- refusals ---------------------------------------------------------------------------------
 */

SELFTEST(
	direct_refused, "direct.refusals",
	"a stranger -EACCES; leases disabled -EINVAL; while a lease is broken -EAGAIN; each with a "
	"sentence, and nothing is left")
{
	unsigned refs;
	uint64_t va;
	int stranger, off, broken;

	DIRECT(d, LIFETIME_DEFAULT);
	refs = d.f->refs;
	stranger = map_as(d.f, MAP_DIRECT, true, &va);
	leases_enabled = false;
	off = map_as(d.f, MAP_DIRECT, false, &va);
	leases_enabled = true;
	lease_break(&d.f->leases, LEASE_LAYOUT, false);
	broken = map_as(d.f, MAP_DIRECT, false, &va);
	EXPECT_OR(out, stranger == -EACCES && off == -EINVAL && broken == -EAGAIN,
		  "stranger %d, disabled %d, broken %d", stranger, off, broken);
	EXPECT_OR(out, strstr(refusal(), "broken") && d.f->refs == refs && leases(&d) == 1,
		  "%s; %u references (%u)", refusal(), d.f->refs, refs);
out:
	direct_end(&d);
}

SELFTEST(direct_shared, "direct.shared-blocks",
	 "a file that has blocks together with another one is refused, -EPERM, before the right to "
	 "a lease is asked for")
{
	struct dax_fs *fs;
	struct dax_inode *f, *g;
	const char *why;
	uint64_t va = 0;
	int alone = -1, shared = 0, err = -1;

	if (!scratch_region(&why))
		SKIP("%s", why);
	EXPECT(!tiny_mount(LIFETIME_DEFAULT, &fs, &why), "%s", why);
	f = tiny_file(fs, "f", F_PAGES);
	g = tiny_file(fs, "g", F_PAGES);
	if (f && g && dax_write(f, 0, "x", 1) == 1) {
		alone = map_as(g, MAP_DIRECT, false, &va);
		mm_unmap(current_mm(), va, F_PAGES * PAGE_SIZE);
		err = dax_reflink(f, 0, g, 2 * PAGE_SIZE, PAGE_SIZE);
		shared = map_as(g, MAP_DIRECT, true, &va);
	}
	if (f)
		dax_put(f);
	if (g)
		dax_put(g);
	tiny_umount();
	EXPECT(!alone && !err && shared == -EPERM, "alone %d, reflink %d, shared %d", alone, err,
	       shared);
	EXPECT(strstr(refusal(), "page 2"), "%s", refusal());
}

/* ---- what a client gets of a mapping ----------------------------------------------------------
 */

static unsigned client_told, client_revoked;

static void count_told(struct direct_lease *l)
{
	(void)l;
	client_told++;
}

static void count_revoked(struct direct_lease *l)
{
	(void)l;
	__atomic_fetch_add(&client_revoked, 1, __ATOMIC_RELEASE);
}

static const struct direct_lease_ops client_ops = {
	.what = "a test's client", .told = count_told, .revoke = count_revoked};

static int take(struct direct_lease *l, uint64_t va)
{
	struct mm *mm = current_mm();
	int err;

	*l = (struct direct_lease){.ops = &client_ops, .name = "it"};
	client_told = client_revoked = 0;
	down_read(&mm->mmap_lock);
	err = direct_lease_take(mm_find_vma(mm, va), l);
	up_read(&mm->mmap_lock);
	return err;
}

SELFTEST(direct_client, "direct.client-once",
	 "a client of a MAP_DIRECT mapping is told once, and revoked once when the time is over, "
	 "before the breaker goes on; one that ended in time is not revoked")
{
	struct direct_lease l;
	unsigned told, revoked;
	int err, ended = -1, then = -1;

	DIRECT(d, LIFETIME_DEFAULT);
	err = take(&l, d.va);
	lease_break_time_ns = SOON;
	EXPECT_OR(out, !err && leases(&d) == 2, "%d: %s", err, refusal());
	ended = dax_punch(d.f, 0, PAGE_SIZE);
	told = client_told;
	revoked = client_revoked;
	direct_lease_end(&l);
	EXPECT_OR(out, !ended && told == 1 && revoked == 1, "punch %d, told %u, revoked %u", ended,
		  told, revoked);
	mm_unmap(current_mm(), d.va, F_PAGES * PAGE_SIZE);
	EXPECT_OR(out, !map_as(d.f, MAP_DIRECT, false, &d.va) && !take(&l, d.va), "%s", refusal());
	lease_break(&d.f->leases, LEASE_LAYOUT, false);
	direct_lease_end(&l);
	then = dax_punch(d.f, 0, PAGE_SIZE);
	EXPECT_OR(out, !then && client_told == 1 && !client_revoked,
		  "punch %d, told %u, revoked %u", then, client_told, client_revoked);
out:
	direct_end(&d);
}

SELFTEST(direct_client_refused, "direct.client-refused",
	 "a plain mapping, a private one and anonymous memory give no lease, -EOPNOTSUPP; a "
	 "MAP_DIRECT one that is being broken or revoked gives none, -ENXIO; nothing is left")
{
	struct direct_lease l;
	uint64_t va[3] = {0, 0, 0};
	unsigned refs;
	int err[3] = {0}, broken = 0, revoked = 0;
	bool said;

	DIRECT(d, LIFETIME_DEFAULT);
	EXPECT_OR(out,
		  !map_as(d.f, 0, false, &va[0]) &&
			  !dax_mmap_private(current_mm(), d.f, 0, F_PAGES, true, &va[1]) &&
			  !mm_map_anon(current_mm(), &va[2], F_PAGES * PAGE_SIZE, true),
		  "%s", refusal());
	refs = d.f->refs;
	for (unsigned i = 0; i < 3; i++) {
		err[i] = take(&l, va[i]);
		mm_unmap(current_mm(), va[i], F_PAGES * PAGE_SIZE);
	}
	EXPECT_OR(out,
		  err[0] == -EOPNOTSUPP && err[1] == -EOPNOTSUPP && err[2] == -EOPNOTSUPP &&
			  strstr(refusal(), "MAP_DIRECT"),
		  "%d, %d, %d: %s", err[0], err[1], err[2], refusal());
	lease_break_time_ns = SOON;
	lease_break(&d.f->leases, LEASE_LAYOUT, false);
	broken = take(&l, d.va);
	AWAIT_POLLS(!leases(&d), "the revoke");
	revoked = take(&l, d.va);
	said = strstr(refusal(), "revoked");
	if (!revoked)
		direct_lease_end(&l);
	EXPECT_OR(out,
		  broken == -ENXIO && revoked == -ENXIO && d.f->refs == refs - 2 && !leases(&d),
		  "broken %d, revoked %d, %u references, %u leases: %s", broken, revoked, d.f->refs,
		  leases(&d), refusal());
	EXPECT_OR(out, said, "the refusal does not say why: %s", refusal());
out:
	for (unsigned i = 0; i < 3; i++)
		mm_unmap(current_mm(), va[i], F_PAGES * PAGE_SIZE); /* is gone mostly */
	direct_end(&d);
}

SELFTEST(direct_client_error, "direct.client-error",
	 "of a file that gives no lease just then a client hears the file's error, and nothing is "
	 "left")
{
	struct direct_lease l;
	unsigned refs;
	int err;

	DIRECT(d, LIFETIME_DEFAULT);
	refs = d.f->refs;
	leases_enabled = false;
	err = take(&l, d.va);
	leases_enabled = true;
	EXPECT_OR(out, err == -EINVAL && leases(&d) == 1 && d.f->refs == refs,
		  "leases are off: %d, %u lease(s), %u references (%u)", err, leases(&d), d.f->refs,
		  refs);
out:
	direct_end(&d);
}
