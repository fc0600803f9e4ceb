/* SPDX-License-Identifier: MIT */
/*
 * Counting what an instruction count hides: atomics, write-backs, TLB invalidations.
 *
 * The operation runs once more with the CPU's trap flag set. After every instruction the debug
 * exception shows the next one, and its bytes tell its kind. So the counts are of instructions that
 * were executed, whatever the source looks like. What runs in a handler (another CPU's part of a
 * shootdown, a page fault) is not stepped; IPIs are counted by their sender's own counter.
 */
#include "kernel/ksyms.h"
#include "tests/kernel/bench.h"

#define MAX_FUNCTIONS 256
#define SHOWN	      24

extern const char bench_step_end[];
void bench_step(void (*fn)(void *), void *arg);

bool bench_by_function;

static struct {
	uint64_t insns, atomics, clwb, tlb;
	struct {
		const char *name;
		uint64_t insns;
	} by[MAX_FUNCTIONS];
} tally; /* one benchmark at a time (bench.c's lock) */

struct insn {
	bool lock, operand16; /* prefixes F0, 66 */
	uint8_t op[2];	      /* 0F xx has both, else the first is 0 */
	uint8_t reg;	      /* of the ModRM byte */
	bool memory;	      /* the ModRM byte names memory */
};

/* Prefixes, REX, opcode, ModRM (SDM vol. 2, 2.1): enough to tell the few kinds counted here. */
static struct insn decode(const uint8_t *p)
{
	struct insn i = {0};

	for (;; p++) {
		if (*p == 0xf0)
			i.lock = true;
		else if (*p == 0x66)
			i.operand16 = true;
		else if (*p != 0xf2 && *p != 0xf3 && *p != 0x2e && *p != 0x36 && *p != 0x3e &&
			 *p != 0x26 && *p != 0x64 && *p != 0x65)
			break;
	}
	if ((*p & 0xf0) == 0x40)
		p++;
	if (*p == 0x0f)
		i.op[0] = *p++;
	i.op[1] = *p++;
	i.reg = *p >> 3 & 7;
	i.memory = *p < 0xc0;
	return i;
}

static void count_kind(const struct insn *i)
{
	bool xchg = !i->op[0] && (i->op[1] == 0x86 || i->op[1] == 0x87) && i->memory;
	bool line = i->op[0] && i->op[1] == 0xae && i->memory &&
		    (i->reg == 7 || (i->reg == 6 && i->operand16));
	bool invlpg = i->op[0] && i->op[1] == 0x01 && i->memory && i->reg == 7;
	bool cr3 = i->op[0] && i->op[1] == 0x22 && i->reg == 3;

	tally.atomics += i->lock || xchg;
	tally.clwb += line;
	tally.tlb += invlpg || cr3;
}

static void count_function(uint64_t rip)
{
	const char *name = ksym_lookup(rip, NULL);
	unsigned slot = ((uintptr_t)name >> 2) % MAX_FUNCTIONS;

	for (unsigned i = 0; i < MAX_FUNCTIONS && name; i++, slot = (slot + 1) % MAX_FUNCTIONS) {
		if (tally.by[slot].name && tally.by[slot].name != name)
			continue;
		tally.by[slot].name = name;
		tally.by[slot].insns++;
		return;
	}
}

/* After each stepped instruction, with interrupts off: rip is the one that comes next. */
static void next_insn(const struct trap_frame *tf)
{
	struct insn i;

	if (tf->rip >= (uintptr_t)bench_step && tf->rip < (uintptr_t)bench_step_end)
		return;
	i = decode((const uint8_t *)tf->rip);
	count_kind(&i);
	tally.insns++;
	if (bench_by_function)
		count_function(tf->rip);
}

static uint64_t hundredths(uint64_t count, uint64_t per)
{
	return (count * 100 + per / 2) / per;
}

static void print_functions(const struct bench_run *b, uint64_t per)
{
	for (unsigned shown = 0; shown < SHOWN; shown++) {
		unsigned most = 0;
		uint64_t h;

		for (unsigned i = 1; i < MAX_FUNCTIONS; i++)
			if (tally.by[i].insns > tally.by[most].insns)
				most = i;
		if (!tally.by[most].insns)
			return;
		h = hundredths(tally.by[most].insns, per);
		kprintf("{\"bench\":\"%s\",\"function\":\"%s\",\"value\":%lu.%02lu}\n", b->name,
			tally.by[most].name, h / 100, h % 100);
		tally.by[most].insns = 0;
	}
}

void bench_count(struct bench_run *b, void (*fn)(void *), void *arg, uint64_t per)
{
	unsigned long ipis = ipi_sent;

	memset(&tally, 0, sizeof(tally));
	trap_set_single_step(next_insn);
	bench_step(fn, arg);
	trap_set_single_step(NULL);
	b->counts = (struct bench_counts){.atomics = hundredths(tally.atomics, per),
					  .clwb = hundredths(tally.clwb, per),
					  .tlb = hundredths(tally.tlb, per),
					  .ipi = hundredths(ipi_sent - ipis, per)};
	b->counted = true;
	if (bench_by_function)
		print_functions(b, per);
}
