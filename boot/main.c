/* SPDX-License-Identifier: MIT */
/*
 * The first C code: turns whatever the loader left into struct boot_info, says what it found, and
 * leaves for kernel_main().
 *
 * State on entry (from boot/entry.asm): 64-bit mode, interrupts off, boot stack, the low 4 GiB
 * mapped one to one. Nothing of the kernel floor is up, so all printing is boot_puts(). Loaders put
 * their tables into memory that the kernel will reuse: everything that is wanted later is copied
 * here, and no pointer into a loader's memory survives this file.
 */
#include "boot/internal.h"

/* The magic numbers boot/entry.asm passes on; the first two are the loaders' own. */
#define MAGIC_MB2 0x36d76289u
#define MAGIC_PVH 0x336ec578u
#define MAGIC_EFI 0x49464548u

static struct boot_info boot_info_store;

extern const char __boot_start[], __image_end[]; /* linker.ld */
extern const uint64_t boot_tsc; /* boot/entry.asm; in the part that boot maps only */

uint64_t boot_image_start(void)
{
	return (uintptr_t)__boot_start;
}

uint64_t boot_image_end(void)
{
	return (uintptr_t)__image_end - KERNEL_BASE;
}

void boot_puts(const char *s)
{
	for (; *s; s++) {
		if (*s == '\n')
			boot_putc('\r');
		boot_putc(*s);
	}
}

void boot_put_dec(uint64_t value)
{
	if (value >= 10)
		boot_put_dec(value / 10);
	boot_putc((char)('0' + value % 10));
}

void boot_put_hex(uint64_t value)
{
	int shift = 60;

	while (shift > 0 && !(value >> shift))
		shift -= 4;
	boot_puts("0x");
	for (; shift >= 0; shift -= 4)
		boot_putc("0123456789abcdef"[value >> shift & 15]);
}

const void *boot_phys(uint64_t addr, uint64_t len)
{
	if (addr == 0 || addr >= 1ull << 32 || len > (1ull << 32) - addr)
		return NULL;
	return (const void *)addr;
}

static void __attribute__((noreturn)) stop(const char *why)
{
	boot_puts("boot: ");
	boot_puts(why);
	boot_puts("; the machine stops here\n");
	boot_stop();
}

static const char *parse(uint32_t magic, uint64_t addr, struct boot_info *bi)
{
	switch (magic) {
	case MAGIC_PVH: return boot_parse_pvh(addr, bi);
	case MAGIC_MB2: return boot_parse_multiboot2(addr, bi);
	case MAGIC_EFI: return boot_parse_efi(addr, bi);
	default: return "entered with an unknown magic number";
	}
}

static void report(const struct boot_info *bi)
{
	boot_puts("boot: memory map ");
	boot_put_dec(bi->nr_ranges);
	boot_puts(" ranges, ");
	boot_put_dec(boot_ram_bytes(bi) >> 20);
	boot_puts(" MiB RAM, ");
	if (bi->ranges_dropped) {
		boot_put_dec(bi->ranges_dropped);
		boot_puts(" ranges dropped, ");
	}
	if (bi->rsdp) {
		boot_puts("RSDP at ");
		boot_put_hex(bi->rsdp);
	} else {
		boot_puts("no RSDP found");
	}
	boot_puts("\nboot: kernel at ");
	boot_put_hex(boot_image_start());
	boot_puts("..");
	boot_put_hex(boot_image_end());
	boot_puts(", command line \"");
	boot_puts(bi->cmdline);
	boot_puts("\"\n");
}

/* Called by boot/entry.asm, once. `magic` says which parser understands `addr`. */
__attribute__((noreturn)) void boot_main(uint32_t magic, uint64_t addr)
{
	struct boot_info *bi = &boot_info_store;
	const char *wrong;

	boot_puts("boot: long mode\n");
	bi->magic = BOOT_MAGIC;
	wrong = parse(magic, addr, bi);
	if (wrong)
		stop(wrong);
	boot_normalise_ranges(bi);
	if (!bi->rsdp)
		bi->rsdp = boot_scan_rsdp();
	if (!boot_ram_bytes(bi))
		stop("the memory map handed over holds no RAM");
	report(bi);
	bi->entry_tsc = boot_tsc;
	kernel_main(bi);
}
