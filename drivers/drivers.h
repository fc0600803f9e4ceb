/* SPDX-License-Identifier: MIT */
/*
 * The drivers floor's public face: what firmware tells, what the buses hold, persistent memory, and
 * the devices that do DMA: edu, and disks.
 */
#ifndef DRIVERS_DRIVERS_H
#define DRIVERS_DRIVERS_H

#include "mm/mm.h"

/* The boot stages of this floor, between those of kernel.h. */
enum {
	INIT_TABLES = 20,  /* ACPI tables; the CPUs come behind them */
	INIT_BUS = 40,	   /* PCI; one more: NFIT, which asks where devices lie */
	INIT_DEVICES = 50, /* pmem regions bound, edu, disks */
	INIT_SCRATCH = 55, /* which regions may be overwritten is known */
};

#include "drivers/acpi/acpi.h"
#include "drivers/nfit/nfit.h"
#include "drivers/pci/pci.h"
#include "drivers/pmem/pmem.h"
#include "drivers/iommu/iommu.h"
#include "drivers/edu/edu.h"
#include "drivers/block/bio.h"

#endif
