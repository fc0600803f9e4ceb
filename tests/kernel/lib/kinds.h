/* SPDX-License-Identifier: MIT */
/*
 * One mapped object of each kind that the predicates of mm/space/space.h tell apart, and what they
 * answer of it: in this build, and as they would in builds that lack one feature or both.
 */
#ifndef TESTS_KERNEL_LIB_KINDS_H
#define TESTS_KERNEL_LIB_KINDS_H

#include "tests/kernel/lib/fixture.h"

enum kind {
	KIND_FSDAX,  /* a file of the scratch device, mapped shared */
	KIND_DEVDAX, /* the scratch device, with pages of 2 MiB */
	KIND_FILE,   /* a file in RAM that is not on DAX, mapped private */
	KIND_CHAR,   /* a device whose page has no record */
	KIND_ANON,   /* no file at all */
	KINDS
};
struct kind_object {
	enum kind kind;
	uint64_t va;
	struct fixture fx;     /* KIND_FSDAX */
	bool mounted;	       /* fx is to be ended */
	struct mapping plain;  /* KIND_FILE, KIND_CHAR */
	char bytes[PAGE_SIZE]; /* KIND_FILE: its only page */
	uint64_t frame;	       /* KIND_CHAR: its only page */
};
extern const char *const kind_name[KINDS];
/* Maps one page at least, writable, at o->va. NULL, or why it cannot be done now. */
const char *kind_start(struct kind_object *o, enum kind kind);
void kind_end(struct kind_object *o);

/* The five questions, a bit each. */
enum {
	SAYS_S_DAX = 1,
	SAYS_IS_FSDAX = 2,
	SAYS_IS_DEVDAX = 4,
	SAYS_VMA_IS_DAX = 8,
	SAYS_VMA_IS_FSDAX = 16,
	SAYS = 5
};
extern const char *const says_name[SAYS];
enum kind_build { BUILD_BOTH, BUILD_FILES, BUILD_DEVICES, BUILD_NEITHER, BUILDS };
/* What they answer of the mapping at va, in a build with these features. */
unsigned kind_says(uint64_t va, enum kind_build build);

#endif
