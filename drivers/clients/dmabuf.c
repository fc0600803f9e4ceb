/* SPDX-License-Identifier: MIT */
/*
 * Buffers that one driver exports and others import, and how the exporter gets them back.
 *
 * Until 2025 an importer had a buffer for as long as it liked. An exporter whose memory may vanish
 * (vfio: the device behind it is reset; RDMA) has to take it back in bounded time, and so Linux got
 * revocable importers ("dma-buf: Use revoke mechanism to invalidate shared buffers", 2026):
 *
 *   1. revoked: from now on nobody maps the buffer any more;
 *   2. every importer is told, once: begin nothing new, and unmap as soon as what runs is over;
 *   3. the exporter waits until all have unmapped, but no longer than its bound;
 *   4. who has not is named. If an IOMMU stands before its device the translation is cut: what the
 *      device still does are faults, and the pages are the exporter's. Without one the pages have
 *      to stay where they are: the exporter is told so, and may ask again.
 *
 * An importer that cannot be told is refused when it attaches: step 3 would have no bound for it.
 */
#include "drivers/clients/internal.h"

#define REVOKED "%s was revoked by its exporter, for good: what it has may be exported anew"

void dmabuf_export(struct dmabuf *buf, const char *name, struct page *const *pages, unsigned nr)
{
	*buf = (struct dmabuf){.name = name, .pages = pages, .nr = nr};
	mutex_init(&buf->lock, "exported buffer");
	mutex_init(&buf->map_lock, "exported buffer's mappings");
	LIST_INIT(&buf->importers);
}

int dmabuf_attach(struct dmabuf *buf, struct dmabuf_importer *imp)
{
	int err = 0;

	if (!imp->invalidate)
		return refuse(
			-EOPNOTSUPP,
			"%s cannot be told to stop (it has no invalidate method): %s could not "
			"be taken back from it in bounded time",
			imp->name, buf->name);
	mutex_lock(&buf->lock);
	if (buf->revoked)
		err = refuse(-ENODEV, REVOKED, buf->name);
	else
		LIST_INSERT_HEAD(&buf->importers, imp, link);
	mutex_unlock(&buf->lock);
	if (!err)
		imp->buf = buf;
	return err;
}

int dmabuf_map(struct dmabuf_importer *imp)
{
	struct dmabuf *buf = imp->buf;
	int err;

	mutex_lock(&buf->map_lock);
	imp->map.what = buf->name;
	refusal_clear();
	err = buf->revoked   ? refuse(-ENODEV, REVOKED, buf->name)
	      : imp->map.dev ? refuse(-EBUSY, "%s has mapped %s already", imp->name, buf->name)
			     : dma_map(imp->dev, &imp->map, buf->pages, buf->nr, DMA_BOTH);
	buf->mapped += !err;
	mutex_unlock(&buf->map_lock);
	return err && !*refusal() ? refuse_map(err, imp->dev, "exported buffer") : err;
}

void dmabuf_unmap(struct dmabuf_importer *imp)
{
	struct dmabuf *buf = imp->buf;

	mutex_lock(&buf->map_lock);
	if (imp->map.dev) {
		dma_unmap(&imp->map);
		/* Its reach is over before the count falls, else the exporter frees under it. */
		__atomic_sub_fetch(&buf->mapped, 1, __ATOMIC_RELEASE);
	}
	mutex_unlock(&buf->map_lock);
	wake_up(buf);
}

void dmabuf_detach(struct dmabuf_importer *imp)
{
	struct dmabuf *buf = imp->buf;

	ASSERT(!imp->map.dev, "%s detaches from %s and has it mapped", imp->name, buf->name);
	mutex_lock(&buf->lock);
	LIST_REMOVE(imp, link);
	mutex_unlock(&buf->lock);
	imp->buf = NULL;
}

static bool all_unmapped(const struct dmabuf *buf)
{
	return !__atomic_load_n(&buf->mapped, __ATOMIC_ACQUIRE);
}

/* Until nobody has it mapped, or the bound. */
static void wait_unmapped(struct dmabuf *buf, uint64_t until)
{
	struct waiter w = {0};

	assert_no_global_lock("an importer");
	do {
		wait_prepare(&w, buf, "an importer to unmap a buffer",
			     "dmabuf_unmap(), or its bound");
		if (all_unmapped(buf))
			break;
	} while (wait_sleep_until(&w, until));
	wait_finish(&w);
}

/* Step 4: the late ones by name into who; how many of them still reach the pages. */
static unsigned end_late(struct dmabuf *buf, char *who, unsigned n)
{
	struct dmabuf_importer *imp;
	unsigned reach = 0, at = 0;

	mutex_lock(&buf->lock);
	mutex_lock(&buf->map_lock);
	LIST_FOREACH (imp, &buf->importers, link) {
		bool cut = imp->map.dev && !dma_cut(&imp->map);

		if (!imp->map.dev || at >= n)
			continue;
		at += snprintf(who + at, n - at, "%s%s on %s (%s)", at ? ", " : "", imp->name,
			       imp->dev->name, cut ? "cut off" : imp->dev->direct);
		reach += !cut;
	}
	mutex_unlock(&buf->map_lock);
	mutex_unlock(&buf->lock);
	return reach;
}

/* Steps 1 and 2. */
static void tell(struct dmabuf *buf)
{
	struct dmabuf_importer *imp;
	bool first;

	mutex_lock(&buf->lock);
	mutex_lock(
		&buf->map_lock); /* whoever maps now is told below, whoever comes later refused */
	first = !buf->revoked;
	buf->revoked = true;
	mutex_unlock(&buf->map_lock);
	LIST_FOREACH (imp, &buf->importers, link)
		if (first)
			imp->invalidate(imp);
	mutex_unlock(&buf->lock);
}

int dmabuf_revoke(struct dmabuf *buf, uint64_t bound_ns)
{
	uint64_t until = clock_ns() + bound_ns;
	char who[160] = "";
	unsigned reach;

	tell(buf);
	wait_unmapped(buf, until);
	if (all_unmapped(buf))
		return 0;
	reach = end_late(buf, who, sizeof(who));
	if (reach)
		return refuse(-EBUSY,
			      "%s is still mapped after %lu ms, and its pages have to stay: %s",
			      buf->name, bound_ns / 1000000, who);
	return *who ? refuse(-ETIMEDOUT, "%s was not unmapped within %lu ms: %s", buf->name,
			     bound_ns / 1000000, who)
		    : 0; /* in the last moment */
}
