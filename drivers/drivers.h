/* SPDX-License-Identifier: MIT */
/*
 * The drivers floor's public face: what firmware tells, what the buses hold, persistent memory, and
 * the devices that do DMA: edu, and disks.
 */
#ifndef DRIVERS_DRIVERS_H
#define DRIVERS_DRIVERS_H

#include "mm/mm.h"
#include "drivers/stages.h"
#include "drivers/acpi/acpi.h"
#include "drivers/nfit/nfit.h"
#include "drivers/pci/pci.h"
#include "drivers/pmem/pmem.h"
#include "drivers/edu/edu.h"
#include "drivers/block/bio.h"
#include "drivers/block/virtio_blk.h"
#include "drivers/pmem/dax_probe.h"

#endif
