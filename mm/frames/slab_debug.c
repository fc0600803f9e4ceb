/* SPDX-License-Identifier: MIT */
/*
 * Slab objects of the debug build; see internal.h.
 *
 *     | the caller's bytes | red zone | struct past |
 *
 * The first word of a free object is the slab's chain and is not looked at as poison; a chain that
 * leads out of the frame was written over.
 */
#include "mm/frames/internal.h"

#if DEBUG_BUILD

#define LIVE  0x4c495645u
#define FREED 0x46524545u

struct past {
	uint32_t state; /* LIVE or FREED */
	struct mem_site allocated, freed;
};

static uint32_t bytes_of(const struct slab_cache *c)
{
	return ALIGN_UP(c->size, 16);
}

static struct past *past_of(const struct slab_cache *c, void *obj)
{
	return (struct past *)((char *)obj + bytes_of(c) + MEM_RED_LEN);
}

uint32_t slab_step(const struct slab_cache *c)
{
	return bytes_of(c) + MEM_RED_LEN + ALIGN_UP(sizeof(struct past), 16);
}

void slab_debug_new(const struct slab_cache *c, void *obj)
{
	*past_of(c, obj) = (struct past){.state = FREED};
	memset(obj, MEM_POISON, bytes_of(c));
	memset((char *)obj + c->size, MEM_RED, bytes_of(c) - c->size + MEM_RED_LEN);
	mem_close(obj, slab_step(c), MEM_RED);
}

static bool wrong(const struct slab_cache *c, void *obj, struct mem_report *r)
{
	struct past *p = past_of(c, obj);
	const uint8_t *at;

	*r = (struct mem_report){.what = c->name,
				 .addr = (uintptr_t)obj,
				 .size = c->size,
				 .allocated = p->allocated,
				 .freed = p->freed};
	if ((at = mem_other_than((char *)obj + c->size, MEM_RED,
				 bytes_of(c) - c->size + MEM_RED_LEN)))
		r->fault = MEM_OVERFLOW;
	else if (p->state == FREED && c->size > 8 &&
		 (at = mem_other_than((char *)obj + 8, MEM_POISON, c->size - 8)))
		r->fault = MEM_AFTER_FREE;
	r->at = (uintptr_t)at;
	return at != NULL;
}

void slab_debug_alloc(const struct slab_cache *c, void *obj)
{
	struct past *p = past_of(c, obj);
	struct mem_report r;

	if (wrong(c, obj, &r)) {
		mem_fault(&r);
		slab_debug_new(c, obj); /* said once */
	}
	p->state = LIVE;
	MEM_NOTE(&p->allocated);
	mem_open(obj, c->size);
}

bool slab_debug_free(const struct slab_cache *c, void *obj)
{
	struct past *p = past_of(c, obj);
	struct mem_report r;
	bool bad = wrong(c, obj, &r);

	if (p->state != LIVE) {
		r.fault = p->state == FREED ? MEM_FREED_TWICE : MEM_NEVER_GIVEN;
		r.at = 0;
		mem_fault(&r);
		return false;
	}
	if (bad)
		mem_fault(&r);
	p->state = FREED;
	MEM_NOTE(&p->freed);
	memset(obj, MEM_POISON, bytes_of(c));
	memset((char *)obj + c->size, MEM_RED, bytes_of(c) - c->size + MEM_RED_LEN);
	mem_close(obj, bytes_of(c), MEM_POISON);
	return true;
}

void slab_debug_tell(const struct slab_cache *c, void *obj, struct mem_report *r)
{
	const struct past *p = past_of(c, obj);

	r->allocated = p->allocated;
	if (p->state == FREED)
		r->freed = p->freed;
}

void slab_debug_gone(const struct slab_cache *c, void *chain)
{
	struct mem_report r;

	for (void *obj = chain; obj; obj = *(void **)obj)
		if (wrong(c, obj, &r))
			mem_fault(&r);
}

#endif
