/* SPDX-License-Identifier: MIT */
#include "tests/kernel/lib/model_disk.h"

int model_disk_init(struct model_disk *m, uint64_t sectors, unsigned segments, unsigned ring)
{
	struct vblk *d = &m->disk;

	memset(m, 0, sizeof(*m));
	d->virtio.dma = (struct dma_device)DMA_DIRECT("model");
	d->virtio.common = (uint8_t *)m->registers;
	d->virtio.bell = &m->bell;
	snprintf(d->dev.name, sizeof(d->dev.name), "model");
	d->dev.sectors = sectors;
	d->dev.max_segs = segments;
	return vring_init(&d->ring, &d->virtio.dma, ring) ?: vblk_init(d);
}

void model_disk_free(struct model_disk *m)
{
	vring_free(&m->disk.ring);
	dma_free_memory(&m->disk.shared);
}
