/* SPDX-License-Identifier: MIT */
/*
 * Tokens: one order of events as a word.
 *
 *     wait.put-wakes:busy-extent:sc:a5b3a2
 *
 * scenario, lifetime ("-": none), memory model, and who goes: the first actor five times, the
 * second three times, the first twice. Behind its end the order goes on as it likes. A token means
 * the same in both homes, as long as the code makes the same events.
 */
#include "tests/explore/internal.h"
#include "dax/dax.h"

void x_token(const struct x_scenario *sc, const struct x_result *r, char *buf, unsigned n)
{
	unsigned at = (unsigned)snprintf(buf, n, "%s:%s:%s:", sc->name,
					 sc->lifetimes ? x.opt.lifetime_name : "-",
					 x.opt.tso ? "tso" : "sc");

	for (unsigned i = 0, run; i < r->plan_len && at < n; i += run) {
		for (run = 1; i + run < r->plan_len && r->plan[i + run] == r->plan[i]; run++)
			;
		at += (unsigned)snprintf(buf + at, n - at, run > 1 ? "%c%u" : "%c",
					 'a' + r->plan[i], run);
	}
}

static int bad(const char *text, const char *why)
{
	return refuse(-EINVAL,
		      "'%.60s%s' is no token: %s. A token is the last line of a finding, as in "
		      "wait.message:-:sc:a5b3",
		      text, strlen(text) > 60 ? "..." : "", why);
}

/* The next field up to a colon into buf; false: there is none, or it is too long. */
static bool field(const char **at, char *buf, unsigned n)
{
	const char *end = strchr(*at, ':');

	if (!end || (unsigned)(end - *at) >= n)
		return false;
	memcpy(buf, *at, (size_t)(end - *at));
	buf[end - *at] = 0;
	*at = end + 1;
	return true;
}

/* NULL, or what is wrong with it. */
static const char *parse_plan(const char *at, uint8_t *plan, unsigned *len)
{
	static const char wrong[] = "its order is not made of letters a to p and numbers from 1 on";

	*len = 0;
	while (*at) {
		unsigned actor = (unsigned)(*at++ - 'a');
		unsigned long run = 1;

		if (actor >= X_ACTORS)
			return wrong;
		if (*at >= '0' && *at <= '9') {
			char *end;

			run = strtoul(at, &end, 10);
			at = end;
		}
		if (!run)
			return wrong;
		if (run > X_DEPTH - *len)
			return "its order has more events than the explorer keeps";
		while (run--)
			plan[(*len)++] = (uint8_t)actor;
	}
	return NULL;
}

int x_token_parse(const char *text, const struct x_scenario **sc, struct x_options *opt,
		  uint8_t *plan, unsigned *len)
{
	char name[64], lifetime[32], model[8];
	const char *at = text, *why;

	if (!field(&at, name, sizeof(name)) || !field(&at, lifetime, sizeof(lifetime)) ||
	    !field(&at, model, sizeof(model)))
		return bad(text, "it has no four parts with colons between");
	*sc = x_scenario_find(name);
	if (!*sc)
		return bad(text, "there is no scenario of that name ('explore -l')");
	if (!(*sc)->lifetimes && strcmp(lifetime, "-"))
		return bad(text, "its scenario is the same under every lifetime, which '-' says");
	if ((*sc)->lifetimes) {
		opt->lifetime = lifetime_find(lifetime);
		if (!opt->lifetime)
			return bad(text, "there is no lifetime of that name ('lifetime')");
		opt->lifetime_name = opt->lifetime->name;
	}
	opt->tso = !strcmp(model, "tso");
	if (!opt->tso && strcmp(model, "sc"))
		return bad(text, "its model is neither sc nor tso");
	why = parse_plan(at, plan, len);
	return why ? bad(text, why) : 0;
}
