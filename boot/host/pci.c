/* SPDX-License-Identifier: MIT */
/*
 * PCI: configuration space by address and data port, and the registers behind base address 0.
 *
 * Bus 0 has the host bridge, without which a machine has no PCI at all, and two DMA devices
 * (edu.c). A function is 256 bytes, and as many that say which bits of them can be written; that is
 * all there is to a command register, the size of a region, a message-signalled interrupt.
 *
 * Registers are where no memory is, so an access ends in a page fault that mmu.c cannot fill: it
 * comes here, the instruction is read, and what it asks for is done in its place.
 */
#include "boot/host/machine.h"

#define FUNCTIONS 3u /* device numbers 0 … 2 */
#define COMMAND	  0x04u
#define BAR0	  0x10u
#define MSI	  0x40u
#define MASTER	  4u
#define MMIO_BASE 0xfea00000ull
#define MMIO_SIZE 0x100000ull
#define EDU(n)                                                                                     \
	{                                                                                          \
		.space = {0x34,                                                                    \
			  0x12,                                                                    \
			  0xe8,                                                                    \
			  0x11,                                                                    \
			  [0x06] = 0x10,                                                           \
			  [0x08] = 0x10,                                                           \
			  [0x0a] = 0xff,                                                           \
			  [0x12] = 0xa0 + 0x10 * (n),                                              \
			  [0x13] = 0xfe,                                                           \
			  [0x34] = MSI,                                                            \
			  [0x3d] = 1,                                                              \
			  [MSI] = 5,                                                               \
			  [MSI + 2] = 0x80},                                                       \
		.mask = {                                                                          \
			[COMMAND] = 7,                                                             \
			[0x05] = 4,                                                                \
			[0x12] = 0xf0,                                                             \
			0xff,                                                                      \
			[MSI + 2] = 1,                                                             \
			[MSI + 4] = 0xfc,                                                          \
			0xff,                                                                      \
			0xff,                                                                      \
			0xff,                                                                      \
			0xff,                                                                      \
			0xff,                                                                      \
			0xff,                                                                      \
			0xff,                                                                      \
			0xff,                                                                      \
			0xff                                                                       \
		}                                                                                  \
	}

static struct function {
	uint8_t space[256], mask[256];
} functions[FUNCTIONS] = {
	{.space = {0x86, 0x80, 0xc0, 0x29, [0x0b] = 0x06}, .mask = {[COMMAND] = 7, 4}},
	EDU(0),
	EDU(1),
};
static uint32_t address; /* as it was selected: bus, device, function, register */

static struct function *selected(void)
{
	unsigned n = address >> 11 & 31;

	return (address & 0x80ff0700u) == 0x80000000u && n < FUNCTIONS ? &functions[n] : NULL;
}

void pci_config_select(uint32_t v)
{
	address = v;
}

uint32_t pci_config_read(unsigned at, unsigned bytes)
{
	const struct function *f = selected();
	uint32_t v = UINT32_MAX;

	if (f)
		memcpy(&v, f->space + (address & 0xfc) + at, bytes);
	return bytes == 4 ? v : v & ((1u << 8 * bytes) - 1);
}

void pci_config_write(unsigned at, unsigned bytes, uint32_t v)
{
	struct function *f = selected();

	for (unsigned i = (address & 0xfc) + at; f && bytes--; i++, v >>= 8)
		f->space[i] = (uint8_t)((f->space[i] & ~f->mask[i]) | (v & f->mask[i]));
}

bool pci_may_master(unsigned device)
{
	return functions[1 + device].space[COMMAND] & MASTER;
}

void pci_interrupt(unsigned device)
{
	const uint8_t *msi = functions[1 + device].space + MSI;

	if (pci_may_master(device) && (msi[2] & 1)) /* address 0xfee, CPU; vector in the data */
		cpu_raise(msi[5] >> 4 | (msi[6] & 15) << 4, msi[12]);
}

/* ---- registers */

static bool device_at(uint64_t phys, unsigned *device, unsigned *reg)
{
	for (unsigned n = 1; n < FUNCTIONS; n++) {
		const uint8_t *bar = functions[n].space + BAR0;
		uint64_t base = (uint64_t)bar[3] << 24 | (uint64_t)bar[2] << 16;

		*device = n - 1;
		*reg = (unsigned)(phys - base);
		if (phys - base < MMIO_SIZE)
			return true;
	}
	return false;
}

/* One MOV between a register, or a constant, and memory; or TEST or CMP of memory and a constant,
 * which gcc 16 makes of a volatile load and a look at what came. */
struct mov {
	unsigned len, bytes, reg;
	bool store, constant, test, compare;
	int32_t imm;
};

/* Bytes of the operand that a ModRM byte at p begins (SDM vol. 2, 2.1.3). */
static unsigned operand_length(const uint8_t *p)
{
	unsigned mod = *p >> 6, rm = *p & 7, n = 1;

	if (rm == 4 && mod != 3)
		n++;
	if (mod == 1)
		n += 1;
	else if (mod == 2 || (mod == 0 && (rm == 5 || (rm == 4 && (p[1] & 7) == 5))))
		n += 4;
	return n;
}

static bool decode(const uint8_t *p, struct mov *m)
{
	const uint8_t *start = p;
	uint8_t rex = 0;

	if ((*p & 0xf0) == 0x40)
		rex = *p++;
	m->test = *p == 0xf7 && (p[1] >> 3 & 7) == 0;
	m->compare = *p == 0x81 && (p[1] >> 3 & 7) == 7;
	if (*p != 0x8b && *p != 0x89 && *p != 0xc7 && !m->test && !m->compare)
		return false;
	m->store = *p == 0x89 || *p == 0xc7;
	m->constant = *p == 0xc7 || m->test || m->compare;
	m->bytes = rex & 8 ? 8 : 4;
	m->reg = (*++p >> 3 & 7) | (rex & 4 ? 8 : 0);
	p += operand_length(p);
	if (m->constant) {
		memcpy(&m->imm, p, 4);
		p += 4;
	}
	m->len = (unsigned)(p - start);
	return true;
}

/* Register n of an instruction: rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8 … r15. */
static uint64_t *register_of(struct host_frame *f, unsigned n)
{
	uint64_t *low[] = {&f->rax, &f->rcx, &f->rdx, &f->rbx, &f->rsp, &f->rbp, &f->rsi, &f->rdi};

	return n < 8 ? low[n] : &f->r8 - (n - 8);
}

/* The flags that TEST (x and y) or CMP (x less y) leaves: CF, PF, ZF, SF and OF (SDM vol.
 * 1, 3.4.3.1). */
static void set_flags(struct host_frame *f, const struct mov *m, uint64_t x, uint64_t y)
{
	const unsigned top = 8 * m->bytes - 1;
	uint64_t v = m->test ? x & y : x - y;

	f->rflags &= ~0x8c5ull;
	f->rflags |= m->compare && x < y;
	f->rflags |= !(__builtin_popcountll(v & 0xff) & 1) << 2;
	f->rflags |= !(v << (63 - top)) << 6;
	f->rflags |= (v >> top & 1) << 7;
	f->rflags |= m->compare ? (((x ^ y) & (x ^ v)) >> top & 1) << 11 : 0;
}

bool pci_access(struct host_frame *f, uint64_t phys)
{
	unsigned device, reg;
	struct mov m;

	if (!device_at(phys, &device, &reg) || !decode((const uint8_t *)f->rip, &m))
		return false;
	if (m.store)
		edu_write(device, reg,
			  m.constant ? (uint64_t)(int64_t)m.imm : *register_of(f, m.reg));
	else if (m.constant)
		set_flags(f, &m, edu_read(device, reg),
			  m.bytes == 8 ? (uint64_t)(int64_t)m.imm : (uint32_t)m.imm);
	else
		*register_of(f, m.reg) = edu_read(device, reg);
	f->rip += m.len;
	return true;
}
