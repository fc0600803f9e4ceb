/* SPDX-License-Identifier: MIT */
/*
 * An importer of an exported buffer (dmabuf.c): an edu device that writes into it.
 *
 * Told to stop it begins no transfer any more. What runs is let run: the device cannot be called
 * back, and its mapping goes behind its last completion. A deaf one stands for a driver that does
 * not do its part.
 */
#include "drivers/clients/internal.h"

/* Told under the exporter's lock: nothing new, and the mapping goes when nothing runs. */
static void stop_importing(struct dmabuf_importer *imp)
{
	struct edu_importer *i = container_of(imp, struct edu_importer, imp);

	if (i->deaf)
		return;
	mutex_lock(&i->lock);
	i->stopped = true;
	if (!i->running)
		dmabuf_unmap(imp);
	mutex_unlock(&i->lock);
}

int edu_importer_open(struct edu_importer *i, struct edu *e, struct dmabuf *buf)
{
	int err;

	mutex_init(&i->lock, "importer");
	i->e = e;
	i->imp = (struct dmabuf_importer){
		.name = "edu importer", .dev = edu_dma(e), .invalidate = stop_importing};
	err = dmabuf_attach(buf, &i->imp);
	if (err)
		return err;
	err = dmabuf_map(&i->imp);
	if (err)
		dmabuf_detach(&i->imp);
	return err;
}

/* Nothing new begins once it was told. */
static int begin_transfer(struct edu_importer *i)
{
	int err = 0;

	mutex_lock(&i->lock);
	if (i->stopped)
		err = refuse(
			-ENODEV,
			"the buffer was revoked: nothing new begins; what its exporter has may be "
			"exported anew, and imported");
	else
		i->running++;
	mutex_unlock(&i->lock);
	return err;
}

static void end_transfer(struct edu_importer *i)
{
	mutex_lock(&i->lock);
	if (!--i->running && i->stopped)
		dmabuf_unmap(&i->imp);
	mutex_unlock(&i->lock);
}

int edu_importer_receive(struct edu_importer *i, const char *text)
{
	int err = begin_transfer(i);

	if (err)
		return err;
	err = longterm_transfer(i->e, &i->imp.map, text);
	end_transfer(i);
	return err;
}

void edu_importer_close(struct edu_importer *i)
{
	dmabuf_unmap(&i->imp);
	dmabuf_detach(&i->imp);
}
