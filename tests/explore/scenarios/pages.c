/* SPDX-License-Identifier: MIT */
/*
 * Page records: references, mappings, the busy mark, and what they hold up.
 *
 * One page of a device that is nowhere: its records are real, its bytes are never touched. At rest
 * 0, as the default lifetime has it.
 */
#include "mm/device/internal.h"
#include "tests/explore/explore.h"

static struct pgmap pgmap;
static struct page *page;
static struct {
	uint64_t released, idle; /* how often the owner was told */
	uint64_t gone;		 /* the device is: a drain is over */
	uint64_t held;		 /* by the scenario's own count; zero: by nobody */
} seen;

static void page_idle(struct page *p)
{
	X_EXPECT("I2", p == page && !__atomic_load_n(&seen.gone, __ATOMIC_RELAXED),
		 "a page of a device that is gone is idle");
	__atomic_fetch_add(&seen.idle, 1, __ATOMIC_RELAXED);
}

static void page_release(struct page *p)
{
	X_EXPECT("I1", !page_is_busy(p), "who is told of a release finds the page busy");
	X_EXPECT("I1", !__atomic_load_n(&seen.held, __ATOMIC_RELAXED),
		 "a page is released that is held");
	__atomic_fetch_add(&seen.released, 1, __ATOMIC_RELAXED);
}

static const struct pgmap_ops ops = {.page_idle = page_idle, .page_release = page_release};

static int setup(void)
{
	int err = fake_bound(&pgmap, 0, &ops, &page);

	pgmap.mapped_holds = true;
	return err;
}

static void teardown(void)
{
	memunmap_pages(&pgmap);
}

static void none(void)
{
	memset(&seen, 0, sizeof(seen));
}

static void held_once(void)
{
	none();
	X_EXPECT("set-up", page_get_first(page, 1), "the page is not to be had");
	seen.held = 1;
}

static void held_twice(void)
{
	none();
	X_EXPECT("set-up", page_get_first(page, 2), "the page is not to be had");
	seen.held = 2;
}

static void mapped_once(void)
{
	none();
	page_map_get(page);
	seen.held = 1;
}

static void held_and_mapped(void)
{
	held_once();
	page_map_get(page);
	seen.held = 2;
}

/* ---- what threads do ------------------------------------------------------------------------ */

static void put(void)
{
	__atomic_fetch_sub(&seen.held, 1, __ATOMIC_RELAXED);
	page_put(page, 1);
}

static void unmap(void)
{
	__atomic_fetch_sub(&seen.held, 1, __ATOMIC_RELAXED);
	page_map_put(page);
}

static void mark(void)
{
	x_observe(page_mark_busy(page));
}

static void get(void)
{
	bool got = page_get(page, 1);

	x_observe(got);
	if (!got)
		return;
	__atomic_fetch_add(&seen.held, 1, __ATOMIC_RELAXED);
	X_EXPECT("I5", !__atomic_load_n(&seen.released, __ATOMIC_RELAXED),
		 "a reference is born on a page that was released");
	put();
}

static void birth(void)
{
	bool got = page_get_first(page, 1);

	x_observe(got);
	if (!got)
		return;
	__atomic_fetch_add(&seen.held, 1, __ATOMIC_RELAXED);
	X_EXPECT("I2", !__atomic_load_n(&seen.gone, __ATOMIC_RELAXED),
		 "a page of a device that is gone is held");
	put();
}

/* As a fault has it: the device is held by the mount. */
static void map_and_unmap(void)
{
	page_map_get(page);
	__atomic_fetch_add(&seen.held, 1, __ATOMIC_RELAXED);
	unmap();
}

static void unbind(void)
{
	memunmap_drain(&pgmap);
	X_EXPECT("I2", !__atomic_load_n(&seen.held, __ATOMIC_RELAXED),
		 "the device goes while its page is held");
	__atomic_store_n(&seen.gone, 1, __ATOMIC_RELAXED);
}

/* As a waiter does it: says that it wants to know, then looks. */
static void await_idle(void)
{
	pgmap_listen(&pgmap);
	wait_event(page, !page_state(page), "a page at rest", "the last put");
	pgmap_unlisten(&pgmap);
}

static void tell(struct page *p)
{
	if (wait_maybe(p))
		wake_up(p);
}

static const struct pgmap_ops telling = {.page_idle = tell, .page_release = page_release};

static int setup_telling(void)
{
	int err = fake_bound(&pgmap, 0, &telling, &page);

	pgmap.mapped_holds = true;
	return err;
}

/* ---- what holds in the end ------------------------------------------------------------------ */

static void at_rest(void)
{
	X_EXPECT("I2", page_state(page) == 0, "the page is not at rest: 0x%lx", page_state(page));
	X_EXPECT("I2", percpu_ref_sum(&pgmap.ref) == 1, "the device is held %ld times, not once",
		 (long)percpu_ref_sum(&pgmap.ref));
}

static void released_once(void)
{
	X_EXPECT("I1", seen.released == 1, "the page is released %lu times, not once",
		 seen.released);
	at_rest();
}

static void drained(void)
{
	X_EXPECT("I2", page_state(page) == 0, "the page is not at rest: 0x%lx", page_state(page));
	X_EXPECT("I2", percpu_ref_sum(&pgmap.ref) == 0,
		 "the device is held %ld times behind its end", (long)percpu_ref_sum(&pgmap.ref));
}

#define ONE_PAGE .setup = setup, .teardown = teardown
EXPLORE_SCENARIO(busy_mark_put, "busy.mark-put",
		 "of the one who marks a held page and the one who puts it exactly one releases it",
		 ONE_PAGE, .start = held_once, .thread = {{"mark", mark}, {"put", put}},
		 .end = released_once);
EXPLORE_SCENARIO(busy_mark_unmap, "busy.mark-unmap",
		 "of the one who marks a mapped page and the one who unmaps it one releases it",
		 ONE_PAGE, .start = mapped_once, .thread = {{"mark", mark}, {"unmap", unmap}},
		 .end = released_once);
EXPLORE_SCENARIO(busy_mark_two_puts, "busy.mark-two-puts",
		 "a page that two hold is released by the last of them, or by who marks it",
		 ONE_PAGE, .start = held_twice,
		 .thread = {{"mark", mark}, {"first", put}, {"second", put}}, .end = released_once);
EXPLORE_SCENARIO(busy_mark_put_unmap, "busy.mark-put-unmap",
		 "a page that is held and mapped is released by whoever goes last", ONE_PAGE,
		 .start = held_and_mapped,
		 .thread = {{"mark", mark}, {"put", put}, {"unmap", unmap}}, .end = released_once);
EXPLORE_SCENARIO(
	busy_mark_put_get, "busy.mark-put-get",
	"no reference is born on a page that is marked, by a reader of an old entry either",
	ONE_PAGE, .start = held_once, .thread = {{"mark", mark}, {"put", put}, {"get", get}},
	.end = released_once);
EXPLORE_SCENARIO(page_get_put, "page.get-put",
		 "a reference taken beside the last put holds the page, or is none", ONE_PAGE,
		 .start = held_once, .thread = {{"get", get}, {"put", put}}, .end = at_rest);
EXPLORE_SCENARIO(page_two_births, "page.two-births", "of two first references one holds the device",
		 ONE_PAGE, .start = none, .thread = {{"first", birth}, {"second", birth}},
		 .end = at_rest);
EXPLORE_SCENARIO(page_map_put, "page.map-put",
		 "a mapping beside the last put holds the device, once", ONE_PAGE,
		 .start = held_once, .thread = {{"map", map_and_unmap}, {"put", put}},
		 .end = at_rest);
EXPLORE_SCENARIO(page_map_birth, "page.map-birth",
		 "a first mapping and a first reference hold the device once", ONE_PAGE,
		 .start = none, .thread = {{"map", map_and_unmap}, {"get", birth}}, .end = at_rest);
EXPLORE_SCENARIO(page_birth_unbind, "page.birth-unbind",
		 "a first reference finds the device going, or is waited for", ONE_PAGE,
		 .start = none, .thread = {{"unbind", unbind}, {"get", birth}}, .end = drained,
		 .interrupts = true);
EXPLORE_SCENARIO(page_put_unbind, "page.put-unbind",
		 "an unbinding ends with the last put, and not before it has told its owner",
		 ONE_PAGE, .start = held_once, .thread = {{"unbind", unbind}, {"put", put}},
		 .end = drained, .interrupts = true);
EXPLORE_SCENARIO(page_put_wait, "page.put-wait", "the last put wakes who waits for the page",
		 .setup = setup_telling, .teardown = teardown, .start = held_once,
		 .thread = {{"wait", await_idle}, {"put", put}}, .end = at_rest);
EXPLORE_SCENARIO(page_two_puts_wait, "page.two-puts-wait",
		 "of two puts the last one wakes who waits", .setup = setup_telling,
		 .teardown = teardown, .start = held_twice,
		 .thread = {{"wait", await_idle}, {"first", put}, {"second", put}}, .end = at_rest);
EXPLORE_SCENARIO(page_unmap_put_wait, "page.unmap-put-wait",
		 "whoever goes last, a reference or a mapping, wakes who waits",
		 .setup = setup_telling, .teardown = teardown, .start = held_and_mapped,
		 .thread = {{"wait", await_idle}, {"put", put}, {"unmap", unmap}}, .end = at_rest);
