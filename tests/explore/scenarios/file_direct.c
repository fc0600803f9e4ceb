/* SPDX-License-Identifier: MIT */
/*
 * A mapping with MAP_DIRECT whose lease is broken, by who cuts the file, while it is used.
 *
 * The holder does nothing about it: the break time ends, whenever it does (a timer), and the
 * mapping is revoked. From then on no access arrives through it, and no page of it is held that the
 * cut does not know of.
 */
#include "tests/explore/scenarios/files.h"

static int direct(void)
{
	return files_setup(1, FILES_TOUCHED | FILES_DIRECT);
}

static int direct_untouched(void)
{
	return files_setup(1, FILES_DIRECT);
}

static int direct_and_other(void)
{
	return files_setup(1, FILES_TOUCHED | FILES_DIRECT | FILES_G_HAS_ONE);
}

static int direct_two(void)
{
	return files_setup(2, FILES_TOUCHED | FILES_DIRECT);
}

/* The cut unmaps the page behind it, which is looked at again. */
static void files_protect_second(void)
{
	int err = mm_protect(files.mm, files.va + PAGE_SIZE, PAGE_SIZE, VM_READ);
	uint64_t v = 0;

	X_EXPECT("I4", !err, "mprotect: error %d", err);
	x_observe(x_try_load(files.va + PAGE_SIZE, &v));
}

static bool exchanged;

static void not_exchanged(void)
{
	exchanged = false;
}

static void files_break_exchange(void)
{
	exchanged = !files_exchange();
	__atomic_store_n(&files.broken, true, __ATOMIC_RELEASE);
}

/* Where the cut comes first there is nothing to exchange: G was written in its own block, and F's
 * is nobody's. */
static void end_exchange(void)
{
	files.given &= exchanged;
	files_end();
}

#define DIRECT(ident, name, claim, set_up, a, ...)                                                 \
	EXPLORE_SCENARIO(                                                                          \
		ident, name, claim, FILES, .setup = set_up,                                        \
		.thread = {{#a, files_##a}, {"break", files_break}, {"revoke", files_revoke}},     \
		##__VA_ARGS__)

DIRECT(direct_store, "direct.store-break",
       "a fault under way maps its page before the revocation, or is refused (L-3)",
       direct_untouched, store);
DIRECT(direct_gup, "direct.gup-break", "a page that is taken while the lease is broken is known",
       direct, gup_fast);
DIRECT(direct_slow, "direct.slow-break", "the same by slow gup", direct_untouched, gup_slow);
DIRECT(direct_put, "direct.put-break", "a held page is let go while the lease is broken", direct,
       put, .start = files_hold);
DIRECT(direct_munmap, "direct.munmap-break",
       "the last close of the mapping beside its revocation frees it once (L-1)", direct, munmap);
DIRECT(direct_protect, "direct.mprotect-break", "a loss of rights beside the revocation", direct,
       protect);
DIRECT(direct_pieces, "direct.pieces-break",
       "a loss of rights cuts the mapping in two, and both pieces are revoked (L-4)", direct_two,
       protect_second);
DIRECT(direct_fork, "direct.fork-break", "a copy of the mapping is revoked with it (L-4)", direct,
       fork);
DIRECT(direct_punch, "direct.punch-break", "two break one lease, and both go on", direct,
       break_punch);
EXPLORE_SCENARIO(direct_exchange, "direct.exchange-break", "an exchange breaks the lease as well",
		 .setup = direct_and_other, .teardown = files_teardown, .mm = files_mm,
		 .start = not_exchanged, .step = files_step, .end = end_exchange,
		 .thread = {{"exchange", files_break_exchange},
			    {"break", files_break},
			    {"revoke", files_revoke}},
		 .interrupts = true, .lifetimes = true, .large = true);
EXPLORE_SCENARIO(direct_store_munmap, "direct.store-munmap-break",
		 "a store, the last close and the revocation of one mapping", FILES,
		 .setup = direct,
		 .thread = {{"store", files_store},
			    {"munmap", files_munmap},
			    {"break", files_break},
			    {"revoke", files_revoke}});

/* ---- a client of the mapping ------------------------------------------------------------------
 */

static struct direct_lease client;
static bool client_told;
static unsigned refs_before;

static void tell_client(struct direct_lease *l)
{
	(void)l;
	__atomic_store_n(&client_told, true, __ATOMIC_RELEASE);
}

static void revoke_client(struct direct_lease *l)
{
	(void)l; /* it has no page so far */
}

static const struct direct_lease_ops client_ops = {
	.what = "a client", .told = tell_client, .revoke = revoke_client};

static void no_client(void)
{
	client = (struct direct_lease){.ops = &client_ops};
	client_told = false;
	refs_before = files.f->refs;
}

/* What a lease of a client promises: it is told before the mapping is revoked under it. */
static void take_and_end(void)
{
	const char *state;
	int err;

	down_read(&files.mm->mmap_lock);
	err = direct_lease_take(mm_find_vma(files.mm, files.va), &client);
	up_read(&files.mm->mmap_lock);
	x_observe((uint64_t)-err);
	X_EXPECT("L", !err || err == -ENXIO,
		 "a client of a mapping whose lease is going is told error %d", err);
	if (err)
		return;
	state = dax_direct_state(files.mm, files.va, NULL);
	X_EXPECT("L",
		 __atomic_load_n(&client_told, __ATOMIC_ACQUIRE) || strcmp(state, "revoked") != 0,
		 "a client has a lease of a mapping that is revoked, and was told nothing");
	direct_lease_end(&client);
}

/* Taken and ended, or refused: of either nothing stays. */
static void nothing_is_left(void)
{
	X_EXPECT("I4", files.f->refs == refs_before,
		 "the client has gone, and F has %u references for %u", files.f->refs, refs_before);
	files_end();
}

/* A change that does not wait, and the end of the break time. */
static void break_and_revoke(void)
{
	down_write(&files.f->fault_lock);
	lease_break(&files.f->leases, LEASE_LAYOUT, false);
	up_write(&files.f->fault_lock);
	lease_revoke_due(UINT64_MAX);
}

EXPLORE_SCENARIO(
	direct_client, "direct.client-break",
	"a client takes its lease before the mapping is broken, and is told, or is refused",
	.setup = direct, .teardown = files_teardown, .mm = files_mm, .start = no_client,
	.step = files_step, .end = nothing_is_left, .interrupts = true, .lifetimes = true,
	.large = true, .thread = {{"client", take_and_end}, {"break", break_and_revoke}});
