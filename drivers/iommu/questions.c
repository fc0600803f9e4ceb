/* SPDX-License-Identifier: MIT */
/* The three questions of the book's chapter about the IOMMU (kernel/shell/quiz.c). */
#include "drivers/iommu/internal.h"

static uint64_t bytes_of_level_2(void)
{
	return slpt_size(2);
}

/* Tables that a device's address of 39 bits goes through. */
static uint64_t levels_of_39_bits(void)
{
	unsigned level = 1;

	while (slpt_size(level + 1) < 1ull << 39)
		level++;
	return level;
}

BOOK_QUESTIONS(iommu,
	       {10, 1, "How many bytes of a device's addresses does one entry of level 2 map?",
		NULL, "slpt_size(2)", NULL, "nine bits more than a page of 4 KiB",
		bytes_of_level_2},
	       {10, 2, "How many levels of tables do bus addresses of 39 bits need?", NULL,
		"levels of 39 bits", NULL, "twelve bits stay, and each level takes nine",
		levels_of_39_bits},
	       {10, 3,
		"With `museum cut-pages-for-bytes on` a revocation cuts a number of pages where "
		"bytes are meant. How does race L-5 end?",
		"safe BROKEN HUNG", "museum cut-pages-for-bytes on; race L-5",
		"lifetime=busy-extent: ", "the device keeps all but the first page", NULL});
