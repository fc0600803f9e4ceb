/* SPDX-License-Identifier: MIT */
/*
 * Debug registers: a breakpoint is an INT3 in the code, while its CPU runs.
 *
 * Hardware reports a breakpoint before the instruction and goes on past it when the handler set the
 * resume flag. The kernel breaks at step points only, and here each of these is a NOP that the INT3
 * lies on (STEP_POINT() in kernel/selftest/selftest.h): to go on past it is to leave it out. So the
 * INT3 stays, who passes again is stopped again, and nothing is stepped, which valgrind could not.
 */
#include "boot/host/machine.h"

#define INT3	  0xcc
#define NOP	  0x90
#define RFLAGS_RF (1ull << 16)
#define SLOTS	  4

static uint8_t *patches[SLOTS]; /* NULL means: free */

static void write_code(uint8_t *at, uint8_t byte)
{
	*at = byte;
	valgrind_code_changed(at, 1);
}

void breakpoints_load(void)
{
	for (unsigned i = 0; i < SLOTS; i++) {
		if (patches[i])
			write_code(patches[i], NOP);
		patches[i] = NULL;
	}
	for (unsigned i = 0; i < lcpu->nr_breakpoints; i++) {
		uint8_t *at = (uint8_t *)lcpu->breakpoint[i];

		if (*at == INT3) /* another slot has it */
			continue;
		ASSERT(*at == NOP, "a breakpoint at %p, which is no step point", (void *)at);
		host_text_writable((uintptr_t)at);
		patches[i] = at;
		write_code(at, INT3);
	}
}

static bool is_patch(uint64_t rip)
{
	for (unsigned i = 0; i < SLOTS; i++)
		if (patches[i] && (uintptr_t)patches[i] == rip)
			return true;
	return false;
}

/* Who counts instructions steps (trap_set_single_step()). The flag is set before the last two
 * instructions of the way back from an exception: steps there are none of the kernel's, nor is the
 * one that reports the instruction they lead to. */
static bool on_the_way(uint64_t rip)
{
	static bool returning; /* the last step was one of these */
	bool was = returning;

	returning = rip >= (uintptr_t)trap_common && rip < (uintptr_t)trap_entries_end;
	return returning || was;
}

bool breakpoint_trap(struct host_frame *f)
{
	if (f->vector == VEC_DEBUG)
		return !on_the_way(f->rip);
	if (f->vector == 3 && is_patch(f->rip - 1)) {
		f->rip--;
		f->vector = VEC_DEBUG;
	}
	return true;
}

void breakpoint_step_over(struct trap_frame *tf)
{
	if (tf->rflags & RFLAGS_RF && is_patch(tf->rip))
		tf->rip++;
	tf->rflags &= ~RFLAGS_RF;
}
