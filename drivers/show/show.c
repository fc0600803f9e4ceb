/* SPDX-License-Identifier: MIT */
/*
 * Who watches: `page -w` takes pictures and hands them to the viewers that are there.
 *
 * The screen wants one ten times a second, the second serial line when it asks. A script is watched
 * step by step: its director comes here by show_step(), has the picture of that moment drawn, and
 * sleeps as long as it was told to. While it sleeps the machine goes on: devices work, threads
 * wait.
 *
 *     director: show_step() → draws → sleeps for a credit
 *     watcher:  takes bytes off the line: p, F: draws; n, R: gives a credit
 *
 * The director's waker is the watcher, at `n` or `R`, or at its own end.
 *
 * One drawing at a time: show.lock. A script that is stepped by hand arms no timer, so the quiet of
 * a race (kernel/sched/sched.h) is what it is without a viewer.
 */
#include "drivers/show/internal.h"
#include "drivers/show/show.h"

#define LOOK_NS 100000000ull

static struct {
	struct mutex lock;
	bool on;	   /* atomic; zero: nobody watches, and nothing below is valid */
	bool screen, line; /* which viewers are there */
	bool by_hand;	   /* the line said S: a step waits for a credit */
	unsigned credits;  /* atomic */
	uint64_t slow_ns;
	struct picture *now, *sent; /* sent: what the line has; NULL: nothing yet */
	struct show_step step;
} show = {.lock = MUTEX_INIT("picture")};

/* show.lock held. */
static void send(bool whole)
{
	struct picture *was;

	line_send_picture(show.now, whole ? NULL : show.sent);
	if (!show.sent)
		show.sent = malloc(sizeof(*show.sent));
	was = show.sent;
	if (was)
		memcpy(was, show.now, sizeof(*was));
}

static void draw(void)
{
	picture_take(show.now);
	draw_picture(show.now, &show.step);
}

/* ---- a script's side */

static bool may_go_on(void)
{
	return !show.by_hand || !__atomic_load_n(&show.on, __ATOMIC_ACQUIRE) ||
	       __atomic_load_n(&show.credits, __ATOMIC_ACQUIRE);
}

static void wait_for_the_viewer(void)
{
	if (!show.by_hand) {
		thread_sleep_ns(show.slow_ns);
		return;
	}
	wait_event(&show.credits, may_go_on(), "the next step of the script", "who watches");
	__atomic_store_n(&show.credits, 0, __ATOMIC_RELEASE);
}

void show_step(const char *who, const char *text)
{
	if (!__atomic_load_n(&show.on, __ATOMIC_ACQUIRE))
		return;
	mutex_lock(&show.lock);
	if (show.on) {
		show.step.number++;
		snprintf(show.step.who, sizeof(show.step.who), "%s", who);
		snprintf(show.step.text, sizeof(show.step.text), "%s", text);
		picture_take(show.now);
		if (show.screen)
			draw_picture(show.now, &show.step);
		if (show.line) {
			line_send_step(&show.step);
			send(false);
		}
	}
	mutex_unlock(&show.lock);
	wait_for_the_viewer();
}

/* ---- the watcher's */

static void give_credit(bool by_hand)
{
	show.by_hand = by_hand;
	__atomic_store_n(&show.credits, 1, __ATOMIC_RELEASE);
	wake_up(&show.credits);
}

/* What the line asks for. */
static void answer(int c)
{
	switch (c) {
	case 'S': show.by_hand = true; break;
	case 'R': give_credit(false); break;
	case 'n': give_credit(show.by_hand); break;
	case 'F':
	case 'p':
		mutex_lock(&show.lock);
		picture_take(show.now);
		send(c == 'F');
		mutex_unlock(&show.lock);
		break;
	default: break;
	}
}

/* Until the line asks, or, where there is a screen, until it is time; -EINTR: a signal came. */
static int wait_for_work(void)
{
	struct waiter w = {0};
	int err = 0;

	wait_prepare(&w, line_key, "a look", "the second serial line, or a timer");
	w.interruptible = true;
	if (signal_pending())
		err = -EINTR;
	else if (!show.line || !line_waiting()) {
		if (show.screen)
			wait_sleep_until(&w, clock_ns() + LOOK_NS);
		else
			wait_sleep(&w);
	}
	wait_finish(&w);
	return signal_pending() ? -EINTR : err;
}

static void watch(void)
{
	int c;

	do {
		while (show.line && (c = line_take()) >= 0)
			answer(c);
		if (!show.screen)
			continue;
		mutex_lock(&show.lock);
		draw();
		mutex_unlock(&show.lock);
	} while (!wait_for_work());
}

/* Nonzero: there is no viewer, or no memory. show.lock held. */
static int begin(uint64_t slow_ns)
{
	if (show.on)
		return shell_fail(-EBUSY, "the pages are being watched already ('jobs')");
	show.now = calloc(1, sizeof(*show.now));
	if (!show.now)
		return shell_fail(-ENOMEM, "no memory for a picture");
	show.screen = screen_open();
	show.line = line_open();
	if (!show.screen && !show.line) {
		free(show.now);
		return shell_fail(-ENODEV, "nothing to draw on: neither a framebuffer (`make run "
					   "BOOT=grub` has one) nor a second serial line (`make "
					   "show` has one)");
	}
	show.slow_ns = slow_ns;
	show.by_hand = false;
	show.step.number = 0;
	__atomic_store_n(&show.on, true, __ATOMIC_RELEASE);
	return 0;
}

/* show.lock held. */
static void end(void)
{
	__atomic_store_n(&show.on, false, __ATOMIC_RELEASE);
	if (show.line)
		line_close();
	draw_end();
	free(show.now);
	free(show.sent);
	show.now = show.sent = NULL;
	wake_up(&show.credits);
}

int show_watch(uint64_t slow_ns)
{
	int err;

	mutex_lock(&show.lock);
	err = begin(slow_ns);
	mutex_unlock(&show.lock);
	if (err)
		return err;
	watch();
	mutex_lock(&show.lock);
	end();
	mutex_unlock(&show.lock);
	return -EINTR;
}
