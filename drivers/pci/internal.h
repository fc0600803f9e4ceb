/* SPDX-License-Identifier: MIT */
/* What the files of the PCI provider share with each other and with nobody else. */
#ifndef DRIVERS_PCI_INTERNAL_H
#define DRIVERS_PCI_INTERNAL_H

#include "mm/mm.h"
#include "drivers/pci/pci.h"

/* Make the ECAM window of a bus reachable, if the MCFG has one; else ports are used. */
void pci_map_bus(uint8_t bus);
/* What it is, in a word or two: by its ids, else by its class. Never NULL. */
const char *pci_kind(const struct pci_device *d);
/* No driver has it, and it is none of the things that a board has anyway. Constant after boot. */
bool pci_idle(const struct pci_device *d);
/* The same register through the ports, for a test that both ways agree. */
uint32_t pci_read32_ports(const struct pci_device *d, unsigned off);

#endif
