/* SPDX-License-Identifier: MIT */
/*
 * Preemptive threads. A thread runs in ring 0 on its own guarded stack; its `mm`, if it has one, is
 * the address space that the low half of memory shows while it runs.
 *
 * One run queue serves all CPUs (at most eight; simplicity over scale), protected by one spinlock.
 * A thread runs until it sleeps, or until its slice ends while another one is ready.
 */
#ifndef KERNEL_SCHED_SCHED_H
#define KERNEL_SCHED_SCHED_H

#include <reent.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "kernel/lib/lib.h"

/* The sanitizer's red zones around variables need room. */
#define THREAD_STACK_SIZE (SHADOW_BUILD ? 64 * 1024 : 16 * 1024)
#define THREAD_SLICE_NS	  5000000ull /* a tick of preemption, only while another thread is ready */

#define REFUSAL_TEXT 320 /* bytes of a sentence, with its zero */

enum thread_state { THREAD_READY, THREAD_RUNNING, THREAD_SLEEPING, THREAD_DEAD };

#define THREAD_MAX_HELD 12

#define LOCK_ORDER_DEPTH  24
#define LOCK_ORDER_FRAMES 4

/* What is held: by a thread (what it may sleep with), or by a CPU (spinlocks). */
struct lock_holding {
	unsigned n; /* zero means nothing */
	struct lock_held {
		const void *lock;
		uint32_t class;
		uint32_t pc[LOCK_ORDER_FRAMES]; /* where it was taken; addresses less KERNEL_BASE */
	} at[LOCK_ORDER_DEPTH];
};

struct waiter;

/* For watch.c: may the time since the last preemption be added to that before it? */
struct thread_watch {
	uint64_t began; /* clock when the thread last came by its own doing */
	uint64_t
		came; /* at the last preemption: clock when that turn began; zero: there was none */
	uint64_t ran, at; /* and: ran_ns before that turn; the clock */
	uint64_t counted; /* `began` that the ticks below belong to */
	unsigned ticks;	  /* of the watchdog, in a row, that found the thread running */
};

struct thread {
	/* Constant after thread_create(). */
	char name[32];
	unsigned tid;
	void (*fn)(void *);
	void *arg;
	void *stack; /* lowest usable byte; an unmapped guard page lies below */

	/* Protected by the run-queue lock. */
	enum thread_state state;
	uint32_t cpu;	   /* where it runs or ran last */
	uint32_t affinity; /* bit n: may run on CPU n */
	uint64_t rsp;	   /* saved stack pointer while it does not run */
	TAILQ_ENTRY(thread) runq;
	LIST_ENTRY(thread) all;

	/* Only the thread itself writes these; others may read them for reports. */
	struct waiter *waiting; /* NULL means it waits for nothing; stable while it sleeps */
	uintptr_t held[1 + THREAD_MAX_HELD]; /* sleeping locks it holds: address | enum held_kind;
						the first one is held[1], see held_has_of() */
	uint32_t nr_held; /* zero means none; more than THREAD_MAX_HELD: the rest is not known */
	void *mm;	  /* address space of the mm floor, NULL: the kernel's only */
	void *walks;	  /* of page records, by the mm floor; NULL: none */
	char refusal[REFUSAL_TEXT]; /* refuse() */
	uintptr_t refused_at;	    /* the same; zero: it has refused nothing yet */
	bool refusal_asked;	    /* the sentence was read since it was made */
	uint64_t ran_ns;
	int exit_status;
	bool signalled;		/* set by thread_signal(), cleared by signal_clear() */
	bool batch, stop_asked; /* see batch_begin(); zero means: signals are signals */
	bool done;
	int refs; /* creator + running thread; zero means the structure may be freed */
	struct _reent reent;
	struct thread_watch watch;
#if !defined(ANY_BUILD) && DEBUG_BUILD /* last, so that all builds find the rest in one place */
	struct lock_holding holding;   /* lock_order.c */
	bool nest_next;		       /* zero means: a second lock of one class is a mistake */
#endif
};

/* Creates a ready thread that runs fn(arg). `affinity` 0: any CPU. Sleepable context. NULL: no
 * memory. The caller owns one reference: thread_join() or thread_detach() gives it back. */
struct thread *thread_create(const char *name, void (*fn)(void *), void *arg, uint32_t affinity);
int thread_join(
	struct thread *t); /* sleeps; woken by: the thread's exit. Returns its exit status */
void thread_detach(struct thread *t);
void thread_exit(int status) __attribute__((noreturn));
/*
 * Lets another thread that can run have this CPU; thread context. Then one PAUSE: under QEMU's
 * -icount, where CPUs take turns, a loop of yields without one keeps most of the turns of the
 * others.
 */
void thread_yield(void);
void thread_sleep_ns(uint64_t ns); /* woken by: a timer */
/* Interrupts an interruptible wait of `t` (-EINTR). Any context. */
void thread_signal(struct thread *t);
void signal_clear(void);
/*
 * A batch is a command made of pieces that must each run undisturbed: the cells of `race all`, the
 * rows of `bench`, tests. Between begin and end a signal of another thread for the current one ends
 * no wait of a piece; it is kept, and the batch asks between its pieces (the safe points, where
 * nothing is held) whether it shall stop. value of batch_end(): 0, or -EINTR when it was to stop.
 * Batches do not nest: the inner one is part of the outer.
 */
bool batch_begin(void); /* false: an outer one is under way; then no batch_end() */
bool batch_stopped(void);
int batch_end(void);

/* The mm floor's part of a switch: called on the CPU, interrupts off, before `next` runs. */
void thread_set_mm_switch(void (*fn)(void *next_mm));
/* Where stacks come from. Set once by the mm floor, before the first thread_create(). */
struct stack_ops {
	void *(*alloc)(
		void); /* THREAD_STACK_SIZE usable bytes above an unmapped guard page, or NULL */
	void (*free)(void *stack);
};
void thread_set_stack_ops(const struct stack_ops *ops);

/* Calls fn for every thread under a lock that keeps threads from vanishing; fn must not sleep. */
void thread_for_each(void (*fn)(struct thread *t, void *arg), void *arg);
const char *thread_state_name(const struct thread *t);
void threads_init(void); /* turns the boot flow of this CPU into thread "main" */
struct thread *
thread_find(unsigned tid); /* NULL: none. Takes a reference: thread_detach() drops it */

/*
 * Quiet: when nothing goes on by itself any more. And patience: how tests wait for what must come.
 *
 * A thread is woken by another thread, by a device or by a timer. So when no thread can run and no
 * device is at work, only a timer can change anything; and when none is armed, nothing ever will.
 * Both are said without a look at any clock, so the same on a host that gives this machine a tenth
 * of a CPU.
 */

struct thread;

enum quiet {
	QUIET_NOT,   /* somebody runs, or a device is at work */
	QUIET_TIMER, /* nothing but a timer can change anything */
	QUIET_DEAD   /* nothing runnable and no event pending */
};
/* Looks in a row that say the same: what was just about to be woken is by then. */
#define QUIET_SURE 3

/*
 * How long to sleep before the next look, after so many of them. Nearly everything comes at once,
 * and is looked for at once; a device takes 100 ms for its work, and a look is a timer, an
 * interrupt and two halts of a CPU, which on an emulated machine costs more than what is waited
 * for. So from the 16th on a sleep is an eighth of what was waited already, at most
 * LOOK_LONGEST_NS. Only looks that found somebody at work count: before a decision, and where the
 * clock is moved on, looks are as fast as the first ones.
 */
#define LOOK_LONGEST_NS 2000000ull
static inline uint64_t look_ns(uint64_t first_ns, unsigned looks)
{
	uint64_t ns = looks < 16 ? first_ns : first_ns * (looks / 8);

	return ns < LOOK_LONGEST_NS ? ns : LOOK_LONGEST_NS;
}

/* Thread context, interrupts on. A snapshot. The caller, the idle threads, and those that `except`
 * says true of do not count; except NULL: all others do. It is called under the lock of
 * thread_for_each(). */
enum quiet quiet_look(bool (*except)(const struct thread *t, void *arg), void *arg);
bool quiet_somebody_runs(bool (*except)(const struct thread *t, void *arg), void *arg);
/* Until nothing but a timer can change anything; false: a signal came. Thread context. */
bool quiet_wait(void);
/* The same, but for what devices do: no thread can run, and a device may be at work still. */
bool quiet_wait_threads(void);
/* Which devices are at work is known on floors above; set once at boot. */
void quiet_asks(bool (*devices_at_work)(void));

/*
 * The wait of a test. It ends when `cond` is true, or when it is certain that it never will be:
 * nothing runs, no device works, no timer is armed. With AWAIT_POLLS the clock is moved on to the
 * next timer where only that can help, by a minute in all: for what is polled for once a second.
 *
 * A machine that is busy and never gets there is broken, and is the only one that the bound is for:
 * PATIENCE_LOOKS of look_ns() are two minutes at least, and more where looks take longer. It ends a
 * hang; no healthy machine, however slow, is judged by it. What did not come is said in a line.
 */
#define PATIENCE_LOOKS	 75000u
#define PATIENCE_LOOK_NS 100000ull
#define PATIENCE_SKIP_NS (60ull * 1000 * 1000 * 1000)
/* The same bound where a thread spins with interrupts off, or is stopped (struct step_stop), and
 * nobody looks: a time of clock_ns(). */
#define PATIENCE_END() (clock_ns() + 2 * PATIENCE_SKIP_NS)

struct patience {
	const char *what; /* that is waited for: "the punch to end" */
	bool polls;
	/* Zero at the beginning. */
	unsigned looks, dead;
	uint64_t skipped_ns;
};
/* Sleeps until the next look. False: there is no use in another one, and a line has said so. */
bool patience_left(struct patience *p);

#define AWAIT__(cond, text, skips)                                                                 \
	({                                                                                         \
		struct patience p__ = {.what = (text), .polls = (skips)};                          \
		bool came__;                                                                       \
		while (!(came__ = (cond)) && patience_left(&p__))                                  \
			;                                                                          \
		came__ || (cond);                                                                  \
	})
#define AWAIT(cond, what)	AWAIT__(cond, what, false)
#define AWAIT_POLLS(cond, what) AWAIT__(cond, what, true)

/*
 * The watchdog: warns of a thread that keeps a CPU, and of a CPU that takes no interrupt. See
 * watch.c. What it says is a warning on the console and nothing else: no test fails of it.
 */

/* The current thread begins something new (a self-test, a row, a race): what it ran before does not
 * count. Thread context. */
void watch_touch(void);

/* What the watchdog said last; for tests. */
struct watch_said {
	unsigned threads, deaf; /* warnings of each kind since boot; zero: none */
	bool is_deaf;		/* the kind of the last one */
	unsigned tid;		/* of the thread in it; zero: its CPU did not answer */
	uint64_t pc[16];	/* its call chain */
	unsigned n;
};
struct watch_said watch_last(void);
#define WATCH_TICKS 5u /* looks in a row that find a thread at it: then it is named */
/* A look at the current thread, as the tick on its CPU makes it; for tests. Thread context. */
void watch_look(void);
/* Looks every `ns` on every CPU, and silently; 0: as ever. For tests; sleepable context. */
void watch_set_period(uint64_t ns);

/*
 * For self-tests of the machine: several threads that run one function, and waits that give up.
 *
 * A test's state is static or outlives gang_join(): EXPECT returns at once, so a test joins all its
 * threads first and looks afterwards. Nothing here counts seconds: a wait ends when nothing
 * goes on any more (above).
 */

#define GANG_MAX 16

struct gang {
	unsigned n;
	struct thread *thread[GANG_MAX];
};

/* Starts n threads running fn(arg); `pinned`: thread i on CPU i % nr_cpus. False: not all could be
 * created, none is left. */
bool gang_start(struct gang *g, unsigned n, void (*fn)(void *), void *arg, bool pinned);
void gang_join(struct gang *g);
/*
 * Between two looks at what a thread on another CPU has done. At first only a yield, so that both
 * go on together; but while a busy host runs one CPU of the machine at a time, a spin on it keeps
 * the other one waiting: from the GANG_SPINS-th look on a short sleep. *looks: zero at first.
 */
#define GANG_SPINS 200u
void gang_look(unsigned *looks);

/* Until *word is at least `want`; false: nothing that runs will make it so. */
bool comes_true(const unsigned *word, unsigned want);
/* The same for `t` going to sleep, or for n threads waiting on `key`. */
bool falls_asleep(const struct thread *t);
bool gather_on(const void *key, int n);

/* ---- reasons (refuse.c) ---- */

/* The current thread cannot do what it was asked for, and this sentence says why: the condition
 * that failed, and what would help. Value: err. It may have refusal() among its arguments. Threads
 * only: an interrupt has nobody to tell. */
int refuse(int err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The sentence of the current thread's last refuse(): after a call that failed, of that call. Good
 * until the next one; "" if there was none. */
const char *refusal(void);
/* Where code that knows no refuse() writes the sentence itself, REFUSAL_TEXT bytes at most: the
 * place of the next refuse() that puts words around it is its own. */
char *refusal_buffer(void);
/* Where in the code that sentence was made: a return address. */
uintptr_t refused_at(void);
void refusal_clear(void); /* what comes may fail without a sentence */

#endif
