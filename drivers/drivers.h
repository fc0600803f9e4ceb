/* SPDX-License-Identifier: MIT */
/*
 * The drivers floor's public face: what firmware tells, what the buses hold, persistent memory, and
 * the devices that do DMA: edu, and disks.
 */
#ifndef DRIVERS_DRIVERS_H
#define DRIVERS_DRIVERS_H

#include "mm/mm.h"
#include "drivers/acpi.h"
#include "drivers/nfit.h"
#include "drivers/pci.h"
#include "drivers/pmem.h"
#include "drivers/edu.h"
#include "drivers/bio.h"
#include "drivers/virtio_blk.h"
#include "drivers/dax_probe.h"

#endif
