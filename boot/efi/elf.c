/* SPDX-License-Identifier: MIT */
/*
 * An ELF64 executable into memory (System V ABI, chapter 5).
 *
 * The kernel is linked for one physical place (linker.ld) and is put exactly there, segment by
 * segment, the rest of each segment zeroed. The span from its first to its last byte is claimed
 * from the firmware in one piece, so that nothing else can come to lie between the segments.
 */
#include <elf.h>

#include "boot/efi/loader.h"

#define FOUR_GIB (1ull << 32)

static const CHAR16 *wrong_header(const struct file *file)
{
	const Elf64_Ehdr *eh = (const void *)file->data;

	if (file->size < sizeof(*eh) || CompareMem(eh->e_ident, ELFMAG, SELFMAG))
		return L"the kernel file is no ELF file";
	if (eh->e_ident[EI_CLASS] != ELFCLASS64 || eh->e_machine != EM_X86_64 ||
	    eh->e_type != ET_EXEC)
		return L"the kernel file is no ELF64 executable for x86-64";
	if (eh->e_phentsize != sizeof(Elf64_Phdr) || eh->e_phoff > file->size ||
	    eh->e_phnum * sizeof(Elf64_Phdr) > file->size - eh->e_phoff)
		return L"the kernel's program headers reach past the end of the file";
	return NULL;
}

static const CHAR16 *wrong_segment(const struct file *file, const Elf64_Phdr *ph)
{
	if (ph->p_offset > file->size || ph->p_filesz > file->size - ph->p_offset)
		return L"a segment of the kernel reaches past the end of the file";
	if (ph->p_filesz > ph->p_memsz)
		return L"a segment of the kernel is larger in the file than in memory";
	if (ph->p_paddr >= FOUR_GIB || ph->p_memsz > FOUR_GIB - ph->p_paddr)
		return L"a segment of the kernel lies above 4 GiB";
	return NULL;
}

/* Checks every segment; their common span in whole pages is [*low, *high). */
static const CHAR16 *measure(const struct file *file, UINT64 *low, UINT64 *high)
{
	const Elf64_Ehdr *eh = (const void *)file->data;
	const Elf64_Phdr *ph = (const void *)(file->data + eh->e_phoff);
	const CHAR16 *wrong = NULL;

	*low = FOUR_GIB;
	*high = 0;
	for (UINTN i = 0; i < eh->e_phnum && !wrong; i++) {
		UINT64 start = ph[i].p_paddr & ~0xfffull;
		UINT64 end = (ph[i].p_paddr + ph[i].p_memsz + 0xfff) & ~0xfffull;

		if (ph[i].p_type != PT_LOAD || !ph[i].p_memsz)
			continue;
		wrong = wrong_segment(file, &ph[i]);
		*low = start < *low ? start : *low;
		*high = end > *high ? end : *high;
	}
	if (!wrong && *low >= *high)
		wrong = L"the kernel has no segment to load";
	if (!wrong && (eh->e_entry < *low || eh->e_entry >= *high))
		wrong = L"the kernel's entry point lies outside of its segments";
	return wrong;
}

EFI_STATUS load_elf(const struct file *file, UINT64 *entry)
{
	const Elf64_Ehdr *eh = (const void *)file->data;
	const Elf64_Phdr *ph;
	const CHAR16 *wrong = wrong_header(file);
	EFI_PHYSICAL_ADDRESS low;
	UINT64 high;
	EFI_STATUS status;

	if (!wrong)
		wrong = measure(file, &low, &high);
	if (wrong)
		return failed(EFI_LOAD_ERROR, wrong);
	status = BS->AllocatePages(AllocateAddress, EfiLoaderCode, EFI_SIZE_TO_PAGES(high - low),
				   &low);
	if (EFI_ERROR(status))
		return failed(status,
			      L"the firmware keeps part of 0x%lx..0x%lx for itself, where the "
			      L"kernel must lie",
			      low, high);
	ZeroMem((void *)low, high - low);
	ph = (const void *)(file->data + eh->e_phoff);
	for (UINTN i = 0; i < eh->e_phnum; i++)
		if (ph[i].p_type == PT_LOAD && ph[i].p_filesz)
			CopyMem((void *)ph[i].p_paddr, (void *)(file->data + ph[i].p_offset),
				ph[i].p_filesz);
	*entry = eh->e_entry;
	return EFI_SUCCESS;
}
