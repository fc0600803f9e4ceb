// SPDX-License-Identifier: MIT
/*
 * Rows about the DMA API behind an IOMMU: a device is let at pages, and no more; and about memory
 * of a program that is pinned for that.
 *
 * Linux is booted with intel_iommu=on iommu.strict=1, so that the end of a mapping waits until the
 * unit has forgotten it, as Holdfast's does. How often it waits is counted by a probe on the
 * function that every request to the unit's queue goes through, in a run of its own.
 */
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "hfwork.h"

#define REPEATS	     200u
#define WAITS	     "qi_submit_sync"
#define REGION_PAGES 64u /* as many as a region of Holdfast's has */

static uint64_t map_ticks[MAX_REPEATS], unmap_ticks[MAX_REPEATS];

static void run(struct hfp_dma *d)
{
	d->map = (uintptr_t)map_ticks;
	d->unmap = (uintptr_t)unmap_ticks;
	need(!ioctl(device, HFP_DMA, d), "dma_map_sg");
}

/* How often one mapping and its end wait for the unit. */
static void report_waits(const char *kind, struct hfp_dma d)
{
	struct hfp_probe p = {.name = WAITS};
	char name[64];

	need(!ioctl(device, HFP_PROBE, &p), "a probe on " WAITS);
	d.marked = 0;
	run(&d);
	need(!ioctl(device, HFP_PROBED, &p), "HFP_PROBED");
	need(!ioctl(device, HFP_PROBES_GO), "HFP_PROBES_GO");
	snprintf(name, sizeof(name), "dma.waits.%s", kind);
	report_value(name, "waits", p.calls * 100 / d.repeats, d.repeats);
}

static void both(const char *kind, unsigned where)
{
	struct hfp_dma d = {.pages = HUGE_PAGES, .repeats = REPEATS, .where = where, .marked = 1};
	char name[64];

	run(&d);
	need(d.pieces == (where == HFP_DMA_SCATTERED ? HUGE_PAGES : 1), "%u pieces", d.pieces);
	snprintf(name, sizeof(name), "dma.map.%s", kind);
	report(name, "insns/page", map_ticks, d.repeats, kernel_gap, d.pages, true);
	snprintf(name, sizeof(name), "dma.unmap.%s", kind);
	report(name, "insns/page", unmap_ticks, d.repeats, kernel_gap, d.pages, true);
	report_waits(kind, d);
}

void rows_dma(void)
{
	both("4k.b512", HFP_DMA_NEXT);
	both("4k.scattered", HFP_DMA_SCATTERED);
	both("2m.b512", HFP_DMA_HUGE);
}

/* The pin alone, and the whole of a registration, of pages of a file that lie side by side. */
void rows_region(void)
{
	struct file f;
	struct hfp_gup pin = {.pages = REGION_PAGES, .pin = 1, .repeats = REPEATS};
	struct hfp_region r = {.pages = REGION_PAGES, .repeats = REPEATS};

	file_start(&f, "region", REGION_PAGES);
	file_map(&f, false);
	file_dirty(&f);
	pin.addr = r.addr = (uintptr_t)f.map;
	pin.get = r.in = (uintptr_t)map_ticks;
	pin.put = r.out = (uintptr_t)unmap_ticks;
	need(!ioctl(device, HFP_GUP, &pin), "pin_user_pages_fast");
	need(!pin.breaks, "%u breaks in memory", pin.breaks);
	report("region.pin.4k.b64", "insns/page", map_ticks, REPEATS, kernel_gap, REGION_PAGES,
	       true);
	report("region.unpin.4k.b64", "insns/page", unmap_ticks, REPEATS, kernel_gap, REGION_PAGES,
	       true);
	need(!ioctl(device, HFP_REGION, &r), "a region");
	need(r.pieces == 1, "%u pieces", r.pieces);
	report("region.register.4k.b64", "insns/page", map_ticks, REPEATS, kernel_gap, REGION_PAGES,
	       true);
	report("region.deregister.4k.b64", "insns/page", unmap_ticks, REPEATS, kernel_gap,
	       REGION_PAGES, true);
	file_end(&f);
}
