/* SPDX-License-Identifier: MIT */
/*
 * lease.revoke: what it takes to throw a deaf device out of a file.
 *
 * The file's 512 pages are mapped with MAP_DIRECT and stored to, pinned, and registered with a
 * device under a lease of the mapping (lease_direct). Somebody truncates the file and waits; the
 * holder does nothing, so its break time goes by. The section begins when the holder is told and
 * ends when the device reaches nothing any more, less the break time: the revoker's wake, the
 * mapping's revoke (no fault is served; 512 page-table entries and the TLBs), the client's (the
 * translation, and the unit's answer that it has forgotten it). The put of the pages and the
 * truncate itself are outside.
 *
 * Only counted instructions can leave the break time out exactly: a machine whose clock jumps while
 * everybody sleeps wakes at the deadline, to the instruction.
 */
#include "drivers/edu/edu.h"
#include "drivers/iommu/iommu.h"
#include "tests/kernel/bench/bench.h"

#define PAGES	512u
#define REPEATS 9
#define BREAK	1000000ull /* ns */

struct revoked {
	struct bench_run *b;
	struct bench_file f;
	struct dma_mapping map;
	struct direct_lease lease;
	struct page *pages[PAGES];
	uint64_t told, cut; /* TSC ticks; zero: not yet */
};
static struct revoked revoked; /* under bench's lock */

static void told(struct direct_lease *l)
{
	container_of(l, struct revoked, lease)->told = rdtsc();
}

static void revoke(struct direct_lease *l)
{
	struct revoked *r = container_of(l, struct revoked, lease);

	dma_cut(&r->map);
	r->cut = rdtsc();
	unpin_user_pages(r->pages, PAGES);
}

static const struct direct_lease_ops ops = {.what = "a benchmark", .told = told, .revoke = revoke};

static int take(struct revoked *r)
{
	int err;

	r->lease = (struct direct_lease){.ops = &ops, .name = "bench"};
	down_read(&current_mm()->mmap_lock);
	err = direct_lease_take(mm_find_vma(current_mm(), r->f.va), &r->lease);
	up_read(&current_mm()->mmap_lock);
	return err;
}

/* Mapped, stored to, leased, pinned and registered; what fails is undone. */
static int registration(struct revoked *r)
{
	const struct dax_map rq = {
		.flags = MAP_SHARED_VALIDATE | MAP_DIRECT, .pages = PAGES, .write = true};
	long got;
	int err = dax_map(current_mm(), r->f.inode, &rq, &r->f.va);

	if (!err)
		err = take(r);
	if (err)
		return err;
	got = get_user_pages_fast(r->f.va, PAGES, FOLL_PIN | FOLL_WRITE, r->pages);
	err = got == PAGES
		      ? dma_map(edu_dma(scratch_edu(0)), &r->map, r->pages, PAGES, DMA_FROM_DEVICE)
		      : refuse(-EFAULT, "%ld of %u pages could be pinned", got, PAGES);
	if (err) {
		unpin_user_pages(r->pages, MAX(got, 0));
		direct_lease_end(&r->lease);
	}
	return err;
}

/* One round: the ticks of the section; 0: skipped. */
static uint64_t round_of(struct revoked *r)
{
	char text[NOTICE_TEXT];
	uint64_t ticks = 0;
	int err = bench_file_write(&r->f) ? registration(r) : -ENOSPC;

	r->told = r->cut = 0;
	if (!err) {
		err = dax_truncate(r->f.inode, 0);
		ticks = r->cut - r->told - BREAK * tsc_per_ms() / 1000000;
		direct_lease_end(&r->lease);
		dma_unmap(&r->map);
	}
	if (err)
		bench_skip(r->b, "error %d: %s", err, refusal());
	bench_file_unmap(&r->f);
	while (notice_take(text, sizeof(text)))
		; /* to the deaf holder, which this thread is */
	return err ? 0 : ticks;
}

/* lease.revoke.4k.512 */
static void revoke_512(struct bench_run *b)
{
	uint64_t ticks[REPEATS], before = lease_break_time_ns;
	struct revoked *r = &revoked;

	*r = (struct revoked){.b = b, .map.what = "benchmark"};
	if (!b->insns)
		bench_skip(b, "only counted instructions leave the break time out: ICOUNT=1");
	else if (scratch_choose_edus(1))
		bench_skip(b, "%s", refusal());
	else if (!edu_dma(scratch_edu(0))->domain)
		bench_skip(b, "no device whose translation can be cut");
	if (b->skipped || !bench_file_start(b, &r->f, PAGES))
		return;
	lease_break_time_ns = BREAK;
	for (unsigned i = 0; i < REPEATS && !b->skipped; i++)
		ticks[i] = round_of(r);
	lease_break_time_ns = before;
	bench_file_end(&r->f);
	if (!b->skipped)
		bench_samples(b, BENCH_INSNS_PAGE, ticks, REPEATS, PAGES);
}
BENCH(lease_revoke, "lease.revoke.4k.512", revoke_512);
