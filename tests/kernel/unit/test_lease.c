/* SPDX-License-Identifier: MIT */
/* Self-tests: the lease core (lease.*). Most need no file: a list of leases is enough. */
#include "tests/kernel/lib/fixture.h"

#define HOUR (3600ull * 1000 * 1000 * 1000)

static unsigned asked, went;
static bool at_once;

static bool breaking(struct lease *l)
{
	(void)l;
	asked++;
	return at_once;
}

static void gone(struct lease *l)
{
	(void)l;
	went++;
}

static const struct lease_ops ops = {.what = "a test", .told = breaking, .gone = gone};

static struct lease make(unsigned class)
{
	asked = went = 0;
	at_once = false;
	return (struct lease){.class = class, .ops = &ops};
}

SELFTEST(lease_refusals, "lease.set-refusals",
	 "no right -EACCES; no regular file, or disabled -EINVAL; one being broken -EAGAIN")
{
	struct lease_list plain, odd;
	struct lease a = make(LEASE_LAYOUT), b = a;
	int may, regular, off, pending;

	lease_list_init(&plain, true);
	lease_list_init(&odd, false);
	may = lease_set(&plain, &a, false);
	regular = lease_set(&odd, &a, true);
	leases_enabled = false;
	off = lease_set(&plain, &a, true);
	leases_enabled = true;
	EXPECT(may == -EACCES && regular == -EINVAL && off == -EINVAL, "%d, %d, %d", may, regular,
	       off);
	EXPECT(!lease_set(&plain, &a, true), "not set");
	lease_break(&plain, LEASE_LAYOUT, false);
	pending = lease_set(&plain, &b, true);
	lease_drop_all(&plain);
	EXPECT(pending == -EAGAIN, "%d", pending);
}

SELFTEST(lease_allocated_joins, "lease.allocated-joins",
	 "a lease of allocated blocks is set while another one is being broken")
{
	struct lease_list ll;
	struct lease a = make(LEASE_ALLOCATED), b = a, c = make(LEASE_LAYOUT);
	int joined, layout;

	lease_list_init(&ll, true);
	EXPECT(!lease_set(&ll, &a, true), "not set");
	lease_break(&ll, LEASE_ALL, false);
	joined = lease_set(&ll, &b, true);
	layout = lease_set(&ll, &c, true);
	lease_drop_all(&ll);
	EXPECT(!joined && layout == -EAGAIN, "%d, layout %d", joined, layout);
}

SELFTEST(lease_asks_once, "lease.asks-once",
	 "a break that does not wait is -EWOULDBLOCK, and its owner is asked once a break")
{
	struct lease_list ll;
	struct lease a = make(LEASE_LAYOUT);
	int first, second, after;

	lease_list_init(&ll, true);
	EXPECT(lease_break(&ll, LEASE_LAYOUT, true) == 0, "an empty list waits");
	EXPECT(!lease_set(&ll, &a, true), "not set");
	first = lease_break(&ll, LEASE_LAYOUT, false);
	second = lease_break(&ll, LEASE_LAYOUT, false);
	lease_unlock(&a);
	after = lease_break(&ll, LEASE_LAYOUT, false);
	EXPECT(first == -EWOULDBLOCK && second == -EWOULDBLOCK && !after, "%d, %d, %d", first,
	       second, after);
	EXPECT(asked == 1 && went == 1, "asked %u time(s), told %u time(s)", asked, went);
}

SELFTEST(lease_at_once, "lease.at-once", "an owner that says 'now' makes no breaker wait")
{
	struct lease_list ll;
	struct lease a = make(LEASE_LAYOUT);
	int err;

	lease_list_init(&ll, true);
	at_once = true;
	EXPECT(!lease_set(&ll, &a, true), "not set");
	err = lease_break(&ll, LEASE_LAYOUT, false);
	EXPECT(!err && went == 1 && !lease_count(&ll, LEASE_ALL), "%d", err);
}

SELFTEST(lease_classes, "lease.classes", "breaking one class leaves the other alone")
{
	struct lease_list ll;
	struct lease a = make(LEASE_LAYOUT), b = make(LEASE_ALLOCATED);
	int err;

	lease_list_init(&ll, true);
	EXPECT(!lease_set(&ll, &a, true), "not set");
	err = lease_break(&ll, LEASE_ALLOCATED, true);
	EXPECT_OR(out, !err && !asked, "a layout lease stood in the way: %d", err);
	EXPECT_OR(out, !lease_set(&ll, &b, true), "not set");
	lease_break(&ll, LEASE_ALLOCATED, false);
	EXPECT_OR(out, b.pending && !a.pending, "layout pending %d, allocated pending %d",
		  a.pending, b.pending);
out:
	lease_drop_all(&ll);
}

SELFTEST(lease_expires, "lease.expires",
	 "an owner that does not answer loses his lease when the break time is over")
{
	uint64_t before = lease_break_time_ns, start = clock_ns();
	struct lease_list ll;
	struct lease a = make(LEASE_LAYOUT);
	int err;

	lease_list_init(&ll, true);
	EXPECT(before == 45000000000ull, "the break time is %lu ns at boot", before);
	EXPECT(!lease_set(&ll, &a, true), "not set");
	lease_break_time_ns = 20000000;
	err = lease_break(&ll, LEASE_LAYOUT, true);
	lease_break_time_ns = before;
	lease_drop_all(&ll);
	EXPECT(!err && went == 1 && clock_ns() - start >= 20000000, "%d after %lu ns", err,
	       clock_ns() - start);
}

static struct lease_list *gone_from;
static unsigned left;

/* Whoever looks at the lease behind this meets no lease. */
static void gone_for_good(struct lease *l)
{
	left = lease_count(gone_from, LEASE_ALL);
	memset(l, 0x5a, sizeof(*l));
	__atomic_fetch_add(&went, 1, __ATOMIC_RELEASE);
}

SELFTEST(lease_gone_last, "lease.gone-is-last",
	 "a lease that has left may be freed by its owner's gone, which is called without a lock, "
	 "and behind which nobody looks at it")
{
	static const struct lease_ops last = {.what = "a test", .gone = gone_for_good};
	const uint64_t before = lease_break_time_ns;
	static struct lease_list ll;
	static struct lease a;
	int err;

	lease_list_init(&ll, true);
	gone_from = &ll;
	went = 0;
	a = (struct lease){.class = LEASE_LAYOUT, .ops = &last};
	err = lease_set(&ll, &a, true);
	lease_break_time_ns = 20000000;
	err = err ?: lease_break(&ll, LEASE_LAYOUT, true);
	lease_break_time_ns = before;
	lease_drop_all(&ll);
	EXPECT(!err && went == 1 && !left, "error %d, gone %u time(s), %u lease(s) left then", err,
	       went, left);
	for (unsigned i = 0; i < sizeof(a); i++)
		EXPECT(((uint8_t *)&a)[i] == 0x5a,
		       "byte %u of the lease was written behind its gone", i);
}

/* A breaker in a thread of its own. */
struct breaker {
	struct lease_list *ll;
	int err;
	bool back;
	struct thread *thread;
};

static void break_thread(void *arg)
{
	struct breaker *b = arg;

	b->err = lease_break(b->ll, LEASE_ALL, true);
	__atomic_store_n(&b->back, true, __ATOMIC_RELEASE);
}

/* False: it came back instead of sleeping. */
static bool start_breaker(struct breaker *b)
{
	b->thread = thread_create("breaker", break_thread, b, 0);
	while (!__atomic_load_n(&b->back, __ATOMIC_ACQUIRE)) {
		if (waiters_on(b->ll))
			return true;
		thread_sleep_ns(100000);
	}
	return false;
}

SELFTEST(lease_unlock_wakes, "lease.unlock-wakes",
	 "a waiting breaker is woken by the unlock, long before the break time is over")
{
	struct lease_list ll;
	struct lease a = make(LEASE_LAYOUT);
	struct breaker b = {.ll = &ll};
	const uint64_t before = lease_break_time_ns;
	bool slept, woken;

	lease_list_init(&ll, true);
	EXPECT(!lease_set(&ll, &a, true), "not set");
	lease_break_time_ns = HOUR; /* not over when all has come to rest */
	slept = start_breaker(&b);
	lease_break_time_ns = before;
	lease_unlock(&a);
	quiet_wait();
	woken = __atomic_load_n(&b.back, __ATOMIC_ACQUIRE);
	if (!woken)
		clock_skip(HOUR);
	thread_join(b.thread);
	EXPECT(slept && !b.err, "slept %d, error %d", slept, b.err);
	EXPECT(woken, "it slept on, for the break time to be over");
}

SELFTEST(lease_drop_all_of_name, "lease.drop-removed",
	 "`lease drop` ends the shell's lease of a file, and those of removed files of that name")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f[2] = {NULL, NULL};
	int set[2] = {-1, -1}, unlinked = -1, dropped = -1;
	unsigned left = 2;

	for (unsigned i = 0; i < 2; i++) {
		f[i] = scratch_file("f", 1, 'a');
		set[i] = shell_run_line("lease set " SCRATCH_PATH "/f");
		if (!i)
			unlinked = dax_unlink(SCRATCH_PATH "/f");
	}
	if (f[0] && f[1]) {
		dropped = shell_run_line("lease drop " SCRATCH_PATH "/f");
		left = lease_count(&f[0]->leases, LEASE_ALL) +
		       lease_count(&f[1]->leases, LEASE_ALL);
	}
	EXPECT_OR(out, !set[0] && !set[1] && !unlinked && !dropped && !left,
		  "set %d, %d, removed %d, dropped %d, left %u", set[0], set[1], unlinked, dropped,
		  left);
out:
	for (unsigned i = 0; i < 2; i++)
		if (f[i])
			lease_drop_all(&f[i]->leases);
	shell_run_line("lease"); /* which takes note of that */
	for (unsigned i = 0; i < 2; i++)
		if (f[i])
			dax_put(f[i]);
	fixture_end(&fx);
}

/* Breaks it: set_break_time() in milliseconds, or one that takes 0 for nothing. */
SELFTEST(
	lease_time, "lease.time-by-command",
	"`lease time` sets the break time in seconds, 0 for no limit; a wrong word changes nothing")
{
	static const struct {
		const char *line;
		int err;
		uint64_t ns; /* afterwards */
	} rows[] = {{"lease time 3", 0, 3000000000},  {"lease time 86400", 0, 86400000000000},
		    {"lease time 0", 0, 0},	      {"lease time 86401", -EINVAL, 0},
		    {"lease time -1", -EINVAL, 0},    {"lease time soon", -EINVAL, 0},
		    {"lease time 45", 0, 45000000000}};
	const uint64_t before = lease_break_time_ns;

	for (unsigned i = 0; i < ARRAY_SIZE(rows) && !t->failed; i++) {
		int err = shell_run_line(rows[i].line);

		EXPECT_OR(out, !err == !rows[i].err && lease_break_time_ns == rows[i].ns,
			  "%s: %d, %lu ns", rows[i].line, err, lease_break_time_ns);
	}
out:
	lease_break_time_ns = before;
}

SELFTEST(lease_signal, "lease.signal", "a signal ends a break's wait with -EINTR; the lease stays")
{
	struct lease_list ll;
	struct lease a = make(LEASE_LAYOUT);
	struct breaker b = {.ll = &ll};
	unsigned left;

	lease_list_init(&ll, true);
	EXPECT(!lease_set(&ll, &a, true), "not set");
	start_breaker(&b);
	thread_signal(b.thread);
	thread_join(b.thread);
	left = lease_count(&ll, LEASE_ALL);
	lease_drop_all(&ll);
	EXPECT(b.err == -EINTR && left == 1, "error %d, %u lease(s) left", b.err, left);
}

SELFTEST(
	lease_evict, "lease.evict-never-waits",
	"in every lifetime the last close of an unlinked file asks no owner of a lease; he is told")
{
	for (unsigned l = 0; lifetime_nth(l) && !t->failed; l++) {
		FIXTURE(fx, lifetime_nth(l));
		struct dax_inode *f = scratch_file("f", 1, 'a');
		struct lease a = make(LEASE_LAYOUT);

		EXPECT_OR(out, f && !lease_set(&f->leases, &a, true), "no file, or no lease");
		EXPECT_OR(out, !dax_unlink(SCRATCH_PATH "/f"), "%s", refusal());
		dax_put(f);
		f = NULL;
		EXPECT_OR(out, !asked && went == 1, "%s: asked %u time(s), told %u",
			  lifetime_nth(l)->name, asked, went);
	out:
		if (f)
			dax_put(f);
		fixture_end(&fx);
	}
}
