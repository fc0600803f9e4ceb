/* SPDX-License-Identifier: MIT */
/*
 * The framebuffer: what the boot loader left in a graphics mode (boot/boot.h), 32 bits a pixel.
 *
 * It is mapped when somebody wants to draw, and stays: a machine that draws nothing has neither the
 * mapping nor its tables.
 */
#include "drivers/show/internal.h"

static volatile uint32_t *pixels;     /* NULL: not mapped yet */
static uint32_t width, height, pitch; /* pitch: pixels from one row to the next */

bool screen_open(void)
{
	const struct boot_framebuffer *fb = &boot_info()->fb;

	if (!fb->phys || fb->bpp != 32 || fb->pitch % 4)
		return false;
	width = fb->width;
	height = fb->height;
	pitch = fb->pitch / 4;
	if (!pixels)
		pixels = map_mmio(fb->phys, (uint64_t)fb->pitch * fb->height);
	return pixels;
}

void screen_fill(uint32_t x, uint32_t y, uint32_t w, uint32_t h, uint32_t colour)
{
	uint32_t right = MIN(x + w, width), bottom = MIN(y + h, height);

	for (; y < bottom; y++)
		for (uint32_t i = x; i < right; i++)
			pixels[(uint64_t)y * pitch + i] = colour;
}

/* One letter, and the empty dots to its right and below it. */
static void write_letter(const struct screen_text *at, uint32_t column, char c)
{
	const uint8_t *rows = font[c < FONT_FIRST || c > '~' ? '?' - FONT_FIRST : c - FONT_FIRST];
	uint32_t x = at->x + column * (FONT_WIDTH + 1) * at->scale;

	for (uint32_t row = 0; row <= FONT_HEIGHT; row++)
		for (uint32_t dot = 0; dot <= FONT_WIDTH; dot++) {
			bool set = row < FONT_HEIGHT && dot < FONT_WIDTH &&
				   rows[row] >> (FONT_WIDTH - 1 - dot) & 1;

			screen_fill(x + dot * at->scale, at->y + row * at->scale, at->scale,
				    at->scale, set ? at->colour : at->behind);
		}
}

void screen_write(const struct screen_text *at, const char *text)
{
	for (uint32_t column = 0; column < at->columns; column++)
		write_letter(at, column, *text ? *text++ : ' ');
}
