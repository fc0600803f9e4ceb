/* SPDX-License-Identifier: MIT */
/* Self-tests: the edu devices and DMA jobs (edu.*). */
#include "tests/kernel/lib/fixture.h"

#define PIN (FOLL_PIN | FOLL_WRITE)

SELFTEST(edu_arguments, "edu.arguments", "transfers that the device cannot do are refused")
{
	static struct dma_device model = DMA_DIRECT("model");
	struct dma_mapping map = {.dev = &model, .nr = 1, .pfn = 1};
	struct edu_request rq = {.dir = EDU_FROM_MEMORY, .map = &map, .len = 1};
	struct edu *e = scratch_edu(0);

	if (!e)
		SKIP("no edu device (QEMU: -device edu)");
	EXPECT(edu_submit(e, &rq, 1) == -EINVAL, "nobody to tell that it is done");
	rq.done = (void (*)(struct edu_request *))(uintptr_t)1; /* never called */
	rq.len = 0;
	EXPECT(edu_submit(e, &rq, 1) == -EINVAL, "no bytes");
	rq.len = EDU_CHUNK + 1;
	EXPECT(edu_submit(e, &rq, 1) == -EINVAL, "more than a chunk");
	rq.len = EDU_CHUNK;
	rq.offset = EDU_CHUNK;
	EXPECT(edu_submit(e, &rq, 1) == -EINVAL,
	       "to the last byte of the buffer: QEMU would abort");
	rq.offset = 0;
	rq.page = 1;
	EXPECT(edu_submit(e, &rq, 1) == -EINVAL, "behind the mapping");
	rq.page = 0;
	rq.at = 4096 - EDU_CHUNK + 1;
	EXPECT(edu_submit(e, &rq, 1) == -EINVAL, "over the end of the page");
	rq.at = 0;
	map.pfn = 1ull << (40 - PAGE_SHIFT);
	EXPECT(edu_submit(e, &rq, 1) == -EINVAL, "beyond the DMA mask");
	EXPECT(edu_pending(e) == 0, "%u requests pending", edu_pending(e));
}

SELFTEST(edu_both_ways, "edu.both-directions",
	 "what a device writes into a file's page is in the file, and what it reads is what was "
	 "there")
{
	struct dma_job *in, *out_job = NULL;
	struct page *p;
	char buf[17] = "";
	uint64_t va;
	bool ok = false;
	int err;

	if (scratch_choose_edus(1))
		SKIP("%s", refusal());
	FIXTURE(fx, LIFETIME_DEFAULT);
	va = fx_map(&fx, "f", 1, 'a');
	EXPECT_OR(out, va && get_user_pages_fast(va, 1, PIN, &p) == 1, "no page");
	in = dma_start(scratch_edu(0), &p, 1, DMA_IN, "to memory ", 1, &err);
	EXPECT_OR(out, in, "error %d", err);
	dma_wait(in);
	dma_free(in);
	dax_read(fx.inode[0], 0, buf, 16);
	EXPECT_OR(out, !strncmp(buf, "to memory to mem", 16), "the file reads \"%s\"", buf);
	EXPECT_OR(out, get_user_pages_fast(va, 1, FOLL_PIN, &p) == 1, "no page");
	out_job = dma_start(scratch_edu(0), &p, 1, DMA_OUT, NULL, 1, &err);
	EXPECT_OR(out, out_job, "error %d", err);
	dma_wait(out_job);
	ok = !memcmp(dma_received(out_job), (void *)va, 16);
	dma_free(out_job);
	EXPECT_OR(out, ok, "the device received other bytes");
	EXPECT_OR(out, page_refs(p) == p->pgmap->rest, "%u references left", page_refs(p));
out:
	fixture_end(&fx);
}

SELFTEST(edu_in_parallel, "edu.two-in-parallel",
	 "two devices work at the same time, each on its page")
{
	struct dma_job *job[2];
	struct page *p[2];
	char c[2] = {0};
	uint64_t va;
	bool together;
	int err;

	if (scratch_choose_edus(2))
		SKIP("%s", refusal());
	FIXTURE(fx, LIFETIME_DEFAULT);
	va = fx_map(&fx, "f", 2, 'a');
	EXPECT_OR(out, va && get_user_pages_fast(va, 2, PIN, p) == 2, "no pages");
	job[0] = dma_start(scratch_edu(0), &p[0], 1, DMA_IN, "0", 1, &err);
	job[1] = dma_start(scratch_edu(1), &p[1], 1, DMA_IN, "1", 1, &err);
	EXPECT_OR(out, job[0] && job[1], "error %d", err);
	together = !dma_done(job[0]) && !dma_done(job[1]);
	for (unsigned i = 0; i < 2; i++) {
		dma_wait(job[i]);
		dma_free(job[i]);
		dax_read(fx.inode[0], i * PAGE_SIZE, &c[i], 1);
	}
	EXPECT_OR(out, together && c[0] == '0' && c[1] == '1', "together %d, '%c' and '%c'",
		  together, c[0], c[1]);
out:
	fixture_end(&fx);
}

SELFTEST(edu_queue, "edu.queued-in-order",
	 "jobs queued on one device run one after the other, and do not mix their bytes")
{
	struct dma_job *job[3];
	struct page *p[3];
	char c[3] = {0};
	uint64_t va;
	unsigned pending;
	int err;

	if (scratch_choose_edus(1))
		SKIP("%s", refusal());
	FIXTURE(fx, LIFETIME_DEFAULT);
	va = fx_map(&fx, "f", 3, 'a');
	EXPECT_OR(out, va && get_user_pages_fast(va, 3, PIN, p) == 3, "no pages");
	for (unsigned i = 0; i < 3; i++) {
		const char text[2] = {(char)('x' + i), '\0'};

		job[i] = dma_start(scratch_edu(0), &p[i], 1, DMA_IN, text, 1, &err);
		EXPECT_OR(out, job[i], "error %d", err);
	}
	pending = edu_pending(scratch_edu(0));
	for (unsigned i = 0; i < 3; i++) {
		dma_wait(job[i]);
		dma_free(job[i]);
		dax_read(fx.inode[0], i * PAGE_SIZE + 4000, &c[i], 1);
	}
	EXPECT_OR(out, pending >= 7 && c[0] == 'x' && c[1] == 'y' && c[2] == 'z',
		  "%u pending, '%c' '%c' '%c'", pending, c[0], c[1], c[2]);
out:
	fixture_end(&fx);
}
