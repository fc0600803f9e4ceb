/* SPDX-License-Identifier: MIT */
/*
 * Our own way in under UEFI, without GRUB.
 *
 * The firmware starts \EFI\BOOT\BOOTX64.EFI from the EFI system partition. It reads \k.elf (or
 * \holdfast.elf) and \cmdline.txt from the same partition, loads the kernel's segments at their
 * physical addresses, collects memory map, RSDP and framebuffer into a struct boot_info, leaves the
 * firmware, and jumps to the ELF entry point with rdi = that struct. The kernel copies it first of
 * all (boot/handover.c), so it only has to survive until then; it lies below 4 GiB, because the
 * entry steps down to 32-bit mode on its way (boot/entry.asm).
 *
 * Every stage is announced on the UEFI console, which QEMU's firmware shows on the serial line too.
 */
#include <stdarg.h>

#include "boot/efi/loader.h"

static const CHAR16 *const kernel_names[] = {L"\\k.elf", L"\\holdfast.elf", NULL};
static const CHAR16 *const cmdline_names[] = {L"\\cmdline.txt", NULL};

EFI_STATUS failed(EFI_STATUS status, const CHAR16 *format, ...)
{
	va_list ap;

	Print(L"loader: ");
	va_start(ap, format);
	VPrint(format, ap);
	va_end(ap);
	Print(L" (%r)\n", status);
	return status;
}

static EFI_STATUS new_boot_info(struct boot_info **out)
{
	EFI_PHYSICAL_ADDRESS at = 0xffffffff; /* at most */
	UINTN pages = EFI_SIZE_TO_PAGES(sizeof(struct boot_info));
	EFI_STATUS status = BS->AllocatePages(AllocateMaxAddress, EfiLoaderData, pages, &at);

	if (EFI_ERROR(status))
		return failed(status, L"no %d free pages below 4 GiB for the boot information",
			      pages);
	*out = (struct boot_info *)at;
	ZeroMem(*out, sizeof(**out));
	(*out)->magic = BOOT_MAGIC;
	CopyMem((*out)->path, "efi", sizeof("efi"));
	return EFI_SUCCESS;
}

/* The first line of \cmdline.txt. A missing file is an empty command line. */
static EFI_STATUS read_cmdline(EFI_HANDLE image, struct boot_info *bi)
{
	struct file file;
	const CHAR16 *name;
	EFI_STATUS status = read_file(image, cmdline_names, &file, &name);
	UINTN i;

	if (status == EFI_NOT_FOUND) {
		Print(L"loader: no %s: empty command line\n", cmdline_names[0]);
		return EFI_SUCCESS;
	}
	if (EFI_ERROR(status))
		return status;
	for (i = 0; i < file.size && i < BOOT_CMDLINE - 1; i++) {
		if (file.data[i] == '\n' || file.data[i] == '\r' || !file.data[i])
			break;
		bi->cmdline[i] = (char)file.data[i];
	}
	if (i == BOOT_CMDLINE - 1)
		Print(L"loader: the command line is longer than 1023 bytes and is cut\n");
	return EFI_SUCCESS;
}

static EFI_STATUS read_kernel(EFI_HANDLE image, UINT64 *entry)
{
	struct file file;
	const CHAR16 *name;
	EFI_STATUS status = read_file(image, kernel_names, &file, &name);

	if (status == EFI_NOT_FOUND)
		return failed(status, L"neither %s nor %s is on the partition I came from",
			      kernel_names[0], kernel_names[1]);
	if (EFI_ERROR(status))
		return status;
	Print(L"loader: %s read, %d bytes\n", name, file.size);
	return load_elf(&file, entry);
}

static EFI_STATUS prepare(EFI_HANDLE image, struct boot_info **bi, UINT64 *entry)
{
	EFI_STATUS status = new_boot_info(bi);

	if (EFI_ERROR(status))
		return status;
	status = read_kernel(image, entry);
	if (EFI_ERROR(status))
		return status;
	Print(L"loader: kernel in place, entry 0x%lx\n", *entry);
	return read_cmdline(image, *bi);
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table)
{
	struct boot_info *bi = NULL;
	UINT64 entry = 0;
	EFI_STATUS status;

	InitializeLib(image, table);
	Print(L"\nloader: Holdfast's EFI loader\n");
	status = prepare(image, &bi, &entry);
	if (EFI_ERROR(status))
		return status;
	ask_firmware(bi);
	Print(L"loader: RSDP at 0x%lx, framebuffer at 0x%lx (%d x %d)\n", bi->rsdp, bi->fb.phys,
	      bi->fb.width, bi->fb.height);
	Print(L"loader: leaving the firmware\n");
	status = leave_firmware(image, bi);
	if (EFI_ERROR(status))
		return failed(status, L"the firmware would not let go");
	((void (*)(struct boot_info *))entry)(bi);
	return EFI_ABORTED; /* not reached: the kernel does not come back */
}
