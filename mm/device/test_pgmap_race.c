/* SPDX-License-Identifier: MIT */
/*
 * Self-tests: unbinding on one CPU while others look up, put, or are in the middle of a put. All
 * are bounded by operations, and each thread does its share whatever the others do.
 */
#include "mm/device/internal.h"

#define UNBINDS	  20u
#define PER_ROUND 5000u /* look-ups at least that find it between binding and unbinding */

static struct lookup_race {
	struct pgmap pgmap;
	unsigned found, missed, dead;
	bool stop;
} lr;

static void lookup_thread(void *arg)
{
	const uint64_t pfn = lr.pgmap.range[0].start + 7;

	(void)arg;
	while (!__atomic_load_n(&lr.stop, __ATOMIC_RELAXED)) {
		struct pgmap *pgmap = pgmap_get(pfn);

		if (!pgmap) {
			__atomic_fetch_add(&lr.missed, 1, __ATOMIC_RELAXED);
			thread_yield();
			continue;
		}
		/* While we hold it, it is not unbound: it still has its owner. */
		if (!__atomic_load_n(&pgmap->owner, __ATOMIC_ACQUIRE))
			__atomic_fetch_add(&lr.dead, 1, __ATOMIC_RELAXED);
		pgmap_put(pgmap);
		if (__atomic_fetch_add(&lr.found, 1, __ATOMIC_RELAXED) % 64 == 0)
			thread_yield(); /* the unbinder's turn, on whatever CPU it is */
	}
}

static int bind_and_unbind(void)
{
	unsigned want = __atomic_load_n(&lr.found, __ATOMIC_RELAXED) + PER_ROUND, looks = 0;
	int err;

	__atomic_store_n(&lr.pgmap.owner, &lr, __ATOMIC_RELEASE);
	err = memremap_pages(&lr.pgmap);
	if (err)
		return err;
	while (__atomic_load_n(&lr.found, __ATOMIC_RELAXED) < want)
		gang_look(&looks);
	memunmap_pages(&lr.pgmap);
	__atomic_store_n(&lr.pgmap.owner, NULL, __ATOMIC_RELEASE);
	return 0;
}

SELFTEST(mm_lookup_race, "mm.memremap-lookup-race",
	 "100,000 look-ups by three threads against unbinding: whoever found a pgmap kept it until "
	 "the put")
{
	struct gang g;
	int err = 0;

	lr = (struct lookup_race){.pgmap = fake_pgmap(0, 2)};
	EXPECT(gang_start(&g, 3, lookup_thread, NULL, true), "no memory");
	for (unsigned i = 0; i < UNBINDS && !err; i++)
		err = bind_and_unbind();
	__atomic_store_n(&lr.stop, true, __ATOMIC_RELAXED);
	gang_join(&g);
	EXPECT(!err, "binding two MiB failed: %d", err);
	EXPECT(!lr.dead && lr.found >= UNBINDS * PER_ROUND, "%u of %u found it unbound", lr.dead,
	       lr.found);
}

/* Two threads race; each further CPU only makes an unbinding longer, which asks them all. */
#define PUT_ROUNDS (nr_cpus > 2 ? 100u : 300u)

static struct put_race {
	struct pgmap pgmap;
	struct page *page;
	unsigned round, done; /* the putter's turn, and what it has finished */
} put_race;

static void put_thread(void *arg)
{
	(void)arg;
	for (unsigned i = 1; i <= PUT_ROUNDS; i++) {
		unsigned looks = 0;

		while (__atomic_load_n(&put_race.round, __ATOMIC_ACQUIRE) < i)
			gang_look(&looks);
		page_put(put_race.page, 1);
		__atomic_store_n(&put_race.done, i, __ATOMIC_RELEASE);
	}
}

SELFTEST(mm_put_race, "mm.memremap-put-race",
	 "a last put on one CPU against unbinding on another: neither touches what is gone, none "
	 "waits for ever")
{
	struct thread *t2 = thread_create("put", put_thread, NULL, nr_cpus > 1 ? 2u : 0);
	int err = 0;

	EXPECT(t2, "no memory");
	put_race.round = 0;
	for (unsigned i = 1; i <= PUT_ROUNDS && !err; i++) {
		unsigned looks = 0;

		err = fake_bound(&put_race.pgmap, i & 1, NULL, &put_race.page);
		if (err)
			break;
		if (i & 1)
			page_get(put_race.page, 1);
		else
			page_get_first(put_race.page, 1);
		__atomic_store_n(&put_race.round, i, __ATOMIC_RELEASE);
		memunmap_pages(&put_race.pgmap);
		/* It was told and left before unbinding returned: poison shows a late look. */
		memset(&put_race.pgmap, 0xa5, sizeof(put_race.pgmap));
		while (__atomic_load_n(&put_race.done, __ATOMIC_ACQUIRE) < i)
			gang_look(&looks);
	}
	ASSERT(!err, "binding two MiB must succeed; error %d", err);
	thread_join(t2);
}

static struct late_put {
	struct pgmap pgmap;
	struct page *page;
	unsigned gone; /* looks at a record that was not there any more */
} late;

/* What a put may still do after it gave its reference up: look at the page, with interrupts off. */
static void late_put_thread(void *arg)
{
	uint64_t flags = irq_save();

	(void)arg;
	pgmap_put(&late.pgmap);
	for (unsigned i = 0; i < 300000 && !late.gone; i++)
		late.gone += !page_record_exists(late.page);
	irq_restore(flags);
}

static void unmap_late(void *arg)
{
	(void)arg;
	memunmap_pages(&late.pgmap);
}

SELFTEST(mm_unmap_grace, "mm.memremap-unmap-grace",
	 "records stay until every CPU has left what it did with interrupts off, such as the end "
	 "of a put")
{
	struct thread *unmap, *put;
	bool slept;
	int err;

	if (nr_cpus < 2)
		SKIP("one CPU: nobody is in the middle of a put when it unbinds");
	late.gone = 0;
	err = fake_bound(&late.pgmap, 1, NULL, &late.page);
	EXPECT(!err && pgmap_get(late.pgmap.range[0].start), "error %d", err);
	unmap = thread_create("unmap", unmap_late, NULL, 1u << 0);
	slept = unmap && falls_asleep(unmap);
	put = thread_create("put", late_put_thread, NULL, 1u << 1);
	ASSERT(unmap && put, "no memory for threads");
	thread_join(put);
	thread_join(unmap);
	EXPECT(slept && !late.gone, "slept %d; the record went while a put was looking", slept);
}
