// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * The Linux column, kernel side: what a device behind an IOMMU is let at, through the functions
 * that drivers use; and a memory region, in the steps in which the RDMA core registers one.
 */
#include <linux/dma-mapping.h>
#include <linux/mm.h>
#include <linux/pci.h>
#include <linux/scatterlist.h>

#include "hfmodule.h"

/* ---- the DMA API ---- */

#define DMA_ORDER  10	/* pages of RAM that those of a call are taken from */
#define DMA_STRIDE 167u /* odd: visits each of 512 pages once, neighbours are none in memory */

static void dma_pages(const struct hfp_dma *d, struct page *from)
{
	u32 stride = d->where == HFP_DMA_SCATTERED ? DMA_STRIDE : 1, i;

	for (i = 0; i < d->pages; i++)
		hfp_pages[i] = from + (d->where != HFP_DMA_HUGE) + i * stride % HFP_MAX_PAGES;
}

static int dma_once(struct device *dev, struct sg_table *sgt, u64 *map_ticks, u64 *unmap_ticks)
{
	u64 a, b, c, d;
	int nr;

	a = hfp_ticks();
	nr = dma_map_sg(dev, sgt->sgl, sgt->orig_nents, DMA_FROM_DEVICE);
	b = hfp_ticks();
	if (!nr)
		return -EIO;
	c = hfp_ticks();
	dma_unmap_sg(dev, sgt->sgl, sgt->orig_nents, DMA_FROM_DEVICE);
	d = hfp_ticks();
	*map_ticks = b - a;
	*unmap_ticks = d - c;
	return 0;
}

/* Two pairs of marks: the mapping, its end. */
static int dma_marked(struct device *dev, struct sg_table *sgt)
{
	int nr;

	HFP_MARK(HFP_MARK_BEGIN);
	nr = dma_map_sg(dev, sgt->sgl, sgt->orig_nents, DMA_FROM_DEVICE);
	HFP_MARK(HFP_MARK_END);
	HFP_MARK(HFP_MARK_BEGIN);
	if (nr)
		dma_unmap_sg(dev, sgt->sgl, sgt->orig_nents, DMA_FROM_DEVICE);
	HFP_MARK(HFP_MARK_END);
	return nr ? 0 : -EIO;
}

static int dma_measure(struct device *dev, void *arg)
{
	struct hfp_dma *d = arg;
	struct sg_table sgt;
	u32 i;
	int err = sg_alloc_table_from_pages(&sgt, hfp_pages, d->pages, 0,
					    (size_t)d->pages << PAGE_SHIFT, GFP_KERNEL);

	if (err)
		return err;
	d->pieces = sgt.orig_nents;
	for (i = 0; i < d->repeats && !err; i++)
		err = dma_once(dev, &sgt, &hfp_there[i], &hfp_back[i]);
	if (!err && d->marked)
		err = dma_marked(dev, &sgt);
	sg_free_table(&sgt);
	return err;
}

/* The first edu has no driver; its domain is there since it was found. */
static int with_edu(int (*measure)(struct device *dev, void *arg), void *arg)
{
	struct pci_dev *edu = pci_get_device(0x1234, 0x11e8, NULL);
	int err = edu ? dma_set_mask_and_coherent(&edu->dev, DMA_BIT_MASK(40)) : -ENODEV;

	if (!err) {
		dma_set_max_seg_size(&edu->dev, UINT_MAX);
		err = measure(&edu->dev, arg);
	}
	pci_dev_put(edu);
	return err;
}

int hfp_dma(struct hfp_dma *d)
{
	struct page *from;
	int err;

	if (hfp_bad_sizes(d->pages, d->repeats))
		return -EINVAL;
	from = alloc_pages(GFP_KERNEL, DMA_ORDER);
	if (!from)
		return -ENOMEM;
	dma_pages(d, from);
	err = with_edu(dma_measure, d);
	__free_pages(from, DMA_ORDER);
	return err ?: hfp_give_ticks(d->map, d->unmap, d->repeats);
}

/* ---- a memory region ---- */

static struct sg_table region_list;

static int region_in(struct device *dev, const struct hfp_region *r)
{
	int nr = pin_user_pages_fast(r->addr, r->pages, FOLL_WRITE, hfp_pages);

	if (nr != r->pages)
		return nr < 0 ? nr : -EFAULT;
	if (sg_alloc_table_from_pages(&region_list, hfp_pages, nr, 0, (size_t)nr << PAGE_SHIFT,
				      GFP_KERNEL))
		return -ENOMEM;
	return dma_map_sg(dev, region_list.sgl, region_list.orig_nents, DMA_BIDIRECTIONAL) ? 0
											   : -EIO;
}

static void region_out(struct device *dev, const struct hfp_region *r)
{
	u32 i;

	dma_unmap_sg(dev, region_list.sgl, region_list.orig_nents, DMA_BIDIRECTIONAL);
	sg_free_table(&region_list);
	for (i = 0; i < r->pages; i++)
		unpin_user_page(hfp_pages[i]);
}

static int region_once(struct device *dev, const struct hfp_region *r, u64 *in, u64 *out)
{
	u64 a, b, c, d;
	int err;

	a = hfp_ticks();
	err = region_in(dev, r);
	b = hfp_ticks();
	if (err)
		return err;
	c = hfp_ticks();
	region_out(dev, r);
	d = hfp_ticks();
	*in = b - a;
	*out = d - c;
	return 0;
}

/* Two pairs of marks. */
static int region_marked(struct device *dev, struct hfp_region *r)
{
	int err;

	HFP_MARK(HFP_MARK_BEGIN);
	err = region_in(dev, r);
	HFP_MARK(HFP_MARK_END);
	r->pieces = region_list.orig_nents;
	HFP_MARK(HFP_MARK_BEGIN);
	if (!err)
		region_out(dev, r);
	HFP_MARK(HFP_MARK_END);
	return err;
}

static int region_measure(struct device *dev, void *arg)
{
	struct hfp_region *r = arg;
	int err = 0;
	u32 i;

	for (i = 0; i < r->repeats && !err; i++)
		err = region_once(dev, r, &hfp_there[i], &hfp_back[i]);
	return err ?: region_marked(dev, r);
}

int hfp_region(struct hfp_region *r)
{
	if (hfp_bad_sizes(r->pages, r->repeats))
		return -EINVAL;
	return with_edu(region_measure, r) ?: hfp_give_ticks(r->in, r->out, r->repeats);
}
