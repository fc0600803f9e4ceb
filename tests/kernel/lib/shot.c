/* SPDX-License-Identifier: MIT */
/* Writes by a device that self-tests of the IOMMU make; see shot.h. */
#include "tests/kernel/lib/shot.h"

#define TEXT "through the IOMMU "

static void shot_done(struct edu_request *rq)
{
	struct shot *s = rq->arg;

	if (rq != &s->rq[1])
		return;
	__atomic_store_n(&s->done, true, __ATOMIC_RELEASE);
	wake_up(s);
}

int shot_start(struct shot *s, struct edu *e, const struct dma_mapping *m, unsigned long page)
{
	int err;

	*s = (struct shot){.text.map.what = "text of a test"};
	err = dma_alloc(edu_dma(e), &s->text, 0, DMA_TO_DEVICE);
	if (err)
		return err;
	for (unsigned i = 0; i < EDU_CHUNK; i++)
		((char *)s->text.at)[i] = TEXT[i % strlen(TEXT)];
	for (unsigned i = 0; i < 2; i++)
		s->rq[i] = (struct edu_request){.dir = i ? EDU_TO_MEMORY : EDU_FROM_MEMORY,
						.map = i ? m : &s->text.map,
						.page = i ? page : 0,
						.len = EDU_CHUNK,
						.done = shot_done,
						.arg = s};
	err = edu_submit(e, s->rq, 2);
	if (err)
		dma_free_memory(&s->text);
	return err;
}

void shot_end(struct shot *s)
{
	wait_event(s, __atomic_load_n(&s->done, __ATOMIC_ACQUIRE), "a device's write",
		   "its completion interrupt");
	dma_free_memory(&s->text);
}

int shot_fire(struct edu *e, const struct dma_mapping *m, unsigned long page)
{
	static struct shot s; /* one test at a time */
	int err = shot_start(&s, e, m, page);

	if (!err)
		shot_end(&s);
	return err;
}

bool shot_arrived(const void *at)
{
	return !memcmp(at, TEXT, strlen(TEXT));
}

bool shot_nothing_at(const char *at)
{
	for (unsigned i = 0; i < EDU_CHUNK; i++)
		if (at[i])
			return false;
	return true;
}

const struct vtd_fault *shot_last_fault(struct dma_device *dev)
{
	struct vtd *u = dev->domain->unit;

	vtd_take_faults(u);
	u->told = u->log.seen;
	u->told_overflows = u->log.overflows;
	return u->log.seen ? &u->log.last[(u->log.seen - 1) % VTD_FAULT_LOG] : NULL;
}

bool shot_one_fault(struct dma_device *dev, uint64_t before, uint64_t bus, unsigned reason)
{
	const struct vtd_fault *f = shot_last_fault(dev);

	return iommu_faults() == before + 1 && f && f->source == dev->domain->requester &&
	       f->address == bus && f->reason == reason && !f->read;
}
