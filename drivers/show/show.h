/* SPDX-License-Identifier: MIT */
/*
 * What can be looked at: the picture of all pages (mm/picture/), live, on the screen and in a
 * browser. `page -w` is who draws; without it none of this costs anything but a load for each step.
 */
#ifndef DRIVERS_SHOW_SHOW_H
#define DRIVERS_SHOW_SHOW_H

/*
 * Somebody plays a script, and `who` has just done what `text` says. Who watches sees the picture
 * of this moment, and the caller sleeps for as long as he likes: until he asks for the next step on
 * the second serial line, or for the `slow` of `page -w`. Nobody watches: nothing. Thread context.
 */
void show_step(const char *who, const char *text);

#endif
