/* SPDX-License-Identifier: MIT */
/*
 * What the explorer needs of the place it runs in, and what differs between its two homes: the
 * kernel under QEMU (home_kernel.c), and Holdfast as a Linux process.
 *
 * One home is linked. Nothing here decides anything: no address and no time leads to another order
 * of events, so both homes report the same executions.
 */
#ifndef TESTS_EXPLORE_MACHINE_H
#define TESTS_EXPLORE_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cpu;
struct trap_frame;

/* Memory for the engine: zeroed, page-aligned, kept for good. NULL: there is not so much. */
void *machine_memory(size_t bytes);

/* From here to machine_leave() this flow of control is alone on its CPU: no interrupt, no other
 * thread. They do not nest. */
void machine_enter(void);
void machine_leave(void);
/* Between two executions, once in a while: whatever waits for this CPU gets it for a moment. True:
 * somebody wants the exploration to end (Ctrl-C). */
bool machine_breathe(void);

/* The real interrupt flag, whatever is explored. */
bool machine_irqs_enabled(void);

/* This flow's logical CPU is *c now: what this_cpu() says. */
void machine_set_cpu(struct cpu *c);
struct cpu *machine_cpu(void);

/* Leaves the current stack, whose pointer goes to *save, for the stack at `next`. */
void machine_switch(void **save, void *next);
/* What machine_switch() takes to call fn() on a new stack that ends at `top`; fn never returns. */
void *machine_stack(void *top, void (*fn)(void));

/* So many stacks of so many bytes lie there. For whoever watches the machine. */
void machine_stacks(uintptr_t first, size_t bytes, unsigned n);

/* Memory was put back, page tables included: the machine forgets what it keeps of them. `for_good`:
 * it will not be put back to what it was before this. */
void machine_flush(bool for_good);

/* A page fault at va, as the kernel's handler gets it; false: it is not handled. */
bool machine_page_fault(uint64_t va, bool write, bool present, bool interrupts_on);

/* The variable that `at` lies in, and how far behind its start; NULL: none is known. */
const char *machine_name(uintptr_t at, unsigned long *offset);

/* Nanoseconds, for reports and time=T alone. */
uint64_t machine_clock(void);

/* Several machines share an exploration, a beginning at a time (strategy.c): is number n ours? It
 * is whoever's asks first, until he gives it back. A machine that is alone has all of them. */
bool machine_takes(uint64_t n);
void machine_gives_back(uint64_t n);

/* For the check of the undo log: the n-th piece of memory that the code under test may write.
 * False: there are no more. */
bool machine_piece(unsigned n, void **start, size_t *bytes);

#endif
