/* SPDX-License-Identifier: MIT */
/* Self-test: the invariants are looked at while a fault is under way (check.*). */
#include "tests/kernel/lib/fixture.h"

struct toucher {
	struct mm *mm;
	uint64_t va;
	struct step_stop stop;
	int err;
	bool done;
};

static void touch(void *arg)
{
	struct toucher *t = arg;

	mm_use(t->mm);
	t->err = step_stop(&t->stop);
	(void)*at(t->va);
	if (!t->err)
		step_unstop(&t->stop);
	mm_use(NULL);
	__atomic_store_n(&t->done, true, __ATOMIC_RELEASE);
}

SELFTEST(check_fault, "check.fault-under-way",
	 "a page whose record names its file already, while the fault has yet to write the entry, "
	 "is no violation; one that no fault is at is")
{
	FIXTURE(fx, &lifetime_idle_at_one);
	struct toucher to = {.mm = current_mm(), .va = fx_map(&fx, "f", 1, 'a')};
	struct thread *th = NULL;
	unsigned found = 0, after;
	bool stopped = false;

	EXPECT_OR(out, to.va, "not mapped");
	to.stop = (struct step_stop){.name = "fault_entry_made", .deadline = PATIENCE_END()};
	th = thread_create("toucher", touch, &to, 1);
	EXPECT_OR(out, th, "no memory for a thread");
	stopped = AWAIT(step_stopped(&to.stop) || __atomic_load_n(&to.done, __ATOMIC_ACQUIRE),
			"a fault to stop with its entry made") &&
		  step_stopped(&to.stop);
	if (stopped)
		found = check_i6_association();
	step_go(&to.stop);
	thread_join(th);
	after = check_all();
	EXPECT_OR(out, stopped && !to.err && !to.stop.timed_out, "the fault was not stopped: %d",
		  to.err);
	EXPECT_OR(out, !found && !after, "%u violation(s) while it stood there, %u afterwards",
		  found, after);
out:
	fixture_end(&fx);
}
