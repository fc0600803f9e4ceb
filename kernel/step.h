/* SPDX-License-Identifier: MIT */
/*
 * Step points: places where a script may stop a thread, at no cost to anybody else.
 *
 * A scripted race must stop one thread in the middle of a fast path that can hold no hook. A step
 * point emits no instruction: it is a label whose address goes into the section hf_steps. A script
 * puts a hardware breakpoint (DR0, SDM vol. 3, ch. 17) on it, for one CPU; the debug exception then
 * calls the script's function there, in the middle of the path, once.
 */
#ifndef KERNEL_STEP_H
#define KERNEL_STEP_H

#include <stdint.h>

struct step_point {
	const char *name;
	uint64_t addr;
};

/* Marks this place; `ident` names it. A file may mark one name several times (inlined copies). */
#define STEP_POINT(ident)                                                                          \
	__asm__ volatile("1:\n"                                                                    \
			 ".pushsection hf_steps,\"aw\"\n"                                          \
			 ".balign 8\n"                                                             \
			 ".quad step_name_" #ident ", 1b\n"                                        \
			 ".popsection" ::                                                          \
				 : "memory")
/* At file scope, once per file that marks it: the name as scripts say it. */
#define STEP_POINT_DECLARE(ident)                                                                  \
	static const char step_name_##ident[] __asm__("step_name_" #ident) __attribute__((used)) = \
		#ident

/*
 * Arms the point for this CPU: when its thread next passes, fn(arg) runs in the debug exception
 * (interrupts off; it must not sleep) and the point is disarmed. Call with preemption off and keep
 * it off until the path was passed. -ENOENT: no such point was linked in. -EBUSY: one is armed
 * here.
 */
int step_arm(const char *name, void (*fn)(void *), void *arg);
/* Disarms; value: how often it fired since step_arm() (0 or 1). */
unsigned step_disarm(void);

#endif
