/* SPDX-License-Identifier: MIT */
/*
 * The invariants in words: one text each, for everything that speaks of them.
 *
 * `check` prints these sentences, docs/lifetimes.md has the same list (a test compares the two),
 * and a race's verdict names its rule by the number here. What is checked of a rule, and how, is in
 * check.c; I7 is judged by power cuts, and of what it says of owners by I1's check.
 */
#include "dax/file/internal.h"

static const char *const texts[] = {
	"a block is handed out only when nobody references its page, and a device's bytes reach no "
	"file but the one it pinned",
	"while a page is referenced, its record and its device stay",
	"what is mapped has an index entry; what is held without one is still its file's block, or "
	"busy",
	"the last put wakes the waiter; nobody waits for ever",
	"no reference is born between \"checked idle\" and \"block freed\"",
	"page and file name each other",
	"after a power cut what was synced is there, and no block has two owners",
};

const char *invariant_text(unsigned n)
{
	return n - 1 < ARRAY_SIZE(texts) ? texts[n - 1] : NULL;
}
