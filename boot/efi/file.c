/* SPDX-License-Identifier: MIT */
/*
 * Files from the partition the loader itself came from: its handle (LoadedImage) names the device,
 * the device has a file system protocol, that has a root directory.
 */
#include "boot/efi/loader.h"

static EFI_STATUS open_volume(EFI_HANDLE image, EFI_FILE_HANDLE *root)
{
	EFI_GUID guid = LOADED_IMAGE_PROTOCOL;
	EFI_LOADED_IMAGE *self;
	EFI_STATUS status = BS->HandleProtocol(image, &guid, (void **)&self);

	if (EFI_ERROR(status))
		return failed(status, L"the firmware does not say where I was loaded from");
	*root = LibOpenRoot(self->DeviceHandle);
	if (!*root)
		return failed(EFI_NO_MEDIA, L"the device I was loaded from holds no file system");
	return EFI_SUCCESS;
}

/* Read() may give less than was asked for; only an end before `size` is an error. */
static EFI_STATUS read_all(EFI_FILE_HANDLE handle, UINT8 *to, UINTN size)
{
	while (size) {
		UINTN n = size;
		EFI_STATUS status = handle->Read(handle, &n, to);

		if (EFI_ERROR(status))
			return status;
		if (!n)
			return EFI_END_OF_FILE;
		to += n;
		size -= n;
	}
	return EFI_SUCCESS;
}

static EFI_STATUS read_handle(EFI_FILE_HANDLE handle, const CHAR16 *name, struct file *file)
{
	EFI_FILE_INFO *info = LibFileInfo(handle);
	EFI_PHYSICAL_ADDRESS at = 0;
	EFI_STATUS status;

	if (!info)
		return failed(EFI_DEVICE_ERROR, L"the size of %s cannot be read", name);
	file->size = info->FileSize;
	FreePool(info);
	status = BS->AllocatePages(AllocateAnyPages, EfiLoaderData,
				   EFI_SIZE_TO_PAGES(file->size) + 1, &at);
	if (EFI_ERROR(status))
		return failed(status, L"no memory for %s, %d bytes", name, file->size);
	file->data = (const UINT8 *)at;
	status = read_all(handle, (UINT8 *)at, file->size);
	return EFI_ERROR(status) ? failed(status, L"%s cannot be read", name) : EFI_SUCCESS;
}

EFI_STATUS read_file(EFI_HANDLE image, const CHAR16 *const *names, struct file *file,
		     const CHAR16 **found)
{
	EFI_FILE_HANDLE root, handle;
	EFI_STATUS status = open_volume(image, &root);

	if (EFI_ERROR(status))
		return status == EFI_NOT_FOUND ? EFI_NO_MEDIA : status;
	status = EFI_NOT_FOUND;
	for (; *names && status == EFI_NOT_FOUND; names++) {
		*found = *names;
		status = root->Open(root, &handle, (CHAR16 *)*names, EFI_FILE_MODE_READ, 0);
	}
	if (EFI_ERROR(status)) {
		root->Close(root);
		return status == EFI_NOT_FOUND ? status
					       : failed(status, L"%s cannot be opened", *found);
	}
	status = read_handle(handle, *found, file);
	handle->Close(handle);
	root->Close(root);
	return status;
}
