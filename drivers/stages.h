/* SPDX-License-Identifier: MIT */
/* The boot stages of this floor, between those of kernel/kernel.h. */
#ifndef DRIVERS_STAGES_H
#define DRIVERS_STAGES_H

#include "kernel/kernel.h"

enum {
	INIT_TABLES = 20,  /* ACPI tables; the CPUs come behind them */
	INIT_BUS = 40,	   /* PCI; one more: NFIT, which asks where devices lie */
	INIT_DEVICES = 50, /* pmem regions bound, edu, disks */
	INIT_SCRATCH = 55, /* which regions may be overwritten is known */
};

#endif
