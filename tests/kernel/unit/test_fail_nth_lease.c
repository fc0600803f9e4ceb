/* SPDX-License-Identifier: MIT */
/*
 * Self-tests: every allocation of a mapping with MAP_DIRECT, of a client's lease, and of what is
 * done to either, fails once (fail.direct.*). A refusal leaves no lease, and takes none away.
 */
#include "dax/file/internal.h"
#include "tests/kernel/lib/fail_nth.h"

#define BREAK_NS 1000000ull

static struct direct_lease client;
static unsigned revoked;

static void revoke_client(struct direct_lease *l)
{
	(void)l;
	__atomic_fetch_add(&revoked, 1, __ATOMIC_RELEASE);
}

static const struct direct_lease_ops client_ops = {.what = "a test's client",
						   .revoke = revoke_client};

static int map_file_direct(struct fail_round *r)
{
	struct dax_map rq = {
		.flags = MAP_SHARED_VALIDATE | MAP_DIRECT, .pages = FAIL_PAGES, .write = true};

	r->va = 0;
	return dax_map(r->mm, r->f, &rq, &r->va);
}

static const char *has_leases(const struct fail_round *r, unsigned want)
{
	if (lease_count(&r->f->leases, LEASE_ALL) == want)
		return NULL;
	return want ? "a refused operation took the lease away" : "a refused mapping left a lease";
}

static const char *not_leased(struct fail_round *r)
{
	return *refusal() ? has_leases(r, 0) : "it was refused without a word";
}

static void drop_notices(struct fail_round *r)
{
	char text[NOTICE_TEXT];

	fail_undo_file(r);
	while (notice_take(text, sizeof(text)))
		;
}
FAIL_NTH(fail_direct_map, "fail.direct.map",
	 "each allocation of a mapping with MAP_DIRECT fails once: no lease, no object, no mapping "
	 "is left",
	 .prepare = fail_prepare_file, .op = map_file_direct, .check = not_leased,
	 .undo = drop_notices, .least = 2);

static int prepare_direct(struct fail_round *r)
{
	int err = fail_prepare_file(r);

	return err ? err : map_file_direct(r);
}

static const char *leased_once(struct fail_round *r)
{
	return has_leases(r, 1);
}

static int map_and_touch(struct fail_round *r)
{
	int err = map_file_direct(r);

	return err ? err : mm_fault(r->mm, r->va, true);
}
FAIL_NTH(fail_direct_touch, "fail.direct.touch",
	 "each allocation of a mapping with MAP_DIRECT and its first store fails once",
	 .prepare = fail_prepare_file, .op = map_and_touch, .undo = drop_notices, .least = 4);

/* Two pieces, so that the copy of the second fails when the first has been copied; then the child
 * cuts its own. */
static int prepare_pieces(struct fail_round *r)
{
	int err = prepare_direct(r) ?: mm_unmap(r->mm, fail_page(r, 1), PAGE_SIZE);

	return err ?: mm_fault(r->mm, r->va, true) ?: mm_fault(r->mm, fail_page(r, 2), true);
}

static int fork_and_cut(struct fail_round *r)
{
	r->child = mm_fork(r->mm, "child");
	return r->child ? mm_unmap(r->child, fail_page(r, 4), 2 * PAGE_SIZE) : -ENOMEM;
}

/* The lease, and what is under it: both pieces of the parent's, and the object once. */
static const char *leased_and_served(struct fail_round *r)
{
	const char *wrong = has_leases(r, 1);

	if (!wrong && (mm_fault(r->mm, r->va, true) || mm_fault(r->mm, fail_page(r, 2), true)))
		wrong = "the parent's mapping is not served any more";
	return wrong;
}

static void drop_child(struct fail_round *r)
{
	if (r->child)
		mm_put(r->child);
	r->child = NULL;
	drop_notices(r);
}
FAIL_NTH(fail_direct_fork, "fail.direct.fork",
	 "each allocation of a fork of such a mapping, which is in two pieces, and of the child's "
	 "unmapping of its middle fails once, and the parent's lease stands",
	 .prepare = prepare_pieces, .op = fork_and_cut, .check = leased_and_served,
	 .undo = drop_child, .least = 5);

static int cut_direct(struct fail_round *r)
{
	return mm_unmap(r->mm, fail_page(r, 2), 3 * PAGE_SIZE);
}
FAIL_NTH(fail_direct_cut, "fail.direct.cut",
	 "each allocation of unmapping the middle fails once, and the lease stands",
	 .prepare = prepare_direct, .op = cut_direct, .check = leased_once, .undo = drop_notices,
	 .least = 2);

/* ---- a client ---------------------------------------------------------------------------------
 */

static int take_and_pin(struct fail_round *r)
{
	int err;

	client = (struct direct_lease){.ops = &client_ops, .name = "it"};
	down_read(&r->mm->mmap_lock);
	err = direct_lease_take(mm_find_vma(r->mm, r->va), &client);
	up_read(&r->mm->mmap_lock);
	if (err)
		return err;
	r->got = get_user_pages_fast(r->va, 2, FOLL_PIN | FOLL_WRITE, r->pages);
	if (r->got == 2)
		return 0;
	/* As a client does it: what it got goes, and the lease. */
	if (r->got > 0)
		unpin_user_pages(r->pages, (unsigned long)r->got);
	r->got = 0;
	direct_lease_end(&client);
	return -ENOMEM;
}

static void let_client_go(struct fail_round *r)
{
	if (r->got > 0) {
		unpin_user_pages(r->pages, (unsigned long)r->got);
		direct_lease_end(&client);
	}
	r->got = 0;
	drop_notices(r);
}
FAIL_NTH(
	fail_direct_client, "fail.direct.client",
	"each allocation of a client's lease and of its pages fails once; the mapping's own stands",
	.prepare = prepare_direct, .op = take_and_pin, .check = leased_once, .undo = let_client_go,
	.least = 2);

/* ---- a revocation -----------------------------------------------------------------------------
 */

static int prepare_client(struct fail_round *r)
{
	int err = prepare_direct(r);

	revoked = 0;
	client = (struct direct_lease){.ops = &client_ops, .name = "it"};
	if (err)
		return err;
	down_read(&r->mm->mmap_lock);
	err = direct_lease_take(mm_find_vma(r->mm, r->va), &client);
	up_read(&r->mm->mmap_lock);
	return err;
}

/* Told, revoked, punched: no step of the break may need memory. */
static int punch_through(struct fail_round *r)
{
	const uint64_t before = lease_break_time_ns;
	int err;

	lease_break_time_ns = BREAK_NS;
	err = dax_punch(r->f, 0, PAGE_SIZE);
	lease_break_time_ns = before;
	return err;
}

static const char *was_revoked(struct fail_round *r)
{
	if (has_leases(r, 0))
		return "a lease is left behind its break";
	return __atomic_load_n(&revoked, __ATOMIC_ACQUIRE) == 1 ? NULL
								: "the client was not revoked once";
}

static void end_client(struct fail_round *r)
{
	direct_lease_end(&client);
	drop_notices(r);
}
FAIL_NTH(fail_direct_revoke, "fail.direct.revoke",
	 "each allocation of a punch that breaks a mapping's and a client's lease fails once; both "
	 "were revoked all the same",
	 .prepare = prepare_client, .op = punch_through, .check = was_revoked, .undo = end_client,
	 .way_round = "two thin leaves of the extent tree stay apart (ext4_thin)",
	 .helper = "lease revoker");
