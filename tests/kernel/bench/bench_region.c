/* SPDX-License-Identifier: MIT */
/*
 * region.…: what it costs to register memory with a device, beside the pin that is a part of it.
 *
 * 64 pages of a file, the most that a region has, side by side in memory, dirty, mapped with
 * MAP_DIRECT by 4 KiB. One call is one section. region_register() is a notifier, a lease, the pin,
 * bus addresses, page tables and the holder's name; region_deregister() is all of it back, the
 * unit's answer included. region.pin.4k.b64 and region.unpin.4k.b64 are the pin alone.
 */
#include "drivers/clients/clients.h"
#include "drivers/iommu/iommu.h"
#include "tests/kernel/bench/bench.h"

#define PAGES DMA_MAX_PAGES

struct registered {
	struct bench_run *b;
	struct bench_file f;
	uint64_t va;
	struct region *r; /* NULL: none */
	struct page *pages[PAGES];
	long got;
};
static struct registered registered; /* under bench's lock */

static void register_it(void *arg)
{
	struct registered *m = arg;

	if (region_register(scratch_edu(0), m->va, PAGES, REGION_PINNED, NULL, &m->r))
		bench_skip(m->b, "%s", refusal());
}

static void deregister(void *arg)
{
	struct registered *m = arg;

	if (m->r)
		region_deregister(m->r);
	m->r = NULL;
}

static void pin(void *arg)
{
	struct registered *m = arg;

	m->got = get_user_pages_fast(m->va, PAGES, FOLL_PIN | FOLL_WRITE, m->pages);
	if (m->got != PAGES)
		bench_skip(m->b, "%ld of %u pages could be pinned", m->got, PAGES);
}

static void unpin(void *arg)
{
	struct registered *m = arg;

	unpin_user_pages(m->pages, MAX(m->got, 0));
}

/* An edu behind an IOMMU, and the file, mapped with MAP_DIRECT one page off a 2 MiB boundary. */
static bool region_bench_start(struct bench_run *b)
{
	const struct dax_map rq = {
		.flags = MAP_SHARED_VALIDATE | MAP_DIRECT, .pages = PAGES, .write = true};
	struct registered *m = &registered;

	*m = (struct registered){.b = b};
	if (scratch_choose_edus(1))
		bench_skip(b, "%s", refusal());
	else if (!edu_dma(scratch_edu(0))->domain)
		bench_skip(b, "no device whose translation can be cut");
	if (b->skipped || !bench_file_start(b, &m->f, PAGES))
		return false;
	m->f.va = BENCH_4K;
	if (dax_map(current_mm(), m->f.inode, &rq, &m->f.va)) {
		m->f.va = 0;
		bench_skip(b, "%s", refusal());
	}
	bench_file_dirty(&m->f);
	m->va = m->f.va;
	return true;
}

static void measure_region(struct bench_run *b, const struct bench_case *c)
{
	if (!region_bench_start(b))
		return;
	if (!b->skipped)
		bench_measure(b, BENCH_INSNS_PAGE, c, 200, PAGES);
	bench_file_end(&registered.f);
}

/* region.pin.4k.b64, region.unpin.4k.b64 */
static void pin_alone(struct bench_run *b)
{
	const struct bench_case c = {.op = pin, .after = unpin, .arg = &registered};

	measure_region(b, &c);
}
BENCH(region_pin, "region.pin.4k.b64", pin_alone);

static void unpin_alone(struct bench_run *b)
{
	const struct bench_case c = {.before = pin, .op = unpin, .arg = &registered};

	measure_region(b, &c);
}
BENCH(region_unpin, "region.unpin.4k.b64", unpin_alone);

/* region.register.4k.b64, region.deregister.4k.b64 */
static void register_64(struct bench_run *b)
{
	const struct bench_case c = {.op = register_it, .after = deregister, .arg = &registered};

	measure_region(b, &c);
}
BENCH(region_register, "region.register.4k.b64", register_64);

static void deregister_64(struct bench_run *b)
{
	const struct bench_case c = {.before = register_it, .op = deregister, .arg = &registered};

	measure_region(b, &c);
}
BENCH(region_deregister, "region.deregister.4k.b64", deregister_64);
