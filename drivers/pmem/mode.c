/* SPDX-License-Identifier: MIT */
/*
 * The mode of a region: its info block read, written, taken away.
 *
 * A region without labels holds one namespace, which is all of it. What the block says counts from
 * the range's first byte; a range whose start was cut to 2 MiB shows other bytes there, so it has
 * no mode here. Page records are in RAM whatever the block says, since only those exist that are
 * touched; the room for them on the device is left as it is, so the data are where Linux has them.
 */
#include "drivers/pmem/internal.h"

static uint8_t *info_at(const struct pmem_region *r)
{
	return (uint8_t *)r->kaddr + INFO_AT;
}

static void persist(const void *at, size_t n)
{
	cache_writeback(at, n);
	store_fence();
}

void pmem_read_info(struct pmem_region *r)
{
	int err = -ENODEV;

	r->info = (struct infoblock){0};
	if (!r->spa->lost_start)
		err = infoblock_parse(info_at(r), r->start, r->spa->length, &r->info, r->info_why,
				      sizeof(r->info_why));
	if (!err || err == -ENODEV)
		r->info_why[0] = '\0';
	r->info.end = MIN(r->info.end, r->len);
}

static const char *page_text(uint32_t align)
{
	return align == PAGE_SIZE ? "4 KiB" : align == PMD_SIZE ? "2 MiB" : "1 GiB";
}

void pmem_print_mode(const struct pmem_region *r, const char *before)
{
	if (*r->info_why)
		kprintf("%s: its info block cannot be used: %s\n", before, r->info_why);
	else if (r->info.mode == PMEM_DEVDAX)
		kprintf("%s: device mode, pages of %s, data at 0x%lx - 0x%lx%s\n", before,
			page_text(r->info.align), r->info.data, r->info.end,
			r->info.on_device ? "; room for page records in front is left alone" : "");
}

int pmem_check_raw(const struct pmem_region *r)
{
	if (*r->info_why)
		return refuse(-EINVAL,
			      "%s has an info block that cannot be used: %s; 'pmem mode %s raw' "
			      "takes it away",
			      r->name, r->info_why, r->name);
	if (r->info.mode == PMEM_DEVDAX)
		return refuse(-EINVAL,
			      "%s is in device mode, with pages of %s: 'devdax %s' maps it; 'pmem "
			      "mode %s raw' ends that",
			      r->name, page_text(r->info.align), r->name, r->name);
	return 0;
}

/* Nobody else's: there is no source of chance here, and no need for one; it tells two blocks apart.
 */
static void make_uuid(const struct pmem_region *r, uint8_t *uuid)
{
	const uint64_t time = rdtsc(), place = r->start ^ (uint64_t)r->bindings << 48;

	memcpy(uuid, &time, 8);
	memcpy(uuid + 8, &place, 8);
	uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x40);
	uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
}

/* The block first: a cut while it is written leaves a wrong sum, so no block at all. Then the first
 * page goes, and with it what it announced. */
static int write_device(struct pmem_region *r, uint32_t align)
{
	uint8_t uuid[16];
	char why[120];
	int err;

	make_uuid(r, uuid);
	err = r->spa->lost_start ? -EINVAL
				 : infoblock_make(info_at(r), r->start, r->spa->length, align, uuid,
						  why, sizeof(why));
	if (err)
		return refuse(err, "%s cannot be a device with pages of %s: %s", r->name,
			      page_text(align),
			      r->spa->lost_start ? "its start is no multiple of 2 MiB" : why);
	persist(info_at(r), INFO_BYTES);
	memset(r->kaddr, 0, INFO_AT);
	persist(r->kaddr, INFO_AT);
	return 0;
}

static int erase_block(struct pmem_region *r)
{
	if (r->info.mode == PMEM_RAW && !*r->info_why)
		return refuse(-EINVAL, "%s is in raw mode: there is no info block", r->name);
	memset(info_at(r), 0, INFO_BYTES);
	persist(info_at(r), INFO_BYTES);
	return 0;
}

int pmem_write_info(struct pmem_region *r, uint32_t align, bool force)
{
	int err = 0;

	if (r->readonly)
		return refuse(-EROFS, "%s is read-only (%s)", r->name, r->ro_reason);
	if (align)
		err = pmem_check_raw(r);
	if (!err && align && !force && pmem_may_overwrite(r)) {
		char text[300];

		pmem_contents(r, text, sizeof(text));
		err = refuse(-EPERM, "%s holds %s, which would be lost; 'force' would allow it",
			     r->name, text);
	}
	if (!err)
		err = align ? write_device(r, align) : erase_block(r);
	if (!err)
		pmem_read_info(r);
	return err;
}
