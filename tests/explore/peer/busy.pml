/* SPDX-License-Identifier: MIT */
/*
 * F-1, mark against last put: mm/page/busy.c, the put of mm/page/page.c, dax/lifetime/busy_blocks.c
 * and dax/file/space.c, for the record of one page that is no folio.
 *
 * HOLDERS devices hold the page, and with MAPPED one page-table entry maps it. Each is taken away by
 * a process of its own, while the file frees the block and somebody else waits for space: gets the
 * block, holds it, and frees it in turn (the second life).
 *
 * Claims: the block is handed out, and released, only when nobody holds it (I1); of the pgmap is
 * held at the end what was held at the beginning (I2); nobody waits for ever (I4, Spin's invalid end
 * state); each mark is released exactly once. `held` and `marked` are the claims' own.
 *
 * Faults: REREAD_STATE, a put looks for the mark in the word as it is later (museum reread-state);
 * MARKER_RELEASES, who marks releases though somebody holds (museum marker-releases-anyway);
 * NO_MARKER_LOOK, who marks leaves the release to others in any case; PLAIN_RELEASED counts
 * releases without a locked instruction, which is the barrier before the look for sleepers.
 */
#ifndef HOLDERS
#define HOLDERS 1
#endif
#ifndef MAPPED
#define MAPPED 0
#endif
#define CPUS	(HOLDERS + MAPPED + 2)
#define WAITERS	1
#define STATE_OF_PAGE 0
#define PGMAP	1	/* its reference */
#define BUSY_BLOCKS 2	/* the device's busy, and released */
#define RELEASED 3
#define FREE	4	/* the block's bit */
#define FS_LOCK	5
#define BUCKET	6
#define RUN	7
#define COUNT	8
#define LISTED(i) 9
#define WOKEN(i)  10
#define STATE(i)  11
#define WORDS	12
#define KEY	0
#define CONDITION (SEEN(RELEASED) != before)
/* The page's word. */
#define REF	1
#define REFS(s)	((s) & 7)
#define MAP	8
#define MAPS(s)	((s) & 8)
#define BUSY	16

#include "machine.pml"
#include "wait_queue.pml"

byte held, over;	/* held: references and mappings that are there */
bool marked;

inline busy_block_released()
{
	fetch_add(BUSY_BLOCKS, 0 - 1, x);
	x = 0;
#ifdef PLAIN_RELEASED
	load(RELEASED, x);
	store(RELEASED, x + 1);
#else
	fetch_add(RELEASED, 1, x);
#endif
	x = 0;
	wake_up_if_any(KEY)
}

inline page_release_busy()
{
	load(STATE_OF_PAGE, next);
	do
	:: atomic {
		FENCED ->
		if
		:: mem[STATE_OF_PAGE] == next ->
			mem[STATE_OF_PAGE] = next & 15;
			next = 0;
			assert(held == 0 && marked);
			marked = false;
			break
		:: else -> next = mem[STATE_OF_PAGE]
		fi
	}
	od;
	busy_block_released()
}

inline page_put()
{
	atomic {
		FENCED -> old = mem[STATE_OF_PAGE];
		assert(REFS(old));
		mem[STATE_OF_PAGE] = old - REF;
		held--
	};
#ifdef REREAD_STATE
	old = old | (SEEN(STATE_OF_PAGE) & BUSY);
#endif
	if
	:: REFS(old) == 1 && (old & BUSY) && !MAPS(old) -> page_release_busy()
	:: else
	fi;
	if
	:: REFS(old) == 1 && !MAPS(old) -> fetch_add(PGMAP, 0 - 1, x); x = 0
	:: else
	fi;
	old = 0
}

/* page_map_put_run() of one record: a guess, and without luck one more locked instruction. */
inline page_map_put()
{
	load(STATE_OF_PAGE, old);
	atomic {
		FENCED ->
		if
		:: mem[STATE_OF_PAGE] == old -> mem[STATE_OF_PAGE] = old - MAP; held--; x = 1
		:: else -> x = 0
		fi
	};
	if
	:: x == 0 -> atomic {
			FENCED -> old = mem[STATE_OF_PAGE];
			mem[STATE_OF_PAGE] = old - MAP;
			held--
		}
	:: else -> x = 0
	fi;
	if
	:: (old & 15) == MAP ->
		if
		:: old & BUSY -> page_release_busy()
		:: else
		fi;
		fetch_add(PGMAP, 0 - 1, x);
		x = 0
	:: else
	fi;
	old = 0
}

/* mark() of busy_blocks.c, with page_mark_busy() in it. */
inline mark()
{
	fetch_add(BUSY_BLOCKS, 1, x);
	x = 0;
	atomic {
		FENCED -> old = mem[STATE_OF_PAGE];
		mem[STATE_OF_PAGE] = old | BUSY;
		marked = true
	};
	if
	:: old & BUSY -> fetch_add(BUSY_BLOCKS, 0 - 1, x); x = 0
#ifdef NO_MARKER_LOOK
	:: else
#else
	:: old == 0 -> page_release_busy()
	:: else
#ifdef MARKER_RELEASES
		-> page_release_busy()
#endif
#endif
	fi;
	old = 0
}

/* The file lets its block go: fs->lock is held from the mark to the bit. */
inline free_block()
{
	spin_lock(FS_LOCK);
	if
	:: SEEN(STATE_OF_PAGE) -> mark()
	:: else
	fi;
	store(FREE, 1);
	spin_unlock(FS_LOCK)
}

proctype holder(byte me)
{
	short x, old, next;
	byte w;

	page_put();
	atomic { FENCED -> over++ }
}

proctype unmapper(byte me)
{
	short x, old, next;
	byte w;

	page_map_put();
	atomic { FENCED -> over++ }
}

proctype truncate(byte me)
{
	short x, old, next;
	byte w;

	free_block();
	atomic { FENCED -> over++ }
}

/* dax_fallocate_wait(), and a whole life of the block. */
proctype second(byte me)
{
	short x, old, next, before;
	byte w;
	bool taken;

	do
	:: load(RELEASED, before);
		spin_lock(FS_LOCK);
		if
		:: !SEEN(FREE) -> spin_unlock(FS_LOCK); goto out	/* nobody's put would help */
		:: else
		fi;
		if
		:: SEEN(BUSY_BLOCKS) && SEEN(STATE_OF_PAGE) -> taken = true
		:: else ->
			taken = false;
			assert(held == 0 && SEEN(STATE_OF_PAGE) == 0);
			store(FREE, 0)
		fi;
		spin_unlock(FS_LOCK);
		if
		:: !taken -> break
		:: else -> wait_event(0, KEY)
		fi
	od;
	before = 0;
	/* page_get_first(): nobody else can be born here. */
	fetch_add(PGMAP, 1, x);
	x = 0;
	atomic {
		FENCED -> assert(mem[STATE_OF_PAGE] == 0);
		mem[STATE_OF_PAGE] = REF;
		held++
	};
	free_block();
	page_put();
out:
	atomic { FENCED -> over++ }
}

init
{
	byte i;

	atomic {
		mem[STATE_OF_PAGE] = HOLDERS * REF + MAPPED * MAP;
		mem[PGMAP] = 1;
		held = HOLDERS + MAPPED;
		do
		:: i < CPUS -> DRAIN(i); i++
		:: else -> break
		od;
		i = 0;
		do
		:: i < HOLDERS -> run holder(i); i++
		:: else -> break
		od;
		i = 0;
#if MAPPED
		run unmapper(HOLDERS);
#endif
		run truncate(CPUS - 2);
		run second(CPUS - 1)
	};
	over == CPUS;
	assert(!marked && mem[STATE_OF_PAGE] == 0 && mem[PGMAP] == 0);
	assert(mem[BUSY_BLOCKS] == 0 && mem[FREE] && mem[COUNT] == 0)
}
