/* SPDX-License-Identifier: MIT */
/* Scenarios of the explorer's own tests: see engine.c and its neighbours engine_*.c. They are in no
 * list. */
#ifndef TESTS_EXPLORE_SCENARIOS_ENGINE_H
#define TESTS_EXPLORE_SCENARIOS_ENGINE_H

#include "tests/explore/explore.h"

#define LOAD(v)	    __atomic_load_n(&(v), __ATOMIC_ACQUIRE)
#define STORE(v, x) __atomic_store_n(&(v), x, __ATOMIC_RELEASE)

#define ENGINE_STEPS	 3
#define ENGINE_VARIABLES 2

enum engine_kind {
	ENGINE_NOTHING,
	ENGINE_LOAD,
	ENGINE_STORE,
	ENGINE_ADD,
	ENGINE_FENCE,
	ENGINE_LOCKED,
	ENGINE_OFF,	  /* with interrupts off */
	ENGINE_INTERRUPT, /* posts one, to the first or the second CPU */
	ENGINE_CALL,	  /* to all CPUs, or the others; waits until all have answered */
	ENGINE_TRY,	  /* the lock of ENGINE_LOCKED, if it is free */
	ENGINE_MUTEX,	  /* as ENGINE_LOCKED, with a lock that sleeps */
	ENGINE_WAKE,
	ENGINE_WAIT, /* until somebody has done ENGINE_WAKE */
};
struct engine_step {
	enum engine_kind kind;
	uint32_t variable, value;
};
/* What the threads of engine_dice and engine_dice_irq do, one after the other. */
extern struct engine_step engine_program[X_MAX_THREADS][ENGINE_STEPS];
/* run_N: thread N of a program, which makes its steps by `step`. */
#define ENGINE_THREAD(n, step)                                                                     \
	static void run_##n(void)                                                                  \
	{                                                                                          \
		for (unsigned i = 0; i < ENGINE_STEPS; i++)                                        \
			if (engine_program[n][i].kind != ENGINE_NOTHING)                           \
				step(engine_program[n][i]);                                        \
	}
extern uint32_t engine_never;  /* what the first variable of engine_dice_never is not to be */
extern unsigned engine_spread; /* 1: its variables lie in words of their own; 0: in one */

extern const struct x_scenario engine_lock_kept, engine_readers_seen, engine_readers_meet,
	engine_last_store, engine_spin, engine_spin_own, engine_sleep_window, engine_step,
	engine_half, engine_plain_behind, engine_drain_order, engine_race_overlap,
	engine_race_apart, engine_race_crossing, engine_race_load, engine_race_behind,
	engine_free_last, engine_free_step, engine_free_end, engine_free_far, engine_free_twice,
	engine_free_beside, engine_free_told, engine_free_behind, engine_free_own, engine_address,
	engine_timers, engine_dice, engine_dice_irq, engine_copies, engine_free_frame,
	engine_free_slab, engine_tlb_kept, engine_tlb_flushed, engine_tlb_all, engine_marks,
	engine_wake_window, engine_sleep_closed, engine_apart, engine_race_unseen,
	engine_race_stored, engine_step_plain, engine_rule_copied, engine_rule_copies,
	engine_rule_wide, engine_rule_stack, engine_rule_sleep, engine_only_early,
	engine_mixed_store, engine_mixed_load, engine_mixed_ordered, engine_mixed_atomic,
	engine_held_open, engine_held_closed, engine_held_across, engine_held_loop,
	engine_held_dice, engine_timer_kept, engine_first, engine_half_known, engine_race_read,
	engine_unseen, engine_by_turns, engine_race_handed, engine_race_earlier, engine_post_window,
	engine_call_all, engine_call_closed, engine_race_answer, engine_race_interrupted,
	engine_race_closed, engine_race_posted, engine_timer_cancelled, engine_lock_twice,
	engine_lock_not_held, engine_lock_tried, engine_device_sleeps, engine_mmu_last,
	engine_mmu_marked, engine_tlb_shot, engine_tlb_moved, engine_tlb_hidden,
	engine_mmu_table_freed, engine_mmu_frame_freed, engine_wide_set, engine_wide_assigned,
	engine_wide_twice, engine_free_raced, engine_fenced_by_slab, engine_breaks_alone,
	engine_breaks_between, engine_race_bytes, engine_wide_late, engine_volatile,
	engine_exchanged, engine_many_stores, engine_stack_stores, engine_spin_exchange,
	engine_spin_volatile, engine_sleep_timed, engine_sleep_signalled, engine_spin_six,
	engine_no_event, engine_breaks_soon, engine_wide_unseen, engine_lock_written,
	engine_dice_three, engine_dice_mmu, engine_dice_mmu_three, engine_dice_never,
	engine_race_overwritten, engine_race_passed, engine_race_added, engine_answer_within,
	engine_answer_behind, engine_race_beside, engine_pause_over, engine_sleep_over,
	engine_race_looked, engine_readers_write, engine_readers_count, engine_last_byte;

/* Each touches what was freed, in another way; the last one has no name. */
extern const struct x_scenario engine_freed_by[];

extern const struct x_scenario engine_panics, engine_asserts, engine_warns, engine_tlb_posted,
	engine_device_between;

/* An execution that goes on from a moment, and timers. */
extern const struct x_scenario engine_clock_kept, engine_timer_going, engine_timer_two,
	engine_timer_over, engine_timer_within, engine_answer_other, engine_answer_late;

/* Races by stores of several words, and by who comes late. */
extern const struct x_scenario engine_race_wide_overwritten, engine_race_wide_passed,
	engine_race_fifth, engine_race_drained;

/* What was freed and taken, which timer is at work, and what a walk marks. */
extern const struct x_scenario engine_free_middle, engine_frames, engine_timer_both,
	engine_marks_again, engine_mmu_dirtied;

/* What strategy=states relies on. */
extern const struct x_scenario engine_relied_asleep, engine_relied_flush, engine_relied_handler,
	engine_relied_room, engine_lock_left, engine_lock_shared;

extern const struct x_scenario engine_alike;
extern uint64_t engine_left[2]; /* what it found in the heap, in a frame */

extern uint32_t engine_not_first; /* a thread of engine_first */

#endif
