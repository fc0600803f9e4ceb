/* SPDX-License-Identifier: MIT */
/*
 * Self-tests: run in the kernel by `selftest`, reported as KTAP. A test lives beside what it tests
 * and makes one statement. The first failed EXPECT ends the test with file, line and both values;
 * SKIP says which device or feature is missing.
 *
 *     SELFTEST(rwsem_writer_waits, "rwsem.writer-waits", "a writer waits for all readers")
 *     {
 *             EXPECT(x == 2, "two readers, found %d", x);
 *     }
 */
#ifndef KERNEL_SELFTEST_SELFTEST_H
#define KERNEL_SELFTEST_SELFTEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct selftest;
struct selftest_run {
	const struct selftest *test;
	bool failed, skipped;
	char text[240]; /* why */
};
struct selftest {
	const char *name, *statement;
	void (*fn)(struct selftest_run *t);
};

#define SELFTEST(ident, dotted, statement_text)                                                    \
	static void selftest_fn_##ident(struct selftest_run *t);                                   \
	static const struct selftest selftest_##ident                                              \
		__attribute__((used, section("hf_selftests"), aligned(8))) = {                     \
			dotted, statement_text, selftest_fn_##ident};                              \
	static void selftest_fn_##ident(struct selftest_run *t __attribute__((unused)))

#define EXPECT(cond, ...)                                                                          \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			selftest_fail(t, __FILE__, __LINE__, #cond, __VA_ARGS__);                  \
			return;                                                                    \
		}                                                                                  \
	} while (0)
/* As EXPECT, but cleans up first: jumps to `label` instead of returning. */
#define EXPECT_OR(label, cond, ...)                                                                \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			selftest_fail(t, __FILE__, __LINE__, #cond, __VA_ARGS__);                  \
			goto label;                                                                \
		}                                                                                  \
	} while (0)
#define SKIP(...)                                                                                  \
	do {                                                                                       \
		selftest_skip(t, __VA_ARGS__);                                                     \
		return;                                                                            \
	} while (0)

void selftest_fail(struct selftest_run *t, const char *file, int line, const char *cond,
		   const char *fmt, ...) __attribute__((format(printf, 5, 6)));
void selftest_skip(struct selftest_run *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Runs the tests whose names match the shell pattern ('*', '?'). Failures, or -ENOENT: none
 * matched; -ENODATA: all that did were skipped. */
int selftest_run(const char *glob);
/*
 * Runs one test without a word, and checks what every test must leave as it found it: preemption
 * and interrupts enabled, no new warning, the museum's switches, nothing of SELFTEST_LEAVES. What
 * it left is put right and fails the test. The verdict is in *run.
 */
void selftest_run_one(const struct selftest *test, struct selftest_run *run);
/* Runs fn as if it were a registered test: for tests of what the runner sees. */
struct selftest_run selftest_try(void (*fn)(struct selftest_run *));

/*
 * What a test can leave behind, as a count. It is asked before and after each test, in sleepable
 * context, so it must be quick; lazily grown memory is none of it. `undo` brings the count back to
 * `before`, as far as it can; NULL: that is impossible. Whoever uses something has an earlier turn
 * than what it uses.
 */
enum leaves_turn {
	LEAVES_USERS,
	LEAVES_PAGES,
	LEAVES_MAPPINGS,
	LEAVES_FILES,
	LEAVES_MOUNTS,
	LEAVES_LAST
};
struct selftest_leaves {
	const char *what; /* "page(s) held" */
	enum leaves_turn turn;
	int64_t (*count)(void); /* zero means: none */
	void (*undo)(int64_t before);
};
#define SELFTEST_LEAVES(ident, what_text, turn_, count_, undo_)                                    \
	static const struct selftest_leaves selftest_leaves_##ident                                \
		__attribute__((used, section("hf_leaves"), aligned(8))) = {what_text, turn_,       \
									   count_, undo_}

/*
 * The museum: bugs on purpose, each behind a run-time switch (`museum NAME on`).
 *
 * A test that has never been seen to fail proves nothing. Each exhibit breaks one rule of the code
 * in one place; `make test` turns it on and demands that a named test notices. All are off at boot.
 *
 * A switch costs a test of a byte where its rule is kept. What cannot afford that, and what only an
 * explorer notices anyway, is MUSEUM_EXPLORED: it exists in the explorer's build, and in the plain
 * one is nothing at all, neither a name nor an instruction.
 *
 * A program whose file says MUSEUM_PLANTED of one exhibit has that bug for good: `museum` says
 * "off" of it like of all others, and no switch reaches it. It is there to be found
 * (tests/tools/bug.py).
 */

#define MUSEUM_PLANTED 2u
struct museum {
	const char *name, *what; /* what goes wrong, and the test that shows it */
	unsigned char on;	 /* 0, 1 or MUSEUM_PLANTED */
};
/* Defines exhibit `ident`; test it with museum_on(ident) where the rule is broken. */
#define MUSEUM(ident, name, what)                                                                  \
	struct museum museum_##ident                                                               \
		__attribute__((used, section("hf_museum"), aligned(8))) = {name, what, 0}
#define MUSEUM_DECLARE(ident) extern struct museum museum_##ident
#define museum_on(ident)      __builtin_expect(museum_##ident.on, 0)

/* The same, of the explorer's build alone; museum_explored(ident) is the constant false elsewhere.
 */
#if !defined(ANY_BUILD) && EXPLORE_BUILD
#define MUSEUM_EXPLORED(ident, name, what) MUSEUM(ident, name, what)
#define museum_explored(ident)		   museum_on(ident)
#else
#define MUSEUM_EXPLORED(ident, name, what) _Static_assert(sizeof(name) > 1, what)
#define museum_explored(ident)		   false
#endif

struct museum *museum_find(const char *name); /* NULL: none */
struct museum *museum_at(unsigned n);	      /* NULL behind the last */
bool museum_any(void);			      /* is one on? False: the code is as it should be */
/* Which are on: bit n is exhibit n. */
#define MUSEUM_MAX 256u
struct museum_set {
	uint64_t on[MUSEUM_MAX / 64];
};
void museum_save(struct museum_set *set);
void museum_restore(const struct museum_set *set);
/* The first exhibit that is not as it was when *set was saved; NULL: all are. */
struct museum *museum_changed(const struct museum_set *set);

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

struct thread;

struct step_point {
	const char *name;
	uint64_t addr;
};

/* Something to stop at, and to leave out (boot/host/breakpoints.c): there are no debug registers.
 */
#if defined(HOST_HOME) || defined(ANY_HOME)
#define STEP_PLACE "nop\n"
#else
#define STEP_PLACE ""
#endif
/* Marks this place; `ident` names it. A file may mark one name several times (inlined copies). */
#define STEP_POINT(ident)                                                                          \
	__asm__ volatile("1:\n" STEP_PLACE ".pushsection hf_steps,\"aw\"\n"                        \
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
