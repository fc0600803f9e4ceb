/* SPDX-License-Identifier: MIT */
/*
 * Step points: places where a script may stop a thread, at no cost to anybody else.
 *
 * A scripted race must stop one thread in the middle of a fast path that can hold no hook. A step
 * point emits no instruction: it is a label whose address goes into the section hf_steps. A script
 * puts a hardware breakpoint (DR0 … DR3, SDM vol. 3, ch. 17) on it, for one CPU; the debug
 * exception then does one of two things, in the middle of the path:
 *
 *   step_arm()   calls a function, once, for whoever passes on this CPU. It must not sleep.
 *   step_stop()  stops one thread until step_go(). Where the code it is stopped in may sleep, the
 *                thread sleeps, and its CPU does other work. Where it may not (a spinlock is held,
 *                or interrupts are off), the thread spins, and its CPU is lost to others until it
 *                may go on: with interrupts as the path had them, so that IPIs are answered if the
 *                path would answer them, and are not if it would not.
 *
 * A CPU has four debug registers; a point in a function that the compiler copied takes several.
 */
#ifndef KERNEL_SELFTEST_STEP_H
#define KERNEL_SELFTEST_STEP_H

#include <stdbool.h>
#include <stdint.h>

struct thread;

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
 * it off until the path was passed. -ENOENT: no such point was linked in. -EBUSY: the CPU's debug
 * registers do not suffice.
 */
int step_arm(const char *name, void (*fn)(void *), void *arg);
/* Disarms; value: how often it fired since step_arm() (0 or 1). */
unsigned step_disarm(void);

enum step_state {
	STEP_ARMED,	 /* not reached yet */
	STEP_SLEEPS,	 /* stopped, asleep */
	STEP_SPINS,	 /* stopped, spinning, interrupts on */
	STEP_SPINS_DEAF, /* stopped, spinning, interrupts off */
	STEP_GONE	 /* was stopped and went on; disarmed */
};
/* One thread's stop. Storage of whoever arms it, until step_unstop(). */
struct step_stop {
	/* Given by the caller, before step_stop(); the rest zero. */
	const char *name;  /* of the point */
	unsigned pass;	   /* times that the thread passes it before it stops */
	bool again;	   /* stays armed when it went on: the next passing stops, too */
	uint64_t deadline; /* of clock_ns(): it goes on by itself then, and timed_out is set */
	/* May be NULL. Asked again and again by a thread that spins with interrupts off while other
	 * CPUs want its acknowledgement: true lets it go on (`acknowledges` is set), because the
	 * asker would wait for ever; false, and the call is answered, as if interrupts had been
	 * on: whoever asked is no part of the script. Interrupts off; must not sleep. */
	bool (*wanted)(struct step_stop *st);
	void *arg;

	struct thread *thread;
	enum step_state state;
	unsigned stops; /* times it was stopped; zero: never */
	bool go;	/* zero means: stay */
	bool acknowledges, timed_out;
};
/*
 * Arms a stop for the calling thread, which may run on one CPU only and is the one to pass. Errors
 * as of step_arm(). Sleepable context.
 */
int step_stop(struct step_stop *st);
/* Any thread. True: it is stopped there now. */
bool step_stopped(const struct step_stop *st);
/* Lets the thread go on, or, if it has not come there yet, pass. Any context. */
void step_go(struct step_stop *st);
/* By the thread that armed it, when it has passed or will not come any more: disarms. */
void step_unstop(struct step_stop *st);
bool step_exists(const char *name); /* was such a point linked in? */

#endif
