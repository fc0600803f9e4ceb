/* SPDX-License-Identifier: MIT */
/*
 * The one way in which a reason comes from the depth to the prompt.
 *
 * The function that finds out why something cannot be done says it by refuse(), in words for the
 * user, and returns the errno; the functions between hand the errno on, and may put words of their
 * own around the sentence (a file's name); the command prints refusal(). The sentence belongs to
 * the thread: one that fails beside it, or holds the same file system, changes nothing of it.
 *
 * What runs in any context has no thread of its own to say it to: bio_submit() and the rings hand
 * out a literal, and the first function that runs in a thread makes a refusal of it.
 */
#include "kernel/kernel.h"

int refuse(int err, const char *fmt, ...)
{
	struct thread *self = current_thread();
	char text[sizeof(self->refusal)]; /* refusal() may be among the arguments */
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	memcpy(self->refusal, text, sizeof(text));
	return err;
}

const char *refusal(void)
{
	return current_thread()->refusal;
}

void refusal_clear(void)
{
	current_thread()->refusal[0] = '\0';
}
