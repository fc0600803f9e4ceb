/* SPDX-License-Identifier: MIT */
/*
 * Signatures: most are some bytes at a fixed place, which a table holds; a few need a second look
 * (which ext, which LUKS, is it really a partition table), and those of MD have places that depend
 * on the device's size.
 *
 * Sources: the layouts that each system publishes: the kernel's ext4 and XFS documentation,
 * btrfs' and F2FS' on-disk formats, UEFI 2.10 chapter 5 (GPT), mdadm's md_p.h as documented in
 * md(4) and the RAID wiki, LUKS1 1.2.3 and LUKS2 1.1 specifications, LVM2's label format, ACPI/UEFI
 * 2.10 section 13.19 (BTT), ndctl's info blocks (ndctl-write-infoblock(1)), mkswap(8).
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "drivers/pmem/pmem.h"

struct magic {
	const char *name;
	int64_t at; /* negative: from the end */
	unsigned int len;
	const char *bytes;
	enum signature_kind kind;
};
#define MAGIC(name, at, bytes)                                                                     \
	{                                                                                          \
		name, at, sizeof(bytes) - 1, bytes, SIGNATURE_OTHER                                \
	}
#define NAMESPACE(name, at, bytes)                                                                 \
	{                                                                                          \
		name, at, sizeof(bytes) - 1, bytes, SIGNATURE_NAMESPACE                            \
	}
#define RAID_MEMBER(name, at, bytes)                                                               \
	{                                                                                          \
		name, at, sizeof(bytes) - 1, bytes, SIGNATURE_RAID                                 \
	}

static const struct magic magics[] = {
	NAMESPACE("ndctl info block, fsdax (NVDIMM_PFN_INFO)", 4096, "NVDIMM_PFN_INFO\0"),
	NAMESPACE("ndctl info block, devdax (NVDIMM_DAX_INFO)", 4096, "NVDIMM_DAX_INFO\0"),
	NAMESPACE("BTT", 4096, "BTT_ARENA_INFO\0\0"),
	NAMESPACE("BTT", 0, "BTT_ARENA_INFO\0\0"),
	NAMESPACE("BTT (copy of its info block)", -4096, "BTT_ARENA_INFO\0\0"),
	MAGIC("XFS", 0, "XFSB"),
	MAGIC("XFS log", 0, "\xfe\xed\xba\xbe"),
	MAGIC("btrfs", 0x10040, "_BHRfS_M"),
	MAGIC("F2FS", 0x400, "\x10\x20\xf5\xf2"),
	MAGIC("F2FS (second superblock)", 0x1400, "\x10\x20\xf5\xf2"),
	MAGIC("GPT", 512, "EFI PART"),
	MAGIC("GPT", 4096, "EFI PART"),
	MAGIC("GPT (backup)", -512, "EFI PART"),
	MAGIC("GPT (backup)", -4096, "EFI PART"),
	MAGIC("LUKS 1", 0, "LUKS\xba\xbe\0\1"),
	MAGIC("LUKS 2", 0, "LUKS\xba\xbe\0\2"),
	MAGIC("LUKS 2 (second header)", 0x4000, "SKUL\xba\xbe\0\2"),
	MAGIC("LUKS 2 (second header)", 0x8000, "SKUL\xba\xbe\0\2"),
	MAGIC("LUKS 2 (second header)", 0x10000, "SKUL\xba\xbe\0\2"),
	MAGIC("LUKS 2 (second header)", 0x20000, "SKUL\xba\xbe\0\2"),
	MAGIC("LUKS 2 (second header)", 0x40000, "SKUL\xba\xbe\0\2"),
	MAGIC("BitLocker", 3, "-FVE-FS-"),
	MAGIC("exFAT", 3, "EXFAT   "),
	MAGIC("NTFS", 3, "NTFS    "),
	MAGIC("FAT", 0x36, "FAT12   "),
	MAGIC("FAT", 0x36, "FAT16   "),
	MAGIC("FAT", 0x52, "FAT32   "),
	MAGIC("SquashFS", 0, "hsqs"),
	MAGIC("EROFS", 0x400, "\xe2\xe1\xf5\xe0"),
	MAGIC("ISO 9660", 0x8001, "CD001"),
	MAGIC("UDF", 0x8001, "BEA01"),
	MAGIC("JFS", 0x8000, "JFS1"),
	MAGIC("ReiserFS", 0x10034, "ReIsEr"),
	MAGIC("OCFS2", 0x1000, "OCFSV2"),
	MAGIC("OCFS2", 0x2000, "OCFSV2"),
	MAGIC("GFS2", 0x10000, "\x01\x16\x19\x70"),
	MAGIC("APFS", 32, "NXSB"),
	MAGIC("bcache", 0x1018, "\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81"),
	MAGIC("bcachefs", 0x1018,
	      "\xc6\x85\x73\xf6\x66\xce\x90\xa9\xd9\x6a\x60\xcf\x80\x3d\xf7\xef"),
	MAGIC("BlueStore", 0, "bluestore block device"),
	MAGIC("dm-integrity", 0, "integrt\0"),
	MAGIC("dm-verity", 0, "verity\0\0"),
	MAGIC("VDO", 0, "dmvdo001"),
	RAID_MEMBER("Intel RAID", -1024, "Intel Raid ISM Cfg Sig. "),
	RAID_MEMBER("DDF RAID", -512, "\xde\x11\xde\x11"),
};

struct search {
	signature_read_fn *read;
	void *ctx;
	uint64_t size;
	struct signature *out;
	unsigned int nr, max;
};

static bool get(struct search *s, uint64_t off, void *buf, size_t n)
{
	return off <= s->size && n <= s->size - off && s->read(s->ctx, off, buf, n);
}

static bool is(struct search *s, uint64_t off, const void *bytes, size_t n)
{
	uint8_t buf[32];

	return get(s, off, buf, n) && !memcmp(buf, bytes, n);
}

static void found(struct search *s, const char *name, enum signature_kind kind, uint64_t off)
{
	if (s->nr < s->max)
		s->out[s->nr++] = (struct signature){name, kind, off};
}

static bool has(const struct search *s, const char *name)
{
	for (unsigned int i = 0; i < s->nr; i++)
		if (!strcmp(s->out[i].name, name))
			return true;
	return false;
}

/* ---- ext: one magic of two bytes; the features tell which ---- */

#define EXT_JOURNAL	0x4u  /* compatible */
#define EXT_JOURNAL_DEV 0x8u  /* incompatible */
#define EXT3_INCOMPAT	0x16u /* filetype, recover, meta_bg: what ext3 knows */
#define EXT3_RO_COMPAT	0x7u  /* sparse_super, large_file, btree_dir */

static const char *which_ext(const uint8_t *super)
{
	uint32_t compat = le32(super + 0x5c), incompat = le32(super + 0x60);

	if (incompat & EXT_JOURNAL_DEV)
		return "ext journal device";
	if (incompat & ~EXT3_INCOMPAT || le32(super + 0x64) & ~EXT3_RO_COMPAT)
		return "ext4";
	return compat & EXT_JOURNAL ? "ext3" : "ext2";
}

static void find_ext(struct search *s)
{
	uint8_t super[0x68];

	if (get(s, 0x400, super, sizeof(super)) && super[0x38] == 0x53 && super[0x39] == 0xef)
		found(s, which_ext(super), SIGNATURE_EXT, 0x438);
}

/* ---- swap: in the last ten bytes of the first page, and a page has 4 to 64 KiB ---- */

static void find_swap(struct search *s)
{
	static const char *const magic[] = {"SWAPSPACE2",  "SWAP-SPACE",  "S1SUSPEND\0",
					    "S2SUSPEND\0", "ULSUSPEND\0", "LINHIB0001"};

	for (uint64_t page = 4096; page <= 65536; page *= 2)
		for (size_t i = 0; i < sizeof(magic) / sizeof(magic[0]); i++)
			if (is(s, page - 10, magic[i], 10))
				found(s, i < 2 ? "swap" : "hibernated system", SIGNATURE_OTHER,
				      page - 10);
}

/* ---- MBR: two bytes, and boot flags that make sense; boot code of FAT has them too ---- */

static void find_mbr(struct search *s)
{
	uint8_t b[512];

	if (!get(s, 0, b, sizeof(b)) || b[510] != 0x55 || b[511] != 0xaa)
		return;
	for (unsigned int i = 0; i < 4; i++)
		if (b[446 + 16 * i] & 0x7f)
			return;
	if (!has(s, "FAT") && !has(s, "NTFS") && !has(s, "exFAT"))
		found(s, "MBR", SIGNATURE_OTHER, 0x1fe);
}

/* ---- LVM2: a label in one of the first four sectors ---- */

static void find_lvm2(struct search *s)
{
	for (uint64_t off = 0; off < 4 * 512; off += 512)
		if (is(s, off, "LABELONE", 8) && is(s, off + 24, "LVM2 001", 8))
			found(s, "LVM2", SIGNATURE_OTHER, off);
}

/* ---- MD: 0.90 in the last whole 64 KiB, 1.0 near the end, 1.1 at the start, 1.2 at 4 KiB ---- */

#define MD_MAGIC 0xa92b4efcu

static void find_md1(struct search *s, const char *name, uint64_t off)
{
	uint8_t b[136];

	if (get(s, off, b, sizeof(b)) && le32(b) == MD_MAGIC && le32(b + 4) == 1 &&
	    le64(b + 128) == off / 512)
		found(s, name, SIGNATURE_RAID, off);
}

static void find_md(struct search *s)
{
	uint64_t sectors = s->size / 512, last = (s->size & ~0xffffull) - 0x10000;
	uint8_t b[8];

	find_md1(s, "MD 1.1", 0);
	find_md1(s, "MD 1.2", 4096);
	if (sectors > 16)
		find_md1(s, "MD 1.0", ((sectors - 16) & ~7ull) * 512);
	/* In the byte order of the machine that wrote it; major version 0. */
	if (s->size >= 0x10000 && get(s, last, b, sizeof(b)) && !le32(b + 4) &&
	    (le32(b) == MD_MAGIC || le32(b) == __builtin_bswap32(MD_MAGIC)))
		found(s, "MD 0.90", SIGNATURE_RAID, last);
}

unsigned int signature_find(signature_read_fn *read, void *ctx, uint64_t size,
			    struct signature *out, unsigned int max)
{
	struct search s = {.read = read, .ctx = ctx, .size = size, .out = out, .max = max};

	for (size_t i = 0; i < sizeof(magics) / sizeof(magics[0]); i++) {
		const struct magic *m = &magics[i];
		uint64_t off = m->at < 0 ? size + (uint64_t)m->at : (uint64_t)m->at;

		if ((m->at >= 0 || size >= (uint64_t)-m->at) && is(&s, off, m->bytes, m->len))
			found(&s, m->name, m->kind, off);
	}
	find_ext(&s);
	find_swap(&s);
	find_mbr(&s);
	find_lvm2(&s);
	find_md(&s);
	return s.nr;
}

void signature_text(const struct signature *s, unsigned int nr, char *buf, size_t n)
{
	size_t used = 0;

	if (n)
		buf[0] = '\0';
	for (unsigned int i = 0; i < nr && used < n; i++)
		used += (size_t)snprintf(buf + used, n - used, "%s%s (at 0x%" PRIx64 ")",
					 i ? ", " : "", s[i].name, s[i].offset);
}
