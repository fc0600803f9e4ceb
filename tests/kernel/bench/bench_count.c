/* SPDX-License-Identifier: MIT */
/*
 * Counting what an instruction count hides: atomics, write-backs, TLB invalidations, fences.
 *
 * The operation runs once more with the CPU's trap flag set. After every instruction the debug
 * exception shows the next one, and its bytes tell its kind. So the counts are of instructions that
 * were executed, whatever the source looks like. What runs in a handler (another CPU's part of a
 * shootdown, a page fault) is not stepped; IPIs are counted by their sender's own counter.
 */
#include "tests/kernel/bench/bench.h"

#define MAX_LINES     128
#define MAX_FUNCTIONS 256
#define SHOWN	      24

extern const char bench_step_end[];

bool bench_by_function;

static struct {
	uint64_t insns, atomics, clwb, tlb, fences, cr3;
	struct {
		const char *name;
		uint64_t insns;
	} by[MAX_FUNCTIONS];
} tally; /* one benchmark at a time (bench.c's lock) */

struct insn {
	bool lock, operand16; /* prefixes F0, 66 */
	bool gs;	      /* prefix 65: relative to this CPU's structure */
	uint8_t rex;	      /* zero: none */
	const uint8_t *modrm;
	uint8_t op[2]; /* 0F xx has both, else the first is 0 */
	uint8_t reg;   /* of the ModRM byte */
	bool memory;   /* the ModRM byte names memory */
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
		else if (*p == 0x65)
			i.gs = true;
		else if (*p != 0xf2 && *p != 0xf3 && *p != 0x2e && *p != 0x36 && *p != 0x3e &&
			 *p != 0x26 && *p != 0x64)
			break;
	}
	if ((*p & 0xf0) == 0x40)
		i.rex = *p++;
	if (*p == 0x0f)
		i.op[0] = *p++;
	i.op[1] = *p++;
	i.modrm = p;
	i.reg = *p >> 3 & 7;
	i.memory = *p < 0xc0;
	return i;
}

/* A locked read-modify-write: by the prefix, or XCHG with memory, which needs none. */
static bool is_locked(const struct insn *i)
{
	return i->lock || (!i->op[0] && (i->op[1] == 0x86 || i->op[1] == 0x87) && i->memory);
}

static void count_kind(const struct insn *i)
{
	bool line = i->op[0] && i->op[1] == 0xae && i->memory &&
		    (i->reg == 7 || (i->reg == 6 && i->operand16));
	bool invlpg = i->op[0] && i->op[1] == 0x01 && i->memory && i->reg == 7;
	bool cr3 = i->op[0] && i->op[1] == 0x22 && i->reg == 3;
	bool fence = i->op[0] && i->op[1] == 0xae && !i->memory && i->reg >= 5;

	tally.atomics += is_locked(i);
	tally.clwb += line;
	tally.tlb += invlpg || cr3;
	tally.fences += fence;
	tally.cr3 += cr3;
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

/* ---- which lines locked operations write -------------------------------------------------- */

static struct {
	uint64_t line[MAX_LINES]; /* address / 64 */
	unsigned n, lost;	  /* lost: more than fit */
} locked;

static uint64_t reg_value(const struct trap_frame *tf, unsigned n)
{
	const uint64_t regs[16] = {tf->rax, tf->rcx, tf->rdx, tf->rbx, tf->rsp, tf->rbp,
				   tf->rsi, tf->rdi, tf->r8,  tf->r9,  tf->r10, tf->r11,
				   tf->r12, tf->r13, tf->r14, tf->r15};

	return regs[n];
}

static int64_t signed_at(const uint8_t *p, unsigned bytes)
{
	int32_t v = (int8_t)*p;

	if (bytes == 4)
		memcpy(&v, p, 4);
	return v;
}

/*
 * The address that the ModRM byte names (SDM vol. 2, 2.1.5): base + index * scale + displacement.
 * Relative to RIP only without an immediate operand behind it: `imm` bytes of that are added.
 */
static uint64_t operand_address(const struct insn *i, const struct trap_frame *tf, unsigned imm)
{
	const uint8_t *p = i->modrm + 1;
	unsigned mod = *i->modrm >> 6, base = *i->modrm & 7, rex_b = (i->rex & 1) << 3;
	uint64_t at = i->gs ? (uintptr_t)this_cpu() : 0;

	if (mod == 0 && base == 5)
		return at + (uintptr_t)p + 4 + imm + signed_at(p, 4);
	if (base == 4) { /* a SIB byte: scale, index, base */
		unsigned index = (*p >> 3 & 7) | (i->rex & 2) << 2;

		base = *p & 7;
		if (index != 4)
			at += reg_value(tf, index) << (*p >> 6);
		p++;
		if (mod == 0 && base == 5)
			return at + signed_at(p, 4);
	}
	at += reg_value(tf, base | rex_b);
	return mod ? at + signed_at(p, mod == 1 ? 1 : 4) : at;
}

/* Bytes of immediate operand of the instructions that can be locked (80, 81, 83, 0F BA). */
static unsigned immediate(const struct insn *i)
{
	if (i->op[0])
		return i->op[1] == 0xba;
	return i->op[1] == 0x81 ? (i->operand16 ? 2 : 4) : i->op[1] == 0x80 || i->op[1] == 0x83;
}

static void next_line(const struct trap_frame *tf)
{
	struct insn i = decode((const uint8_t *)tf->rip);
	uint64_t line;

	if (!is_locked(&i) || !i.memory)
		return;
	line = operand_address(&i, tf, immediate(&i)) / 64;
	for (unsigned n = 0; n < locked.n; n++)
		if (locked.line[n] == line)
			return;
	if (locked.n < MAX_LINES)
		locked.line[locked.n++] = line;
	else
		locked.lost++;
}

unsigned bench_locked_lines(void (*fn)(void *), void *arg, uint64_t *addr, unsigned max)
{
	unsigned n;

	memset(&locked, 0, sizeof(locked));
	trap_set_single_step(next_line);
	bench_step(fn, arg);
	trap_set_single_step(NULL);
	for (n = 0; n < locked.n && n < max; n++)
		addr[n] = locked.line[n] * 64;
	return locked.n + locked.lost;
}

static bool heard; /* of a step */

static void hear(const struct trap_frame *tf)
{
	(void)tf;
	heard = true;
}

static void nothing(void *unused)
{
	(void)unused;
}

bool bench_can_step(void)
{
	bool can;

	mutex_lock(&bench_lock);
	heard = false;
	trap_set_single_step(hear);
	bench_step(nothing, NULL);
	trap_set_single_step(NULL);
	can = heard;
	mutex_unlock(&bench_lock);
	return can;
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
					  .ipi = hundredths(ipi_sent - ipis, per),
					  .fences = hundredths(tally.fences, per),
					  .cr3 = hundredths(tally.cr3, per)};
	b->counted = true;
	if (bench_by_function)
		print_functions(b, per);
}
