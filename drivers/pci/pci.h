/* SPDX-License-Identifier: MIT */
/*
 * PCI: what is plugged in, and who may write to memory by itself.
 *
 * The list of functions is made once at boot and never changes; a struct pci_device stays valid
 * for ever. Before anything is mounted, bus mastering is off for every function that is not a
 * bridge: after a warm reset a device may still be carrying out what an earlier system told it, and
 * memory now belongs to somebody else. A driver claims its function, waits until the device is
 * idle, and only then turns mastering on.
 *
 * Source: PCI Local Bus 3.0 chapter 6, PCI Express 3.0 section 7.2.2 (configuration in memory).
 */
#ifndef DRIVERS_PCI_PCI_H
#define DRIVERS_PCI_PCI_H

#include "kernel/kernel.h"

#define PCI_COMMAND	   0x04 /* 16 bit */
#define PCI_COMMAND_IO	   0x001u
#define PCI_COMMAND_MEMORY 0x002u
#define PCI_COMMAND_MASTER 0x004u
#define PCI_COMMAND_NOINTX 0x400u
#define PCI_CAP_MSI	   0x05
#define PCI_CAP_VENDOR	   0x09
#define PCI_CAP_EXPRESS	   0x10
#define PCI_CAP_MSIX	   0x11

/* One base address register (the upper half of a 64-bit one has size 0). */
struct pci_bar {
	uint64_t phys; /* memory address or I/O port */
	uint64_t size; /* bytes; zero means there is no such BAR */
	bool io, wide, prefetchable;
	void *mapped; /* by pci_map_bar(); NULL: not yet */
};

struct pci_device {
	uint8_t bus, dev, fn;
	char name[8]; /* "00:1f.2" */
	uint16_t vendor, device, sub_vendor, sub_device;
	uint8_t class_code, subclass, prog_if, revision;
	uint8_t header;	     /* 0 ordinary, 1 bridge to another bus */
	bool bridge;	     /* class 6: nothing of it is ever changed */
	uint8_t secondary;   /* header 1: the bus behind it */
	uint8_t irq_pin;     /* 1..4 = INTA..INTD, 0: none */
	bool master_at_boot; /* the firmware left mastering on; we turned it off */
	const char *driver;  /* who claimed it, NULL: nobody */
	struct pci_bar bar[6];
};

unsigned pci_count(void);
struct pci_device *
pci_at(unsigned i); /* i-th in the order of bus, device, function; NULL: no more */
/* n-th (from 0) function with these ids, or NULL. */
struct pci_device *pci_find(uint16_t vendor, uint16_t device, unsigned n);

/* Configuration space, `off` aligned to the access and below 256; elsewhere all ones are read, and
 * a store goes nowhere, as with a function that is not there. Any context. */
uint8_t pci_read8(const struct pci_device *d, unsigned off);
uint16_t pci_read16(const struct pci_device *d, unsigned off);
uint32_t pci_read32(const struct pci_device *d, unsigned off);
void pci_write8(const struct pci_device *d, unsigned off, uint8_t v);
void pci_write16(const struct pci_device *d, unsigned off, uint16_t v);
void pci_write32(const struct pci_device *d, unsigned off, uint32_t v);
/* "ECAM" or "ports 0xcf8/0xcfc". */
const char *pci_access_name(void);

/* Make `d` this driver's. 0, or -EBUSY: another driver has it. Boot or thread context. */
int pci_claim(struct pci_device *d, const char *driver);
/*
 * May the device write and read memory by itself? Turning it on needs a claim, and a device that
 * is idle; bridges are left alone (-EPERM). Off takes effect at once for what has not started.
 */
int pci_set_bus_master(struct pci_device *d, bool on);
bool pci_is_bus_master(const struct pci_device *d);

/*
 * Map BAR `n` uncached and turn on memory decoding; the same pointer at every call. NULL: no such
 * BAR, an I/O BAR, no address was given to it, or no memory for the tables. Thread context.
 */
void *pci_map_bar(struct pci_device *d, unsigned n);

/* Offset of the first capability of that id, or 0. Bounded: a looped list ends. */
unsigned pci_find_cap(const struct pci_device *d, uint8_t id);

/*
 * One MSI message, sent to the CPU with that local APIC id as interrupt `vector` (edge); INTx is
 * turned off. -ENODEV: the function has no MSI. -EINVAL: vector below 16 or above 254.
 */
int pci_msi_enable(struct pci_device *d, uint32_t apic_id, int vector);
/* The same by entry `entry` of the function's MSI-X table (pci_msix.c). -ENODEV: it has none.
 * -EINVAL: no such entry, vector or CPU. -EIO: the table is not where the function says. -ENOMEM.
 */
int pci_msix_enable(struct pci_device *d, unsigned entry, uint32_t apic_id, int vector);
void pci_msix_disable(struct pci_device *d);

#endif
