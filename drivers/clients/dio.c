/* SPDX-License-Identifier: MIT */
/*
 * Direct I/O jobs: pin, submit, and the unpin that happens in an interrupt.
 *
 * A job owns its pins from get_user_pages() to the completion, whatever that says: an error or a
 * short transfer gives every page back just as success does. The last thing a completion does is to
 * say "done"; who waited may free the job from then on.
 */
#include "drivers/clients/internal.h"

MUSEUM(dio_puts_early, "dio-puts-early",
       "direct I/O lets its pages go when the disk has the request, not when it is done; shown by "
       "selftest dio.disk-still-writing");
MUSEUM(dio_error_keeps, "dio-error-keeps",
       "a direct I/O that fails keeps its pages; shown by selftest dio.failed-releases");

struct dio {
	struct bio bio;
	struct bio_seg seg[DIO_MAX_PAGES];
	struct page *bounce[DIO_MAX_PAGES]; /* of RAM; NULL from the first unused one on */
	struct page *pages[DIO_MAX_PAGES];
	unsigned nr;
	struct holder holder;
	char who[64];
	int err;
	bool done; /* the pages are back */
};

static void completed(struct bio *bio, int err)
{
	struct dio *d = bio->arg;

	holder_remove(&d->holder);
	if (!museum_on(dio_puts_early) && !(err && museum_on(dio_error_keeps)))
		bio_put_user_pages(d->pages, d->nr);
	d->err = err;
	/* The error before "done", else the waiter reads an old one; nothing of d after it. */
	__atomic_store_n(&d->done, true, __ATOMIC_RELEASE);
	wake_up(d); /* a key only */
}

static int check(const struct dio_request *rq)
{
	if (!rq->disk)
		return refuse(-ENODEV, "%s", NO_DISK);
	if (!rq->len || !IS_ALIGNED(rq->len, SECTOR_SIZE))
		return refuse(-EINVAL, "the length must be a multiple of 512 bytes, and not zero");
	if (!IS_ALIGNED(rq->addr, SECTOR_SIZE))
		return refuse(-EINVAL, "the memory must begin at a multiple of 512 bytes");
	if (rq->len > DIO_MAX_PAGES * PAGE_SIZE ||
	    rq->addr % PAGE_SIZE + rq->len > rq->disk->max_segs * PAGE_SIZE)
		return refuse(-EINVAL, "more pages than one request can have");
	if (rq->bounce && rq->dir != DIO_READ)
		return refuse(-EINVAL, "only reads into memory can go by way of a bounce buffer");
	return 0;
}

/* One segment a page, the first and the last one perhaps cut. */
static void plan(struct dio *d, const struct dio_request *rq)
{
	uint64_t off = rq->addr % PAGE_SIZE, left = rq->len;

	for (unsigned i = 0; i < d->nr; i++) {
		uint64_t n = MIN(left, PAGE_SIZE - off);

		d->seg[i] = (struct bio_seg){
			.page = d->pages[i], .offset = (uint32_t)off, .len = (uint32_t)n};
		left -= n;
		off = 0;
	}
	d->bio = (struct bio){.op = rq->dir == DIO_READ ? BIO_READ : BIO_WRITE,
			      .sector = rq->sector,
			      .seg = d->seg,
			      .nr = d->nr,
			      .bounce = rq->bounce ? d->bounce : NULL,
			      .end_io = completed,
			      .arg = d};
}

static int take_bounce(struct dio *d)
{
	for (unsigned i = 0; i < d->nr; i++)
		if (!(d->bounce[i] = plain_page_alloc()))
			return refuse(-ENOMEM, "no memory for a bounce buffer");
	return 0;
}

static void free_bounce(struct dio *d)
{
	for (unsigned i = 0; i < d->nr && d->bounce[i]; i++)
		plain_page_free(d->bounce[i]);
}

static int pin(struct dio *d, const struct dio_request *rq)
{
	unsigned long want = dma_pages(&(struct dma_piece){rq->addr, rq->len}, 1);
	unsigned flags = FOLL_PIN | (rq->dir == DIO_READ ? FOLL_WRITE : 0);
	int err = pin_all(current_mm(), ALIGN_DOWN(rq->addr, PAGE_SIZE), (unsigned)want, flags,
			  d->pages);

	d->nr = err ? 0 : (unsigned)want;
	return err;
}

static void name_it(struct dio *d, const struct dio_request *rq)
{
	char address[24];

	snprintf(address, sizeof(address), "0x%lx", rq->addr);
	snprintf(d->who, sizeof(d->who), "%s %s %s", rq->disk->name,
		 rq->dir == DIO_READ ? "reading into" : "writing from",
		 rq->place ? rq->place : address);
	d->holder = (struct holder){
		.what = d->who, .device = rq->disk->name, .pages = d->pages, .nr = d->nr};
}

/* Pinned: everything else, in reverse order again if it fails. */
static int submit(struct dio *d, const struct dio_request *rq)
{
	int err = rq->bounce ? take_bounce(d) : 0;
	const char *why;

	if (!err) {
		plan(d, rq);
		name_it(d, rq);
		holder_add(&d->holder);
		err = bio_submit(rq->disk, &d->bio, &why);
		if (err) {
			refuse(err, "%s", why);
			holder_remove(&d->holder);
		} else if (museum_on(dio_puts_early)) {
			bio_put_user_pages(d->pages, d->nr);
		}
	}
	if (err) {
		free_bounce(d);
		unpin_user_pages(d->pages, d->nr);
	}
	return err;
}

struct dio *dio_start(const struct dio_request *rq, int *err)
{
	struct dio *d;

	*err = check(rq);
	if (*err)
		return NULL;
	d = calloc(1, sizeof(*d));
	if (!d) {
		*err = refuse(-ENOMEM, "no memory for the request");
		return NULL;
	}
	*err = pin(d, rq);
	if (!*err)
		*err = submit(d, rq);
	if (!*err)
		return d;
	free(d);
	return NULL;
}

bool dio_done(const struct dio *d)
{
	return __atomic_load_n(&d->done, __ATOMIC_ACQUIRE);
}

int dio_wait(struct dio *d)
{
	char what[80];

	snprintf(what, sizeof(what), "%s", d->who);
	assert_no_global_lock("a device");
	wait_event(d, dio_done(d), what, "the disk's completion");
	return d->err;
}

void dio_free(struct dio *d)
{
	ASSERT(dio_done(d), "a direct I/O is freed while the disk still has it: %s", d->who);
	free_bounce(d);
	free(d);
}

int dio_run(const struct dio_request *rq)
{
	int err;
	struct dio *d = dio_start(rq, &err);

	if (!d)
		return err;
	err = dio_wait(d);
	if (err)
		refuse(err, "the disk could not do it");
	dio_free(d);
	return err;
}
