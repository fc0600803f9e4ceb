/* SPDX-License-Identifier: MIT */
/* Self-tests: a reason comes from the depth to the thread that failed, and to no other (refuse.*).
 */
#include "tests/kernel/lib/fixture.h"

/* Another thread, in the same space, on the same mount. */
struct other {
	struct mm *mm;
	uint64_t va; /* beyond the end of a file */
	bool silent; /* it began without a sentence */
	int open_err, fault_err;
	char open[REFUSAL_TEXT], fault[REFUSAL_TEXT];
};

static void fail_beside(void *arg)
{
	struct other *o = arg;
	struct dax_inode *inode;
	uint64_t v;

	o->silent = !refusal()[0];
	o->open_err = dax_open(SCRATCH_PATH "/theirs", false, &inode);
	snprintf(o->open, sizeof(o->open), "%s", refusal());
	mm_use(o->mm);
	o->fault_err = load_checked((uint64_t *)o->va, &v);
	mm_use(NULL);
	snprintf(o->fault, sizeof(o->fault), "%s", refusal());
}

SELFTEST(refuse_thread, "refuse.of-the-thread",
	 "two threads fail one after the other, in the file layer and by a fault, before either "
	 "asks why: each hears its own reason")
{
	struct other o = {.mm = current_mm()};
	struct thread *thread = NULL;
	struct dax_inode *inode, *f;
	uint64_t v;
	int err, fault;

	FIXTURE(fx, LIFETIME_DEFAULT);
	f = scratch_file("f", 1, 'a');
	EXPECT_OR(out, f && (o.va = fx_map_as_is(&fx, f, 2, true)) != 0, "not mapped");
	o.va += PAGE_SIZE;
	err = dax_open(SCRATCH_PATH "/ours", false, &inode);
	thread = thread_create("other", fail_beside, &o, 0);
	EXPECT_OR(out, thread, "no thread");
	thread_join(thread);
	EXPECT_OR(out, err == -ENOENT && strstr(refusal(), "'ours'"), "%d: '%s'", err, refusal());
	EXPECT_OR(out, o.silent && o.open_err == -ENOENT && strstr(o.open, "'theirs'"),
		  "the other, silent at first %d, %d: '%s'", o.silent, o.open_err, o.open);
	EXPECT_OR(out, o.fault_err == -EFAULT && strstr(o.fault, "beyond the end"), "%d: '%s'",
		  o.fault_err, o.fault);
	fault = load_checked((uint64_t *)(USER_END - PAGE_SIZE), &v);
	EXPECT_OR(out, fault == -EFAULT && strstr(refusal(), "nothing is mapped"), "%d: '%s'",
		  fault, refusal());
out:
	fixture_end(&fx);
}

SELFTEST(
	refuse_around, "refuse.words-around",
	"a function puts its own words around the reason of the one below, and what is too long is "
	"cut, not lost")
{
	int err = refuse(-EIO, "block %d is bad", 7);
	int same = refuse(err, "%s: %s", "/t/f", refusal());

	EXPECT(err == -EIO && same == -EIO && !strcmp(refusal(), "/t/f: block 7 is bad"),
	       "%d, %d: %s", err, same, refusal());
	for (unsigned i = 0; i < 64; i++)
		refuse(err, "%s, as was said", refusal());
	EXPECT(strlen(refusal()) == REFUSAL_TEXT - 1 &&
		       !strncmp(refusal(), "/t/f: block 7 is bad, as", 24),
	       "%zu bytes: %s", strlen(refusal()), refusal());
	refusal_clear();
	EXPECT(!refusal()[0], "cleared: '%s'", refusal());
}
