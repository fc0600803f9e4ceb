/* SPDX-License-Identifier: MIT */
/* Self-tests of those who hold pages for a device (clients.*): names, and what is registered. */
#include "drivers/clients/internal.h"
#include "drivers/iommu/internal.h"
#include "tests/kernel/lib/places.h"

#define NO_DEVICE(e)                                                                               \
	struct edu *e = scratch_choose_edus(1) ? NULL : scratch_edu(0);                            \
	if (!e)                                                                                    \
	SKIP("%s", refusal())

static bool held_by(uint64_t va, const char *what, char *who, unsigned n)
{
	const struct page *p = fx_va_to_page(va);

	holders_describe(p, who, n);
	return p && !strncmp(who, what, strlen(what));
}

/* Does a container name its device? One that cannot be had (no IOMMU) does. */
static bool container_names(struct edu *e, uint64_t va, char *who, unsigned n)
{
	bool named = true;
	struct container *c;
	int err;

	c = container_open(e, &err);
	if (!c)
		return !edu_dma(e)->domain;
	named = !container_map(c, current_mm(), va, 1, 0x10000000) &&
		held_by(va, "vfio container on edu0 (thread", who, n);
	container_close(c);
	return named;
}

/* Breaks it: a holder without its device, or a report that leaves it out. */
SELFTEST(clients_device, "clients.holder-names-device",
	 "a report of who holds a page names the device that works on it: of a region, a frame "
	 "buffer, a container, and once only of a transfer, which is named after its device")
{
	static struct grabber g;
	char region_who[120] = "", frame_who[120] = "", job_who[120] = "", box_who[120] = "";
	struct region *reg = NULL;
	struct dma_job *job = NULL;
	struct page *page;
	struct place p;
	int err, slot;
	bool named[4] = {false};

	NO_DEVICE(e);
	PLACE(&p, PLACE_ANON, 2);
	err = region_register(e, p.va, 1, REGION_PINNED, NULL, &reg);
	named[0] = held_by(p.va, "RDMA region on edu0 (thread", region_who, sizeof(region_who));
	if (!err)
		region_deregister(reg);
	slot = grabber_queue(&g, e, p.va, 1);
	named[1] = held_by(p.va, "frame buffer on edu0 (thread", frame_who, sizeof(frame_who));
	grabber_stop(&g);
	named[3] = container_names(e, p.va, box_who, sizeof(box_who));
	if (get_user_pages_fast(p.va, 1, FOLL_PIN | FOLL_WRITE, &page) == 1)
		job = dma_start(e, &page, 1, DMA_IN, "text", 1, &err);
	named[2] = held_by(p.va, "edu0 writing (thread", job_who, sizeof(job_who));
	if (job) {
		dma_wait(job);
		dma_free(job);
	}
	place_end(&p);
	EXPECT(!err && slot >= 0 && job, "error %d, slot %d", err, slot);
	EXPECT(named[0] && named[1] && named[2] && named[3], "%s; %s; %s; %s", region_who,
	       frame_who, job_who, box_who);
}

/* Breaks it: transfers that map the pages anew. */
SELFTEST(clients_registered, "clients.registered-once",
	 "a region's pages are mapped for the device when it is registered, and that one mapping "
	 "serves every transfer until it is deregistered")
{
	struct region *reg = NULL;
	struct place p;
	struct vtd *u;
	uint64_t before, at_rest, registered, forgot = 0;
	int err;

	NO_DEVICE(e);
	at_rest = edu_dma(e)->mappings;
	u = edu_dma(e)->domain ? edu_dma(e)->domain->unit : NULL;
	PLACE(&p, PLACE_ANON, 3);
	err = region_register(e, p.va, 3, REGION_PINNED, NULL, &reg);
	EXPECT_OR(out, !err, "%s", refusal());
	registered = edu_dma(e)->mappings;
	before = u ? u->invalidations : 0;
	err = region_receive(reg, "once") ?: place_shows(&p, "once") ? 0 : -EIO;
	err = err ?: region_receive(reg, "more") ?: place_shows(&p, "more") ? 0 : -EIO;
	forgot = u ? u->invalidations - before : 2 * 1;
	region_deregister(reg);
	EXPECT_OR(out, !err, "the device's bytes: %d", err);
	EXPECT_OR(out, registered == at_rest + 1 && edu_dma(e)->mappings == at_rest,
		  "%lu mappings more, %lu are left", registered - at_rest,
		  edu_dma(e)->mappings - at_rest);
	/* The text of each transfer is mapped for its time, and nothing else. */
	EXPECT_OR(out, forgot == 2 || (u && u->caching), "%lu mappings ended by 2 transfers",
		  forgot);
out:
	place_end(&p);
}
