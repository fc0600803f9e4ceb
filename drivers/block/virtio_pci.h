/* SPDX-License-Identifier: MIT */
/*
 * virtio over PCI, modern interface only (virtio 1.0, section 4.1).
 *
 * Where the registers are is told by vendor capabilities (id 9): which BAR, offset, length. The
 * order of a start is the specification's (3.1): reset, acknowledge, features, queues, go. A reset
 * that was seen to end is also the proof that nothing of an earlier life is still under way; only
 * then the function may master the bus.
 */
#ifndef DRIVERS_BLOCK_VIRTIO_PCI_H
#define DRIVERS_BLOCK_VIRTIO_PCI_H

#include "drivers/pci/pci.h"
#include "drivers/block/virtio_ring.h"

#define VIRTIO_VENDOR		 0x1af4
#define VIRTIO_F_VERSION_1	 (1ull << 32)
#define VIRTIO_F_ACCESS_PLATFORM (1ull << 33) /* addresses pass the platform's translation */

struct virtio_device {
	struct pci_device *pci;
	volatile uint8_t *common; /* 56 bytes of registers */
	volatile uint8_t *notify; /* the notification area */
	uint32_t notify_len, notify_step;
	volatile uint8_t *config; /* the device type's own registers; NULL: none */
	uint32_t config_len;
	uint64_t features; /* what was agreed on */
	uint16_t queue;	   /* its one queue, and where it is told that there is something in it */
	volatile uint16_t *bell;
};

/* Finds and maps the registers, resets the device and waits until it is. The function is claimed.
 * -ENODEV: not a modern device. -EIO: a capability that cannot be; -EBUSY: the reset does not end;
 * -ENOMEM. *why gets a sentence. */
int virtio_attach(struct virtio_device *v, struct pci_device *pci, const char **why);
/* Agrees on VERSION_1, and on those of `wanted` that the device offers. -ENODEV: it does not speak
 * 1.0, or refuses the choice. */
int virtio_negotiate(struct virtio_device *v, uint64_t wanted, const char **why);
/* Sets up queue n, the only one, with a ring of at most `most` descriptors, interrupting through
 * entry `msix` of the function's MSI-X table. */
int virtio_queue(struct virtio_device *v, unsigned n, unsigned most, unsigned msix,
		 struct vring *ring, const char **why);
void virtio_go(struct virtio_device *v);     /* DRIVER_OK */
void virtio_notify(struct virtio_device *v); /* its queue has something new */
/* Stops the device: mastering off, reset, and waits until it is. False: it did not within a second.
 * Any context. */
bool virtio_stop(struct virtio_device *v);
/* n bytes (1, 2, 4, 8) of the type's registers; what the device does not have reads as zero. */
uint64_t virtio_config(const struct virtio_device *v, unsigned off, unsigned n);

#endif
