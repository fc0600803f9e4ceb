/* SPDX-License-Identifier: MIT */
/*
 * Scripts: races whose interleaving is written down, step by step.
 *
 * A script has two to four actors, threads with a column each, and a director, who runs play().
 * One piece at a time: the director gives an actor a piece, and goes on when the piece is done,
 * or sleeps, or was stopped at a step point. What happens is printed as it happens, numbered.
 *
 *     static void play(struct script *s)
 *     {
 *             struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0);
 *
 *             if (script_f(s, 1) || !script_run(t1, piece_map, "maps F and stores to it") ||
 *                 !script_run(t1, piece_pin, "pins the page"))
 *                     return;                                    the verdict is set: skip
 *             script_step(t2, piece_truncate, "truncates F");    done, asleep or stopped
 *             script_g_after(s, t2, t3, t1);                     the usual end: see below
 *     }
 *     SCRIPT(c1, "C-1", play, "one line for the list", WANTS(.edus = 1),
 *            {"unaware", RACE_BROKEN_I1}, {"idle-at-one", RACE_SAFE}, …);
 *     RACE_EXHIBIT(c1_deaf, "C-1", "busy-extent", "museum-switch", RACE_HUNG);
 *
 * script_step()     starts a piece; value: ACTOR_DONE, ACTOR_ASLEEP, ACTOR_STOPPED
 * script_run()      the same, and it must finish: else the verdict is set and the value false
 * script_stop_at()  the actor's next piece stops at a step point; script_go() lets it go on
 * script_await()    an actor that slept must finish now; else HUNG I4, reported, and the actor is
 *                   ended, so that the next cell starts clean
 * script_say()      a line in the actor's column without a number
 * script_verdict()  safe, or what broke. The first one counts; none at all is a skip
 *
 * A fresh file system of 16 MiB under the cell's lifetime is mounted before play() and unmounted
 * afterwards; files of the cast, mappings and references are given back by the framework.
 *
 * Where actors run. The director and device interrupts: CPU 0. An actor: CPU 0, too, or with
 * ACTOR_OWN_CPU a CPU of its own (say so in WANTS(.cpus = 2), else the cell would not be skipped by
 * name on a smaller machine). An actor that is stopped where it cannot sleep needs one: it spins
 * there. If it has interrupts off and another actor wants its acknowledgement (TLB, cpu_call), it
 * goes on by itself, as that one could never go on else; a->stop.acknowledges tells.
 *
 * Time. Nothing is decided by how fast anything is. Where nothing can happen but a timer, the clock
 * is moved on to it: a poll once a second costs nothing. "60 seconds" are of that clock.
 */
#ifndef TESTS_KERNEL_RACE_INTERNAL_H
#define TESTS_KERNEL_RACE_INTERNAL_H

#include "kernel/sched/sched.h"
#include "tests/kernel/race/race.h"
#include "tests/kernel/lib/scratch.h"

#define SCRIPT_ACTORS	4
#define SCRIPT_PAGES	8 /* that one script holds at a time */
#define SCRIPT_PATIENCE (60ull * 1000 * 1000 * 1000)
#define F_TEXT		"F's DMA "
#define G_BYTE		'G'

enum actor_state { ACTOR_DONE, ACTOR_ASLEEP, ACTOR_STOPPED };
#define ACTOR_OWN_CPU 1u /* a CPU that no other actor runs on */
#define ACTOR_OWN_MM  2u /* an address space of its own; else all share the script's */

struct script;
typedef int (*piece_fn)(struct script *s); /* 0 or a negative errno, with refusal() set */

struct actor {
	struct script *script;
	char name[8];
	unsigned flags, cpu;
	struct mm *mm;
	struct thread *thread;
	struct step_stop stop; /* name NULL: none is planned */
	piece_fn piece;	       /* NULL: none; set by the director, cleared by the actor */
	bool quit;
	bool asks_once; /* zero: where the design refuses, the piece is done again (race_ask.c) */
	int err;	/* what the last finished piece returned */
	char why[160];	/* its refusal(), if it failed */
};

struct script {
	const struct race *race;
	const struct lifetime *lt;
	struct race_result *result;
	bool decided; /* a verdict is set */
	bool stuck;   /* an actor cannot be ended: nothing is cleared away, no other race begins */
	unsigned nr_actors, line;
	struct actor actor[SCRIPT_ACTORS];
	bool header_printed;
	struct mm *mm;
	struct dax_fs *fs; /* NULL: not mounted now */

	/* The cast. NULL or zero: not there. */
	struct dax_inode *f, *g;
	unsigned pages;	   /* of F */
	uint64_t va;	   /* where F is mapped in the script's address space */
	struct page *page; /* the page it is all about: F's first one, once it was pinned */
	struct page *held[SCRIPT_PAGES];
	unsigned nr_held; /* references of held[] that the script has */
	struct holder holder;
	bool truncate_by_punch; /* how a script shrinks F (script_shrink()) */
	/* Called if an actor sleeps on after everything was given back; may be NULL. */
	void (*rescue)(struct script *s);
	void *data; /* the play's own */
};

/* ---- one cell (script_stage.c) -------------------------------------------------------------- */
/* Sets the stage, plays, clears it; called by race_run(). */
void script_perform(const struct race *race, const struct lifetime *lt, struct race_result *r);
/* The cell's verdict; the first one counts, so later ones may be said without asking. */
void script_verdict(struct script *s, enum race_verdict v, const char *fmt, ...) __printf(3, 4);
/* Gives back what the script holds: references and their holder. Director or any actor. */
void script_put_held(struct script *s);

/* ---- the engine (script.c) ------------------------------------------------------------------ */
/* Before the first line. The actor's name is its column's heading. */
struct actor *script_actor(struct script *s, const char *name, unsigned flags);
enum actor_state script_step(struct actor *a, piece_fn fn, const char *fmt, ...) __printf(3, 4);
bool script_run(struct actor *a, piece_fn fn, const char *fmt, ...) __printf(3, 4);
/* As script_run(), but the piece may fail: value false only if it did not finish. */
bool script_try(struct actor *a, piece_fn fn, const char *fmt, ...) __printf(3, 4);
/* The actor's next piece stops at `point`, after passing it `pass` times. If it never comes there,
 * script_step() says ACTOR_DONE or ACTOR_ASLEEP. Set a->stop.again to stop there every time. */
void script_stop_at(struct actor *a, const char *point, unsigned pass);
enum actor_state script_go(struct actor *a, const char *fmt, ...) __printf(2, 3);
/* What the actor does now: looks until it has settled. Prints nothing. */
enum actor_state script_look(struct actor *a);
bool script_await(struct actor *a, const char *fmt, ...) __printf(2, 3);
/* Lets `ns` of the clock go by, with whatever timers and devices do meanwhile. Costs no time. */
void script_pass_time(struct script *s, uint64_t ns);
bool script_at_work(const struct actor *a); /* has it a piece that is not done? */
/* The wait of script_await() alone; false: it will not finish, *how says why. */
bool script_finish(struct actor *a, const char **how);
void script_dismiss(struct actor *a); /* its thread ends; it has no piece */

/* ---- lines (script_print.c) ----------------------------------------------------------------- */
void script_line(struct actor *a, bool numbered, const char *text);
void script_say(struct actor *a, const char *fmt, ...) __printf(2, 3);

/* ---- the watchdog (script_hang.c) ----------------------------------------------------------- */
/* One look of a director who waits. Where nothing but a timer can help, the clock is moved on to
 * the first one, not beyond `end`, and whoever that wakes has a turn; else this sleeps for
 * `look_ns`. */
enum quiet script_skip(struct script *s, uint64_t end, uint64_t look_ns);
/* Any thread but the director, the idle ones and actors stopped at a step point. A snapshot. */
bool script_somebody_runs(struct script *s);
/* What an actor sleeps for, into buf; false: it does not sleep. */
bool script_waits_for(const struct actor *a, char *what, unsigned n, char *waker, unsigned m);
/* `a` will never finish: prints who waits for what and who holds it, sets HUNG I4, ends the actors
 * that sleep. */
void script_hung(struct actor *a, const char *how);
/* Lets stopped actors go, gives everything back and wakes sleepers until no actor is at work. */
void script_free_actors(struct script *s);

/* ---- pieces that most scripts need (script_pieces.c) ---------------------------------------- */
/* Creates F with `pages` pages and gives every other block to "fill", so that the next file gets
 * F's. Director. Nonzero: the verdict is set. */
int script_f(struct script *s, unsigned pages);
int piece_map(struct script *s);      /* maps F at s->va, and stores to each page */
int piece_pin(struct script *s);      /* all pages of F: get_user_pages_fast(FOLL_PIN) */
int piece_pin_slow(struct script *s); /* the same by the slow path */
int piece_unpin(struct script *s);    /* gives all of held[] back */
/* Of a gup call into held[]: what it got is the script's to put. 0, or the call's error. */
int script_hold(struct script *s, long got);
int piece_rewrite(
	struct script *s); /* F's first page, by a write, and a store where it is mapped */
int piece_unmap(struct script *s);
int piece_close(struct script *s); /* the last reference if it is unmapped */
int piece_unlink(struct script *s);
int piece_truncate(struct script *s);
int piece_punch(struct script *s);
int piece_umount(struct script *s); /* F and G must be closed */
int piece_mount(struct script *s);  /* again, what piece_umount() left */
int piece_make_g(struct script *s); /* one page of 'G'; -ENOSPC: no block for it */
/* The device writes F_TEXT into held[0]; the references stay. Sleeps until it has. */
int piece_device(struct script *s);
int piece_device_unpin(struct script *s); /* and gives them back afterwards */
/* G read back through the file layer: SAFE, or BROKEN I1 with the bytes that are F's. */
void script_judge_g(struct script *s);
/*
 * The usual end, once F's page is held by `holder` and `freer` was told to free its block. If that
 * is done already: G is made by `maker` (if there is no block for it, after the put), the device
 * writes late, and the page is put. If it sleeps: the device writes, the page is put, the sleeper
 * must wake, and then G is made. Last: script_judge_g().
 */
void script_g_after(struct script *s, struct actor *freer, struct actor *maker,
		    struct actor *holder);

/*
 * What the catalogue's races share with each other: a device that goes (race_unbind.c), a reference
 * that is born while somebody waits (race_born.c).
 */

/* ---- the device goes (race_unbind.c) -------------------------------------------------------- */

/* A reference of the director's keeps the device while its teardown waits, until
 * race_device_leave(). */
void race_device_guard(void);
/* dax_unbind(), which is refused under a mount; where that is not the lifetime's own answer, the
 * removal that cannot be refused after it. race_unbind_refused(), when it is over or sleeps: was
 * the first refused? False: the verdict is set. */
int piece_remove_device(struct script *s);
bool race_unbind_refused(struct script *s);
/* s->page: F's first page, found through the mapping: nobody need hold it. */
int piece_look_up(struct script *s);
/* The teardown is over. Binds again; the record of s->page becomes what `was` says. False: the
 * verdict is set. */
bool race_device_mend(struct script *s, struct actor *unbinder, const struct page *was);
/* The teardown waits, the guard is there, and nothing maps F: everything goes in order, and the
 * device comes again. */
void race_device_leave(struct script *s, struct actor *t1, struct actor *unbinder);
/* `unbinder` removes the device while t1 holds F's page, which nothing maps: I2 if that does not
 * wait. To the end of the script. */
void race_device_goes_pinned(struct script *s, struct actor *t1, struct actor *unbinder);

/* ---- a reference is born (race_born.c) ------------------------------------------------------ */

#define BORN_BASE 0x400000000ull /* F is mapped a page behind this, and anonymous memory here */
int piece_map_behind_anon(struct script *s);
/* The script holds `page`, whose reference was taken by whoever calls this. */
void race_hold(struct script *s, struct page *page);
/*
 * T1 pins page 1 of F, T2 punches all of F; if that waits, T3 pins page 0 by `gup` (which returns
 * it), then T1 puts page 1. G, two pages large, shows whether page 0 was freed under T3.
 */
void race_born_meanwhile(struct script *s, long (*gup)(struct script *s, struct page **page),
			 const char *how);

/* ---- entries (race_d.c) --------------------------------------------------------------------- */

/* F's first page loses its mappings and its entry, and keeps its block: what a write past the
 * mappings does to a clean page (invalidation). */
int piece_invalidate(struct script *s);
int piece_touch_first(struct script *s); /* stores to F's first page through the mapping */

/*
 * What the scripts F-1 … F-16 share. They are split by subject: race_f.c (the state word and fast
 * gup), race_f_space.c (allocator and reserve), race_f_disk.c (file, tree and bitmap),
 * race_f_device.c (unmount and unbinding), race_f_stale.c (what is remembered too long).
 */

/* The one reference of held[0], by the way that has step points. */
int piece_put_one(struct script *s);
/* A piece of its own for one block: before script_f() fills the device, and given back later. */
int spare_block(struct script *s);
int piece_free_spare(struct script *s);
int piece_store(struct script *s); /* into F's first page, where it is mapped */
/* Makes G now, where it could not be made before: 0 references are left, so it must go. False: the
 * verdict is set. */
bool make_g_now(struct script *s, struct actor *maker);
/* F or G, its first page, byte by byte: does the device's text show from `off` on? */
bool shows_device_text(struct dax_inode *inode, uint64_t off);

/*
 * The matrix: every way a block can go × every way a page is held × 4K and 2 MiB × mapped or not.
 *
 * One race for each way (`race matrix-truncate`, …), one line for each lifetime, 36 cells a line. A
 * cell is a script without columns: F gets a page, somebody holds it, an operation wants the block,
 * the device writes late, the page is put. What came of it is compared with the table of
 * matrix_table.c, which knows nothing of how a cell is run; a cell that differs, in either
 * direction, is printed, and makes the race's verdict a surprise.
 *
 * What the named races do in earnest is a model here, as there are thousands of cells:
 *   the late write   is the CPU's, through the direct map, and not a device's (edu takes 100 ms);
 *   an undo          is a reference taken and given back as fast gup does it, by page_get() and
 *                    page_put(): the real one is race C-5-undo;
 *   a locked entry   is locked by the director and not by a fault. The "fault" ends when the
 *                    operation sleeps for it, or when the lifetime's scan has gone by: the
 *                    steps break_layout and evict of the mount are wrapped to tell (race C-2
 *                    stops there by a step point).
 */

enum way {
	WAY_TRUNCATE,
	WAY_PUNCH,
	WAY_ZERO,
	WAY_COLLAPSE,
	WAY_INSERT,
	WAY_EVICT,
	WAY_UMOUNT,
	WAY_UNBIND,
	WAY_EXCHANGE,
	WAY_COW,
	WAYS
};
enum hold { HOLD_SLOW, HOLD_FAST, HOLD_PIN, HOLD_BULK, HOLD_INTERRUPTED, HOLD_UNDO, HOLDS };
enum shape { SHAPE_MAPPED, SHAPE_UNMAPPED, SHAPE_LOCKED, SHAPES };

#define MATRIX_PER_WAY (HOLDS * 2 * SHAPES)
#define MATRIX_BULK    4u /* references that a bulk put gives back */

/* Of an exchange every cell is played with each: whose page is held decides nothing. */
enum side { SIDE_LOWER, SIDE_HIGHER, SIDE_BOTH, SIDES }; /* by the files' inode numbers */

/* Which cell. */
struct cell {
	enum way way;
	enum hold hold;
	enum shape shape;
	bool huge;
};
/* What it runs on. */
struct stage {
	struct cell cell;
	const struct lifetime *lt;
	struct mm *mm;
	struct dax_fs *fs;	     /* NULL: not mounted */
	struct dax_inode *f, *g, *h; /* h: the other file of two; NULL: not there */
	enum side side;		     /* of an exchange */
	bool in_order;		     /* of an unbinding: unmounted first, by dax_unbind() */
	uint64_t va_h;		     /* H's page is mapped here; zero: it is not */
	struct page *held_h;	     /* NULL: nobody holds a page of H */
	uint64_t va;		     /* F's unit is mapped here; zero: it is not */
	unsigned unit;		     /* pages of F that the way is about: 1, 512 */
	unsigned at;		     /* the one that is held */
	struct page *page;	     /* its record */
	struct page *held[MATRIX_BULK];
	unsigned nr_held;
	uint64_t entry; /* of a locked entry; zero: it is not locked (atomic) */
	uint64_t *buf;	/* as large as the unit of 2 MiB */
	/* The operation's thread. */
	struct thread *thread;
	bool done; /* atomic */
	int err;
	enum race_verdict verdict;
	char why[160]; /* if the cell could not be played: RACE_SKIP */
};

/* ---- the table (matrix_table.c) ------------------------------------------------------------- */
const char *matrix_cannot(const struct lifetime *lt, struct cell c); /* NULL: it can happen */
/* What the table says, and the weakness by name ("" if safe). */
enum race_verdict matrix_expects(const struct lifetime *lt, struct cell c, const char **name);
void matrix_name(struct cell c, char *buf, unsigned n);
/* Of zero and insert, where no byte tells: has the design to wait for the held page, as it does
 * when a collapse moves it? No weakness of the table lets it go on. */
bool matrix_must_wait(const struct lifetime *lt, struct cell c);

/* ---- one cell (matrix_cell.c) --------------------------------------------------------------- */
/* Plays it once; s->cell, lt, mm, buf are set. */
void matrix_play(struct stage *s);
/* Until the operation is done, or sleeps with nobody left but timers; `skip`: or to its end, with
 * the clock moved on. True: it is done. */
bool matrix_settle(struct stage *s, bool skip);
void matrix_start(struct stage *s); /* the way's operation, in a thread */

/* ---- ways and holds (matrix_ways.c) --------------------------------------------------------- */
int matrix_operation(struct stage *s); /* the operation; in its own thread */
bool matrix_frees(enum way w);	       /* F's blocks are free afterwards: G can be made of them */
bool matrix_hold(struct stage *s);     /* false: failed */
void matrix_put(struct stage *s);
/* Zero and insert: the block stays F's, and so do the late bytes. Sets the verdict (BROKEN I1, I3
 * or I6, with s->why) if they did not, `late`: after the late write. False: it did. */
bool matrix_judge_kept(struct stage *s, bool late);

/* ---- unbinding (matrix_unbind.c) ------------------------------------------------------------ */
int matrix_way_unbind(struct stage *s); /* the operation */
/* It has its own end: records that are gone have to come back. */
void matrix_unbind(struct stage *s);

#endif
