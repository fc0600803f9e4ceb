/* SPDX-License-Identifier: MIT */
/*
 * The lock-order checker of the debug build.
 *
 * A graph: a node for each name of a lock, an edge A → B for "B was taken while A was held", with
 * the two places where that was seen first. A new edge that closes a circle is an inversion. The
 * edge is noted nevertheless, so each circle is said once. Three more rules are watched on the way:
 *
 *   twice       a second lock of a class that is held already, unless the caller said that their
 *               order is kept (lock_order_nested())
 *   interrupts  a spinlock that an interrupt handler takes is never taken with interrupts on: the
 *               handler would wait for what it has interrupted
 *   sleeping    a lock that is waited for asleep is not taken with a spinlock held: might_sleep()
 *               (internal.h) panics of that in every build
 *
 * Spinlocks are held by a CPU: the run queue's is taken by one thread and released by the next. An
 * interrupt handler takes its locks on top of those of what it interrupted, which is as it is.
 * A lock that was got by a try makes no edge to itself, since a try never waits.
 */
#include "kernel/cpu/internal.h"
#include "kernel/trap/internal.h"

#if DEBUG_BUILD

#define MAX_CLASSES 160
#define NAMES	    1024 /* a power of two */

struct place {
	uint32_t pc[LOCK_ORDER_FRAMES];
};
struct edge {
	struct place held, taken;
};
struct class
{
	const char *name;
	bool in_irq, irqs_on; /* it was taken there; and where that was first */
	bool irq_said, twice_said;
	struct place irq_at, on_at;
};

/* Written with `busy` held. A class or edge that is seen is complete. */
static struct class classes[MAX_CLASSES];
static uint32_t nr_classes;
static struct {
	const char *name;
	uint32_t class;
} by_name[NAMES]; /* by the name's address; several addresses may spell one name */
static uint8_t known[MAX_CLASSES][MAX_CLASSES];
static struct edge edges[MAX_CLASSES][MAX_CLASSES];
static uint32_t busy; /* a spinlock that is not watched itself; zero: free */

static struct lock_holding per_cpu[MAX_CPUS]; /* spinlocks */
static bool inside[MAX_CPUS]; /* this CPU is in here: what it takes is not watched */
static void (*divert)(const char *text);

static void graph_lock(void)
{
	while (__atomic_exchange_n(&busy, 1, __ATOMIC_ACQUIRE))
		cpu_pause();
}

static void graph_unlock(void)
{
	__atomic_store_n(&busy, 0, __ATOMIC_RELEASE);
}

/* ---- classes */

/* graph_lock held. MAX_CLASSES: no room. */
static uint32_t class_add(const char *name)
{
	for (uint32_t i = 0; i < nr_classes; i++)
		if (!strcmp(classes[i].name, name))
			return i;
	if (nr_classes == MAX_CLASSES)
		return MAX_CLASSES;
	classes[nr_classes].name = name;
	return nr_classes++;
}

static uint32_t class_of(const char *name)
{
	unsigned slot = ((uintptr_t)name >> 3) * 0x9e3779b1u % NAMES;

	for (unsigned i = 0; i < NAMES; i++, slot = (slot + 1) % NAMES) {
		const char *there = __atomic_load_n(&by_name[slot].name, __ATOMIC_ACQUIRE);

		if (there == name)
			return by_name[slot].class;
		if (there)
			continue;
		graph_lock();
		if (!by_name[slot].name) {
			by_name[slot].class = class_add(name);
			__atomic_store_n(&by_name[slot].name, name, __ATOMIC_RELEASE);
		}
		graph_unlock();
		i--; /* look at this one again */
		slot = (slot - 1) % NAMES;
	}
	return MAX_CLASSES;
}

/* ---- places */

/* The callers of lock_order_take(). */
static void note_place(struct place *p, uint64_t rbp)
{
	unsigned n = 0;

	memset(p, 0, sizeof(*p));
	while (n < LOCK_ORDER_FRAMES && IN_KERNEL_HALF(rbp) && rbp % 8 == 0) {
		const uint64_t *frame = (const uint64_t *)rbp;

		if (frame[1] < KERNEL_BASE)
			break;
		p->pc[n++] = (uint32_t)(frame[1] - KERNEL_BASE);
		if (frame[0] <= rbp)
			break;
		rbp = frame[0];
	}
}

struct text {
	char buf[1400];
	unsigned n;
};

static void __printf(2, 3) add(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->buf + t->n, sizeof(t->buf) - t->n, fmt, ap);
	va_end(ap);
	if (n > 0)
		t->n = MIN(t->n + (unsigned)n, (unsigned)sizeof(t->buf) - 1);
}

/* Two callers are enough, and the lock's own functions say nothing. */
static void add_place(struct text *t, const char *what, const char *name, const struct place *p)
{
	unsigned n = 0, line;
	char where[160];

	add(t, "\n    %s '%s' at", what, name);
	for (unsigned i = 0; i < LOCK_ORDER_FRAMES && p->pc[i] && n < 2; i++) {
		uint64_t pc = KERNEL_BASE + p->pc[i];
		const char *file = ksym_line(pc - 1, &line);

		if (file && !strncmp(file, "kernel/lock_", 12))
			continue;
		add(t, "%s %s", n++ ? " <" : "", ksym_describe(pc, true, where, sizeof(where)));
	}
}

static void say(const struct text *t)
{
	void (*fn)(const char *) = __atomic_load_n(&divert, __ATOMIC_ACQUIRE);

	const char *rest = strchr(t->buf, '\n');

	if (fn) {
		fn(t->buf);
		return;
	}
	warn("%.*s", (int)(rest - t->buf), t->buf);
	console_write(rest + 1, strlen(rest + 1));
	console_write("\n", 1);
}

void lock_order_divert(void (*fn)(const char *text))
{
	__atomic_store_n(&divert, fn, __ATOMIC_RELEASE);
}

/* ---- rules. Interrupts off; this CPU is `inside`. */

/* Is there a way from -> ... -> to? If so, next[] leads along it. graph_lock held. */
static bool reaches(uint32_t from, uint32_t to, uint8_t *next)
{
	static uint8_t seen[MAX_CLASSES], stack[MAX_CLASSES]; /* graph_lock */
	unsigned n = 0;

	/* Backwards from `to`, so that next[] of each is the step towards it. */
	memset(seen, 0, sizeof(seen));
	seen[to] = 1;
	stack[n++] = (uint8_t)to;
	while (n) {
		uint32_t b = stack[--n];

		for (uint32_t a = 0; a < nr_classes; a++) {
			if (!known[a][b] || seen[a])
				continue;
			seen[a] = 1;
			next[a] = (uint8_t)b;
			stack[n++] = (uint8_t)a;
		}
	}
	return seen[from];
}

static void say_circle(const struct lock_held *h, uint32_t class, const struct place *now,
		       const uint8_t *next)
{
	struct text t = {.n = 0};
	struct place held;

	memcpy(held.pc, h->pc, sizeof(held.pc));
	add(&t, "lock order: '%s' is taken with '%s' held, and it was the other way round before:",
	    classes[class].name, classes[h->class].name);
	add_place(&t, "now held:", classes[h->class].name, &held);
	add_place(&t, "now taken:", classes[class].name, now);
	for (uint32_t a = class; a != h->class; a = next[a]) {
		add_place(&t, "before, held:", classes[a].name, &edges[a][next[a]].held);
		add_place(&t, "before, taken:", classes[next[a]].name, &edges[a][next[a]].taken);
	}
	say(&t);
}

static void add_edge(const struct lock_held *h, uint32_t class, const struct place *now)
{
	uint8_t next[MAX_CLASSES];
	bool circle;

	graph_lock();
	circle = !known[h->class][class] && reaches(class, h->class, next);
	if (!known[h->class][class]) {
		memcpy(edges[h->class][class].held.pc, h->pc, sizeof(h->pc));
		edges[h->class][class].taken = *now;
		__atomic_store_n(&known[h->class][class], 1, __ATOMIC_RELEASE);
	}
	graph_unlock();
	if (circle)
		say_circle(h, class, now, next);
}

static void say_twice(const struct lock_held *h, uint32_t class, const struct place *now)
{
	struct text t = {.n = 0};
	struct place held;

	if (__atomic_exchange_n(&classes[class].twice_said, true, __ATOMIC_RELAXED))
		return;
	memcpy(held.pc, h->pc, sizeof(held.pc));
	add(&t, "lock order: a second '%s' is taken with one held, and nobody says in which order:",
	    classes[class].name);
	add_place(&t, "held:", classes[class].name, &held);
	add_place(&t, "taken:", classes[class].name, now);
	say(&t);
}

static void check_held_lock(const struct lock_holding *held, uint32_t class,
			    const struct place *now, bool nested)
{
	for (unsigned i = 0; i < MIN(held->n, (unsigned)LOCK_ORDER_DEPTH); i++) {
		const struct lock_held *h = &held->at[i];

		if (h->class != class) {
			if (!__atomic_load_n(&known[h->class][class], __ATOMIC_ACQUIRE))
				add_edge(h, class, now);
		} else if (!nested) {
			say_twice(h, class, now);
		}
	}
}

static void check_irq(uint32_t class, const struct place *now, bool irqs_on)
{
	struct class *c = &classes[class];
	struct text t = {.n = 0};

	if (in_interrupt() && !c->in_irq) {
		c->irq_at = *now;
		c->in_irq = true;
	} else if (!in_interrupt() && irqs_on && !c->irqs_on) {
		c->on_at = *now;
		c->irqs_on = true;
	}
	if (!c->in_irq || !c->irqs_on || c->irq_said)
		return;
	c->irq_said = true;
	add(&t,
	    "lock order: '%s' is taken by an interrupt handler, and elsewhere with interrupts on:",
	    c->name);
	add_place(&t, "in an interrupt:", c->name, &c->irq_at);
	add_place(&t, "interrupts on:", c->name, &c->on_at);
	say(&t);
}

/* ---- taking and dropping */

static void push(struct lock_holding *held, const void *lock, uint32_t class,
		 const struct place *now)
{
	if (held->n < LOCK_ORDER_DEPTH) {
		struct lock_held *h = &held->at[held->n];

		h->lock = lock;
		h->class = class;
		memcpy(h->pc, now->pc, sizeof(h->pc));
	}
	held->n++;
}

/* Before there are threads, and where a panic or a single step is at work, nothing is watched. */
static bool watched(void)
{
	return cpus[0].online && current_thread() && !panicking() && !inside[cpu_id()];
}

void __attribute__((noinline))
lock_order_take(const void *lock, const char *name, enum lock_kind kind, bool tried)
{
	uint64_t flags = irq_save();
	bool irqs_on = flags & RFLAGS_IF;
	struct thread *t;
	struct place now;
	uint32_t class;

	if (!name || !watched())
		goto out;
	inside[cpu_id()] = true;
	t = current_thread();
	note_place(&now, (uintptr_t)__builtin_frame_address(0));
	class = class_of(name);
	if (class < MAX_CLASSES) {
		if (!tried && !in_interrupt())
			check_held_lock(&t->holding, class, &now, t->nest_next);
		if (!tried)
			check_held_lock(&per_cpu[cpu_id()], class, &now, t->nest_next);
		if (kind == LOCK_SPIN && !tried)
			check_irq(class, &now, irqs_on);
		if (!in_interrupt())
			t->nest_next = false;
		push(kind == LOCK_SPIN ? &per_cpu[cpu_id()] : &t->holding, lock, class, &now);
	}
	inside[cpu_id()] = false;
out:
	irq_restore(flags);
}

void lock_order_drop(const void *lock, enum lock_kind kind)
{
	uint64_t flags = irq_save();
	struct lock_holding *held;
	unsigned i;

	if (!watched())
		goto out;
	held = kind == LOCK_SPIN ? &per_cpu[cpu_id()] : &current_thread()->holding;
	i = MIN(held->n, (unsigned)LOCK_ORDER_DEPTH);
	while (i && held->at[i - 1].lock != lock)
		i--;
	if (i) {
		held->n--;
		for (; i < MIN(held->n + 1, (unsigned)LOCK_ORDER_DEPTH); i++)
			held->at[i - 1] = held->at[i];
	} else if (held->n > LOCK_ORDER_DEPTH) {
		held->n--; /* one of those that had no room */
	}
out:
	irq_restore(flags);
}

void lock_order_nested(const char *why)
{
	(void)why;
	current_thread()->nest_next = true;
}

void lock_order_forget(const char *prefix)
{
	uint64_t flags = irq_save();

	graph_lock();
	for (uint32_t i = 0; i < nr_classes; i++) {
		if (strncmp(classes[i].name, prefix, strlen(prefix)))
			continue;
		classes[i] = (struct class){.name = classes[i].name};
		memset(known[i], 0, sizeof(known[i]));
		for (uint32_t j = 0; j < nr_classes; j++)
			known[j][i] = 0;
	}
	graph_unlock();
	irq_restore(flags);
}

#else

void lock_order_forget(const char *prefix)
{
	(void)prefix;
}

void lock_order_divert(void (*fn)(const char *text))
{
	(void)fn;
}

#endif
