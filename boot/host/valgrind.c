/* SPDX-License-Identifier: MIT */
/*
 * What valgrind is told when it runs the process: by itself it cannot know what is a stack here,
 * what a heap, and that an access where nothing is mapped is a TLB miss and no mistake.
 *
 * A request is a sequence of instructions that comes to nothing on a CPU, and that valgrind knows;
 * its numbers are valgrind's interface and stay (valgrind.h and memcheck.h in Debian's package,
 * which need not be there). Without valgrind each of these functions costs some ten instructions.
 *
 * Of addresses memcheck reports an access of what is not mapped before the signal comes that maps
 * it. So it says nothing of those that the kernel maps, but for the C heap: that stays shown once
 * it was, and each of its blocks is told (heap/heap.c).
 *
 * A change of stacks is no growth of one: each stack is told when it is shown. A trap frame is put
 * below a stack's end by a signal's handler, which memcheck does not take for a push.
 *
 * A breakpoint is written into code that was translated before, so valgrind is told; it steps no
 * single instructions, and need not (breakpoints.c).
 *
 * Of a string instruction that is repeated it counts each turn before it makes it (3.19). After a
 * fault the turn is made again, and counted twice: the copy would end a word early. So the handler
 * takes it back. Without that the last byte of what is copied or cleared into a page that was not
 * shown yet stays what it was.
 */
#include "boot/host/machine.h"
#include "mm/mm.h"

enum {
	RUNNING = 0x1001,
	DISCARD_TRANSLATIONS = 0x1002,
	MALLOCLIKE_BLOCK = 0x1301,
	FREELIKE_BLOCK = 0x1302,
	STACK_REGISTER = 0x1501,
	CHANGE_ERR_DISABLEMENT = 0x1801,
	MEMCHECK = 'M' << 24 | 'C' << 16,
	MAKE_MEM_NOACCESS = MEMCHECK,
	MAKE_MEM_DEFINED = MEMCHECK + 2,
	ADDR_ERRORS_IN_RANGE = MEMCHECK + 13, /* reported; + 1: not */
};

#define STACKS 128 /* told so far, at most */

static bool here;

static uint64_t request(uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	volatile uint64_t args[6] = {number, a, b, c, d, 0};
	uint64_t answer = 0;

	__asm__ volatile("rolq $3, %%rdi; rolq $13, %%rdi; rolq $61, %%rdi; rolq $51, %%rdi\n\t"
			 "xchgq %%rbx, %%rbx"
			 : "+d"(answer)
			 : "a"(args)
			 : "cc", "memory");
	return answer;
}

bool valgrind_is_here(void)
{
	return here;
}

/* Addresses that the kernel maps. */
static void report(bool nothing)
{
	uint64_t heap_end = KVIRT_BASE + HEAP_SIZE;

	request(ADDR_ERRORS_IN_RANGE + nothing, 0, KVIRT_BASE, 0, 0);
	request(ADDR_ERRORS_IN_RANGE + nothing, heap_end, KERNEL_BASE - heap_end, 0, 0);
}

void valgrind_init(void)
{
	here = request(RUNNING, 0, 0, 0, 0);
	report(true);
}

void valgrind_end(void)
{
	report(false);
}

void valgrind_code_changed(const void *at, size_t bytes)
{
	request(DISCARD_TRANSLATIONS, (uintptr_t)at, bytes, 0, 0);
}

void valgrind_defined(const void *at, size_t bytes)
{
	request(MAKE_MEM_DEFINED, (uintptr_t)at, bytes, 0, 0);
}

void valgrind_stack(uint64_t from, uint64_t to)
{
	static uint64_t told[STACKS];
	static unsigned nr;

	for (unsigned i = 0; i < nr; i++)
		if (told[i] == from)
			return;
	if (!here || nr == STACKS)
		return;
	told[nr++] = from;
	request(STACK_REGISTER, from, to - 1, 0, 0);
}

/* REP or REPNE before MOVS, CMPS, STOS, LODS or SCAS (SDM vol. 2, 4.3). */
static bool is_repeated(const uint8_t *p)
{
	if (*p != 0xf2 && *p != 0xf3)
		return false;
	if ((*++p & 0xf0) == 0x40)
		p++;
	return (*p >= 0xa4 && *p <= 0xa7) || (*p >= 0xaa && *p <= 0xaf);
}

void valgrind_fault(struct host_frame *f)
{
	extern const char __text_start[], __text_end[];
	const uint8_t *code = (const uint8_t *)f->rip;

	if (here && f->rip >= (uintptr_t)__text_start && f->rip < (uintptr_t)__text_end &&
	    is_repeated(code))
		f->rcx++;
}

/* ---- the C heap */

void valgrind_heap_begin(void)
{
	if (here)
		request(CHANGE_ERR_DISABLEMENT, 1, 0, 0, 0);
}

void valgrind_heap_end(void)
{
	if (here)
		request(CHANGE_ERR_DISABLEMENT, (uint64_t)-1, 0, 0, 0);
}

/*
 * Its pages are shown now, as memcheck takes all of a page that is mapped for written; and the
 * allocator's word before it may be read by whoever asks how large it is.
 *
 * What is left of its room is nobody's. The allocator keeps a word of its own there when the block
 * is free; and of a word that is somebody's in part memcheck takes the other bytes, when they are
 * read, for never written, and with them the pointers that the allocator makes of it.
 */
void valgrind_heap_taken(const void *p, size_t bytes, size_t room, bool zeroed)
{
	uintptr_t start = (uintptr_t)p;

	for (uintptr_t at = start; at < start + room; at = ALIGN_DOWN(at, PAGE_SIZE) + PAGE_SIZE)
		(void)*(const volatile char *)at;
	request(MALLOCLIKE_BLOCK, start, bytes, 0, zeroed);
	request(MAKE_MEM_NOACCESS, start + bytes, room - bytes, 0, 0);
	valgrind_defined((const char *)p - 8, 8);
}

void valgrind_heap_given(const void *p)
{
	if (here && p)
		request(FREELIKE_BLOCK, (uintptr_t)p, 0, 0, 0);
}
