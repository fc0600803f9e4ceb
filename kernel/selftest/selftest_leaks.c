/* SPDX-License-Identifier: MIT */
/*
 * What a test leaves behind fails that test.
 *
 * A pin that is forgotten is no fault of the next test, though it is the next one that stumbles
 * over it. So every floor registers what of it can be left over: a name, a count, and a function
 * that puts it right (SELFTEST_LEAVES, selftest.h). The runner counts before a test and after it;
 * what there is more of afterwards is named, put right where that is possible, and the test has
 * failed.
 *
 * Some things end a moment after the test did: a thread that was told to, a completion. So a count
 * that is too high is looked at again until nothing goes on any more (sched.h); a test that leaves
 * nothing is not delayed.
 */
#include "kernel/kernel.h"
#include "kernel/selftest/internal.h"

extern const struct selftest_leaves __start_hf_leaves[], __stop_hf_leaves[];

static unsigned nr_kinds(void)
{
	return (unsigned)(__stop_hf_leaves - __start_hf_leaves);
}

void leaks_before(struct leaks *l)
{
	ASSERT(nr_kinds() <= LEAKS_MAX,
	       "%u kinds of things can be left behind, there is room for %u", nr_kinds(),
	       LEAKS_MAX);
	for (unsigned i = 0; i < nr_kinds(); i++)
		l->count[i] = __start_hf_leaves[i].count();
}

static bool any_more(const struct leaks *l)
{
	for (unsigned i = 0; i < nr_kinds(); i++)
		if (__start_hf_leaves[i].count() > l->count[i])
			return true;
	return false;
}

/* "2 page(s) held, 1 mount(s)" of what there is more of now. False: nothing. */
static bool describe(const struct leaks *l, char *buf, size_t n)
{
	size_t at = 0;

	buf[0] = '\0';
	for (unsigned i = 0; i < nr_kinds() && at < n; i++) {
		int64_t more = __start_hf_leaves[i].count() - l->count[i];

		if (more > 0)
			at += (size_t)snprintf(buf + at, n - at, "%s%lld %s", at ? ", " : "",
					       (long long)more, __start_hf_leaves[i].what);
	}
	return at;
}

/* Users before what they use: in the order of `turn`. */
static void put_right(const struct leaks *l)
{
	for (unsigned turn = 0; turn <= LEAVES_LAST; turn++)
		for (unsigned i = 0; i < nr_kinds(); i++) {
			const struct selftest_leaves *kind = &__start_hf_leaves[i];

			if (kind->turn == turn && kind->undo && kind->count() > l->count[i])
				kind->undo(l->count[i]);
		}
}

void leaks_after(const struct leaks *l, struct selftest_run *t)
{
	char what[160];

	if (AWAIT_POLLS(!any_more(l), "the end of what a test left") ||
	    !describe(l, what, sizeof(what)))
		return;
	put_right(l);
	selftest_fail(t, __FILE__, __LINE__, "nothing left behind", "the test left %s", what);
}

/* ---- this floor's */

static void count_thread(struct thread *t, void *arg)
{
	(void)t;
	*(int64_t *)arg += 1;
}

static int64_t threads(void)
{
	int64_t n = 0;

	thread_for_each(count_thread, &n);
	return n;
}
SELFTEST_LEAVES(threads, "thread(s) that run, or that nobody joined", LEAVES_LAST, threads, NULL);
