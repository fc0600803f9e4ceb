/* SPDX-License-Identifier: MIT */
/*
 * bio_delay: completions held back for a while.
 *
 * A disk answers when it likes, and a test of what happens meanwhile cannot wait for luck. While
 * the switch is armed every completion is queued instead of told; one timer releases all of them
 * and the switch is off again. One-shot; arming what is armed changes nothing. Linux's nvdimm unit
 * tests got the same switch in 2017 ("tools/testing/nvdimm: add 'bio_delay' mechanism").
 *
 * The timer is the only waker that the held ones have, and it always comes: nothing is lost.
 */
#include "drivers/drivers.h"

static struct {
	struct spinlock lock;  /* taken in interrupts */
	bool armed;	       /* lock */
	struct bio_queue held; /* lock; empty unless armed */
	unsigned nr;	       /* lock */
} delay = {.lock = SPINLOCK_INIT("bio_delay"), .held = TAILQ_HEAD_INITIALIZER(delay.held)};

static struct mutex switching = MUTEX_INIT("bio_delay switch"); /* arming against off */
static struct timer timer;					/* switching */

bool bio_delay_take(struct bio *bio, int err)
{
	uint64_t flags;
	bool taken;

	if (!bio_delay_armed())
		return false;
	flags = spin_lock_irqsave(&delay.lock);
	taken = delay.armed;
	if (taken) {
		bio->err = err;
		TAILQ_INSERT_TAIL(&delay.held, bio, link);
		delay.nr++;
	}
	spin_unlock_irqrestore(&delay.lock, flags);
	return taken;
}

/* Off, and what was held goes on, in the order it came. Off before passing on and in one step with
 * emptying the queue, else one that comes in between would be held with nobody to pass it on. */
static unsigned pass_on(void)
{
	struct bio_queue out = TAILQ_HEAD_INITIALIZER(out);
	uint64_t flags = spin_lock_irqsave(&delay.lock);
	unsigned nr = delay.nr;
	struct bio *bio;

	TAILQ_CONCAT(&out, &delay.held, link);
	delay.nr = 0;
	__atomic_store_n(&delay.armed, false, __ATOMIC_RELEASE);
	spin_unlock(&delay.lock);
	/* Interrupts stay off: end_io() is written for interrupt context. */
	while ((bio = TAILQ_FIRST(&out))) {
		TAILQ_REMOVE(&out, bio, link);
		bio_end(bio, bio->err);
	}
	irq_restore(flags);
	return nr;
}

static void expired(struct timer *t)
{
	(void)t;
	pass_on();
}

int bio_delay_arm(uint64_t ns)
{
	int err = -EALREADY;
	uint64_t flags;

	mutex_lock(&switching);
	flags = spin_lock_irqsave(&delay.lock);
	if (!delay.armed) {
		__atomic_store_n(&delay.armed, true, __ATOMIC_RELEASE);
		timer_arm(&timer, clock_ns() + ns, expired);
		err = 0;
	}
	spin_unlock_irqrestore(&delay.lock, flags);
	mutex_unlock(&switching);
	return err;
}

unsigned bio_delay_off(void)
{
	unsigned nr;

	mutex_lock(&switching);
	timer_cancel_wait(&timer);
	nr = pass_on();
	mutex_unlock(&switching);
	return nr;
}

bool bio_delay_armed(void)
{
	return __atomic_load_n(&delay.armed, __ATOMIC_ACQUIRE);
}

unsigned bio_delay_held(void)
{
	return __atomic_load_n(&delay.nr, __ATOMIC_ACQUIRE);
}

uint64_t bio_delay_left_ns(void)
{
	uint64_t now = clock_ns();

	return bio_delay_armed() && timer.deadline_ns > now ? timer.deadline_ns - now : 0;
}

static int show(void)
{
	if (bio_delay_armed())
		kprintf("armed: %u completion(s) held, released in %lu ms\n", bio_delay_held(),
			bio_delay_left_ns() / 1000000);
	else
		kprintf("off: completions are told at once (%u request(s) in flight)\n",
			bio_in_flight());
	return 0;
}

static int cmd_bio_delay(int argc, char **argv)
{
	uint64_t ms;
	int err;

	if (argc == 1)
		return show();
	if (argc > 2)
		return shell_usage();
	if (!strcmp(argv[1], "off")) {
		kprintf("%u completion(s) released\n", bio_delay_off());
		return 0;
	}
	err = shell_number("MS", argv[1], &ms);
	if (err)
		return err;
	if (!ms || ms > 60000)
		return shell_fail(-EINVAL, "MS must be 1 to 60000 milliseconds, or 'off'");
	if (bio_delay_arm(ms * 1000000))
		kprintf("armed already; ignored, as it is one-shot\n");
	return show();
}
SHELL_COMMAND(bio_delay, cmd_bio_delay, "bio_delay [MS|off]",
	      "hold every disk completion back for MS milliseconds, once; or show the switch\n"
	      "The device has done its work and nobody is told, so pages stay held. A timer then\n"
	      "releases all and switches off; arming what is armed is ignored; off: release now.");
