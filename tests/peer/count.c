/* SPDX-License-Identifier: MIT */
/*
 * A QEMU plugin that counts what an instruction count hides: for every pair of marks
 * (linux/hfpeer.h) one JSON line with the instructions between them, and how many of those were
 * atomics, lines written back, TLB invalidations, fences, loads of CR3.
 *
 * It sees what the guest executes, handlers of exceptions and interrupts included, and it costs the
 * guest nothing: under -icount the clock counts guest instructions only. The counters are added to
 * by code that QEMU generates beside each instruction of a kind; only the marks call a function.
 *
 * Distributions do not package qemu-plugin.h; the few prototypes used here are the documented
 * interface of version 1 (QEMU 4.2 and later, docs/devel/tcg-plugins).
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info;
enum { QEMU_PLUGIN_CB_NO_REGS };
enum { QEMU_PLUGIN_INLINE_ADD_U64 };

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
					   void (*cb)(qemu_plugin_id_t, struct qemu_plugin_tb *));
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
					    void (*cb)(unsigned int cpu, void *arg), int flags,
					    void *arg);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *insn, int op, void *ptr,
						uint64_t add);

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

#define MARK_BEGIN 0x48465342u
#define MARK_END   0x48465345u

static FILE *out;
static bool open_pair;
/* One vCPU: added to by one thread. */
static struct counts {
	uint64_t insns, atomics, clwb, tlb, fences, cr3;
} now, begin;

struct insn {
	bool lock, ds, operand16; /* prefixes F0, 3E, 66 */
	uint8_t op[2];		  /* 0F xx has both, else the first is 0 */
	uint8_t reg;		  /* of the ModRM byte */
	bool memory;		  /* the ModRM byte names memory */
};

/* Prefixes, REX, opcode, ModRM (SDM vol. 2, 2.1), never past the end of the instruction. */
static struct insn decode(const uint8_t *p, size_t size)
{
	static const uint8_t prefixes[] = {0xf0, 0x66, 0xf2, 0xf3, 0x2e, 0x36,
					   0x3e, 0x26, 0x64, 0x65, 0x67};
	const uint8_t *end = p + size;
	struct insn i = {0};

	for (; p < end && memchr(prefixes, *p, sizeof(prefixes)); p++) {
		i.lock |= *p == 0xf0;
		i.ds |= *p == 0x3e;
		i.operand16 |= *p == 0x66;
	}
	if (p < end && (*p & 0xf0) == 0x40)
		p++;
	if (p < end && *p == 0x0f)
		i.op[0] = *p++;
	if (p < end)
		i.op[1] = *p++;
	if (p < end) {
		i.reg = *p >> 3 & 7;
		i.memory = *p < 0xc0;
	}
	return i;
}

static void on_mark(unsigned int cpu, void *arg)
{
	(void)cpu;
	if (arg) {
		begin = now;
		open_pair = true;
	} else if (open_pair) {
		/* The mark that ends the pair has been counted already. */
		fprintf(out,
			"{\"insns\":%" PRIu64 ",\"atomics\":%" PRIu64 ",\"clwb\":%" PRIu64
			",\"tlb\":%" PRIu64 ",\"fences\":%" PRIu64 ",\"cr3\":%" PRIu64 "}\n",
			now.insns - begin.insns - 1, now.atomics - begin.atomics,
			now.clwb - begin.clwb, now.tlb - begin.tlb, now.fences - begin.fences,
			now.cr3 - begin.cr3);
		fflush(out);
		open_pair = false;
	}
}

static void add(struct qemu_plugin_insn *insn, uint64_t *counter)
{
	qemu_plugin_register_vcpu_insn_exec_inline(insn, QEMU_PLUGIN_INLINE_ADD_U64, counter, 1);
}

/* A read-modify-write of memory that LOCK may stand before (SDM vol. 2, LOCK). */
static bool lockable(const struct insn *i)
{
	if (!i->memory)
		return false;
	if (i->op[0])
		return strchr("\xb0\xb1\xc0\xc1\xc7\xab\xb3\xbb\xba", i->op[1]) != NULL && i->op[1];
	return (i->op[1] < 0x38 && (i->op[1] & 7) < 2) || /* ADD … XOR to memory */
	       ((i->op[1] & 0xfc) == 0x80 && i->reg != 7) ||
	       ((i->op[1] & 0xfe) == 0xf6 && (i->reg & 6) == 2) ||
	       ((i->op[1] & 0xfe) == 0xfe && i->reg < 2);
}

/*
 * Linux on one CPU writes a DS prefix over each LOCK: such an instruction is counted as the atomic
 * that it is on every larger machine. XCHG with memory is atomic without a prefix; MOV to CR3 and
 * INVLPG invalidate translations.
 */
static void count_kind(struct qemu_plugin_insn *insn, const struct insn *i)
{
	bool xchg = !i->op[0] && (i->op[1] == 0x86 || i->op[1] == 0x87) && i->memory;
	bool line = i->op[0] && i->op[1] == 0xae && i->memory &&
		    (i->reg == 7 || (i->reg == 6 && i->operand16));
	bool invlpg = i->op[0] && i->op[1] == 0x01 && i->memory && i->reg == 7;
	bool cr3 = i->op[0] && i->op[1] == 0x22 && i->reg == 3;
	bool fence = i->op[0] && i->op[1] == 0xae && !i->memory && i->reg >= 5;

	if (i->lock || xchg || (i->ds && lockable(i)))
		add(insn, &now.atomics);
	if (line)
		add(insn, &now.clwb);
	if (invlpg || cr3)
		add(insn, &now.tlb);
	if (fence)
		add(insn, &now.fences);
	if (cr3)
		add(insn, &now.cr3);
}

/* nopl NUMBER(%rax) */
static uint32_t mark_of(const uint8_t *p, size_t size)
{
	uint32_t number;

	if (size != 7 || memcmp(p, "\x0f\x1f\x80", 3))
		return 0;
	memcpy(&number, p + 3, sizeof(number));
	return number;
}

static void on_translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	(void)id;
	for (size_t n = 0; n < qemu_plugin_tb_n_insns(tb); n++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, n);
		const uint8_t *bytes = qemu_plugin_insn_data(insn);
		size_t size = qemu_plugin_insn_size(insn);
		struct insn i = decode(bytes, size);
		uint32_t mark = mark_of(bytes, size);

		add(insn, &now.insns);
		count_kind(insn, &i);
		if (mark == MARK_BEGIN || mark == MARK_END)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, on_mark,
							       QEMU_PLUGIN_CB_NO_REGS,
							       mark == MARK_BEGIN ? &now : NULL);
	}
}

/* The one argument: out=FILE. */
__attribute__((visibility("default"))) int
qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc, char **argv)
{
	(void)info;
	if (argc != 1 || strncmp(argv[0], "out=", 4))
		return -1;
	out = fopen(argv[0] + 4, "w");
	if (!out)
		return -1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
	return 0;
}
