/* SPDX-License-Identifier: MIT */
/* What must be true, and who looks whether it is (invariants.c, check.c). Included by dax.h. */
#ifndef DAX_CHECK_CHECK_H
#define DAX_CHECK_CHECK_H

/* What I1 … I7 say: the one text there is of each. NULL: no such rule. */
const char *invariant_text(unsigned n);
/* Each returns the number of violations and prints a sentence for each. The system should be quiet;
 * on a busy one a transient state may be reported. */
unsigned check_i1_blocks(void);
unsigned check_i2_records(void);
unsigned check_i3_entries(void);
unsigned check_i4_waiters(void);
unsigned check_i5_idle(void);
unsigned check_i6_association(void);
unsigned check_all(void);

#endif
