/* SPDX-License-Identifier: MIT */
/*
 * The explorer's public face: how a scenario is written.
 *
 * A scenario is a set-up, two to four threads, and rules. The explorer runs the threads in every
 * order of their events, on the real code, and says which order breaks a rule. An event is what
 * other CPUs can notice: an atomic or volatile access, a lock, a sleep and its wake, a fence, a TLB
 * flush, an IPI, an interrupt, an access through the MMU. Plain accesses are no events: they are
 * watched for races.
 *
 *     static uint64_t full, got;
 *
 *     static void send(void) { __atomic_store_n(&full, 1, __ATOMIC_RELEASE); wake_up(&full); }
 *     static void receive(void)
 *     {
 *             wait_event(&full, __atomic_load_n(&full, __ATOMIC_ACQUIRE), "it", "send()");
 *             got = 1;
 *     }
 *     static void end(void) { X_EXPECT("I4", got, "the receiver ended without its message"); }
 *
 *     EXPLORE_SCENARIO(message, "wait.message", "a wake is never lost",
 *             .thread = {{"send", send}, {"receive", receive}}, .end = end);
 *
 * `explore wait.message` runs it. Nothing in the code under test is annotated.
 *
 * What is where. setup() and teardown() run as an ordinary thread, with the explorer off, once for
 * an exploration: they may mount, map, allocate and sleep. Everything else runs under the explorer,
 * and every byte that it writes is put back afterwards: start(), before the threads; the threads;
 * step(), after every event that wrote what it loaded before; end(), when all threads are over. An
 * execution goes on from a moment that it has in common with the one before, so start() is not
 * called for each. What step() says follows from what it loads, by code that is compiled to be seen
 * (the library's memcmp() is not): with the same words it says the same (rule.c). step()
 * and end() see memory as it is and make no events; they write nothing that others need, and
 * take no locks. A thread that must sleep for ever is a finding (I4), and so is a panic.
 *
 * Each thread runs on a CPU of its own, thread i on CPU i. Where interrupts come (IPIs,
 * timers, x_interrupt()), irq_save() is an event as well, and the explorer finds that out. Memory
 * from malloc(), frames and slabs may be taken and freed in threads. What a thread frees
 * is not given out again before the execution is over, and touching it is a finding; so it is with
 * frames and slab objects, for the modelled MMU as well.
 */
#ifndef TESTS_EXPLORE_EXPLORE_H
#define TESTS_EXPLORE_EXPLORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define X_MAX_THREADS 4
#define X_MAX_DEVICES 2
#define X_MAX_WATCHES 12

struct lifetime;
struct mm;

enum {
	X_REAL_SPINS = 1,
	X_REAL_SLEEPERS = 2, /* mutexes and rwsems */
};

struct x_thread {
	const char *name; /* as it heads its column: "truncate" */
	void (*fn)(void);
};

struct x_scenario {
	const char *name;  /* "wait.put-wakes": area.what */
	const char *claim; /* what holds in every order, a sentence without a full stop */
	const char *file;
	struct x_thread thread[X_MAX_THREADS]; /* up to the first without a name */
	/* A device: runs like a thread on no CPU. It may not sleep and takes no lock; its memory
	 * accesses are its DMA. It interrupts by x_interrupt(). */
	struct x_thread device[X_MAX_DEVICES];
	/* 0, or a negative errno after refuse(): the scenario cannot run here. All may be NULL. */
	int (*setup)(void);
	void (*teardown)(void);
	void (*start)(void);
	void (*step)(void);
	void (*end)(void);
	/* In what address space the threads run, asked after setup(); NULL: in none. */
	struct mm *(*mm)(void);
	bool lifetimes;	 /* it is another scenario under each lifetime: x_lifetime() */
	bool interrupts; /* there are some, which need not be found out */
	/* The kernel's own locks of these kinds are explored: their words are events, and not the
	 * lock as one. */
	uint8_t real_locks;
	/* It is known to break: a litmus test of what a rule is for. `explore *` expects that. */
	bool breaks;
	bool breaks_tso; /* the same under model=tso only */
	bool large;	 /* too large for brute force, so not compared with it */
};

#define EXPLORE_SCENARIO(ident, name_, claim_, ...)                                                \
	static const struct x_scenario x_scenario_##ident                                          \
		__attribute__((used, section("hf_scenarios"), aligned(8))) = {                     \
			.name = name_, .claim = claim_, .file = __FILE__, ##__VA_ARGS__}

/* The lifetime that was asked for (lifetime=L), the default one if none was; NULL in a scenario
 * without .lifetimes. */
const struct lifetime *x_lifetime(void);

/*
 * A rule: in a thread, in step() or in end(). `rule` is the invariant, "I1" … "I7", or a word of
 * the scenario's own; the sentence says what is the case now that it is broken. The execution ends
 * there.
 */
#define X_EXPECT(rule, cond, ...)                                                                  \
	do {                                                                                       \
		if (__builtin_expect(!(cond), 0))                                                  \
			x_broken(rule, __FILE__, __LINE__, __VA_ARGS__);                           \
	} while (0)
void x_broken(const char *rule, const char *file, int line, const char *fmt, ...)
	__attribute__((noreturn, format(printf, 4, 5)));

/*
 * What an execution came to. Two executions whose numbers are the same, in the order of each
 * thread, have the same outcome, and the explorer counts the different ones; brute force and DPOR
 * must find the same set. In threads, and in end(). Numbers that depend on addresses or times are
 * no outcome.
 */
void x_observe(uint64_t v);

/*
 * Loads and stores of 8 bytes through the modelled MMU, as a process makes them: by the TLB of the
 * thread's CPU, or the page tables, or a page fault, which the kernel's real handler gets. A fault
 * that is refused ends the execution as broken ("a fault nobody handles").
 */
uint64_t x_load(uint64_t va);
void x_store(uint64_t va, uint64_t v);
/* The same where a refused fault is one of the outcomes: false, and nothing was done. */
bool x_try_load(uint64_t va, uint64_t *v);
bool x_try_store(uint64_t va, uint64_t v);

/* fn(arg) runs as an interrupt on that CPU, as soon as its interrupts are on. Threads, devices. */
void x_interrupt(unsigned cpu, void (*fn)(void *), void *arg);

/* An event of the scenario's own: others may come before and after. `what` is shown. */
void x_point(const char *what);

/* In threads and end(): single frames that were taken in this execution, less those given back. */
long x_frames_taken(void);

/* Between these nothing is an event: what the thread does there happens at once. They nest. */
void x_quiet_begin(void);
void x_quiet_end(void);

/* In setup(): a number that is shown beside every step of a counterexample. */
void x_watch(const char *what, uint64_t (*fn)(void));

#endif
