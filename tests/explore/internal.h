/* SPDX-License-Identifier: MIT */
/*
 * The explorer's insides: what its files share.
 *
 * An *actor* is what can make the next step: a thread, a device, the interrupts of a CPU, the store
 * buffer of a CPU, the timers. An *event* is a step of one. Before a thread makes an event it says
 * what it is going to be (x_point()), so that at every moment the next event of every actor is
 * known, with the places in memory that it will touch. Two events of different actors are
 * *dependent* if they touch one place and one of them changes it.
 *
 * Code under test runs on the stacks of actors, with x_live set; the engine runs on the same stacks
 * with x_live clear, and on the stack of who called explore_run(). The hooks (hooks.c, wrap_*.c)
 * are where one becomes the other.
 */
#ifndef TESTS_EXPLORE_INTERNAL_H
#define TESTS_EXPLORE_INTERNAL_H

#include "kernel/kernel.h"
#include "tests/explore/explore.h"
#include "tests/explore/machine.h"

#define X_ACTORS       16
#define X_CPUS	       4 /* of threads; devices have one more each, which no interrupt reaches */
#define X_PLACES       4
#define X_SPINS	       4    /* of an actor at once, as far as halts.c knows them */
#define X_DEPTH	       4096 /* events of one execution */
#define X_BEGINNING    40u  /* of those, a beginning has so many: what goes to one shard */
#define X_PCT_DEPTH    16u  /* priorities of strategy=pct change so often, at most */
#define X_STACK_BYTES  (32 * KIB)
#define X_SHARED_SLOTS 4096u
#define X_RULE	       16
#define X_TEXT	       240

/* ---- events */

enum x_kind {
	X_LOAD,
	X_STORE,
	X_RMW,
	X_FENCE,
	X_LOCK,
	X_UNLOCK,
	X_SLEEP, /* tests whether its wait is over; if not, sleeps */
	X_WOKEN, /* enabled when woken */
	X_WAKE,
	X_IRQ_OFF,
	X_IRQ_ON,
	X_FLUSH,
	X_IPI,
	X_IPI_WAIT,
	X_BEGIN, /* of an interrupt */
	X_END,
	X_TIMER,
	X_DRAIN, /* a store leaves its CPU's buffer */
	X_PAUSE, /* enabled when what the loop looked at has changed */
	X_MMU_LOAD,
	X_MMU_STORE,
	X_NOTE,
	X_KINDS
};

/* How an event touches a place. A taker waits for a giver, so that the two never compete. */
#define X_READ	 0u
#define X_WRITE	 1u
#define X_TAKE	 2u
#define X_GIVE	 4u
#define X_SHARED 8u /* with TAKE or GIVE in place of WRITE: readers of an rwsem */

struct x_place {
	uintptr_t at;
	uint16_t bytes;
	uint16_t how;
};

struct x_op {
	uint8_t kind, nr;
	bool follows;	  /* is no choice: made at once */
	bool atomic_lock; /* under tso: waits until its CPU's buffer is empty */
	bool buffered;	  /* a store into the buffer: to x_actor.stores */
	uint8_t mode;	  /* X_LOCK: enum x_lock_mode */
	uintptr_t pc;
	const char *what; /* the object in words; NULL: by its address */
	const void *arg;  /* X_LOCK: the lock; X_WOKEN: the thread */
	struct x_place place[X_PLACES];
};

enum x_lock_mode { X_SPIN, X_MUTEX, X_RWSEM_READ, X_RWSEM_WRITE };

/* What an event touches, in the chain of its word (chains.c). */
struct x_link {
	struct x_place place;
	struct x_node *node; /* whose it is */
	struct x_word *word;
	struct x_link *older, *changed; /* the next older one; that changed something. NULL: none */
	uint16_t gave[X_ACTORS];	/* the clock that a store left there (sync.c) */
};

/* One event that happened. The first x.keep of them are as in the execution before. */
struct x_node {
	struct x_op op;
	uint64_t value; /* read, or written */
	struct x_link link[X_PLACES];
	uint16_t clock[X_ACTORS]; /* events of each actor that happened before, itself included */
	uint16_t vc[X_ACTORS];	  /* its actor's, for races (sync.c) */
	uint16_t nth;		  /* event of its actor, from 1 on */
	uint16_t block;		  /* of an interrupt's event or store: the node at which it began */
	uint16_t enabled;	  /* the actors that could have gone here */
	uint16_t todo;		  /* those that will (backtrack set) */
	union {
		struct {
			uint16_t done;	 /* those that went */
			uint16_t asleep; /* those that need not (sleep set) */
		};
		uint32_t settled; /* both at once */
	};
	uint16_t affordable; /* those that the bound allows */
	uint8_t actor;
	uint8_t last_thread; /* before this event; X_ACTORS: none yet */
	bool could_go;	     /* last_thread, when it came to its next event */
	uint64_t trace[2];   /* of the events up to and with this one (states.c) */
	uint16_t cost;	     /* preemptions up to and with this event; strategy=delay: delays */
};

/* ---- actors */

enum x_role { X_THREAD, X_DEVICE, X_IRQ, X_BUFFER, X_TIMERS };

struct x_actor {
	enum x_role role;
	uint8_t cpu, id;
	bool alive;	/* it has code to run */
	bool waits_irq; /* it is an interrupt that has begun */
	uint16_t quiet; /* depth of x_quiet_begin() */
	uint16_t nth;	/* events so far */
	unsigned bit;	/* 1 << id, for masks of actors */
	void *sp, *stack;
	const char *name;
	void (*fn)(void);
	struct x_op next; /* what it does next */
	uint16_t clock[X_ACTORS];
	uint16_t vc[X_ACTORS]; /* for races: what it has seen of the others */
	uint64_t observed;
	uint64_t held, held_alone;  /* locks, a bit each; those of them without readers */
	const void *spins[X_SPINS]; /* that it holds */
	uint8_t nr_spins;
	struct x_place looked[X_PLACES]; /* atomic loads since its last pause */
	uint16_t nr_looked, looked_from; /* from which node on */
	uint16_t oldest_looked;		 /* of looked[], when it is full */
	uint16_t began;			 /* of an interrupt: the node of its first event */
	struct thread *thread;		 /* of a thread */
	uint64_t tag;			 /* plain.h */
	uint64_t tick;			 /* one event of its own, in four of a clock (clocks.h) */
	struct x_place stores;		 /* of a next event that goes into the buffer: where */
	const uint32_t *answers;	 /* an interrupt that runs: who waits for it counts there */
};

struct slab_cache;
#include "tests/explore/moment.h"

/* ---- one exploration */

enum x_strategy { X_BRUTE, X_SLEEP_SETS, X_DPOR, X_STATES, X_DELAY, X_PCT, X_RANDOM, X_STRATEGIES };
#define X_UNBOUND      UINT32_MAX
#define X_STATES_BOUND 14u /* the largest of strategy=states */

struct x_options {
	const struct lifetime *lifetime;
	const char *lifetime_name;
	enum x_strategy strategy;
	bool tso, reverse, go_on; /* go_on: past the first finding */
	bool half;	/* a fault of the explorer: every second backtrack point is lost */
	bool quick;	/* no shortest counterexample */
	bool whole;	/* look at all earlier events, not only at those of a place (chains.c) */
	bool afresh;	/* each execution begins with its first event (moment.c) */
	bool mixed;	/* plain accesses race with atomic ones, too (race.c) */
	bool untaught;	/* who touches what is not looked for beforehand (alone.c) */
	uint8_t more;	/* enum x_more (search.h) */
	uint32_t bound; /* preemptions or delays; pct: depth */
	uint64_t runs, seed, time_ns;
	unsigned shard, shards; /* shards 0: all of it */
	uint64_t from;		/* beginnings before this one are done */
	unsigned check;		/* compare memory with a copy after every n-th execution */
};

struct x_result {
	uint64_t executions, redundant, steps, ns;
	uint64_t runs; /* executions, with what was known or begun again */
	unsigned outcomes, depth, races;
	bool complete;
	const char *bounded; /* by what; NULL: complete */
	uint64_t states;     /* that were kept */
	bool forgot;	     /* there was no memory for more of them */
	bool broken, failed; /* failed: the explorer itself could not */
	char rule[X_RULE], text[X_TEXT];
	uint64_t outcome_sum; /* the same for the same set of outcomes */
	unsigned plan_len, preempts;
	bool unsure;	       /* whether there is a shorter one */
	uint8_t plan[X_DEPTH]; /* of the counterexample */
};

/* How an execution ended. */
enum x_end { X_GOES_ON, X_OVER, X_BROKEN, X_REDUNDANT, X_FAILED };

struct x_engine {
	const struct x_scenario *sc;
	struct x_options opt;
	struct x_result *result;

	struct x_actor actor[X_ACTORS];
	unsigned nr, nr_threads, nr_devices;
	uint8_t irq_of[X_CPUS], buffer_of[X_CPUS + X_MAX_DEVICES], timers; /* X_ACTORS: none */
	struct x_actor *me; /* whose code runs; NULL: the explorer's own */
	void *main_sp, *driver_sp, *dead_sp;
	bool starting, at_end;
	bool driving; /* the driver itself is about to give a turn */
	struct x_state state;
	unsigned ran; /* a bit an actor: not as it was at the last moment */

	struct x_node *node;
	unsigned keep; /* so many are as before */
	const uint8_t *plan;
	unsigned plan_len;  /* replay; and for the rest the strategy */
	unsigned last_owed; /* behind this node none has a turn that is still to come */
	bool branching;	    /* node number `keep` has its actor already */
	enum x_end ended;
	char rule[X_RULE], text[X_TEXT];
	uintptr_t broken_pc;
	uint64_t observed_end;

	bool shortening, stale; /* stale: the finding's order is of before something was learnt */
	bool stopped;		/* the search, before its end, by its time or its runs */
	bool interrupts;	/* there are some: irq_save() is an event */
	bool learnt;		/* something that earlier events did not know of: begin again */
	bool again;		/* the same order once more, for its races */
	bool usual;  /* the strategy, without a bound or shards, from the first thread on */
	bool simple; /* so it is; and there is no plan, and nobody looks on */
	uint64_t rng;
	uint64_t told;			       /* when a line of progress was printed */
	uint64_t breathed;		       /* when the machine around was looked at */
	struct cpu *outside;		       /* where the explorer runs, as that sees it */
	uint64_t beginnings;		       /* that were reached (shards) */
	bool has_beginning;		       /* one of them was ours: */
	uint64_t beginning, executions_before; /* our last one, and what came before it */
	uint8_t priority[X_ACTORS];
	unsigned change_at[X_PCT_DEPTH];
	bool tables_changed; /* frames were taken: perhaps for page tables, or mapped */
	bool replaying;	     /* for people: values and watches are kept */
	unsigned half_count;
	bool noting;   /* who touches what, under which locks (alone.c) */
	bool learning; /* what that is, before it is relied on */

	struct {
		const char *what;
		uint64_t (*fn)(void);
	} watch[X_MAX_WATCHES];
	unsigned nr_watches;
};
extern struct x_engine x;
extern struct cpu x_cpu[X_CPUS + X_MAX_DEVICES];
/* Code under test runs: its accesses are seen, false or true. Or a rule does, with which nobody
 * races: of its loads X_LOOKS asks only whether it touches what was freed, and X_ASKED notes the
 * words besides (rule.c). */
#define X_LOOKS 2u
#define X_ASKED 3u
extern uint8_t x_live;

static inline bool x_on(void)
{
#ifdef HOST_HOME /* all CPUs on one thread: nobody else runs meanwhile */
	return unlikely(x_live);
#else
	return unlikely(x_live) && (uintptr_t)machine_cpu() - (uintptr_t)x_cpu < sizeof(x_cpu);
#endif
}
/* Do the stores of who runs wait in a buffer? Those of a device do not: writes that it posted
 * arrive in their order, before what it reads and before its interrupt (PCIe 2.4.1). */
static inline bool x_buffers(void)
{
	return x.opt.tso && x.me->role != X_DEVICE;
}
/* memcpy() writes past the caches, and what is kept is soon read again. */
static inline void x_copy_words(void *to, const void *from, size_t bytes)
{
	size_t words = bytes / 8;

	__asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
}
static inline unsigned x_hash(uintptr_t at)
{
	return (unsigned)(at * 0x9e3779b97f4a7c15ull >> 40);
}
#include "tests/explore/clocks.h"
static inline unsigned x_nth(const struct x_node *n)
{
	return (unsigned)(n - x.node);
}
/* For gcc, which would work out again and again where an actor or a node lies. */
#define X_STAYS(pointer) __asm__("" : "+r"(pointer))
static inline struct x_place x_place(const volatile void *at, size_t bytes, unsigned how)
{
	return (struct x_place){(uintptr_t)at, (uint16_t)bytes, (uint16_t)how};
}
static inline bool x_conflict(const struct x_place *a, const struct x_place *b)
{
	if (a->at + a->bytes <= b->at || b->at + b->bytes <= a->at)
		return false;
	return ((a->how | b->how) & X_WRITE) || ((a->how ^ b->how) & X_SHARED);
}
/* Places that are no memory. */
#define X_PLACE_IRQ(cpu)   x_place((void *)(uintptr_t)(64 + 8 * (cpu)), 8, 0)
#define X_PLACE_QUEUE(cpu) x_place((void *)(uintptr_t)(256 + 8 * (cpu)), 8, 0) /* its end */
#define X_PLACE_THREAD(n)  x_place((void *)(uintptr_t)(512 + 8 * (n)), 8, 0)
#define X_PLACE_TIMERS	   x_place((void *)(uintptr_t)768, 8, 0)
#define X_PLACE_IPI(n)	   x_place((void *)(uintptr_t)(1024 + 8 * (n)), 8, 0)
#define X_PLACE_TLB(cpu)   x_place((void *)(uintptr_t)(2048 + 8 * (cpu)), 8, 0)
#define X_PLACE_POSTED(cpu, n)                                                                     \
	x_place((void *)(uintptr_t)(2304 + 128 * (cpu) + 8 * ((n) % 16)), 8, 0)
#define X_PLACE_DONE(n)	    x_place((void *)(uintptr_t)(3072 + 8 * (n)), 8, 0)
#define X_PLACE_BUFFER(cpu) x_place((void *)(uintptr_t)(3584 + 8 * (cpu)), 8, 0)
/* The same, of stores of its handlers: they are out before the thread goes on. */
#define X_PLACE_HANDLED(cpu) X_PLACE_BUFFER((cpu) + X_CPUS + X_MAX_DEVICES)
#define X_PLACE_HALT(cpu)    x_place((void *)(uintptr_t)(3712 + 8 * (cpu)), 8, 0) /* halts.c */
_Static_assert(3584 + 16 * (X_CPUS + X_MAX_DEVICES) <= 3712, "the places of buffers end before it");
#define X_SMALLEST_ADDRESS 4096u /* below: the above, and offsets in struct cpu */
static inline struct x_place x_how(struct x_place p, unsigned how)
{
	p.how = (uint16_t)how;
	return p;
}

/* ---- point.c: the next event */
/* Begins to say what the caller's next event is. */
struct x_op *x_op(enum x_kind kind, const void *pc);
void x_add(struct x_op *op, struct x_place place);
void x_locked(struct x_op *op, unsigned cpu);

/* Said; returns when it is the caller's turn. False: it is no event here, go on at once. */
bool x_wait_turn(void);
void x_next(void);
/* A place for a breakpoint. */
void explore_last_step(const char *actor, const char *event, uintptr_t pc, bool on_its_stack);
/* The event just made read or wrote this. */
void x_value(uint64_t v);
/* The same of an access that the code makes itself, when it has its turn. */
void x_value_read(const volatile void *at, size_t bytes);
void x_value_written(const volatile void *at, size_t bytes);
/* The execution ends here. Never returns. */
void x_leave(enum x_end how) __noreturn;
void x_stop(const char *rule, const char *fmt, ...) __noreturn __printf(2, 3);
/* An interrupt comes in a scenario that said nothing of any: from now on it has them. */
void x_need_interrupts(void) __noreturn;
/* The explorer cannot go on; the scenario or the explorer is at fault, not the code under test. */
void x_fail(const char *fmt, ...) __noreturn __printf(1, 2);

/* ---- rule.c */
/* After an event: the scenario's own look, if what it looks at may have changed. It makes no event.
 */
void x_check_step(void);
void x_rule_reset(void); /* another scenario */

/* ---- hooks.c: as if the compiler had called. All but x_plain() leave x_live clear */
void x_plain(const volatile void *at, size_t bytes, bool write, uintptr_t pc);
void x_atomic_load(const volatile void *at, size_t bytes, uintptr_t pc);
bool x_atomic_store(volatile void *at, size_t bytes, uint64_t v, bool fence, uintptr_t pc);
void x_atomic_rmw(volatile void *at, size_t bytes, uintptr_t pc);

/* ---- wrap_irq.c */
void x_calls_reset(void);
void x_fence(void); /* under tso: an event, until the caller's stores are out */

/* ---- enabled.c */
/* What this actor does next is said. */
void x_said(const struct x_actor *a);
uint16_t x_enabled_actors(void);
/* This actor can go, or waits only for what comes by itself: for stores to leave their buffers, for
 * an interrupt of its CPU that can go. */
bool x_could_go(unsigned id, uint16_t enabled);
void x_describe_wait(const struct x_actor *a, char *buf, unsigned n);

/* ---- actors.c */
bool x_actors_init(void);   /* memory; false: none */
void x_actors_forget(void); /* what lies on their stacks */
void x_actors_make(void);
void x_actors_go(void);	    /* each up to its first event */
void *x_driver_stack(void); /* the end of it */
void x_resume(struct x_actor *a);
void x_irq_prepare(struct x_actor *irq);
/* The event `op` will post an interrupt to this CPU; and its turn has come: which one. */
void x_irq_say(struct x_op *op, unsigned cpu);
void x_irq_number(struct x_op *op);
void x_irq_post(unsigned cpu, void (*fn)(void *), void *arg, uint32_t *pending, unsigned ipi);
bool x_irq_waits(unsigned cpu);
extern uintptr_t x_stacks; /* of all actors, one behind the other */
static inline bool x_on_stack(uintptr_t at)
{
	return at - x_stacks < (X_ACTORS + 1) * X_STACK_BYTES;
}
static inline unsigned x_id(const struct x_actor *a)
{
	return a->id;
}

#include "tests/explore/search.h"

/* ---- arena.c */
bool x_arena_init(void);
void x_arena_begin(void); /* a set-up: it is empty */
void x_arena_keep(void);  /* what it gave out so far is the set-up's */
void x_arena_reset(void);
/* Of a slab, in an execution or a set-up. NULL: it is to come from the kernel's own. */
void *x_arena_object(const struct slab_cache *c, uintptr_t pc);
bool x_arena_give_back(void *p); /* outside of executions; false: it came from the kernel's own */
bool x_arena_offset(uintptr_t at, unsigned long *offset); /* false: it lies elsewhere */

/* ---- alike.c */
bool x_alike_init(void); /* memory; false: none */
/* Before the set-up: until x_alike_end() the calling thread has an empty address space, and frames
 * come from the explorer's own. False: no memory, and nothing changed. */
bool x_alike_begin(void);
void x_alike_end(void);
bool x_sets_up(void); /* the caller is the set-up, and what it allocates goes with it */
/* What the set-up has stays; what an execution took since then is given back. */
void x_frames_keep(void);
void x_frames_undo(void);
/* Between the two: what the caller allocates is not given back with the rest. They nest. */
void x_lasting_begin(void);
void x_lasting_end(void);
uint64_t x_frame_take(void);	       /* 0: it is to come from the frame allocator */
bool x_frame_give_back(uint64_t phys); /* false: it came from there */

#include "tests/explore/plain.h"

/* ---- names.c */
void x_name_address(uintptr_t at, char *buf, unsigned n);
const struct x_scenario *x_scenario_find(const char *name);
const struct x_scenario *x_scenario_nth(unsigned n);

/* ---- tso.c */
void x_tso_reset(void);
bool x_tso_empty(unsigned cpu);
bool x_tso_full(unsigned cpu);
void x_tso_turn(struct x_op *op, const volatile void *at, size_t bytes, unsigned how);
void x_tso_push(const volatile void *at, unsigned bytes, uint64_t v, unsigned how);
void x_tso_plain(const volatile void *at, size_t bytes, bool event);
void x_tso_off(unsigned cpu);
void x_tso_all_off(void);
/* Of all buffers, while none is laid over memory: so many bytes of a copy; the copy. */
size_t x_tso_bytes(void);
void x_tso_copy(void *to);
void x_tso_put_back(const void *from);
void x_tso_over(unsigned cpu);
void x_tso_drain(unsigned cpu);
void x_tso_next(unsigned cpu, struct x_op *op);
void x_tso_flush_plain(unsigned cpu);
/* x.me frees these bytes: what it has stored there before may come out behind that. */
void x_tso_freed(uintptr_t at, size_t bytes);
const uint16_t *x_tso_clock(unsigned cpu, bool races);
/* The release of this lock waits in a buffer. */
bool x_tso_releases(const struct spinlock *lock);
/* The locks that its maker held; or those of them that no reader shares. */
uint64_t x_tso_held(unsigned cpu, bool alone);

/* ---- timers.c */
void x_timers_reset(void);
bool x_timers_armed(void);
void x_timers_fire(void);
void x_timers_ended(void (*fn)(void *)); /* an interrupt of this function is over */
void x_timers_say(void);		 /* what the timers do next */

/* ---- mmu.c */
void x_mmu_reset(void);
bool x_mmu_check(void); /* at the end; false: x.rule and x.text say what is wrong */

/* ---- wrap_sched.c */
void x_sched_reset(void);
bool x_asleep(const struct thread *t);
unsigned x_thread_index(const struct thread *t);

/* ---- wrap_lock.c */
bool x_lock_free(const struct x_op *op);

#include "tests/explore/told.h"

#endif
