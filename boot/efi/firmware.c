/* SPDX-License-Identifier: MIT */
/*
 * What the firmware knows: tables, screen, memory; and how to be rid of it.
 *
 * ExitBootServices wants the key of the *current* memory map. Any event of the firmware between
 * GetMemoryMap and ExitBootServices may change the map and void the key, so the pair is repeated;
 * and after the first try only these two calls are still allowed (UEFI 2.10, 7.4.6): the buffer is
 * allocated before, with room to spare, and nothing is printed in between.
 */
#include "boot/efi/loader.h"

#define EXIT_TRIES 8

/* By its bytes: what CompareGuid() answers for two that are equal was turned round between versions
 * of the library. */
static BOOLEAN same_guid(const EFI_GUID *a, const EFI_GUID *b)
{
	const UINT8 *x = (const void *)a, *y = (const void *)b;

	for (UINTN i = 0; i < sizeof(*a); i++)
		if (x[i] != y[i])
			return FALSE;
	return TRUE;
}

static UINT64 find_rsdp(void)
{
	EFI_GUID acpi2 = ACPI_20_TABLE_GUID, acpi1 = ACPI_TABLE_GUID;
	UINT64 found = 0;

	for (UINTN i = 0; i < ST->NumberOfTableEntries; i++) {
		EFI_CONFIGURATION_TABLE *entry = &ST->ConfigurationTable[i];

		if (same_guid(&entry->VendorGuid, &acpi2))
			return (UINT64)entry->VendorTable;
		if (same_guid(&entry->VendorGuid, &acpi1))
			found = (UINT64)entry->VendorTable;
	}
	return found;
}

void ask_firmware(struct boot_info *bi)
{
	EFI_GUID guid = EFI_GRAPHICS_OUTPUT_PROTOCOL_GUID;
	EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *mode;
	EFI_GRAPHICS_OUTPUT_PROTOCOL *gop;

	bi->rsdp = find_rsdp();
	if (EFI_ERROR(BS->LocateProtocol(&guid, NULL, (void **)&gop)) || !gop->Mode)
		return;
	mode = gop->Mode->Info;
	if (mode->PixelFormat != PixelBlueGreenRedReserved8BitPerColor) {
		Print(L"loader: the screen's pixels are not 0x00RRGGBB: no framebuffer\n");
		return;
	}
	bi->fb.phys = gop->Mode->FrameBufferBase;
	bi->fb.width = mode->HorizontalResolution;
	bi->fb.height = mode->VerticalResolution;
	bi->fb.pitch = mode->PixelsPerScanLine * 4;
	bi->fb.bpp = 32;
}

/* UEFI memory types to those of struct boot_range. What the firmware needs at run time, and every
 * type that is not known, stays reserved. */
static UINT32 range_type(UINT32 efi_type)
{
	switch (efi_type) {
	case EfiLoaderCode:
	case EfiLoaderData:
	case EfiBootServicesCode:
	case EfiBootServicesData:
	case EfiConventionalMemory: return BOOT_RAM;
	case EfiACPIReclaimMemory: return BOOT_ACPI;
	case EfiACPIMemoryNVS: return BOOT_NVS;
	case EfiUnusableMemory: return BOOT_BAD;
	case 14: return BOOT_PMEM; /* EfiPersistentMemory, newer than this gnu-efi */
	default: return BOOT_RESERVED;
	}
}

/* Descriptors may be longer than the structure (UEFI 2.10, 7.2.3): step by `step`. */
static void convert_map(const UINT8 *map, UINTN size, UINTN step, struct boot_info *bi)
{
	bi->nr_ranges = 0;
	bi->ranges_dropped = 0;
	for (UINTN at = 0; at + step <= size; at += step) {
		const EFI_MEMORY_DESCRIPTOR *d = (const void *)(map + at);
		struct boot_range *last = &bi->ranges[bi->nr_ranges - 1];
		UINT64 len = d->NumberOfPages << EFI_PAGE_SHIFT;
		UINT32 type = range_type(d->Type);

		if (bi->nr_ranges && last->type == type &&
		    last->base + last->len == d->PhysicalStart) {
			last->len += len;
		} else if (bi->nr_ranges == BOOT_MAX_RANGES) {
			bi->ranges_dropped++;
		} else {
			last[1] = (struct boot_range){d->PhysicalStart, len, type, 0};
			bi->nr_ranges++;
		}
	}
}

static EFI_STATUS map_buffer(UINT8 **map, UINTN *room)
{
	UINTN key, step;
	UINT32 version;
	EFI_STATUS status;

	*room = 0;
	status = BS->GetMemoryMap(room, NULL, &key, &step, &version);
	if (status != EFI_BUFFER_TOO_SMALL)
		return failed(status, L"the firmware does not give its memory map");
	*room += 64 * step; /* allocating this very buffer splits ranges, and so may events */
	status = BS->AllocatePool(EfiLoaderData, *room, (void **)map);
	return EFI_ERROR(status) ? failed(status, L"no memory for the memory map") : EFI_SUCCESS;
}

EFI_STATUS leave_firmware(EFI_HANDLE image, struct boot_info *bi)
{
	UINT8 *map;
	UINTN room;
	EFI_STATUS status = map_buffer(&map, &room);

	if (EFI_ERROR(status))
		return status;
	for (int i = 0; i < EXIT_TRIES; i++) {
		UINTN size = room, key, step;
		UINT32 version;

		status = BS->GetMemoryMap(&size, (EFI_MEMORY_DESCRIPTOR *)map, &key, &step,
					  &version);
		if (EFI_ERROR(status))
			break;
		convert_map(map, size, step, bi);
		status = BS->ExitBootServices(image, key);
		if (!EFI_ERROR(status))
			break;
	}
	return status;
}
