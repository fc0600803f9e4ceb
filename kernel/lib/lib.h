/* SPDX-License-Identifier: MIT */
/*
 * Memory that is used wrongly, found by the debug build (make run DEBUG=1).
 *
 * Each block of the heap and each object of a slab has red zones around it; what was freed is
 * filled with a poison, kept out of use for a while, and looked at before it is used again. So a
 * store behind the end, a store after the free and a second free are found, at the next look at the
 * block: when it is freed, when it leaves quarantine, or at mem_check(), which the self-test runner
 * calls after every test. A load after the free sees the poison; used as a pointer it is no address
 * at all, and a fault shows the place.
 *
 * The heap is kernel/lib/heap_debug.c; slabs and frames are on the mm floor.
 */
#ifndef KERNEL_LIB_LIB_H
#define KERNEL_LIB_LIB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ANY_BUILD: self-tests, whose objects are linked into all of these builds. Which one it is they
 * cannot know, and do not compile if they ask: who must know is named by PER_BUILD in the Makefile.
 */
#ifdef ANY_BUILD
#define DEBUG_BUILD   (1 / 0)
#define EXPLORE_BUILD (1 / 0)
#else
/* make run DEBUG=1 */
#ifdef DEBUG
#define DEBUG_BUILD 1
#else
#define DEBUG_BUILD 0
#endif
/* make run EXPLORE=1: the explorer of event orders sees every access (tests/explore) */
#ifdef EXPLORE
#define EXPLORE_BUILD 1
#else
#define EXPLORE_BUILD 0
#endif
#endif
/* make host-check: code compiled for the address sanitizer (boot/host/check), with DEBUG */
#ifdef SHADOW
#define SHADOW_BUILD 1
#else
#define SHADOW_BUILD 0
#endif

/*
 * The plain accesses on this line and the next two race with others, and may, for this reason. The
 * explorer lists them (`explore -i`) apart from races that nobody meant. Nothing in the plain
 * build.
 */
#if !defined(ANY_BUILD) && EXPLORE_BUILD
struct intended_race {
	const char *file;
	unsigned line;
	const char *reason;
};
#define INTENDED_RACE(why)                                                                         \
	do {                                                                                       \
		static const struct intended_race here __attribute__((                             \
			used, section("hf_intended"), aligned(8))) = {__FILE__, __LINE__, why};    \
	} while (0)
#else
#define INTENDED_RACE(why)                                                                         \
	do {                                                                                       \
	} while (0)
#endif

#define MEM_POISON  0x6b /* freed */
#define MEM_RED	    0xbb /* red zone */
#define MEM_FRAMES  6
#define MEM_RED_LEN 64 /* bytes behind a block, at least */

enum mem_fault {
	MEM_OVERFLOW,
	MEM_UNDERFLOW,
	MEM_AFTER_FREE,
	MEM_FREED_TWICE,
	MEM_NEVER_GIVEN,
	MEM_FORBIDDEN, /* an access, `what`: to memory that is closed; make host-check */
	MEM_UNDEFINED, /* an operation, `what`: C does not define what comes of it; likewise */
};

/* Who did it: return addresses less KERNEL_BASE, the innermost first; zero ends the list. */
struct mem_site {
	uint32_t pc[MEM_FRAMES];
};

struct mem_report {
	enum mem_fault fault;
	const char *what; /* "heap block", the slab's name, "frame" */
	uintptr_t addr;	  /* of the block */
	size_t size;
	uintptr_t at; /* first byte that is wrong; zero: it is not about a byte */
	struct mem_site allocated, freed;
};

/* The chain of the caller whose frame pointer is `rbp` (any context, no lock). */
void mem_note(struct mem_site *s, uint64_t rbp);
#define MEM_NOTE(s) mem_note(s, (uintptr_t)__builtin_frame_address(0))
/* Prints it and panics; or gives it to whoever diverted it. No lock held that printing wants. */
void mem_fault(const struct mem_report *r);
/* For tests: `fn` gets the reports instead, and the caller of mem_fault() goes on. NULL: as ever.
 */
void mem_divert(void (*fn)(const struct mem_report *r));
/* The first byte of [p, p + n) that is not `byte`; NULL: none. */
const uint8_t *mem_other_than(const void *p, uint8_t byte, size_t n);

/* Looks at every block of the heap, live or in quarantine. Any context. Nothing in a plain build.
 */
void mem_check(void);

/*
 * For the sanitizer of `make host-check`, which finds loads too and says so at once: none of
 * [p, p + n), whose end is aligned to 8, may be touched from now on but by the allocators' own
 * files; `why` is MEM_RED or MEM_POISON. mem_open(): all of it may again, p is aligned to 8. Any
 * context; nothing in other builds.
 */
#if SHADOW_BUILD
void mem_close(const void *p, size_t n, uint8_t why);
void mem_open(const void *p, size_t n);
/* Says of the heap block that r->at is in or beside who allocated and freed it, if there is one;
 * the floor above of a slab object or a frame: set at boot. */
void mem_find(struct mem_report *r);
extern void (*mem_find_above)(struct mem_report *r);
#else
#define mem_close(p, n, why) ((void)(p), (void)(n), (void)(why))
#define mem_open(p, n)	     ((void)(p), (void)(n))
#endif

/* Files that QEMU hands to the guest (-fw_cfg name=…); the same on every boot path. */

/*
 * Reads the whole file `name` into a new buffer, a NUL behind it; *data is the caller's to free().
 * Thread context. 0, or: -ENODEV this machine has no fw_cfg; -ENOENT no such file; -EFBIG it is
 * longer than `max` bytes (*len says how long); -ENOMEM.
 */
int fwcfg_read(const char *name, size_t max, char **data, size_t *len);

#endif
