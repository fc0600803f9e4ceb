/* SPDX-License-Identifier: MIT */
/*
 * Memory that is written without a hook: copies, texts; and the allocators, which are no events.
 *
 * memcpy() and its kin are calls into code that is not instrumented, so they report themselves. The
 * allocators of frames and slabs are the kernel's own code and run quietly: what they write is
 * logged, and nobody comes in between. What they are to take back is noted (freed.c), and no more.
 */
#include "tests/explore/internal.h"
#include "mm/mm.h"

#define HERE ((uintptr_t)__builtin_return_address(0))

void *__real_memcpy(void *to, const void *from, size_t n),
	*__wrap_memcpy(void *, const void *, size_t);
void *__real_memmove(void *to, const void *from, size_t n);
void *__wrap_memmove(void *to, const void *from, size_t n);
void *__real_memset(void *to, int c, size_t n), *__wrap_memset(void *to, int c, size_t n);
void __real_copy_cached(void *to, const void *from, size_t n);
void __wrap_copy_cached(void *to, const void *from, size_t n);
char *__real_strncpy(char *to, const char *from, size_t n);
char *__wrap_strncpy(char *to, const char *from, size_t n);
int __real_vsnprintf(char *buf, size_t n, const char *fmt, va_list ap);
int __wrap_vsnprintf(char *buf, size_t n, const char *fmt, va_list ap) __printf(3, 0);
int __wrap_snprintf(char *buf, size_t n, const char *fmt, ...) __printf(3, 4);

static void wrote(void *to, size_t n, uintptr_t pc)
{
	if (n)
		x_plain(to, n, true, pc);
}

void *__wrap_memcpy(void *to, const void *from, size_t n)
{
	if (x_on()) {
		if (n)
			x_plain(from, n, false, HERE);
		wrote(to, n, HERE);
	}
	return __real_memcpy(to, from, n);
}

void *__wrap_memmove(void *to, const void *from, size_t n)
{
	if (x_on()) {
		if (n)
			x_plain(from, n, false, HERE);
		wrote(to, n, HERE);
	}
	return __real_memmove(to, from, n);
}

void *__wrap_memset(void *to, int c, size_t n)
{
	if (x_on())
		wrote(to, n, HERE);
	return __real_memset(to, c, n);
}

void __wrap_copy_cached(void *to, const void *from, size_t n)
{
	if (x_on()) {
		if (n)
			x_plain(from, n, false, HERE);
		wrote(to, n, HERE);
	}
	__real_copy_cached(to, from, n);
}

char *__wrap_strncpy(char *to, const char *from, size_t n)
{
	if (x_on())
		wrote(to, n, HERE);
	return __real_strncpy(to, from, n);
}

int __wrap_vsnprintf(char *buf, size_t n, const char *fmt, va_list ap)
{
	if (x_on())
		wrote(buf, n, HERE);
	return __real_vsnprintf(buf, n, fmt, ap);
}

int __wrap_snprintf(char *buf, size_t n, const char *fmt, ...)
{
	va_list ap;
	int len;

	if (x_on())
		wrote(buf, n, HERE);
	va_start(ap, fmt);
	len = __real_vsnprintf(buf, n, fmt, ap);
	va_end(ap);
	return len;
}

/* ---- quiet */

void __attribute__((noinline)) x_quiet_begin(void)
{
	if (!x_on())
		return;
	if (!x.me->quiet)
		x_fence();
	x.me->quiet++;
}

void x_quiet_end(void)
{
	if (x_on())
		x.me->quiet--;
}

/* What is allocated may be a page table, or be mapped by one. What is freed is not given back, and
 * flushes are a model (mmu.c): the machine has what it had. */
static void allocate_quietly(void)
{
	if (x_on())
		x.tables_changed = true;
	x_quiet_begin();
}

#define QUIETLY(name, params, args)                                                                \
	void __real_##name params;                                                                 \
	void __wrap_##name params;                                                                 \
	void __wrap_##name params                                                                  \
	{                                                                                          \
		x_quiet_begin();                                                                   \
		__real_##name args;                                                                \
		x_quiet_end();                                                                     \
	}
QUIETLY(holder_add, (struct holder * h), (h))
QUIETLY(holder_remove, (struct holder * h), (h))

uint64_t __real_frame_alloc(unsigned order), __wrap_frame_alloc(unsigned order);
static uint64_t take_frame(unsigned order, uintptr_t pc)
{
	uint64_t phys;

	allocate_quietly();
	phys = order ? 0 : x_frame_take();
	if (!phys)
		phys = __real_frame_alloc(order);
	x_quiet_end();
	if (x_on() && phys)
		x_freed_made((uintptr_t)phys_to_virt(phys), pc);
	return phys;
}

uint64_t __wrap_frame_alloc(unsigned order)
{
	return take_frame(order, HERE);
}

uint64_t __wrap_frame_alloc_zero(void);
uint64_t __wrap_frame_alloc_zero(void)
{
	uint64_t phys = take_frame(0, HERE);

	x_quiet_begin();
	if (phys)
		__wrap_memset(phys_to_virt(phys), 0, PAGE_SIZE);
	x_quiet_end();
	return phys;
}

void __real_frame_free(uint64_t phys, unsigned order);
void __wrap_frame_free(uint64_t phys, unsigned order);
void __wrap_frame_free(uint64_t phys, unsigned order)
{
	if (!x_on()) {
		if (!x_frame_give_back(phys))
			__real_frame_free(phys, order);
		return;
	}
	x_freed_add((uintptr_t)phys_to_virt(phys), PAGE_SIZE << order, "a frame", HERE);
	x_live = true;
	x_quiet_begin(); /* the fence that the allocator's lock is */
	x_quiet_end();
}

void *__real_slab_alloc(struct slab_cache *c), *__wrap_slab_alloc(struct slab_cache *c);
void *__wrap_slab_alloc(struct slab_cache *c)
{
	void *p;

	allocate_quietly();
	p = x_arena_object(c, HERE);
	if (!p) {
		x_lasting_begin();
		p = __real_slab_alloc(c);
		x_lasting_end();
		if (x_on() && p)
			x_freed_made((uintptr_t)p, HERE);
	}
	x_quiet_end();
	return p;
}

void __real_slab_free(struct slab_cache *c, void *p);
void __wrap_slab_free(struct slab_cache *c, void *p);
void __wrap_slab_free(struct slab_cache *c, void *p)
{
	if (!x_on()) {
		if (!x_arena_give_back(p))
			__real_slab_free(c, p);
		return;
	}
	x_freed_add((uintptr_t)p, c->size, c->name, HERE);
	x_live = true;
	x_quiet_begin();
	x_quiet_end();
}
