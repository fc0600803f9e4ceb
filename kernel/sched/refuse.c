/* SPDX-License-Identifier: MIT */
/*
 * The one way in which a reason comes from the depth to the prompt.
 *
 * The function that finds out why something cannot be done says it by refuse(), in words for the
 * user, and returns the errno; the functions between hand the errno on, and may put words of their
 * own around the sentence (a file's name); the command prints refusal(). The sentence belongs to
 * the thread: one that fails beside it, or holds the same file system, changes nothing of it.
 *
 * The place in the code is kept with the sentence: it is the book's, which explains what was
 * refused (kernel/shell/book.c). Words that are put around a sentence leave it where it was;
 * a sentence that did not come by refuse(), as ext4's pure code writes its own, has the place of
 * the first words around it.
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
	/* Whoever puts words around the last sentence has asked for it, and keeps its place. */
	if (!self->refused_at || !self->refusal_asked || !self->refusal[0] ||
	    !strstr(text, self->refusal))
		self->refused_at = (uintptr_t)__builtin_return_address(0);
	self->refusal_asked = false;
	memcpy(self->refusal, text, sizeof(text));
	return err;
}

const char *refusal(void)
{
	current_thread()->refusal_asked = true;
	return current_thread()->refusal;
}

char *refusal_buffer(void)
{
	current_thread()->refusal_asked = true;
	return current_thread()->refusal;
}

uintptr_t refused_at(void)
{
	return current_thread()->refused_at;
}

void refusal_clear(void)
{
	current_thread()->refusal[0] = '\0';
	current_thread()->refused_at = 0;
}
