/* SPDX-License-Identifier: MIT */
/* Self-tests: block requests and the switch that holds completions back (bio.*). */
#include "tests/kernel/lib/fake_disk.h"
#include "tests/kernel/lib/fixture.h"

/* A request of one page of RAM, and what was heard of it. */
#define HOUR_NS 3600000000000ull
#define LOOKS	50000

struct heard {
	struct bio bio;
	struct bio_seg seg;
	struct page *frame;
	unsigned times; /* end_io() was called */
	int err;
	uint64_t at_ns;
	bool in_interrupt; /* with interrupts off */
};

static void hear(struct bio *bio, int err)
{
	struct heard *h = bio->arg;

	h->err = err;
	h->at_ns = clock_ns();
	h->in_interrupt = !irqs_enabled();
	__atomic_add_fetch(&h->times, 1, __ATOMIC_RELEASE);
}

static bool heard_init(struct heard *h)
{
	*h = (struct heard){.frame = plain_page_alloc()};
	h->seg = (struct bio_seg){h->frame, 0, PAGE_SIZE};
	h->bio = (struct bio){.op = BIO_READ, .seg = &h->seg, .nr = 1, .end_io = hear, .arg = h};
	return h->frame;
}

static unsigned times(struct heard *h)
{
	return __atomic_load_n(&h->times, __ATOMIC_ACQUIRE);
}

/* One row of what the door refuses: a request that is right but for one thing. */
static int refused(struct fake_disk *fd, struct bio bio, struct bio_seg seg, const char *word)
{
	const char *why = "";
	int err;

	bio.seg = &seg;
	err = bio_submit(&fd->dev, &bio, &why);
	return strstr(why, word) ? err : -ENOMSG;
}

SELFTEST(bio_arguments, "bio.arguments", "requests that a disk cannot do are refused by a sentence")
{
	struct fake_disk fd;
	const struct bio b = {.op = BIO_READ, .nr = 1, .end_io = hear};
	const struct bio_seg s = {.page = pfn_to_page(16), .len = PAGE_SIZE};
	struct page *const none[1] = {NULL};
	struct bio x = b;
	int got[12];
	static const int want[12] = {-EINVAL, -EINVAL, -EINVAL, -EINVAL, -EINVAL, -EINVAL,
				     -EINVAL, -EINVAL, -ENXIO,	-ENXIO,	 -ENXIO,  -EROFS};

	EXPECT(!fake_disk_init(&fd), "no memory");
	x.end_io = NULL;
	got[0] = refused(&fd, x, s, "nobody");
	got[1] = refused(&fd, b, (struct bio_seg){s.page, 0, 100}, "whole 512");
	got[2] = refused(&fd, b, (struct bio_seg){s.page, 1, 512}, "whole 512");
	got[3] = refused(&fd, b, (struct bio_seg){s.page, 0xe00, 1024}, "end of its page");
	got[4] = refused(&fd, (struct bio){.op = BIO_READ, .end_io = hear}, s, "no memory");
	x = (struct bio){.op = BIO_FLUSH, .nr = 1, .end_io = hear};
	got[5] = refused(&fd, x, s, "flush");
	x = (struct bio){.op = BIO_READ, .nr = BIO_MAX_SEGS + 1, .end_io = hear};
	got[6] = refused(&fd, x, s, "more pieces");
	x = (struct bio){.op = BIO_READ, .nr = 1, .end_io = hear, .bounce = none};
	got[7] = refused(&fd, x, s, "no page");
	x = b;
	x.sector = FAKE_SECTORS - 7;
	got[8] = refused(&fd, x, s, "end of the disk");
	x.sector = FAKE_SECTORS;
	got[9] = refused(&fd, x, s, "end of the disk");
	x.sector = UINT64_MAX - 3;
	got[10] = refused(&fd, x, s, "end of the disk");
	x = b;
	x.op = BIO_WRITE;
	fd.dev.readonly = true;
	got[11] = refused(&fd, x, s, "read-only");
	fake_disk_free(&fd);
	for (unsigned i = 0; i < 12; i++)
		EXPECT(got[i] == want[i], "row %u: error %d, not %d", i, got[i], want[i]);
}

SELFTEST(bio_disks, "bio.disks-by-name", "a disk is found by its name while it is registered")
{
	struct fake_disk fd;
	bool found, gone;
	int err;

	EXPECT(!fake_disk_init(&fd), "no memory");
	err = block_register(&fd.dev);
	found = block_find("fake") == &fd.dev;
	block_unregister(&fd.dev);
	gone = !block_find("fake");
	fake_disk_free(&fd);
	EXPECT(!err && found && gone, "error %d, found %d, gone %d", err, found, gone);
}

SELFTEST(bio_delay_holds, "bio.delay-holds",
	 "an armed bio_delay holds every completion until its time, then tells all, in order, with "
	 "interrupts off")
{
	struct heard h[3];
	struct fake_disk fd;
	const char *why;
	uint64_t start;
	unsigned held, early, let_go;
	int err = 0;

	EXPECT(!fake_disk_init(&fd), "no memory");
	bio_delay_off();
	start = clock_ns();
	/* An hour, which is skipped once all are held: it cannot be over before. */
	EXPECT(!bio_delay_arm(HOUR_NS), "it was armed");
	for (unsigned i = 0; i < 3; i++)
		err = err ?: heard_init(&h[i]) ? bio_submit(&fd.dev, &h[i].bio, &why) : -ENOMEM;
	clock_skip(HOUR_NS / 2); /* half of it is not enough */
	quiet_wait_threads();
	early = times(&h[0]) + times(&h[1]) + times(&h[2]);
	held = bio_delay_held();
	clock_skip(HOUR_NS);
	for (unsigned i = 0; !err && i < LOOKS && times(&h[2]) == 0; i++)
		thread_sleep_ns(100000);
	let_go = bio_delay_off();
	for (unsigned i = 0; i < 3; i++)
		plain_page_free(h[i].frame);
	fake_disk_free(&fd);
	EXPECT(!err, "error %d", err);
	EXPECT(!early && held == 3, "%u told early, %u held", early, held);
	EXPECT(!let_go, "%u still held when the time was over", let_go);
	for (unsigned i = 0; i < 3; i++) {
		EXPECT(h[i].times == 1 && !h[i].err, "%u: told %u times, error %d", i, h[i].times,
		       h[i].err);
		EXPECT(h[i].in_interrupt && h[i].at_ns - start >= HOUR_NS,
		       "%u: interrupts off %d, after %lu ns", i, h[i].in_interrupt,
		       h[i].at_ns - start);
	}
	EXPECT(h[0].at_ns <= h[1].at_ns && h[1].at_ns <= h[2].at_ns, "not in order");
}

SELFTEST(bio_delay_one_shot, "bio.delay-one-shot",
	 "bio_delay is off after it released; arming it while armed is ignored")
{
	struct fake_disk fd;
	struct heard h[2];
	const char *why;
	unsigned before, after, released;
	uint64_t left, left2;
	int again, err;

	EXPECT(!fake_disk_init(&fd), "no memory");
	EXPECT(heard_init(&h[0]) && heard_init(&h[1]), "no memory");
	bio_delay_off();
	err = bio_delay_arm(3600ull * 1000000000);
	left = bio_delay_left_ns();
	again = bio_delay_arm(1);
	left2 = bio_delay_left_ns();
	err = err ?: bio_submit(&fd.dev, &h[0].bio, &why);
	before = times(&h[0]);
	released = bio_delay_off();
	after = times(&h[0]);
	err = err ?: bio_submit(&fd.dev, &h[1].bio, &why);
	plain_page_free(h[0].frame);
	plain_page_free(h[1].frame);
	fake_disk_free(&fd);
	EXPECT(!err, "error %d", err);
	EXPECT(again == -EALREADY && left2 <= left && left2 > left / 2,
	       "arming again gave %d and left %lu ns of %lu", again, left2, left);
	EXPECT(before == 0 && released == 1 && after == 1, "told %u, released %u, then told %u",
	       before, released, after);
	EXPECT(times(&h[1]) == 1, "the one after it was told %u times", times(&h[1]));
}

SELFTEST(bio_bounce, "bio.bounce-arrives-on-completion",
	 "a bounced read reaches its memory when the completion is told, and not at all if it "
	 "failed")
{
	struct fake_disk fd;
	struct heard h;
	const char *why;
	struct page *bounce[1] = {NULL};
	char early, late, failed;
	int err;

	EXPECT(!fake_disk_init(&fd), "no memory");
	EXPECT(heard_init(&h) && (bounce[0] = plain_page_alloc()), "no memory");
	memset(fd.data, 'd', PAGE_SIZE);
	h.bio.bounce = bounce;
	bio_delay_off();
	err = bio_delay_arm(3600ull * 1000000000) ?: bio_submit(&fd.dev, &h.bio, &why);
	early = *(char *)page_to_virt(h.frame);
	bio_delay_off();
	late = *(char *)page_to_virt(h.frame);
	memset(page_to_virt(h.frame), 0, PAGE_SIZE);
	fd.next_err = -EIO;
	err = err ?: bio_submit(&fd.dev, &h.bio, &why);
	failed = *(char *)page_to_virt(h.frame);
	plain_page_free(h.frame);
	plain_page_free(bounce[0]);
	fake_disk_free(&fd);
	EXPECT(!err && early == 0 && late == 'd', "error %d, early 0x%x, late 0x%x", err, early,
	       late);
	EXPECT(failed == 0 && h.err == -EIO, "after a failure 0x%x, told %d", failed, h.err);
}

SELFTEST(bio_in_use, "bio.disk-in-use",
	 "while a request of somebody is under way no test may have the disk: refused at once, by "
	 "name, and by the races that need it; afterwards it is free")
{
	struct fake_disk fd;
	struct heard h;
	const char *why = "";
	char said[120];
	int err, busy, after;

	if (scratch_choose_disk())
		SKIP("%s", refusal());
	EXPECT(!fake_disk_init(&fd), "no memory");
	fd.manual = true;
	err = heard_init(&h) ? bio_submit(&fd.dev, &h.bio, &why) : -ENOMEM;
	busy = scratch_choose_disk();
	snprintf(said, sizeof(said), "%s", busy ? refusal() : "");
	fake_finish(&fd);
	after = scratch_choose_disk();
	plain_page_free(h.frame);
	fake_disk_free(&fd);
	EXPECT(!err, "error %d: %s", err, why);
	EXPECT(busy == -EBUSY && strstr(said, block_nth(0)->name), "error %d: %s", busy, said);
	EXPECT(!after, "error %d when it was at rest again", after);
}
