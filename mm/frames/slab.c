/* SPDX-License-Identifier: MIT */
/*
 * Slabs: objects of one size, cut from single frames.
 *
 * A frame starts with a header that knows its cache, how many of its objects are out and the list
 * of free ones. Frames with room hang on the cache's `partial` list; a full frame hangs nowhere and
 * is found again through the object's own address; an empty one goes back to the frame allocator,
 * so that an idle cache costs nothing.
 */
#include "mm/frames/internal.h"

struct slab_page {
	struct slab_cache *cache;
	struct slab_page *next, *prev; /* on cache->partial */
	void *free;		       /* chain of free objects */
	uint32_t out, capacity;
};
static uint64_t frames;		      /* cut into objects, of all caches */
static struct slab_cache *all_caches; /* only ever grows: caches are static */

#define SLAB_HEADER ALIGN_UP(sizeof(struct slab_page), 64)

static void partial_add(struct slab_page *s)
{
	s->prev = NULL;
	s->next = s->cache->partial;
	if (s->next)
		s->next->prev = s;
	s->cache->partial = s;
}

static void partial_remove(struct slab_page *s)
{
	if (s->prev)
		s->prev->next = s->next;
	else
		s->cache->partial = s->next;
	if (s->next)
		s->next->prev = s->prev;
}

/* c->lock held. */
static void enlist(struct slab_cache *c)
{
	c->listed = true;
	c->next = __atomic_load_n(&all_caches, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&all_caches, &c->next, c, false, __ATOMIC_RELEASE,
					    __ATOMIC_RELAXED))
		;
}

uint64_t slab_objects(void)
{
	const struct slab_cache *c = __atomic_load_n(&all_caches, __ATOMIC_ACQUIRE);
	uint64_t n = 0;

	for (; c; c = c->next)
		n += __atomic_load_n(&c->in_use, __ATOMIC_RELAXED);
	return n;
}

uint64_t slab_frames(void)
{
	return __atomic_load_n(&frames, __ATOMIC_RELAXED);
}

#if SHADOW_BUILD
bool slab_find(struct mem_report *r)
{
	struct slab_page *s = (struct slab_page *)ALIGN_DOWN(r->at, PAGE_SIZE);
	const struct slab_cache *c = __atomic_load_n(&all_caches, __ATOMIC_ACQUIRE);
	uint64_t offset = r->at - (uintptr_t)s - SLAB_HEADER;

	while (c && c != s->cache)
		c = c->next;
	if (!c || offset / slab_step(c) >= s->capacity)
		return false;
	slab_debug_tell(c, (char *)s + SLAB_HEADER + offset / slab_step(c) * slab_step(c), r);
	return true;
}
#endif

static struct slab_page *slab_new(struct slab_cache *c)
{
	uint64_t phys = frame_alloc(0);
	uint32_t step = slab_step(c);
	struct slab_page *s;

	if (!phys)
		return NULL;
	if (!c->listed)
		enlist(c);
	__atomic_fetch_add(&frames, 1, __ATOMIC_RELAXED);
	s = phys_to_virt(phys);
	*s = (struct slab_page){.cache = c, .capacity = (PAGE_SIZE - SLAB_HEADER) / step};
	for (uint32_t i = s->capacity; i-- > 0;) {
		void **obj = (void **)((char *)s + SLAB_HEADER + i * step);

		slab_debug_new(c, obj);
		*obj = s->free;
		s->free = obj;
	}
	return s;
}

void *slab_alloc(struct slab_cache *c)
{
	uint64_t flags = spin_lock_irqsave(&c->lock);
	struct slab_page *s = c->partial;
	void **obj = NULL;

	ASSERT(c->size && c->size <= 2048, "slab '%s' needs a size of 1…2048 bytes, has %u",
	       c->name, c->size);
	if (alloc_fails())
		goto out;
	if (!s && (s = slab_new(c)))
		partial_add(s);
	if (s) {
		obj = s->free;
		s->free = *obj;
		c->in_use++;
		if (++s->out == s->capacity)
			partial_remove(s);
	}
out:
	spin_unlock_irqrestore(&c->lock, flags);
	if (obj)
		slab_debug_alloc(c, obj);
	if (obj)
		memset(obj, 0, c->size);
	return obj;
}

/* Where it is taken from first; in the debug build last, so that what was freed rests. */
static inline void put_free(struct slab_page *s, void *p)
{
	void **at = &s->free;

	while (DEBUG_BUILD && *at)
		at = *at;
	*(void **)p = *at;
	*at = p;
}

void slab_free(struct slab_cache *c, void *p)
{
	struct slab_page *s = (struct slab_page *)ALIGN_DOWN((uintptr_t)p, PAGE_SIZE);
	uint64_t flags;

	if (!slab_debug_free(c, p))
		return;
	flags = spin_lock_irqsave(&c->lock);
	ASSERT(s->cache == c, "object %p freed to slab '%s' must come from it", p, c->name);
	if (s->out == s->capacity)
		partial_add(s);
	put_free(s, p);
	c->in_use--;
	if (--s->out == 0) {
		partial_remove(s);
		slab_debug_gone(c, s->free);
		s->cache = NULL;
		__atomic_fetch_sub(&frames, 1, __ATOMIC_RELAXED);
		frame_free(virt_to_phys(s), 0);
	}
	spin_unlock_irqrestore(&c->lock, flags);
}
