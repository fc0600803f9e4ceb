/* SPDX-License-Identifier: MIT */
/*
 * DMA jobs: pinned pages, a device, and the put that happens in an interrupt.
 *
 * A page takes two transfers of 2048 bytes. A job that writes first loads the device's buffer with
 * its text; one that reads fetches its first chunk back, so that what the device saw can be looked
 * at. Pages are mapped for the device by the job, or were registered with it long before. All
 * transfers of a job are queued in one piece. The last completion gives the references
 * back, right in the interrupt: that is the put which a waiting truncate is woken by.
 */
#include "drivers/clients/clients.h"

/* What is to be done. */
struct order {
	struct edu *e;
	struct page **pages;		      /* NULL: they are registered */
	const struct dma_mapping *registered; /* or NULL: the job maps the pages for its own time */
	unsigned nr;
	enum dma_dir dir;
	const char *text;
	unsigned times;
	bool borrowed; /* the references stay the caller's */
};

struct dma_job {
	struct page *pages[DMA_MAX_PAGES];
	unsigned nr;
	struct holder holder;
	char who[32];
	struct dma_mapping map;		   /* of the pages, if they were not registered */
	const struct dma_mapping *reached; /* that one, or the registered one */
	struct dma_memory bounce;	   /* the text that goes in, or what came out */
	bool borrowed;
	unsigned left; /* transfers still to come; zero: done, references are back */
	struct edu_request requests[];
};

/* The job is over for its pages. */
static void job_leaves(struct dma_job *job)
{
	/* Before the pages go, else the device could reach what they become. */
	if (job->map.dev)
		dma_unmap(&job->map);
	if (!job->borrowed)
		holder_remove(&job->holder);
}

static void transfer_done(struct edu_request *rq)
{
	struct dma_job *job = rq->arg;

	/* Only the device's completions count down, one after the other; the last one finishes. */
	if (job->left > 1) {
		job->left--;
		return;
	}
	job_leaves(job);
	if (!job->borrowed)
		unpin_user_pages(job->pages, job->nr);
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

			rq[n++] = transfer(job, dir, job->reached, chunk);
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
static int reach(struct dma_job *job, const struct order *o)
{
	struct dma_device *dev = edu_dma(o->e);
	bool in = o->dir == DMA_IN;
	int err;

	job->bounce.map.what = "text";
	err = dma_alloc(dev, &job->bounce, 0, in ? DMA_TO_DEVICE : DMA_FROM_DEVICE);
	if (err || o->registered)
		return err;
	job->map.what = job->who;
	err = dma_map(dev, &job->map, job->pages, job->nr, in ? DMA_FROM_DEVICE : DMA_TO_DEVICE);
	if (err)
		dma_free_memory(&job->bounce);
	return err;
}

static bool makes_sense(const struct order *o)
{
	return o->e && o->nr && o->nr <= DMA_MAX_PAGES && o->times && o->times <= 10000 &&
	       (o->dir == DMA_OUT || (o->text && *o->text && strlen(o->text) < DMA_TEXT));
}

/* Room for the job and all its transfers; NULL: no memory. */
static struct dma_job *job_new(const struct order *o)
{
	unsigned transfers = 1 + 2 * o->nr * o->times;
	struct dma_job *job = calloc(1, sizeof(*job) + transfers * sizeof(job->requests[0]));

	if (!job)
		return NULL;
	if (o->pages)
		memcpy(job->pages, o->pages, o->nr * sizeof(*o->pages));
	job->nr = o->nr;
	job->reached = o->registered ? o->registered : &job->map;
	job->borrowed = o->borrowed;
	snprintf(job->who, sizeof(job->who), "%s %s", edu_name(o->e),
		 o->dir == DMA_IN ? "writing" : "reading");
	job->holder = (struct holder){
		.what = job->who, .device = edu_name(o->e), .pages = job->pages, .nr = o->nr};
	return job;
}

static int submit(struct dma_job *job, const struct order *o)
{
	int err = reach(job, o);

	if (err)
		return err;
	if (o->dir == DMA_IN)
		fill_pattern(job->bounce.at, o->text);
	job->left = plan(job, o->dir, o->times);
	if (!job->borrowed)
		holder_add(&job->holder);
	err = edu_submit(o->e, job->requests, job->left);
	if (err) {
		job_leaves(job);
		dma_free_memory(&job->bounce);
	}
	return err;
}

static struct dma_job *start(const struct order *o, int *err)
{
	struct dma_job *job;

	*err = !o->e ? -ENODEV : -EINVAL;
	if (!makes_sense(o))
		return NULL;
	job = job_new(o);
	*err = job ? submit(job, o) : -ENOMEM;
	if (*err) {
		free(job);
		return NULL;
	}
	return job;
}

struct dma_job *dma_start(struct edu *e, struct page **pages, unsigned nr, enum dma_dir dir,
			  const char *text, unsigned times, int *err)
{
	const struct order o = {
		.e = e, .pages = pages, .nr = nr, .dir = dir, .text = text, .times = times};

	return start(&o, err);
}

struct dma_job *dma_start_borrowed(struct edu *e, struct page **pages, unsigned nr,
				   enum dma_dir dir, const char *text, unsigned times, int *err)
{
	const struct order o = {.e = e,
				.pages = pages,
				.nr = nr,
				.dir = dir,
				.text = text,
				.times = times,
				.borrowed = true};

	return start(&o, err);
}

struct dma_job *dma_start_registered(struct edu *e, const struct dma_mapping *map, enum dma_dir dir,
				     const char *text, unsigned times, int *err)
{
	const struct order o = {.e = e,
				.registered = map,
				.nr = (unsigned)map->nr,
				.dir = dir,
				.text = text,
				.times = times,
				.borrowed = true};

	return start(&o, err);
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
