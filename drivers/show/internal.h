/* SPDX-License-Identifier: MIT */
/* The picture's two viewers, the screen and the second serial line, as drivers/show/ deals with
 * them. */
#ifndef DRIVERS_SHOW_INTERNAL_H
#define DRIVERS_SHOW_INTERNAL_H

#include "drivers/drivers.h"

/* ---- font.c */
#define FONT_FIRST   ' '
#define FONT_LETTERS 95
#define FONT_WIDTH   5
#define FONT_HEIGHT  8
extern const uint8_t font[FONT_LETTERS][FONT_HEIGHT];

/* ---- screen.c: pixels are 0x00RRGGBB; what lies outside is not drawn */
bool screen_open(void); /* false: whoever booted us set no mode that we know */
void screen_fill(uint32_t x, uint32_t y, uint32_t w, uint32_t h, uint32_t colour);
/* At most `columns` letters of 6 by 8 dots of `scale` pixels, the rest of the columns blank. */
struct screen_text {
	uint32_t x, y, scale, columns, colour, behind;
};
void screen_write(const struct screen_text *at, const char *text);

/* ---- draw.c: the picture on the screen; all of it the first time, then what changed */
struct show_step {
	unsigned number; /* zero: no script has begun */
	char who[16], text[240];
};
void draw_end(void); /* what is remembered of the screen goes; the screen stays */
void draw_picture(const struct picture *p, const struct show_step *step);

/* ---- line.c: the picture on the second serial line */
bool line_open(void); /* false: there is none */
void line_close(void);
/* The next byte that came; -1: none. */
int line_take(void);
extern const void *const line_key; /* wake_up() when one comes */
bool line_waiting(void);	   /* is there one? */
void line_send_picture(const struct picture *p, const struct picture *before);
void line_send_step(const struct show_step *step);

/* ---- show.c */
/* Draws until a signal comes; with `slow_ns` each step of a script is shown for so long. -ENODEV:
 * on what? -EBUSY: somebody does already. With a sentence. */
int show_watch(uint64_t slow_ns);

#endif
