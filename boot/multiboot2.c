/* SPDX-License-Identifier: MIT */
/*
 * GRUB's hand-over: the multiboot2 information (specification 2.0, section 3.6), a list of tags,
 * each { type, size, payload } and padded to 8 bytes, closed by a tag of type 0.
 *
 * The RSDP comes as a *copy* inside the information, which the kernel will overwrite; it is copied
 * once more, into the image. A system table tag (12) is there only under EFI: that is how "grub"
 * and "grub-uefi" are told apart, for printing.
 */
#include "boot/internal.h"

enum {
	TAG_END = 0,
	TAG_CMDLINE = 1,
	TAG_MMAP = 6,
	TAG_FRAMEBUFFER = 8,
	TAG_EFI64 = 12,
	TAG_RSDP_V1 = 14,
	TAG_RSDP_V2 = 15,
};

struct tag {
	uint32_t type, size;
};

struct tag_mmap {
	struct tag tag;
	uint32_t entry_size, entry_version;
};

struct mmap_entry {
	uint64_t base, len;
	uint32_t type, zero;
};

struct tag_framebuffer {
	struct tag tag;
	uint64_t addr;
	uint32_t pitch, width, height;
	uint8_t bpp, type;
	uint16_t reserved;
	uint8_t red_at, red_bits, green_at, green_bits, blue_at, blue_bits;
};

static uint8_t rsdp_copy[64] __attribute__((aligned(16)));

static void parse_cmdline(const struct tag *tag, struct boot_info *bi)
{
	const char *text = (const char *)(tag + 1);
	uint32_t n = tag->size - sizeof(*tag), i;

	for (i = 0; i < n && i < BOOT_CMDLINE - 1 && text[i]; i++)
		bi->cmdline[i] = text[i];
	bi->cmdline[i] = '\0';
	if (i == BOOT_CMDLINE - 1 && i < n && text[i])
		boot_puts("boot: the command line was longer than 1023 bytes and is cut\n");
}

static const char *parse_mmap(const struct tag *tag, struct boot_info *bi)
{
	const struct tag_mmap *map = (const void *)tag;
	const char *at = (const char *)(map + 1);
	uint32_t left;

	if (tag->size < sizeof(*map) || map->entry_size < sizeof(struct mmap_entry) ||
	    map->entry_size % 8)
		return "the multiboot2 memory map has a tag or entry size that cannot be";
	for (left = tag->size - sizeof(*map); left >= map->entry_size; left -= map->entry_size) {
		const struct mmap_entry *entry = (const void *)at;

		boot_add_range(bi, entry->base, entry->len, entry->type);
		at += map->entry_size;
	}
	return NULL;
}

/* Only the one pixel format of struct boot_framebuffer is taken over; text mode (type 2) is not. */
static void parse_framebuffer(const struct tag *tag, struct boot_info *bi)
{
	const struct tag_framebuffer *fb = (const void *)tag;

	if (tag->size < 38 || fb->type != 1 || fb->bpp != 32 || fb->red_at != 16 ||
	    fb->green_at != 8 || fb->blue_at != 0)
		return;
	if (!fb->width || !fb->height || fb->pitch < (uint64_t)fb->width * 4)
		return;
	bi->fb = (struct boot_framebuffer){fb->addr, fb->width, fb->height, fb->pitch, fb->bpp};
}

static void parse_rsdp(const struct tag *tag, struct boot_info *bi)
{
	const uint8_t *from = (const uint8_t *)(tag + 1);
	uint32_t n = tag->size - sizeof(*tag);

	if (n > sizeof(rsdp_copy) || !boot_rsdp_valid(from, n))
		return;
	if (bi->rsdp && tag->type == TAG_RSDP_V1) /* the newer one is already there */
		return;
	for (uint32_t i = 0; i < n; i++)
		rsdp_copy[i] = from[i];
	bi->rsdp = (uintptr_t)rsdp_copy - KERNEL_BASE;
}

static const char *parse_tag(const struct tag *tag, struct boot_info *bi)
{
	switch (tag->type) {
	case TAG_CMDLINE: parse_cmdline(tag, bi); break;
	case TAG_MMAP: return parse_mmap(tag, bi);
	case TAG_FRAMEBUFFER: parse_framebuffer(tag, bi); break;
	case TAG_EFI64: __builtin_memcpy(bi->path, "grub-uefi", sizeof("grub-uefi")); break;
	case TAG_RSDP_V1:
	case TAG_RSDP_V2: parse_rsdp(tag, bi); break;
	default: break;
	}
	return NULL;
}

const char *boot_parse_multiboot2(uint64_t addr, struct boot_info *bi)
{
	const uint32_t *total = boot_phys(addr, 8);
	const char *info, *wrong = NULL;
	uint64_t at = 8;

	info = total && addr % 8 == 0 ? boot_phys(addr, *total) : NULL;
	if (!info)
		return "the multiboot2 information is not 8-aligned inside the low 4 GiB";
	__builtin_memcpy(bi->path, "grub", sizeof("grub"));
	while (!wrong) {
		const struct tag *tag = (const void *)(info + at);

		if (*total < sizeof(*tag) || at > *total - sizeof(*tag) ||
		    tag->size < sizeof(*tag) || tag->size > *total - at)
			return "a multiboot2 tag reaches past the end of the information";
		if (tag->type == TAG_END)
			return NULL;
		wrong = parse_tag(tag, bi);
		at += (tag->size + 7ull) & ~7ull;
	}
	return wrong;
}
