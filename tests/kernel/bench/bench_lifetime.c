/* SPDX-License-Identifier: MIT */
/*
 * Rows that put the designs side by side: truncate and punch of one page, mapped and stored to,
 * that nobody holds (.idle) or that a device holds (.busy).
 *
 * A design that waits for the holder takes as long as he likes, which is no figure of the design.
 * So its .busy row is the time that the operation itself spends on a CPU: until it sleeps, and
 * again from where it was woken until it returns, both switches' own half included; the holder lets
 * go as soon as it sleeps. Making the sentence that `ps` shows for a sleeper is in it, and is most
 * of it; in lease-poll the sleeper's looks at the
 * lease, one a tick, are. The put that wakes is lifetime.LT.put.last.waiter. Whether a design waits
 * is not looked up but tried, once before the samples. One that refuses is timed until it has
 * refused. A row of a design that does not wait is the timed section of truncate.busy
 * (bench_busy.c), and has counts.
 */
#include "dax/device/internal.h"
#include "tests/kernel/bench/bench.h"

#define REPEATS	       31
#define WAITED_REPEATS 3 /* lease-poll sleeps a second in each */
#define SETTLE_NS      1000u
#define LOOK_NS	       20000u /* between two looks whether the sleeper sleeps */

bool lived_start(struct lived *l, const struct lifetime *lt)
{
	return bench_file_start_as(l->b, &l->f, 1, lt);
}

void lived_let_go(struct lived *l)
{
	if (l->page)
		unpin_user_pages(&l->page, 1);
	l->page = NULL;
}

void lived_end(struct lived *l)
{
	lived_let_go(l);
	bench_file_end(&l->f);
}

void lived_refill(void *arg)
{
	struct lived *l = arg;

	lived_let_go(l);
	if (!bench_file_write(&l->f))
		bench_skip(l->b, "the file could not be filled: %s", refusal());
	else if (!l->f.va)
		bench_file_map(&l->f, 0);
	else
		bench_file_dirty(&l->f);
	if (l->holds && !l->b->skipped &&
	    get_user_pages_fast(l->f.va, 1, FOLL_PIN | FOLL_WRITE, &l->page) != 1)
		bench_skip(l->b, "the page could not be pinned");
}

/* A design that refuses has given its whole answer; the page is put, and all begins anew. */
static bool refused(const struct lived *l, int err)
{
	return err == -EAGAIN && l->page && l->f.fs->lifetime->refuses;
}

void lived_truncate(void *arg)
{
	struct lived *l = arg;
	int err = dax_truncate(l->f.inode, 0);

	if (err && !refused(l, err))
		bench_skip(l->b, "truncate: error %d: %s", err, refusal());
}

void lived_punch(void *arg)
{
	struct lived *l = arg;
	int err = dax_punch(l->f.inode, 0, PAGE_SIZE);

	if (err && !refused(l, err))
		bench_skip(l->b, "punch: error %d: %s", err, refusal());
}

/* ---- an operation that may sleep ----------------------------------------------------------- */

/* A switch bills what the thread ran: one before and one after the operation, which everybody else
 * has the CPU in between. */
static void run_sleeper(void *arg)
{
	struct sleeper *s = arg;
	const struct thread *self = current_thread();
	uint64_t before;

	thread_sleep_ns(SETTLE_NS);
	before = self->ran_ns;
	__atomic_store_n(&s->begun, true, __ATOMIC_RELEASE);
	if (s->op)
		s->op(s->l);
	__atomic_store_n(&s->returned, true, __ATOMIC_RELEASE);
	thread_sleep_ns(SETTLE_NS);
	s->ran_ns = self->ran_ns - before;
}

/* It is off the CPU for something that a holder's put can give. */
static bool asleep(const struct sleeper *s)
{
	const struct dax_inode *inode = s->l->f.inode;

	return __atomic_load_n(&s->begun, __ATOMIC_ACQUIRE) &&
	       __atomic_load_n(&s->thread->state, __ATOMIC_ACQUIRE) == THREAD_SLEEPING &&
	       ((s->l->page && waiters_on(&s->l->page->state)) || waiters_on(&inode->leases) ||
		waiters_on(&inode->fs->region->dax->busy));
}

bool sleeper_sleeps(struct sleeper *s)
{
	s->begun = s->returned = false;
	s->thread = thread_create("bench sleeper", run_sleeper, s, 1u << cpu_id());
	if (!s->thread) {
		bench_skip(s->l->b, "no memory for a thread");
		return false;
	}
	while (!__atomic_load_n(&s->returned, __ATOMIC_ACQUIRE)) {
		if (asleep(s))
			return true;
		thread_sleep_ns(LOOK_NS);
	}
	return false;
}

void sleeper_join(struct sleeper *s)
{
	if (s->thread)
		thread_join(s->thread);
	s->thread = NULL;
}

/* ---- truncate and punch -------------------------------------------------------------------- */

/* One operation while the page is held. What it ran; *slept: it waited for the holder. */
static uint64_t one_busy(struct lived *l, void (*op)(void *), bool *slept)
{
	struct sleeper s = {.op = op, .l = l};

	lived_refill(l);
	if (l->b->skipped)
		return 0;
	*slept = sleeper_sleeps(&s);
	if (*slept)
		lived_let_go(l);
	sleeper_join(&s);
	return s.ran_ns;
}

/* What one_busy() finds when there is no operation: the two switches around it. */
static uint64_t empty_sleeper(struct lived *l)
{
	struct sleeper s = {.l = l};

	sleeper_sleeps(&s);
	sleeper_join(&s);
	return s.ran_ns;
}

static void measure_waiting(struct lived *l, void (*op)(void *))
{
	uint64_t ticks[WAITED_REPEATS], empty = empty_sleeper(l);
	bool slept = true;

	for (unsigned i = 0; i < WAITED_REPEATS && !l->b->skipped; i++) {
		uint64_t ns = one_busy(l, op, &slept);

		ticks[i] = (ns - MIN(ns, empty)) * tsc_per_ms() / 1000000;
		if (!slept)
			bench_skip(l->b, "it waited for the holder once, and then did not");
	}
	if (!l->b->skipped)
		bench_samples(l->b, BENCH_INSNS, ticks, WAITED_REPEATS, 1);
}

static void measure(struct bench_run *b, const struct lifetime *lt, bool holds, void (*op)(void *))
{
	struct lived l = {.b = b, .holds = holds};
	const struct bench_case c = {.before = lived_refill, .op = op, .arg = &l};
	bool slept = false;

	if (!lived_start(&l, lt))
		return;
	if (holds)
		one_busy(&l, op, &slept);
	if (slept)
		measure_waiting(&l, op);
	else
		bench_measure(b, BENCH_INSNS, &c, REPEATS, 1);
	lived_end(&l);
}

/* lifetime.LT.truncate.idle, .busy: dax_truncate() to nothing. */
static void truncate_idle(struct bench_run *b, const struct lifetime *lt)
{
	measure(b, lt, false, lived_truncate);
}
LIFETIME_ROWS("truncate.idle", truncate_idle, truncate_idle);

static void truncate_busy(struct bench_run *b, const struct lifetime *lt)
{
	measure(b, lt, true, lived_truncate);
}
LIFETIME_ROWS("truncate.busy", truncate_busy, truncate_busy);

/* lifetime.LT.punch.idle, .busy: dax_punch() of the page; the size stays. */
static void punch_idle(struct bench_run *b, const struct lifetime *lt)
{
	measure(b, lt, false, lived_punch);
}
LIFETIME_ROWS("punch.idle", punch_idle, punch_idle);

static void punch_busy(struct bench_run *b, const struct lifetime *lt)
{
	measure(b, lt, true, lived_punch);
}
LIFETIME_ROWS("punch.busy", punch_busy, punch_busy);
