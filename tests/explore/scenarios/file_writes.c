/* SPDX-License-Identifier: MIT */
/*
 * write(2) beside others: what an append-only file promises, and zeroes that a write fills in.
 */
#include "dax/ext4/disk.h"
#include "dax/layer/internal.h"
#include "tests/explore/scenarios/files.h"

#define WRITTEN 0x5757575757575757ull

static uint64_t done; /* a write is; zero: not yet */

/* ---- behind the end of an append-only file ----------------------------------------------------
 */

static int append_only(void)
{
	int err = files_setup(1, FILES_UNMAPPED | FILES_G_HAS_ONE);

	if (!err)
		ext4_inode_of(files.f)->flags |= EXT4_APPEND_FL;
	return err;
}

static void end_append_only(void)
{
	ext4_inode_of(files.f)->flags &= (uint16_t)~EXT4_APPEND_FL;
	files_teardown();
}

static void none_done(void)
{
	done = 0;
}

/* What was the end of the file when both began. */
static void append(void)
{
	uint64_t word = WRITTEN;
	int64_t n;

	(void)__atomic_load_n(&files.f->size,
			      __ATOMIC_RELAXED); /* so that others' looks are events */
	n = dax_write(files.f, PAGE_SIZE, &word, sizeof(word));
	x_observe((uint64_t)n);
	X_EXPECT("I6", n == -EPERM || n == (int64_t)sizeof(word), "write: error %ld", n);
	if (n > 0)
		__atomic_fetch_add(&done, 1, __ATOMIC_RELAXED);
}

static void appended_once(void)
{
	X_EXPECT("I6", done == 1, "%lu of two writes at the end of an append-only file were made",
		 done);
}

EXPLORE_SCENARIO(append_append, "file.append-append",
		 "what was appended to an append-only file is not written over",
		 .setup = append_only, .teardown = end_append_only, .start = none_done,
		 .end = appended_once, .thread = {{"first", append}, {"second", append}},
		 .interrupts = true, .large = true);

/* ---- into a hole that is mapped as zeroes ------------------------------------------------------
 */

static int hole(void)
{
	return files_setup(1, FILES_HOLE);
}

static void write_word(void)
{
	uint64_t word = WRITTEN;
	int64_t n = dax_write(files.f, 0, &word, sizeof(word));

	X_EXPECT("I6", n == (int64_t)sizeof(word), "write: error %ld", n);
	__atomic_store_n(&done, 1, __ATOMIC_SEQ_CST);
}

static void load_twice(void)
{
	uint64_t v = 0, over;

	x_load(files.va);
	over = __atomic_load_n(&done, __ATOMIC_SEQ_CST);
	v = x_load(files.va);
	x_observe(v);
	X_EXPECT("I6", v == WRITTEN || (!v && !over), "behind the write F's mapping shows 0x%lx",
		 v);
}

EXPLORE_SCENARIO(write_load, "file.write-load",
		 "behind a write into a hole no mapping shows zeroes", FILES, .setup = hole,
		 .start = none_done, .thread = {{"write", write_word}, {"load", load_twice}});
