/* SPDX-License-Identifier: MIT */
/*
 * DMA jobs: pinned pages, a device, and the put that happens in an interrupt.
 *
 * A page takes two transfers of 2048 bytes. A job that writes first loads the device's buffer with
 * its text; one that reads fetches its first chunk back, so that what the device saw can be looked
 * at. All transfers of a job are queued in one piece. The last completion gives the references
 * back, right in the interrupt: that is the put which a waiting truncate is woken by.
 */
#include "drivers/clients/clients.h"

struct dma_job {
	struct page *pages[DMA_MAX_PAGES];
	unsigned nr;
	struct holder holder;
	char who[32];
	struct dma_mapping map;	  /* of the pages */
	struct dma_memory bounce; /* the text that goes in, or what came out */
	bool borrowed;		  /* the references stay the caller's */
	unsigned left;		  /* transfers still to come; zero: done, references are back */
	struct edu_request requests[];
};

static void transfer_done(struct edu_request *rq)
{
	struct dma_job *job = rq->arg;

	/* Only the device's completions count down, one after the other; the last one finishes. */
	if (job->left > 1) {
		job->left--;
		return;
	}
	dma_unmap(
		&job->map); /* before the pages go, else the device could reach what they become */
	if (!job->borrowed) {
		holder_remove(&job->holder);
		unpin_user_pages(job->pages, job->nr);
	}
	__atomic_store_n(&job->left, 0, __ATOMIC_RELEASE);
	shell_wake();
	wake_up(job); /* a key only: whoever waited may free the job once left is zero */
}

/* Chunk `chunk` of a mapping: two are a page. */
static struct edu_request transfer(struct dma_job *job, enum edu_dir dir,
				   const struct dma_mapping *map, unsigned chunk)
{
	return (struct edu_request){.dir = dir,
				    .map = map,
				    .page = chunk / 2,
				    .at = chunk % 2 * EDU_CHUNK,
				    .len = EDU_CHUNK,
				    .done = transfer_done,
				    .arg = job};
}

/*
 * Both halves of every page, `times` times over; returns how many transfers that is. A job that
 * reads goes from the end to the beginning: the device then holds the first chunk when it is done.
 */
static unsigned plan_pages(struct dma_job *job, struct edu_request *rq, enum edu_dir dir,
			   unsigned times)
{
	unsigned n = 0, chunks = 2 * job->nr;

	for (unsigned t = 0; t < times; t++)
		for (unsigned i = 0; i < chunks; i++) {
			unsigned chunk = dir == EDU_FROM_MEMORY ? chunks - 1 - i : i;

			rq[n++] = transfer(job, dir, &job->map, chunk);
		}
	return n;
}

static void fill_pattern(char *buf, const char *text)
{
	size_t n = strlen(text);

	for (unsigned i = 0; i < EDU_CHUNK; i++)
		buf[i] = text[i % n];
}

static unsigned plan(struct dma_job *job, enum dma_dir dir, unsigned times)
{
	struct edu_request *rq = job->requests;
	unsigned n = 0;

	if (dir == DMA_IN)
		rq[n++] = transfer(job, EDU_FROM_MEMORY, &job->bounce.map, 0);
	n += plan_pages(job, rq + n, dir == DMA_IN ? EDU_TO_MEMORY : EDU_FROM_MEMORY, times);
	if (dir == DMA_OUT)
		rq[n++] = transfer(job, EDU_TO_MEMORY, &job->bounce.map, 0);
	return n;
}

/* Lets the device reach the pages and a buffer. 0, or as dma_map(): nothing is mapped. */
static int reach(struct dma_job *job, struct edu *e, enum dma_dir dir)
{
	int err;

	job->bounce.map.what = "text";
	err = dma_alloc(edu_dma(e), &job->bounce, 0,
			dir == DMA_IN ? DMA_TO_DEVICE : DMA_FROM_DEVICE);
	if (err)
		return err;
	job->map.what = job->who;
	err = dma_map(edu_dma(e), &job->map, job->pages, job->nr,
		      dir == DMA_IN ? DMA_FROM_DEVICE : DMA_TO_DEVICE);
	if (err)
		dma_free_memory(&job->bounce);
	return err;
}

static struct dma_job *start(struct edu *e, struct page **pages, unsigned nr, enum dma_dir dir,
			     const char *text, unsigned times, bool borrowed, int *err)
{
	unsigned transfers = 1 + 2 * nr * times;
	struct dma_job *job;

	*err = !e ? -ENODEV : -EINVAL;
	if (!e || !nr || nr > DMA_MAX_PAGES || !times || times > 10000 ||
	    (dir == DMA_IN && (!text || !*text || strlen(text) >= DMA_TEXT)))
		return NULL;
	*err = -ENOMEM;
	job = calloc(1, sizeof(*job) + transfers * sizeof(job->requests[0]));
	if (!job)
		return NULL;
	memcpy(job->pages, pages, nr * sizeof(*pages));
	job->nr = nr;
	*err = reach(job, e, dir);
	if (*err) {
		free(job);
		return NULL;
	}
	if (dir == DMA_IN)
		fill_pattern(job->bounce.at, text);
	snprintf(job->who, sizeof(job->who), "%s %s", edu_name(e),
		 dir == DMA_IN ? "writing" : "reading");
	job->holder = (struct holder){.what = job->who, .pages = job->pages, .nr = nr};
	job->left = plan(job, dir, times);
	job->borrowed = borrowed;
	if (!borrowed)
		holder_add(&job->holder);
	*err = edu_submit(e, job->requests, transfers);
	if (*err) {
		if (!borrowed)
			holder_remove(&job->holder);
		dma_unmap(&job->map);
		dma_free_memory(&job->bounce);
		free(job);
		return NULL;
	}
	return job;
}

struct dma_job *dma_start(struct edu *e, struct page **pages, unsigned nr, enum dma_dir dir,
			  const char *text, unsigned times, int *err)
{
	return start(e, pages, nr, dir, text, times, false, err);
}

struct dma_job *dma_start_borrowed(struct edu *e, struct page **pages, unsigned nr,
				   enum dma_dir dir, const char *text, unsigned times, int *err)
{
	return start(e, pages, nr, dir, text, times, true, err);
}

bool dma_done(const struct dma_job *job)
{
	return __atomic_load_n(&job->left, __ATOMIC_ACQUIRE) == 0;
}

void dma_wait(struct dma_job *job)
{
	assert_no_global_lock("a device");
	wait_event(job, dma_done(job), "a DMA job", "the device's completion interrupt");
}

const char *dma_received(const struct dma_job *job)
{
	return job->bounce.at;
}

void dma_free(struct dma_job *job)
{
	ASSERT(dma_done(job), "a DMA job is freed while the device still has %u transfers to do",
	       job->left);
	dma_free_memory(&job->bounce);
	free(job);
}
