/* SPDX-License-Identifier: MIT */
/*
 * A counterexample for people: one column a thread, and where in the source each event stands.
 *
 * What memory says of an event is kept when it happens: the watched numbers, and words that stand
 * on the stack of who sleeps. When the order is printed, memory has been put back.
 *
 * Where a scenario watches nothing itself, the pages whose state changes in the order are watched:
 * every access to that word is an event, so its value says the references and mappings by itself.
 */
#include "mm/mm.h"
#include "tests/explore/internal.h"
#include "tests/explore/json.h"

#define COLUMN 30
#define WORDS  64u /* of what an event was done to, with the 0 behind */

static const char *const kinds[X_KINDS] = {
	[X_LOAD] = "load",	 [X_STORE] = "store",	      [X_RMW] = "rmw",
	[X_FENCE] = "fence",	 [X_LOCK] = "lock",	      [X_UNLOCK] = "unlock",
	[X_SLEEP] = "sleep",	 [X_WOKEN] = "woken",	      [X_WAKE] = "wake",
	[X_IRQ_OFF] = "irq-off", [X_IRQ_ON] = "irq-on",	      [X_FLUSH] = "flush",
	[X_IPI] = "ipi",	 [X_IPI_WAIT] = "ipi-answer", [X_BEGIN] = "begin",
	[X_END] = "end",	 [X_TIMER] = "timer",	      [X_DRAIN] = "drain",
	[X_PAUSE] = "spin",	 [X_MMU_LOAD] = "mmu-load",   [X_MMU_STORE] = "mmu-store",
	[X_NOTE] = "note"};

/* Of each event: what is watched behind it, and what it was done to, if that has a name. */
static struct {
	uint64_t watch[X_MAX_WATCHES];
	char what[WORDS];
} * seen;

const char *x_kind_name(unsigned kind)
{
	return kind < X_KINDS ? kinds[kind] : "?";
}

bool x_trail_init(void)
{
	if (!seen)
		seen = machine_memory(X_DEPTH * sizeof(*seen));
	return seen != NULL;
}

/* What is watched, behind event n and before the next one, which is about to be made. */
void x_trail_keep(unsigned n)
{
	for (unsigned i = 0; n && i < x.nr_watches; i++)
		seen[n - 1].watch[i] = x.watch[i].fn();
	if (n < x.state.depth && x.node[n].op.what)
		snprintf(seen[n].what, WORDS, "%s", x.node[n].op.what);
}

void x_object(const struct x_op *op, char *buf, unsigned n)
{
	if (op->what)
		snprintf(buf, n, "%s", op->what);
	else if (op->nr && op->place[0].at >= X_SMALLEST_ADDRESS)
		x_name_address(op->place[0].at, buf, n);
	else
		buf[0] = 0;
}

static void object_of(unsigned n, char *buf, unsigned size)
{
	if (x.node[n].op.what)
		snprintf(buf, size, "%s", seen[n].what);
	else
		x_object(&x.node[n].op, buf, size);
}

static void place_in_source(uintptr_t pc, char *buf, unsigned n)
{
	const char *function = ksym_lookup(pc - 1, NULL), *file;
	unsigned line = 0;

	file = ksym_line(pc - 1, &line);
	snprintf(buf, n, "%s %s:%u", function ? function : "?", file ? file : "?", line);
}

static bool has_value(unsigned kind)
{
	return kind == X_LOAD || kind == X_STORE || kind == X_RMW || kind == X_DRAIN ||
	       kind == X_MMU_LOAD || kind == X_MMU_STORE;
}

/* ---- the pages whose state changes */

/* The event's place is the state of this page. */
static bool is_state(const struct x_op *op, uint64_t *pfn)
{
	uint64_t at = op->nr ? op->place[0].at - RECORD_BASE : UINT64_MAX;

	*pfn = at / RECORD_SIZE;
	return has_value(op->kind) && at < COMPOUND_BASE - RECORD_BASE && at % RECORD_SIZE == 0;
}

/* Event n shows the state of a page that some event of the order changes. */
static bool shows_page(unsigned n, uint64_t *pfn)
{
	uint64_t other;

	if (x.nr_watches || !is_state(&x.node[n].op, pfn))
		return false;
	for (unsigned i = 0; i < x.state.depth; i++)
		if (x.node[i].op.kind != X_LOAD && is_state(&x.node[i].op, &other) && other == *pfn)
			return true;
	return false;
}

static void print_page(unsigned n)
{
	uint64_t pfn, state = x.node[n].value;

	if (shows_page(n, &pfn))
		kprintf("        [page 0x%lx refs %u, maps %u, busy %u]\n", (unsigned long)pfn,
			state_refs(state), state_maps(state), !!(state & PAGE_BUSY));
}

static void json_page(unsigned n)
{
	uint64_t pfn, state = x.node[n].value;

	if (shows_page(n, &pfn))
		kprintf("\"0x%lx refs\":\"%u\",\"0x%lx maps\":\"%u\",\"0x%lx busy\":\"%u\"",
			(unsigned long)pfn, state_refs(state), (unsigned long)pfn,
			state_maps(state), (unsigned long)pfn, !!(state & PAGE_BUSY));
}

/* ---- as text */

static void print_watches(unsigned n)
{
	if (!x.nr_watches)
		return;
	for (unsigned i = 0; i < x.nr_watches; i++)
		kprintf("%s%s %lu", i ? ", " : "        [", x.watch[i].what,
			(unsigned long)seen[n].watch[i]);
	kprintf("]\n");
}

static void print_step(unsigned n)
{
	const struct x_node *node = &x.node[n];
	char object[64], where[120], value[32] = "";

	object_of(n, object, sizeof(object));
	place_in_source(node->op.pc, where, sizeof(where));
	if (has_value(node->op.kind))
		snprintf(value, sizeof(value), " = 0x%lx", (unsigned long)node->value);
	kprintf("%5u%c %*s%s %s%s\n", n + 1, x_preempted(node) ? '>' : ' ', COLUMN * node->actor,
		"", kinds[node->op.kind], object, value);
	kprintf("       %*s%s\n", COLUMN * node->actor, "", where);
	print_watches(n);
	print_page(n);
}

void x_trail_print(const struct x_result *r)
{
	kprintf("       ");
	for (unsigned i = 0; i < x.nr; i++)
		kprintf("%-*s", COLUMN, x.actor[i].name);
	kprintf("\n");
	for (unsigned n = 0; n < x.state.depth; n++)
		print_step(n);
	if (r->broken)
		kprintf("  broken: %s: %s\n", r->rule, r->text);
}

/* ---- as JSON */

static void json_text(const char *name, const char *text)
{
	char buf[JSON_BYTE];

	kprintf("\"%s\":\"", name);
	for (; *text; text++)
		kprintf("%s", json_byte(*text, buf));
	kprintf("\"");
}

static void json_step(unsigned n)
{
	const struct x_node *node = &x.node[n];
	const char *function = ksym_lookup(node->op.pc - 1, NULL), *file;
	unsigned line = 0;
	char object[64];

	file = ksym_line(node->op.pc - 1, &line);
	object_of(n, object, sizeof(object));
	kprintf("{\"step\":%u,", n + 1);
	json_text("thread", x.actor[node->actor].name);
	kprintf(",\"cpu\":%u,\"event\":\"%s\",", x.actor[node->actor].cpu, kinds[node->op.kind]);
	json_text("object", object);
	kprintf(",\"value\":\"0x%lx\",\"function\":\"%s\",\"file\":\"%s\",\"line\":%u,"
		"\"preempts\":%s,\"watch\":{",
		(unsigned long)node->value, function ? function : "?", file ? file : "?", line,
		x_preempted(node) ? "true" : "false");
	for (unsigned i = 0; i < x.nr_watches; i++) {
		kprintf("%s", i ? "," : "");
		kprintf("\"%s\":\"%lu\"", x.watch[i].what, (unsigned long)seen[n].watch[i]);
	}
	json_page(n);
	kprintf("}}\n");
}

void x_trail_json(const struct x_scenario *sc, const struct x_result *r)
{
	static char token[X_DEPTH * 3];

	for (unsigned n = 0; n < x.state.depth; n++)
		json_step(n);
	x_token(sc, r, token, sizeof(token));
	kprintf("{");
	json_text("broken", r->broken ? r->rule : "");
	kprintf(",");
	json_text("text", r->broken ? r->text : "");
	kprintf(",");
	json_text("token", token);
	kprintf(",\"scenario\":\"%s\",\"lifetime\":\"%s\",\"model\":\"%s\"}\n", sc->name,
		sc->lifetimes ? x.opt.lifetime_name : "", x.opt.tso ? "tso" : "sc");
}
