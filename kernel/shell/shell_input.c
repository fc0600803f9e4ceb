/* SPDX-License-Identifier: MIT */
/*
 * The console's bytes on their way to the prompt.
 *
 * A thread of its own reads the console, so that somebody listens while a command runs: Ctrl-C then
 * signals the command instead of lying unread behind it. Everything else goes into a ring that the
 * shell empties. The reader stops when the ring is full and the rest stays in the serial port,
 * which makes the sender wait; typing ahead loses nothing.
 */
#include "kernel/kernel.h"
#include "kernel/shell/internal.h"

#define RING   1024
#define CTRL_C 0x03

static struct spinlock input_lock = SPINLOCK_INIT("shell input");
static unsigned char ring[RING]; /* all below: under input_lock */
static unsigned head, tail;	 /* counts of bytes put in and taken out; equal means empty */
static struct thread *foreground;

bool input_ready(void)
{
	uint64_t flags = spin_lock_irqsave(&input_lock);
	bool ready = head != tail;

	spin_unlock_irqrestore(&input_lock, flags);
	return ready;
}

static bool has_room(void)
{
	uint64_t flags = spin_lock_irqsave(&input_lock);
	bool room = head - tail < RING;

	spin_unlock_irqrestore(&input_lock, flags);
	return room;
}

int input_byte(void)
{
	uint64_t flags = spin_lock_irqsave(&input_lock);
	int c = head == tail ? -1 : ring[tail++ % RING];

	spin_unlock_irqrestore(&input_lock, flags);
	if (c >= 0)
		wake_up(&tail);
	return c;
}

/* Takes everything up to the first Ctrl-C out of the ring; false: there is none. Under input_lock.
 */
static bool take_ctrl_c(void)
{
	for (unsigned i = tail; i != head; i++) {
		if (ring[i % RING] == CTRL_C) {
			tail = i + 1;
			return true;
		}
	}
	return false;
}

/* A Ctrl-C that was faster than the start of the command was meant for it all the same. */
void input_set_foreground(struct thread *t)
{
	uint64_t flags = spin_lock_irqsave(&input_lock);
	bool interrupt = t && take_ctrl_c();

	foreground = t;
	spin_unlock_irqrestore(&input_lock, flags);
	if (!interrupt)
		return;
	thread_signal(t);
	kprintf("^C\n");
	wake_up(&tail);
}

/* Ctrl-C while a command runs: signals it and forgets what was typed ahead. False: none runs. */
static bool interrupt_foreground(void)
{
	uint64_t flags = spin_lock_irqsave(&input_lock);
	struct thread *t = foreground;

	if (t) {
		thread_signal(t);
		tail = head;
	}
	spin_unlock_irqrestore(&input_lock, flags);
	if (t)
		kprintf("^C\n");
	return t != NULL;
}

static void put(unsigned char c)
{
	uint64_t flags = spin_lock_irqsave(&input_lock);

	ring[head++ % RING] = c;
	spin_unlock_irqrestore(&input_lock, flags);
	wake_up(&shell_events);
}

static void reader(void *arg)
{
	(void)arg;
	for (;;) {
		int c = console_getc();

		if (c == CTRL_C && interrupt_foreground())
			continue;
		wait_event(&tail, has_room(), "room in the input ring", "the prompt, reading on");
		put((unsigned char)c);
	}
}

void input_start(void)
{
	struct thread *t = thread_create("console-reader", reader, NULL, 0);

	ASSERT(t, "the shell needs a thread that reads the console, and there is no memory for it");
	thread_detach(t);
}
