/* SPDX-License-Identifier: MIT */
/*
 * A frame grabber: a user's buffers wait in a queue for frames that a camera may never send.
 *
 * Queueing pins a buffer. It is let go by dequeueing it, with a frame in it, or by stopping the
 * stream. Each way out takes the holder off first, so that a report never names a holder whose
 * pages are gone.
 */
#include "drivers/clients/internal.h"

int grabber_queue(struct grabber *g, uint64_t addr, unsigned nr)
{
	unsigned slot = 0;
	int err;

	while (slot < GRABBER_BUFFERS && g->buffer[slot].nr)
		slot++;
	if (slot == GRABBER_BUFFERS)
		return -EBUSY;
	err = longterm_pin(addr, nr, g->buffer[slot].pages);
	if (err)
		return err;
	g->buffer[slot].nr = nr;
	g->buffer[slot].holder =
		(struct holder){.what = "frame buffer", .pages = g->buffer[slot].pages, .nr = nr};
	holder_add(&g->buffer[slot].holder);
	return slot;
}

static void unpin_buffer(struct grabber *g, unsigned slot)
{
	holder_remove(&g->buffer[slot].holder);
	unpin_user_pages(g->buffer[slot].pages, g->buffer[slot].nr);
	g->buffer[slot].nr = 0;
}

int grabber_dequeue(struct grabber *g, struct edu *e, unsigned slot, const char *text)
{
	int err;

	if (slot >= GRABBER_BUFFERS || !g->buffer[slot].nr)
		return -EINVAL;
	err = longterm_transfer(g->buffer[slot].pages, g->buffer[slot].nr, e, text);
	if (!err)
		unpin_buffer(g, slot);
	return err;
}

void grabber_stop(struct grabber *g)
{
	for (unsigned slot = 0; slot < GRABBER_BUFFERS; slot++)
		if (g->buffer[slot].nr)
			unpin_buffer(g, slot);
}
