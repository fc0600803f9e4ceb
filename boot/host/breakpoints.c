/* SPDX-License-Identifier: MIT */
/*
 * Debug registers: a breakpoint is an INT3 in the code, while its CPU runs.
 *
 * Hardware reports a breakpoint before the instruction and goes on past it when the handler set the
 * resume flag. Here the byte is put back, one instruction is stepped, and the INT3 returns.
 */
#include "boot/host/machine.h"

#define INT3	  0xcc
#define RFLAGS_TF (1ull << 8)
#define RFLAGS_RF (1ull << 16)
#define SLOTS	  4

static struct patch {
	uint8_t *at; /* NULL means: free */
	uint8_t byte;
} patches[SLOTS];
static struct patch *stepping; /* over its instruction; NULL: none */
static bool returning; /* the last step was on the way back to an instruction that is to come */

static void write_code(const struct patch *p, uint8_t byte)
{
	*p->at = byte;
	valgrind_code_changed(p->at, 1);
}

static void put_back(struct patch *p)
{
	if (p->at)
		write_code(p, p->byte);
}

static void plant(struct patch *p)
{
	if (p->at)
		write_code(p, INT3);
}

void breakpoints_load(void)
{
	for (unsigned i = 0; i < SLOTS; i++) {
		put_back(&patches[i]);
		patches[i].at = NULL;
	}
	for (unsigned i = 0; i < lcpu->nr_breakpoints; i++) {
		struct patch *p = &patches[i];

		host_text_writable(lcpu->breakpoint[i]);
		p->at = (uint8_t *)lcpu->breakpoint[i];
		p->byte = *p->at;
		if (p->byte != INT3) /* else another slot has it */
			plant(p);
		else
			p->at = NULL;
	}
}

static struct patch *patch_at(uint64_t rip)
{
	for (unsigned i = 0; i < SLOTS; i++)
		if (patches[i].at && (uintptr_t)patches[i].at == rip)
			return &patches[i];
	return NULL;
}

/* The flag is set before the last two instructions of the way back: steps there are none of the
 * kernel's, nor is the one that reports the instruction they lead to. */
static bool on_the_way(uint64_t rip)
{
	bool was = returning;

	returning = rip >= (uintptr_t)trap_common && rip < (uintptr_t)trap_entries_end;
	return returning || was;
}

bool breakpoint_trap(struct host_frame *f)
{
	if (f->vector == 3) {
		if (!patch_at(f->rip - 1))
			return true;
		f->rip--;
		f->vector = VEC_DEBUG;
		return true;
	}
	if (on_the_way(f->rip))
		return false;
	if (!stepping)
		return true;
	plant(stepping);
	stepping = NULL;
	f->rflags &= ~RFLAGS_TF;
	return false;
}

void breakpoint_step_over(struct trap_frame *tf)
{
	struct patch *p = tf->rflags & RFLAGS_RF ? patch_at(tf->rip) : NULL;

	tf->rflags &= ~RFLAGS_RF;
	if (!p)
		return;
	put_back(p);
	stepping = p;
	if (!valgrind_is_here())
		tf->rflags |= RFLAGS_TF;
}

/* valgrind steps no single instructions: who passes the place again before the kernel looks up is
 * not stopped. */
void breakpoints_look(void)
{
	if (!stepping || !valgrind_is_here())
		return;
	plant(stepping);
	stepping = NULL;
}
