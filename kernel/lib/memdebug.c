/* SPDX-License-Identifier: MIT */
/* The debug build's reports of memory that was used wrongly; see lib.h. */
#include "kernel/kernel.h"

static void (*divert)(const struct mem_report *r);

void mem_divert(void (*fn)(const struct mem_report *r))
{
	__atomic_store_n(&divert, fn, __ATOMIC_RELEASE);
}

void mem_note(struct mem_site *s, uint64_t rbp)
{
	unsigned n = 0;

	memset(s, 0, sizeof(*s));
	while (n < MEM_FRAMES && IN_KERNEL_HALF(rbp) && rbp % 8 == 0) {
		const uint64_t *frame = (const uint64_t *)rbp;

		if (frame[1] < KERNEL_BASE)
			break;
		s->pc[n++] = (uint32_t)(frame[1] - KERNEL_BASE);
		if (frame[0] <= rbp)
			break;
		rbp = frame[0];
	}
}

const uint8_t *mem_other_than(const void *p, uint8_t byte, size_t n)
{
	const uint64_t word = 0x0101010101010101ull * byte;
	const uint8_t *at = p, *end = at + n;

	for (; at < end && (uintptr_t)at % 8; at++)
		if (*at != byte)
			return at;
	for (; end - at >= 8 && *(const uint64_t *)at == word; at += 8)
		;
	for (; at < end; at++)
		if (*at != byte)
			return at;
	return NULL;
}

static void print_site(const char *what, const struct mem_site *s)
{
	char where[160];

	if (!s->pc[0])
		return;
	kprintf("  %s\n", what);
	for (unsigned i = 0; i < MEM_FRAMES && s->pc[i]; i++)
		kprintf("    #%u %s\n", i,
			ksym_describe(KERNEL_BASE + s->pc[i], true, where, sizeof(where)));
}

void mem_fault(const struct mem_report *r)
{
	static const char *const texts[] = {
		[MEM_OVERFLOW] = "a store behind its end",
		[MEM_UNDERFLOW] = "a store before its beginning",
		[MEM_AFTER_FREE] = "a store after it was freed",
		[MEM_FREED_TWICE] = "it is freed a second time",
		[MEM_NEVER_GIVEN] = "it is freed and was never handed out",
		[MEM_FORBIDDEN] = "nobody may touch this memory now",
		[MEM_UNDEFINED] = "the behaviour of this operation is undefined",
	};
	void (*fn)(const struct mem_report *) = __atomic_load_n(&divert, __ATOMIC_ACQUIRE);

	if (fn) {
		fn(r);
		return;
	}
	kprintf("\nmemory: %s at 0x%lx, %lu bytes: %s\n", r->what, r->addr, r->size,
		texts[r->fault]);
	if (r->at)
		kprintf("  first byte that changed: 0x%lx, %ld behind the beginning; it is "
			"0x%02x\n",
			r->at, (long)(r->at - r->addr), *(const uint8_t *)r->at);
	print_site("allocated by", &r->allocated);
	print_site("freed by", &r->freed);
	panic("memory: %s at 0x%lx: %s", r->what, r->addr, texts[r->fault]);
}

#if !DEBUG_BUILD
void mem_check(void)
{
}
#endif
