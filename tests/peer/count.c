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
 * interface (docs/devel/tcg-plugins). PLUGIN_API, from the command line, is its version: 1
 * (QEMU 4.2 to 9.0), 3 (9.1 to 10) or 7 (11). Which of them a QEMU takes is found by asking it
 * (peer_linux.py). From 3 on counters lie on a scoreboard, one set for each vCPU; from 7 on the
 * callback of a translation has other arguments.
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

#if PLUGIN_API < 7
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
					   void (*cb)(qemu_plugin_id_t, struct qemu_plugin_tb *));
#else
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
					   void (*cb)(struct qemu_plugin_tb *, void *), void *arg);
#endif
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
					    void (*cb)(unsigned int cpu, void *arg), int flags,
					    void *arg);
#if PLUGIN_API < 3
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *insn, int op, void *ptr,
						uint64_t add);
#else
struct qemu_plugin_scoreboard;
struct entry {
	struct qemu_plugin_scoreboard *score;
	size_t offset;
};
size_t qemu_plugin_insn_data(const struct qemu_plugin_insn *insn, void *to, size_t size);
struct qemu_plugin_scoreboard *qemu_plugin_scoreboard_new(size_t size);
void *qemu_plugin_scoreboard_find(struct qemu_plugin_scoreboard *score, unsigned int cpu);
void qemu_plugin_register_vcpu_insn_exec_inline_per_vcpu(struct qemu_plugin_insn *insn, int op,
							 struct entry entry, uint64_t add);
#endif

__attribute__((visibility("default"))) int qemu_plugin_version = PLUGIN_API;

#define MARK_BEGIN 0x48465342u
#define MARK_END   0x48465345u

static FILE *out;
static bool open_pair;
struct counts {
	uint64_t insns, atomics, clwb, tlb, fences, cr3;
};
static struct counts begin;

/* ---- the counters: there is one vCPU ---- */

#if PLUGIN_API < 3
static struct counts counters;

static const struct counts *now(void)
{
	return &counters;
}

static void add(struct qemu_plugin_insn *insn, size_t offset)
{
	qemu_plugin_register_vcpu_insn_exec_inline(insn, QEMU_PLUGIN_INLINE_ADD_U64,
						   (char *)&counters + offset, 1);
}

static size_t bytes_of(const struct qemu_plugin_insn *insn, uint8_t *to, size_t size)
{
	size_t n = qemu_plugin_insn_size(insn);

	n = n < size ? n : size;
	memcpy(to, qemu_plugin_insn_data(insn), n);
	return n;
}

static void counters_start(void)
{
}
#else
static struct qemu_plugin_scoreboard *score;

static const struct counts *now(void)
{
	return qemu_plugin_scoreboard_find(score, 0);
}

static void add(struct qemu_plugin_insn *insn, size_t offset)
{
	const struct entry entry = {score, offset};

	qemu_plugin_register_vcpu_insn_exec_inline_per_vcpu(insn, QEMU_PLUGIN_INLINE_ADD_U64, entry,
							    1);
}

static size_t bytes_of(const struct qemu_plugin_insn *insn, uint8_t *to, size_t size)
{
	return qemu_plugin_insn_data(insn, to, size);
}

static void counters_start(void)
{
	score = qemu_plugin_scoreboard_new(sizeof(struct counts));
}
#endif

/* ---- what an instruction is ---- */

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
	const struct counts *end = now();

	(void)cpu;
	if (arg) {
		begin = *end;
		open_pair = true;
	} else if (open_pair) {
		/* The mark that ends the pair has been counted already. */
		fprintf(out,
			"{\"insns\":%" PRIu64 ",\"atomics\":%" PRIu64 ",\"clwb\":%" PRIu64
			",\"tlb\":%" PRIu64 ",\"fences\":%" PRIu64 ",\"cr3\":%" PRIu64 "}\n",
			end->insns - begin.insns - 1, end->atomics - begin.atomics,
			end->clwb - begin.clwb, end->tlb - begin.tlb, end->fences - begin.fences,
			end->cr3 - begin.cr3);
		fflush(out);
		open_pair = false;
	}
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
		add(insn, offsetof(struct counts, atomics));
	if (line)
		add(insn, offsetof(struct counts, clwb));
	if (invlpg || cr3)
		add(insn, offsetof(struct counts, tlb));
	if (fence)
		add(insn, offsetof(struct counts, fences));
	if (cr3)
		add(insn, offsetof(struct counts, cr3));
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

static void translate(struct qemu_plugin_tb *tb)
{
	for (size_t n = 0; n < qemu_plugin_tb_n_insns(tb); n++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, n);
		uint8_t bytes[16];
		size_t size = bytes_of(insn, bytes, sizeof(bytes));
		struct insn i = decode(bytes, size);
		uint32_t mark = mark_of(bytes, size);

		add(insn, offsetof(struct counts, insns));
		count_kind(insn, &i);
		if (mark == MARK_BEGIN || mark == MARK_END)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, on_mark,
							       QEMU_PLUGIN_CB_NO_REGS,
							       mark == MARK_BEGIN ? &begin : NULL);
	}
}

#if PLUGIN_API < 7
static void on_translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	(void)id;
	translate(tb);
}

static void start(qemu_plugin_id_t id)
{
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
}
#else
static void on_translate(struct qemu_plugin_tb *tb, void *arg)
{
	(void)arg;
	translate(tb);
}

static void start(qemu_plugin_id_t id)
{
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate, NULL);
}
#endif

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
	counters_start();
	start(id);
	return 0;
}
