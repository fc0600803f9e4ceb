/* SPDX-License-Identifier: MIT */
/*
 * The picture on the screen, laid out for 1024 by 768 pixels; of a smaller one the end is missing.
 *
 *   y 12    what this is
 *   y 40    the colours, and how many cells have each
 *   y 72    the rows: device, first pfn, 128 cells; the fewer rows, the higher they are
 *   y 404   the pages in use: who holds each
 *   y 574   who sleeps, for what
 *   y 694   the last step of a script
 *
 * Only what is not on the screen already is drawn: a row is compared as it is, a line as text.
 */
#include "drivers/show/internal.h"

#define BEHIND	 0x101418
#define TEXT	 0xe8e8e8
#define LABEL	 0x9aa6b2
#define LEFT	 16u
#define CELLS_X	 112u
#define CELLS_Y	 72u
#define CELL_W	 7u /* with the gap of a pixel */
#define CELLS_H	 320u
#define COLUMNS	 82u /* of large letters */
#define LINE_H	 18u
#define PAGES_Y	 404u
#define SLEEP_Y	 574u
#define STEP_Y	 694u
#define LEGEND_Y 40u
#define LEGEND_W 250u
#define INDENT	 22u /* of the text behind a square */

enum {
	LINE_LEGEND,
	LINE_PAGE = LINE_LEGEND + 4,
	LINE_SLEEP = LINE_PAGE + 9,
	LINE_STEP = LINE_SLEEP + 6,
	LINES = LINE_STEP + 3
};

static struct {
	bool drawn; /* zero: nothing of this is on the screen */
	uint32_t cell_h;
	struct picture_row row[PICTURE_ROWS];
	char line[LINES][COLUMNS + 1];
} * on_screen;

static const struct {
	char cell;
	const char *word;
	uint32_t colour;
} legend[] = {
	{CELL_REST, "rest", 0x3a4550},
	{CELL_MAPPED, "mapped", 0x2f7fd6},
	{CELL_HELD, "held", 0xe0a020},
	{CELL_BUSY, "busy", 0xd83a3a},
};

static uint32_t colour_of(char cell)
{
	for (unsigned i = 0; i < ARRAY_SIZE(legend); i++)
		if (legend[i].cell == cell)
			return legend[i].colour;
	return BEHIND;
}

static const char *word_of(char cell)
{
	for (unsigned i = 0; i < ARRAY_SIZE(legend); i++)
		if (legend[i].cell == cell)
			return legend[i].word;
	return "";
}

/* ---- lines */

static void line(unsigned which, uint32_t x, uint32_t y, uint32_t columns, const char *text)
{
	struct screen_text at = {x, y, 2, columns, TEXT, BEHIND};
	char *last = on_screen->line[which];

	if (on_screen->drawn && !strncmp(last, text, COLUMNS))
		return;
	snprintf(last, sizeof(on_screen->line[0]), "%s", text);
	screen_write(&at, last);
}

static void draw_legend(const struct picture *p)
{
	const uint64_t count[] = {0, p->mapped, p->held, p->busy};
	char text[32];

	for (unsigned i = 0; i < ARRAY_SIZE(legend); i++) {
		uint32_t x = LEFT + i * LEGEND_W;

		snprintf(text, sizeof(text), i ? "%s %lu" : "%s", legend[i].word, count[i]);
		screen_fill(x, LEGEND_Y, 14, 14, legend[i].colour);
		line(LINE_LEGEND + i, x + INDENT, LEGEND_Y, 18, text);
	}
}

static void used_page_text(const struct picture_page *page, char *buf, unsigned n)
{
	unsigned at = snprintf(buf, n, "%lx %s", page->pfn, word_of(page->cell));

	if (page->file[0])
		at += snprintf(buf + at, n - at, ", page %lu of %s", page->index, page->file);
	if (page->holders[0] && at < n)
		snprintf(buf + at, n - at, ": %s", page->holders);
}

static void draw_pages(const struct picture *p)
{
	const unsigned room = LINE_SLEEP - LINE_PAGE;
	unsigned more = p->nr_pages + p->pages_left;

	for (unsigned i = 0; i < room; i++) {
		char text[300] = "";

		if (i == room - 1 && more > room)
			snprintf(text, sizeof(text), "and %u more", more - (room - 1));
		else if (i < p->nr_pages)
			used_page_text(&p->page[i], text, sizeof(text));
		screen_fill(LEFT, PAGES_Y + i * LINE_H, 14, 14,
			    colour_of(i < p->nr_pages ? p->page[i].cell : CELL_NONE));
		line(LINE_PAGE + i, LEFT + INDENT, PAGES_Y + i * LINE_H, COLUMNS - 2, text);
	}
}

/* A text on `lines` lines from `which` on. */
static void wrap(unsigned which, uint32_t y, unsigned lines, const char *text)
{
	for (unsigned i = 0; i < lines; i++) {
		char part[COLUMNS + 1];
		size_t n = strlen(text), cut = MIN(n, (size_t)COLUMNS);

		while (cut < n && cut > COLUMNS / 2 && text[cut] != ' ')
			cut--;
		snprintf(part, sizeof(part), "%.*s", (int)cut, text);
		line(which + i, LEFT, y + i * LINE_H, COLUMNS, part);
		text += cut + (text[cut] == ' ');
	}
}

static void draw_sleepers(const struct picture *p)
{
	for (unsigned i = 0; i < (LINE_STEP - LINE_SLEEP) / 3; i++) {
		const struct picture_sleeper *s = &p->sleeper[i];
		char text[300] = "";

		if (i < p->nr_sleepers)
			snprintf(text, sizeof(text), "%s waits for %s; woken by %s", s->name,
				 s->what, s->waker);
		wrap(LINE_SLEEP + 3 * i, SLEEP_Y + 3 * i * LINE_H, 3, text);
	}
}

static void draw_step(const struct show_step *step)
{
	char text[300] = "";

	if (step->number)
		snprintf(text, sizeof(text), "step %u, %s: %s", step->number, step->who,
			 step->text);
	wrap(LINE_STEP, STEP_Y, LINES - LINE_STEP, text);
}

/* ---- rows */

static void draw_row(unsigned i, const struct picture_row *row)
{
	const uint32_t h = on_screen->cell_h, y = CELLS_Y + i * h;
	struct screen_text at = {8, y + (h - FONT_HEIGHT) / 2, 1, 17, LABEL, BEHIND};
	char label[32] = "";

	if (row->unit)
		snprintf(label, sizeof(label), "%s %lx%s", row->device, row->pfn,
			 row->unit > 1 ? "+" : "");
	screen_write(&at, label);
	for (uint32_t c = 0; c < PICTURE_CELLS; c++)
		screen_fill(CELLS_X + c * CELL_W, y, CELL_W - 1, h - 1,
			    c < row->nr ? colour_of(row->cell[c]) : BEHIND);
}

/* The highest cells that leave room for all rows; another height is another picture. */
static void choose_height(unsigned nr_rows)
{
	uint32_t h = CELLS_H / PICTURE_ROWS;

	while (h < 32 && nr_rows * h * 2 <= CELLS_H)
		h *= 2;
	if (h == on_screen->cell_h)
		return;
	on_screen->cell_h = h;
	memset(on_screen->row, 0, sizeof(on_screen->row));
	screen_fill(0, CELLS_Y, UINT16_MAX, CELLS_H, BEHIND);
}

static void draw_rows(const struct picture *p)
{
	choose_height(p->nr_rows);
	for (unsigned i = 0; i < PICTURE_ROWS; i++) {
		if (!memcmp(&on_screen->row[i], &p->row[i], sizeof(p->row[i])))
			continue;
		on_screen->row[i] = p->row[i];
		draw_row(i, &p->row[i]);
	}
}

void draw_picture(const struct picture *p, const struct show_step *step)
{
	const struct screen_text title = {LEFT, 12, 2, COLUMNS, TEXT, BEHIND};

	if (!on_screen)
		on_screen = calloc(1, sizeof(*on_screen));
	if (!on_screen)
		return;
	if (!on_screen->drawn) {
		screen_fill(0, 0, UINT16_MAX, UINT16_MAX, BEHIND);
		screen_write(&title, "Holdfast: the pages of persistent memory");
	}
	draw_legend(p);
	draw_rows(p);
	draw_pages(p);
	draw_sleepers(p);
	draw_step(step);
	on_screen->drawn = true;
}

void draw_end(void)
{
	free(on_screen);
	on_screen = NULL;
}
