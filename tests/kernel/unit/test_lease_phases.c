/* SPDX-License-Identifier: MIT */
/*
 * Self-tests: a break in two phases (lease.told-*, lease.revoke-*), the notice to the holder's
 * thread (lease.notice-*), and the order of leases against layout changes.
 */
#include "dax/file/internal.h"
#include "tests/kernel/lib/fixture.h"

#define HOUR (3600ull * 1000 * 1000 * 1000)
#define SOON 20000000ull /* ns; a test of time that goes by waits for no more */

/* What befell the one lease of a test. */
static struct {
	struct lease lease;
	struct lease_list list;
	unsigned told, revoked, gone;
	unsigned left;		/* leases in the list while it was revoked */
	unsigned tid;		/* of the thread that revoked */
	bool at_once, hold, go; /* its told says "at once"; its revoke waits for `go` */
	uint64_t due_ns, revoked_ns;
} it;

static bool told(struct lease *l)
{
	it.told++;
	it.due_ns = l->until_ns;
	return it.at_once;
}

static void revoke(struct lease *l)
{
	it.revoked_ns = clock_ns();
	it.tid = current_thread()->tid;
	it.left = lease_count(l->list, LEASE_ALL);
	__atomic_fetch_add(&it.revoked, 1, __ATOMIC_RELEASE);
	if (it.hold)
		wait_event(&it.go, __atomic_load_n(&it.go, __ATOMIC_ACQUIRE), "a test",
			   "the test that holds the revoke");
}

static void gone(struct lease *l)
{
	(void)l;
	__atomic_fetch_add(&it.gone, 1, __ATOMIC_RELEASE);
}

static const struct lease_ops ops = {
	.what = "a test", .told = told, .revoke = revoke, .gone = gone};

static int set(void)
{
	memset(&it, 0, sizeof(it));
	lease_list_init(&it.list, true);
	it.lease = (struct lease){.class = LEASE_LAYOUT, .ops = &ops};
	return lease_set(&it.list, &it.lease, true);
}

static unsigned count(const unsigned *n)
{
	return __atomic_load_n(n, __ATOMIC_ACQUIRE);
}

SELFTEST(
	lease_revoked, "lease.revoke-before-gone",
	"a deaf owner is told once, and revoked once by another thread when its time is over, with "
	"the lease still in the list; then the breaker goes on")
{
	const uint64_t before = lease_break_time_ns, start = clock_ns();
	int err = set();

	lease_break_time_ns = SOON;
	if (!err)
		err = lease_break(&it.list, LEASE_LAYOUT, true);
	lease_break_time_ns = before;
	lease_drop_all(&it.list);
	EXPECT(!err && it.told == 1 && it.revoked == 1 && it.gone == 1,
	       "error %d, told %u, revoked %u, gone %u", err, it.told, it.revoked, it.gone);
	EXPECT(it.left == 1 && it.tid != current_thread()->tid,
	       "%u lease(s) in the list when it was revoked, by thread %u", it.left, it.tid);
	EXPECT(it.due_ns >= start + SOON && it.revoked_ns >= it.due_ns,
	       "due after %lu ns, revoked after %lu", it.due_ns - start, it.revoked_ns - start);
}

SELFTEST(lease_revoked_alone, "lease.revoke-without-breaker",
	 "a break that does not wait ends the lease all the same when its time is over")
{
	const uint64_t before = lease_break_time_ns;
	int err = set();
	bool went;

	lease_break_time_ns = SOON;
	if (!err)
		err = lease_break(&it.list, LEASE_LAYOUT, false);
	lease_break_time_ns = before;
	went = AWAIT_POLLS(count(&it.gone), "the end of the lease");
	lease_drop_all(&it.list);
	EXPECT(err == -EWOULDBLOCK && went && it.revoked == 1, "error %d, gone %d, revoked %u", err,
	       went, it.revoked);
}

SELFTEST(lease_in_time, "lease.revoke-not-in-time",
	 "an owner that gives its lease back in time is never revoked")
{
	int err = set();

	if (!err)
		err = lease_break(&it.list, LEASE_LAYOUT, false);
	lease_unlock(&it.lease);
	clock_skip(HOUR);
	quiet_wait();
	EXPECT(err == -EWOULDBLOCK && it.told == 1 && it.gone == 1 && !it.revoked,
	       "error %d, told %u, gone %u, revoked %u", err, it.told, it.gone, it.revoked);
}

SELFTEST(
	lease_revoke_now, "lease.revoke-at-once",
	"an owner that says 'at once' is revoked without the break time, and the breaker waits for "
	"that and for no more")
{
	int err = set();
	uint64_t start = clock_ns();

	it.at_once = true;
	if (!err)
		err = lease_break(&it.list, LEASE_LAYOUT, true);
	lease_drop_all(&it.list);
	EXPECT(!err && it.revoked == 1 && it.gone == 1, "error %d, revoked %u, gone %u", err,
	       it.revoked, it.gone);
	EXPECT(clock_ns() - start < lease_break_time_ns / 2, "after %lu ns", clock_ns() - start);
}

SELFTEST(lease_no_limit, "lease.revoke-no-limit",
	 "with a break time of 0 nothing but the owner's unlock ends a lease")
{
	const uint64_t before = lease_break_time_ns;
	int err = set();
	unsigned left, revoked;

	lease_break_time_ns = 0;
	if (!err)
		err = lease_break(&it.list, LEASE_LAYOUT, false);
	lease_break_time_ns = before;
	clock_skip(24 * HOUR);
	quiet_wait();
	left = lease_count(&it.list, LEASE_ALL);
	revoked = count(&it.revoked);
	lease_unlock(&it.lease);
	EXPECT(err == -EWOULDBLOCK && left == 1 && !revoked, "error %d, left %u, revoked %u", err,
	       left, revoked);
}

static void unlock_thread(void *arg)
{
	lease_unlock(&it.lease);
	__atomic_store_n((bool *)arg, true, __ATOMIC_RELEASE);
}

SELFTEST(lease_unlock_waits, "lease.revoke-is-waited-for",
	 "the owner's unlock returns only when a revoke that runs is over, and it is not run again")
{
	struct thread *owner = NULL;
	bool back = false, early = true, slept = false;
	int err = set();

	it.at_once = it.hold = true;
	if (!err)
		err = lease_break(&it.list, LEASE_LAYOUT, false);
	if (AWAIT(count(&it.revoked), "the revoke to begin"))
		owner = thread_create("unlocker", unlock_thread, &back, 0);
	if (owner) {
		slept = falls_asleep(owner);
		early = __atomic_load_n(&back, __ATOMIC_ACQUIRE);
	}
	__atomic_store_n(&it.go, true, __ATOMIC_RELEASE);
	wake_up(&it.go);
	if (owner)
		thread_join(owner);
	lease_drop_all(&it.list);
	EXPECT(err == -EWOULDBLOCK && owner && slept && !early, "error %d, slept %d, early %d", err,
	       slept, early);
	EXPECT(it.revoked == 1 && it.gone == 1, "revoked %u, gone %u", it.revoked, it.gone);
}

SELFTEST(lease_two_dates, "lease.revoke-by-date",
	 "of two leases the one with the earlier date is revoked first, whichever was told first, "
	 "and none before its date, whoever looks")
{
	const uint64_t before = lease_break_time_ns;
	struct lease_list other;
	struct lease late = {.class = LEASE_LAYOUT, .ops = &ops};
	int err = set(), then;
	unsigned left, went;
	bool early;

	lease_list_init(&other, true);
	then = lease_set(&other, &late, true);
	lease_break_time_ns = HOUR;
	lease_break(&other, LEASE_LAYOUT, false);
	early = lease_revoke_due(clock_ns()); /* as the revoker, when another one has just gone */
	lease_break_time_ns = SOON;
	lease_break(&it.list, LEASE_LAYOUT, true);
	lease_break_time_ns = before;
	left = lease_count(&other, LEASE_ALL);
	went = count(&it.gone);
	lease_unlock(&late);
	EXPECT(!err && !then && left == 1 && went == 1, "errors %d, %d; late one there %u, gone %u",
	       err, then, left, went);
	EXPECT(!early, "a lease with an hour left was revoked");
}

/* ---- notices ----------------------------------------------------------------------------------
 */

static char other_got[NOTICE_TEXT];

static void listen(void *arg)
{
	(void)arg;
	if (!notice_take(other_got, sizeof(other_got)))
		other_got[0] = '\0';
}

SELFTEST(lease_notice, "lease.notice-once",
	 "the holder's thread, and no other, gets one notice a break, which names the file, the "
	 "holder and the time it has")
{
	char text[NOTICE_TEXT] = "", more[NOTICE_TEXT] = "";
	struct thread *other;
	int err = set();
	bool first, second;

	it.lease.file = "/t/named";
	it.lease.name = "m7";
	it.lease.tid = current_thread()->tid;
	if (!err)
		lease_break(&it.list, LEASE_LAYOUT, false);
	lease_break(&it.list, LEASE_LAYOUT, false);
	other = thread_create("listener", listen, NULL, 0);
	if (other)
		thread_join(other);
	first = notice_take(text, sizeof(text));
	second = notice_take(more, sizeof(more));
	lease_unlock(&it.lease);
	EXPECT(other && !err && first && !second, "error %d, first %d, second '%s'", err, first,
	       more);
	EXPECT(!other_got[0], "another thread got '%s'", other_got);
	EXPECT(strstr(text, "/t/named") && strstr(text, "m7") && strstr(text, "4") &&
		       strstr(text, "ms at the latest"),
	       "it says '%s'", text);
}

SELFTEST(notice_room, "notice.oldest-goes",
	 "posting never fails: of more notices than there is room for the newest are kept")
{
	const unsigned me = current_thread()->tid, sent = 100;
	char text[NOTICE_TEXT] = "";
	unsigned taken = 0, number = 0;

	for (unsigned i = 1; i <= sent; i++)
		notice_post(me, "%u", i);
	while (notice_take(text, sizeof(text))) {
		taken++;
		EXPECT(!number || strtoul(text, NULL, 10) == number + 1, "'%s' after %u", text,
		       number);
		number = strtoul(text, NULL, 10);
	}
	EXPECT(taken && taken < sent && number == sent, "%u taken, the last is %u", taken, number);
}

/* ---- leases and changes -----------------------------------------------------------------------
 */

static struct {
	struct dax_inode *f;
	int err;
	bool done;
} setter;

static void set_thread(void *arg)
{
	setter.err = layout_lease_set(setter.f, arg, true);
	__atomic_store_n(&setter.done, true, __ATOMIC_RELEASE);
}

static struct step_stop puncher_stop;

static void punch_thread(void *arg)
{
	puncher_stop = (struct step_stop){.name = "layout_broken", .deadline = PATIENCE_END()};
	if (!step_stop(&puncher_stop)) {
		dax_punch(arg, 0, PAGE_SIZE);
		step_unstop(&puncher_stop);
	}
}

SELFTEST(lease_published, "lease.published",
	 "a lease that a change did not see is not set before the change is over")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = scratch_file("f", 2, 'a');
	struct lease l = {.class = LEASE_LAYOUT, .ops = &ops};
	struct thread *punch = NULL, *set_it = NULL;
	bool stopped = false, early = false;

	memset(&it, 0, sizeof(it));
	setter = (typeof(setter)){.f = f};
	EXPECT_OR(out, f, "%s", refusal());
	punch = thread_create("punch", punch_thread, f, 1);
	stopped = punch && AWAIT(step_stopped(&puncher_stop), "the punch to find no lease");
	set_it = stopped ? thread_create("setter", set_thread, &l, 0) : NULL;
	if (set_it)
		AWAIT((early = __atomic_load_n(&setter.done, __ATOMIC_ACQUIRE)) ||
			      set_it->state == THREAD_SLEEPING,
		      "the setter to sleep, or to have set it");
	step_go(&puncher_stop);
	if (punch)
		thread_join(punch);
	if (set_it)
		thread_join(set_it);
	lease_unlock(&l);
	EXPECT_OR(out, stopped && set_it && !setter.err, "stopped %d, error %d", stopped,
		  setter.err);
	EXPECT_OR(out, !early, "it was set while a punch that had found none went on");
out:
	if (f)
		dax_put(f);
	fixture_end(&fx);
}

/* ---- clients ----------------------------------------------------------------------------------
 */

/* A client that holds a page, and puts it when it is revoked. */
static struct {
	struct direct_lease lease;
	struct page *page;
	unsigned told, revoked;
} client;

static void client_told(struct direct_lease *l)
{
	(void)l;
	client.told++;
}

static void client_revoke(struct direct_lease *l)
{
	(void)l;
	unpin_user_pages(&client.page, 1);
	client.page = NULL;
	client.revoked++;
}

static const struct direct_lease_ops client_ops = {
	.what = "a test's client", .told = client_told, .revoke = client_revoke};

static int punch_first(struct dax_inode *f, uint64_t unused)
{
	(void)unused;
	return dax_punch(f, 0, PAGE_SIZE);
}

/* Maps F with MAP_DIRECT, and pins its first page under a client's lease. */
static int hold_by_lease(struct dax_inode *f, uint64_t *va)
{
	struct dax_map rq = {.flags = MAP_SHARED_VALIDATE | MAP_DIRECT, .pages = 1, .write = true};
	struct mm *mm = current_mm();
	int err = dax_map(mm, f, &rq, va);

	if (err)
		return err;
	memset(&client, 0, sizeof(client));
	client.lease.ops = &client_ops;
	down_read(&mm->mmap_lock);
	err = direct_lease_take(mm_find_vma(mm, *va), &client.lease);
	up_read(&mm->mmap_lock);
	if (err)
		return err;
	return get_user_pages_fast(*va, 1, FOLL_PIN | FOLL_WRITE, &client.page) == 1 ? 0 : -EFAULT;
}

static void let_go(uint64_t va)
{
	char text[NOTICE_TEXT];

	direct_lease_end(&client.lease);
	if (client.page)
		unpin_user_pages(&client.page, 1);
	if (va)
		mm_unmap(current_mm(), va, PAGE_SIZE);
	while (notice_take(text, sizeof(text)))
		;
}

SELFTEST(
	lease_before_pages, "lease.before-pages",
	"in every lifetime a punch tells the holder of a lease before it looks for held pages: one "
	"that holds a page under a lease is revoked, and then the punch goes on")
{
	const uint64_t before = lease_break_time_ns;

	for (unsigned l = 0; lifetime_nth(l) && !t->failed; l++) {
		FIXTURE(fx, lifetime_nth(l));
		struct dax_inode *f = scratch_file("f", 1, 'a');
		struct fx_op op = {.inode = f, .fn = punch_first};
		uint64_t va = 0;
		int err = f ? hold_by_lease(f, &va) : -ENOMEM;
		bool ended = false;

		lease_break_time_ns = SOON;
		if (!err && fx_start(&op)) {
			ended = fx_ends(&op);
			if (!ended)
				let_go(va); /* else it sleeps for ever */
			fx_join(&op);
		}
		lease_break_time_ns = before;
		if (ended)
			let_go(va);
		if (f)
			dax_put(f);
		fixture_end(&fx);
		EXPECT(!err, "%s: not held: %d, %s", lifetime_nth(l)->name, err, refusal());
		EXPECT(ended && !op.err && client.told == 1 && client.revoked == 1,
		       "%s: ended %d, error %d, told %u, revoked %u", lifetime_nth(l)->name, ended,
		       op.err, client.told, client.revoked);
	}
}
