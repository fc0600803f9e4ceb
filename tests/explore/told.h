/* SPDX-License-Identifier: MIT */
/* Explorations as a whole: how one is run, what came of it, and how that is told. Included by
 * internal.h. */
#ifndef TESTS_EXPLORE_TOLD_H
#define TESTS_EXPLORE_TOLD_H

/* ---- test_explore.c: no bound, and on behind a finding; for self-tests */
struct x_options x_all_orders(enum x_strategy strategy, bool tso);

/* ---- outcomes.c */
void x_outcomes_reset(void);
void x_outcome_count(void); /* of the execution that is over */
/* The n-th of them; 0: there are no more. */
uint64_t x_outcome_nth(unsigned n);

/* ---- run.c */
int explore_run(const struct x_scenario *sc, const struct x_options *opt, struct x_result *r);
/* Runs exactly this order once, and leaves it in x.node. `fresh`: it does not come from the
 * exploration just before. */
int explore_replay(const struct x_scenario *sc, const struct x_options *opt, bool fresh,
		   const uint8_t *plan, unsigned len, struct x_result *r);

/* ---- trail.c */
void x_trail_keep(unsigned n); /* node n is about to be made; also behind the last one */
void x_trail_print(const struct x_result *r);
void x_trail_json(const struct x_scenario *sc, const struct x_result *r);
bool x_trail_init(void);
const char *x_kind_name(unsigned kind);
void x_object(const struct x_op *op, char *buf, unsigned n);

/* ---- token.c */
void x_token(const struct x_scenario *sc, const struct x_result *r, char *buf, unsigned n);
int x_token_parse(const char *text, const struct x_scenario **sc, struct x_options *opt,
		  uint8_t *plan, unsigned *len);

#endif
