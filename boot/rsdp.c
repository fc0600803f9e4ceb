/* SPDX-License-Identifier: MIT */
/*
 * Finding the RSDP, the root of all ACPI tables.
 *
 * A loader that knows better hands its address over. Otherwise a BIOS machine keeps it on a 16-byte
 * boundary in the first KiB of the extended BIOS data area or in 0xe0000-0xfffff
 * (ACPI 6.4, 5.2.5.1); an EFI machine does not, there only the system table knows.
 */
#include "boot/internal.h"

#define RSDP_V1_LEN   20
#define RSDP_V2_LEN   36
#define EBDA_SEGMENT  0x40e /* BIOS data area: real-mode segment of the EBDA */
#define BIOS_ROM      0xe0000
#define BIOS_ROM_SIZE 0x20000

static uint8_t sum(const uint8_t *p, uint64_t n)
{
	uint8_t total = 0;

	while (n--)
		total += *p++;
	return total;
}

bool boot_rsdp_valid(const void *rsdp, uint64_t room)
{
	static const char signature[8] = {'R', 'S', 'D', ' ', 'P', 'T', 'R', ' '};
	const uint8_t *p = rsdp;
	uint32_t length;

	if (room < RSDP_V1_LEN)
		return false;
	for (unsigned i = 0; i < sizeof(signature); i++)
		if (p[i] != (uint8_t)signature[i])
			return false;
	if (sum(p, RSDP_V1_LEN) != 0)
		return false;
	if (p[15] < 2) /* revision: 0 is ACPI 1.0, without length and second checksum */
		return true;
	if (room < RSDP_V2_LEN)
		return false;
	length = p[20] | p[21] << 8 | p[22] << 16 | (uint32_t)p[23] << 24;
	return length >= RSDP_V2_LEN && length <= room && sum(p, length) == 0;
}

static uint64_t scan(uint64_t start, uint64_t len)
{
	for (uint64_t at = start; at + RSDP_V1_LEN <= start + len; at += 16) {
		const void *p = boot_phys(at, start + len - at);

		if (p && boot_rsdp_valid(p, start + len - at))
			return at;
	}
	return 0;
}

uint64_t boot_scan_rsdp(void)
{
	const uint8_t *bda = boot_phys(EBDA_SEGMENT, 2);
	uint64_t ebda = bda ? (uint64_t)(bda[0] | bda[1] << 8) << 4 : 0;
	uint64_t found = 0;

	if (ebda >= 0x400 && ebda < 0xa0000)
		found = scan(ebda, 1024);
	return found ? found : scan(BIOS_ROM, BIOS_ROM_SIZE);
}
