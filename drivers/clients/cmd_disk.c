/* SPDX-License-Identifier: MIT */
/*
 * disk: direct I/O by hand. With '&' behind it, `ps` shows who waits for whom meanwhile.
 */
#include "drivers/clients/clients.h"

static void show(struct block_device *dev)
{
	struct virtio_blk_stats st;

	kprintf("%s: %s, %s (%lu sectors)%s%s, up to %u pages a request\n", dev->name, dev->what,
		SIZE_TEXT(dev->sectors * SECTOR_SIZE), dev->sectors,
		dev->readonly ? ", read-only" : "", dev->flushes ? ", volatile cache" : "",
		dev->max_segs);
	if (!virtio_blk_stats(dev, &st))
		return;
	kprintf("  %lu requests done, %lu failed; %u running, %u waiting, at most %u at once\n",
		st.done, st.failed, st.running, st.waiting, st.most_running);
	if (st.broken)
		kprintf("  not used any more: %s\n", st.broken);
}

static int list_disks(void)
{
	struct block_device *dev;

	for (unsigned n = 0; (dev = block_nth(n)); n++)
		show(dev);
	if (!block_nth(0))
		kprintf("there is " NO_DISK "\n");
	return 0;
}

/* read|write SECTOR PLACE LEN [bounce] [DISK] */
static int parse(int argc, char **argv, struct dio_request *rq)
{
	const char *const words[] = {"read", "write"};
	uint64_t left;
	int err;

	*rq = (struct dio_request){.disk = block_nth(0)};
	if (strcmp(argv[1], "read") && strcmp(argv[1], "write"))
		return shell_unknown("direction", argv[1], words, 2);
	if (argc < 5)
		return shell_usage();
	rq->dir = argv[1][0] == 'r' ? DIO_READ : DIO_WRITE;
	rq->place = argv[3];
	err = shell_number("sector", argv[2], &rq->sector);
	if (!err)
		err = dax_parse_place(argv[3], &rq->addr, &left);
	if (!err)
		err = shell_number("length", argv[4], &rq->len);
	for (int i = 5; i < argc && !err; i++) {
		if (!strcmp(argv[i], "bounce"))
			rq->bounce = true;
		else if (!(rq->disk = block_find(argv[i])))
			err = shell_fail(-ENODEV, "there is no disk '%s'; 'disk' lists them",
					 argv[i]);
	}
	if (!err && rq->len > left)
		err = shell_fail(-EINVAL, "0x%lx bytes reach beyond the mapping: 0x%lx are left",
				 rq->len, left);
	return err;
}

static int cmd_disk(int argc, char **argv)
{
	struct dio_request rq;
	uint64_t start = clock_ns();
	int err;

	if (argc == 1)
		return list_disks();
	if (argc > 7)
		return shell_usage();
	err = parse(argc, argv, &rq);
	if (err)
		return err;
	err = dio_run(&rq);
	if (err)
		return rq.disk ? shell_fail(err, "%s: %s", rq.disk->name, refusal())
			       : shell_fail(err, "%s", refusal());
	kprintf("%s: %lu bytes %s %s, sector %lu, in %lu ms\n", rq.disk->name, rq.len,
		rq.dir == DIO_READ ? "read into" : "written from", rq.place, rq.sector,
		(clock_ns() - start) / 1000000);
	return 0;
}

static void offer_disks(struct shell_offers *o)
{
	for (unsigned i = 0; block_nth(i); i++)
		shell_offer(o, block_nth(i)->name);
}
SHELL_KIND(disk, "DISK", NULL, offer_disks);
SHELL_COMMAND(disk, cmd_disk, "disk [read|write SECTOR MAPPING[+OFF] LEN [bounce] [DISK]]",
	      "list the disks, or move bytes between a disk and a mapping by direct I/O\n"
	      "The mapping's pages are held until the disk is done; '&' behind it lets it run in\n"
	      "the background. bounce: a read goes by way of a buffer, copied at its completion.");
