/* SPDX-License-Identifier: MIT */
/*
 * A counterexample for people: one column a thread, and where in the source each event stands.
 */
#include "tests/explore/internal.h"

#define COLUMN	30
#define WATCHED 1024u /* events whose watches are kept */

static const char *const kinds[X_KINDS] = {[X_LOAD] = "load",	      [X_STORE] = "store",
					   [X_RMW] = "rmw",	      [X_FENCE] = "fence",
					   [X_LOCK] = "lock",	      [X_UNLOCK] = "unlock",
					   [X_SLEEP] = "sleep",	      [X_WOKEN] = "woken",
					   [X_WAKE] = "wake",	      [X_IRQ_OFF] = "irq-off",
					   [X_IRQ_ON] = "irq-on",     [X_FLUSH] = "flush",
					   [X_IPI] = "ipi",	      [X_IPI_WAIT] = "ipi-answer",
					   [X_BEGIN] = "begin",	      [X_END] = "end",
					   [X_TIMER] = "timer",	      [X_DRAIN] = "drain",
					   [X_PAUSE] = "spin",	      [X_JOIN] = "join",
					   [X_MMU_LOAD] = "mmu-load", [X_MMU_STORE] = "mmu-store",
					   [X_NOTE] = "note"};

static uint64_t (*seen)[X_MAX_WATCHES];

const char *x_kind_name(unsigned kind)
{
	return kind < X_KINDS ? kinds[kind] : "?";
}

bool x_trail_init(void)
{
	if (!seen)
		seen = machine_memory(WATCHED * sizeof(*seen));
	return seen != NULL;
}

/* What is watched, before event n + 1: so it is what event n left. */
void x_trail_keep(unsigned n)
{
	for (unsigned i = 0; n && n <= WATCHED && i < x.nr_watches; i++)
		seen[n - 1][i] = x.watch[i].fn();
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

static void print_watches(unsigned n)
{
	if (n >= WATCHED || !x.nr_watches)
		return;
	for (unsigned i = 0; i < x.nr_watches; i++)
		kprintf("%s%s %lu", i ? ", " : "        [", x.watch[i].what,
			(unsigned long)seen[n][i]);
	kprintf("]\n");
}

static void print_step(unsigned n)
{
	const struct x_node *node = &x.node[n];
	char object[64], where[120], value[32] = "";

	x_object(&node->op, object, sizeof(object));
	place_in_source(node->op.pc, where, sizeof(where));
	if (has_value(node->op.kind))
		snprintf(value, sizeof(value), " = 0x%lx", (unsigned long)node->value);
	kprintf("%5u%c %*s%s %s%s\n", n + 1, node->preempts ? '>' : ' ', COLUMN * node->actor, "",
		kinds[node->op.kind], object, value);
	kprintf("       %*s%s\n", COLUMN * node->actor, "", where);
	print_watches(n);
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

/* Quotes and backslashes apart, what is printed here is text of our own. */
static void json_text(const char *name, const char *text)
{
	kprintf("\"%s\":\"", name);
	for (; *text; text++)
		kprintf(*text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
	kprintf("\"");
}

static void json_step(unsigned n)
{
	const struct x_node *node = &x.node[n];
	const char *function = ksym_lookup(node->op.pc - 1, NULL), *file;
	unsigned line = 0;
	char object[64];

	file = ksym_line(node->op.pc - 1, &line);
	x_object(&node->op, object, sizeof(object));
	kprintf("{\"step\":%u,", n + 1);
	json_text("thread", x.actor[node->actor].name);
	kprintf(",\"cpu\":%u,\"event\":\"%s\",", x.actor[node->actor].cpu, kinds[node->op.kind]);
	json_text("object", object);
	kprintf(",\"value\":\"0x%lx\",\"function\":\"%s\",\"file\":\"%s\",\"line\":%u,"
		"\"preempts\":%s,\"watch\":{",
		(unsigned long)node->value, function ? function : "?", file ? file : "?", line,
		node->preempts ? "true" : "false");
	for (unsigned i = 0; i < x.nr_watches && n < WATCHED; i++) {
		kprintf("%s", i ? "," : "");
		kprintf("\"%s\":\"%lu\"", x.watch[i].what, (unsigned long)seen[n][i]);
	}
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
