/* SPDX-License-Identifier: MIT */
/*
 * The EFI loader, BOOTX64.EFI: what its files share.
 *
 * Until ExitBootServices the loader is a guest of the firmware and may use all its services; after
 * it, none. Every function here returns a status of the firmware's kind after it has said, in a
 * sentence, what went wrong; success is silent, the stages are announced by main.c.
 */
#ifndef BOOT_EFI_LOADER_H
#define BOOT_EFI_LOADER_H

#include <efi.h>
#include <efilib.h>

#include "boot/boot.h"

struct file {
	const UINT8 *data;
	UINTN size;
};

/* Prints "loader: " and the sentence, and returns `status`. */
EFI_STATUS failed(EFI_STATUS status, const CHAR16 *format, ...);

/* The first of `names` (ended by NULL) that exists on the volume `image` came from, read whole.
 * *found says which; EFI_NOT_FOUND without a message: none exists. */
EFI_STATUS read_file(EFI_HANDLE image, const CHAR16 *const *names, struct file *file,
		     const CHAR16 **found);

/* Checks an ELF64 executable and puts its segments where they are linked to run. */
EFI_STATUS load_elf(const struct file *file, UINT64 *entry);

/* Fills in what firmware knows besides memory: rsdp and fb. What is absent stays 0. */
void ask_firmware(struct boot_info *bi);

/* Leaves the firmware: memory map into bi->ranges, then ExitBootServices. */
EFI_STATUS leave_firmware(EFI_HANDLE image, struct boot_info *bi);

#endif
