/* SPDX-License-Identifier: MIT */
/*
 * A frame grabber: a user's buffers wait in a queue for frames that a camera may never send.
 *
 * Queueing pins a buffer and registers it with the camera's device. It is let go by dequeueing it,
 * with a frame in it, or by stopping the stream.
 */
#include "drivers/clients/internal.h"

int grabber_queue(struct grabber *g, struct edu *e, uint64_t addr, unsigned nr)
{
	unsigned slot = 0;
	int err;

	if (!e)
		return refuse(-ENODEV, NO_EDU);
	while (slot < GRABBER_BUFFERS && g->buffer[slot].held.nr)
		slot++;
	if (slot == GRABBER_BUFFERS)
		return refuse(-EBUSY, "all %u buffers are queued; dequeue one", GRABBER_BUFFERS);
	err = longterm_register(&g->buffer[slot].held, edu_dma(e), addr, nr, "frame buffer");
	if (err)
		return err;
	g->buffer[slot].camera = e;
	return (int)slot;
}

int grabber_dequeue(struct grabber *g, unsigned slot, const char *text)
{
	int err;

	if (slot >= GRABBER_BUFFERS || !g->buffer[slot].held.nr)
		return refuse(-EINVAL, "nothing is queued there");
	err = longterm_transfer(g->buffer[slot].camera, &g->buffer[slot].held.map, text);
	if (!err)
		longterm_drop(&g->buffer[slot].held);
	return err;
}

void grabber_stop(struct grabber *g)
{
	for (unsigned slot = 0; slot < GRABBER_BUFFERS; slot++)
		if (g->buffer[slot].held.nr)
			longterm_drop(&g->buffer[slot].held);
}
