/* SPDX-License-Identifier: MIT */
/*
 * One cell of the matrix: a fresh file system, F, its holder, the operation, the late write, the
 * put, and what the block's next owner reads.
 */
#include <stdarg.h>

#include "dax/file/internal.h"
#include "tests/kernel/lib/huge.h"
#include "tests/kernel/race/internal.h"
#include "tests/kernel/lib/tinyfs.h"

#define LOOK_NS 50000ull
#define SECONDS 1000000000ull

/* The cell cannot be played: says why. Value: false. */
static bool __printf(2, 3) matrix_failed(struct stage *s, const char *fmt, ...)
{
	va_list ap;

	if (s->verdict != RACE_SKIP || s->why[0])
		return false;
	va_start(ap, fmt);
	vsnprintf(s->why, sizeof(s->why), fmt, ap);
	va_end(ap);
	return false;
}

/* ---- the entry that a fault has locked ------------------------------------------------------ */

static struct lifetime wrapped; /* the mount's, one cell at a time: tells when the scan is over */
static struct stage *playing;
static struct dax_inode *locked;

static void unlock_entry(struct stage *s)
{
	uint64_t entry = __atomic_exchange_n(&s->entry, 0, __ATOMIC_ACQ_REL);

	if (entry)
		entry_unlock(locked, s->at, entry);
}

static int break_layout(struct dax_inode *inode, uint64_t first, uint64_t last,
			enum layout_reason reason)
{
	int err = playing->lt->break_layout(inode, first, last, reason);

	if (inode == locked)	       /* and not the other file of an exchange */
		unlock_entry(playing); /* nothing is deleted yet */
	return err;
}

static int evict(struct dax_inode *inode)
{
	int err = playing->lt->evict(inode);

	unlock_entry(playing);
	return err;
}

static void wrap(struct stage *s)
{
	playing = s;
	wrapped = *s->lt;
	wrapped.break_layout = break_layout;
	wrapped.evict = evict;
	s->fs->lifetime = &wrapped;
}

static bool lock_entry(struct stage *s)
{
	uint64_t entry = entry_lock(s->f, s->at);

	/* It is that of a fault which the director plays: what it does besides is another thread's.
	 */
	lock_order_drop(entry_wait_key(s->f, s->at), LOCK_BIT);
	locked = s->f;
	__atomic_store_n(&s->entry, entry, __ATOMIC_RELEASE);
	return entry ? true : matrix_failed(s, "no memory for an entry");
}

/* ---- the operation's thread ----------------------------------------------------------------- */

static void operate(void *arg)
{
	struct stage *s = arg;

	mm_use(s->mm);
	do
		s->err = matrix_operation(s);
	while (race_asks_again(s->lt, &s->err));
	signal_clear();
	mm_use(NULL);
	__atomic_store_n(&s->done, true,
			 __ATOMIC_RELEASE); /* after err, which the director reads */
}

void matrix_start(struct stage *s)
{
	s->done = false;
	s->err = 0;
	s->thread = thread_create("matrix", operate, s, 1);
	ASSERT(s->thread, "the matrix needs memory for a thread");
}

static bool is_done(struct stage *s)
{
	if (!__atomic_load_n(&s->done, __ATOMIC_ACQUIRE))
		return false;
	if (s->thread)
		thread_join(s->thread);
	s->thread = NULL;
	return true;
}

static struct script nobody; /* no actors: every thread counts */

static bool stays_asleep(uint64_t end, unsigned *looks)
{
	enum quiet q = script_skip(&nobody, end, look_ns(LOOK_NS, *looks));

	*looks += q == QUIET_NOT;
	return q == QUIET_DEAD || (q == QUIET_TIMER && clock_ns() > end);
}

bool matrix_settle(struct stage *s, bool skip)
{
	uint64_t end = clock_ns() + 60 * SECONDS;
	unsigned still = 0, looks = 0;

	while (!is_done(s)) {
		bool asleep;

		if (still == QUIET_SURE)
			return false;
		ASSERT(looks < PATIENCE_LOOKS, "an operation of the matrix did not come to an end "
					       "or to a sleep, and something still runs");
		if (skip) {
			asleep = stays_asleep(end, &looks);
		} else {
			asleep = s->thread->state == THREAD_SLEEPING &&
				 !script_somebody_runs(&nobody);
			looks += !asleep;
			thread_sleep_ns(look_ns(LOOK_NS, asleep ? 0 : looks));
		}
		still = asleep ? still + 1 : 0;
	}
	return true;
}

/* `ns` of the clock go by. */
static void matrix_pass(struct stage *s, uint64_t ns)
{
	uint64_t end = clock_ns() + ns;
	unsigned dead = 0, looks = 0;

	(void)s;
	while (clock_ns() < end && dead < QUIET_SURE)
		dead = script_skip(&nobody, end, look_ns(LOOK_NS, looks++)) == QUIET_DEAD ? dead + 1
											  : 0;
	while (script_somebody_runs(&nobody)) /* the host's time is no time for them */
		thread_sleep_ns(LOOK_NS);
}

/* It will never come to its end: whoever could be woken is, by the page's two keys. */
static void end_hung(struct stage *s)
{
	for (unsigned i = 0; !is_done(s); i++) {
		ASSERT(i < 1000, "the matrix cannot end an operation that hangs");
		thread_signal(s->thread);
		wake_up(&page_to_record(s->page)->state);
		wake_up(page_to_record(s->page));
		script_skip(&nobody, UINT64_MAX, LOOK_NS);
	}
}

/* ---- setting the stage ---------------------------------------------------------------------- */

static bool mount(struct stage *s)
{
	const char *why = "";
	int err;

	if (s->cell.way == WAY_COW)
		err = tiny_mount(s->lt, &s->fs, &why);
	else
		err = scratch_mount(SCRATCH_SMALL, s->lt, &s->fs, &why);
	if (err)
		return matrix_failed(s, "mount: %s", why);
	wrap(s);
	return true;
}

/* F: the unit, of holes, and one page more. H, if there are two files: the same, and stays so. */
static bool make_files(struct stage *s)
{
	if (s->cell.way == WAY_COW) {
		s->f = tiny_file(s->fs, "F", 2);
		s->h = tiny_file(s->fs, "H", 2);
		return s->f && s->h;
	}
	if (s->side == SIDE_HIGHER)
		s->h = sparse("H", s->unit + 1);
	s->f = sparse("F", s->unit + 1);
	if (s->cell.way == WAY_EXCHANGE && !s->h)
		s->h = sparse("H", s->unit + 1);
	return s->f && (s->h || s->cell.way != WAY_EXCHANGE);
}

/* F's unit gets its blocks through the mapping, its last page by a write; all other blocks go. */
static bool fill_f(struct stage *s)
{
	static char tail = 't';
	char *at;

	if (dax_mmap(s->mm, s->f, 0, s->unit, true, &s->va) || store_checked((uint64_t *)s->va, 0))
		return false;
	at = (char *)(s->va + s->at * PAGE_SIZE);
	memset(at, 'f', PAGE_SIZE);
	if (level_at(s->va) != (s->cell.huge ? 2u : 1u))
		return matrix_failed(s, "the mapping has not the wanted size");
	if (s->cell.way == WAY_COW)
		return true;
	if (dax_write(s->f, s->unit * PAGE_SIZE, &tail, 1) != 1)
		return false;
	/* An exchange needs a block for itself, and nobody makes a G of what is free. */
	return s->cell.way == WAY_EXCHANGE || !scratch_fill("fill");
}

static void unmap_f(struct stage *s)
{
	if (s->va)
		mm_unmap(s->mm, s->va, s->unit * PAGE_SIZE);
	s->va = 0;
	if (s->va_h)
		mm_unmap(s->mm, s->va_h, PAGE_SIZE);
	s->va_h = 0;
}

/* Held, and mapped or not, locked or not, as the cell says. */
static bool take_shape(struct stage *s)
{
	const enum way w = s->cell.way;

	if (!matrix_hold(s))
		return matrix_failed(s, "the page cannot be held");
	if (s->cell.shape == SHAPE_LOCKED && !lock_entry(s))
		return false;
	if (s->cell.shape == SHAPE_UNMAPPED || w == WAY_EVICT || w == WAY_UMOUNT)
		unmap_f(s);
	if (w == WAY_EVICT && dax_unlink(SCRATCH_PATH "/F"))
		return matrix_failed(s, "unlink: %s", refusal());
	if (w == WAY_UMOUNT) {
		dax_put(s->f);
		s->f = NULL;
	}
	return true;
}

static bool set_stage(struct stage *s)
{
	s->unit = s->cell.huge ? FOLIO_PAGES : 1;
	s->at = s->cell.huge ? 5 : 0;
	if (!mount(s))
		return false;
	if (!make_files(s) || !fill_f(s))
		return matrix_failed(s, "F: %s", refusal());
	return true;
}

/* ---- the block's next owner ------------------------------------------------------------------ */

#define WORD 0x4747474747474747ull /* "GGGGGGGG" */

/* G takes every free block, and there are no others than F's. False: they are not to be had. */
static bool make_g(struct stage *s)
{
	const uint64_t len = s->unit * PAGE_SIZE;

	if (dax_open(SCRATCH_PATH "/G", true, &s->g))
		return false;
	memset(s->buf, 'G', len);
	if (dax_write(s->g, 0, s->buf, len) == (int64_t)len)
		return true;
	dax_put(s->g);
	s->g = NULL;
	return false;
}

/* H has F's block now, and writes it; F the same, if H had a block for it. */
static bool write_h(struct stage *s)
{
	const int64_t len = PAGE_SIZE;

	memset(s->buf, 'G', PAGE_SIZE);
	return dax_write(s->h, s->at * PAGE_SIZE, s->buf, len) == len &&
	       (s->side != SIDE_BOTH || dax_write(s->f, s->at * PAGE_SIZE, s->buf, len) == len);
}

static bool next_owner(struct stage *s)
{
	if (matrix_frees(s->cell.way))
		return make_g(s);
	return s->cell.way != WAY_EXCHANGE || write_h(s);
}

static void judge_bytes(struct stage *s, const uint64_t *p, uint64_t len, uint64_t word)
{
	if (s->verdict == RACE_SKIP)
		s->verdict = RACE_SAFE;
	for (uint64_t i = 0; i < len / sizeof(*p); i++)
		if (p[i] != word)
			s->verdict = RACE_BROKEN_I1;
}

/* What H shows: the bytes that it got with the block. */
static void judge_copy(struct stage *s)
{
	uint64_t va = 0, v;

	if (dax_mmap(s->mm, s->h, 0, 1, false, &va) || load_checked((uint64_t *)va, &v))
		matrix_failed(s, "reading H: %s", refusal());
	else
		s->verdict =
			memcmp((const void *)va, s->buf, PAGE_SIZE) ? RACE_BROKEN_I1 : RACE_SAFE;
	if (va)
		mm_unmap(s->mm, va, PAGE_SIZE);
}

static bool keeps(enum way w)
{
	return w == WAY_ZERO || w == WAY_INSERT;
}

static void judge(struct stage *s)
{
	struct dax_inode *owner = s->cell.way == WAY_EXCHANGE ? s->h : s->g;
	uint64_t off = s->cell.way == WAY_EXCHANGE ? s->at * PAGE_SIZE : 0;
	uint64_t len = s->cell.way == WAY_EXCHANGE ? PAGE_SIZE : s->unit * PAGE_SIZE;

	if (keeps(s->cell.way))
		s->verdict = matrix_judge_kept(s, true) ? RACE_SAFE : s->verdict;
	else if (s->cell.way == WAY_COW)
		judge_copy(s);
	else if (!owner)
		s->verdict = RACE_SAFE; /* the block is F's own still */
	else if (dax_read(owner, off, s->buf, len) != (int64_t)len)
		matrix_failed(s, "reading back: %s", refusal());
	else
		judge_bytes(s, s->buf, len, WORD);
	if (s->side != SIDE_BOTH)
		return;
	if (dax_read(s->f, off, s->buf, len) != (int64_t)len)
		matrix_failed(s, "reading F back: %s", refusal());
	else
		judge_bytes(s, s->buf, len, WORD);
}

/* ---- the sequence ---------------------------------------------------------------------------- */

/* The operation, until it is done or sleeps for the holder. */
static bool operate_once(struct stage *s)
{
	bool done;

	matrix_start(s);
	done = matrix_settle(s, false);
	if (!__atomic_load_n(&s->entry, __ATOMIC_ACQUIRE))
		return done;
	unlock_entry(s); /* it sleeps for the entry, for a lease, or never came by */
	return matrix_settle(s, false);
}

/* The sleeper is interrupted, fails, and tries again. False: it did not fail. */
static bool interrupt(struct stage *s, bool *done)
{
	thread_signal(s->thread);
	if (!matrix_settle(s, false))
		return matrix_failed(s, "a signal does not end the wait");
	if (s->err != -EINTR)
		return matrix_failed(s, "%s after a signal, not EINTR", errno_name(s->err));
	*done = operate_once(s);
	return true;
}

static void write_late(const struct page *page)
{
	memcpy(page_to_virt(page), F_TEXT, strlen(F_TEXT));
}

static void late_write(const struct stage *s)
{
	if (s->cell.hold == HOLD_UNDO)
		return;
	write_late(s->page);
	if (s->held_h)
		write_late(s->held_h);
}

/* After the put: whoever waited must come to his end, whoever was refused must not be again. */
static bool finish(struct stage *s, bool done, bool refused)
{
	if (refused) {
		matrix_pass(s, 3 * SECONDS);
		matrix_start(s);
	}
	if ((!done || refused) && !matrix_settle(s, true)) {
		s->verdict = RACE_HUNG;
		end_hung(s);
		return false;
	}
	return !s->err || matrix_failed(s, "the operation: %s", errno_name(s->err));
}

static void run_way(struct stage *s)
{
	bool done = operate_once(s), refused, owned = false;

	if (s->cell.hold == HOLD_INTERRUPTED && !done && !interrupt(s, &done))
		return;
	refused = done && s->err == -EBUSY;
	if (done && !refused) {
		if (s->err) {
			matrix_failed(s, "the operation: %s", errno_name(s->err));
			return;
		}
		if (keeps(s->cell.way) && matrix_must_wait(s->lt, s->cell)) {
			matrix_failed(s, "it did not wait for the page");
			return;
		}
		if (keeps(s->cell.way) && !matrix_judge_kept(s, false))
			return;
		owned = next_owner(s);
	}
	late_write(s);
	matrix_put(s);
	if (!finish(s, done, refused))
		return;
	if (!owned && !next_owner(s)) {
		matrix_pass(s, 3 * SECONDS); /* a poll may have it */
		if (!next_owner(s)) {
			s->verdict = RACE_BROKEN_I4;
			return;
		}
	}
	judge(s);
}

static void close_file(struct dax_inode **inode)
{
	struct dax_inode *i = *inode;

	*inode = NULL;
	if (i)
		dax_put(i);
}

static void clear_stage(struct stage *s)
{
	unlock_entry(s);
	matrix_put(s);
	if (s->thread)
		end_hung(s);
	unmap_f(s);
	close_file(&s->f);
	close_file(&s->g);
	close_file(&s->h);
	if (s->fs && s->cell.way == WAY_COW)
		tiny_umount();
	else if (s->fs)
		scratch_umount();
	s->fs = NULL;
}

void matrix_play(struct stage *s)
{
	s->verdict = RACE_SKIP;
	if (set_stage(s) && take_shape(s)) {
		if (s->cell.way == WAY_UNBIND)
			matrix_unbind(s);
		else
			run_way(s);
	}
	clear_stage(s);
}
