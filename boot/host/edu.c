/* SPDX-License-Identifier: MIT */
/*
 * edu: a DMA device as QEMU has it (docs/specs/edu), less what nobody here uses.
 *
 * It moves some bytes between memory and a buffer of its own, DMA_NS after it was told to, and then
 * interrupts. Memory is reached by its file, not by any mapping of the kernel's, as a device does.
 */
#include "boot/host/machine.h"

enum {
	REG_ID = 0x00,
	REG_STATUS = 0x24,
	REG_ACK = 0x64,
	REG_SRC = 0x80,
	REG_DST = 0x88,
	REG_COUNT = 0x90,
	REG_CMD = 0x98,
};
#define ID	      0x010000edu
#define CMD_START     1u
#define CMD_TO_MEMORY 2u
#define CMD_IRQ	      4u
#define STATUS_DMA    0x100u
#define BUFFER	      0x40000u
#define BUFFER_LEN    4096u
#define DMA_NS	      100000000ull
#define DEVICES	      2u

static struct edu {
	uint64_t src, dst, count, cmd;
	uint32_t status;
	uint64_t due; /* zero means: idle */
	uint8_t buffer[BUFFER_LEN];
} edus[DEVICES];

uint64_t edu_read(unsigned n, unsigned reg)
{
	const struct edu *e = &edus[n];

	switch (reg) {
	case REG_ID: return ID;
	case REG_STATUS: return e->status;
	case REG_SRC: return e->src;
	case REG_DST: return e->dst;
	case REG_COUNT: return e->count;
	case REG_CMD: return e->cmd;
	default: return 0;
	}
}

void edu_write(unsigned n, unsigned reg, uint64_t v)
{
	struct edu *e = &edus[n];

	if (reg == REG_ACK)
		e->status &= ~(uint32_t)v;
	if (e->due) /* at work: it hears nothing else */
		return;
	switch (reg) {
	case REG_SRC: e->src = v; break;
	case REG_DST: e->dst = v; break;
	case REG_COUNT: e->count = v; break;
	case REG_CMD:
		e->cmd = v;
		if (v & CMD_START)
			e->due = machine_now + DMA_NS;
		machine_next = MIN(machine_next, e->due ? e->due : NEVER);
		break;
	default: break;
	}
}

static void transfer(unsigned n)
{
	struct edu *e = &edus[n];
	bool out = e->cmd & CMD_TO_MEMORY;
	uint64_t at = (out ? e->src : e->dst) - BUFFER, phys = out ? e->dst : e->src, start, end;
	unsigned memory;

	if (at >= BUFFER_LEN || e->count > BUFFER_LEN - at || !pci_may_master(n))
		return;
	if (firmware_memory(phys, &memory, &start, &end) && e->count <= end - phys)
		host_copy(memory, phys - start, e->buffer + at, e->count, out);
}

uint64_t edu_next(void)
{
	uint64_t first = NEVER;

	for (unsigned n = 0; n < DEVICES; n++)
		if (edus[n].due)
			first = MIN(first, edus[n].due);
	return first;
}

void edu_look(void)
{
	for (unsigned n = 0; n < DEVICES; n++) {
		struct edu *e = &edus[n];

		if (!e->due || e->due > machine_now)
			continue;
		transfer(n);
		e->due = 0;
		e->cmd &= ~(uint64_t)CMD_START;
		if (e->cmd & CMD_IRQ) {
			e->status |= STATUS_DMA;
			pci_interrupt(n);
		}
	}
}
