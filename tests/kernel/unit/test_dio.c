/* SPDX-License-Identifier: MIT */
/*
 * Self-tests: direct I/O between a disk and the mapping of a file (dio.*).
 *
 * The first five are the cases that Linux's DAX tests make with an O_DIRECT file on another device;
 * each also asks what those do not: that no reference is left.
 */
#include "tests/kernel/lib/fake_disk.h"
#include "tests/kernel/lib/fixture.h"

#define AREA 66048u /* first sector used here */
#define TEXT "from the disk "

#define DISK_AND_FIXTURE(d, fx)                                                                    \
	struct block_device *d = block_nth(0);                                                     \
	if (scratch_choose_disk())                                                                 \
		SKIP("%s", refusal());                                                             \
	FIXTURE(fx, LIFETIME_DEFAULT)

static struct dio_request request(struct block_device *d, enum dio_dir dir, uint64_t addr,
				  unsigned pages)
{
	return (struct dio_request){
		.disk = d, .dir = dir, .sector = AREA, .addr = addr, .len = pages * PAGE_SIZE};
}

/* References beyond rest on the pages of a mapping. Zero: all were given back. */
static unsigned left_over(uint64_t va, unsigned pages)
{
	unsigned n = 0;

	for (unsigned i = 0; i < pages; i++) {
		struct page *p = fx_va_to_page(va + i * PAGE_SIZE);

		/* What a mapping counts is not what is asked here. */
		n += p && LIFETIME_DEFAULT->busy(p);
	}
	return n;
}

/* How many bytes of n from `from` on are `text`, over and over. */
static unsigned same(const char *from, const char *text, unsigned n)
{
	unsigned good = 0;

	for (unsigned i = 0; i < n; i++)
		good += from[i] == text[i % strlen(text)];
	return good;
}

/* The two pages of a file (not mapped by the reader) hold `text`. */
static bool file_holds(struct dax_inode *f, const char *text)
{
	char *buf = malloc(2 * PAGE_SIZE);
	bool ok = buf && dax_read(f, 0, buf, 2 * PAGE_SIZE) == (int64_t)(2 * PAGE_SIZE) &&
		  same(buf, text, 2 * PAGE_SIZE) == 2 * PAGE_SIZE;

	free(buf);
	return ok;
}

SELFTEST(dio_case_0, "dio.case-0-from-untouched",
	 "pages that were never touched go to the disk, and come back into pages that were only "
	 "read")
{
	uint64_t va, va2;
	int err, err2;

	DISK_AND_FIXTURE(d, fx);
	va = fx_map(&fx, "f", 2, 'f');
	va2 = fx_map(&fx, "g", 2, 'g');
	EXPECT_OR(out, va && va2, "no mapping");
	err = dio_run(&(struct dio_request){
		.disk = d, .dir = DIO_WRITE, .sector = AREA, .addr = va, .len = 2 * PAGE_SIZE});
	EXPECT_OR(out, !err, "writing: %d, %s", err, refusal());
	(void)(at(va2)[0] + at(va2)[PAGE_SIZE]); /* two read faults */
	struct dio_request rq = request(d, DIO_READ, va2, 2);

	err2 = dio_run(&rq);
	EXPECT_OR(out, !err2, "reading: %d, %s", err2, refusal());
	EXPECT_OR(out, file_holds(fx.inode[1], "f"), "g does not hold what f held");
	EXPECT_OR(out, at(va2)[100] == 'f', "its mapping shows '%c'", at(va2)[100]);
	EXPECT_OR(out, !left_over(va, 2) && !left_over(va2, 2), "references are left");
out:
	fixture_end(&fx);
}

SELFTEST(dio_case_1, "dio.case-1-text-round-trip",
	 "text stored through a mapping is on the disk after a direct write")
{
	uint64_t frame, va;
	struct dio_request rq;
	int err;

	DISK_AND_FIXTURE(d, fx);
	frame = frame_alloc(1);
	va = fx_map(&fx, "f", 2, '.');
	EXPECT_OR(out, va && frame, "no mapping");
	for (unsigned i = 0; i < 2 * PAGE_SIZE; i++)
		at(va)[i] = "known text "[i % 11];
	rq = request(d, DIO_WRITE, va, 2);
	err = dio_run(&rq) ?: disk_move(d, BIO_READ, AREA, phys_to_virt(frame), 2);
	EXPECT_OR(out, !err, "error %d, %s", err, refusal());
	EXPECT_OR(out, same(phys_to_virt(frame), "known text ", 2 * PAGE_SIZE) == 2 * PAGE_SIZE,
		  "the disk holds other bytes");
	EXPECT_OR(out, !left_over(va, 2), "references are left");
out:
	if (frame)
		frame_free(frame, 1);
	fixture_end(&fx);
}

#define HUGE_PIECES 4

/* A file of eight megabytes, mapped; NULL: *why. Not every piece of it may lie where 2 MiB fit. */
static struct dax_inode *huge_file(uint64_t *va, const char **why)
{
	struct dax_inode *f = scratch_file("f", 0, 0);
	char *zero = calloc(1, PMD_SIZE);
	int err = f && zero ? dax_fallocate(f, 0, HUGE_PIECES * PMD_SIZE, false) : -ENOMEM;

	*va = 0x40000000;
	for (unsigned i = 0; i < HUGE_PIECES && !err; i++)
		if (dax_write(f, i * PMD_SIZE, zero, PMD_SIZE) != (int64_t)PMD_SIZE)
			err = -EIO;
	free(zero);
	if (!err)
		err = dax_mmap(current_mm(), f, 0, HUGE_PIECES * FOLIO_PAGES, true, va);
	*why = refusal();
	if (err && f)
		dax_put(f);
	return err ? NULL : f;
}

/* A direct read into the middle of the 2 MiB at `va`. True: its bytes, and no others, came. */
static bool read_into_middle(struct block_device *d, uint64_t va)
{
	struct dio_request rq = request(d, DIO_READ, va + 300 * PAGE_SIZE, 1);

	at(va)[0] = 'h';
	return !dio_run(&rq) && same((char *)rq.addr, TEXT, PAGE_SIZE) == PAGE_SIZE &&
	       at(va)[0] == 'h' && !at(rq.addr)[-1] && !at(rq.addr)[PAGE_SIZE];
}

SELFTEST(dio_case_2, "dio.case-2-huge-page",
	 "2 MiB pages receive direct reads in their middle and in no other place")
{
	struct block_device *d = block_nth(0);
	uint64_t va, huge = huge_count(HUGE_INSTALLED);
	unsigned right = 0, violated;
	struct dax_inode *f;
	struct dax_fs *fs;
	const char *why;
	int err;

	if (scratch_choose_disk())
		SKIP("%s", refusal());
	if (!scratch_region(&why))
		SKIP("%s", why);
	EXPECT(!disk_fill(d, AREA, TEXT, 1), "filling the disk");
	err = scratch_mount(SCRATCH_LARGE, LIFETIME_DEFAULT, &fs, &why);
	if (err == -ENOSPC)
		SKIP("%s", why);
	EXPECT(!err, "%s", why);
	f = huge_file(&va, &why);
	EXPECT_OR(out, f, "%s", why);
	for (unsigned i = 0; i < HUGE_PIECES; i++)
		right += read_into_middle(d, va + i * PMD_SIZE);
	violated = check_all();
	mm_unmap(current_mm(), va, HUGE_PIECES * PMD_SIZE);
	dax_put(f);
	EXPECT_OR(out, huge_count(HUGE_INSTALLED) != huge, "no 2 MiB page was installed");
	EXPECT_OR(out, right == HUGE_PIECES && !violated, "%u of %u right, %u violation(s)", right,
		  HUGE_PIECES, violated);
out:
	scratch_umount();
}

SELFTEST(dio_case_3, "dio.case-3-read-then-write",
	 "a page that was only read takes a direct read, and its other bytes stay")
{
	struct dio_request rq;
	volatile char c;
	uint64_t va;
	int err;

	DISK_AND_FIXTURE(d, fx);
	va = fx_map(&fx, "f", 1, 'f');
	EXPECT_OR(out, va && !disk_fill(d, AREA, TEXT, 1), "no mapping");
	c = at(va)[0];
	rq = request(d, DIO_READ, va + SECTOR_SIZE, 1);
	rq.len = SECTOR_SIZE;
	err = dio_run(&rq);
	EXPECT_OR(out, !err && c == 'f', "error %d, %s", err, refusal());
	EXPECT_OR(out, same((char *)va, "f", SECTOR_SIZE) == SECTOR_SIZE, "bytes before it");
	EXPECT_OR(out, same((char *)va + SECTOR_SIZE, TEXT, SECTOR_SIZE) == SECTOR_SIZE,
		  "the disk's bytes");
	EXPECT_OR(out, same((char *)va + 1024, "f", 3072) == 3072, "bytes behind it");
	EXPECT_OR(out, !left_over(va, 1), "references are left");
out:
	fixture_end(&fx);
}

SELFTEST(dio_case_4, "dio.case-4-into-untouched",
	 "a direct read goes into pages, and into a hole, that were never touched")
{
	struct dio_request rq;
	struct dax_inode *f;
	uint64_t va;
	int err;

	DISK_AND_FIXTURE(d, fx);
	f = scratch_file("f", 1, 'f'); /* its second page is a hole */
	EXPECT_OR(out, f && !dax_truncate(f, 2 * PAGE_SIZE), "no file");
	va = fx_map_as_is(&fx, f, 2, true);
	EXPECT_OR(out, va && !disk_fill(d, AREA, TEXT, 2), "no mapping");
	rq = request(d, DIO_READ, va, 2);
	err = dio_run(&rq);
	EXPECT_OR(out, !err, "error %d, %s", err, refusal());
	EXPECT_OR(out, same((char *)va, TEXT, 4096) == 4096, "the first page");
	EXPECT_OR(out, same((char *)va + PAGE_SIZE, TEXT, 4096) == 4096, "the second page");
	EXPECT_OR(out, !left_over(va, 2), "references are left");
out:
	fixture_end(&fx);
}

SELFTEST(dio_refused, "dio.refused-holds-nothing",
	 "a direct I/O that is refused (memory, alignment, disk) leaves no reference and no holder")
{
	struct fake_disk fd;
	struct dio_request rq;
	char who[64];
	int got[7];
	static const int want[7] = {-EFAULT, -EINVAL, -EINVAL, -EINVAL, -EINVAL, -ENXIO, -ENODEV};
	uint64_t va;

	FIXTURE(fx, LIFETIME_DEFAULT);
	EXPECT_OR(out, !fake_disk_init(&fd), "no memory");
	va = fx_map(&fx, "f", 2, 'f');
	EXPECT_OR(free, va, "no mapping");
	rq = request(&fd.dev, DIO_READ, va, 3); /* the third page is not mapped */
	rq.sector = 0;
	got[0] = dio_run(&rq);
	rq = request(&fd.dev, DIO_READ, va + 1, 1);
	got[1] = dio_run(&rq);
	rq = request(&fd.dev, DIO_READ, va, 0);
	got[2] = dio_run(&rq);
	rq = request(&fd.dev, DIO_READ, va, DIO_MAX_PAGES + 1);
	got[3] = dio_run(&rq);
	rq = request(&fd.dev, DIO_WRITE, va, 1);
	rq.bounce = true;
	got[4] = dio_run(&rq);
	rq = request(&fd.dev, DIO_READ, va, 2);
	rq.sector = FAKE_SECTORS - 8;
	got[5] = dio_run(&rq);
	rq.disk = NULL;
	got[6] = dio_run(&rq);
	for (unsigned i = 0; i < 7; i++)
		EXPECT_OR(free, got[i] == want[i], "row %u: %d, not %d", i, got[i], want[i]);
	at(va)[0] = at(va)[PAGE_SIZE] = 'x';
	EXPECT_OR(free, !left_over(va, 2), "references are left");
	EXPECT_OR(free, !holders_describe(fx_va_to_page(va), who, sizeof(who)), "held by %s", who);
free:
	fake_disk_free(&fd);
out:
	fixture_end(&fx);
}

SELFTEST(dio_failed, "dio.failed-releases",
	 "a direct I/O that the disk fails gives its pages back and tells the error")
{
	struct dio_request rq;
	struct fake_disk fd;
	uint64_t va;
	int err[3];

	FIXTURE(fx, LIFETIME_DEFAULT);
	EXPECT_OR(out, !fake_disk_init(&fd), "no memory");
	va = fx_map(&fx, "f", 2, 'f');
	EXPECT_OR(free, va, "no mapping");
	rq = request(&fd.dev, DIO_READ, va, 2);
	rq.sector = 0;
	fd.next_err = -EIO;
	err[0] = dio_run(&rq);
	rq.bounce = true;
	err[1] = dio_run(&rq);
	rq.bounce = false;
	rq.dir = DIO_WRITE;
	err[2] = dio_run(&rq);
	EXPECT_OR(free, err[0] == -EIO && err[1] == -EIO && err[2] == -EIO, "%d, %d, %d", err[0],
		  err[1], err[2]);
	EXPECT_OR(free, !left_over(va, 2) && at(va)[0] == 'f', "references, or bytes, are left");
free:
	fake_disk_free(&fd);
out:
	fixture_end(&fx);
}

SELFTEST(dio_out_of_memory, "dio.no-memory",
	 "a direct I/O without memory, at each allocation in turn, says so and holds nothing")
{
	struct dio_request rq;
	struct fake_disk fd;
	bool failed = true;
	unsigned tried = 0, left = 0;
	uint64_t va;
	int err = 0;

	FIXTURE(fx, LIFETIME_DEFAULT);
	EXPECT_OR(out, !fake_disk_init(&fd), "no memory");
	va = fx_map(&fx, "f", 2, 'f');
	EXPECT_OR(free, va, "no mapping");
	at(va)[0] = at(va)[PAGE_SIZE] = 'f';
	rq = request(&fd.dev, DIO_READ, va, 2);
	rq.sector = 0;
	rq.bounce = true;
	for (uint64_t nth = 1; failed && nth < 50; nth++) {
		alloc_fail_nth(nth);
		err = dio_run(&rq);
		alloc_fail_count(&failed);
		alloc_fail_nth(0);
		tried += failed && err == -ENOMEM;
		left += left_over(va, 2);
		if (failed && err != -ENOMEM && err)
			break;
	}
	EXPECT_OR(free, !failed && !err, "the last one: error %d", err);
	EXPECT_OR(free, tried >= 2 && !left, "%u failures, %u references left", tried, left);
free:
	fake_disk_free(&fd);
out:
	fixture_end(&fx);
}

SELFTEST(
	dio_named, "dio.truncate-waits-by-name",
	"a truncate that meets a direct I/O in flight goes on when the disk has ended, and reports "
	"name the disk meanwhile")
{
	struct fake_disk fd;
	struct fx_op op = {.fn = fx_truncate};
	struct dio_request rq;
	struct dio *io = NULL;
	struct page *page;
	char who[160] = "", name[] = "fake reading into somewhere";
	bool waited, ended;
	uint64_t va;
	int err;

	FIXTURE(fx, &lifetime_idle_at_one);
	EXPECT_OR(out, !fake_disk_init(&fd), "no memory");
	fd.manual = true;
	va = fx_map(&fx, "f", 1, 'f');
	EXPECT_OR(free, va, "no mapping");
	rq = request(&fd.dev, DIO_READ, va, 1);
	rq.sector = 0;
	rq.place = "somewhere";
	io = dio_start(&rq, &err);
	EXPECT_OR(free, io, "error %d, %s", err, refusal());
	page = fx_va_to_page(va);
	op.inode = fx.inode[0];
	EXPECT_OR(end, page && fx_start(&op), "no page, or no thread");
	waited = fx_asleep(&op, page);
	holders_describe(page, who, sizeof(who));
	fake_finish(&fd);
	fx_join(&op);
	ended = dio_done(io);
	EXPECT_OR(end, waited && !op.err && ended, "waited %d, truncate %d, ended %d", waited,
		  op.err, ended);
	EXPECT_OR(end, strstr(who, name), "held by: %s", who);
end:
	fake_finish(&fd);
	dio_wait(io);
	dio_free(io);
free:
	fake_disk_free(&fd);
out:
	fixture_end(&fx);
}

SELFTEST(dio_throttled, "dio.disk-still-writing",
	 "direct reads that the real disk still has when truncate comes are waited for, and their "
	 "bytes reach no other file")
{
	struct fx_op op = {.fn = fx_truncate};
	struct dio *io[4] = {NULL};
	struct dio_request rq;
	struct dax_inode *g = NULL;
	unsigned in_flight = 0, foreign = 0;
	char *buf = NULL;
	uint64_t va;
	int err = 0;

	struct block_device *d = block_nth(0);

	if (scratch_choose_disk())
		SKIP("%s", refusal());
	FIXTURE(fx, &lifetime_idle_at_one);
	va = fx_map(&fx, "f", 4, 'f');
	buf = malloc(PAGE_SIZE);
	EXPECT_OR(out, va && buf && !disk_fill(d, AREA, TEXT, 4), "no mapping");
	EXPECT_OR(out, !scratch_fill("fill"), "%s", refusal());
	for (unsigned i = 0; i < 4; i++) {
		rq = request(d, DIO_READ, va + i * PAGE_SIZE, 1);
		io[i] = dio_start(&rq, &err);
		EXPECT_OR(end, io[i], "error %d, %s", err, refusal());
	}
	op.inode = fx.inode[0];
	EXPECT_OR(end, fx_start(&op), "no thread");
	fx_join(&op);
	for (unsigned i = 0; i < 4; i++)
		in_flight += !dio_done(io[i]);
	EXPECT_OR(end, !op.err, "truncate: %d", op.err);
	EXPECT_OR(end, !in_flight, "truncate came back while %u were in flight", in_flight);
	g = scratch_file("g", 4, 'g');
	EXPECT_OR(end, g, "%s", refusal());
	for (unsigned i = 0; i < 4; i++) {
		dax_read(g, i * PAGE_SIZE, buf, PAGE_SIZE);
		foreign += PAGE_SIZE - same(buf, "g", PAGE_SIZE);
	}
	EXPECT_OR(end, !foreign, "%u bytes of g are not its own", foreign);
end:
	for (unsigned i = 0; i < 4; i++)
		if (io[i]) {
			dio_wait(io[i]);
			dio_free(io[i]);
		}
out:
	if (g)
		dax_put(g);
	free(buf);
	fixture_end(&fx);
}
