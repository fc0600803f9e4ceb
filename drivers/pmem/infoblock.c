/* SPDX-License-Identifier: MIT */
/*
 * The info block: how Linux and ndctl say what a namespace without labels is used for.
 *
 * 4096 bytes at offset 4096 of the namespace. Its signature tells the mode, "fsdax" or "devdax";
 * behind 8 KiB that are kept for it, and behind page records if those lie on the device, the data
 * begin at `dataoff`. Fields came one version after the other, so what an older block leaves out
 * has a meaning of its own. (Linux's struct nd_pfn_sb; ndctl-write-infoblock(1))
 *
 *      0 signature (16)        48 flags (4)           72 mode: records in RAM 1, on the device 2
 *     16 uuid (16)             52 version (2), minor   76 start_pad, 80 end_trunc   (minor 1)
 *     32 parent's uuid (16)    56 dataoff (8)         84 align                     (minor 2)
 *   4088 Fletcher-64 sum       64 pages (8)           88 page size, 92 record size (minor 4)
 *
 * A block whose signature or sum is wrong, or whose parent has labels, is not this namespace's
 * (-ENODEV): nothing is said about the bytes. Any other fault (-EOPNOTSUPP, -ENXIO) means that a
 * namespace is there and cannot be used here, and nobody may take the bytes for free.
 *
 * Pure code: no memory, no locks, no state.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "drivers/pmem/pmem.h"

#define UNIT	  (2ull << 20) /* what ranges of page records are multiples of */
#define RESERVED  8192u	       /* bytes that are kept for the block */
#define IN_RAM	  1u
#define ON_DEVICE 2u
#define PAGE	  4096u
#define RECORD	  32u /* bytes of a page record here: a smaller one could not be kept there */
#define SUM_AT	  4088u
#define FS_MAGIC  "NVDIMM_PFN_INFO"
#define DEV_MAGIC "NVDIMM_DAX_INFO"

struct fields {
	uint64_t dataoff, pages, start_pad, end_trunc;
	uint32_t major, minor, records, align, page_size, record_size;
};

static int __attribute__((format(printf, 4, 5)))
say(char *why, size_t n, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, n, fmt, ap);
	va_end(ap);
	return err;
}

/* Of the block with zeroes in place of the sum: two words that leave the low half as it is, and add
 * it to the high one. */
static uint64_t sum_of(const uint8_t *block)
{
	const uint64_t sum = nfit_fletcher64(block, SUM_AT);

	return sum + (sum << 33);
}

/* -ENODEV: not this namespace's. */
static int is_ours(const uint8_t *b, enum pmem_mode *mode, char *why, size_t n)
{
	static const uint8_t none[16];

	*mode = !memcmp(b, DEV_MAGIC, 16)  ? PMEM_DEVDAX
		: !memcmp(b, FS_MAGIC, 16) ? PMEM_FSDAX
					   : PMEM_RAW;
	if (*mode == PMEM_RAW)
		return say(why, n, -ENODEV, "no info block has this signature");
	if (sum_of(b) != le64(b + SUM_AT))
		return say(why, n, -ENODEV, "its checksum is 0x%" PRIx64 ", not 0x%" PRIx64,
			   le64(b + SUM_AT), sum_of(b));
	if (memcmp(b + 32, none, sizeof(none)))
		return say(why, n, -ENODEV,
			   "its parent is a namespace with labels, which are not "
			   "read here");
	return 0;
}

static uint32_t largest_power_in(uint64_t n)
{
	const uint64_t p = n ? 1ull << (63 - __builtin_clzll(n)) : 0;

	return p > 1u << 30 ? 1u << 30 : (uint32_t)p;
}

/* What an older version leaves out has the meaning that it had then. */
static struct fields fields_of(const uint8_t *b)
{
	struct fields f = {.major = le16(b + 52),
			   .minor = le16(b + 54),
			   .dataoff = le64(b + 56),
			   .pages = le64(b + 64),
			   .records = le32(b + 72),
			   .start_pad = le32(b + 76),
			   .end_trunc = le32(b + 80),
			   .align = le32(b + 84),
			   .page_size = le32(b + 88),
			   .record_size = le16(b + 92)};

	if (f.minor < 1)
		f.start_pad = f.end_trunc = 0;
	if (f.minor < 2 || !f.align)
		f.align = largest_power_in(f.dataoff);
	if (f.minor < 4) {
		f.page_size = PAGE;
		f.record_size = 64;
	}
	return f;
}

static int check_kind(const struct fields *f, enum pmem_mode mode, char *why, size_t n)
{
	if (f->major != 1)
		return say(why, n, -EOPNOTSUPP, "its version is %u.%u, and 1.x is known", f->major,
			   f->minor);
	if (f->records != IN_RAM && f->records != ON_DEVICE)
		return say(why, n, -ENXIO,
			   "its page records are of mode %u, which is neither RAM "
			   "(1) nor the device (2)",
			   f->records);
	if (f->records == ON_DEVICE && (f->page_size > PAGE || f->record_size < RECORD))
		return say(why, n, -EOPNOTSUPP,
			   "its records are %u bytes for a page of %u; at least %u for %u are "
			   "needed",
			   f->record_size, f->page_size, RECORD, PAGE);
	if (mode == PMEM_DEVDAX && f->align != PAGE && f->align != 2u << 20 && f->align != 1u << 30)
		return say(why, n, -EOPNOTSUPP,
			   "its align is 0x%x, and a device has pages of 4K, "
			   "2M or 1G",
			   f->align);
	return 0;
}

/* No sum here can overflow: dataoff is below size, which is an amount of memory, and the others
 * have 32 bits. */
static int check_places(const struct fields *f, uint64_t start, uint64_t size, char *why, size_t n)
{
	const uint64_t align = f->align ? f->align : PAGE;

	if (align > size)
		return say(why, n, -EOPNOTSUPP,
			   "its align of 0x%" PRIx64 " is more than the 0x%" PRIx64
			   " bytes there are",
			   align, size);
	if (f->dataoff >= size || f->dataoff < RESERVED)
		return say(why, n, -EOPNOTSUPP,
			   "its data begin at 0x%" PRIx64 ", not between 0x%x "
			   "and the end, 0x%" PRIx64,
			   f->dataoff, RESERVED, size);
	if ((align & (align - 1)) || (start + f->start_pad + f->dataoff) % align)
		return say(why, n, -EOPNOTSUPP,
			   "its data begin at address 0x%" PRIx64 ", which is no "
			   "multiple of its align, 0x%" PRIx64,
			   start + f->start_pad + f->dataoff, align);
	if (f->dataoff % PAGE)
		return say(why, n, -EOPNOTSUPP, "its data begin at 0x%" PRIx64 ", within a page",
			   f->dataoff);
	if ((start + f->start_pad) % UNIT)
		return say(why, n, -EOPNOTSUPP,
			   "it begins at 0x%" PRIx64 " (start_pad 0x%" PRIx64
			   "), no multiple of 2 MiB",
			   start + f->start_pad, f->start_pad);
	if ((start + size - f->end_trunc) % UNIT)
		return say(why, n, -EOPNOTSUPP,
			   "it ends at 0x%" PRIx64 " (end_trunc 0x%" PRIx64
			   "), no multiple of 2 MiB",
			   start + size - f->end_trunc, f->end_trunc);
	if (f->start_pad + f->dataoff + f->end_trunc + align > size)
		return say(why, n, -EOPNOTSUPP,
			   "behind 0x%" PRIx64 " bytes there is no whole page of "
			   "0x%" PRIx64,
			   f->start_pad + f->dataoff, align);
	return 0;
}

int infoblock_parse(const uint8_t *block, uint64_t start, uint64_t size, struct infoblock *out,
		    char *why, size_t n)
{
	enum pmem_mode mode;
	struct fields f;
	int err = is_ours(block, &mode, why, n);

	*out = (struct infoblock){0};
	if (err)
		return err;
	f = fields_of(block);
	err = check_kind(&f, mode, why, n);
	if (!err)
		err = check_places(&f, start, size, why, n);
	if (err)
		return err;
	*out = (struct infoblock){.mode = mode,
				  .align = f.align,
				  .data = f.start_pad + f.dataoff,
				  .end = size - f.end_trunc,
				  .on_device = f.records == ON_DEVICE};
	return 0;
}

static void put(uint8_t *to, uint64_t v, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		to[i] = (uint8_t)(v >> 8 * i);
}

int infoblock_make(uint8_t *block, uint64_t start, uint64_t size, uint32_t align,
		   const uint8_t *uuid, char *why, size_t n)
{
	const uint64_t unit = align > UNIT ? align : UNIT, trunc = (start + size) % UNIT;
	const uint64_t dataoff = (start + RESERVED + unit - 1) / unit * unit - start;
	struct infoblock made;

	if (start % UNIT)
		return say(why, n, -EINVAL, "it begins at 0x%" PRIx64 ", no multiple of 2 MiB",
			   start);
	if (size < trunc || dataoff + align > size - trunc)
		return say(why, n, -ENXIO,
			   "of 0x%" PRIx64 " bytes the first 0x%" PRIx64
			   " are kept, and no whole page of 0x%x is left",
			   size, dataoff, align);
	memset(block, 0, INFO_BYTES);
	memcpy(block, DEV_MAGIC, 16);
	memcpy(block + 16, uuid, 16);
	put(block + 52, 1, 2);
	put(block + 54, 4, 2);
	put(block + 56, dataoff, 8);
	put(block + 64, (size - trunc - dataoff) / PAGE, 8);
	put(block + 72, IN_RAM, 4);
	put(block + 80, trunc, 4);
	put(block + 84, align, 4);
	put(block + 88, PAGE, 4);
	put(block + 92, 64, 2);
	put(block + SUM_AT, sum_of(block), 8);
	return infoblock_parse(block, start, size, &made, why, n);
}
