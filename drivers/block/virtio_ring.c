/* SPDX-License-Identifier: MIT */
/* The split ring; see internal.h. */
#include "drivers/block/internal.h"

_Static_assert(sizeof(struct vring_desc) * VRING_MAX == PAGE_SIZE, "descriptors fill one frame");
_Static_assert(sizeof(struct vring_avail) <= VRING_USED_OFFSET - VRING_AVAIL_OFFSET &&
		       sizeof(struct vring_used) + VRING_USED_OFFSET <= 2 * PAGE_SIZE,
	       "both rings fit into the second frame");

int vring_init(struct vring *r, struct dma_device *dev, unsigned size)
{
	char *mem;
	int err;

	if (!size || size > VRING_MAX || (size & (size - 1)))
		return -EINVAL;
	*r = (struct vring){.size = (uint16_t)size, .nr_free = (uint16_t)size};
	r->mem.map.what = "ring";
	err = dma_alloc(dev, &r->mem, 1, DMA_BOTH);
	if (err)
		return err;
	mem = r->mem.at;
	r->desc = (void *)mem;
	r->avail = (void *)(mem + VRING_AVAIL_OFFSET);
	r->used = (void *)(mem + VRING_USED_OFFSET);
	for (unsigned i = 0; i < size; i++)
		r->own_next[i] = (uint16_t)(i + 1);
	return 0;
}

void vring_free(struct vring *r)
{
	dma_free_memory(&r->mem);
}

int vring_add(struct vring *r, const struct vring_buf *buf, unsigned n, void *owner)
{
	uint16_t head = r->free, at = head, idx = r->avail->idx;

	if (!n || n > r->nr_free)
		return -ENOSPC;
	r->chain[head].owner = owner;
	r->chain[head].nr = (uint16_t)n;
	r->chain[head].writable = 0;
	for (unsigned i = 0; i < n; i++) {
		volatile struct vring_desc *d = &r->desc[at];

		d->addr = buf[i].bus;
		d->len = buf[i].len;
		d->next = i + 1 < n ? r->own_next[at] : 0;
		d->flags = (i + 1 < n ? VRING_NEXT : 0) | (buf[i].device_writes ? VRING_WRITE : 0);
		if (buf[i].device_writes)
			r->chain[head].writable += buf[i].len;
		at = r->own_next[at];
	}
	r->free = at;
	r->nr_free -= n;
	r->nr_chains++;
	r->avail->ring[idx & (r->size - 1)] = head;
	/* Chain and ring entry before the index, else the device follows an old chain. */
	__atomic_store_n(&r->avail->idx, (uint16_t)(idx + 1), __ATOMIC_RELEASE);
	return 0;
}

bool vring_wants_notify(const struct vring *r)
{
	/* Our index before its flag, else both sides miss: it stops looking, and we do not tell. */
	smp_mb();
	return !(r->used->flags & 1);
}

/* The descriptors of a chain are free again. */
static void give_back(struct vring *r, uint16_t head)
{
	uint16_t last = head;

	for (unsigned i = 1; i < r->chain[head].nr; i++)
		last = r->own_next[last];
	r->own_next[last] = r->free;
	r->free = head;
	r->nr_free += r->chain[head].nr;
	r->chain[head].owner = NULL;
	r->nr_chains--;
}

int vring_take(struct vring *r, void **owner, uint32_t *written, const char **why)
{
	/* The index before the entry, else the entry may be one of a lap ago. */
	uint16_t idx = __atomic_load_n(&r->used->idx, __ATOMIC_ACQUIRE);
	uint32_t id, len;

	if (idx == r->last_used)
		return 0;
	if ((uint16_t)(idx - r->last_used) > r->nr_chains) {
		*why = "it says that more requests are done than it was given";
		return -EPROTO;
	}
	id = r->used->ring[r->last_used & (r->size - 1)].id;
	len = r->used->ring[r->last_used & (r->size - 1)].len;
	if (id >= r->size || !r->chain[id].owner) {
		*why = "it gives back a request that it was not given";
		return -EPROTO;
	}
	if (len > r->chain[id].writable) {
		*why = "it says that it wrote more bytes than it had room for";
		return -EPROTO;
	}
	r->last_used++;
	*owner = r->chain[id].owner;
	*written = len;
	give_back(r, (uint16_t)id);
	return 1;
}
