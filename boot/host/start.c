/* SPDX-License-Identifier: MIT */
/*
 * The machine is turned on: memory, CPUs, tables, and then the kernel as any boot path enters it.
 */
#include "boot/host/machine.h"

struct host_config machine;

uint64_t devices_next(void)
{
	return MIN(uart_next(), edu_next());
}

void devices_look(void)
{
	if (uart_next() <= machine_now)
		uart_look();
	if (edu_next() <= machine_now)
		edu_look();
}

void machine_off(void)
{
	valgrind_end();
}

void machine_start(const struct host_config *config)
{
	valgrind_init();
	machine = *config;
	cpus_init(machine.cpus);
	mmu_init();
	kernel_main(firmware_init());
}
